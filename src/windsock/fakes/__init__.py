"""A server that answers from rules and scripts."""
