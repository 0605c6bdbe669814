"""Pictures of a shard as a video that random frames can be read of, and what statistics need of them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from numpy.typing import NDArray

from syngrasp.dataset import jpeg
from syngrasp.dataset.export.lerobot_stats import summarize
from syngrasp.dataset.shard_array import ShardArray

CODECS: dict[str, tuple[str, dict[str, str]]] = {
    "av1": ("libsvtav1", {"g": "2", "crf": "23", "preset": "10", "svtav1-params": "lp=1"}),
    "h264": ("libx264", {"g": "2", "crf": "18", "preset": "veryfast", "threads": "1"}),
}
"""Encoders and options: a key frame every second frame, as LeRobot reads them at random. One thread a video: shards
are what is done side by side."""

EVERY = 5  # pictures of which one is looked at for statistics
SHRINK = 4


@dataclass(frozen=True, slots=True)
class Sampled:
    """Small pictures of every `EVERY`th frame of a video, (n, h, w, 3) uint8, and their frames."""

    frames: NDArray[np.int64]
    pictures: NDArray[np.uint8]

    def stats(self, start: int, stop: int) -> dict[str, Any]:
        """LeRobot's statistics of a picture feature over the frames start … stop − 1, in [0, 1], (3, 1, 1)."""
        inside = (self.frames >= start) & (self.frames < stop)
        chosen = self.pictures[inside] if inside.any() else self.pictures[[self.frames.searchsorted(start) - 1]]
        found = summarize(chosen.reshape(-1, 3) / 255.0)
        return {k: [len(chosen)] if k == "count" else [[[v]] for v in values] for k, values in found.items()}


def encode_video(path: Path, images: ShardArray, rows: NDArray[np.int64], camera: int, fps: int, codec: str) -> Sampled:
    """Writes the pictures of a camera in `rows` of a shard as an mp4. Each is decoded once."""
    os.environ.setdefault("SVT_LOG", "1")  # errors alone: it would tell every setting on stderr
    import av

    height, width = images.shape[2:4]
    encoder, options = CODECS[codec]
    av.logging.set_level(av.logging.ERROR)  # type: ignore[reportPrivateImportUsage]
    picture = np.empty((height, width, 3), np.uint8)
    small, frames = [], []
    with av.open(str(path), "w", format="mp4") as container:
        stream: Any = container.add_stream(encoder, rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.time_base = Fraction(1, fps)
        for k, row in enumerate(rows.tolist()):
            stored: Any = jpeg.split(images.chunk(row), images.shape[1])[camera]
            imagecodecs.jpeg8_decode(stored, out=picture)
            if k % EVERY == 0:
                small.append(picture[::SHRINK, ::SHRINK].copy())
                frames.append(k)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = k
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return Sampled(np.array(frames), np.array(small))
