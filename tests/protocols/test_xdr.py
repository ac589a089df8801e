"""XDR: types that encode and decode, strictly."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest

from tests.protocols.vectors import X1, X2, X3
from windsock.errors import UsageError
from windsock.protocols import xdr


class Color(enum.IntEnum):
    RED = 1
    BLUE = -2


@dataclass(frozen=True)
class Pair:
    a: int
    b: int
    s: str
    o: bytes
    v: list[int]


PAIR = xdr.Struct(Pair, a=xdr.INT, b=xdr.UHYPER, s=xdr.STRING, o=xdr.OPAQUE, v=xdr.Array(xdr.INT))
RESULT = xdr.Union(xdr.INT, {0: xdr.STRING, 1: xdr.VOID}, default=xdr.UINT)


@pytest.mark.parametrize(
    ("kind", "value", "data"),
    [
        (xdr.STRING, "h\u00e9llo", X1),
        (PAIR, Pair(-7, 0x1122334455667788, "hello", b"abc", [1, 2, -3]), X3),
        (xdr.INT, -2, b"\xff\xff\xff\xfe"),
        (xdr.UINT, 0xFFFFFFFF, b"\xff\xff\xff\xff"),
        (xdr.UHYPER, 2**64 - 1, b"\xff" * 8),
        (xdr.BOOL, True, b"\0\0\0\1"),
        (xdr.FLOAT, 1.5, bytes.fromhex("3fc00000")),
        (xdr.Enum(Color), Color.BLUE, b"\xff\xff\xff\xfe"),
        (xdr.FixedOpaque(5), b"abcde", b"abcde\0\0\0"),
        (xdr.Opaque(4), b"abcd", b"\0\0\0\4abcd"),
        (xdr.FixedArray(xdr.STRING, 2), ["", "a"], bytes(4) + b"\0\0\0\1a\0\0\0"),
        (xdr.Array(xdr.Enum(Color)), [Color.RED], b"\0\0\0\1\0\0\0\1"),
        (xdr.Array(xdr.DOUBLE), [0.0], b"\0\0\0\1" + bytes(8)),
        (xdr.Optional(xdr.INT), None, bytes(4)),
        (xdr.Optional(xdr.INT), 5, b"\0\0\0\1\0\0\0\5"),
        (xdr.LinkedList(xdr.INT), [5, 6], bytes.fromhex("0000000100000005000000010000000600000000")),
        (xdr.LinkedList(xdr.VOID), [], bytes(4)),
        (xdr.Struct(x=xdr.INT, y=xdr.BOOL), SimpleNamespace(x=1, y=False), b"\0\0\0\1" + bytes(4)),
        (RESULT, (0, "ok"), b"\0\0\0\0\0\0\0\2ok\0\0"),
        (RESULT, (1, None), b"\0\0\0\1"),
        (RESULT, (9, 3), b"\0\0\0\x09\0\0\0\3"),
        (xdr.VOID, None, b""),
    ],
)
def test_a_value_is_encoded_as_the_standard_says_and_decoded_again(kind: Any, value: Any, data: bytes) -> None:
    assert kind.encode(value) == data
    assert kind.decode(data) == value


@pytest.mark.parametrize("kind", [PAIR, RESULT, xdr.LinkedList(xdr.INT), xdr.Array(PAIR)])
def test_data_cut_anywhere_are_an_error(kind: Any) -> None:
    whole = {PAIR: X3, RESULT: b"\0\0\0\0\0\0\0\2ok\0\0"}.get(kind)
    whole = whole or kind.encode([5, 6] if isinstance(kind, xdr.LinkedList) else [PAIR.decode(X3)] * 2)

    for size in range(len(whole)):
        with pytest.raises(xdr.DecodeError) as found:
            kind.decode(whole[:size])
        assert 0 <= found.value.offset <= size


def test_several_values_go_through_one_encoder_and_one_decoder() -> None:
    data = xdr.Encoder().put(xdr.HYPER, -2).put(xdr.DOUBLE, -1.5).data
    decoder = xdr.Decoder(data)

    assert data == X2
    assert (decoder.get(xdr.HYPER), decoder.offset, decoder.left) == (-2, 8, 8)
    assert decoder.get(xdr.DOUBLE) == -1.5
    decoder.done()


def test_a_struct_is_encoded_from_a_mapping_too() -> None:
    assert xdr.Struct(x=xdr.INT).encode({"x": 7}) == b"\0\0\0\7"


@pytest.mark.parametrize("kind", [xdr.FLOAT, xdr.DOUBLE])
def test_floats_without_a_number_keep_what_they_are(kind: xdr.XDRType[float]) -> None:
    assert math.isnan(kind.decode(kind.encode(math.nan)))
    assert kind.decode(kind.encode(-math.inf)) == -math.inf


@pytest.mark.parametrize(
    ("kind", "data", "message"),
    [
        (xdr.INT, b"\0\0", "offset 0, int: needs 4 bytes, and 2 are left"),
        (xdr.INT, bytes(6), "offset 4, end: expected the end, and found 2 bytes more"),
        (xdr.BOOL, b"\0\0\0\2", "offset 0, bool: 2 is neither 0 nor 1"),
        (xdr.Enum(Color), b"\0\0\0\3", "offset 0, enum Color: 3 is no member"),
        (xdr.Opaque(2), b"\0\0\0\3abc\0", "offset 0, opaque<2>: the length 3 is over the limit of 2"),
        (xdr.STRING, b"\0\0\0\3ab", "offset 0, string<>: the length 3 needs 3 bytes, and 2 are left"),
        (xdr.STRING, b"\0\0\0\3abc", "offset 7, string<>: needs 1 bytes, and 0 are left"),
        (xdr.STRING, b"\0\0\0\2a\xff\0\0", "offset 5, string<>: b'a\\xff' is not UTF-8"),
        (xdr.STRING, b"\0\0\0\3abc\1", "offset 7, string<>: the padding b'\\x01' is not zero"),
        (xdr.FixedOpaque(2), b"ab\0\1", "offset 2, opaque[2]: the padding b'\\x00\\x01' is not zero"),
        (xdr.Array(xdr.INT), b"\xff" * 4, "offset 0, int<>: the length 4294967295 needs 17179869180 bytes, and 0"),
        (xdr.Array(xdr.INT, 2), b"\0\0\0\3", "offset 0, int<2>: the length 3 is over the limit of 2"),
        (xdr.FixedArray(xdr.INT, 3), bytes(8), "offset 0, int[3]: needs 12 bytes, and 8 are left"),
        (xdr.Optional(xdr.INT), b"\0\0\0\2", "offset 0, bool: 2 is neither"),
        (xdr.LinkedList(xdr.VOID, 2), b"\0\0\0\1" * 4, "offset 8, void *: more than 2 elements"),
        (xdr.Union(xdr.INT, {0: xdr.INT}), b"\0\0\0\1", "offset 0, union switch (int): no arm for 1"),
    ],
)
def test_an_error_of_decoding_names_offset_type_and_value(kind: Any, data: bytes, message: str) -> None:
    with pytest.raises(xdr.DecodeError) as found:
        kind.decode(data)

    assert str(found.value).startswith(message)
    assert (found.value.offset, found.value.type) == (int(message[7:].partition(",")[0]), found.value.type)
    assert f"{found.value.type}: {found.value.reason}" in message or message in str(found.value)


def test_an_error_of_decoding_has_the_value_as_a_field() -> None:
    with pytest.raises(xdr.DecodeError) as found:
        xdr.Struct(x=xdr.INT, y=xdr.BOOL).decode(b"\0\0\0\1\0\0\1\0")

    assert (found.value.offset, found.value.type, found.value.value) == (4, "bool", 256)


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (xdr.INT, 2**31, "int can't encode 2147483648: expected an int from -2147483648 to 2147483647"),
        (xdr.UINT, -1, "unsigned int can't encode -1: expected an int from 0 to 4294967295"),
        (xdr.HYPER, 2**63, "hyper can't encode 9223372036854775808"),
        (xdr.UHYPER, 2**64, "unsigned hyper can't encode 18446744073709551616"),
        (xdr.INT, 1.0, "int can't encode 1.0"),
        (xdr.INT, "1", "int can't encode '1'"),
        (xdr.FLOAT, 1e40, "float can't encode 1e+40: expected a number that fits into 32 bits"),
        (xdr.DOUBLE, 10**400, "double can't encode 1000"),
        (xdr.BOOL, 1, "bool can't encode 1: expected True or False"),
        (xdr.Enum(Color), 7, "enum Color can't encode 7: expected a member of Color"),
        (xdr.OPAQUE, "text", "opaque<> can't encode 'text': expected bytes"),
        (xdr.Opaque(2), b"abc", "opaque<2> can't encode 3: expected a length of at most 2"),
        (xdr.FixedOpaque(2), b"abc", "opaque[2] can't encode b'abc': expected 2 bytes"),
        (xdr.STRING, b"abc", "string<> can't encode b'abc': expected a str"),
        (xdr.String(1), "\u00e9", "string<1> can't encode 2: expected a length of at most 1"),
        (xdr.STRING, "\ud800", "string<> can't encode '\\ud800': expected text that UTF-8 has bytes for"),
        (xdr.Array(xdr.INT), [1, 2, "x"], "int can't encode 'x'"),
        (xdr.Array(xdr.INT), 7, "int<> can't encode 7: expected a list or a tuple"),
        (xdr.Array(xdr.UINT), b"abc", "unsigned int<> can't encode b'abc': expected a list or a tuple"),
        (xdr.FixedArray(xdr.INT, 1), [], "int[1] can't encode []: expected 1 elements"),
        (xdr.LinkedList(xdr.INT, 1), [1, 2], "int * can't encode [1, 2]: expected at most 1 elements"),
        (xdr.Struct(x=xdr.INT), {"y": 1}, "struct can't encode {'y': 1}: expected a value with the field x"),
        (xdr.Union(xdr.INT, {0: xdr.INT}), (1, 1), "union switch (int) can't encode (1, 1): expected a discriminant"),
        (xdr.Union(xdr.INT, {0: xdr.INT}), 1, "union switch (int) can't encode 1: expected a tuple"),
        (xdr.VOID, 0, "void can't encode 0: expected None"),
    ],
)
def test_a_value_that_a_type_has_no_bytes_for_is_an_error_that_says_what_was_expected(
    kind: Any, value: Any, message: str
) -> None:
    with pytest.raises(xdr.EncodeError) as found:
        kind.encode(value)

    assert str(found.value).startswith(message)


@pytest.mark.parametrize(
    "declare",
    [
        lambda: xdr.Opaque(-1),
        lambda: xdr.String(2**32),
        lambda: xdr.FixedOpaque(True),
        lambda: xdr.Array(xdr.VOID),
        lambda: xdr.FixedArray(xdr.FixedOpaque(0), 3),
        lambda: xdr.Array(int),  # type: ignore[arg-type]
        lambda: xdr.Enum(int),  # type: ignore[type-var]
        lambda: xdr.Union(xdr.INT, {}),
    ],
)
def test_a_type_that_cannot_be_is_refused_where_it_is_declared(declare: Any) -> None:
    with pytest.raises(UsageError):
        declare()


def test_a_long_value_is_shortened_in_an_error() -> None:
    with pytest.raises(xdr.EncodeError) as found:
        xdr.FixedOpaque(2).encode(bytes(10**6))

    assert len(str(found.value)) < 200
