"""Sockets of the standard library in a world: connections, time-outs, files, polls and names."""

from __future__ import annotations

import errno
import os
import select
import selectors
import socket
import stat
import struct
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

import pytest

from windsock.servers import BaseRequestHandler, UnixStreamServer
from windsock.simulation import Deadlock, NotOfThisWorld, World, simulated


@pytest.fixture
def world() -> Iterator[World]:
    with simulated(seed=7) as world:
        yield world


@pytest.fixture
def pair(world: World) -> Iterator[tuple[socket.socket, socket.socket]]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = socket.create_connection(listener.getsockname())
        accepted, _ = listener.accept()
    with client, accepted:
        yield client, accepted


Pair = tuple[socket.socket, socket.socket]


def test_a_connection_carries_bytes_both_ways(pair: Pair) -> None:
    client, accepted = pair
    client.sendall(b"hello")
    accepted.sendall(b"world")

    assert (accepted.recv(100), client.recv(100)) == (b"hello", b"world")
    assert client.getpeername() == accepted.getsockname()
    assert (client.family, client.type, client.proto) == (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)


def test_a_socket_looks_like_any_other(pair: Pair) -> None:
    client, _ = pair

    assert type(client) is socket.socket
    assert repr(client).startswith("<socket.socket fd=")
    assert client.fileno() >= 1 << 24
    client.close()
    assert (client.fileno(), client.family) == (-1, socket.AF_INET)
    with pytest.raises(OSError, match="Bad file descriptor"):
        client.recv(1)


def test_a_time_out_takes_virtual_time(world: World, pair: Pair) -> None:
    client, _ = pair
    client.settimeout(30)

    with pytest.raises(TimeoutError, match="timed out"):
        client.recv(1)
    assert world.now == 30


def test_a_connection_to_a_closed_port_is_refused(world: World) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", 1))
    with socket.socket() as sock:
        assert sock.connect_ex(("127.0.0.1", 1)) == errno.ECONNREFUSED


def test_a_socket_that_does_not_block_says_so(pair: Pair) -> None:
    client, _ = pair
    client.setblocking(False)

    assert client.gettimeout() == 0
    assert os.get_blocking(client.fileno()) is False
    with pytest.raises(BlockingIOError):
        client.recv(1)


def test_whether_a_file_blocks_is_up_to_all_that_have_it(pair: Pair) -> None:
    client, _ = pair
    os.set_blocking(client.fileno(), False)

    with pytest.raises(BlockingIOError):
        client.recv(1)


def test_a_blocking_send_waits_until_all_is_sent(world: World, pair: Pair) -> None:
    client, accepted = pair
    data = bytes(3_000_000)
    received = bytearray()

    def read() -> None:
        time.sleep(9)
        while chunk := accepted.recv(100_000):
            received.extend(chunk)

    reader = threading.Thread(target=read)
    reader.start()
    sent = client.send(data)
    assert world.now == 9
    client.close()
    reader.join()

    assert sent == len(received) == len(data)


def test_files_read_lines(pair: Pair) -> None:
    client, accepted = pair
    with client.makefile("rw", newline="\r\n") as ours, accepted.makefile("rb") as theirs:
        ours.write("one\ntwo\n")
        ours.flush()
        accepted.sendall(b"three\r\n")

        assert [theirs.readline(), theirs.readline()] == [b"one\r\n", b"two\r\n"]
        assert ours.readline() == "three\r\n"


def test_a_half_close_ends_the_peers_reading_only(pair: Pair) -> None:
    client, accepted = pair
    client.shutdown(socket.SHUT_WR)

    assert accepted.recv(1) == b""
    accepted.sendall(b"still")
    assert client.recv(9) == b"still"


def test_a_reset_is_seen_by_the_peer(pair: Pair) -> None:
    client, accepted = pair
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()

    with pytest.raises(ConnectionResetError):
        accepted.recv(1)


def test_a_socket_that_is_deleted_is_closed(pair: Pair) -> None:
    first, second = socket.socketpair()
    del first

    assert second.recv(1) == b""
    second.close()


def test_a_duplicate_keeps_the_connection_open(world: World) -> None:
    first, second = socket.socketpair()
    with first.dup() as copy:
        first.close()
        copy.sendall(b"x")
        assert second.recv(9) == b"x"
    assert second.recv(9) == b""
    second.close()


def test_a_socket_whose_descriptor_is_replaced_is_another_one(world: World) -> None:
    first, second = socket.socketpair()
    third, fourth = socket.socketpair()
    with first, second, third, fourth:
        number = first.fileno()
        assert os.dup2(third.fileno(), number, inheritable=False) == number
        third.close()

        assert second.recv(1) == b""
        fourth.sendall(b"x")
        assert (first.recv(9), first.fileno()) == (b"x", number)
        assert select.select([first], [first], [], 0) == ([], [first], [])
        assert os.dup2(number, number) == number
        first.sendall(b"y")
        assert fourth.recv(9) == b"y"


