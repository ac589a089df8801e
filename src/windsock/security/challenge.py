"""ChallengeMixIn: who may talk, by a secret that both ends share and neither says."""

from __future__ import annotations

from typing import Any

from windsock.errors import UsageError
from windsock.security import authkey as protocol

__all__ = ["ChallengeMixIn"]


class ChallengeMixIn:
    """Lets a client talk once it has shown that it knows `authkey`, and shows it the same. Streams only.

    The way of multiprocessing.connection, whose `Client(address, authkey=...)` can connect: each end sends random
    bytes, and the other one their HMAC with the key. It is done where the request is handled, within
    `challenge_timeout` seconds. Comes before the mix-in for concurrency, and after TLSMixIn.

    Hooks, in the order in which a request meets them: `authenticate` (for an async handler `authenticate_stream`),
    and, where that says no, `handle_refused`.
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
        """Return why the client may not talk; nothing if it has shown that it may. May be overridden."""
        return protocol.authenticate(request, self._secret(), self.challenge_timeout)

    # --- async handlers of a trio server: these are called in the place of finish_request() and authenticate()

    async def serve_request(self, request: Any, client_address: Any) -> None:
        """Refuse datagrams. May be extended (await super's)."""
        if isinstance(request, tuple):
            raise UsageError(f"{type(self).__name__}: ChallengeMixIn is for streams, and this request is a datagram")
        await super().serve_request(request, client_address)  # type: ignore[misc]  # TrioMixIn has it

    async def serve_stream(self, stream: Any, request: Any, client_address: Any) -> None:
        """Challenge the client, over TLS if there is any, then handle the request. May be extended (await super's)."""
        reason = await self.authenticate_stream(stream)
        if reason:
            self.handle_refused(request, client_address, reason)
        else:
            await super().serve_stream(stream, request, client_address)  # type: ignore[misc]  # TrioMixIn has it

    async def authenticate_stream(self, stream: Any) -> str:
        """Return why the client may not talk; nothing if it has shown that it may. May be overridden.

        Raises UsageError if only `authenticate()` is overridden, which is for blocking handlers.
        """
        from windsock.security.trio.authkey import authenticate

        if type(self).authenticate is not ChallengeMixIn.authenticate:
            raise UsageError(
                f"{type(self).__name__} overrides authenticate(), which async handlers do not ask; "
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
