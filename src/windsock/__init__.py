"""Fake and real servers for tests of anything that talks over a socket."""
