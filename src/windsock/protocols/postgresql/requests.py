"""Messages of clients of PostgreSQL as values. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from windsock.protocols.postgresql.wire import PostgreSQLMessage, framed, int32

__all__ = [
    "AuthenticationData",
    "Bind",
    "CancelRequest",
    "CloseStatement",
    "CopyData",
    "CopyDone",
    "CopyFail",
    "Describe",
    "Execute",
    "Flush",
    "GSSENCRequest",
    "OtherMessage",
    "Parse",
    "SSLRequest",
    "SimpleQuery",
    "StartupMessage",
    "Sync",
    "Terminate",
]

VERSION = 196608
"""Version 3.0 of the protocol."""


@dataclass(frozen=True, slots=True, repr=False)
class SSLRequest(PostgreSQLMessage):
    """Asks whether the server speaks TLS."""

    request_code = int32(80877103)


@dataclass(frozen=True, slots=True, repr=False)
class GSSENCRequest(PostgreSQLMessage):
    """Asks whether the server encrypts with GSSAPI."""

    request_code = int32(80877104)


@dataclass(frozen=True, slots=True, repr=False)
class CancelRequest(PostgreSQLMessage):
    """Cancels what another connection does: the one that was given this process and key."""

    request_code = int32(80877102)
    parts = ("number", "rest")
    process: int
    key: bytes


@dataclass(frozen=True, slots=True, repr=False)
class StartupMessage(PostgreSQLMessage):
    """Begins a session: names with values, such as user and database."""

    parts = ("pairs", "number")
    parameters: tuple[tuple[str, str], ...]
    version: int = VERSION

    @property
    def user(self) -> str:
        """The name of the user."""
        return dict(self.parameters).get("user", "")

    def __bytes__(self) -> bytes:
        body = PostgreSQLMessage.__bytes__(self)[4:]
        return framed(b"", body[-4:] + body[:-4])

    def words(self) -> str:
        """Return the parameters."""
        return f"startup {' '.join(f'{name}={value}' for name, value in self.parameters)}"


@dataclass(frozen=True, slots=True, repr=False)
class AuthenticationData(PostgreSQLMessage):
    """The answer to a request for authentication: a password with a zero byte, or data of SASL or GSSAPI."""

    type = b"p"
    parts = ("rest",)
    data: bytes

    @property
    def password(self) -> str:
        """The data as a password."""
        return self.data.removesuffix(b"\0").decode("utf-8", "surrogateescape")

    def words(self) -> str:
        """Return how many bytes it has; a password is not shown."""
        return f"authentication data ({len(self.data)} bytes)"


@dataclass(frozen=True, slots=True, repr=False)
class SimpleQuery(PostgreSQLMessage):
    """One or several statements, without parameters."""

    type = b"Q"
    parts = ("text",)
    query: str
    parameters: ClassVar[tuple[Any, ...]] = ()

    def words(self) -> str:
        """Return the query."""
        return self.query


@dataclass(frozen=True, slots=True, repr=False)
class Parse(PostgreSQLMessage):
    """Prepares a statement, with the numbers of the types of its parameters."""

    type = b"P"
    parts = ("text", "text", "numbers")
    name: str
    query: str
    types: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Bind(PostgreSQLMessage):
    """Gives a statement its parameters, and says in which formats the rows come: 0 is text, 1 is binary."""

    type = b"B"
    parts = ("text", "text", "formats", "values", "formats")
    portal: str
    statement: str
    formats: tuple[int, ...] = ()
    parameters: tuple[bytes | None, ...] = ()
    result_formats: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Describe(PostgreSQLMessage):
    """Asks what a statement ("S") or a portal ("P") gives."""

    type = b"D"
    parts = ("letter", "text")
    kind: str
    name: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Execute(PostgreSQLMessage):
    """Runs a portal, for at most `limit` rows; 0: all."""

    type = b"E"
    parts = ("text", "number")
    portal: str = ""
    limit: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class CloseStatement(PostgreSQLMessage):
    """Forgets a statement ("S") or a portal ("P")."""

    type = b"C"
    parts = ("letter", "text")
    kind: str
    name: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class Sync(PostgreSQLMessage):
    """Ends a series of the extended protocol: the server replies, and says that it is ready."""

    type = b"S"


@dataclass(frozen=True, slots=True, repr=False)
class Flush(PostgreSQLMessage):
    """Has the server send its replies so far."""

    type = b"H"


@dataclass(frozen=True, slots=True, repr=False)
class Terminate(PostgreSQLMessage):
    """Ends the session."""

    type = b"X"


@dataclass(frozen=True, slots=True, repr=False)
class CopyData(PostgreSQLMessage):
    """Data of COPY, in either direction."""

    type = b"d"
    parts = ("rest",)
    data: bytes


@dataclass(frozen=True, slots=True, repr=False)
class CopyDone(PostgreSQLMessage):
    """The end of the data of COPY, in either direction."""

    type = b"c"


@dataclass(frozen=True, slots=True, repr=False)
class CopyFail(PostgreSQLMessage):
    """The client gives COPY up."""

    type = b"f"
    parts = ("text",)
    reason: str


@dataclass(frozen=True, slots=True, repr=False)
class OtherMessage(PostgreSQLMessage):
    """A message that has no class of its own, such as a call of a function: its type and its data."""

    kind: str
    data: bytes

    def __bytes__(self) -> bytes:
        return framed(self.kind.encode("latin-1"), self.data)
