"""The list of checks, and running them on a class."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from windsock.errors import WindsockError
from windsock.options.combinations import transport_of
from windsock.testing import datagrams, records, streams
from windsock.testing.setting import Setting

__all__ = ["Check", "CheckFailed", "check_server", "checks_for"]


class CheckFailed(WindsockError):
    """A server did not do what a server of this family must. `check` is the name of the check."""

    def __init__(self, check: str, found: str) -> None:
        self.check = check
        super().__init__(f"{check}: {found}")


@dataclass(frozen=True, slots=True)
class Check:
    """One requirement of a server; `name` describes it."""

    name: str
    run: Callable[[Setting], None]

    def __call__(self, server_class: type[Any], **options: Any) -> None:
        """Run the check on a class. Raises CheckFailed."""
        try:
            self.run(Setting(server_class, {"strict": False} | options))
        except AssertionError as error:
            raise CheckFailed(self.name, str(error)) from None
        except OSError as error:
            raise CheckFailed(self.name, f"{type(error).__name__}: {error}") from error


def checks_for(server_class: type[Any]) -> list[Check]:
    """Return the checks for a class: those for streams, for datagrams, or for records."""
    rooms: dict[str, Any] = {"udp": datagrams, "unix_datagram": datagrams, "unix_seqpacket": records}
    room = rooms.get(transport_of(server_class), streams)
    functions = [each for name, each in vars(room).items() if name.startswith(("a_", "an_", "the_"))]
    return [Check(each.__name__.replace("_", " "), each) for each in functions]


def check_server(server_class: type[Any], **options: Any) -> None:
    """Check a server class: order of hooks, half-close both ways, big transfers, resets, errors, bursts, stopping.

    `options` are keywords of `serving()`. Raises an ExceptionGroup of all CheckFailed errors.
    """
    failures: list[Exception] = []
    for check in checks_for(server_class):
        try:
            check(server_class, **options)
        except Exception as error:
            failures.append(error)
    if failures:
        raise ExceptionGroup(f"{server_class.__name__} is not a server of this family", failures)
