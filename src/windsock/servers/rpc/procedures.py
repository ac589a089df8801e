"""Procedures: methods of a handler class with a number, and the types of their arguments and results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from windsock.errors import UsageError
from windsock.protocols import xdr
from windsock.protocols.rpc import check_numbers, check_type

__all__ = ["Procedure", "procedure", "procedures_of"]

ATTRIBUTES = ("call", "client_address", "request", "server", "stream")
"""What handlers have besides their methods."""

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Procedure:
    """One procedure: its number, the types of its arguments and its result, and the name of its method."""

    number: int
    args: xdr.XDRType[Any]
    result: xdr.XDRType[Any]
    method: str = ""

    def arguments(self, data: bytes) -> tuple[Any, ...]:
        """Return what the method is called with: the decoded arguments, or nothing for VOID. Raises DecodeError."""
        value = self.args.decode(data)
        return () if self.args is xdr.VOID else (value,)


def procedure(
    number: int, *, args: xdr.XDRType[Any] = xdr.VOID, result: xdr.XDRType[Any] = xdr.VOID
) -> Callable[[F], F]:
    """Make a method the procedure of this number: `@procedure(1, args=xdr.INT, result=xdr.STRING)`.

    The method is called with the decoded arguments, or with nothing if `args` is VOID, and returns the result to
    encode. It may be async, on trio servers.
    """
    check_numbers(number=number)
    for name, kind in (("args", args), ("result", result)):
        check_type(f"@procedure({number}, {name}={kind!r})", kind)

    def mark(method: F) -> F:
        vars(method)["rpc_procedure"] = Procedure(number, args, result, method.__name__)
        return method

    return mark


def procedures_of(handler_class: type) -> dict[int, Procedure]:
    """Return the procedures of a class and its bases. Raises UsageError for two methods of a class with one number."""
    found: dict[int, Procedure] = {}
    for base in reversed(handler_class.__mro__):
        of_base = _procedures_in(base)
        for each in of_base.values():
            _check_name(each.method, base)
        found |= of_base
    return {number: each for number, each in found.items() if getattr(handler_class, each.method, None) is not None}


def _check_name(name: str, owner: type) -> None:
    """Raise UsageError for a procedure that would take the place of something else."""
    others = [vars(base)[name] for base in owner.__mro__[1:] if name in vars(base)]
    if name in ATTRIBUTES or any(not hasattr(each, "rpc_procedure") for each in others):
        raise UsageError(f"{owner.__name__}: handlers have a {name} of their own; rename the procedure")


def _procedures_in(base: type) -> dict[int, Procedure]:
    found: dict[int, Procedure] = {}
    for method in vars(base).values():
        each: Procedure | None = getattr(method, "rpc_procedure", None)
        if each is None:
            continue
        if each.number in found:
            both = f"{found[each.number].method}() and {each.method}()"
            raise UsageError(f"{base.__name__}: {both} are both procedure {each.number}; number one of them otherwise")
        found[each.number] = each
    return found
