"""Reads a dataset by frame, by episode and by shard. Only what is committed exists.

ds = syngrasp.dataset.open("DATASET")      # or s3://bucket/DATASET
frame = ds[0]                              # {"images": (C, H, W, 3), "action": (7,), ...}
episode = ds.episode(3)                    # episode["action"]: (F, 7); episode.line["instruction"]
"""

from __future__ import annotations

import bisect
import itertools
import json
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.dataset.commits import Commit, DatasetInfo, Root, open_info, read_commits
from syngrasp.dataset.episodes import scene_from_line
from syngrasp.dataset.local_storage import LocalStorage
from syngrasp.dataset.schema import ARRAYS, SPECS
from syngrasp.dataset.shard_array import ShardArray
from syngrasp.dataset.storage import Storage, open_storage
from syngrasp.dataset.zarr_format import parse_group
from syngrasp.errors import DatasetError, UnknownName
from syngrasp.records import Scene

Frame = dict[str, Any]


def open(root: Root, arrays: Iterable[str] | None = None, *, open_shards: int = 32) -> Dataset:
    """Opens a dataset; nothing but its commit records is read yet.

    `arrays` limits what frames and episodes hold (all that exist by default); `open_shards` is how many shards are
    kept open at once (about 18 files each). Raises DatasetError where there is none or where its records are
    damaged, UnknownName for an array that the schema does not know.
    """
    storage = open_storage(root)
    names = None if arrays is None else tuple(arrays)
    for name in names or ():
        if name not in SPECS:
            raise UnknownName("array", name, SPECS)
    return Dataset(storage, open_info(storage), read_commits(storage), names, open_shards)


class ShardReader:
    """One committed shard. Rows are counted within the shard."""

    def __init__(self, storage: Storage, commit: Commit) -> None:
        self.commit = commit
        self.storage = storage
        self._group = f"{commit.folder}/frames.zarr"
        try:
            metas, self.attributes = parse_group(storage.read(f"{self._group}/zarr.json"))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DatasetError(storage.url, f"{self._group}/zarr.json cannot be read: {error}") from error
        self.arrays = {s.name: ShardArray(storage, self._group, metas[s.name]) for s in ARRAYS if s.name in metas}
        self._ends: list[int] | None = None
        self._lines: list[bytes] | None = None

    @property
    def episode_ends(self) -> list[int]:
        """One past the last frame of each episode."""
        if self._ends is None:
            stored = self.arrays["episode_ends"]
            self._ends = [int(end) for end in stored.rows(0, len(stored))]
        return self._ends

    def line(self, episode: int) -> dict[str, Any]:
        """The episode's line of `episodes.jsonl`, the episode counted within the shard."""
        if self._lines is None:
            self._lines = self.storage.read(f"{self.commit.folder}/episodes.jsonl").splitlines()
        return json.loads(self._lines[episode])

    def bounds(self, episode: int) -> tuple[int, int]:
        """First frame and one past the last of an episode, counted within the shard."""
        return (self.episode_ends[episode - 1] if episode else 0), self.episode_ends[episode]

    def episode_of(self, frame: int) -> int:
        """Which episode a frame belongs to, both counted within the shard."""
        return bisect.bisect_right(self.episode_ends, frame)


class EpisodeView(Mapping[str, NDArray[Any]]):
    """One episode: its arrays by name, read when asked for, and its line.

    Per-frame arrays have the episode's frames as first axis, per-episode arrays come without it.
    """

    def __init__(self, dataset: Dataset, index: int, shard: ShardReader, episode: int) -> None:
        self.index = index  # in the dataset
        self._dataset, self._shard, self._episode = dataset, shard, episode
        self._bounds = shard.bounds(episode)
        first = dataset.first_frame(shard.commit.shard)
        self.frames = range(first + self._bounds[0], first + self._bounds[1])  # in the dataset

    @cached_property
    def line(self) -> dict[str, Any]:
        """The episode's line of `episodes.jsonl`."""
        return self._shard.line(self._episode)

    @property
    def length(self) -> int:
        """Number of frames."""
        return len(self.frames)

    def scene(self) -> Scene:
        """The scene it was played in."""
        return scene_from_line(self.line)

    def __getitem__(self, name: str) -> NDArray[Any]:
        array = self._shard.arrays[name]
        return array.rows(*self._bounds) if array.meta.spec.per_frame else array.row(self._episode)

    def shape(self, name: str) -> tuple[int, ...]:
        """Shape of one of its arrays, without reading it."""
        array = self._shard.arrays[name]
        return (self.length, *array.shape[1:]) if array.meta.spec.per_frame else array.shape[1:]

    def __iter__(self) -> Iterator[str]:
        return iter(self._dataset.names_in(self._shard))

    def __len__(self) -> int:
        return len(self._dataset.names_in(self._shard))


