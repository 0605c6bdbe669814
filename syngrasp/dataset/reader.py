"""Reads a dataset by frame, by episode, by window and by shard. Only what is committed exists.

ds = syngrasp.dataset.open("DATASET")      # or s3://bucket/DATASET
frame = ds[0]                              # {"images": (C, H, W, 3), "action": (7,), ...}
episode = ds.episode(3)                    # episode["action"]: (F, 7); episode.line["instruction"]
batch = ds.read([5, 900, 17])              # {"images": (3, C, H, W, 3), "action": (3, 7), ...}
item = ds.window(5, Window(future=4, past=2, stride=3))   # item["action"]: (4, 7); item["ee_pose"]: (2, 7)
training = ds.select(split=Split("train"), categories=["mug", "bottle"])
"""

from __future__ import annotations

import bisect
import hashlib
import itertools
import operator
import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syngrasp.dataset.commits import Commit, DatasetInfo, Root, open_info, read_commits
from syngrasp.dataset.episode_view import EpisodeView
from syngrasp.dataset.frame import Frame
from syngrasp.dataset.loading.batch import read_batch
from syngrasp.dataset.loading.window import Window, item, row_layout
from syngrasp.dataset.local_storage import LocalStorage
from syngrasp.dataset.schema import SPECS
from syngrasp.dataset.shard_array import ShardArray
from syngrasp.dataset.shard_reader import ShardReader
from syngrasp.dataset.storage import Storage, open_storage
from syngrasp.errors import DatasetError, UnknownName

if TYPE_CHECKING:
    from syngrasp.dataset.loading.episode_table import EpisodeTable
    from syngrasp.dataset.loading.subset import Subset

I64 = NDArray[np.int64]


