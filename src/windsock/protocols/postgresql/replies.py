"""Messages of PostgreSQL servers as values, and how they are decoded. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from windsock.protocols.postgresql.requests import CopyData, CopyDone
from windsock.protocols.postgresql.series import message_at, typed_size
from windsock.protocols.postgresql.wire import Column, PostgreSQLMessage

__all__ = [
    "Authentication",
    "BackendKeyData",
    "BindComplete",
    "CloseComplete",
    "CommandComplete",
    "CopyBothResponse",
    "CopyInResponse",
    "CopyOutResponse",
    "DataRow",
    "EmptyQueryResponse",
    "EncryptionReply",
    "ErrorResponse",
    "NoData",
    "NoticeResponse",
    "NotificationResponse",
    "ParameterDescription",
    "ParameterStatus",
    "ParseComplete",
    "PortalSuspended",
    "ReadyForQuery",
    "RowDescription",
    "reply_in",
    "reply_size",
]


@dataclass(frozen=True, slots=True, repr=False)
class EncryptionReply(PostgreSQLMessage):
    """The reply to SSLRequest and GSSENCRequest, a single byte: "S" or "G" is yes, "N" is no."""

    letter: str

    def __bytes__(self) -> bytes:
        return self.letter.encode("latin-1")


@dataclass(frozen=True, slots=True, repr=False)
class Authentication(PostgreSQLMessage):
    """A request for authentication, or (0) that it is done: 3 is a password, 5 is MD5, 10 to 12 are SASL."""

    type = b"R"
    parts = ("number", "rest")
    kind: int
    data: bytes = b""


@dataclass(frozen=True, slots=True, repr=False)
class ParameterStatus(PostgreSQLMessage):
    """The value of a setting of the server."""

    type = b"S"
    parts = ("text", "text")
    name: str
    value: str


@dataclass(frozen=True, slots=True, repr=False)
class BackendKeyData(PostgreSQLMessage):
    """What a CancelRequest needs."""

    type = b"K"
    parts = ("number", "rest")
    process: int
    key: bytes


@dataclass(frozen=True, slots=True, repr=False)
class ReadyForQuery(PostgreSQLMessage):
    """The server waits for the next query: "I" outside of a transaction, "T" within one, "E" within a failed one."""

    type = b"Z"
    parts = ("letter",)
    status: str = "I"


@dataclass(frozen=True, slots=True, repr=False)
class RowDescription(PostgreSQLMessage):
    """The columns of the rows that follow."""

    type = b"T"
    parts = ("columns",)
    columns: tuple[Column, ...]

    def words(self) -> str:
        """Return the names of the columns."""
        return f"columns {', '.join(each.name for each in self.columns)}"


@dataclass(frozen=True, slots=True, repr=False)
class DataRow(PostgreSQLMessage):
    """One row."""

    type = b"D"
    parts = ("values",)
    values: tuple[bytes | None, ...]

    def words(self) -> str:
        """Return the values."""
        return f"row {', '.join('NULL' if each is None else repr(each)[2:-1] for each in self.values)}"


@dataclass(frozen=True, slots=True, repr=False)
class CommandComplete(PostgreSQLMessage):
    """A statement is done: its tag, such as "SELECT 2"."""

    type = b"C"
    parts = ("text",)
    tag: str


@dataclass(frozen=True, slots=True, repr=False)
class EmptyQueryResponse(PostgreSQLMessage):
    """The query was empty."""

    type = b"I"


class WithFields(PostgreSQLMessage):
    """An error or a notice: letters with texts, such as C with the code."""

    __slots__ = ()
    parts = ("fields",)
    fields: tuple[tuple[str, str], ...]

    @property
    def code(self) -> str:
        """The SQLSTATE, such as "42P01"."""
        return dict(self.fields).get("C", "")

    @property
    def message(self) -> str:
        """The text of it."""
        return dict(self.fields).get("M", "")

    @property
    def severity(self) -> str:
        """Such as "ERROR", "FATAL", "WARNING"."""
        return dict(self.fields).get("S", "")


@dataclass(frozen=True, slots=True, repr=False)
class ErrorResponse(WithFields):
    """An error; behind it the server skips everything up to Sync."""

    type = b"E"
    fields: tuple[tuple[str, str], ...]

    def words(self) -> str:
        """Return the severity, the code and the text."""
        return f"{self.severity or 'error'} {self.code}: {self.message}"


@dataclass(frozen=True, slots=True, repr=False)
class NoticeResponse(WithFields):
    """A notice, such as a warning."""

    type = b"N"
    fields: tuple[tuple[str, str], ...]

    def words(self) -> str:
        """Return the severity and the text."""
        return f"{self.severity or 'notice'}: {self.message}"


@dataclass(frozen=True, slots=True, repr=False)
class NotificationResponse(PostgreSQLMessage):
    """A notification of NOTIFY, from the process of another connection."""

    type = b"A"
    parts = ("number", "text", "text")
    process: int
    channel: str
    payload: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class ParameterDescription(PostgreSQLMessage):
    """The numbers of the types of a statement's parameters."""

    type = b"t"
    parts = ("numbers",)
    types: tuple[int, ...]


