"""Certificates as PEM files, for clients that take paths: written on first use, removed when the process ends."""

from __future__ import annotations

import atexit
from typing import NamedTuple

from windsock.net.addresses import PrivateSocketPath
from windsock.net.files import write_file
from windsock.net.system import os, threading
from windsock.security import certificates
from windsock.security.revocation import revocation_list, revoked_serials

__all__ = ["ClientFiles", "ca_file", "client_files", "remove", "revocation_file"]

_lock = threading.Lock()
_private: PrivateSocketPath | None = None


class ClientFiles(NamedTuple):
    """Paths of a client's certificate and of its private key."""

    certificate: str
    key: str


def ca_file() -> str:
    """Return the path of the certificate of this run's authority."""
    return _written("ca.pem", certificates.authority().cert_pem.bytes())


def revocation_file() -> str:
    """Return the path of the list of the certificates that this run's authority has revoked so far."""
    serials = revoked_serials()
    return _written(f"revoked-{len(serials)}.pem", revocation_list(serials))


def client_files(key_type: str) -> ClientFiles:
    """Return the paths of a client certificate, signed by this run's authority, and of its key."""
    made = certificates.client_certificate(key_type)
    chain = b"".join(each.bytes() for each in made.cert_chain_pems)
    return ClientFiles(
        _written(f"client-{key_type}.pem", chain),
        _written(f"client-{key_type}-key.pem", made.private_key_pem.bytes()),
    )


def remove() -> None:
    """Remove the files. In a forked child, do nothing: the files are the parent's."""
    global _private
    with _lock:
        private, _private = _private, None
        if private is not None:
            private.remove()


atexit.register(remove)


def _written(name: str, data: bytes) -> str:
    """Write a file in the private directory of this run, if it is not there yet; return its path."""
    global _private
    with _lock:
        if _private is None or not os.path.isdir(_private.directory):
            _private = PrivateSocketPath()
        path = f"{_private.directory}/{name}"
        if not os.path.exists(path):
            write_file(path, data)
        return path