def open(
    root: Root,
    arrays: Iterable[str] | None = None,
    *,
    shards: Iterable[int] | None = None,
    open_shards: int = 32,
) -> Dataset:
    """Opens a dataset; nothing but its commit records is read yet.

    `arrays` limits what frames and episodes hold (all that exist by default); `shards` limits it to those of these
    numbers, as they were when a dataset that grows was read before; `open_shards` is how many shards are kept open at
    once: about 18 files each, or from a bucket at most 1 KB of plain numbers per frame. Raises DatasetError where there
    is none, where its records are damaged or a shard is not committed, UnknownName for an array that the schema does
    not know.
    """
    storage = open_storage(root)
    names = None if arrays is None else tuple(arrays)
    for name in names or ():
        if name not in SPECS:
            raise UnknownName("array", name, SPECS)
    info, commits = open_info(storage), read_commits(storage)
    if shards is not None:
        wanted, there = set(shards), {commit.shard for commit in commits}
        if missing := sorted(wanted - there):
            raise DatasetError(storage.url, f"shard {missing[0]} is not committed; committed are {len(there)} shards")
        commits = [commit for commit in commits if commit.shard in wanted]
    return Dataset(storage, info, commits, names, open_shards)


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
        self._names, self._wanted = names, frozenset(names or ())
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

    @cached_property
    def fingerprint(self) -> str:
        """A name for what is committed: it changes when a shard is added or made anew."""
        told = [self.info.recipe_hash, self.info.catalog_hash, *(f"{c.shard}/{c.attempt_id}" for c in self.commits)]
        return hashlib.sha256("\n".join(told).encode()).hexdigest()

    @cached_property
    def table(self) -> EpisodeTable:
        """What is known of every episode without opening its arrays."""
        from syngrasp.dataset.loading.episode_table import episode_table

        return episode_table(self)

    def stored_lines(self, position: int) -> list[bytes]:
        """The lines of the position-th shard that has episodes, without opening it."""
        commit = self.commits[position]
        return self.storage.read(f"{commit.folder}/episodes.jsonl").splitlines()

    def names_in(self, shard: ShardReader) -> tuple[str, ...]:
        """The arrays that were asked for and exist in a shard. Raises DatasetError where one is missing."""
        if self._names is None:
            return tuple(shard.arrays)
        if shard.arrays.keys() >= self._wanted:
            return self._names
        missing = [name for name in self._names if name not in shard.arrays]
        raise DatasetError(self.storage.url, f"it has no array {missing[0]!r}; it has: {', '.join(shard.arrays)}")

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

    @property
    def shards(self) -> list[int]:
        """Numbers of the committed shards that have episodes."""
        return [commit.shard for commit in self.commits]

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
            return {name: _row(shard.arrays[name], frame, episode) for name in names}  # type: ignore[return-value]
        rows = self.threads().map(lambda name: _row(shard.arrays[name], frame, episode), names)
        return dict(zip(names, rows, strict=True))  # type: ignore[return-value]

    def window(self, i: int, window: Window) -> dict[str, NDArray[Any]]:
        """The item around frame i: what `read` gives for it, without the first axis."""
        i = _checked(i, len(self), "frame")
        if not isinstance(self.storage, LocalStorage):
            return {name: values[0] for name, values in self.read([i], window=window).items()}
        position = bisect.bisect_right(self._frame_ends, i)
        shard = self.shard(position)
        return item(shard, self.names_in(shard), i - (self._frame_ends[position - 1] if position else 0), window)

    def layout(self, window: Window | None = None) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
        """Shape and dtype of every array of one frame, or of one item of `window`. Raises DatasetError if empty."""
        if not self.commits:
            raise DatasetError(self.storage.url, "it has no frame")
        return row_layout(self.shard(0), self.names, window)

    def read(
        self,
        frames: ArrayLike,
        *,
        window: Window | None = None,
        out: Mapping[str, NDArray[Any]] | None = None,
        at: I64 | None = None,
    ) -> dict[str, NDArray[Any]]:
        """Frames (B,), or the items of `window` around them: array name → (B, …), each row as `ds[i]` has it.

        `out` takes them, as contiguous arrays of the shapes and dtypes of `layout`: frame k at row at[k] where `at`
        (B,) is given, at row k otherwise. On a bucket all of a shard's frames are asked for at once. Raises IndexError
        for a frame that does not exist, ValueError where a file is damaged.
        """
        return read_batch(self, self._checked_frames(frames), window, out, at)

    def field(self, frames: ArrayLike, name: str) -> list[Any]:
        """A field of the lines of the episodes of frames (B,), such as `instruction`; None where a line lacks it."""
        found = []
        for i in self._checked_frames(frames).tolist():
            position = bisect.bisect_right(self._frame_ends, i)
            shard = self.shard(position)
            frame = i - (self._frame_ends[position - 1] if position else 0)
            found.append(shard.field(shard.episode_of(frame), name))
        return found

    def frames_by_shard(self) -> I64:
        """Frames of each shard, in order, (S,)."""
        return np.diff(self.frame_ends, prepend=0)

    def locate(self, frames: I64) -> I64:
        """The dataset's numbers of frames (B,): themselves. A `Subset` counts otherwise."""
        return frames

    def select(self, **filters: Any) -> Subset:
        """The episodes that match; see `loading.subset.select` for the filters. Raises DatasetError if none does."""
        from syngrasp.dataset.loading.subset import select

        return select(self, **filters)

    def _checked_frames(self, frames: ArrayLike) -> I64:
        numbers = np.asarray(frames)
        if numbers.ndim != 1 or (numbers.size and numbers.dtype.kind not in "iu"):
            raise IndexError(f"frames are asked for as whole numbers (B,), not {numbers.dtype} {numbers.shape}")
        numbers = numbers.astype(np.int64)
        outside = (numbers < -len(self)) | (numbers >= len(self))
        if outside.any():
            raise IndexError(f"frame {numbers[outside][0]} of a dataset of {len(self)}")
        return np.where(numbers < 0, numbers + len(self), numbers)

    @cached_property
    def frame_ends(self) -> I64:
        """One past the last frame of each shard, (S,)."""
        return np.array(self._frame_ends, np.int64)

    def threads(self) -> ThreadPoolExecutor:
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
    return operator.index(i) % count