@dataclass(frozen=True, slots=True, repr=False)
class CopyInResponse(PostgreSQLMessage):
    """The server waits for data of COPY."""

    type = b"G"
    parts = ("byte", "formats")
    format: int = 0
    formats: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class CopyOutResponse(PostgreSQLMessage):
    """Data of COPY follows."""

    type = b"H"
    parts = ("byte", "formats")
    format: int = 0
    formats: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class CopyBothResponse(PostgreSQLMessage):
    """Data of COPY goes both ways, as in replication."""

    type = b"W"
    parts = ("byte", "formats")
    format: int = 0
    formats: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class ParseComplete(PostgreSQLMessage):
    """The reply to Parse."""

    type = b"1"


@dataclass(frozen=True, slots=True, repr=False)
class BindComplete(PostgreSQLMessage):
    """The reply to Bind."""

    type = b"2"


@dataclass(frozen=True, slots=True, repr=False)
class CloseComplete(PostgreSQLMessage):
    """The reply to Close."""

    type = b"3"


@dataclass(frozen=True, slots=True, repr=False)
class NoData(PostgreSQLMessage):
    """The reply to Describe, if there are no rows."""

    type = b"n"


@dataclass(frozen=True, slots=True, repr=False)
class PortalSuspended(PostgreSQLMessage):
    """Execute has given as many rows as it was allowed."""

    type = b"s"


KINDS: dict[bytes, Any] = {
    each.type: each
    for each in (
        *(Authentication, ParameterStatus, BackendKeyData, ReadyForQuery, RowDescription, DataRow, CommandComplete),
        *(EmptyQueryResponse, ErrorResponse, NoticeResponse, NotificationResponse, ParameterDescription, CopyData),
        *(CopyInResponse, CopyOutResponse, CopyBothResponse, CopyDone, ParseComplete, BindComplete, CloseComplete),
        *(NoData, PortalSuspended),
    )
}


def reply_size(data: bytes, *, may_be_letter: bool | None = False) -> int | None:
    """Return the size of the first message, or None.

    `may_be_letter`: whether a message may be the single letter that answers a request for encryption; None: that is not
    known, and a letter that no length follows is one.
    """
    if may_be_letter is not False and data[:1] in (b"S", b"N", b"G") and (may_be_letter or data[1:2] != b"\0"):
        return 1
    return typed_size(data)


def reply_in(data: bytes) -> Any:
    """Return a whole message as a value. Raises DecodeError."""
    if len(data) == 1 and data in b"SNG":
        return EncryptionReply(data.decode())
    return message_at(data, 0, KINDS)
