"""A network and a clock that live in the process: the same test without kernel and without waiting."""
