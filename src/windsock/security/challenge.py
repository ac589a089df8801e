"""ChallengeMixIn: access control by a shared secret, which is never sent."""

from __future__ import annotations

from typing import Any

from windsock.errors import UsageError
from windsock.security import authkey as protocol

__all__ = ["ChallengeMixIn"]


class ChallengeMixIn:
    """Accepts a client once it has shown that it knows `authkey`, and shows it the same. Streams only.

    The protocol is that of multiprocessing.connection, whose `Client(address, authkey=...)` can connect: each end
    sends random bytes, and the other end replies with their HMAC under the key. It is done where the request is
    handled, within `challenge_timeout` seconds. Comes before the mix-in for concurrency, and after TLSMixIn.

    Hooks, in the order in which a request meets them: `authenticate` (for an async handler `authenticate_stream`),
    then `handle_refused` if that returns a reason.
    """

    authkey: bytes | None = None
    challenge_timeout: float = 5.0

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Challenge the client, then handle the request. May be extended (call super)."""
        reason = self.authenticate(request)
        if reason:
            self.handle_refused(request, client_address, reason)
        else:
            super().finish_request(request, client_address)  # type: ignore[misc]  # the server class has it

    def authenticate(self, request: Any) -> str:
        """Return why the client is refused, or "" if it has shown that it knows the key. May be overridden."""
        return protocol.authenticate(request, self._secret(), self.challenge_timeout)

    # --- async handlers of a trio server: called instead of finish_request() and authenticate()

    async def serve_request(self, request: Any, client_address: Any) -> None:
        """Refuse datagrams. May be extended (await super's)."""
        if isinstance(request, tuple):
            raise UsageError(f"{type(self).__name__}: ChallengeMixIn is for streams, and this request is a datagram")
        await super().serve_request(request, client_address)  # type: ignore[misc]  # TrioMixIn has it

    async def serve_stream(self, stream: Any, request: Any, client_address: Any) -> None:
        """Challenge the client, over TLS if enabled, then handle the request. May be extended (await super's)."""
        reason = await self.authenticate_stream(stream)
        if reason:
            self.handle_refused(request, client_address, reason)
        else:
            await super().serve_stream(stream, request, client_address)  # type: ignore[misc]  # TrioMixIn has it

    async def authenticate_stream(self, stream: Any) -> str:
        """Return why the client is refused, or "" if it has shown that it knows the key. May be overridden.

        Raises UsageError if only `authenticate()`, the method for blocking handlers, is overridden.
        """
        from windsock.security.trio.authkey import authenticate

        if type(self).authenticate is not ChallengeMixIn.authenticate:
            raise UsageError(
                f"{type(self).__name__} overrides authenticate(), which is not called for async handlers; "
                "override `async authenticate_stream(stream)` as well"
            )
        return await authenticate(stream, self._secret(), self.challenge_timeout)

    # ---

    def _secret(self) -> bytes:
        if not isinstance(self.authkey, bytes):
            raise UsageError(f"{type(self).__name__}.authkey is not set; expected bytes, the secret of both ends")
        return self.authkey

    def handle_refused(self, request: Any, client_address: Any, reason: str) -> None:
        """Called for a request that is turned away. May be overridden. The default does nothing."""
