"""A Deadlock, Livelock or Standstill that a client has caught as it catches other errors fails its test."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import unittest
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trio

import windsock
from windsock import Deadlock, Livelock, WindsockError, simulated


def receive() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    with listener, socket.create_connection(listener.getsockname()) as client:
        client.recv(1)


def receive_or_nothing() -> bytes:
    try:
        receive()
    except Exception:
        pass
    return b""


def receive_or_nothing_twice() -> None:
    receive_or_nothing()
    time.sleep(1)
    receive_or_nothing()


def receive_in_trio() -> None:
    async def receive() -> None:
        with contextlib.suppress(Exception):
            await trio.sleep_forever()

    trio.run(receive)


def receive_again() -> None:
    with contextlib.suppress(Exception):
        receive()
    receive()


def spin() -> None:
    with contextlib.suppress(Exception):
        while True:
            time.monotonic()


def receive_with_bare_except() -> None:
    try:
        receive()
    except:  # noqa: E722
        pass


def receive_with_one_of_many() -> None:
    with contextlib.ExitStack():
        try:
            receive()
        except ValueError:
            raise
        except (OSError, Exception):
            pass


def receive_and_return_in_finally() -> None:
    try:
        receive()
    finally:
        return  # noqa: B012


def receive_as_another_error() -> None:
    def translate() -> None:
        try:
            receive()
        except Exception as error:
            raise ConnectionError("no reply") from error

    with pytest.raises(ConnectionError):
        translate()


def receive_and_expect_anything() -> None:
    with pytest.raises(Exception):  # noqa: B017
        receive()


SWALLOWING = [
    receive_or_nothing,
    receive_in_trio,
    receive_with_bare_except,
    receive_with_one_of_many,
    receive_and_return_in_finally,
    receive_as_another_error,
    receive_and_expect_anything,
]


@pytest.mark.parametrize("client", SWALLOWING)
def test_a_deadlock_that_a_client_has_swallowed_is_raised_at_the_end(client: Callable[[], None]) -> None:
    with pytest.raises(Deadlock) as caught, simulated(seed=1):
        client()

    (note,) = caught.value.__notes__
    assert "test_swallowed.py caught this Deadlock along with other errors, and went on; " in note
    assert "catches it by its name: pytest.raises(windsock.Deadlock)" in note


def test_a_livelock_is_too() -> None:
    with pytest.raises(Livelock) as caught, simulated(seed=1, most_steps=500):
        spin()

    assert caught.value.__notes__[0].startswith("spin() in ")


def test_the_first_of_several_is_raised() -> None:
    with pytest.raises(Deadlock, match=r"\(0 s, seed 1\)"), simulated(seed=1):
        receive_or_nothing_twice()


def test_what_fails_later_is_told_of_it() -> None:
    with pytest.raises(ValueError, match="b''") as caught, simulated(seed=1):
        int(receive_or_nothing())

    (note,) = caught.value.__notes__
    assert note.startswith("earlier: all threads of the simulated world wait")
    assert "receive_or_nothing() in " in note


def catch_by_name() -> None:
    try:
        receive()
    except Deadlock:
        return


def catch_by_base() -> None:
    with pytest.raises(WindsockError):
        receive()


def catch_with_pytest() -> None:
    with pytest.raises(windsock.Deadlock):
        receive()


def call_with_pytest() -> None:
    pytest.raises(Deadlock, receive)  # noqa: RUF061


def call_with_unittest() -> None:
    unittest.TestCase().assertRaises(Deadlock, receive)  # noqa: PT027


def suppress_by_name() -> None:
    with contextlib.suppress(Deadlock):
        receive()


@contextlib.contextmanager
def expecting_a_deadlock() -> Iterator[None]:
    try:
        yield
    except Deadlock:
        pass
    else:
        pytest.fail("no deadlock")


def catch_in_a_helper() -> None:
    with expecting_a_deadlock():
        receive()


def catch_one_of_many() -> None:
    with pytest.raises(STUCK):
        receive()


def catch_by_another_name() -> None:
    with contextlib.suppress(Exception):
        try:
            receive()
        except Hang:
            pass


def catch_as_expected() -> None:
    expectation = pytest.raises(Deadlock)
    with expectation:
        receive()


def catch_as_a_value(error: Any = Deadlock) -> None:
    with pytest.raises(error):
        receive()


def catch_what_is_raised_again() -> None:
    with pytest.raises(Deadlock):  # noqa: PT012
        try:
            receive()
        except Exception:  # noqa: TRY203
            raise


def catch_the_last_of_three() -> None:
    def retry() -> None:
        for number in range(3):
            try:
                receive()
            except Exception:
                if number == 2:
                    raise
            time.sleep(1)

    with pytest.raises(Deadlock):
        retry()


def catch_what_was_kept() -> None:
    error = error_of(receive_as_any)
    time.sleep(1)
    with pytest.raises(Deadlock):
        raise error or ValueError


def receive_as_any() -> None:
    kept: list[Exception] = []
    try:
        receive()
    except Exception as error:
        kept.append(error)
    time.sleep(1)
    raise kept[0]


def catch_beside_a_function_that_returns() -> None:
    def end() -> None:
        return

    with pytest.raises(Deadlock):  # noqa: PT012
        try:
            receive()
        finally:
            end()


def catch_by_a_keyword() -> None:
    try:
        with pytest.raises(expected_exception=Deadlock):
            receive()
    except Exception:  # noqa: TRY203
        raise


def catch_in_a_loop() -> None:
    for expected, call in ((Deadlock, receive), (ValueError, int_of_nothing)):
        with pytest.raises(expected):
            call()


def int_of_nothing() -> None:
    time.sleep(1)
    int("")


def catch_with_a_class() -> None:
    with Expecting():
        receive()


def catch_and_return() -> None:
    assert isinstance(error_of(receive), Deadlock)


def error_of(call: Callable[[], None]) -> Exception | None:
    try:
        call()
    except WindsockError as error:
        return error
    return None


class Expecting:
    """A context manager of one's own."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, *_: object) -> bool:
        return kind is Deadlock