def test_a_socket_that_two_threads_close_is_closed_once() -> None:
    for seed in range(60):
        with simulated(seed=seed):
            first, second = socket.socketpair()
            other = threading.Thread(target=first.close)
            other.start()
            first.close()
            other.join()

            assert second.recv(1) == b""
            second.close()


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_UNIX])
def test_only_as_much_as_fits_is_copied(pair: Pair, family: socket.AddressFamily) -> None:
    sender, receiver = pair if family == socket.AF_INET else socket.socketpair()
    data = memoryview(bytes(64 << 20))
    with sender, receiver:
        sender.setblocking(False)
        tracemalloc.start()
        try:
            assert 0 < sender.send(data) < 8 << 20
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()


def test_buffers_are_filled_in_place(pair: Pair) -> None:
    client, accepted = pair
    client.sendmsg([b"he", b"llo"])
    first, rest = bytearray(3), bytearray(9)

    assert accepted.recvmsg_into([first, rest])[0] == 5
    assert (bytes(first), bytes(rest[:2])) == (b"hel", b"lo")
    client.sendall(b"abc")
    assert accepted.recv_into(first, 2) == 2
    assert bytes(first) == b"abl"


def test_datagrams_have_a_sender(world: World) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as one, socket.socket(type=socket.SOCK_DGRAM) as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        one.sendto(b"hello", other.getsockname())

        assert other.recvfrom(99) == (b"hello", one.getsockname())


def wait_with_select(sock: socket.socket, seconds: float) -> bool:
    return bool(select.select([sock], [], [], seconds)[0])


