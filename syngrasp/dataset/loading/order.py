"""In which order an epoch's frames are read: a pure function of seed, epoch and place, so that any place can be
returned to at once.

The shards are put in random order and their frames one shard behind the other. Each consumer (rank × worker) gets an
equal, unbroken stretch of that row, so that it opens few shards; the stretch is cut into blocks of `buffer` frames,
and within a block the frames are in random order. Memory: 8 bytes per frame of a block, and as much per shard.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from syngrasp.seeding import named_rng

I64 = NDArray[np.int64]

BUFFER = 65_536  # frames: six or seven shards of a hundred episodes are mixed


@dataclass(frozen=True)
class EpochOrder:
    """The order of one consumer in one epoch.

    `frames_by_shard` (S,) counts the frames of each shard, which are numbered through in the order of the shards.
    """

    frames_by_shard: I64
    seed: int
    epoch: int
    consumer: int = 0
    consumers: int = 1
    shuffle: bool = True
    buffer: int = BUFFER
    _starts: I64 = field(init=False, repr=False)  # of the shards' frames, in the shards' own order
    _shards: I64 = field(init=False, repr=False)  # in the order of the epoch
    _ends: I64 = field(init=False, repr=False)  # of their frames, in the order of the epoch

    def __post_init__(self) -> None:
        counts = self.frames_by_shard
        shards = np.arange(len(counts))
        if self.shuffle:
            shards = named_rng(self.seed, "shard order", self.epoch).permutation(len(counts))
        object.__setattr__(self, "_starts", np.cumsum(counts) - counts)
        object.__setattr__(self, "_shards", shards)
        object.__setattr__(self, "_ends", np.cumsum(counts[shards]))

    @property
    def stretch(self) -> tuple[int, int]:
        """First place, and one past the last, of this consumer in the epoch's row of frames."""
        frames = int(self._ends[-1]) if len(self._ends) else 0
        return frames * self.consumer // self.consumers, frames * (self.consumer + 1) // self.consumers

    def __len__(self) -> int:
        first, end = self.stretch
        return end - first

    def block(self, number: int) -> I64:
        """The frames of a block, in the order in which they are read."""
        first, end = self.stretch
        places = np.arange(first + number * self.buffer, min(end, first + (number + 1) * self.buffer))
        if self.shuffle:
            stream = named_rng(self.seed, "frame order", self.epoch, self.consumers, self.consumer, number)
            places = stream.permutation(places)
        which = self._ends.searchsorted(places, "right")
        shards = self._shards[which]
        return self._starts[shards] + places - (self._ends[which] - self.frames_by_shard[shards])
