"""What the renderer and its worker inside Isaac Sim say to each other over two pipes: messages of JSON and raw arrays.

    MAGIC · length of the header (uint32, big endian) · header (JSON) · the arrays' bytes in the header's order

The header is an object; its key `arrays` lists [name, dtype, shape] of what follows. Only plain numbers travel, never
pickles. Both sides load this file, each in its own Python: the standard library and numpy, nothing else.

    worker   hello {protocol}                       at once, before Isaac Sim starts
    client   start {launch, scratch}                what `SimulationApp` is told; the client's folder
    worker   ready {version}
    client   render {stage, cameras, labels, width, height, frames, subframes, warmup, color}
    worker   frame {frame, boxes, unknown} + color, masks, depth       the first frame; then it waits
    client   go | abort
    worker   frame …                                the others, as they come
    worker   done                                   after the last frame or an abort
    client   bye                                    the worker ends
    worker   error {message}                        instead of any answer; it ends

A client that is killed cannot say bye: the worker sees the pipe close, removes the client's folder and ends.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping

import numpy as np

VERSION = 1
MAGIC = b"SGIS"
PIPES = "SYNGRASP_ISAACSIM_PIPES"
"""Environment variable with the worker's two file descriptors: "read,write"."""

COLORS = {"HdrColor": np.dtype("<f2"), "rgb": np.dtype("u1")}
"""Annotators of colour that a worker may be asked for, with the type of what it sends (C, H, W, 3)."""

_DTYPES = {"|u1": np.dtype("u1"), "<u2": np.dtype("<u2"), "<f2": np.dtype("<f2"), "<f4": np.dtype("<f4")}
_LONGEST_HEADER = 1 << 24  # [bytes]
_LARGEST_ARRAYS = 1 << 32

Read = Callable[[int], bytes]
"""Gives exactly so many bytes; fewer when the other side has closed its end."""


class ProtocolError(Exception):
    """Bytes that no message begins with, or a message that is not whole."""


def pack(kind: str, fields: Mapping[str, object], arrays: Mapping[str, np.ndarray]) -> list[bytes | memoryview]:
    """A message as pieces to write one after the other."""
    plain = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    plain = {name: array.astype(array.dtype.newbyteorder("<"), copy=False) for name, array in plain.items()}
    listed = [[name, array.dtype.str, array.shape] for name, array in plain.items()]
    for name, dtype, _ in listed:
        if dtype not in _DTYPES:
            raise ProtocolError(f"array {name!r} has dtype {dtype}; valid: {', '.join(_DTYPES)}")
    header = json.dumps({**fields, "kind": kind, "arrays": listed}, allow_nan=False).encode()
    return [
        MAGIC + struct.pack("!I", len(header)) + header,
        *(array.reshape(-1).view("u1").data for array in plain.values()),
    ]


def unpack(read: Read) -> tuple[dict, dict[str, np.ndarray]] | None:
    """The next message: header and arrays. None where the other side has closed its end between two messages.

    Raises `ProtocolError`.
    """
    start = read(8)
    if not start:
        return None
    if len(start) < 8 or start[:4] != MAGIC:
        raise ProtocolError(f"a message begins with {start!r}")
    length = struct.unpack("!I", start[4:])[0]
    if length > _LONGEST_HEADER:
        raise ProtocolError(f"a header of {length} bytes")
    try:
        header = json.loads(_whole(read, length))
        listed = [(str(name), _DTYPES[dtype], tuple(map(int, shape))) for name, dtype, shape in header.pop("arrays")]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ProtocolError(f"a header that cannot be read: {error!r}") from None
    arrays, left = {}, _LARGEST_ARRAYS
    for name, dtype, shape in listed:
        size = dtype.itemsize
        for extent in shape:
            size *= extent
        left -= size
        if min(shape, default=0) < 0 or left < 0:
            raise ProtocolError(f"array {name!r} of shape {shape}")
        arrays[name] = np.frombuffer(_whole(read, size), dtype).reshape(shape)
    return header, arrays


def _whole(read: Read, length: int) -> bytes:
    data = read(length)
    if len(data) < length:
        raise ProtocolError(f"a message ended after {len(data)} of {length} bytes")
    return data
