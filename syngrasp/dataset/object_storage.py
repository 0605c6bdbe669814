"""A dataset in a bucket, through obstore. Credentials, region and endpoint come from the environment
(AWS_…, GOOGLE_…, AZURE_…), as with the vendors' own clients."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import from_url

from syngrasp.dataset.storage import FileInfo, Sink, Storage
from syngrasp.errors import StorageError

MIN_PART_BYTES = 5 << 20  # what S3 demands of every part but the last


class ObjectStorage(Storage):
    """A bucket, or the part of it under a prefix."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        try:
            # Options given here replace those of the environment, so none are given but this one.
            plain = os.environ.get("AWS_ENDPOINT_URL", "").startswith("http://")
            self._store: Any = from_url(self.url, client_options={"allow_http": True} if plain else None)
        except (BaseError, ValueError) as error:
            raise StorageError(url, f"not an address that can be opened: {_first_line(error)}") from error

    def __reduce__(self) -> tuple[type[ObjectStorage], tuple[str]]:
        return ObjectStorage, (self.url,)

    def read(self, path: str) -> bytes:
        with _reading(self.url, path):
            return bytes(obstore.get(self._store, path).bytes())

    def read_range(self, path: str, start: int, length: int) -> bytes | memoryview:
        with _reading(self.url, path):
            if start < 0:
                options: Any = {"range": {"suffix": -start}}
                return memoryview(obstore.get(self._store, path, options=options).bytes())[:length]
            return memoryview(obstore.get_range(self._store, path, start=start, length=length))

    def read_ranges(self, path: str, starts: Sequence[int], lengths: Sequence[int]) -> list[memoryview]:
        """Several ranges of one file at once, near ones joined into one request."""
        with _reading(self.url, path):
            return [memoryview(b) for b in obstore.get_ranges(self._store, path, starts=starts, lengths=lengths)]

    def stat(self, path: str) -> FileInfo:
        with _reading(self.url, path):
            return _info(obstore.head(self._store, path))

    def list(self, prefix: str) -> Iterator[FileInfo]:
        found = []
        with _reading(self.url, prefix):
            for batch in obstore.list(self._store, prefix=f"{prefix}/" if prefix else None):
                found += [_info(meta) for meta in batch]
        yield from sorted(found, key=lambda info: info.path)

    def names(self, prefix: str) -> list[str]:
        with _reading(self.url, prefix):
            result = obstore.list_with_delimiter(self._store, prefix=f"{prefix}/" if prefix else None)
        paths = [*result["common_prefixes"], *(m["path"] for m in result["objects"])]
        return sorted(p.rstrip("/").rpartition("/")[2] for p in paths)

    def write(self, path: str, data: bytes, *, durable: bool = True) -> None:
        with _writing(self.url, path):
            obstore.put(self._store, path, data)

    def create(self, path: str, data: bytes) -> bool:
        with _writing(self.url, path):
            try:
                obstore.put(self._store, path, data, mode="create", use_multipart=False)
            except AlreadyExistsError:
                # A retry after a lost answer meets its own object.
                return self.read(path) == data
        return True

    def sink(self, path: str, part_bytes: int) -> Sink:
        with _writing(self.url, path):
            return _ObjectSink(self, path, max(part_bytes, MIN_PART_BYTES))

    def sync(self, folder: str) -> None:
        """A bucket has stored what it has acknowledged."""

    def delete(self, prefix: str) -> None:
        paths = [info.path for info in self.list(prefix)] or [prefix]
        with _writing(self.url, prefix), suppress(FileNotFoundError):
            obstore.delete(self._store, paths)


class _ObjectSink:
    """A multipart upload; small files go up in one request when closed."""

    def __init__(self, storage: ObjectStorage, path: str, part_bytes: int) -> None:
        self._storage, self._path = storage, path
        self._writer: Any = obstore.open_writer(storage._store, path, buffer_size=part_bytes, max_concurrency=2)

    def write(self, data: bytes | memoryview) -> None:
        with _writing(self._storage.url, self._path):
            self._writer.write(data)

    def close(self) -> None:
        with _writing(self._storage.url, self._path):
            self._writer.close()

    def abort(self) -> None:
        self._writer = None  # never closed, so never seen; the bucket's lifecycle rule drops the parts


def _info(meta: Any) -> FileInfo:
    return FileInfo(meta["path"], meta["size"], meta["last_modified"].timestamp())


_used_in: int | None = None  # the process whose threads obstore's requests run on


def _check_process() -> None:
    """Raises RuntimeError where this process was forked from one that has used a bucket: requests would hang."""
    global _used_in
    if _used_in is None:
        _used_in = os.getpid()
    elif _used_in != os.getpid():
        raise RuntimeError(
            "this process was forked from one that has used a bucket, and requests of obstore do not survive that: "
            "start it with the method spawn, as in DataLoader(…, multiprocessing_context='spawn')"
        )


@contextmanager
def _reading(url: str, path: str) -> Iterator[None]:
    _check_process()
    try:
        yield
    except FileNotFoundError:
        raise
    except BaseError as error:
        raise OSError(f"cannot read {url}/{path}: {_first_line(error)}") from error


@contextmanager
def _writing(url: str, path: str) -> Iterator[None]:
    _check_process()
    try:
        yield
    except (BaseError, OSError) as error:
        raise StorageError(f"{url}/{path}", _first_line(error)) from error


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
