"""What a server can be asked: options, TLS, classes from their parts, listeners."""
