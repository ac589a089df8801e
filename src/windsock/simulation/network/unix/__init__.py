"""Unix sockets and their names."""
