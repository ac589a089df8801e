"""Two sockets joined under faults."""
