"""The outcome of a test, from what handlers raised: a failure, a skip, an xfail, or the end of the run."""

from __future__ import annotations

import contextlib
import copyreg
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

import pytest

from pytest_windsock import tracebacks
from pytest_windsock.fixtures import State
from windsock import HandlerFailed, StillRunning, UsageError, WaitTimeout

if TYPE_CHECKING:
    from windsock import Diversion, RealServer, RunningServer
    from windsock.proxies.proxy import FaultProxy

__all__ = ["Verdict", "check", "explain", "finish", "judge"]

Servers: TypeAlias = "Sequence[RunningServer | FaultProxy | RealServer]"
NO_ERRORS = (pytest.skip.Exception, pytest.xfail.Exception)
OUTCOMES: dict[str, type[BaseException]] = {
    each.Exception.__name__: each.Exception for each in (pytest.fail, pytest.skip, pytest.xfail, pytest.exit)
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The exception that a test was failed with, and the errors of its servers that it was made of."""

    error: BaseException
    found: Sequence[tuple[RunningServer | FaultProxy | RealServer, Exception | BaseExceptionGroup[BaseException]]]

    def settle(self) -> None:
        """Have the teardown not raise them again: they are in the report of the test."""
        for server, failure in self.found:
            server.excuse(getattr(failure, "exceptions", (failure,)))


class Finishable(Protocol):
    """A server, a proxy, a program, or a part of the life of one."""

    def finish(self) -> None:
        """End it, and raise what went wrong."""
        ...

    def stop(self) -> None:
        """End it."""
        ...


def judge(servers: Servers) -> None:
    """Raise what went wrong in the servers, proxies and programs so far, or else what diversions have refused.

    To be called when the body of the test has passed. Servers go on: fixtures that are torn down later may still talk
    to them.
    """
    __tracebackhide__ = True
    _drain()
    every = [*servers, *State.programs]
    found = [(server, failure) for server in every if (failure := server.failure()) is not None]
    if not found:
        check(State.diversions)
        return
    State.has_raised = True
    verdict = Verdict(_outcome([failure for _, failure in found]), found)
    for each in State.diversions:
        each.note_on(verdict.error)
    if isinstance(verdict.error, pytest.exit.Exception):
        verdict.settle()  # there will be no report
    else:
        State.verdict = verdict
    raise verdict.error


def check(diversions: Iterable[Diversion]) -> None:
    """Raise what diversions have refused and no exception has shown."""
    __tracebackhide__ = True
    refused = [refusal for each in diversions for refusal in each.unexpected()]
    if refused:
        State.has_raised = True
        from windsock.diversions.errors import failure_of

        raise failure_of(refused)


def explain(error: BaseException, servers: Servers, *, is_over: bool = True) -> None:
    """Note on the exception of a test, or of its setup, what went wrong in its servers; teardown does not raise that.

    A test that is skipped, or xfails, from within has no notes, and need not meet what it expected. Exceptions that end
    the run are left alone. After a wrong call of windsock's functions nothing is said of what the test has not come to.
    """
    if isinstance(error, pytest.skip.Exception | pytest.xfail.Exception):
        for server in servers:
            server.excuse(())
    if not isinstance(error, Exception | pytest.fail.Exception) or isinstance(error, pytest.xfail.Exception):
        return
    _drain()
    for server in servers:
        for note in server.notes(is_over=is_over and not isinstance(error, UsageError)):
            error.add_note(f"windsock: {note}")
        server.excuse(server.errors)


def _drain() -> None:
    """Have all servers and proxies of the test handle what clients sent; the latest first, as it is in front."""
    for each in reversed(State.servers):
        each.drain()


def finish(servers: Sequence[Finishable]) -> None:
    """Finish every server, checkpoint or program, the latest first; raise all that went wrong at once.

    In an interrupted run, only stop.
    """
    __tracebackhide__ = True
    if State.is_interrupted:
        for server in reversed(servers):
            with contextlib.suppress(Exception):
                server.stop()
        return
    if len(State.servers) > 1:
        _drain()  # what a proxy holds may be for a server of another fixture; one alone drains itself
    failures: list[BaseException] = []
    for server in reversed(servers):
        try:
            server.finish()
        except (Exception, BaseExceptionGroup) as error:
            failures += _news(error)
    if failures:
        raise _for_teardown(_outcome(failures))


def _news(error: BaseException) -> list[BaseException]:
    """Return what a server's end has raised, without what the end of the test's time explains, if the test says that.

    A handler that kept the test waiting does not end for the server's stop, either.
    """
    if not State.has_failed:
        return [error]
    if isinstance(error, BaseExceptionGroup):
        _, rest = error.split(_is_out_of_time)
        return [] if rest is None else [rest]
    return [] if _is_out_of_time(error) else [error]


def _is_out_of_time(error: BaseException) -> bool:
    return isinstance(error, WaitTimeout) and (error.is_cut or (State.has_hung and isinstance(error, StillRunning)))


def _outcome(failures: list[BaseException]) -> BaseException:
    """Return what to raise for all of them: an error beats a skip, and the end of the run beats either."""
    leaves = list(_leaves(failures))
    exits = [each for each in leaves if isinstance(each, pytest.exit.Exception)]
    errors = [each for each in leaves if not isinstance(each, NO_ERRORS)]
    if exits or not errors or (len(leaves) == 1 and isinstance(errors[0], pytest.fail.Exception)):
        outcome = (exits or leaves)[0]
        tracebacks.skip_our_start(outcome)
        return outcome
    return failures[0] if len(failures) == 1 else BaseExceptionGroup("several servers had errors", failures)


def _leaves(errors: Iterable[BaseException]) -> Iterator[BaseException]:
    for each in errors:
        if isinstance(each, BaseExceptionGroup):
            yield from _leaves(each.exceptions)
        else:
            yield each


def _for_teardown(error: BaseException) -> BaseException:
    """Return a group as one of Exceptions alone: after any other, pytest would not go on to tear down."""
    if isinstance(error, Exception) or not isinstance(error, BaseExceptionGroup):
        return error
    group = error.derive([_for_teardown(_as_exception(each)) for each in error.exceptions])
    for note in getattr(error, "__notes__", ()):
        group.add_note(note)
    return group


def _as_exception(error: BaseException) -> BaseException:
    if isinstance(error, Exception | BaseExceptionGroup):
        return error
    stand_in = HandlerFailed(repr(error))
    stand_in.__cause__ = error
    return stand_in


# Outcomes come from forked children too. pytest has its classes say that they are builtins, where pickle looks in vain.


def _made(name: str, args: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    outcome = OUTCOMES[name].__new__(OUTCOMES[name], *args)
    vars(outcome).update(state)
    return outcome


def _reduced(outcome: BaseException) -> tuple[Any, ...]:
    return _made, (type(outcome).__name__, outcome.args, vars(outcome))


for each in OUTCOMES.values():
    copyreg.pickle(each, _reduced)
