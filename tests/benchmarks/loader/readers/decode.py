"""The bound: JPEGs that lie in memory already, decoded into given buffers; nothing is read, nothing else is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagecodecs

from tests.benchmarks.loader.frames import Frames, picture_buffer

REQUIREMENTS: tuple[str, ...] = ()
BATCH = 64


class Reader:
    """`aligned`: into buffers whose rows begin at multiples of 32 bytes."""

    def __init__(self, folder: Path, mode: str = "") -> None:
        self._source = Frames(folder)
        self._out = picture_buffer(BATCH, 0 if mode == "aligned" else 16)
        self.prepare([0])

    def prepare(self, order: list[int]) -> None:
        """Copies of the JPEGs, before the clock starts."""
        self._jpegs = [(self._source.jpeg(i, 0), self._source.jpeg(i, 1)) for i in order]

    def read(self, order: list[int]) -> Iterator[tuple[list[int], Any, Any]]:
        """The frames that were prepared."""
        for k, (i, (front, side)) in enumerate(zip(order, self._jpegs, strict=True)):
            out = self._out[k % BATCH]
            imagecodecs.jpeg8_decode(front, out=out[0])
            imagecodecs.jpeg8_decode(side, out=out[1])
            yield [i], out, None
