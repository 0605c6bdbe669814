"""`build_catalog`: jobs of a source, in bounded child processes, into a catalog; what is there already is kept."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from syngrasp.errors import MeshError, StorageError
from syngrasp.objects.catalog import (
    StoredObject,
    listed_hash,
    object_path,
    read_stored,
    write_atomic,
    write_catalog,
    write_object,
)
from syngrasp.objects.pool import Outcome, run_jobs
from syngrasp.objects.raw import Description
from syngrasp.objects.sources import Job, list_jobs

STORAGE = "storage"  # a child's word for a full or forbidden disk
MEMORY = 4 << 30  # bytes a mesh may take
CODE = ("objects", "geometry", "robots")  # what decides how an object comes out
Event = dict[str, Any]


class RejectedObject(NamedTuple):
    """An object that could not be made, and why."""

    uid: str
    name: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class BuildSummary:
    """What a build did."""

    accepted: int  # objects in the catalog
    rejected: tuple[RejectedObject, ...]
    reused: int  # accepted and rejected objects known from an earlier build
    hash: str  # of the catalog
    path: str


@dataclass(frozen=True, slots=True)
class _Task:
    job: Job
    content_hash: str
    out: str
    seed: int
    quick: bool = False  # without the slow and fragile ways, after they failed


def build_catalog(
    source: str,
    out: str | os.PathLike[str],
    input: str | os.PathLike[str] | None = None,
    cache: str | os.PathLike[str] | None = None,
    categories: Sequence[str] | None = None,
    licenses: Sequence[str] | None = None,
    count: int | None = None,
    seed: int = 0,
    workers: int | None = None,
    time_limit: float = 120.0,
    on_event: Callable[[Event], None] | None = None,
) -> BuildSummary:
    """Makes a catalog, or brings one up to date, and returns what came of it.

    Args:
        source: "builtin", "folder" or "objaverse".
        out: the catalog's folder. It will list exactly the objects that this call asks for; files of other objects
            in it are kept, and used when a later call asks for them.
        input: the folder of a "folder" source.
        cache: an Objaverse cache on disk; without one the `objaverse` package downloads.
        categories, licenses: only these.
        count: at most this many objects, taken in turn from the categories.
        seed: of the builtin objects and of the sampled grasps.
        workers: child processes; by default one per CPU, eight at most.
        time_limit: seconds that one object may take.
        on_event: is told what happens, with plain JSON values: {"event": "assets_start", total, reused},
            {"event": "asset", uid, name, status: "accepted" | "rejected", reason, detail, done, total},
            {"event": "assets_done", accepted, rejected, reused, unchanged, hash}.

    Each object is made in a child process with bounds on time and memory; one that fails is listed in rejected.json
    with its reason, after a second try without CoACD if it hung or crashed. Objects are known again by the hash of
    their raw bytes, the options and this code, so a second call does nothing, and a call that was interrupted goes on
    where it was. Raises UnknownName, SyngraspError for wrong arguments, StorageError where `out` cannot be written.
    """
    tell = on_event or (lambda event: None)
    jobs = list_jobs(source, _path(input), _path(cache), categories, licenses, count, seed)
    folder = Path(out)
    _check_writable(folder)
    tasks = {job.about.uid: _Task(job, _content_hash(job, seed), str(folder), seed) for job in jobs}
    stored, refused = _known(folder, tasks, time_limit)
    reused = len(stored) + len(refused)
    tell({"event": "assets_start", "total": len(tasks), "reused": reused})
    todo = [task for uid, task in tasks.items() if uid not in stored and uid not in refused]
    before = listed_hash(folder)
    try:
        for about, answer in _answers(todo, workers, time_limit):
            if isinstance(answer, StoredObject):
                stored[about.uid] = answer
                told = ("accepted", "", "")
            else:
                refused[about.uid] = RejectedObject(about.uid, about.name, *answer)
                told = ("rejected", *answer)
            tell(_asset_event(about, *told, len(stored) + len(refused), len(tasks)))
    finally:
        if todo:
            _write_rejected(folder, refused, tasks, time_limit)
    digest = write_catalog(folder, stored.values())
    rejected = tuple(refused[uid] for uid in sorted(refused))
    tell(
        {
            "event": "assets_done",
            "accepted": len(stored),
            "rejected": len(rejected),
            "reused": reused,
            "unchanged": not todo and before == digest,
            "hash": digest,
        }
    )
    return BuildSummary(len(stored), rejected, reused, digest, str(folder))


def _answers(
    tasks: Sequence[_Task], workers: int | None, time_limit: float
) -> Iterator[tuple[Description, StoredObject | tuple[str, str]]]:
    """What became of each task, as it comes. A mesh that hangs or crashes its process gets a second, quick try."""
    again: list[_Task] = []
    for quick in (False, True):
        todo = again if quick else tasks
        with closing(run_jobs(make, todo, _workers(workers, len(todo)), time_limit, MEMORY)) as outcomes:
            for outcome in outcomes:
                task: _Task = outcome.job
                if outcome.failure in ("time_out", "crashed") and task.job.path and not quick:
                    again.append(replace(task, quick=True))
                else:
                    yield task.job.about, _answer(outcome)


def make(task: _Task) -> StoredObject | tuple[str, str]:
    """Makes and writes one object, in a child process; (reason, detail) where the mesh is at fault."""
    from syngrasp.objects.prepare import PrepareOptions, prepare

    try:
        options = PrepareOptions(seed=task.seed, quick=task.quick)
        model = prepare(task.job.load(), task.job.about, task.content_hash, options)
        return write_object(task.out, model)
    except MeshError as error:
        return error.reason, str(error).removeprefix(f"{error.reason}: ").removeprefix(error.reason)
    except MemoryError:
        return "out_of_memory", f"needs more than {MEMORY / 2**30:.0f} GiB"
    except StorageError as error:
        return STORAGE, str(error)


def _warm_up() -> None:
    """Imports, and compiles the kernels by making a die: no object's time limit pays for it."""
    from syngrasp.objects import procedural
    from syngrasp.objects.prepare import PrepareOptions, prepare

    prepare(procedural.make_object("die", 0, 0), procedural.describe("die", 0, 0), "", PrepareOptions())


