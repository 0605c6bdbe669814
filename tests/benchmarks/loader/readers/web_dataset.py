"""WebDataset: tar files of 1,000 frames, read one after the other into a shuffle buffer. It has no random access."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np

from tests.benchmarks.loader.frames import Frames, picture_buffer

REQUIREMENTS = ("webdataset==1.0.2",)
NAME = "webdataset, shuffle buffer of 1,000"


def write(frames: Frames, folder: Path) -> None:
    """Two JPEGs and the packed states per frame."""
    from webdataset import ShardWriter

    folder.mkdir(parents=True)
    with ShardWriter(str(folder / "%05d.tar"), maxcount=1000, verbose=0) as out:
        for i in range(len(frames)):
            front, side = frames.jpeg(i, 0), frames.jpeg(i, 1)
            out.write({"__key__": f"{i:08d}", "front.jpg": front, "side.jpg": side, "state.bin": frames.state_bytes(i)})


class Reader:
    """Endless, raw bytes, decoded here."""

    def __init__(self, folder: Path) -> None:
        from webdataset import WebDataset

        urls = sorted(str(path) for path in folder.glob("*.tar"))
        stream = WebDataset(urls, shardshuffle=len(urls), empty_check=False).shuffle(1000).repeat()
        self._samples = iter(stream)
        self._out = picture_buffer(1)[0]

    def read(self, order: list[int]) -> Iterator[tuple[list[int], Any, Any]]:
        """The next frames of the stream."""
        out = self._out
        for sample in islice(self._samples, len(order)):
            imagecodecs.jpeg8_decode(sample["front.jpg"], out=out[0])
            imagecodecs.jpeg8_decode(sample["side.jpg"], out=out[1])
            yield [int(sample["__key__"])], out, np.frombuffer(sample["state.bin"], np.float32)
