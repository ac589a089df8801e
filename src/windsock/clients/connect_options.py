"""The keywords of the functions that connect a client, and their values as one object."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from windsock.net.system import os

if TYPE_CHECKING:
    import ssl

    import trustme

__all__ = ["AddressKeywords", "ClientKeywords", "ConnectKeywords", "ConnectOptions"]


class ClientKeywords(TypedDict, total=False):
    """The keywords of every client: see `windsock.scripted_client()`."""

    tls: bool | ssl.SSLContext | None
    server_hostname: str | None
    source: Any
    timeout: float | None
    receive_buffer: int | None
    send_buffer: int | None
    faults: Iterable[Any]


class AddressKeywords(ClientKeywords, total=False):
    """The keywords of a client of an address."""

    transport: str | None
    seed: int | None


class ConnectKeywords(ClientKeywords, total=False):
    """The keywords of a client of a running server: see `RunningServer.connect()`."""

    certificate: bool | str | os.PathLike[str] | tuple[str | os.PathLike[str], ...] | trustme.LeafCert | None
    anonymous: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectOptions:
    """The values of these keywords, defaults included. `timeout` is in seconds, the buffers are in bytes."""

    tls: Any = None
    server_hostname: str | None = None
    source: Any = None
    timeout: Any = None
    receive_buffer: int | None = None
    send_buffer: int | None = None
    faults: Any = ()
    transport: str | None = None
    seed: int | None = None
    certificate: Any = None
    anonymous: bool = False
