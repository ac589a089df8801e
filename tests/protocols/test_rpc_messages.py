"""Messages of Sun RPC: calls and replies as values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.protocols.vectors import MESSAGES, V1, V4
from windsock.protocols.rpc_messages import (
    AUTH_NONE,
    Accepted,
    AcceptStatus,
    Auth,
    AuthFlavor,
    AuthStatus,
    AuthSys,
    Call,
    Denied,
    MalformedCall,
    Message,
    RejectStatus,
    decode_message,
)
from windsock.protocols.xdr import DecodeError, EncodeError

UINTS = st.integers(0, 0xFFFFFFFF)
AUTHS = st.builds(Auth, st.integers(-(2**31), 2**31 - 1), st.binary(max_size=40))
CALLS = st.builds(Call, UINTS, UINTS, UINTS, UINTS, st.binary(max_size=20), AUTHS, AUTHS)
PLAIN = [each for each in AcceptStatus if each not in (AcceptStatus.SUCCESS, AcceptStatus.PROG_MISMATCH)]
REPLIES = st.one_of(
    st.builds(Accepted, UINTS, result=st.binary(max_size=20), verifier=AUTHS),
    st.builds(Accepted, UINTS, st.just(AcceptStatus.PROG_MISMATCH), low=UINTS, high=UINTS, verifier=AUTHS),
    st.builds(Accepted, UINTS, st.sampled_from(PLAIN), verifier=AUTHS),
    st.builds(Denied, UINTS, st.just(RejectStatus.RPC_MISMATCH), low=UINTS, high=UINTS),
    st.builds(Denied, UINTS, st.just(RejectStatus.AUTH_ERROR), st.sampled_from(AuthStatus)),
)


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_is_encoded_as_other_implementations_encode_it(name: str) -> None:
    data, message = MESSAGES[name]

    assert message.encode() == data
    assert decode_message(data) == message


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_cut_anywhere_is_an_error_or_a_shorter_one(name: str) -> None:
    data, message = MESSAGES[name]
    payload = message.arguments if isinstance(message, Call) else getattr(message, "result", b"")

    for size in range(len(data)):
        if size >= len(data) - len(payload):  # the codec of messages does not look into these
            assert decode_message(data[:size]).encode() == data[:size]
        else:
            with pytest.raises(DecodeError):
                decode_message(data[:size])


@given(st.one_of(CALLS, REPLIES))
def test_every_message_is_decoded_to_what_was_encoded(message: Message) -> None:
    assert decode_message(message.encode()) == message


def test_the_credential_of_auth_sys_says_who_calls() -> None:
    call = decode_message(V4[4:])

    assert isinstance(call, Call)
    assert AuthSys.of(call.credential) == AuthSys(1, "host1", 1000, 1000, [1000, 24])


def test_a_credential_of_another_flavor_is_not_auth_sys() -> None:
    with pytest.raises(DecodeError, match="0 is not AUTH_SYS"):
        AuthSys.of(AUTH_NONE)


def test_auth_sys_has_at_most_16_groups_and_255_bytes_of_a_name() -> None:
    most = AuthSys(0, "n" * 255, 1, 1, list(range(16)))

    assert AuthSys.of(most.credential()) == most
    with pytest.raises(EncodeError, match="at most 16"):
        AuthSys(0, "", 1, 1, list(range(17))).credential()
    with pytest.raises(EncodeError, match="at most 255"):
        AuthSys(0, "n" * 256, 1, 1).credential()
    with pytest.raises(DecodeError, match="17 is over the limit of 16"):
        AuthSys.of(Auth(AuthFlavor.SYS, bytes(16) + b"\0\0\0\x11" + bytes(68)))


def test_a_call_of_another_rpc_version_has_a_reply_that_says_so() -> None:
    with pytest.raises(MalformedCall, match="offset 8, rpcvers: 3 is not 2") as found:
        decode_message(V1[:8] + b"\0\0\0\3")

    assert found.value.reply == Denied(0x01020304, RejectStatus.RPC_MISMATCH)


@pytest.mark.parametrize(
    ("offset", "reason"), [(28, AuthStatus.AUTH_BADCRED), (36, AuthStatus.AUTH_BADVERF)], ids=["credential", "verifier"]
)
def test_a_call_with_an_overlong_authentication_has_a_reply_that_names_it(offset: int, reason: AuthStatus) -> None:
    with pytest.raises(MalformedCall, match="the length 404 is over the limit of 400") as found:
        decode_message(V1[:offset] + (404).to_bytes(4, "big") + bytes(404) + V1[offset + 4 :])

    assert found.value.offset == offset
    assert found.value.reply == Denied(0x01020304, RejectStatus.AUTH_ERROR, reason)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "offset 0, unsigned int: needs 4 bytes"),
        (V1[:4] + b"\0\0\0\2", "offset 4, msg_type: 2 is neither a call"),
        (V1[:4] + b"\0\0\0\1\0\0\0\2", "offset 8, reply_stat: 2 is neither accepted"),
        (bytes.fromhex("00000007000000010000000000000000000000000000000600"), "offset 20, enum AcceptStatus: 6 is no"),
        (bytes.fromhex("000000070000000100000001000000010000000f"), "offset 16, enum AuthStatus: 15 is no member"),
        (bytes.fromhex("000000070000000100000001000000010000000500"), "offset 20, end: expected the end"),
        (bytes.fromhex("00000007000000010000000000000000000000000000000300"), "offset 24, end: expected the end"),
    ],
)
def test_bytes_that_are_no_message_are_an_error_that_says_where(data: bytes, message: str) -> None:
    with pytest.raises(DecodeError) as found:
        decode_message(data)

    assert str(found.value).startswith(message)