def wait_with_poll(sock: socket.socket, seconds: float) -> bool:
    poll = select.poll()
    poll.register(sock, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def wait_with_epoll(sock: socket.socket, seconds: float) -> bool:
    with select.epoll() as epoll:
        epoll.register(sock, select.EPOLLIN | select.EPOLLONESHOT)
        return bool(epoll.poll(seconds))


def wait_with_selectors(sock: socket.socket, seconds: float) -> bool:
    found = []
    for kind in (selectors.DefaultSelector, selectors.PollSelector, selectors.SelectSelector):
        with kind() as selector:
            selector.register(sock, selectors.EVENT_READ)
            found.append(bool(selector.select(seconds / 3)))
    return any(found)


@pytest.mark.parametrize("wait", [wait_with_select, wait_with_poll, wait_with_epoll, wait_with_selectors])
def test_a_poll_waits_in_virtual_time(world: World, pair: Pair, wait: Callable[[socket.socket, float], bool]) -> None:
    client, accepted = pair
    before = wait(client, 30), world.now
    threading.Timer(5, accepted.sendall, [b"x"]).start()

    assert before == (False, 30)
    assert (wait(client, 30), world.now) == (True, 35)


def test_an_event_counter_wakes_a_poll(world: World) -> None:
    counter = os.eventfd(0, os.EFD_NONBLOCK)
    poll = select.poll()
    poll.register(counter, select.POLLIN)
    threading.Timer(5, os.eventfd_write, [counter, 1]).start()

    assert poll.poll() == [(counter, select.POLLIN)]
    assert (os.eventfd_read(counter), world.now) == (1, 5)
    os.close(counter)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.read(counter, 8)


def test_an_epoll_refuses_a_descriptor_that_is_closed(world: World) -> None:
    first, second = socket.socketpair()
    number = first.fileno()
    with second, select.epoll() as epoll:
        epoll.register(first, select.EPOLLIN)
        first.close()

        for call in (
            partial(epoll.register, number),
            partial(epoll.modify, number, 1),
            partial(epoll.unregister, number),
        ):
            with pytest.raises(OSError, match="Bad file descriptor"):
                call()


def test_numbers_that_were_closed_are_used_again(world: World) -> None:
    first, second = socket.socketpair()
    numbers = [first.fileno(), second.fileno()]
    first.close()
    second.close()

    third, fourth = socket.socketpair()
    assert [third.fileno(), fourth.fileno()] == numbers
    third.close()
    fifth = fourth.dup()
    assert (fifth.fileno(), os.dup2(fifth.fileno(), numbers[1] + 1)) == (numbers[0], numbers[1] + 1)
    with fourth, fifth, socket.socket() as sixth:
        assert sixth.fileno() == numbers[1] + 2
    os.close(numbers[1] + 1)


def test_an_epoll_does_not_take_a_new_file_for_the_old_one_of_its_number(world: World) -> None:
    first, second = socket.socketpair()
    with select.epoll() as epoll:
        epoll.register(first, select.EPOLLIN | select.EPOLLOUT)
        first.close()
        second.close()
        first, second = socket.socketpair()
        with first, second:
            assert epoll.poll(0) == []
            with pytest.raises(FileNotFoundError):
                epoll.modify(first, select.EPOLLOUT)
            epoll.register(first, select.EPOLLOUT)
            assert epoll.poll(0) == [(first.fileno(), select.EPOLLOUT)]


@pytest.mark.parametrize("change", ["register", "modify"])
def test_a_thread_that_waits_sees_what_others_add_to_its_epoll(pair: Pair, change: str) -> None:
    client, _ = pair
    with select.epoll() as epoll:
        if change == "modify":
            epoll.register(client, select.EPOLLIN)
        threading.Timer(5, getattr(epoll, change), [client, select.EPOLLOUT]).start()

        assert epoll.poll(30) == [(client.fileno(), select.EPOLLOUT)]


def test_a_file_of_a_socket_that_is_open_is_not_taken_for_the_next_one(world: World, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    made = []
    for _ in range(3):
        made.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        made[-1].bind(path)
        os.unlink(path)
    unix = (socket.AF_UNIX, socket.SOCK_DGRAM)
    with socket.socket(*unix) as last, socket.socket(*unix) as client:
        last.bind(path)
        client.sendto(b"x", path)

        assert last.recv(1) == b"x"
    assert os.listdir(tmp_path) == ["socket"]
    for each in made:
        each.close()


def test_names_are_looked_up_in_the_world(world: World) -> None:
    found = socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)

    assert [each[4][0] for each in found] == ["127.0.0.1", "::1"]
    assert socket.gethostbyname("localhost") == "127.0.0.1"
    assert socket.getaddrinfo("127.0.0.1", "http", socket.AF_INET, socket.SOCK_STREAM)[0][4] == ("127.0.0.1", 80)
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("example.org", 80)


def test_a_wait_for_data_that_cannot_come_is_a_deadlock(pair: Pair) -> None:
    client, _ = pair

    with pytest.raises(Deadlock, match=r"main waits for data, since 0 s, at .*test_sockets\.py"):
        client.recv(1)


def test_a_thread_from_before_the_world_cannot_use_its_sockets() -> None:
    errors: list[Exception] = []
    is_made = threading.Event()
    made: list[socket.socket] = []

    def use() -> None:
        is_made.wait()
        try:
            made[0].recv(1)
        except Exception as error:
            errors.append(error)

    outsider = threading.Thread(target=use, name="from before")
    outsider.start()
    with simulated(seed=1) as world:
        made += socket.socketpair()
        is_made.set()
        with world.outside():
            outsider.join()
        for each in made:
            each.close()

    assert isinstance(errors[0], NotOfThisWorld)
    assert "recv() of a simulated socket was called by the thread 'from before'" in str(errors[0])


def test_a_socket_that_outlives_its_world_is_closed() -> None:
    with simulated(seed=1):
        first, second = socket.socketpair()

    assert first.fileno() == second.fileno() == -1
    with pytest.raises(OSError, match="Bad file descriptor"):
        first.recv(1)


def test_the_ports_of_a_world_are_its_own() -> None:
    numbers = []
    for _ in range(2):
        with simulated(seed=1), socket.create_server(("127.0.0.1", 0)) as listener:
            numbers.append(listener.getsockname()[1])

    assert numbers[0] == numbers[1]


def test_a_unix_socket_has_a_file(world: World, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(path)
        listener.listen()
        client.connect(path)
        assert stat.S_ISSOCK(os.stat(path).st_mode)
        with pytest.raises(OSError, match="Address already in use"), socket.socket(socket.AF_UNIX) as other:
            other.bind(path)
    with pytest.raises(ConnectionRefusedError), socket.socket(socket.AF_UNIX) as late:
        late.connect(path)
    os.unlink(path)


@pytest.mark.parametrize("place", [nullcontext(), simulated(seed=1)], ids=["kernel", "world"])
def test_a_socket_file_that_another_server_has_taken_over_stays(
    place: AbstractContextManager[object], tmp_path: Path
) -> None:
    path = str(tmp_path / "s")
    with place:
        first = UnixStreamServer(path, BaseRequestHandler)
        os.unlink(path)  # its inode would be the next file's, were it not in use
        with UnixStreamServer(path, BaseRequestHandler):
            first.server_close()
            stayed = os.path.exists(path)

    assert (stayed, os.path.exists(path)) == (True, False)


def test_no_descriptor_of_a_socket_file_is_left(tmp_path: Path) -> None:
    before = os.listdir("/proc/self/fd")
    with simulated(seed=1):
        forgotten = [socket.socket(socket.AF_UNIX) for _ in range(2)]
        for number, each in enumerate(forgotten):
            each.bind(str(tmp_path / str(number)))
        during = os.listdir("/proc/self/fd")

    assert len(during) == len(before) + 2
    assert os.listdir("/proc/self/fd") == before
