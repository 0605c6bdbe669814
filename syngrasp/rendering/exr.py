"""Writes OpenEXR pictures: what environment maps are stored as for other programs.

Half floats in scan lines, compressed by ZIP in blocks of 16 lines (OpenEXR's "Technical introduction" and "File
layout").
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
from numpy.typing import NDArray

LINES = 16  # in a block of ZIP compression
LARGEST = 65504.0  # half float


def exr_bytes(image: NDArray[np.floating], *, latlong: bool = False) -> bytes:
    """An OpenEXR file of a linear picture (H, W, 3); `latlong` says in it that it is an environment map."""
    height, width = image.shape[:2]
    planes = np.clip(image, 0.0, LARGEST).astype("<f2").transpose(0, 2, 1)[:, ::-1]  # lines of B, G, R
    blocks = [_block(y, planes[y : y + LINES].tobytes()) for y in range(0, height, LINES)]
    header = _header(width, height, latlong)
    first = len(header) + 8 * len(blocks)
    places = np.cumsum([first, *(len(block) for block in blocks[:-1])]).astype("<u8")
    return header + places.tobytes() + b"".join(blocks)


def _header(width: int, height: int, latlong: bool) -> bytes:
    channel = struct.pack("<iB3xii", 1, 0, 1, 1)
    window = struct.pack("<4i", 0, 0, width - 1, height - 1)
    attributes = [
        ("channels", "chlist", b"".join(name + b"\0" + channel for name in (b"B", b"G", b"R")) + b"\0"),
        ("compression", "compression", b"\3"),
        ("dataWindow", "box2i", window),
        ("displayWindow", "box2i", window),
        ("lineOrder", "lineOrder", b"\0"),
        ("pixelAspectRatio", "float", struct.pack("<f", 1.0)),
        ("screenWindowCenter", "v2f", struct.pack("<2f", 0.0, 0.0)),
        ("screenWindowWidth", "float", struct.pack("<f", 1.0)),
    ]
    if latlong:
        attributes.insert(3, ("envmap", "envmap", b"\0"))
    told = [f"{name}\0{kind}\0".encode() + struct.pack("<i", len(value)) + value for name, kind, value in attributes]
    return struct.pack("<2i", 20000630, 2) + b"".join(told) + b"\0"


def _block(y: int, raw: bytes) -> bytes:
    plain = np.frombuffer(raw, np.uint8)
    split = np.concatenate([plain[::2], plain[1::2]])
    steps = split.copy()
    steps[1:] = split[1:] - split[:-1] + np.uint8(128)
    packed = zlib.compress(steps.tobytes(), 4)
    data = packed if len(packed) < len(raw) else raw
    return struct.pack("<2i", y, len(data)) + data
