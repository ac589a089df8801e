"""What any server of this family must do, as checks to be run over a class of yours."""

from windsock.testing.checks import Check, CheckFailed, check_server, checks_for

__all__ = ["Check", "CheckFailed", "check_server", "checks_for"]
