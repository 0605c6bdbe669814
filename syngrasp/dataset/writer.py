"""Writes a shard as it is made: every array is one Zarr v3 shard file that grows chunk by chunk.

What is held in memory is one row, the open files' buffers, and 16 bytes per written picture.
"""

from __future__ import annotations

import hashlib
import secrets
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from syngrasp.dataset.episodes import dump_line, episode_line
from syngrasp.dataset.packing import pack
from syngrasp.dataset.schema import SPECS, ArraySpec, check_arrays, episode_arrays
from syngrasp.dataset.storage import Storage, open_storage
from syngrasp.dataset.zarr_format import ArrayMeta, array_json, dump, group_json, pack_index
from syngrasp.errors import StorageError
from syngrasp.records import Episode

PICTURE_PART_BYTES = 8 << 20
SMALL_PART_BYTES = 5 << 20


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What a commit says of a file."""

    bytes: int
    checksum: str


@dataclass(frozen=True, slots=True)
class ShardSummary:
    """A finished, not yet committed shard."""

    shard: int
    attempt_id: str
    frames: int
    episodes: tuple[int, ...]  # slots that were filled
    files: dict[str, FileRecord]  # by path in the attempt's folder


def attempt_folder(shard: int, attempt_id: str) -> str:
    """Where an attempt at a shard lies in the dataset."""
    return f"shards/{shard:05d}/{attempt_id}"


def new_attempt_id() -> str:
    """A name that no other attempt has."""
    return secrets.token_hex(8)


class ShardWriter:
    """Appends episodes, in order of their slots, to a new attempt at a shard.

    `max_objects` is the N of the dataset's arrays: the largest number of objects a scene may hold. Nothing is
    visible to readers before the summary is committed. Not thread-safe. As a context manager it drops the attempt
    on an exception, and when `finish` was not called.
    """

    def __init__(
        self, root: str | PathLike[str] | Storage, shard: int, *, max_objects: int, attempt_id: str | None = None
    ) -> None:
        self._storage = open_storage(root)
        self.shard = shard
        self.max_objects = max_objects
        self.attempt_id = attempt_id or new_attempt_id()
        self.frames = 0
        self.renderer: dict[str, Any] = {}  # what made the pictures of the last episode
        self._folder = attempt_folder(shard, self.attempt_id)
        self._episodes: list[int] = []
        self._cameras: tuple[str, ...] = ()
        self._arrays: dict[str, _ShardFile] = {}
        self._files: dict[str, FileRecord] = {}
        self._lines: _HashedFile | None = self._open("episodes.jsonl", SMALL_PART_BYTES)

    def append(self, episode: Episode) -> None:
        """Writes an episode. Raises ValueError where it breaks the schema or the order of slots (nothing was
        written then), StorageError where the storage refuses (the attempt is lost then)."""
        slot = episode.rollout.scene.slot
        try:
            arrays = episode_arrays(episode, self.max_objects)
            line = episode_line(episode, self.frames)
        except ValueError as error:
            raise ValueError(f"shard {slot.shard}, episode {slot.episode}: {error}") from error
        self.append_arrays(arrays, line, episode.cameras)
        self.renderer = episode.renderer

    def append_arrays(
        self, arrays: Mapping[str, NDArray[Any]], line: Mapping[str, Any], cameras: Sequence[str]
    ) -> None:
        """Writes an episode that no simulation made: its arrays by name and its line, whose `start` and `length` are
        set here. Errors as of `append`."""
        if self._lines is None:
            raise RuntimeError("this shard writer is finished")
        slot = line["episode"]
        try:
            self._check_order(line["shard"], slot)
            check_arrays(arrays, cameras, len(line["objects"]), self.max_objects)
            length = len(arrays["phase"])
            whole = {**arrays, "episode_ends": np.array(self.frames + length, np.int64)}
            self._check_like_others(cameras, whole)
            text = dump_line({**line, "start": self.frames, "length": length})
        except ValueError as error:
            raise ValueError(f"shard {line['shard']}, episode {slot}: {error}") from error
        self._cameras = tuple(cameras) if "images" in whole else ()
        for name, values in whole.items():
            if name not in self._arrays:
                self._arrays[name] = self._open_array(SPECS[name], values)
            rows = values if SPECS[name].per_frame else values[None]
            self._arrays[name].append(rows)
        self._lines.write(text)
        self.frames += length
        self._episodes.append(slot)

    def finish(self) -> ShardSummary:
        """Ends and syncs every file. The shard counts only once it is committed."""
        if self._lines is None:
            raise RuntimeError("this shard writer is finished")
        documents: dict[str, dict[str, Any]] = {}
        for name, shard_file in self._arrays.items():
            meta = shard_file.finish()
            documents[name] = array_json(meta)
            self._files[f"frames.zarr/{name}/{meta.key}"] = shard_file.file.record
            self._put(f"frames.zarr/{name}/zarr.json", dump(documents[name]))
        attributes = {"cameras": list(self._cameras), "max_objects": self.max_objects}
        self._put("frames.zarr/zarr.json", dump(group_json(documents, attributes)))
        self._lines.close()
        self._files["episodes.jsonl"] = self._lines.record
        self._lines = None
        self._storage.sync(self._folder)
        files = dict(sorted(self._files.items()))
        return ShardSummary(self.shard, self.attempt_id, self.frames, tuple(self._episodes), files)

    def abort(self) -> None:
        """Drops the attempt and its files."""
        for file in self._open_files():
            file.abort()
        self._lines = None
        self._storage.delete(self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._lines is None:
            return
        try:
            self.abort()
        except StorageError:
            if error is None:
                raise

    def _check_order(self, shard: int, slot: int) -> None:
        if shard != self.shard:
            raise ValueError(f"does not belong to shard {self.shard}")
        if self._episodes and slot <= self._episodes[-1]:
            raise ValueError(f"comes after episode {self._episodes[-1]}; a shard is written in order of its slots")

    def _check_like_others(self, cameras: Sequence[str], arrays: Mapping[str, NDArray[Any]]) -> None:
        if not self._episodes:
            return
        if set(arrays) != set(self._arrays):
            differing = ", ".join(sorted(set(arrays) ^ set(self._arrays)))
            raise ValueError(f"differs from the episodes before it in having or lacking {differing}")
        if "images" in arrays and tuple(cameras) != self._cameras:
            raise ValueError(f"has cameras {tuple(cameras)}, the episodes before it {self._cameras}")
        for name, values in arrays.items():
            row = values.shape[1:] if SPECS[name].per_frame else values.shape
            if row != self._arrays[name].row_shape:
                raise ValueError(f"{name} has rows of shape {row}, before it {self._arrays[name].row_shape}")

    def _open(self, name: str, part_bytes: int) -> _HashedFile:
        return _HashedFile(self._storage, f"{self._folder}/{name}", part_bytes)

    def _open_array(self, spec: ArraySpec, values: NDArray[Any]) -> _ShardFile:
        row_shape = values.shape[1:] if spec.per_frame else values.shape
        key = ArrayMeta(spec, (1, *row_shape), 1).key
        part_bytes = PICTURE_PART_BYTES if spec.packing != "raw" else SMALL_PART_BYTES
        return _ShardFile(spec, row_shape, self._open(f"frames.zarr/{spec.name}/{key}", part_bytes))

    def _put(self, name: str, data: bytes) -> None:
        file = self._open(name, SMALL_PART_BYTES)
        file.write(data)
        file.close()
        self._files[name] = file.record

    def _open_files(self) -> Iterable[_HashedFile]:
        yield from (shard_file.file for shard_file in self._arrays.values())
        if self._lines is not None:
            yield self._lines


class _ShardFile:
    """The shard file of one array."""

    def __init__(self, spec: ArraySpec, row_shape: tuple[int, ...], file: _HashedFile) -> None:
        self.spec, self.row_shape, self.file = spec, row_shape, file
        self._rows = 0
        self._lengths = array("Q")  # of packed chunks; raw ones all have the same

    def append(self, rows: NDArray[Any]) -> None:
        self._rows += len(rows)
        if self.spec.packing == "raw":
            self.file.write(pack("raw", rows))
            return
        for row in rows:
            chunk = pack(self.spec.packing, row)
            self.file.write(chunk)
            self._lengths.append(len(chunk))

    def finish(self) -> ArrayMeta:
        """Writes the index. Raw rows lie without gaps, so their chunks are cut now that their number is known."""
        raw = self.spec.packing == "raw"
        chunk_rows = min(self.spec.chunk_rows, self._rows) if raw else 1
        meta = ArrayMeta(self.spec, (self._rows, *self.row_shape), chunk_rows)
        lengths = np.array(self._lengths, np.uint64)
        if raw:
            missing = np.full((meta.chunks * chunk_rows - self._rows, *self.row_shape), self.spec.fill, self.spec.dtype)
            self.file.write(pack("raw", missing))
            row_bytes = int(np.prod(self.row_shape, dtype=np.int64)) * np.dtype(self.spec.dtype).itemsize
            lengths = np.full(meta.chunks, chunk_rows * row_bytes, np.uint64)
        self.file.write(pack_index(np.cumsum(lengths) - lengths, lengths))
        self.file.close()
        return meta


class _HashedFile:
    """A sink that counts and hashes what passes."""

    def __init__(self, storage: Storage, path: str, part_bytes: int) -> None:
        self._sink = storage.sink(path, part_bytes)
        self._hash = hashlib.sha256()
        self._bytes = 0

    def write(self, data: bytes) -> None:
        if data:
            self._sink.write(data)
            self._hash.update(data)
            self._bytes += len(data)

    def close(self) -> None:
        self._sink.close()

    def abort(self) -> None:
        self._sink.abort()

    @property
    def record(self) -> FileRecord:
        return FileRecord(self._bytes, f"sha256:{self._hash.hexdigest()}")