make.warm_up = _warm_up  # pyright: ignore[reportFunctionMemberAccess]


def _answer(outcome: Outcome) -> StoredObject | tuple[str, str]:
    if outcome.failure:
        return outcome.failure, outcome.detail
    if not isinstance(outcome.value, StoredObject) and outcome.value[0] == STORAGE:
        path, _, problem = outcome.value[1].removeprefix("cannot write ").rpartition(": ")
        raise StorageError(path, problem)
    return outcome.value


def _asset_event(about: Description, status: str, reason: str, detail: str, done: int, total: int) -> Event:
    return {
        "event": "asset",
        "uid": about.uid,
        "name": about.name,
        "status": status,
        "reason": reason,
        "detail": detail,
        "done": done,
        "total": total,
    }


def _known(
    folder: Path, tasks: dict[str, _Task], time_limit: float
) -> tuple[dict[str, StoredObject], dict[str, RejectedObject]]:
    """Objects made, and objects refused, by an earlier build from the same bytes, options and code."""
    stored: dict[str, StoredObject] = {}
    for uid, task in tasks.items():
        path = object_path(folder, uid)
        found = read_stored(path) if path.is_file() else None
        if found is not None and found.entry.content_hash == task.content_hash and found.entry.uid == uid:
            stored[uid] = found
    refused = {}
    for item in _read_rejected(folder):
        task = tasks.get(item.get("uid", ""))
        if task is None or item["uid"] in stored or item.get("content_hash") != task.content_hash:
            continue
        if item.get("reason") == "time_out" and item.get("time_limit") != time_limit:
            continue
        refused[item["uid"]] = RejectedObject(item["uid"], item["name"], item["reason"], item["detail"])
    return stored, refused


def _read_rejected(folder: Path) -> list[dict[str, Any]]:
    try:
        items = json.loads((folder / "rejected.json").read_bytes())
    except (OSError, ValueError):
        return []
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []


def _write_rejected(
    folder: Path, refused: dict[str, RejectedObject], tasks: dict[str, _Task], time_limit: float
) -> None:
    items = [
        {**refused[uid]._asdict(), "content_hash": tasks[uid].content_hash, "time_limit": time_limit}
        for uid in sorted(refused)
    ]
    write_atomic(folder / "rejected.json", json.dumps(items, indent=1).encode())


def _check_writable(folder: Path) -> None:
    """StorageError now rather than after the work."""
    write_atomic(folder / "objects" / ".probe", b"")
    (folder / "objects" / ".probe").unlink(missing_ok=True)
    if shutil.disk_usage(folder).free < 1 << 20:
        raise StorageError(folder, "no space left on the device")


def _content_hash(job: Job, seed: int) -> str:
    from syngrasp.objects.scaling import ScaleRule

    parts = [code_version(), job.raw_digest(), seed, asdict(job.about), asdict(ScaleRule())]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@lru_cache(maxsize=1)
def code_version() -> str:
    """Of the code and data that decide how an object comes out: a changed program makes objects anew."""
    from syngrasp.resources import resource

    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    files = [file for name in CODE for file in (package / name).rglob("*.py")]
    files += [resource("assets/objects/families.yaml"), resource("assets/objects/categories.yaml")]
    for file in sorted(files, key=lambda f: f.as_posix().rsplit("/syngrasp/", 1)[-1]):
        digest.update(file.name.encode() + hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def _workers(workers: int | None, tasks: int) -> int:
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(workers or min(available, 8), tasks or 1))


def _path(value: str | os.PathLike[str] | None) -> Path | None:
    return None if value is None else Path(value).expanduser()
