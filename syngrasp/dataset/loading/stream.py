"""Streams of frame numbers, of one dataset or of several mixed by weight, that know where they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syngrasp.dataset.loading.order import BUFFER, EpochOrder
from syngrasp.dataset.loading.window import Window
from syngrasp.errors import SyngraspError
from syngrasp.seeding import named_rng

I64 = NDArray[np.int64]
MIXED = 4096  # choices of a source that are drawn at once
State = dict[str, Any]


class Frames(Protocol):
    """What streams read: a `Dataset` or a `Subset` of one."""

    def __len__(self) -> int: ...

    def frames_by_shard(self) -> I64: ...

    def locate(self, frames: I64) -> I64: ...

    def layout(self, window: Window | None = None) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]: ...

    def read(self, frames: ArrayLike, **how: Any) -> dict[str, NDArray[Any]]: ...

    def field(self, frames: ArrayLike, name: str) -> list[Any]: ...

    @property
    def fingerprint(self) -> str: ...

    @property
    def shards(self) -> list[int]: ...


@dataclass(frozen=True, slots=True)
class Shuffle:
    """How frames are ordered, and which consumer of how many this is (rank × workers + worker)."""

    seed: int = 0
    shuffle: bool = True
    buffer: int = BUFFER  # frames that are in random order among one another
    consumer: int = 0
    consumers: int = 1

    def __post_init__(self) -> None:
        if self.buffer < 1:
            raise SyngraspError(f"buffer {self.buffer} is not a number of frames of at least 1")
        if not 0 <= self.consumer < self.consumers:
            raise SyngraspError(f"rank or worker {self.consumer} of {self.consumers}; valid: 0 … {self.consumers - 1}")


class FrameStream:
    """The frames of one source, epoch after epoch."""

    def __init__(self, source: Frames, shuffle: Shuffle) -> None:
        self.source, self.shuffle = source, shuffle
        self._by_shard = source.frames_by_shard()
        self.epoch, self.place = 0, 0
        self._order: EpochOrder | None = None
        self._block: tuple[int, int, I64] | None = None  # epoch, number, frames

    def take(self, count: int, across: bool) -> I64:
        """The next `count` frames: fewer at the end of the epoch, unless the next is gone on to, `across`."""
        parts: list[I64] = []
        while count:
            if self.place >= len(self.order):
                if not across:
                    break
                self.next_epoch()
                continue
            part = self._next(count)
            parts.append(part)
            self.place += len(part)
            count -= len(part)
        return np.concatenate(parts) if parts else np.empty(0, np.int64)

    def next_epoch(self) -> None:
        """Goes to the beginning of the next epoch. Raises SyngraspError where it has no frame."""
        if not len(self.order):
            frames, consumers = int(self._by_shard.sum()), self.shuffle.consumers
            raise SyngraspError(f"{frames} frames are too few for {consumers} ranks and workers: some get none")
        self.epoch, self.place = self.epoch + 1, 0

    @property
    def order(self) -> EpochOrder:
        """The order of the present epoch."""
        if self._order is None or self._order.epoch != self.epoch:
            how = self.shuffle
            self._order = EpochOrder(
                self._by_shard, how.seed, self.epoch, how.consumer, how.consumers, how.shuffle, how.buffer
            )
        return self._order

    def _next(self, count: int) -> I64:
        """Frames of the present block from the present place on."""
        number, offset = divmod(self.place, self.shuffle.buffer)
        if self._block is None or self._block[:2] != (self.epoch, number):
            self._block = (self.epoch, number, self.order.block(number))
        return self._block[2][offset : offset + count]

    def state(self) -> State:
        """Where it is."""
        return {"epoch": self.epoch, "place": self.place}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes to where `state` was taken."""
        self.epoch, self.place = int(state["epoch"]), int(state["place"])


class MixedStream:
    """Frames of several sources, each drawn with a chance in proportion to its weight, for ever."""

    def __init__(self, sources: Iterable[Frames], weights: Iterable[float], shuffle: Shuffle) -> None:
        self.streams = [FrameStream(source, shuffle) for source in sources]
        shares = np.array(list(weights), np.float64)
        if len(shares) != len(self.streams) or not (np.isfinite(shares) & (shares > 0.0)).all():
            raise SyngraspError(f"weights {shares.tolist()} of {len(self.streams)} datasets; each needs one above 0")
        self._shares = shares / shares.sum()
        self._shuffle = shuffle
        self.place = 0
        self._choices: tuple[int, I64] | None = None

    def take(self, count: int) -> tuple[I64, I64]:
        """Source and frame in it of the next `count` samples."""
        sources = np.array([self._choice(self.place + k) for k in range(count)], np.int64)
        frames = np.empty(count, np.int64)
        for s, stream in enumerate(self.streams):
            here = sources == s
            frames[here] = stream.take(int(here.sum()), across=True)
        self.place += count
        return sources, frames

    def _choice(self, place: int) -> int:
        """The source of a sample."""
        number, offset = divmod(place, MIXED)
        if self._choices is None or self._choices[0] != number:
            how = self._shuffle
            stream = named_rng(how.seed, "mixture", how.consumers, how.consumer, number)
            self._choices = (number, stream.choice(len(self._shares), MIXED, p=self._shares))
        return int(self._choices[1][offset])

    def state(self) -> State:
        """Where it is."""
        return {"place": self.place, "sources": [stream.state() for stream in self.streams]}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Goes to where `state` was taken."""
        self.place = int(state["place"])
        for stream, told in zip(self.streams, state["sources"], strict=True):
            stream.restore(told)
