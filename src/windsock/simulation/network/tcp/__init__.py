"""TCP: the states of a connection, its handshake, and the sockets over it."""
