"""One committed shard: its arrays, its episodes' bounds and lines. Rows are counted within the shard."""

from __future__ import annotations

import bisect
import json
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.dataset.commits import Commit
from syngrasp.dataset.schema import ARRAYS
from syngrasp.dataset.shard_array import ShardArray
from syngrasp.dataset.storage import Storage
from syngrasp.dataset.zarr_format import parse_group
from syngrasp.errors import DatasetError

I64 = NDArray[np.int64]


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
        self._fields: dict[tuple[int, str], Any] = {}

    @cached_property
    def episode_ends(self) -> I64:
        """One past the last frame of each episode, (E,)."""
        stored = self.arrays["episode_ends"]
        return stored.rows(0, len(stored))

    @cached_property
    def episode_starts(self) -> I64:
        """The first frame of each episode, (E,)."""
        return np.concatenate([np.zeros(1, np.int64), self.episode_ends[:-1]])

    @cached_property
    def lines(self) -> list[bytes]:
        """The lines of `episodes.jsonl`, one per episode, as they are stored."""
        return self.storage.read(f"{self.commit.folder}/episodes.jsonl").splitlines()

    def line(self, episode: int) -> dict[str, Any]:
        """The episode's line of `episodes.jsonl`, the episode counted within the shard."""
        return json.loads(self.lines[episode])

    def field(self, episode: int, name: str) -> Any:
        """A field of an episode's line, kept once it was read; None where the line lacks it."""
        if (episode, name) not in self._fields:
            self._fields[episode, name] = self.line(episode).get(name)
        return self._fields[episode, name]

    def bounds(self, episode: int) -> tuple[int, int]:
        """First frame and one past the last of an episode, counted within the shard."""
        return int(self.episode_starts[episode]), int(self.episode_ends[episode])

    def episode_of(self, frame: int) -> int:
        """Which episode a frame belongs to, both counted within the shard."""
        return bisect.bisect_right(self._end_list, frame)

    @cached_property
    def _end_list(self) -> list[int]:
        return self.episode_ends.tolist()  # searched five times as fast as an array for one frame
