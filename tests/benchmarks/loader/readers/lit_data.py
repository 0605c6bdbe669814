"""LitData: optimised chunks, random access by number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np

from tests.benchmarks.loader.frames import Frames, picture_buffer

REQUIREMENTS = ("litdata==0.2.76",)
NAME = "litdata"


class _Sample:
    def __init__(self, frames: Frames) -> None:
        self._frames = frames

    def __call__(self, i: int) -> dict[str, Any]:
        front, side = self._frames.jpeg(i, 0), self._frames.jpeg(i, 1)
        return {"front": front, "side": side, "state": self._frames.state_bytes(i)}


def write(frames: Frames, folder: Path) -> None:
    """64 MB chunks, as its examples have them."""
    from litdata import optimize

    optimize(_Sample(frames), list(range(len(frames))), str(folder), chunk_bytes="64MB", num_workers=1, verbose=False)


class Reader:
    """`StreamingDataset` in this process."""

    def __init__(self, folder: Path) -> None:
        from litdata import StreamingDataset

        self._ds = StreamingDataset(str(folder), shuffle=False)
        self._out = picture_buffer(1)[0]

    def read(self, order: list[int]) -> Iterator[tuple[list[int], Any, Any]]:
        """Frames in this order."""
        out = self._out
        for i in order:
            sample = self._ds[i]
            imagecodecs.jpeg8_decode(sample["front"], out=out[0])
            imagecodecs.jpeg8_decode(sample["side"], out=out[1])
            yield [i], out, np.frombuffer(sample["state"], np.float32)
