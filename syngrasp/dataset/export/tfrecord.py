"""TFRecord files of tf.train.Example messages, written without TensorFlow.

A record is its length (uint64), the masked crc32c of the length, the message, and the message's masked crc32c, little
endian. An Example is one protobuf field, Features, holding a map from names to lists of bytes, floats or integers.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import google_crc32c
import numpy as np
from numpy.typing import NDArray

Values = Sequence[bytes] | NDArray[Any]


def record(message: bytes) -> bytes:
    """The bytes of a record."""
    length = struct.pack("<Q", len(message))
    return length + struct.pack("<I", _masked_crc(length)) + message + struct.pack("<I", _masked_crc(message))


def example(features: Mapping[str, Values]) -> bytes:
    """An Example: floating arrays as float lists, integer and bool arrays as int64 lists, sequences of bytes as they
    are; names in order, so that the same features give the same bytes."""
    entries = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, _feature(values))) for name, values in sorted(features.items())
    )
    return _field(1, entries)


def _feature(values: Values) -> bytes:
    if not isinstance(values, np.ndarray):
        return _field(1, b"".join(_field(1, value) for value in values))
    if values.dtype.kind == "f":
        return _field(2, _field(1, values.astype("<f4").tobytes()))
    return _field(3, _field(1, b"".join(_varint(int(value) & (2**64 - 1)) for value in values.ravel())))


def _field(number: int, data: bytes) -> bytes:
    """A field of bytes with its number and length."""
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def _masked_crc(data: bytes) -> int:
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF
