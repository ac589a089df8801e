"""What windsock's own machinery needs of the standard library and of the kernel."""
