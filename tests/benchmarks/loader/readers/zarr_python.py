"""zarr-python on syngrasp's own shards: plain `open_group`, whose pictures the codec `syngrasp.jpeg` decodes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from syngrasp import dataset
from tests.benchmarks.loader.frames import STATES

REQUIREMENTS: tuple[str, ...] = ()
NAME = "zarr-python"
OURS = True  # reads syngrasp's dataset itself
COUNT = 200


class Reader:
    """array[i] of every array."""

    def __init__(self, folder: Path, pipeline: str | None = None) -> None:
        import zarr

        import syngrasp.dataset.jpeg_codec  # noqa: F401 (registers the codec where the package is not installed)

        if pipeline:
            zarr.config.set({"codec_pipeline.path": pipeline})
        ds = dataset.open(folder)
        groups = [zarr.open_group(folder / c.folder / "frames.zarr", mode="r") for c in ds.commits]
        self._shards: list[dict[str, Any]] = [{name: group[name] for name in ("images", *STATES)} for group in groups]
        self._ends = np.cumsum(ds.frames_by_shard())

    def read(self, order: list[int]) -> Iterator[tuple[list[int], Any, Any]]:
        """Frames in this order."""
        for i in order:
            shard = int(self._ends.searchsorted(i, "right"))
            frame = i - (int(self._ends[shard - 1]) if shard else 0)
            sample = {name: array[frame] for name, array in self._shards[shard].items()}
            yield [i], sample["images"], sample