def catch_the_second() -> None:
    """What the first one has led to is caught."""
    with pytest.raises(Deadlock):
        receive_in_finally()


def receive_in_finally() -> None:
    try:
        receive()
    finally:
        receive()


def catch_in_a_group() -> None:
    with pytest.RaisesGroup(Deadlock):
        trio.run(receive_in_a_nursery)


def catch_out_of_a_group() -> None:
    try:
        trio.run(receive_in_a_nursery)
    except* Deadlock:
        pass


async def receive_in_a_nursery() -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.sleep_forever)


STUCK = (Deadlock, Livelock)
Hang = Deadlock
NAMING = [
    catch_one_of_many,
    catch_by_another_name,
    catch_as_expected,
    catch_as_a_value,
    catch_with_a_class,
    catch_what_is_raised_again,
    catch_the_last_of_three,
    catch_what_was_kept,
    catch_beside_a_function_that_returns,
    catch_by_a_keyword,
    catch_in_a_loop,
    catch_and_return,
    catch_in_a_group,
    catch_out_of_a_group,
    catch_by_name,
    catch_by_base,
    catch_with_pytest,
    call_with_pytest,
    call_with_unittest,
    suppress_by_name,
    catch_in_a_helper,
    catch_the_second,
]


@pytest.mark.parametrize("test", NAMING)
def test_who_names_it_may_catch_it(test: Callable[[], None]) -> None:
    with simulated(seed=1):
        test()


@pytest.mark.parametrize("catch", ["by name", "with others"])
def test_a_socket_that_the_client_has_dropped_is_closed_at_its_next_wait(catch: str) -> None:
    def drop() -> None:
        client = socket.create_connection(listener.getsockname())
        with contextlib.suppress(Deadlock) if catch == "by name" else contextlib.nullcontext():
            try:
                client.recv(1)
            except Exception as error:
                if catch == "by name":
                    raise error  # noqa: TRY201

    with contextlib.suppress(Deadlock), simulated(seed=1), serving_one() as (listener, ended):
        drop()
        time.sleep(1)
        was_closed = ended.wait(1)

    assert was_closed


class Strange(Exception):
    """An error of a client that compares itself by what other errors lack."""

    def __eq__(self, other: object) -> bool:
        return bool(self.code == other.code)  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return 1


def test_the_failure_of_a_test_is_its_own_whatever_its_methods_do() -> None:
    with pytest.raises(Strange), simulated(seed=1):  # noqa: PT012
        receive_or_nothing()
        raise Strange


@contextlib.contextmanager
def serving_one() -> Iterator[tuple[socket.socket, threading.Event]]:
    ended = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(1) == b""
        ended.set()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve).start()
        yield listener, ended


def test_one_that_is_raised_as_another_error_is_no_other_failure() -> None:
    def translate() -> None:
        try:
            receive()
        except Exception as error:
            raise ConnectionError("no reply") from error

    with pytest.raises(ConnectionError) as caught, simulated(seed=1):
        translate()

    assert not hasattr(caught.value, "__notes__")


def test_a_second_one_that_fails_the_test_is_told_of_the_first() -> None:
    with pytest.raises(Deadlock) as caught, simulated(seed=1):
        receive_again()

    (note,) = caught.value.__notes__
    assert "receive_again() in " in note
