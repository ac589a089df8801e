"""The values of `certificate=`: a word for a certificate that is made on the spot, or PEM files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from windsock.errors import UsageError
from windsock.net.system import os

if TYPE_CHECKING:
    import ssl

__all__ = ["CLIENT_WORDS", "SERVER_WORDS", "certificate_choice", "load_files"]

Words = Mapping[str | bool | None, str | None]
"""The profile of `certificates.certificate()` for each word; None: no certificate."""

PROFILES = ("valid", "expired", "not_yet_valid", "wrong_name", "self_signed", "unknown_authority")
SERVER_WORDS: Words = {None: "valid", **{each: each for each in PROFILES}}
CLIENT_WORDS: Words = {"missing": None, **SERVER_WORDS, True: "valid", False: None}


def certificate_choice(where: str, value: Any, words: Words) -> tuple[str | None, tuple[str, ...]]:
    """Return the profile and the files that a value stands for; `where` is a format of the value, for messages.

    Raises UsageError for anything else.
    """
    if (value is None or isinstance(value, str | bool)) and value in words:
        return words[value], ()
    files = value if isinstance(value, tuple | list) else (value,)
    if len(files) not in (1, 2) or not all(map(_may_be_a_path, files)):
        expected = ", ".join(repr(each) for each in words if isinstance(each, str))
        raise UsageError(f"{where.format(value)}: expected one of {expected}, or files: ('cert.pem', 'key.pem')")
    return "valid", tuple(os.fspath(each) for each in files)


def _may_be_a_path(value: object) -> bool:
    return isinstance(value, os.PathLike) or (isinstance(value, str) and (os.sep in value or "." in value))


def load_files(where: str, context: ssl.SSLContext, files: tuple[str, ...]) -> None:
    """Load a certificate and its key. Raises UsageError for files that do not work."""
    try:
        context.load_cert_chain(*files)
    except OSError as error:
        shown = files[0] if len(files) == 1 else files
        raise UsageError(f"{where.format(shown)}: {_explained(error)}") from error


def _explained(error: OSError) -> str:
    """Return the reason in words."""
    reason = str(getattr(error, "reason", None) or "")
    if "KEY_VALUES_MISMATCH" in reason or "KEY_TYPE_MISMATCH" in reason:
        return "the key is not the one of the certificate"
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if reason or type(error).__name__ == "SSLError":
        return f"expected a certificate and its key in PEM ({reason.replace('_', ' ').lower() or error.args[-1]})"
    return error.strerror or str(error)
