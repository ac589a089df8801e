"""Captures: what a test's servers and proxies recorded, as files for other programs."""
