"""A line between two addresses: front, admission, connect, TLS."""
