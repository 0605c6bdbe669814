"""How one chunk becomes bytes and back, and what `zarr.json` says of it."""

from __future__ import annotations

from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from syngrasp.dataset import jpeg
from syngrasp.dataset.schema import ArraySpec, Packing

ZSTD_LEVEL = 9  # masks: a third smaller than level 3, still under 1 ms
BLOSC_LEVEL = 5


def zarr_codecs(spec: ArraySpec) -> list[dict[str, Any]]:
    """The codecs of an array's inner chunks, as Zarr v3 metadata."""
    itemsize = np.dtype(spec.dtype).itemsize
    as_bytes: dict[str, Any] = {"name": "bytes"}
    if itemsize > 1:
        as_bytes["configuration"] = {"endian": "little"}
    codecs: dict[Packing, list[dict[str, Any]]] = {
        "raw": [as_bytes],
        "jpeg": [{"name": "syngrasp.jpeg", "configuration": {"quality": jpeg.QUALITY}}],
        "zstd": [as_bytes, {"name": "zstd", "configuration": {"level": ZSTD_LEVEL, "checksum": False}}],
        "shuffle": [
            as_bytes,
            {
                "name": "blosc",
                "configuration": {
                    "typesize": itemsize,
                    "cname": "zstd",
                    "clevel": BLOSC_LEVEL,
                    "shuffle": "bitshuffle",
                    "blocksize": 0,
                },
            },
        ],
    }
    return codecs[spec.packing]


def pack(packing: Packing, chunk: NDArray[Any]) -> bytes:
    """The bytes of one chunk; the same chunk gives the same bytes."""
    if packing == "jpeg":
        return jpeg.encode(chunk)
    plain = np.ascontiguousarray(chunk, chunk.dtype.newbyteorder("<")).tobytes()
    if packing == "zstd":
        return bytes(imagecodecs.zstd_encode(plain, level=ZSTD_LEVEL))
    if packing == "shuffle":
        itemsize = chunk.dtype.itemsize
        return bytes(
            imagecodecs.blosc_encode(
                plain, level=BLOSC_LEVEL, compressor="zstd", shuffle=2, typesize=itemsize, numthreads=1
            )
        )
    return plain


def unpack_into(packing: Packing, data: bytes | memoryview, out: NDArray[Any]) -> NDArray[Any]:
    """Decodes one chunk into `out` (contiguous). Raises ValueError where the bytes are broken."""
    if packing == "jpeg":
        return jpeg.decode_into(data, out)
    plain: Any = data
    try:
        if packing == "zstd":
            plain = imagecodecs.zstd_decode(plain, out=out.nbytes)
        elif packing == "shuffle":
            plain = imagecodecs.blosc_decode(plain, numthreads=1)
    except Exception as error:  # imagecodecs has its own error class per codec and version
        raise ValueError(f"broken {packing} chunk: {error}") from error
    if len(plain) != out.nbytes:
        raise ValueError(f"broken {packing} chunk: {len(plain)} bytes, not {out.nbytes}")
    out[...] = np.frombuffer(plain, out.dtype.newbyteorder("<")).reshape(out.shape)
    return out
