"""Batches for training: shuffled, mixed, decoded ahead by threads, and resumable to the frame.

loader = Loader(dataset.open("DATASET"), 64, window=Window(future=4, past=2, stride=3), fields=["instruction"])
for batch in loader:                       # one epoch; batch["images"]: (64, C, H, W, 3)
    ...
    saved = loader.state_dict()            # after the last batch that was handed out
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.dataset.loading.buffers import BufferPool, Layout
from syngrasp.dataset.loading.order import BUFFER
from syngrasp.dataset.loading.stream import Frames, FrameStream, MixedStream, Shuffle, State
from syngrasp.dataset.loading.window import Window
from syngrasp.dataset.schema import SPECS
from syngrasp.errors import SyngraspError

I64 = NDArray[np.int64]
Batch = dict[str, Any]
SHARDS = 16  # in random order among one another: as many again are open while the next are begun
Sources = Frames | Sequence[tuple[Frames, float]]


class Loader:
    """Batches of one dataset or `Subset`, epoch by epoch, or of several mixed by weight, without end.

    A batch holds every array of the source (B, …), as `Dataset.read` gives them with `window`; `frame` (B,), numbered
    as in the dataset, and in a mixture `source` (B,); and lists of the `fields` of the episodes' lines. Each loop over
    the loader is an epoch, or what is left of it; `endless` loops go on. With `drop_last` every consumer has equally
    many batches, all whole.

    Frames are in random order among the `buffer` frames around them, those of about 16 shards if it is not given.
    Ranks share an epoch's frames without overlap. `threads` batches are made at once and at most `prefetch` wait:
    memory is bounded by these, the shuffle's `buffer` (8 bytes per frame) and the shards that the source keeps open.
    Batches own their memory, which is used again once they are dropped. Raises SyngraspError for what does not fit
    together.
    """

    def __init__(
        self,
        source: Sources,
        batch_size: int = 64,
        *,
        window: Window | None = None,
        fields: Iterable[str] = (),
        shuffle: bool = True,
        seed: int = 0,
        buffer: int | None = None,
        endless: bool = False,
        drop_last: bool = True,
        rank: int = 0,
        world_size: int = 1,
        threads: int | None = None,
        prefetch: int = 4,
        pool: BufferPool | None = None,
    ) -> None:
        for name, value in (("batch_size", batch_size), ("prefetch", prefetch), ("threads", threads or 1)):
            if value < 1:
                raise SyngraspError(f"loader: {name} {value} is below 1")
        pairs = [(source, 1.0)] if not isinstance(source, Sequence) or hasattr(source, "locate") else list(source)
        self.sources: list[Frames] = [part for part, _ in pairs]  # type: ignore[misc]
        self.batch_size, self.window, self.fields = batch_size, window, tuple(fields)
        self.drop_last, self.prefetch = drop_last, prefetch
        if buffer is None:
            buffer = min(BUFFER, *(_frames_of_shards(source, SHARDS) for source in self.sources))
        self.shuffle = Shuffle(seed, shuffle, buffer, rank, world_size)
        self.mixed = len(pairs) > 1
        self.endless = endless or self.mixed
        self._stream: FrameStream | MixedStream
        if self.mixed:
            self._stream = MixedStream(self.sources, [weight for _, weight in pairs], self.shuffle)
        else:
            self._stream = FrameStream(self.sources[0], self.shuffle)
        self._state = self._stream.state()
        self._pool = pool or BufferPool()
        self._layout = common_layout(self.sources, window)
        self._threads = ThreadPoolExecutor(threads or os.cpu_count() or 1, thread_name_prefix="syngrasp-load")

    def __len__(self) -> int:
        """Batches of a whole epoch. Raises TypeError where there is no end."""
        if self.endless:
            raise TypeError("an endless loader has no length")
        return -(-self._epoch_frames() // self.batch_size)

    def __bool__(self) -> bool:
        return True  # without it truth would ask an endless loader for its length

    def __iter__(self) -> Iterator[Batch]:
        waiting: deque[tuple[Future[Batch], State]] = deque()
        self._stream.restore(self._state)
        plans = self._plans()
        try:
            while True:
                while len(waiting) < self.prefetch and (plan := next(plans, None)) is not None:
                    job = self._threads.submit(self._make, *plan)
                    waiting.append((job, self._stream.state()))
                if not waiting:
                    break
                job, state = waiting.popleft()
                batch = job.result()
                self._state = state
                yield batch
                del batch, job  # its memory is free again as soon as the caller drops it
        finally:
            for job, _ in waiting:
                job.cancel()
        if isinstance(self._stream, FrameStream):
            self._stream.next_epoch()
            self._state = self._stream.state()

    def _plans(self) -> Iterator[tuple[I64, I64]]:
        """Sources and frames in them of batch after batch."""
        while True:
            if isinstance(self._stream, MixedStream):
                yield self._stream.take(self.batch_size)
                continue
            count = self.batch_size
            if not self.endless:
                left = self._epoch_frames() - self._stream.place
                count = min(count, left)
                if count <= 0 or (self.drop_last and count < self.batch_size):
                    return
            frames = self._stream.take(count, across=self.endless)
            yield np.zeros(len(frames), np.int64), frames

    def _epoch_frames(self) -> int:
        """Frames of an epoch that are handed out: with `drop_last` the same for every consumer."""
        if self.drop_last:
            return len(self.sources[0]) // self.shuffle.consumers // self.batch_size * self.batch_size
        return len(FrameStream(self.sources[0], self.shuffle).order)

    def _make(self, sources: I64, frames: I64) -> Batch:
        batch: Batch = self._pool.batch(len(frames), self._layout)
        arrays = dict(batch)
        numbers = frames.copy()
        lists: dict[str, list[Any]] = {name: [None] * len(frames) for name in self.fields}
        for s, source in enumerate(self.sources):
            at = np.flatnonzero(sources == s)
            if not len(at):
                continue
            out = arrays if not self.mixed else _fitting(arrays, source.layout(self.window), at)
            try:
                source.read(frames[at], window=self.window, out=out, at=at)
            except (OSError, ValueError) as error:
                raise SyngraspError(f"a batch cannot be read: {error}; run syngrasp verify") from error
            numbers[at] = source.locate(frames[at])
            for name, values in lists.items():
                for place, value in zip(at.tolist(), source.field(frames[at], name), strict=True):
                    values[place] = value
        return batch | lists | {"frame": numbers} | ({"source": sources} if self.mixed else {})

    def state_dict(self) -> State:
        """Where it is after the last batch that was handed out: plain values, for a checkpoint."""
        told = [{"fingerprint": source.fingerprint, "shards": source.shards} for source in self.sources]
        return {"stream": self._state, "shuffle": asdict(self.shuffle), "sources": told}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on after the batch after which `state` was taken: no frame is repeated or left out.

        Raises SyngraspError where the sources, the shuffle or the number of ranks are not those of then.
        """
        told = [source["fingerprint"] for source in state["sources"]]
        if len(told) != len(self.sources):
            raise SyngraspError(f"the loader's state is of {len(told)} datasets, not of {len(self.sources)}")
        for k, source in enumerate(self.sources):
            if source.fingerprint != told[k]:
                raise SyngraspError(
                    f"dataset {k} of the loader's state is another, has other episodes selected, or has changed since: "
                    "one that has grown is opened as it was by dataset.open(…, shards=state['sources'][k]['shards'])"
                )
        now = asdict(self.shuffle)
        if changed := [name for name in now if now[name] != state["shuffle"].get(name)]:
            differing = ", ".join(f"{name} {state['shuffle'].get(name)}, now {now[name]}" for name in changed)
            raise SyngraspError(f"the loader's state is of another order: {differing}")
        self._stream.restore(state["stream"])
        self._state = self._stream.state()

    def close(self) -> None:
        """Ends its threads."""
        self._threads.shutdown(cancel_futures=True)


