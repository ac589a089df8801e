"""The entrance of the harness: `with serving(...) as server`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Unpack

from windsock.errors import UsageError
from windsock.harness.running import RunningServer
from windsock.harness.thread_pool import ThreadPool
from windsock.options.server_options import Handler, Options, ServerKeywords
from windsock.recording.subject import distinct_name
from windsock.scripts.checks import check_keywords

__all__ = ["serving"]


def serving(
    server_class_or_handler: type[Any] | Handler | None = None,
    /,
    handler: Handler | None = None,
    *,
    server_class: type[Any] | None = None,
    _thread_pool: ThreadPool | None = None,
    _seed: Callable[[], int] | None = None,
    **options: Unpack[ServerKeywords],
) -> RunningServer:
    """Start a server for the length of a `with`: `serving(MyHandler)`, `serving(MyServer, MyHandler)`.

    Both can be named: `serving(server_class=MyServer, handler=MyHandler)`.

    The server listens when this returns. Without a handler it is a fake, which records, and answers by rules and
    scripts. `transport` is "tcp" (the default), "udp", "unix_stream", "unix_datagram" or "unix_seqpacket";
    `concurrency` is "sync", "threading" (the default), "forking", "selecting" or "trio" (the default for an async
    handler).
    `framing` tells messages apart: "lines", "eof", a delimiter (bytes), a size (int), LengthPrefix(...), "any", a
    function, or a protocol: "http", "redis", "rpc", "websocket", or one of your own.

    `host="localhost"` is 127.0.0.1 and ::1 on one port. Instead of a host a UDP server may have `multicast`, an IPv4
    group such as "239.1.2.3", or `broadcast=True`, on the loopback interface.

    At the end of the `with` a strict server raises what its handlers raised, as an ExceptionGroup. Unmet expectations
    of a fake are raised too, unless `allow_unused`. With `accept=True` clients of a fake wait until the test accepts
    them (`server.accept()`). `timeout` (seconds) bounds every wait for the server.

    `tls` is True, "mutual", "starttls" or an ssl.SSLContext; `certificate` is "valid", one that clients should refuse
    ("expired", "not_yet_valid", "wrong_name", "self_signed", "unknown_authority", "missing_intermediate", "revoked"),
    a list of names that it is for, PEM files, a trustme.LeafCert, or a mapping of these by the server name that a
    client asks for ("*": any other or none); `key_type` is "ec" (the default) or "rsa", for certificates that windsock
    makes; the other keywords for TLS limit the versions, ciphers and protocols that the server accepts.

    `faults` act from the first client on: faults, pairs of a fault and a dict of selector keywords, and profiles. With
    them, or with `relay=True`, all connections are relayed, so that faults can also come and go while they are open
    (see `RunningServer.fault`). `seed` is the seed of their random numbers; 0 by default, the test's own in fixtures.

    `redact` says what is secret besides the usual: bytes, regular expressions of bytes (their groups, or all that they
    match) and functions that return bytes without the secrets. All that is shown or written has it masked, as long as
    the server exists; what tests read has it in full.

    Raises UsageError for invalid values, StartError if the address is not available, RecordingFailed if a forking
    server could record nothing.
    """
    if server_class is None:
        server_class, handler = _sort_out(server_class_or_handler, handler)
    elif server_class_or_handler is not None:
        raise UsageError(f"serving({server_class_or_handler!r}, server_class={server_class!r}): pass one of them")
    check_keywords("serving", options, ServerKeywords)
    resolved = Options(server_class=server_class, handler=handler, **options).resolved()
    if not options.get("name"):
        resolved = replace(resolved, name=distinct_name(resolved.name))
    return RunningServer(resolved, _thread_pool, _seed)


def _sort_out(first: Any, second: Any) -> tuple[type[Any] | None, Any]:
    """Return (server class, handler): one argument is a handler unless it is a class of servers."""
    if second is not None:
        return first, second
    if isinstance(first, type) and callable(getattr(first, "serve_forever", None)):
        return first, None
    return None, first
