"""What makes a dataset a dataset: `dataset.json`, written once, and one commit record per finished shard.

A shard exists for readers from the moment its commit record does. Records are created exclusively and at once, so
of two writers of a shard exactly one wins, and nobody ever sees half a record.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from os import PathLike
from typing import Any

from syngrasp.dataset.documents import seal, unseal
from syngrasp.dataset.migrations import upgrade
from syngrasp.dataset.schema import SCHEMA_VERSION
from syngrasp.dataset.storage import Storage, open_storage, writing
from syngrasp.dataset.writer import FileRecord, ShardSummary, attempt_folder
from syngrasp.errors import DatasetError

INFO = "dataset.json"
Root = str | PathLike[str] | Storage


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """`dataset.json`: what the dataset was asked to be."""

    recipe: dict[str, Any]  # resolved, without seed and counts
    recipe_hash: str
    catalog_hash: str
    seed: int
    shards: int
    episodes_per_shard: int
    versions: dict[str, str]  # of the packages that decide the content, as they were at creation
    source: dict[str, str] | None = None  # url and recipe_hash of what was rendered again, or imported: then format too
    schema_version: int = SCHEMA_VERSION


@dataclass(frozen=True, slots=True)
class Commit:
    """`commits/<shard>.json`: a shard that counts."""

    shard: int
    attempt_id: str
    frames: int
    episodes: int
    empty_slots: tuple[int, ...]  # episodes for which every attempt failed
    files: dict[str, FileRecord]  # by path in the attempt's folder
    stages: dict[str, Any]  # stage → {"passed": n, "rejected": {reason: n}}
    timings: dict[str, float] = field(default_factory=dict)  # stage → [s]
    renderer: dict[str, Any] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    @property
    def folder(self) -> str:
        """The attempt's folder in the dataset."""
        return attempt_folder(self.shard, self.attempt_id)

    @property
    def bytes(self) -> int:
        """Size of all the shard's files."""
        return sum(record.bytes for record in self.files.values())


def recipe_hash(recipe: Mapping[str, Any]) -> str:
    """A name for a resolved recipe: SHA-256 of its canonical JSON."""
    return hashlib.sha256(json.dumps(recipe, sort_keys=True, allow_nan=False).encode()).hexdigest()


def create_dataset(
    root: Root,
    *,
    recipe: Mapping[str, Any],
    catalog_hash: str,
    seed: int,
    shards: int,
    episodes_per_shard: int,
    versions: Mapping[str, str] | None = None,
    source: Mapping[str, str] | None = None,
) -> DatasetInfo:
    """Creates a dataset, or opens the one that is there to continue it.

    `recipe` holds JSON values and neither seed nor counts; `source` names the dataset whose rollouts it takes. Asking
    for more shards than before extends the dataset.
    Raises DatasetError naming what differs when it was made by another recipe, catalog, seed or shard size, and
    StorageError when the place cannot be written.
    """
    storage = open_storage(root)
    plain = json.loads(json.dumps(recipe, allow_nan=False))  # as it will be read: no tuples
    asked = DatasetInfo(
        plain, recipe_hash(plain), catalog_hash, seed, shards, episodes_per_shard, dict(versions or {}),
        dict(source) if source else None,
    )  # fmt: skip
    with writing(storage.url):
        new = not storage.exists(INFO)
    if new and storage.create(INFO, seal(asdict(asked))):
        storage.sync("")
        return asked
    there = open_info(storage)
    _refuse_other(storage.url, there, asked)
    if shards > there.shards:
        there = replace(there, shards=shards)
        storage.write(INFO, seal(asdict(there)))
    return there


def forget_empty(root: Root) -> bool:
    """Removes the description of a dataset that holds nothing, neither a commit nor a slot on its way, so that it may
    be begun again with another recipe. Returns whether it did."""
    storage = open_storage(root)
    if committed_shards(storage) or any(True for _ in storage.list("staging")):
        return False
    storage.delete(INFO)
    return True


def open_info(root: Root) -> DatasetInfo:
    """Reads `dataset.json`. Raises DatasetError where it is missing, damaged or of another schema version."""
    storage = open_storage(root)
    try:
        document = unseal(storage.read(INFO))
    except (FileNotFoundError, NotADirectoryError):
        raise DatasetError(storage.url, f"there is no dataset here (no {INFO})") from None
    except (OSError, ValueError) as error:
        raise DatasetError(storage.url, f"{INFO} cannot be read: {error}") from error
    return DatasetInfo(**upgrade(document, "info", storage.url))


