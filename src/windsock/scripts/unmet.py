"""What a fake raises: for what a client did and nobody told of, and for what was told and nobody did."""

from __future__ import annotations

from windsock.errors import PeerError
from windsock.recording import preview

__all__ = ["UnexpectedConnection", "UnexpectedMessage", "Unmet"]


class UnexpectedMessage(PeerError):
    """A client sent what a fake server was not told to answer.

    `message` is what it sent, `expected` what is answered, the closest few first, each with the reason why it was not.
    """

    def __init__(self, message: bytes, expected: list[str], left_out: int = 0) -> None:
        self.message = message
        self.expected = expected
        self.left_out = left_out
        wanted = "".join(f"\n  {each}" for each in expected) or "\n  (nothing any more)"
        which = f"; the closest of {left_out + len(expected)}" if left_out else ""
        super().__init__(f"received {preview(message)}, which matches none of what is answered{which}:{wanted}")


class UnexpectedConnection(PeerError):
    """A client connected for which a fake server had no script left."""

    def __init__(self, scripts: int) -> None:
        self.scripts = scripts
        had = "the one script was" if scripts == 1 else f"all {scripts} scripts were"
        super().__init__(
            f"one connection too many: {had} for connections before it; queue another one, or say play_all()"
        )


class Unmet(PeerError):
    """A fake server was told of something that never happened: a rule, a reply, a script. `what` says which."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"{what}\n(if that is fine, say allow_unused=True)")
