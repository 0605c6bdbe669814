"""syngrasp's reader: frames, batches, windows, and the loader's shuffled epoch."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from syngrasp import dataset
from tests.benchmarks.loader.frames import STATES, picture_buffer

REQUIREMENTS: tuple[str, ...] = ()
BATCH = 64
Read = Iterator[tuple[list[int], Any, Any]]


class Reader:
    """`item`, `batch`, `window` or `epoch`; of 4 actions and 2 states where a stride is given: `window-3`."""

    def __init__(self, folder: Path, mode: str) -> None:
        kind, _, stride = mode.partition("-")
        self._ds = dataset.open(folder, arrays=("images", *STATES))
        self._window = dataset.Window(future=4, past=2, stride=int(stride)) if stride else None
        layout = self._ds.layout(self._window)
        self._out = {name: np.empty((BATCH, *shape), dtype) for name, (shape, dtype) in layout.items()}
        self._out["images"] = picture_buffer(BATCH)
        self._loader = dataset.Loader(self._ds, BATCH, threads=1, endless=True) if kind == "epoch" else None
        self._batches = iter(self._loader) if self._loader is not None else iter(())
        self._kind = kind

    def read(self, order: list[int]) -> Read:
        """Frames in this order; an epoch has its own."""
        if self._kind == "item":
            return self._items(order)
        if self._kind == "window":
            return self._windows(order)
        return self._epoch(order) if self._kind == "epoch" else self._batched(order)

    def _items(self, order: list[int]) -> Read:
        for i in order:
            frame = self._ds[i]
            yield [i], frame["images"], frame

    def _windows(self, order: list[int]) -> Read:
        assert self._window is not None
        for i in order:
            yield [i], self._ds.window(i, self._window)["images"], None

    def _batched(self, order: list[int]) -> Read:
        for k in range(0, len(order), BATCH):
            part = order[k : k + BATCH]
            whole = len(part) == BATCH
            out = self._out if whole else {name: values[: len(part)] for name, values in self._out.items()}
            yield part, self._ds.read(part, window=self._window, out=out)["images"], None

    def _epoch(self, order: list[int]) -> Read:
        for _ in range(-(-len(order) // BATCH)):
            batch = next(self._batches)
            yield batch["frame"].tolist(), batch["images"], None
