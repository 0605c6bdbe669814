"""What pictures look like: means and deviations of their channels, from a sample that is decoded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from syngrasp.dataset.commits import Commit
from syngrasp.dataset.shard_reader import ShardReader
from syngrasp.dataset.statistics.spread import Spread
from syngrasp.dataset.storage import Storage
from syngrasp.seeding import named_rng


def image_stats(storage: Storage, commits: Sequence[Commit], count: int) -> dict[str, Any]:
    """Of `count` random frames, always the same: per camera the channels' means and deviations in [0, 1], as training
    normalises by them, and the spread of brightness."""
    frames = np.array([commit.frames for commit in commits])
    if not frames.sum():
        return {"frames": 0, "cameras": {}}
    chosen = np.sort(named_rng(0, "image sample").choice(frames.sum(), min(count, int(frames.sum())), replace=False))
    sums: dict[str, Any] = {}
    before, seen = 0, 0
    for commit, n in zip(commits, frames.tolist(), strict=True):
        rows = chosen[(chosen >= before) & (chosen < before + n)] - before
        before += n
        if not len(rows):
            continue
        shard = ShardReader(storage, commit)
        if "images" not in shard.arrays:
            continue
        for row in rows.tolist():
            seen += 1
            for camera, picture in zip(shard.attributes["cameras"], shard.arrays["images"].row(row), strict=True):
                total = sums.setdefault(
                    camera, {"sum": np.zeros(3), "squares": np.zeros(3), "pixels": 0, "light": Spread()}
                )
                pixels = picture.reshape(-1, 3) / 255.0
                total["sum"] += pixels.sum(0)
                total["squares"] += (pixels**2).sum(0)
                total["pixels"] += len(pixels)
                total["light"].add([float(pixels.mean())])
    cameras = {}
    for camera, total in sums.items():
        mean = total["sum"] / total["pixels"]
        deviation = np.sqrt((total["squares"] / total["pixels"] - mean**2).clip(0.0))
        cameras[camera] = {"mean": mean.tolist(), "std": deviation.tolist(), "brightness": total["light"].as_json()}
    return {"frames": seen, "cameras": cameras}
