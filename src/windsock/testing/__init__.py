"""Checks that any server of the family passes, to run on your own class; and clients for all of them."""

from windsock.testing.checks import Check, CheckFailed, check_server, checks_for
from windsock.testing.peers import client_of

__all__ = ["Check", "CheckFailed", "check_server", "checks_for", "client_of"]
