"""Memory and files behind the recordings."""
