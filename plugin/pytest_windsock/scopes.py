"""`pytest_windsock.fixture`: makes fixtures of servers that may outlive a test, with what all their tests share."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from pytest_windsock.fixtures import SCOPED, SHARED
from windsock.errors import UsageError
from windsock.options.server_options import ServerKeywords
from windsock.scripts.checks import check_keywords

if TYPE_CHECKING:
    from typing import Unpack

    from pytest_windsock.factories import Missing, ServeKeywords
    from windsock.programs.keywords import ProgramKeywords, Recipe, Words
    from windsock.programs.running import RealServer

__all__ = ["combinations", "fixture", "program"]

SCOPES = ("function", "class", "module", "package", "session")
SERVER = "server"
"""The parameter of a set-up function that gets the server."""
Serving: TypeAlias = Callable[[pytest.FixtureRequest, str, Callable[..., Any]], Iterator[Any]]
"""What starts the server of a fixture by its name, sets it up, gives it, and finishes it."""


def fixture(
    *,
    scope: Any = "function",
    params: Sequence[Any] | None = None,
    ids: Any = None,
    autouse: bool = False,
    **options: Unpack[ServeKeywords],
) -> Callable[[Callable[..., Any]], Any]:
    """Make a fixture whose value is a server, of a function that sets it up: `def redis(server): ...`.

    The function gets the running server as `server`, and other fixtures by name. What it defines there (rules, scripts,
    faults) is for all tests; each begins with it anew. It may `yield` once; what follows runs before the server is
    finished. Each test that asks for the fixture, itself or through other fixtures, has a recording, expectations,
    faults and a verdict of its own.

    `scope`, `params`, `ids` and `autouse` are those of `pytest.fixture`; each of `params` is a dict of more options.
    `options` are those of `windsock.serving()`, with `handler` and `server_class`; `name` is the fixture's, too. Raises
    UsageError for invalid values.
    """
    _check_scope("fixture", scope)
    _check_options(options)
    name = options.pop("name", None)
    found = None if params is None else [_checked_param(each) for each in params]
    if ids is None and found is not None:
        ids = _id_of

    def serve(request: pytest.FixtureRequest, own: str, setup: Callable[..., Any]) -> Iterator[Any]:
        __tracebackhide__ = True
        from pytest_windsock import checkpoints

        yield from checkpoints.serve(request, own, {**options, **getattr(request, "param", {})}, setup)

    return _decorator(serve, name, scope=scope, params=found, ids=ids, autouse=autouse)


def program(
    command: Words | Recipe,
    /,
    *,
    scope: Any = "function",
    autouse: bool = False,
    reset: Callable[[RealServer], object] | None = None,
    missing: Missing = "fail",
    shared: bool = False,
    **options: Unpack[ProgramKeywords],
) -> Callable[[Callable[..., Any]], Any]:
    """Make a fixture whose value is a real program, of a function that sets it up: `def redis(server): ...`.

    The function gets the running program as `server`, and other fixtures by name. It may `yield` once; what follows
    runs before the program is stopped. Before each test but the first, `reset` is called with the program, after it was
    restarted if it does not run, and resumed if it is paused. The proxy of `server.fault()` is a test's own.

    Under xdist each worker has a program of its own. With `shared=True` (and scope "session") there is one for all: the
    worker that needs it first starts it and sets it up, and tests cannot end it.

    `scope` and `autouse` are those of `pytest.fixture`; `options` are those of `windsock.real_server()`; `name` is the
    fixture's, too; `missing` is that of the fixture `real_server`. Raises UsageError for invalid values.
    """
    _check_scope("program", scope)
    if reset is not None and not callable(reset):
        raise UsageError(f"program(reset={reset!r}): expected a function of the program")
    from pytest_windsock.programs import check_missing  # for programs alone
    from pytest_windsock.shared_programs import ProgramFixture, check_shared
    from windsock.programs.keywords import options_from

    check_missing("program", missing)
    check_shared(shared, scope, reset)
    checked = options_from(command, **options)

    def serve(request: pytest.FixtureRequest, own: str, setup: Callable[..., Any]) -> Iterator[Any]:
        __tracebackhide__ = True
        from pytest_windsock import programs

        fixture = ProgramFixture(own, checked, missing, setup, reset)
        yield from (programs.serve_shared if shared else programs.serve)(request, fixture)

    return _decorator(serve, options.get("name"), is_shared=shared, scope=scope, autouse=autouse)


def _decorator(
    serve: Serving, name: str | None, *, is_shared: bool = False, **options: Any
) -> Callable[[Callable[..., Any]], Any]:
    """Return the decorator of set-up functions; `options` are those of `pytest.fixture`."""

    def decorate(setup: Any) -> Any:
        function = getattr(setup, "__func__", setup)  # of a classmethod
        _check_setup(function)
        body: Any = _body(function, serve, name or function.__name__)
        SCOPED.add(name or function.__name__)
        if is_shared:
            SHARED.add(name or function.__name__)
        if function is not setup:
            body = type(setup)(body)
        return pytest.fixture(name=name, **options)(body)

    return decorate


def combinations(**which: Any) -> list[Any]:
    """Return `params` for every kind of server, as for `any_server`.

    `transports`, `concurrency` and `tls` select some of them, as in the marker: `concurrency=["sync", "forking"]`.
    Tests on what a platform does not support are skipped. Raises UsageError for unknown names.
    """
    from pytest_windsock import matrix

    unknown = which.keys() - {"transports", "concurrency", "tls"}
    if unknown:
        raise UsageError(f"combinations({min(unknown)}=...): expected transports=, concurrency= or tls=")
    return [pytest.param(each.options(), id=str(each)) for each in matrix.chosen(which)]


def _body(setup: Callable[..., Any], serve: Serving, name: str) -> Callable[..., Any]:
    """Return the generator that pytest calls; its parameters are those of `setup`, with `request` for `server`."""
    signature = inspect.signature(setup)
    takes_request = "request" in signature.parameters

    @functools.wraps(setup)
    def body(*args: Any, **fixtures: Any) -> Iterator[Any]:
        __tracebackhide__ = True
        request = fixtures["request"] if takes_request else fixtures.pop("request")
        yield from serve(request, name, functools.partial(setup, *args, **fixtures))

    parameters = [each for each in signature.parameters.values() if each.name != SERVER]
    if not takes_request:
        parameters.append(inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY))
    body.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return body


def _check_scope(call: str, scope: Any) -> None:
    if not callable(scope) and scope not in SCOPES:
        raise UsageError(f"{call}(scope={scope!r}): expected one of {', '.join(map(repr, SCOPES))}, or a function")


def _check_options(options: Mapping[str, Any]) -> None:
    served = {key: value for key, value in options.items() if key not in ("handler", "server_class")}
    check_keywords("fixture", served, ServerKeywords)


def _checked_param(param: Any) -> Any:
    """Return one of `params`, as it is. Raises UsageError if it is no dict of options, nor a pytest.param of one."""
    values = getattr(param, "values", None)
    options = values[0] if isinstance(values, tuple) and len(values) == 1 else param
    if not isinstance(options, Mapping):
        raise UsageError(
            f"fixture(params=[... {param!r}]): expected dicts of options, such as {{'concurrency': 'sync'}}"
        )
    _check_options(options)
    return param


def _id_of(options: Mapping[str, Any]) -> str:
    """Return the id of a test for one of `params`: the values that are words, and other options by their names."""
    return "-".join(value if isinstance(value, str) else key for key, value in options.items()) or "plain"


def _check_setup(setup: Any) -> None:
    if not inspect.isfunction(setup) or SERVER not in inspect.signature(setup).parameters:
        got = getattr(setup, "__name__", repr(setup))
        raise UsageError(f"fixture(): {got} has no parameter {SERVER!r}; expected a function: def {got}({SERVER}): ...")
    if inspect.iscoroutinefunction(setup) or inspect.isasyncgenfunction(setup):
        raise UsageError(f"fixture(): {setup.__name__} is async; expected a function that sets up the server at once")