def _refuse_other(url: str, there: DatasetInfo, asked: DatasetInfo) -> None:
    changes = recipe_changes(there.recipe, asked.recipe)
    if there.source != asked.source:
        changes.append(f"rendered from: {_source(there)} → {_source(asked)}")
    for name in ("catalog_hash", "seed", "episodes_per_shard"):
        old, new = getattr(there, name), getattr(asked, name)
        if old != new:
            changes.append(f"{name}: {_short(old)} → {_short(new)}")
    if changes:
        listed = "; ".join(changes[:8]) + (f"; and {len(changes) - 8} more" if len(changes) > 8 else "")
        raise DatasetError(
            url, f"it was made differently ({listed}); write to another folder or use what it was made by"
        )


def _source(info: DatasetInfo) -> str:
    return f"{info.source['url']} ({info.source['recipe_hash'][:8]})" if info.source else "its own rollouts"


def recipe_changes(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """What differs between two recipes, as `a.b: old → new`."""
    changes: list[str] = []
    for key in sorted(set(old) | set(new)):
        before, after = old.get(key, "(none)"), new.get(key, "(none)")
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            changes += recipe_changes(before, after, f"{prefix}{key}.")
        elif before != after:
            changes.append(f"{prefix}{key}: {_short(before)} → {_short(after)}")
    return changes


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 40 else f"{text[:37]}…"


def commit_shard(
    root: Root,
    summary: ShardSummary,
    *,
    stages: Mapping[str, Any],
    empty_slots: Iterable[int] = (),
    timings: Mapping[str, float] | None = None,
    renderer: Mapping[str, Any] | None = None,
) -> bool:
    """Makes a finished shard part of the dataset. False: another attempt was first, and this one is garbage."""
    storage = open_storage(root)
    commit = Commit(
        shard=summary.shard,
        attempt_id=summary.attempt_id,
        frames=summary.frames,
        episodes=len(summary.episodes),
        empty_slots=tuple(sorted(empty_slots)),
        files=summary.files,
        stages={stage: dict(counts) for stage, counts in stages.items()},
        timings=dict(timings or {}),
        renderer=dict(renderer or {}),
    )
    both = set(commit.empty_slots) & set(summary.episodes)
    if both:
        raise ValueError(f"shard {summary.shard}: slots {sorted(both)} are both filled and empty")
    return storage.create(commit_path(summary.shard), seal(asdict(commit)))


def commit_path(shard: int) -> str:
    """Where a shard's commit record lies."""
    return f"commits/{shard:05d}.json"


def read_commit(root: Root, shard: int) -> Commit | None:
    """A shard's commit record; None while there is none. Raises DatasetError where it is damaged."""
    storage = open_storage(root)
    path = commit_path(shard)
    try:
        document = unseal(storage.read(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise DatasetError(storage.url, f"{path} cannot be read: {error}") from error
    document = upgrade(document, "commit", f"{storage.url}/{path}")
    if document.get("shard") != shard:
        raise DatasetError(storage.url, f"{path} is of shard {document.get('shard')}, not {shard}")
    document["files"] = {path: FileRecord(**record) for path, record in document["files"].items()}
    document["empty_slots"] = tuple(document["empty_slots"])
    return Commit(**document)


def committed_shards(root: Root) -> list[int]:
    """The numbers of the committed shards, ascending."""
    names = open_storage(root).names("commits")
    return sorted(int(n.removesuffix(".json")) for n in names if n.endswith(".json") and n[:-5].isdigit())


def read_commits(root: Root) -> list[Commit]:
    """All commit records, by shard. Raises DatasetError where one is damaged."""
    storage = open_storage(root)
    shards = committed_shards(storage)
    with ThreadPoolExecutor(16) as pool:
        commits = pool.map(lambda shard: read_commit(storage, shard), shards)
        return [commit for commit in commits if commit is not None]


def is_committed(root: Root, shard: int) -> bool:
    """Whether a shard counts."""
    return open_storage(root).exists(commit_path(shard))
