"""Checks that any server of the family passes, to run on your own class; clients for all of them; unittest."""

from windsock.testing.checks import Check, CheckFailed, check_server, checks_for
from windsock.testing.explain_mixin import ExplainMixIn
from windsock.testing.peers import client_of

__all__ = ["Check", "CheckFailed", "ExplainMixIn", "check_server", "checks_for", "client_of"]
