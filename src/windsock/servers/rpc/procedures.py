"""Procedures: methods of a handler class with a number, and the types of their arguments and results."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from windsock.errors import UsageError
from windsock.protocols import xdr

__all__ = ["Procedure", "check_numbers", "procedure", "procedures_of"]

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
        if not isinstance(kind, xdr.XDRType):
            raise UsageError(f"@procedure({number}, {name}={kind!r}): expected an XDR type, such as xdr.INT")

    def mark(method: F) -> F:
        vars(method)["rpc_procedure"] = Procedure(number, args, result, method.__name__)
        return method

    return mark


def check_numbers(**numbers: Any) -> None:
    """Raise UsageError for a number of a program, a version or a procedure that no call can name."""
    for name, number in numbers.items():
        if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= 0xFFFFFFFF:
            raise UsageError(f"{name} = {number!r}: expected a number from 0 to 4294967295")


def procedures_of(handler_class: type) -> dict[int, Procedure]:
    """Return the procedures of a class and its bases. Raises UsageError for two methods of a class with one number."""
    found: dict[int, Procedure] = {}
    for base in reversed(handler_class.__mro__):
        found |= _procedures_in(base)
    return {number: each for number, each in found.items() if getattr(handler_class, each.method, None) is not None}


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
