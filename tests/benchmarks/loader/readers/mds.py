"""mosaicml-streaming: MDS shards, random access by number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagecodecs

from tests.benchmarks.loader.frames import Frames, picture_buffer

REQUIREMENTS = ("mosaicml-streaming==0.13.0",)
NAME = "mosaicml-streaming (MDS)"


def write(frames: Frames, folder: Path) -> None:
    """64 MiB shards, as is its default."""
    from streaming import MDSWriter

    columns = {"front": "bytes", "side": "bytes", "state": f"ndarray:float32:{frames.state.shape[1]}"}
    with MDSWriter(out=str(folder), columns=columns) as out:
        for i in range(len(frames)):
            out.write({"front": frames.jpeg(i, 0), "side": frames.jpeg(i, 1), "state": frames.state[i]})


class Reader:
    """`StreamingDataset` in this process."""

    def __init__(self, folder: Path) -> None:
        from streaming import StreamingDataset

        self._ds = StreamingDataset(local=str(folder), shuffle=False, batch_size=1)
        self._out = picture_buffer(1)[0]

    def read(self, order: list[int]) -> Iterator[tuple[list[int], Any, Any]]:
        """Frames in this order."""
        out = self._out
        for i in order:
            sample = self._ds[i]
            imagecodecs.jpeg8_decode(sample["front"], out=out[0])
            imagecodecs.jpeg8_decode(sample["side"], out=out[1])
            yield [i], out, sample["state"]
