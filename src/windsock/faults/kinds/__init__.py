"""The faults, one in each file."""
