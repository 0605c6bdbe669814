"""Where a dataset lies: a folder, or a bucket reached through obstore. Paths are relative, with slashes."""

from __future__ import annotations

import errno
import mmap
import os
import secrets
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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
    text = os.fspath(where)
    scheme, separator, rest = text.partition("://")
    if not separator:
        return LocalStorage(Path(text))
    if scheme == "file":
        return LocalStorage(Path(rest))
    from syngrasp.dataset.object_storage import ObjectStorage

    return ObjectStorage(text)


class LocalStorage(Storage):
    """A folder of this machine or of a shared file system."""

    def __init__(self, root: Path) -> None:
        self.root = Path(os.path.abspath(root))
        self.url = str(self.root)

    def read(self, path: str) -> bytes:
        return (self.root / path).read_bytes()

    def read_range(self, path: str, start: int, length: int) -> bytes | memoryview:
        with open(self.root / path, "rb", buffering=0) as file:
            offset = start if start >= 0 else max(0, os.fstat(file.fileno()).st_size + start)
            return os.pread(file.fileno(), length, offset)

    def map(self, path: str) -> memoryview:
        """The whole of a file as read-only memory, paged in on use."""
        with open(self.root / path, "rb") as file:
            if os.fstat(file.fileno()).st_size == 0:
                return memoryview(b"")
            return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))

    def stat(self, path: str) -> FileInfo:
        stat = (self.root / path).stat()
        return FileInfo(path, stat.st_size, stat.st_mtime)

    def list(self, prefix: str) -> Iterator[FileInfo]:
        for folder, folders, files in os.walk(self.root / prefix):
            folders.sort()
            for name in sorted(files):
                path = Path(folder, name)
                try:
                    stat = path.stat()
                except FileNotFoundError:  # deleted by another process meanwhile
                    continue
                yield FileInfo(path.relative_to(self.root).as_posix(), stat.st_size, stat.st_mtime)

    def empty_folders(self, prefix: str) -> Iterator[FileInfo]:
        for folder, folders, files in os.walk(self.root / prefix):
            folders.sort()
            path = Path(folder)
            if not folders and not files and path != self.root / prefix:
                with suppress(FileNotFoundError):  # deleted by another process meanwhile
                    yield FileInfo(path.relative_to(self.root).as_posix(), 0, path.stat().st_mtime)

    def names(self, prefix: str) -> list[str]:
        try:
            return sorted(os.listdir(self.root / prefix))
        except FileNotFoundError:
            return []

    def write(self, path: str, data: bytes, *, durable: bool = True) -> None:
        with writing(f"{self.url}/{path}"):
            temporary = self._temporary(path, data, durable)
            os.replace(temporary, self.root / path)
            if durable:
                _sync_folder((self.root / path).parent)

    def create(self, path: str, data: bytes) -> bool:
        with writing(f"{self.url}/{path}"):
            target = self.root / path
            if target.exists():
                return False
            temporary = self._temporary(path, data, durable=True)
            try:
                os.link(temporary, target)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK):
                    raise
                return _create_without_links(target, data)
            finally:
                temporary.unlink()
                _sync_folder(target.parent)
            return True

    def sink(self, path: str, part_bytes: int) -> Sink:
        with writing(f"{self.url}/{path}"):
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            return _LocalSink(self.root / path)

    def sync(self, folder: str) -> None:
        with writing(f"{self.url}/{folder}"):
            for path, _, _ in os.walk(self.root / folder):
                _sync_folder(Path(path))
            above = self.root / folder
            while above != self.root:
                above = above.parent
                _sync_folder(above)

    def delete(self, prefix: str) -> None:
        path = self.root / prefix
        with writing(f"{self.url}/{prefix}"):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)

    def _temporary(self, path: str, data: bytes, durable: bool) -> Path:
        """Writes under a name of its own beside the target; a leftover of a crash is found by `gc`."""
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.tmp")
        try:
            with open(temporary, "xb") as file:
                file.write(data)
                file.flush()
                if durable:
                    os.fsync(file.fileno())
        except OSError:
            temporary.unlink(missing_ok=True)
            raise
        return temporary


class _LocalSink:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = open(path, "xb", buffering=1 << 18)  # noqa: SIM115 (closed by close or abort)

    def write(self, data: bytes | memoryview) -> None:
        with writing(str(self._path)):
            self._file.write(data)

    def close(self) -> None:
        with writing(str(self._path)):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()

    def abort(self) -> None:
        with suppress(OSError):  # closing flushes, and so may meet the full disk once more
            self._file.close()


def _create_without_links(target: Path, data: bytes) -> bool:
    """Create-exclusive where the file system has no hard links. A crash inside may leave a torn file, which its
    own checksum shows."""
    try:
        file = open(target, "xb")  # noqa: SIM115 (an existing file is an answer, a failed write is not)
    except FileExistsError:
        return False
    try:
        with file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        target.unlink()
        raise
    return True


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


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
