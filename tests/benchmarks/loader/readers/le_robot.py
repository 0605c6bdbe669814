"""LeRobot's own reader on syngrasp's export to its format (AV1, as is its default): random access by number."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np

REQUIREMENTS = ("lerobot==0.4.4",)
NAME = "lerobot (AV1 video, torchcodec)"
EPISODES = 20
COUNT = 60


def export(source: Path, folder: Path) -> None:
    """The first episodes of a dataset, by `syngrasp export`; in the project's own environment."""
    from syngrasp.cli import run
    from tests.benchmarks.loader.workers import WorkerFailed

    numbers = ",".join(map(str, range(EPISODES)))
    with redirect_stdout(sys.stderr):
        code = run(["export", str(source), "--format", "lerobot", "--out", str(folder), "--episodes", numbers])
    if code:
        raise WorkerFailed("syngrasp export did not write it")


def library_path(python: Path, folder: Path) -> str:
    """Folders of FFmpeg's libraries, for torchcodec, which brings none: PyAV's, under their usual names."""
    bundled = next(python.parents[1].glob("lib/python*/site-packages/av.libs"), None)
    if bundled is None:
        return ""
    folder.mkdir()
    for path in bundled.iterdir():
        if told := re.fullmatch(r"(lib(?:av|sw)[a-z]+)-[0-9a-f]+(\.so\.\d+)[.\d]*", path.name):
            (folder / f"{told[1]}{told[2]}").symlink_to(path)
    return f"{folder}{os.pathsep}{bundled}"


class Reader:
    """`LeRobotDataset` with its default decoder, torchcodec, which needs FFmpeg's libraries."""

    DECODER = "torchcodec"

    def __init__(self, folder: Path) -> None:
        from lerobot.datasets.lerobot_dataset import LeRobotDataset

        self._ds = LeRobotDataset("syngrasp/benchmark", root=folder, video_backend=self.DECODER)
        self.frames = len(self._ds)

    def read(self, order: list[int]) -> Iterator[tuple[list[int], Any, Any]]:
        """Frames in this order, the pictures as it gives them: float32 (3, H, W) in 0…1, here a view as 0…255."""
        for i in order:
            sample = self._ds[i % self.frames]
            views = (sample["observation.images.front"], sample["observation.images.side"])
            yield [i % self.frames], _Pictures(views), None


class _Pictures:
    """Converted for the comparison alone, not while the clock runs."""

    def __init__(self, views: tuple[Any, ...]) -> None:
        self._views = views

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        return np.stack([view.numpy().transpose(1, 2, 0) * 255.0 for view in self._views])
