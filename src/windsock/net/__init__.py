"""Sockets, clock, files and addresses, as the standard library and the kernel have them."""
