"""Options of servers: TLS options, classes from their parts, listeners."""
