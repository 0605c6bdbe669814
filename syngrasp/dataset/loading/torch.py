"""Views for PyTorch: map-style, and as a stream that DataLoader's workers share (extra `train`).

Batches of a `Loader` need no DataLoader: `tensors(loader)` gives them as they are, decoded by threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from syngrasp.dataset.loading.loader import Batch, Loader, Sources
from syngrasp.dataset.loading.stream import Frames, State
from syngrasp.dataset.loading.window import Window
from syngrasp.errors import MissingExtra

try:
    import torch
    from torch.utils.data import Dataset as TorchDataset
    from torch.utils.data import IterableDataset, get_worker_info
except ImportError as error:
    raise MissingExtra("torch", "train") from error


class TorchFrames(TorchDataset[dict[str, Any]]):
    """Frames, or items of `window`, by number: arrays as tensors, and the `fields` of their episodes' lines."""

    def __init__(self, source: Frames, *, window: Window | None = None, fields: Iterable[str] = ()) -> None:
        self.source, self.window, self.fields = source, window, tuple(fields)

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, i: int) -> dict[str, Any]:
        found = self.__getitems__([i])
        return found[0]

    def __getitems__(self, numbers: list[int]) -> list[dict[str, Any]]:
        """Several items at once, as DataLoader asks for a batch."""
        read = self.source.read(np.asarray(numbers), window=self.window)
        arrays = as_tensors({**read, "frame": self.source.locate(np.asarray(numbers))})
        lists = {name: self.source.field(numbers, name) for name in self.fields}
        return [{name: values[k] for name, values in (arrays | lists).items()} for k in range(len(numbers))]


class TorchStream(IterableDataset[dict[str, Any]]):
    """Batches of a `Loader` for `DataLoader(stream, batch_size=None, num_workers=…)`: every worker of every rank reads
    its own share of the frames. `options` are the `Loader`'s, with `rank` and `world_size` of the process.

    From a bucket, workers are started with `multiprocessing_context="spawn"`.
    With torchdata's StatefulDataLoader the position is saved and restored; each worker keeps its own.
    """

    def __init__(self, source: Sources, batch_size: int = 64, **options: Any) -> None:
        self._source, self._batch_size = source, batch_size
        self._options: dict[str, Any] = {"rank": 0, "world_size": 1, "threads": 1, "prefetch": 2} | options
        self._loader: Loader | None = None
        self._state: State | None = None

    @property
    def loader(self) -> Loader:
        """The loader of this process's share."""
        if self._loader is None:
            worker = get_worker_info()
            count, number = (worker.num_workers, worker.id) if worker else (1, 0)
            options: dict[str, Any] = dict(self._options)
            options["rank"] = options["rank"] * count + number
            options["world_size"] *= count
            self._loader = Loader(self._source, self._batch_size, **options)
            if self._state is not None:
                self._loader.load_state_dict(self._state)
        return self._loader

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return tensors(self.loader)

    def state_dict(self) -> State:
        """Where this process's share is."""
        return self.loader.state_dict()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on from there."""
        self._state = dict(state)
        if self._loader is not None:
            self._loader.load_state_dict(state)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_loader": None}


def tensors(batches: Iterable[Batch]) -> Iterator[dict[str, Any]]:
    """Batches with tensors that share the arrays' memory."""
    return map(as_tensors, batches)


def as_tensors(batch: Mapping[str, Any]) -> dict[str, Any]:
    """A batch with tensors that share its arrays' memory; what is no array stays."""
    return {name: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for name, v in batch.items()}


def pinned(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """Page-locked memory, from which a GPU copies while it computes: `Loader(…, pool=BufferPool(pinned))`."""
    return torch.from_numpy(np.empty(shape, dtype)).pin_memory().numpy()