class Dataset(Sequence[Frame]):
    """All committed frames, in order of shard and slot. Thread-safe, and can be pickled."""

    def __init__(
        self,
        storage: Storage,
        info: DatasetInfo,
        commits: Iterable[Commit],
        names: tuple[str, ...] | None = None,
        open_shards: int = 32,
    ) -> None:
        self.storage, self.info = storage, info
        self.commits = tuple(c for c in sorted(commits, key=lambda c: c.shard) if c.episodes)
        self._names = names
        self._open_shards = open_shards
        self._frame_ends = list(itertools.accumulate(c.frames for c in self.commits))
        self._episode_ends = list(itertools.accumulate(c.episodes for c in self.commits))
        self._position = {c.shard: k for k, c in enumerate(self.commits)}
        self._start()

    def _start(self) -> None:
        self._shards: OrderedDict[int, ShardReader] = OrderedDict()
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        for name in ("_shards", "_lock", "_pool"):
            del state[name]
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._start()

    def __len__(self) -> int:
        return self._frame_ends[-1] if self._frame_ends else 0

    @property
    def num_episodes(self) -> int:
        """Number of committed episodes."""
        return self._episode_ends[-1] if self._episode_ends else 0

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The arrays that frames hold; empty for an empty dataset."""
        return self.names_in(self.shard(0)) if self.commits else ()

    @cached_property
    def cameras(self) -> tuple[str, ...]:
        """Names of the cameras, in the order of the pictures."""
        return tuple(self.shard(0).attributes["cameras"]) if self.commits else ()

    def names_in(self, shard: ShardReader) -> tuple[str, ...]:
        """The arrays that were asked for and exist in a shard. Raises DatasetError where one is missing."""
        if self._names is None:
            return tuple(shard.arrays)
        missing = [name for name in self._names if name not in shard.arrays]
        if missing:
            valid = ", ".join(shard.arrays)
            raise DatasetError(self.storage.url, f"it has no array {missing[0]!r}; it has: {valid}")
        return self._names

    def first_frame(self, shard_number: int) -> int:
        """The dataset's number of a shard's first frame."""
        position = self._position[shard_number]
        return self._frame_ends[position - 1] if position else 0

    def shard(self, position: int) -> ShardReader:
        """The position-th committed shard that has episodes."""
        with self._lock:
            if position in self._shards:
                self._shards.move_to_end(position)
                return self._shards[position]
        shard = ShardReader(self.storage, self.commits[position])
        with self._lock:
            self._shards[position] = shard
            while len(self._shards) > self._open_shards:
                self._shards.popitem(last=False)
        return shard

    def shards(self) -> Iterator[ShardReader]:
        """All committed shards that have episodes, one after the other."""
        return (self.shard(position) for position in range(len(self.commits)))

    def episode(self, i: int) -> EpisodeView:
        """Episode i of the dataset; negative numbers count from the end."""
        i = _checked(i, self.num_episodes, "episode")
        position = bisect.bisect_right(self._episode_ends, i)
        before = self._episode_ends[position - 1] if position else 0
        return EpisodeView(self, i, self.shard(position), i - before)

    def slot(self, shard_number: int, slot: int) -> EpisodeView:
        """The episode of a slot, whose number in the dataset changes as the dataset grows. Raises DatasetError."""
        position = self._position.get(shard_number)
        if position is not None:
            before = self._episode_ends[position - 1] if position else 0
            shard = self.shard(position)
            for k in range(self._episode_ends[position] - before):
                if shard.line(k)["episode"] == slot:
                    return EpisodeView(self, before + k, shard, k)
        raise DatasetError(self.storage.url, f"no episode of shard {shard_number}, slot {slot}")

    def episodes(self) -> Iterator[EpisodeView]:
        """All episodes, in order."""
        return (self.episode(i) for i in range(self.num_episodes))

    def __getitem__(self, i: int) -> Frame:  # type: ignore[override]
        """Frame i: array name → its value in that frame (per-episode arrays: in the frame's episode)."""
        i = _checked(i, len(self), "frame")
        position = bisect.bisect_right(self._frame_ends, i)
        shard = self.shard(position)
        frame = i - (self._frame_ends[position - 1] if position else 0)
        episode = shard.episode_of(frame)
        names = self.names_in(shard)
        if isinstance(self.storage, LocalStorage):
            return {name: _row(shard.arrays[name], frame, episode) for name in names}
        rows = self._threads().map(lambda name: _row(shard.arrays[name], frame, episode), names)
        return dict(zip(names, rows, strict=True))

    def _threads(self) -> ThreadPoolExecutor:
        """Threads that wait for a bucket's answers."""
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(16, thread_name_prefix="syngrasp-read")
            return self._pool


def _row(array: ShardArray, frame: int, episode: int) -> Any:
    row = array.row(frame if array.meta.spec.per_frame else episode)
    return row if row.ndim else row[()]


def _checked(i: int, count: int, what: str) -> int:
    if not -count <= i < count:
        raise IndexError(f"{what} {i} of a dataset of {count}")
    return int(np.int64(i)) % count
