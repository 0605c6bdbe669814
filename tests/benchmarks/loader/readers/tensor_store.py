"""TensorStore on syngrasp's own shards: states by its zarr3 driver, JPEGs by its reader of Zarr's shard index.

Its zarr3 driver has no codec for JPEG; so the chunks come as bytes and are decoded here.
"""

from __future__ import annotations

import bisect
import json
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np

from tests.benchmarks.loader.frames import STATES, picture_buffer

REQUIREMENTS = ("tensorstore==0.1.86",)
NAME = "tensorstore (zarr3 and its shard index)"
OURS = True  # reads syngrasp's dataset itself


class Reader:
    """All arrays of a frame are asked for at once."""

    def __init__(self, folder: Path) -> None:
        import tensorstore as ts

        context = ts.Context({"cache_pool": {"total_bytes_limit": 1 << 28}})
        self._shards = []
        counts = []
        for path in sorted((folder / "commits").glob("*.json")):
            commit = json.loads(path.read_text())
            group = folder / "shards" / f"{commit['shard']:05d}" / commit["attempt_id"] / "frames.zarr"
            told = json.loads((group / "zarr.json").read_text())["consolidated_metadata"]["metadata"]
            # The group's metadata is consolidated: TensorStore is given each array's.
            arrays = {
                name: ts.open(_spec(group / name, told[name]), open=True, assume_metadata=True, context=context)
                for name in STATES
            }
            pictures = ts.KvStore.open(_shard_index(group / "images", told["images"]), context=context).result()
            self._shards.append((pictures, {name: array.result() for name, array in arrays.items()}))
            counts.append(commit["frames"])
        self._ends = list(accumulate(counts))
        self._out = picture_buffer(1)[0]

    def read(self, order: list[int]) -> Iterator[tuple[list[int], Any, Any]]:
        """Frames in this order."""
        out = self._out
        for i in order:
            shard = bisect.bisect_right(self._ends, i)
            frame = i - (self._ends[shard - 1] if shard else 0)
            pictures, arrays = self._shards[shard]
            key = frame.to_bytes(4, "big") + bytes(16)
            chunk = pictures.read(key)
            waiting = {name: array[frame].read() for name, array in arrays.items()}
            data = chunk.result().value
            states = {name: value.result() for name, value in waiting.items()}
            first, last = np.frombuffer(data, "<u4", 2, 4).tolist()
            view = memoryview(data)
            imagecodecs.jpeg8_decode(view[12 : 12 + first], out=out[0])
            imagecodecs.jpeg8_decode(view[12 + first : 12 + last], out=out[1])
            yield [i], out, states


def _spec(path: Path, metadata: dict[str, Any]) -> dict[str, Any]:
    known = {key: value for key, value in metadata.items() if key not in ("storage_transformers", "node_type")}
    return {"driver": "zarr3", "kvstore": f"file://{path}/", "metadata": known | {"node_type": "array"}}


def _shard_index(path: Path, metadata: dict[str, Any]) -> dict[str, Any]:
    sharding = metadata["codecs"][0]["configuration"]
    outer = metadata["chunk_grid"]["configuration"]["chunk_shape"]
    grid = [a // b for a, b in zip(outer, sharding["chunk_shape"], strict=True)]
    return {
        "driver": "zarr3_sharding_indexed",
        "base": f"file://{path}/c/" + "/".join("0" * len(grid)),
        "grid_shape": grid,
        "index_codecs": sharding["index_codecs"],
        "index_location": "end",
    }
