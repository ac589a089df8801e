"""Registration with rpcbind or portmap: a server's program is known there while the server is open."""

from __future__ import annotations

from typing import Any

from windsock.errors import PeerError, UsageError
from windsock.net import addresses
from windsock.net.deadlines import capped, is_seconds
from windsock.net.system import connect, monotonic, os, socket
from windsock.net.targets import Target, target_of
from windsock.protocols import portmap, xdr
from windsock.protocols.portmap import Binding, Mapping, PortmapProcedure, PortmapProtocol, RpcbindProcedure
from windsock.protocols.record_marking import RecordReader, mark_record
from windsock.protocols.rpc_messages import Accepted, AcceptStatus, Call, RejectStatus, Reply, decode_message
from windsock.protocols.rpc_words import message_in_words, status_in_words
from windsock.protocols.xdr import DecodeError

__all__ = ["Registration", "RegistrationFailed"]

NO_RPCBIND = "is this its address? It has port 111, unless it was told otherwise"
ITS_RULES = (
    "it may take registrations from its own host or from root only: ask it there, or use a Portmapper of windsock"
)
PIECE = 65536
VERSIONS = (2, 4)


class RegistrationFailed(PeerError):
    """A program could not be registered with rpcbind or portmap, or not be removed from there.

    `address` is rpcbind's; `program`, `version` and `transport` are the server's; `reason` says why.
    """

    def __init__(self, address: Any, what: tuple[int, int, str], reason: str) -> None:
        self.address = address
        self.program, self.version, self.transport = what
        self.reason = reason
        program = f"program {self.program} version {self.version} on {self.transport}"
        super().__init__(f"rpcbind at {addresses.show(address)}: {program}: {reason}")


class Registration:
    """One server's registration: `add()` and `remove()`. `protocol` is version 2 (portmap) or 4 (rpcbind).

    `server_address` is the server's, `family` and `kind` are its socket's; `timeout` bounds each call, in seconds.
    """

    def __init__(self, server: Any, *, address: Any, protocol: int, timeout: float) -> None:
        handler = server.RequestHandlerClass
        if not (hasattr(handler, "program") and hasattr(handler, "version")):
            raise UsageError(f"portmapper = {address!r}: {handler!r} has no program and no version to register")
        if protocol not in VERSIONS:
            raise UsageError(f"portmapper_version = {protocol!r}: expected 2 (portmap) or 4 (rpcbind)")
        if not is_seconds(timeout) or not timeout:
            raise UsageError(f"portmapper_timeout = {timeout!r}: expected seconds, more than 0")
        self._target = _target(address)
        self._address = address
        self._timeout = timeout
        self._netid = _netid(server)
        self._what: tuple[int, int, str] = (handler.program, handler.version, self._netid)
        self._steps: _Portmap | _Rpcbind = (_Portmap if protocol == 2 else _Rpcbind)(self, server)
        self._owner = 0

    @property
    def is_added(self) -> bool:
        """Whether this process has registered the program, and not removed it."""
        return self._owner == os.getpid()

    def add(self) -> None:
        """Register the program. Raises RegistrationFailed."""
        if self._steps.add():
            self._owner = os.getpid()
            return
        taken = self._steps.taken()
        if not taken:
            raise self.failure(f"it refused to register it; {ITS_RULES}")
        other = f"it is registered already, {taken}"
        raise self.failure(f"{other}; close the other server, or give this one another program number")

    def remove(self) -> None:
        """Remove the program, in the process that registered it. An rpcbind that is gone has forgotten it anyway."""
        if not self.is_added:
            return
        self._owner = 0
        try:
            self._steps.remove()
        except RegistrationFailed as error:
            if not isinstance(error.__cause__, ConnectionRefusedError | FileNotFoundError | ConnectionResetError):
                raise

    def failure(self, reason: str) -> RegistrationFailed:
        """Return the error for this registration."""
        return RegistrationFailed(self._address, self._what, reason)

    def call(self, version: int, procedure: int, arguments: bytes, result: xdr.XDRType[Any]) -> Any:
        """Call rpcbind, and return the decoded result. Raises RegistrationFailed."""
        call = Call(int.from_bytes(os.urandom(4), "big"), portmap.PROGRAM, version, procedure, arguments)
        try:
            reply = decode_message(_exchange(self._target, call.encode(), self._timeout))
            if isinstance(reply, Call) or reply.xid != call.xid:
                raise self.failure(f"it answered {message_in_words(reply)} to call {call.xid}; {NO_RPCBIND}")
            if not isinstance(reply, Accepted) or reply.status != AcceptStatus.SUCCESS:
                raise self.failure(f"it answered {status_in_words(reply)}; {_remedy(reply, version)}")
            return result.decode(reply.result)
        except DecodeError as error:
            raise self.failure(f"it answered what is no reply: {error}; {NO_RPCBIND}") from error
        except OSError as error:
            raise self.failure(f"{_reason(error)}; start it, or use a Portmapper of windsock instead") from error


