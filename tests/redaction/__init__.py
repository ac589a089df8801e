"""Secrets, masked where something is shown."""
