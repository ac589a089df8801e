"""The faults themselves, one in a file."""
