"""XDR beside xdrlib3: what one encodes the other decodes."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

import pytest
import xdrlib3
from hypothesis import given
from hypothesis import strategies as st

from windsock.protocols import xdr

Codec = tuple[Any, Callable[[Any, Any], None], Callable[[Any], Any], st.SearchStrategy[Any]]


def integers(bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    return st.integers(-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else st.integers(0, (1 << bits) - 1)


def pack_struct(packer: Any, value: Any) -> None:
    packer.pack_int(value["a"])
    packer.pack_opaque(value["b"])
    packer.pack_bool(value["c"])


def unpack_struct(unpacker: Any) -> dict[str, Any]:
    return {"a": unpacker.unpack_int(), "b": unpacker.unpack_opaque(), "c": unpacker.unpack_bool()}


Packer, Unpacker = xdrlib3.Packer, xdrlib3.Unpacker
CODECS: dict[str, Codec] = {
    "int": (xdr.INT, Packer.pack_int, Unpacker.unpack_int, integers(32, signed=True)),
    "uint": (xdr.UINT, Packer.pack_uint, Unpacker.unpack_uint, integers(32, signed=False)),
    "hyper": (xdr.HYPER, Packer.pack_hyper, Unpacker.unpack_hyper, integers(64, signed=True)),
    "uhyper": (xdr.UHYPER, Packer.pack_uhyper, Unpacker.unpack_uhyper, integers(64, signed=False)),
    "bool": (xdr.BOOL, Packer.pack_bool, Unpacker.unpack_bool, st.booleans()),
    "float": (xdr.FLOAT, Packer.pack_float, Unpacker.unpack_float, st.floats(width=32, allow_nan=False)),
    "double": (xdr.DOUBLE, Packer.pack_double, Unpacker.unpack_double, st.floats(allow_nan=False)),
    "opaque": (xdr.OPAQUE, Packer.pack_opaque, Unpacker.unpack_opaque, st.binary(max_size=40)),
    "opaque[7]": (
        xdr.FixedOpaque(7),
        lambda packer, value: packer.pack_fopaque(7, value),
        lambda unpacker: unpacker.unpack_fopaque(7),
        st.binary(min_size=7, max_size=7),
    ),
    "string": (
        xdr.STRING,
        lambda packer, value: packer.pack_string(value.encode()),
        lambda unpacker: unpacker.unpack_string().decode(),
        st.text(max_size=20),
    ),
    "array of ints": (
        xdr.Array(xdr.INT),
        lambda packer, value: packer.pack_array(value, packer.pack_int),
        lambda unpacker: unpacker.unpack_array(unpacker.unpack_int),
        st.lists(integers(32, signed=True), max_size=20),
    ),
    "array[3] of strings": (
        xdr.FixedArray(xdr.OPAQUE, 3),
        lambda packer, value: packer.pack_farray(3, value, packer.pack_opaque),
        lambda unpacker: unpacker.unpack_farray(3, unpacker.unpack_opaque),
        st.lists(st.binary(max_size=9), min_size=3, max_size=3),
    ),
    "list": (
        xdr.LinkedList(xdr.UINT),
        lambda packer, value: packer.pack_list(value, packer.pack_uint),
        lambda unpacker: unpacker.unpack_list(unpacker.unpack_uint),
        st.lists(integers(32, signed=False), max_size=20),
    ),
    "struct": (
        xdr.Struct(dict, a=xdr.INT, b=xdr.OPAQUE, c=xdr.BOOL),
        pack_struct,
        unpack_struct,
        st.fixed_dictionaries({"a": integers(32, signed=True), "b": st.binary(max_size=9), "c": st.booleans()}),
    ),
}


@pytest.mark.parametrize("name", CODECS)
@given(st.data())
def test_what_one_encodes_the_other_decodes(name: str, data: st.DataObject) -> None:
    kind, pack, unpack, values = CODECS[name]
    value = data.draw(values)
    packer = Packer()
    pack(packer, value)
    unpacker = Unpacker(kind.encode(value))

    assert kind.encode(value) == packer.get_buffer()
    assert kind.decode(packer.get_buffer()) == value
    assert unpack(unpacker) == value
    unpacker.done()


@pytest.mark.parametrize("name", CODECS)
@given(st.data())
def test_bytes_that_both_decode_are_the_same_value_and_others_are_errors(name: str, data: st.DataObject) -> None:
    kind, _, unpack, values = CODECS[name]
    found = bytearray(kind.encode(data.draw(values)))
    for _ in range(data.draw(st.integers(1, 3))):
        if found:
            found[data.draw(st.integers(0, len(found) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(found[: data.draw(st.integers(0, len(found)))])

    try:
        value = kind.decode(cut)
    except xdr.DecodeError as error:
        assert 0 <= error.offset <= len(cut)  # noqa: PT017  # either way is right
    else:
        unpacker = Unpacker(cut)
        theirs = unpack(unpacker)
        assert theirs == value or theirs != theirs  # NaN
        unpacker.done()


@given(st.integers(-(2**70), 2**70))
def test_a_hyper_out_of_range_is_an_error_and_does_not_wrap(number: int) -> None:
    try:
        data = xdr.HYPER.encode(number)
    except xdr.EncodeError:
        assert not -(2**63) <= number < 2**63
    else:
        assert struct.unpack(">q", data) == (number,)
