"""A small server for tests of real programs: `program.py WHERE [WORD ...]`; what the words do is below.

WHERE is a port or the path of a Unix socket. It answers each line with `pid name line`, and writes it to stdout.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time

where, *words = sys.argv[1:]
word = words[0] if words else ""


def serve(listener: socket.socket) -> None:
    while True:
        connection, _ = listener.accept()
        with connection, connection.makefile("rwb", buffering=0) as file:
            for line in file:
                if line == b"exit\n":
                    sys.exit("told to exit")
                if line == b"leave\n" and os.fork():
                    sys.exit(0)
                print("got", line.decode().strip(), flush=True)
                file.write(b"%d %s" % (os.getpid(), line))


def listening(port: int) -> socket.socket:
    if not where.isdigit():
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(where)
    else:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
    listener.listen()
    return listener


if word == "exit":
    print("no config")
    sys.exit(int(words[1]))
elif word == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
elif word == "silent":
    time.sleep(600)
elif word == "lots":  # 100 MB before it listens
    for _ in range(1600):
        os.write(1, (b"x" * 99 + b"\n") * 625)
elif word == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
elif word == "background":
    parent = os.getpid()
    if os.fork():
        os._exit(0)
    os.setsid()
    while os.getppid() == parent:
        time.sleep(0.001)
elif word == "elsewhere":
    other = listening(0)
    print("listening elsewhere", flush=True)
    serve(other)
elif word == "children":  # one in its group, one in a session of its own
    first = subprocess.Popen(["sleep", "600"])
    second = subprocess.Popen(["sleep", "600"], start_new_session=True)
    if third := os.fork():
        os.waitpid(third, 0)
    else:  # an orphan in a session of its own
        os.setsid()
        print("children", first.pid, second.pid, subprocess.Popen(["sleep", "600"]).pid, flush=True)
        os._exit(0)
elif word == "passed":
    assert os.environ["LISTEN_PID"] == str(os.getpid())
    with contextlib.suppress(KeyboardInterrupt):
        serve(socket.socket(fileno=3))
elif word == "udp":
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", int(where)))
        while True:
            data, client = receiver.recvfrom(1000)
            receiver.sendto(data, client)
elif word == "own":
    own = listening(0)
    print(f"listening on port {own.getsockname()[1]}", flush=True)
    serve(own)
elif word == "files":
    kept = []
    with contextlib.suppress(OSError):
        while True:
            kept.append(os.dup(0))
    for each in kept:
        os.close(each)
    print("files", len(kept), flush=True)
elif word == "memory":
    try:
        bytearray(1 << 30)
    except MemoryError:
        print("out of memory", flush=True)
elif word == "says":
    print(*words[1:], os.environ.get("WORD"), os.getcwd(), flush=True)

serve(listening(int(where) if where.isdigit() else 0))
