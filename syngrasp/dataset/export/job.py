"""What every export shares: a claimed folder, units of work that are written whole and once, several processes.

A unit is a committed shard's chosen episodes. When its files are in place a record of it is written, last; the same
command again writes the units that have no record, and the format's metadata anew.
"""

from __future__ import annotations

import hashlib
import json
import multiprocessing
import os
import pickle
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from syngrasp.dataset.attribution import ATTRIBUTION
from syngrasp.dataset.reader import Dataset, open
from syngrasp.dataset.shard_reader import ShardReader
from syngrasp.errors import SyngraspError

Event = dict[str, Any]
Item = TypeVar("Item")
MARK = "export.json"
_TEMPORARY = re.compile(r"\.[0-9a-f]{12}\.")
RECORDS = ".export"


@dataclass(frozen=True)
class ExportJob:
    """What an export reads and where it writes. `options` are the format's own, JSON values."""

    dataset: str
    out: Path
    options: Mapping[str, Any] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.dataset, self.out))


@dataclass(frozen=True, slots=True)
class Unit:
    """The chosen episodes of one shard, and where they stand in the export."""

    number: int  # among the export's units
    shard: int
    attempt_id: str
    episodes: tuple[int, ...]  # within the shard
    first_episode: int  # in the export
    first_frame: int  # in the export


class Format(Protocol):
    """A module that writes a format."""

    def check(self, job: ExportJob, dataset: Dataset) -> None:
        """Raises SyngraspError where this dataset cannot be exported here."""
        ...

    def plan(self, dataset: Dataset, units: Sequence[Unit]) -> Any:
        """What units must know of one another; a unit whose record has another `plan` is written again."""
        ...

    def write_unit(self, job: ExportJob, plan: Any, unit: Unit) -> dict[str, Any]:
        """Writes a unit's files, each by `replacing`; returns their sizes as `files` and what `finish` needs."""
        ...

    def finish(self, job: ExportJob, dataset: Dataset, records: Sequence[Mapping[str, Any]]) -> None:
        """Writes what describes all units, whose records come in order."""
        ...


def run_export(name: str, job: ExportJob, chosen: Sequence[int], jobs: int, on_event: Callable[[Event], None]) -> None:
    """Exports the chosen episodes of a dataset. Raises SyngraspError where the folder is not this export's."""
    open_source.cache_clear()  # it may have grown since
    dataset, form = open_source(job), format_of(name)
    form.check(job, dataset)
    claim(job.out, {"format": name, **job.options}, dataset)
    _clear_torn(job.out)
    units = plan_units(dataset, chosen)
    plan = form.plan(dataset, units)
    done = {unit.number: record for unit in units if (record := _record(job, plan, unit)) is not None}
    started, written, size = time.monotonic(), 0, 0
    there = sum(len(unit.episodes) for unit in units if unit.number in done)
    on_event({"event": "start", "format": name, "episodes": len(chosen), "there": there})
    missing = [unit for unit in units if unit.number not in done]
    for unit, record in zip(missing, each(partial(_write, name, job, plan), missing, jobs), strict=True):
        done[unit.number] = record
        written += len(unit.episodes)
        size += sum(record["files"].values())
        on_event(
            {
                "event": "unit",
                "shard": unit.shard,
                "episodes": len(unit.episodes),
                "bytes": sum(record["files"].values()),
            }
        )
    form.finish(job, dataset, [done[unit.number] for unit in units])
    _forget_others(job, units)
    seconds = round(time.monotonic() - started, 3)
    on_event({"event": "done", "out": str(job.out), "written": written, "bytes": size, "seconds": seconds})


def plan_units(dataset: Dataset, chosen: Sequence[int]) -> list[Unit]:
    """Units of the chosen episodes, in the dataset's order."""
    units: list[Unit] = []
    episode = frame = 0
    ends = np.cumsum([commit.episodes for commit in dataset.commits])
    numbers = np.array(sorted(chosen), np.int64)
    positions = ends.searchsorted(numbers, "right")
    for position in np.unique(positions).tolist():
        commit = dataset.commits[position]
        inside = numbers[positions == position] - (ends[position] - commit.episodes)
        shard = dataset.shard(position)
        lengths = (shard.episode_ends - shard.episode_starts)[inside]
        episodes = tuple(inside.tolist())
        units.append(Unit(len(units), commit.shard, commit.attempt_id, episodes, episode, frame))
        episode, frame = episode + len(inside), frame + int(lengths.sum())
    return units


@cache
def open_source(job: ExportJob) -> Dataset:
    """The dataset of a job, opened once in a process."""
    return open(job.dataset)


def shard_of(job: ExportJob, unit: Unit) -> ShardReader:
    """The shard of a unit."""
    dataset = open_source(job)
    return dataset.shard(dataset.shards.index(unit.shard))


