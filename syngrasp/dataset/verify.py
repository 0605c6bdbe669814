"""Checks a whole dataset: every committed byte, and whether what it says can be true."""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from syngrasp.dataset.attribution import ENTRIES, check_catalog
from syngrasp.dataset.checks import check_cameras, check_extents, check_line, check_pictures, check_states
from syngrasp.dataset.commits import (
    INFO,
    Commit,
    DatasetInfo,
    Root,
    commit_path,
    committed_shards,
    open_info,
    read_commit,
)
from syngrasp.dataset.documents import unseal
from syngrasp.dataset.reader import ShardReader
from syngrasp.dataset.schema import ARRAYS
from syngrasp.dataset.storage import Storage, open_storage
from syngrasp.dataset.writer import FileRecord
from syngrasp.errors import DatasetError

KEPT_PROBLEMS = 1000
_READ_BYTES = 8 << 20


class Problem(NamedTuple):
    """Something wrong, and where. `episode` is the slot's number in its shard."""

    shard: int | None
    episode: int | None
    array: str | None  # or file
    what: str

    def __str__(self) -> str:
        places = [("shard", self.shard), ("episode", self.episode), ("", self.array)]
        where = ", ".join(f"{name} {value}".strip() for name, value in places if value is not None)
        return f"{where}: {self.what}" if where else self.what


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What was looked at and what is wrong with it."""

    shards: int
    episodes: int
    frames: int
    files: int
    bytes: int
    problems: tuple[Problem, ...]  # the first KEPT_PROBLEMS
    problem_count: int

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return self.problem_count == 0

    def as_json(self) -> dict[str, Any]:
        """JSON values, for programs."""
        return {"ok": self.ok, **asdict(self), "problems": [p._asdict() for p in self.problems]}


def verify_dataset(
    root: Root,
    *,
    decode: bool = True,
    workers: int | None = None,
    on_shard: Callable[[int, int], None] | None = None,
) -> VerifyReport:
    """Checks checksums, schema, lengths, values and, with `decode`, every picture, mask and box.

    `workers` threads (default: one per core) share the files and frames; decoding and hashing run beside each
    other. `on_shard(done, total)` is told of progress. Raises DatasetError where there is no dataset of this schema.
    """
    storage = open_storage(root)
    problems = _Problems()
    info = _open_info(storage, problems)
    shards = committed_shards(storage)
    counts: Counter[str] = Counter()
    uids: dict[int, set[str]] = {}
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        for done, shard in enumerate(shards, 1):
            commit = _read_commit(storage, shard, problems)
            if commit is not None:
                _check_counts(info, commit, problems)
                _check_files(storage, commit, pool, problems)
                uids[shard] = _check_content(storage, commit, pool, decode, problems)
                counts.update(episodes=commit.episodes, frames=commit.frames, files=len(commit.files))
                counts.update(bytes=commit.bytes)
            if on_shard is not None:
                on_shard(done, len(shards))
    _check_catalog(storage, uids, problems)
    _check_failures(storage, problems)
    sums = {name: counts[name] for name in ("episodes", "frames", "files", "bytes")}
    return VerifyReport(len(shards), **sums, problems=tuple(problems.kept), problem_count=problems.count)


class _Problems:
    def __init__(self) -> None:
        self.kept: list[Problem] = []
        self.count = 0

    def add(self, what: str, shard: int | None = None, episode: int | None = None, array: str | None = None) -> None:
        self.count += 1
        if len(self.kept) < KEPT_PROBLEMS:
            self.kept.append(Problem(shard, episode, array, what))


def _open_info(storage: Storage, problems: _Problems) -> DatasetInfo | None:
    try:
        unseal(storage.read(INFO))
    except ValueError as error:
        problems.add(str(error), array=INFO)
        return None
    except OSError:
        pass
    return open_info(storage)


def _read_commit(storage: Storage, shard: int, problems: _Problems) -> Commit | None:
    try:
        return read_commit(storage, shard)
    except (DatasetError, TypeError, KeyError) as error:
        problems.add(str(error), shard, array=commit_path(shard))
        return None


def _check_counts(info: DatasetInfo | None, commit: Commit, problems: _Problems) -> None:
    if info is None:
        return
    if commit.shard >= info.shards:
        problems.add(f"the dataset has only {info.shards} shards", commit.shard)
    if commit.episodes + len(commit.empty_slots) > info.episodes_per_shard:
        filled = f"{commit.episodes} episodes and {len(commit.empty_slots)} empty slots"
        problems.add(f"{filled} in a shard of {info.episodes_per_shard} slots", commit.shard)


def _check_files(storage: Storage, commit: Commit, pool: ThreadPoolExecutor, problems: _Problems) -> None:
    found = pool.map(lambda path: _check_file(storage, f"{commit.folder}/{path}", commit.files[path]), commit.files)
    for path, what in zip(commit.files, found, strict=True):
        if what:
            problems.add(what, commit.shard, array=path)


def _check_file(storage: Storage, path: str, record: FileRecord) -> str | None:
    try:
        size = storage.size(path)
        if size != record.bytes:
            return f"the file has {size} bytes, not {record.bytes}"
        digest = hashlib.sha256()
        for start in range(0, size, _READ_BYTES):
            digest.update(storage.read_range(path, start, min(_READ_BYTES, size - start)))
    except OSError as error:
        return f"the file cannot be read: {error}"
    return None if f"sha256:{digest.hexdigest()}" == record.checksum else "the checksum of the file does not match"


def _check_content(
    storage: Storage, commit: Commit, pool: ThreadPoolExecutor, decode: bool, problems: _Problems
) -> set[str]:
    """Checks a shard's arrays and lines; returns the uids of its objects."""
    try:
        shard = ShardReader(storage, commit)
        lines = [json.loads(line) for line in storage.read(f"{commit.folder}/episodes.jsonl").splitlines()]
        whole = _check_shapes(shard, len(lines), problems)
    except (DatasetError, OSError, ValueError) as error:
        problems.add(str(error), commit.shard)
        return set()
    if not whole or not lines:
        return set()
    _check_slots(commit, lines, problems)
    jobs = [partial(_check_episode, shard, k, line, decode) for k, line in enumerate(lines)]
    for line, found in zip(lines, pool.map(lambda job: list(job()), jobs), strict=True):
        for array, what in found:
            problems.add(what, commit.shard, line.get("episode"), array)
    return {o["uid"] for line in lines for o in line.get("objects", [])}


