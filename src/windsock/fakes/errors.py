"""Errors of a fake server: unexpected traffic, and expectations that were never met."""

from __future__ import annotations

from windsock.errors import PeerError, UsageError, WaitTimeout, whole
from windsock.recording import preview
from windsock.redaction import masked

__all__ = ["AcceptTimeout", "FramingMissing", "UnexpectedConnection", "UnexpectedMessage", "Unmet", "UnreachableRule"]

FRAMINGS = (
    ('"lines"', "a message ends with a line feed"),
    (r'b"\r\n\r\n"', "a message ends with these bytes, like an HTTP request without a body"),
    ("16", "a message has 16 bytes"),
    ("LengthPrefix(4)", "an integer of 4 bytes before the message is its length"),
    ('"rpc"', "a message is a record of Sun RPC"),
    ('"eof"', "all that a connection sends is one message"),
    ("function", "function(data) returns the size of the first message, None if it is not complete"),
    ('"any"', "each piece that arrives is a message: replies depend on timing"),
)


class FramingMissing(UsageError):
    """A fake on a stream has replies to messages, and no framing. `call` is the call that adds the replies."""

    def __init__(self, call: str) -> None:
        self.call = call
        framings = "".join(f"\n  framing={value:16} {meaning}" for value, meaning in FRAMINGS)
        super().__init__(
            f"{call}: a stream does not show where a message ends, so this would answer any piece that arrives.\n"
            f'Use framing=, as in @pytest.mark.windsock(framing="lines") or serve(framing="lines"):{framings}\n'
            'or answer certain bytes, which are found however the stream is cut: on(b"...").reply(...)'
        )


class UnexpectedMessage(PeerError):
    """A client sent a message that a fake server has no reply for.

    `message` is what it sent, `expected` the rules and replies that came closest, each with why it did not match.
    """

    def __init__(self, message: bytes, expected: list[str], left_out: int = 0) -> None:
        self.message = message
        self.expected = expected
        self.left_out = left_out
        wanted = "".join(f"\n  {each}" for each in expected) or "\n  (no more replies)"
        which = f"; the closest of {left_out + len(expected)}" if left_out else ""
        super().__init__(f"received {preview(masked(message))}, which no rule or reply answers{which}:{wanted}")


class UnexpectedConnection(PeerError):
    """A client connected to a fake server that has no script left for it."""

    def __init__(self, scripts: int) -> None:
        self.scripts = scripts
        had = "the one script was" if scripts == 1 else f"all {scripts} scripts were"
        super().__init__(
            f"one connection too many: {had} for connections before it; queue another one, or use play_all()"
        )


class AcceptTimeout(WaitTimeout):
    """`accept()` waited for a client that did not come.

    `call` is the call, `seconds` how long it was to wait, `came` describes the clients that came.
    """

    def __init__(self, call: str, seconds: float, came: list[str], *, is_cut: bool = False) -> None:
        self.call = call
        self.seconds = seconds
        self.came = came
        self.is_cut = is_cut
        others = "".join(f"\n  {each}" for each in came) or " no client at all"
        super().__init__(f"{call}: no client came for it within {whole(seconds, is_cut=is_cut)}; what came:{others}")


class Unmet(PeerError):
    """A fake server expected something that never happened: a rule, a reply, a script. `what` describes it."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"{what}\n(if that is expected, pass allow_unused=True)")


class UnreachableRule(UsageError):
    """A rule that no message can reach: no rule leads to its state, or one before it takes all of its messages.

    `rule` is the rule as the test has it, `why` a sentence, `what` both.
    """

    def __init__(self, rule: str, why: str) -> None:
        self.rule = rule
        self.why = why
        self.what: str = f"{rule}: no message can reach this rule: {why}"
        super().__init__(self.what)
