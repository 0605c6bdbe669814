"""Memory that comes back by itself: fresh pages cost as much as decoding a picture into them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.dataset.shard_array import empty

Layout = Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]
Allocate = Callable[[tuple[int, ...], "np.dtype[Any]"], NDArray[Any]]


class BufferPool:
    """Arrays by shape and dtype. One that was lent is lent again once nobody holds it or a view of it any more.

    `allocate(shape, dtype)` makes new ones (pinned memory, say). Thread-safe.
    """

    def __init__(self, allocate: Allocate = empty) -> None:
        self._allocate = allocate
        self._free: dict[tuple[tuple[int, ...], str], list[NDArray[Any]]] = {}
        self._lock = threading.Lock()

    def lend(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
        """An array of any content."""
        key = (shape, dtype.str)
        with self._lock:
            free = self._free.setdefault(key, [])
            memory = free.pop() if free else None
        if memory is None:
            memory = self._allocate(shape, dtype)
        return np.asarray(_Lease(memory, free))

    def batch(self, count: int, layout: Layout) -> dict[str, NDArray[Any]]:
        """Arrays of `count` rows each."""
        return {name: self.lend((count, *shape), dtype) for name, (shape, dtype) in layout.items()}


class _Lease:
    """What arrays made of it hold on to: it hands the memory back when the last of them is gone."""

    def __init__(self, memory: NDArray[Any], free: list[NDArray[Any]]) -> None:
        self._memory, self._free = memory, free
        self.__array_interface__ = memory.__array_interface__

    def __del__(self) -> None:
        self._free.append(self._memory)
