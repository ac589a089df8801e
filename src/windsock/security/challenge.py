"""ChallengeMixIn: who may talk, by a secret that both ends share and neither says."""

from __future__ import annotations

from typing import Any

from windsock import addresses
from windsock.errors import UsageError
from windsock.security import authkey as protocol

__all__ = ["ChallengeMixIn"]


class ChallengeMixIn:
    """Lets a client talk once it has shown that it knows `authkey`, and shows it the same. Streams only.

    The way of multiprocessing.connection, whose `Client(address, authkey=...)` can connect: each end sends random
    bytes, and the other one their HMAC with the key. It is done where the request is handled, within
    `challenge_timeout` seconds. Comes before the mix-in for concurrency, and after TLSMixIn.

    Hooks, in the order in which a request meets them: `authenticate`, and, where that says no, `handle_refused`.
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

    async def serve_request(self, request: Any, client_address: Any) -> None:
        """Challenge the client of an async handler (a trio server's), then handle the request."""
        from windsock.security.trio_thread import in_thread

        if getattr(self, "ssl_context", None) is not None:
            raise UsageError("ChallengeMixIn under TLS is for blocking handlers: this one is async")
        reason = await in_thread(lambda: self.authenticate(request), "challenge of " + addresses.show(client_address))
        if reason:
            self.handle_refused(request, client_address, reason)
        else:
            await super().serve_request(request, client_address)  # type: ignore[misc]  # TrioMixIn has it

    def authenticate(self, request: Any) -> str:
        """Return why the client may not talk; nothing if it has shown that it may. May be overridden."""
        if not isinstance(self.authkey, bytes):
            raise UsageError(f"{type(self).__name__}.authkey is not set; expected bytes, the secret of both ends")
        return protocol.authenticate(request, self.authkey, self.challenge_timeout)

    def handle_refused(self, request: Any, client_address: Any, reason: str) -> None:
        """Called for a request that is turned away. May be overridden. The default does nothing."""