def _frames_of_shards(source: Frames, shards: int) -> int:
    """Frames of so many shards of average size."""
    counts = source.frames_by_shard()
    used = counts[counts > 0]
    return max(1, int(shards * used.mean())) if len(used) else 1


def common_layout(sources: Sequence[Frames], window: Window | None) -> Layout:
    """Arrays that all sources have, with room for the most objects. Raises SyngraspError where shapes do not agree."""
    layouts = [source.layout(window) for source in sources]
    common: dict[str, tuple[tuple[int, ...], np.dtype[Any]]] = {}
    for name, (shape, dtype) in layouts[0].items():
        if any(name not in other for other in layouts):
            continue
        objects = _object_axis(name)
        shapes = [other[name][0] for other in layouts]
        for k, other in enumerate(shapes):
            apart = [axis for axis in range(len(shape)) if axis != objects and other[axis] != shape[axis]]
            if len(other) != len(shape) or apart:
                raise SyngraspError(
                    f"{name} is {shape} in dataset 0 and {other} in dataset {k}: they cannot be mixed; render or "
                    "import them alike, or open both with arrays=… without it"
                )
        common[name] = (tuple(max(sizes) for sizes in zip(*shapes, strict=True)), dtype)
    return common


def _object_axis(name: str) -> int | None:
    """Which axis of an item's array counts objects."""
    shape = SPECS[name].shape if name in SPECS else ()
    return shape.index("N") - 1 if "N" in shape else None


def _fitting(arrays: Mapping[str, NDArray[Any]], layout: Layout, at: I64) -> dict[str, NDArray[Any]]:
    """The parts of a mixture's arrays that a source fills; rows at[…] beyond its objects are marked unused."""
    out = {}
    for name, values in arrays.items():
        axis = _object_axis(name)
        if axis is not None and layout[name][0][axis] < values.shape[axis + 1]:
            values[at] = SPECS[name].fill
            values = values[(slice(None),) * (axis + 1) + (slice(layout[name][0][axis]),)]
        out[name] = values
    return out
