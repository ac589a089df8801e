"""XDR (RFC 4506): types that encode values and decode bytes, strictly.

A type is a value: `xdr.INT`, `xdr.String(255)`, `xdr.Array(xdr.INT, 100)`, `xdr.Struct(x=xdr.INT, y=xdr.INT)`. It has
`encode(value)` and `decode(data)`; several in a row go through an `Encoder` and a `Decoder`.
"""

from windsock.protocols.xdr.coding import DecodeError, Decoder, EncodeError, Encoder, XDRType
from windsock.protocols.xdr.composites import Array, FixedArray, LinkedList, Optional, Struct, Union
from windsock.protocols.xdr.scalars import BOOL, DOUBLE, FLOAT, HYPER, INT, UHYPER, UINT, VOID, Enum
from windsock.protocols.xdr.strings import OPAQUE, STRING, FixedOpaque, Opaque, String

__all__ = [
    "BOOL",
    "DOUBLE",
    "FLOAT",
    "HYPER",
    "INT",
    "OPAQUE",
    "STRING",
    "UHYPER",
    "UINT",
    "VOID",
    "Array",
    "DecodeError",
    "Decoder",
    "EncodeError",
    "Encoder",
    "Enum",
    "FixedArray",
    "FixedOpaque",
    "LinkedList",
    "Opaque",
    "Optional",
    "String",
    "Struct",
    "Union",
    "XDRType",
]
