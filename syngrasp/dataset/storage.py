"""Where a dataset lies: a folder, or a bucket reached through obstore. Paths are relative, with slashes."""

from __future__ import annotations

import errno
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from syngrasp.errors import StorageError


@dataclass(frozen=True, slots=True)
class FileInfo:
    """A stored file."""

    path: str
    bytes: int
    modified: float  # seconds since 1970


class Sink(Protocol):
    """A file being written from its start to its end. Nobody sees it under its name before `close` on a bucket."""

    def write(self, data: bytes | memoryview) -> None:
        """Appends."""
        ...

    def close(self) -> None:
        """Makes the file durable."""
        ...

    def abort(self) -> None:
        """Gives up the file."""
        ...


class Storage(ABC):
    """The few operations that a dataset needs. Those that write raise StorageError, in one line, when refused;
    those that read raise FileNotFoundError or OSError."""

    url: str

    @abstractmethod
    def read(self, path: str) -> bytes:
        """The whole of a file."""

    @abstractmethod
    def read_range(self, path: str, start: int, length: int) -> bytes | memoryview:
        """`length` bytes from `start`; a negative start counts from the end."""

    def read_ranges(self, path: str, starts: Sequence[int], lengths: Sequence[int]) -> Sequence[bytes | memoryview]:
        """Several ranges of one file, counted from its start."""
        return [self.read_range(path, start, length) for start, length in zip(starts, lengths, strict=True)]

    @abstractmethod
    def stat(self, path: str) -> FileInfo:
        """Size and age of a file."""

    def size(self, path: str) -> int:
        """Bytes of a file."""
        return self.stat(path).bytes

    @abstractmethod
    def list(self, prefix: str) -> Iterator[FileInfo]:
        """Every file in a folder and below it, in order of path; none where the folder is missing."""

    def empty_folders(self, prefix: str) -> Iterator[FileInfo]:
        """Every folder below a folder that holds nothing, as a process leaves it that died; buckets have none."""
        yield from ()

    @abstractmethod
    def names(self, prefix: str) -> list[str]:
        """The names of files and folders right in a folder, sorted; none where it is missing."""

    @abstractmethod
    def write(self, path: str, data: bytes, *, durable: bool = True) -> None:
        """Writes or replaces a file: a reader sees the old or the new, never a part."""

    @abstractmethod
    def create(self, path: str, data: bytes) -> bool:
        """Writes a file durably unless it exists. Of several at once exactly one succeeds; False: it existed."""

    @abstractmethod
    def sink(self, path: str, part_bytes: int) -> Sink:
        """Opens a new file for streaming; about `part_bytes` are held in memory."""

    @abstractmethod
    def sync(self, folder: str) -> None:
        """Makes the names in a folder (and of the folder) durable."""

    @abstractmethod
    def delete(self, prefix: str) -> None:
        """Deletes a file, or a folder with all in it; nothing happens where it is missing."""

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        try:
            self.size(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True


def open_storage(where: str | os.PathLike[str] | Storage) -> Storage:
    """The storage at a path, or at an `s3://`, `gs://` or `az://` address."""
    if isinstance(where, Storage):
        return where
    from syngrasp.dataset.local_storage import LocalStorage

    text = os.fspath(where)
    scheme, separator, rest = text.partition("://")
    if not separator:
        return LocalStorage(Path(text))
    if scheme == "file":
        return LocalStorage(Path(rest))
    from syngrasp.dataset.object_storage import ObjectStorage

    return ObjectStorage(text)


@contextmanager
def writing(where: str) -> Iterator[None]:
    """Turns what the operating system refuses into one clear line."""
    try:
        yield
    except OSError as error:
        raise StorageError(where, _plainly(error)) from error


def _plainly(error: OSError) -> str:
    known: dict[Any, str] = {
        errno.ENOSPC: "no space left on the device",
        errno.EDQUOT: "the disk quota is used up",
        errno.EFBIG: "the file would grow past its size limit",
        errno.EACCES: "permission denied",
        errno.EPERM: "not permitted",
        errno.EROFS: "the file system is read-only",
        errno.ENOTDIR: "a part of the path is a file, not a folder",
        errno.EMFILE: "too many open files (raise `ulimit -n`)",
    }
    return known.get(error.errno, error.strerror or str(error))
