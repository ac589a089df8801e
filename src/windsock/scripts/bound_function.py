"""Functions of what a peer has taken: which of the message, the match and the conversation each gets. No I/O."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from windsock.errors import UsageError
from windsock.protocols.message_pattern import MessagePattern
from windsock.scripts.conversation import Conversation
from windsock.scripts.repr import code_of

__all__ = ["BoundFunction", "bound_function"]

NAMES = ("message", "value", "match", "conversation")
POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
EXPECTED = "expected a function of the message, or one with parameters named message, value, match or conversation"


class BoundFunction:
    """A function with the arguments that it takes by name; one without such names takes the message."""

    __slots__ = ("_names", "function")

    def __init__(self, function: Callable[..., Any], names: tuple[str, ...]) -> None:
        self.function: Callable[..., Any] = function
        self._names = names

    def __repr__(self) -> str:
        return code_of(self.function)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BoundFunction) and self.function == other.function

    def __hash__(self) -> int:
        return hash(self.function)

    def result(self, where: str, conversation: Conversation) -> Any:
        """Call the function. A note on what it raises says `where` it is used."""
        try:
            if self._names:
                return self.function(**{each: _argument(each, conversation) for each in self._names})
            return self.function(conversation.message)
        except Exception as error:
            error.add_note(f"raised by the function of {where}")
            if "match" in self._names and conversation.match is None:
                error.add_note("its parameter 'match' is None: no regular expression has matched before")
            raise


def _argument(name: str, conversation: Conversation) -> Any:
    if name == "conversation":
        return conversation
    return getattr(conversation, name)


def bound_function(where: str, function: Callable[..., Any]) -> BoundFunction:
    """Return the function with what it takes.

    Raises UsageError for a pattern, for an async function, and for parameters that it would not get.
    """
    if isinstance(function, MessagePattern):
        raise UsageError(f"{where}: that is a pattern, which matches messages; expected a message, or bytes")
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise UsageError(f"{where}: the function is async; expected one that returns at once")
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some functions of C have no signature
        return BoundFunction(function, ())
    named = tuple(each.name for each in parameters if each.name in NAMES and each.kind is not each.POSITIONAL_ONLY)
    needed = [each for each in parameters if _is_needed(each)]
    if any(each != "message" for each in named):
        extra = [each.name for each in needed if each.name not in named]
        if extra:
            raise UsageError(f"{where}: its parameter {extra[0]!r} would get nothing; {EXPECTED}")
        return BoundFunction(function, named)
    if not _takes_one(list(parameters), needed):
        raise UsageError(f"{where}: it takes {_shown(needed)}; {EXPECTED}")
    return BoundFunction(function, ())


def _takes_one(parameters: list[inspect.Parameter], needed: list[inspect.Parameter]) -> bool:
    """Return whether the function can be called with one positional argument."""
    takes_any = any(each.kind in (*POSITIONAL, inspect.Parameter.VAR_POSITIONAL) for each in parameters)
    return takes_any and len(needed) <= 1 and all(each.kind in POSITIONAL for each in needed)


def _is_needed(parameter: inspect.Parameter) -> bool:
    is_rest = parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return not is_rest and parameter.default is inspect.Parameter.empty


def _shown(needed: list[inspect.Parameter]) -> str:
    return "no arguments" if not needed else "(" + ", ".join(each.name for each in needed) + ")"
