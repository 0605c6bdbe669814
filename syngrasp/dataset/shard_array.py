"""Reads one array of one shard: its index is read once, then each row or chunk is one slice or range read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.dataset import jpeg
from syngrasp.dataset.local_storage import LocalStorage
from syngrasp.dataset.packing import unpack_into
from syngrasp.dataset.storage import Storage
from syngrasp.dataset.zarr_format import NO_CHUNK, ArrayMeta, parse_index

I64 = NDArray[np.int64]


def empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Memory for rows, placed for the fastest decoding where they may be pictures."""
    return jpeg.empty_pictures(shape) if dtype == np.uint8 and len(shape) >= 3 else np.empty(shape, dtype)


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
        self._cache: dict[int, NDArray[Any]] = {}

    def __len__(self) -> int:
        return self.shape[0]

    def row(self, i: int, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Row i, in `out` (contiguous) when given."""
        if self._view is not None and out is None:
            return self._view[i].copy()
        if self.meta.spec.packing == "raw":
            row = self._rows_of_numbers(i, i + 1)[0]
            if out is None:
                return row.copy()
            out[...] = row
            return out
        return self._picture(i, empty(self.shape[1:], self.dtype) if out is None else out)

    def rows(self, start: int, stop: int, out: NDArray[Any] | None = None) -> NDArray[Any]:
        """Rows start…stop−1, in `out` (contiguous) when given."""
        if out is None:
            out = empty((stop - start, *self.shape[1:]), self.dtype)
        if self.meta.spec.packing == "raw":
            out[...] = self._rows_of_numbers(start, stop)
            return out
        for k in range(start, stop):
            self._picture(k, out[k - start])
        return out

    def pick(self, rows: Sequence[int] | I64) -> NDArray[Any]:
        """Rows (K,) of plain numbers, in any order, as an array of the caller's own."""
        if self._numbers is not None:
            return self._numbers[rows]
        out = np.empty((len(rows), *self.shape[1:]), self.dtype)
        self.take(np.asarray(rows), out)
        return out

    def take(self, rows: I64, out: NDArray[Any], at: I64 | slice = slice(None)) -> None:
        """Writes rows (K,), in any order, to out[at], out of shape (B, …). On a bucket they are asked for at once."""
        if self.meta.spec.packing == "raw":
            self._take_numbers(rows, out, at)
            return
        places = np.arange(len(out))[at]
        for row, place, data in zip(rows, places, self.chunks(rows), strict=True):
            self._unpack(int(row), data, out[place])

    def chunk(self, i: int) -> memoryview | bytes:
        """The stored bytes of chunk i."""
        start, length = self.index[i].tolist()
        if start == NO_CHUNK:
            raise ValueError(f"{self._path}: chunk {i} was never written")
        mapped = self._map
        data = self._storage.read_range(self._path, start, length) if mapped is None else mapped[start : start + length]
        return self._whole(i, length, data)

    def chunks(self, numbers: I64) -> Sequence[memoryview | bytes]:
        """The stored bytes of several chunks."""
        starts, lengths = self.index[numbers].T.tolist()
        if self._map is not None or NO_CHUNK in starts:
            return [self.chunk(int(i)) for i in numbers]
        found = self._storage.read_ranges(self._path, starts, lengths)
        return [self._whole(*told) for told in zip(numbers, lengths, found, strict=True)]

    def _whole(self, i: int, length: int, data: bytes | memoryview) -> bytes | memoryview:
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

    def _take_numbers(self, rows: I64, out: NDArray[Any], at: I64 | slice) -> None:
        if self._numbers is not None:
            out[at] = self._numbers[rows]
            return
        per_chunk = self.meta.chunk_rows
        wanted, which = np.unique(rows // per_chunk, return_inverse=True)
        chunks = self._numbers_of_chunks(wanted)
        values = np.empty((len(rows), *self.shape[1:]), self.dtype)
        for k, chunk in enumerate(chunks):
            here = which == k
            values[here] = chunk[rows[here] % per_chunk]
        out[at] = values

    def _rows_of_numbers(self, start: int, stop: int) -> NDArray[Any]:
        if self._numbers is not None:
            return self._numbers[start:stop]
        per_chunk = self.meta.chunk_rows
        first, last = start // per_chunk, -(-stop // per_chunk)
        chunks = self._numbers_of_chunks(np.arange(first, last))
        joined = chunks[0] if len(chunks) == 1 else np.concatenate(chunks) if chunks else self._none
        return joined[start - first * per_chunk : stop - first * per_chunk]

    @property
    def _none(self) -> NDArray[Any]:
        return np.empty((0, *self.shape[1:]), self.dtype)

    def _numbers_of_chunks(self, numbers: I64) -> list[NDArray[Any]]:
        """Chunks of plain numbers, kept for as long as the shard is open: each is asked for once."""
        missing = np.array([n for n in numbers.tolist() if n not in self._cache], np.int64)
        if len(missing):
            shape = (self.meta.chunk_rows, *self.shape[1:])
            for number, data in zip(missing.tolist(), self.chunks(missing), strict=True):
                self._cache[number] = unpack_into("raw", data, np.empty(shape, self.dtype))
        return [self._cache[n] for n in numbers.tolist()]

    def _picture(self, i: int, out: NDArray[Any]) -> NDArray[Any]:
        if not 0 <= i < len(self):
            raise IndexError(f"row {i} of {len(self)}")
        return self._unpack(i, self.chunk(i), out)

    def _unpack(self, i: int, data: bytes | memoryview, out: NDArray[Any]) -> NDArray[Any]:
        try:
            return unpack_into(self.meta.spec.packing, data, out)
        except ValueError as error:
            raise ValueError(f"{self._path}: chunk {i}: {error}") from error
