"""Speed of the dataset on disk: writing, and random frames against plain zarr and against decoding alone.

All figures are from one run on the same frames, in CPU time, the page cache warm. Ratios are what to compare.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import zarr

import syngrasp.dataset.jpeg_codec  # noqa: F401 (registers the codec where the package is not installed)
from syngrasp import dataset
from syngrasp.dataset import jpeg
from syngrasp.records import Episode, Slot
from tests.dataset.synthetic import at_slot, make_episode

FRAMES, EPISODES, SIZE = 60, 12, 256
READS, ROUNDS = 200, 6


def run(folder: Path | None = None) -> dict[str, float]:
    """Figures by name; rates are per CPU-second of one thread."""
    if folder is None:
        with tempfile.TemporaryDirectory() as temporary:
            return run(Path(temporary))
    episode = textured(make_episode(Slot(0, 0), frames=FRAMES, size=SIZE, extras=False))
    figures = _write(folder, episode)
    ds = dataset.open(folder)
    order = np.random.default_rng(0).permutation(len(ds))[:READS].tolist()
    figures |= _read(folder, ds, order)
    report, seconds = _timed(lambda: dataset.verify_dataset(folder, workers=1))
    assert report.ok
    figures["verify frames/s"] = report.frames / seconds
    stats, seconds = _timed(lambda: dataset.dataset_stats(folder))
    figures["stats frames/s"] = stats["frames"] / seconds
    figures["KiB per frame"] = stats["bytes"]["per_frame"] / 1024
    return figures


def textured(episode: Episode) -> Episode:
    """With grain and waves as a render has them, so that a JPEG of 256 x 256 takes about 21 KB."""
    assert episode.images is not None
    random = np.random.default_rng(0)
    v, u = np.mgrid[:SIZE, :SIZE]
    waves = 20 * np.sin(u / 2.1) * np.cos(v / 2.9) + random.normal(0.0, 8.0, (SIZE, SIZE))
    images = (episode.images + waves[..., None]).clip(0, 255).astype(np.uint8)
    return Episode(**{name: getattr(episode, name) for name in episode.__dataclass_fields__} | {"images": images})


def _write(folder: Path, episode: Episode) -> dict[str, float]:
    dataset.create_dataset(folder, recipe={}, catalog_hash="", seed=0, shards=1, episodes_per_shard=EPISODES)

    def write() -> dataset.ShardSummary:
        with dataset.ShardWriter(folder, 0, max_objects=8) as writer:
            for k in range(EPISODES):
                writer.append(at_slot(episode, Slot(0, k)))
            return writer.finish()

    summary, seconds = _timed(write)
    assert dataset.commit_shard(folder, summary, stages={})
    size = sum(record.bytes for record in summary.files.values())
    assert episode.images is not None
    pictures = episode.images[0]
    encode = _rate(lambda i: jpeg.encode(pictures), range(50))
    return {
        "write frames/s": summary.frames / seconds,
        "write MB/s": size / 1e6 / seconds,
        "write / encoding alone": summary.frames / seconds / encode,
    }


def _read(folder: Path, ds: dataset.Dataset, order: list[int]) -> dict[str, float]:
    shard = ds.shard(0)
    group = zarr.open_group(folder / shard.commit.folder / "frames.zarr", mode="r")
    arrays: dict[str, Any] = {name: group[name] for name in ds.names if dataset.SPECS[name].per_frame}
    chunks = [bytes(shard.arrays["images"].chunk(i)) for i in order]
    jpegs = [[bytes(part) for part in jpeg.split(chunk, 2)] for chunk in chunks]
    out = np.empty((SIZE, SIZE, 3), np.uint8)

    def decode(k: int) -> None:
        for part in jpegs[k]:
            imagecodecs.jpeg8_decode(part, out=out)

    def read_zarr(i: int) -> dict[str, Any]:
        return {name: array[i] for name, array in arrays.items()}

    for i in order[:3]:
        for name, value in read_zarr(i).items():
            np.testing.assert_array_equal(value, ds[i][name])
    ours = dataset.open(folder, arrays=list(arrays))
    states = [name for name in arrays if name != "images"]
    numbers = dataset.open(folder, arrays=states)
    bound, mine, theirs, state = 0.0, 0.0, 0.0, 0.0
    for _ in range(ROUNDS):  # in turns, so that other work on the machine slows all of them
        bound = max(bound, _rate(decode, range(len(order))))
        mine = max(mine, _rate(ours.__getitem__, order))
        theirs = max(theirs, _rate(read_zarr, order[:30]))
        state = max(state, _rate(numbers.__getitem__, order))
    return {
        "decode bound frames/s": bound,
        "random frames/s": mine,
        "random / decode bound": mine / bound,
        "random / zarr-python": mine / theirs,
        "random states/s": state,
    }


def _rate(work: Callable[[int], Any], items: Any) -> float:
    """Calls per CPU-second, after one call to warm up."""

    def all_of_them() -> None:
        for i in items:  # results are dropped at once, as a training loop does
            work(i)

    work(items[0])
    return len(items) / _timed(all_of_them)[1]


def _timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


if __name__ == "__main__":
    for name, value in run().items():
        print(f"{name:28} {value:12.2f}")
