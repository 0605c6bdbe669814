"""The benchmark's data: a dataset of rendered frames, repeated to be as large as asked for, and its plain copy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from syngrasp import dataset
from syngrasp.dataset import jpeg
from syngrasp.dataset.commits import commit_path
from syngrasp.dataset.documents import seal
from syngrasp.dataset.reader import Dataset
from syngrasp.resources import cache_folder
from tests.benchmarks.loader.frames import STATES, pack

FRAMES = 20_000
EPISODES = 20  # rendered where no dataset is given


def rendered() -> Path:
    """A shard of real pictures, made by the pipeline once and kept."""
    folder = cache_folder() / "bench-loader" / "rendered"
    command = [sys.executable, "-m", "syngrasp", "generate", "--out", str(folder), "--json", "--executor", "local"]
    shape = ["--shards", "1", "--episodes-per-shard", str(EPISODES)]
    subprocess.run([*command, *shape], stdout=subprocess.DEVNULL, check=True)  # does nothing where it is whole
    return folder


def repeated(source: Path, folder: Path, shards: int, *, link: bool = False) -> Path:
    """A dataset of `shards` shards that are those of `source` over and over, as copies or as hard links."""
    ds = dataset.open(source)
    dataset.create_dataset(
        folder, recipe={}, catalog_hash="", seed=0, shards=shards, episodes_per_shard=ds.commits[0].episodes
    )
    (folder / "commits").mkdir(exist_ok=True)
    for number in range(shards):
        commit = ds.commits[number % len(ds.commits)]
        again = replace(commit, shard=number)
        copy = os.link if link else shutil.copyfile
        shutil.copytree(source / commit.folder, folder / again.folder, copy_function=copy)
        (folder / commit_path(number)).write_bytes(seal(asdict(again)))
    return folder


def at_least(source: Path, folder: Path, frames: int) -> Path:
    """`source` itself if it has so many frames, else copies of its shards that have."""
    ds = dataset.open(source)
    if len(ds) >= frames:
        return source
    per_shard = len(ds) / len(ds.commits)
    return repeated(source, folder, int(np.ceil(frames / per_shard)))


def lay_down(ds: Dataset, folder: Path) -> None:
    """The plain copy of a dataset that peers write their formats from; see `Frames`."""
    folder.mkdir(parents=True)
    numbers = dataset.open(ds.storage, arrays=STATES)
    ends, end = [], 0
    with open(folder / "jpegs.bin", "wb") as file:
        for position in range(len(ds.commits)):
            stored = ds.shard(position).arrays["images"]
            for i in range(len(stored)):
                for part in jpeg.split(stored.chunk(i), stored.shape[1]):
                    file.write(part)
                    end += len(part)
                    ends.append(end)
    np.save(folder / "ends.npy", np.array(ends, np.int64))
    np.save(folder / "state.npy", np.stack([pack(numbers[i]) for i in range(len(numbers))]).astype(np.float32))


def described(ds: Dataset, source: Path) -> str:
    """What the pictures are, in a line."""
    kind = json.dumps(ds.commits[0].renderer)
    size = ds.shard(0).arrays["images"].shape
    own = len(dataset.open(source))
    return (
        f"{len(ds):,} frames of {size[1]} x {size[2]} x {size[3]} in {len(ds.commits)} shards, {own:,} rendered {kind}"
    )