class _Portmap:
    """The calls of version 2."""

    def __init__(self, registration: Registration, server: Any) -> None:
        self._registration = registration
        if server.address_family != socket.AF_INET:
            raise registration.failure("version 2 knows IPv4 only: set portmapper_version = 4")
        protocol = PortmapProtocol.UDP if server.socket_type == socket.SOCK_DGRAM else PortmapProtocol.TCP
        handler = server.RequestHandlerClass
        self._mapping = Mapping(handler.program, handler.version, protocol, server.server_address[1])

    def add(self) -> bool:
        return self._call(PortmapProcedure.SET, self._mapping)

    def taken(self) -> str:
        """Return where another server of the program is registered, or nothing."""
        found = [each.port for each in self._known() if each.protocol == self._mapping.protocol]
        return f"at port {found[0]}" if found else ""

    def remove(self) -> None:
        """Remove the mapping, if it is ours. UNSET removes those of the other transports too: set them again."""
        known = self._known()
        if self._mapping in known:
            self._call(PortmapProcedure.UNSET, self._mapping)
            for each in known:
                if each != self._mapping:
                    self._call(PortmapProcedure.SET, each)

    def _known(self) -> list[Mapping]:
        """Return what is registered of the program, in this version."""
        wanted = (self._mapping.program, self._mapping.version)
        found = self._registration.call(2, PortmapProcedure.DUMP, b"", portmap.MAPPINGS)
        return [each for each in found if (each.program, each.version) == wanted]

    def _call(self, procedure: PortmapProcedure, mapping: Mapping) -> bool:
        return bool(self._registration.call(2, procedure, portmap.MAPPING.encode(mapping), xdr.BOOL))


class _Rpcbind:
    """The calls of version 4."""

    def __init__(self, registration: Registration, server: Any) -> None:
        self._registration = registration
        handler = server.RequestHandlerClass
        address = _universal(server)
        self._binding = Binding(handler.program, handler.version, _netid(server), address, str(os.getuid()))

    def add(self) -> bool:
        return self._call(RpcbindProcedure.SET)

    def taken(self) -> str:
        """Return where another server of the program is registered, or nothing."""
        found = self._known()
        return f"at {found[0]}" if found else ""

    def remove(self) -> None:
        if self._binding.address in self._known():
            self._call(RpcbindProcedure.UNSET)

    def _known(self) -> list[str]:
        """Return where the program is registered, for this transport. GETADDR knows that of the call itself only."""
        wanted = (self._binding.program, self._binding.version, self._binding.netid)
        found = self._registration.call(4, RpcbindProcedure.DUMP, b"", portmap.BINDINGS)
        return [each.address for each in found if (each.program, each.version, each.netid) == wanted]

    def _call(self, procedure: RpcbindProcedure) -> bool:
        return bool(self._registration.call(4, procedure, portmap.BINDING.encode(self._binding), xdr.BOOL))


def _netid(server: Any) -> str:
    if server.address_family not in (socket.AF_INET, socket.AF_INET6):
        return "local"
    name = "udp" if server.socket_type == socket.SOCK_DGRAM else "tcp"
    return name + "6" if server.address_family == socket.AF_INET6 else name


def _universal(server: Any) -> str:
    address = server.server_address
    return str(address) if _netid(server) == "local" else portmap.universal_address(*address[:2])


def _target(address: Any) -> Target:
    """Return where to connect to. Raises UsageError for what is no address."""
    try:
        return target_of(address)
    except UsageError as error:
        raise UsageError(f"portmapper: {error}") from None


def _remedy(reply: Reply, version: int) -> str:
    """Return what to do about a reply that is no success."""
    if reply.status is AcceptStatus.PROG_MISMATCH:
        other = 4 if version == 2 else 2
        return f"it does not know version {version}: set portmapper_version = {other}"
    return ITS_RULES if reply.status is RejectStatus.AUTH_ERROR else NO_RPCBIND


def _exchange(target: Target, message: bytes, timeout: float) -> bytes:
    """Send a message over a stream of its own, and return the reply."""
    reader = RecordReader()
    deadline = monotonic() + timeout
    with socket.socket(target.family, socket.SOCK_STREAM) as client:
        client.settimeout(capped(timeout))
        connect(client, target.address)
        client.sendall(mark_record(message))
        while (reply := reader.next_record()) is None:
            left = deadline - monotonic()
            if left <= 0:
                raise TimeoutError
            client.settimeout(capped(left))
            data = client.recv(PIECE)
            if not data:
                raise ConnectionResetError("it closed the connection")
            reader.feed(data)
    return reply


def _reason(error: OSError) -> str:
    return "it does not answer in time" if isinstance(error, TimeoutError) else str(error.strerror or error)