def _check_shapes(shard: ShardReader, lines: int, problems: _Problems) -> bool:
    commit = shard.commit
    before = problems.count
    if lines != commit.episodes:
        problems.add(f"{lines} lines for {commit.episodes} episodes", commit.shard, array="episodes.jsonl")
    pictures = "images" in shard.arrays
    for spec in ARRAYS:
        required = not spec.optional and (pictures or not spec.picture) and commit.episodes > 0
        if spec.name not in shard.arrays:
            if required:
                problems.add("the array is missing", commit.shard, array=spec.name)
            continue
        rows = commit.frames if spec.per_frame else commit.episodes
        if len(shard.arrays[spec.name]) != rows:
            problems.add(f"{len(shard.arrays[spec.name])} rows, not {rows}", commit.shard, array=spec.name)
    if problems.count == before and commit.episodes:
        ends = np.array([0, *shard.episode_ends])
        if (np.diff(ends) <= 0).any() or ends[-1] != commit.frames:
            problems.add(f"does not rise to {commit.frames}", commit.shard, array="episode_ends")
    return problems.count == before


def _check_slots(commit: Commit, lines: list[dict[str, Any]], problems: _Problems) -> None:
    slots = [line.get("episode", -1) for line in lines]
    if slots != sorted(set(slots)) or set(slots) & set(commit.empty_slots):
        problems.add("slots are repeated, out of order or both filled and empty", commit.shard, array="episodes.jsonl")


def _check_episode(shard: ShardReader, k: int, line: dict[str, Any], decode: bool) -> Iterator[tuple[str | None, str]]:
    """What is wrong with episode k of a shard: (array, what)."""
    start, stop = shard.bounds(k)
    arrays = {n: a for n, a in shard.arrays.items() if a.meta.spec.per_frame and a.meta.spec.packing == "raw"}
    try:
        yield from check_line(line, shard.commit.shard, start, stop - start)
        states = {name: array.rows(start, stop) for name, array in arrays.items()}
        yield from check_states(states, line)
        if "images" not in shard.arrays:
            return
        cameras = {name: shard.arrays[name].row(k) for name in ("camera_intrinsics", "T_base_camera")}
        yield from check_cameras(cameras, shard.arrays["images"].shape[2:4])
        yield from check_extents(states, shard.arrays["images"].shape[2:4], len(line["objects"]))
        if decode:
            yield from check_pictures(shard.arrays, range(start, stop), states["bbox"], len(line["objects"]))
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        yield None, f"cannot be checked: {type(error).__name__}: {error}"


def _check_catalog(storage: Storage, uids: dict[int, set[str]], problems: _Problems) -> None:
    """The catalog folder may lag behind the commits, but what it holds must be whole."""
    try:
        document = check_catalog(storage)
    except (OSError, ValueError) as error:
        path, _, what = str(error).partition(": ")
        problems.add(what, array=path)
        return
    if document is None:
        return
    for shard in set(document["shards"]) & set(uids):
        for uid in sorted(uids[shard] - set(document["objects"])):
            problems.add(f"object {uid!r} of the shard is not listed", shard, array=ENTRIES)


def _check_failures(storage: Storage, problems: _Problems) -> None:
    for folder in ("rejected", "quarantine"):
        for name in _documents(storage.names(folder)):
            try:
                unseal(storage.read(f"{folder}/{name}"))
            except (OSError, ValueError) as error:
                problems.add(str(error), array=f"{folder}/{name}")


def _documents(names: Iterable[str]) -> list[str]:
    return [name for name in names if name.endswith(".json") and not name.startswith(".")]
