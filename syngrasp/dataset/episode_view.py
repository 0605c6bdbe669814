"""One episode of a dataset."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from syngrasp.dataset.episodes import scene_from_line
from syngrasp.dataset.shard_reader import ShardReader
from syngrasp.records import Scene

if TYPE_CHECKING:
    from syngrasp.dataset.reader import Dataset


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
