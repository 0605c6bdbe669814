"""The two parts of Zarr v3 that a shard is made of: `zarr.json` and the index of a shard file.

A shard file holds its chunks one behind the other and ends with an index, (offset, length) as uint64 per chunk,
and the index's crc32c (Zarr's `sharding_indexed` codec with `index_location: end`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import google_crc32c
import numpy as np
from numpy.typing import NDArray

from syngrasp.dataset.packing import zarr_codecs
from syngrasp.dataset.schema import SCHEMA_VERSION, SPECS, ArraySpec

NO_CHUNK = 2**64 - 1
U64 = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class ArrayMeta:
    """What a reader must know of one array of a shard."""

    spec: ArraySpec
    shape: tuple[int, ...]
    chunk_rows: int

    @property
    def chunks(self) -> int:
        """How many chunks the shard file holds."""
        return -(-self.shape[0] // self.chunk_rows)

    @property
    def index_bytes(self) -> int:
        """Length of the index at the end of the shard file."""
        return 16 * self.chunks + 4

    @property
    def key(self) -> str:
        """The shard file, relative to the array's folder."""
        return "/".join(["c", *("0" for _ in self.shape)])


def array_json(meta: ArrayMeta) -> dict[str, Any]:
    """`zarr.json` of an array whose one shard covers it."""
    spec, shape = meta.spec, meta.shape
    inner = [meta.chunk_rows, *(max(1, n) for n in shape[1:])]
    outer = [max(1, meta.chunks) * meta.chunk_rows, *inner[1:]]
    index_codecs = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]
    sharding = {
        "chunk_shape": inner,
        "codecs": zarr_codecs(spec),
        "index_codecs": index_codecs,
        "index_location": "end",
    }
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": spec.dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": outer}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": "NaN" if np.dtype(spec.dtype).kind == "f" else 0,
        "codecs": [{"name": "sharding_indexed", "configuration": sharding}],
        "dimension_names": spec.axes(),
        "attributes": {key: text for key, text in (("unit", spec.unit), ("meaning", spec.meaning)) if text},
        "storage_transformers": [],
    }


def group_json(arrays: Mapping[str, dict[str, Any]], attributes: Mapping[str, Any]) -> dict[str, Any]:
    """`zarr.json` of the group, with its arrays' metadata inside: one read opens a shard."""
    return {
        "zarr_format": 3,
        "node_type": "group",
        "attributes": {"syngrasp_schema_version": SCHEMA_VERSION, **attributes},
        "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": dict(sorted(arrays.items()))},
    }


def dump(document: Mapping[str, Any]) -> bytes:
    """JSON bytes, the same for the same document."""
    return (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def parse_group(data: bytes) -> tuple[dict[str, ArrayMeta], dict[str, Any]]:
    """The known arrays of a group and its attributes. Raises ValueError where an array is not of the schema."""
    group = json.loads(data)
    metas: dict[str, ArrayMeta] = {}
    for name, document in group["consolidated_metadata"]["metadata"].items():
        if name in SPECS:
            metas[name] = _parse_array(SPECS[name], document)
    return metas, group["attributes"]


def _parse_array(spec: ArraySpec, document: dict[str, Any]) -> ArrayMeta:
    inner = document["codecs"][0]["configuration"]["chunk_shape"]
    meta = ArrayMeta(spec, tuple(document["shape"]), inner[0])
    for key in ("data_type", "shape", "chunk_grid", "fill_value", "codecs"):
        if document[key] != array_json(meta)[key]:
            raise ValueError(f"array {spec.name}: {key} is {document[key]}, not {array_json(meta)[key]}")
    return meta


def pack_index(offsets: Sequence[int] | U64, lengths: Sequence[int] | U64) -> bytes:
    """The index of a shard file and its crc32c."""
    index = np.stack([np.asarray(offsets, "<u8"), np.asarray(lengths, "<u8")], -1).tobytes()
    return index + google_crc32c.value(index).to_bytes(4, "little")


def parse_index(data: bytes | memoryview, chunks: int) -> U64:
    """Offsets and lengths (chunks, 2). Raises ValueError where the index is broken."""
    if len(data) != 16 * chunks + 4:
        raise ValueError(f"shard index of {len(data)} bytes, not {16 * chunks + 4}")
    index = bytes(data[:-4])
    if google_crc32c.value(index) != int.from_bytes(data[-4:], "little"):
        raise ValueError("the checksum of the shard index is wrong")
    return np.frombuffer(index, "<u8").reshape(chunks, 2)