def format_of(name: str) -> Format:
    """The module of a format."""
    module: Any = import_module(f"syngrasp.dataset.export.{name}")
    return module


def _write(name: str, job: ExportJob, plan: Any, unit: Unit) -> dict[str, Any]:
    record = {"unit": asdict(unit), "plan": digest(plan), **format_of(name).write_unit(job, plan, unit)}
    with replacing(_record_path(job, unit)) as path:
        path.write_text(json.dumps(record))
    return json.loads(json.dumps(record))


def _record_path(job: ExportJob, unit: Unit) -> Path:
    return job.out / RECORDS / f"{unit.number:05d}.json"


def digest(plan: Any) -> str:
    """A name for a plan."""
    return hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()[:16]


def _record(job: ExportJob, plan: Any, unit: Unit) -> dict[str, Any] | None:
    """What was recorded of a unit, if it is this unit and its files are there."""
    try:
        record = json.loads(_record_path(job, unit).read_text())
        whole = all((job.out / path).stat().st_size == size for path, size in record["files"].items())
    except (OSError, ValueError, KeyError):
        return None
    same = record["unit"] == json.loads(json.dumps(asdict(unit))) and record["plan"] == digest(plan)
    return record if whole and same else None


def _forget_others(job: ExportJob, units: Sequence[Unit]) -> None:
    """Deletes files of units of an earlier, larger choice of episodes."""
    kept = {_record_path(job, unit).name for unit in units}
    for path in (job.out / RECORDS).glob("*.json"):
        if path.name not in kept:
            for name in json.loads(path.read_text())["files"]:
                (job.out / name).unlink(missing_ok=True)
            path.unlink()


def _clear_torn(out: Path) -> None:
    """Deletes what writers left that were killed. One export writes a folder at a time."""
    for path in out.rglob(".*"):
        if _TEMPORARY.match(path.name):
            path.unlink()


def claim(out: Path, mark: Mapping[str, Any], dataset: Dataset) -> None:
    """Marks a folder as the export of a dataset, or refuses one that is another's."""
    info = dataset.info
    content = {"recipe_hash": info.recipe_hash, "catalog_hash": info.catalog_hash, "seed": info.seed}
    mark = json.loads(json.dumps({**mark, **content}))
    path = out / MARK
    if (out / "dataset.json").exists():
        raise SyngraspError(f"{out} is a dataset; choose another --out")
    if path.exists():
        there = _read_mark(path)
        if changed := [key for key in mark if there.get(key) != mark[key]]:
            told = "; ".join(f"{key} {there.get(key)}, asked for {mark[key]}" for key in changed)
            raise SyngraspError(f"{out} holds another export: {told}; choose another --out")
    elif out.exists() and any(out.iterdir()):
        raise SyngraspError(f"{out} is not empty and holds no export; choose another --out")
    else:
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(mark, indent=1))
    if dataset.storage.exists(ATTRIBUTION):  # a dataset that has grown has more of it
        licences, theirs = dataset.storage.read(ATTRIBUTION), out / "attribution.csv"
        if not theirs.exists() or theirs.read_bytes() != licences:
            with replacing(theirs) as temporary:
                temporary.write_bytes(licences)


def _read_mark(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
        if not isinstance(found, dict):
            raise ValueError("no object")
    except ValueError as error:
        raise SyngraspError(f"{path} is not what an export leaves ({error}); choose another --out") from error
    return found


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside a file, which takes the file's place, synced, when all went well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{secrets.token_hex(6)}.{path.name}")
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def sizes(job: ExportJob, paths: Sequence[Path]) -> dict[str, int]:
    """Sizes of files by their paths in the export, as a record holds them."""
    return {path.relative_to(job.out).as_posix(): path.stat().st_size for path in paths}


def each(work: Callable[[Item], dict[str, Any]], items: Sequence[Item], jobs: int) -> Iterator[dict[str, Any]]:
    """What came of each item, in order, done by this process or by several. Raises SyngraspError."""
    if min(jobs, len(items)) < 2:
        yield from (work(item) for item in items)
        return
    pickle.dumps(work)  # what cannot be sent to a process hangs its pool
    # Threads of the libraries that this process has loaded do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(items)), mp_context=context) as pool:
        try:
            for found in pool.map(partial(_or_why_not, work), items):
                if isinstance(found, str):
                    raise SyngraspError(found)
                yield found
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _or_why_not(work: Callable[[Item], dict[str, Any]], item: Item) -> dict[str, Any] | str:
    """What came of an item, or what the user can mend: errors whose constructors write the message cannot travel
    between processes."""
    try:
        return work(item)
    except SyngraspError as error:
        return str(error)
