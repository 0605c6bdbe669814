"""A dataset in a folder: temporary names, links and fsync make its writes atomic and durable."""

from __future__ import annotations

import errno
import mmap
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from syngrasp.dataset.storage import FileInfo, Sink, Storage, writing


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
