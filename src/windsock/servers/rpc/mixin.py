"""RPCMixIn: what a server of Sun RPC does beside its handlers."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from windsock.errors import UsageError
from windsock.net.sockets import largest_datagram
from windsock.net.system import socket
from windsock.protocols.rpc_messages import Call, decode_message
from windsock.protocols.xdr import DecodeError
from windsock.servers.rpc.duplicates import DuplicateCache, key_of
from windsock.servers.rpc.registration import Registration

if TYPE_CHECKING:
    from windsock.servers.transports import TCPServer as _AnyServer
else:  # a mix-in for any of the servers
    _AnyServer = object

__all__ = ["RPCMixIn"]


class RPCMixIn(_AnyServer):
    """Adds registration and a cache of replies to a server of RPC handlers. Comes first among the bases.

    Class attributes, to be set before the constructor binds:

    - `portmapper`: the address of the rpcbind or portmap to register with, such as `("127.0.0.1", 111)`; None
      for none. The handler's program and version are registered once the server listens, and removed when it closes.
      If that fails the constructor raises RegistrationFailed. `portmapper_version` is 2 (portmap, IPv4 only) or 4
      (rpcbind); `portmapper_timeout` bounds each call, in seconds.
    - `duplicate_cache_size`: the number of calls whose replies a datagram server keeps; 0 for none. A call that comes
      again, with the same xid from the same client, gets the same reply, and nothing while the first is being
      answered. By default, as with other implementations, it is executed again.
    """

    windsock_framing = "rpc"
    portmapper: Any = None
    portmapper_version: int = 2
    portmapper_timeout: float = 5.0
    duplicate_cache_size: int = 0
    max_packet_size: int = 65536
    """The most bytes of a datagram: all that UDP can carry. A Unix datagram may have 1 MiB, unless a class says less
    or more."""

    def server_activate(self) -> None:
        """Listen, and register. May be extended (call super)."""
        super().server_activate()
        if type(self).max_packet_size == RPCMixIn.max_packet_size:
            self.max_packet_size = largest_datagram(self.address_family)
        size = self.duplicate_cache_size
        if type(size) is not int or size < 0:
            raise UsageError(f"duplicate_cache_size = {size!r}: expected the number of calls to keep, or 0 for none")
        if self.portmapper is not None and self._registration is None:
            registration = Registration(
                self, address=self.portmapper, protocol=self.portmapper_version, timeout=self.portmapper_timeout
            )
            registration.add()
            vars(self)["_rpc_registration"] = registration

    def server_close(self) -> None:
        """Remove the registration, and close. May be extended (call super)."""
        registration = self._registration
        try:
            if registration is not None:
                registration.remove()
                vars(self)["_rpc_registration"] = None
        finally:
            super().server_close()
            cache: DuplicateCache | None = vars(self).pop("_rpc_duplicates", None)
            if cache is not None:
                cache.close()

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Return whether to go on with this request. May be extended (call super).

        A datagram with a call that has come before is turned away here.
        """
        if not super().verify_request(request, client_address):
            return False
        if not self.duplicate_cache_size or not isinstance(request, tuple) or client_address is None:
            return True
        try:
            call = decode_message(request[0])
        except DecodeError:
            return True  # its handler says what is wrong with it
        if not isinstance(call, Call):
            return True
        is_new, reply = self._duplicates.begin(key_of(call, client_address))
        if reply is not None:
            with contextlib.suppress(OSError):  # as if the datagram was lost on its way
                request[1].sendto(reply, socket.MSG_DONTWAIT, client_address)
        return is_new

    def keep_reply(self, call: Call, client_address: Any, reply: bytes) -> None:
        """Keep the reply to a call of a datagram. Do not override."""
        if self.duplicate_cache_size:
            self._duplicates.keep(key_of(call, client_address), reply)

    # --- state of one server

    @property
    def _registration(self) -> Registration | None:
        return vars(self).get("_rpc_registration")

    @property
    def _duplicates(self) -> DuplicateCache:
        cache: DuplicateCache | None = vars(self).get("_rpc_duplicates")
        if cache is None:
            made = DuplicateCache(self.duplicate_cache_size, for_children=hasattr(self, "active_children"))
            cache = vars(self).setdefault("_rpc_duplicates", made)
            if cache is not made:
                made.close()
        return cache
