"""Reads one array of one shard: its index is read once, then each row or chunk is one slice or range read."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.dataset.local_storage import LocalStorage
from syngrasp.dataset.packing import unpack_into
from syngrasp.dataset.storage import Storage
from syngrasp.dataset.zarr_format import NO_CHUNK, ArrayMeta, parse_index

CACHED_CHUNKS = 8  # of plain numbers, per array, where every read is a request


class ShardArray:
    """An array of a shard, read lazily. Thread-safe. Raises ValueError where the file is damaged."""

    def __init__(self, storage: Storage, folder: str, meta: ArrayMeta) -> None:
        self.meta = meta
        self.shape = meta.shape
        self.dtype = np.dtype(meta.spec.dtype)
        self._storage = storage
        self._path = f"{folder}/{meta.spec.name}/{meta.key}"
        self._row_bytes = int(np.prod(meta.shape[1:], dtype=np.int64)) * self.dtype.itemsize
        # Filled on first use; two threads that meet there do the same work, no harm done.
        self._index: NDArray[np.uint64] | None = None
        self._mapped: memoryview | None = None
        self._view: NDArray[Any] | None = None
        self._cache: OrderedDict[int, NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return self.shape[0]

    def row(self, i: int, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Row i, in `out` (contiguous) when given."""
        if self.meta.spec.packing == "raw":
            row = self._rows_of_numbers(i, i + 1)[0]
            if out is None:
                return row.copy()
            out[...] = row
            return out
        return self._picture(i, np.empty(self.shape[1:], self.dtype) if out is None else out)

    def rows(self, start: int, stop: int, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Rows start…stop−1, in `out` (contiguous) when given."""
        if out is None:
            out = np.empty((stop - start, *self.shape[1:]), self.dtype)
        if self.meta.spec.packing == "raw":
            out[...] = self._rows_of_numbers(start, stop)
            return out
        for k in range(start, stop):
            self._picture(k, out[k - start])
        return out

    def chunk(self, i: int) -> memoryview | bytes:
        """The stored bytes of chunk i."""
        offset, length = (int(v) for v in self.index[i])
        if offset == NO_CHUNK:
            raise ValueError(f"{self._path}: chunk {i} was never written")
        if self._map is not None:
            data = self._map[offset : offset + length]
        else:
            data = self._storage.read_range(self._path, offset, length)
        if len(data) != length:
            raise ValueError(f"{self._path}: chunk {i} lies outside the file")
        return data

    @property
    def index(self) -> NDArray[np.uint64]:
        """Offset and length of every chunk, (chunks, 2)."""
        if self._index is None:
            self._index = self._read_index()
        return self._index

    def _read_index(self) -> NDArray[np.uint64]:
        tail = self.meta.index_bytes
        data: Any
        if self._map is not None:
            data = self._map[max(0, len(self._map) - tail) :]
        else:
            data = self._storage.read_range(self._path, -tail, tail)
        try:
            return parse_index(data, self.meta.chunks)
        except ValueError as error:
            raise ValueError(f"{self._path}: {error}") from error

    @property
    def _map(self) -> memoryview | None:
        if self._mapped is None and isinstance(self._storage, LocalStorage):
            self._mapped = self._storage.map(self._path)
        return self._mapped

    @property
    def _numbers(self) -> NDArray[Any] | None:
        """All rows as one view of the mapped file, where its chunks lie without gaps (as the writer leaves them)."""
        if self._view is None and self._map is not None:
            chunk_bytes = self.meta.chunk_rows * self._row_bytes
            expected = np.arange(self.meta.chunks, dtype=np.uint64) * np.uint64(chunk_bytes)
            whole = (self.index[:, 1] == chunk_bytes).all() and np.array_equal(self.index[:, 0], expected)
            if whole and len(self._map) >= chunk_bytes * self.meta.chunks:
                rows = np.frombuffer(self._map, self.dtype.newbyteorder("<"), count=int(np.prod(self.shape)))
                self._view = rows.reshape(self.shape)
        return self._view

    def _rows_of_numbers(self, start: int, stop: int) -> NDArray[Any]:
        if self._numbers is not None:
            return self._numbers[start:stop]
        per_chunk = self.meta.chunk_rows
        first, last = start // per_chunk, -(-stop // per_chunk)
        chunks = [self._numbers_of_chunk(c) for c in range(first, last)]
        joined = chunks[0] if len(chunks) == 1 else np.concatenate(chunks) if chunks else self._none
        return joined[start - first * per_chunk : stop - first * per_chunk]

    @property
    def _none(self) -> NDArray[Any]:
        return np.empty((0, *self.shape[1:]), self.dtype)

    def _numbers_of_chunk(self, i: int) -> NDArray[Any]:
        with self._lock:
            if i in self._cache:
                self._cache.move_to_end(i)
                return self._cache[i]
        shape = (self.meta.chunk_rows, *self.shape[1:])
        chunk = unpack_into("raw", self.chunk(i), np.empty(shape, self.dtype))
        with self._lock:
            self._cache[i] = chunk
            while len(self._cache) > CACHED_CHUNKS:
                self._cache.popitem(last=False)
        return chunk

    def _picture(self, i: int, out: NDArray[Any]) -> NDArray[Any]:
        if not 0 <= i < len(self):
            raise IndexError(f"row {i} of {len(self)}")
        try:
            return unpack_into(self.meta.spec.packing, self.chunk(i), out)
        except ValueError as error:
            raise ValueError(f"{self._path}: chunk {i}: {error}") from error
