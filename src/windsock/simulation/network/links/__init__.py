"""Links between hosts: time, bandwidth, and faults on what passes."""
