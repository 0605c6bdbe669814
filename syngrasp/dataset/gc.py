"""Deletes what no commit names: attempts that lost or were killed, and leftovers of interrupted writes."""

from __future__ import annotations

import time
from dataclasses import dataclass

from syngrasp.dataset.commits import Root, open_info, read_commits
from syngrasp.dataset.storage import FileInfo, open_storage
from syngrasp.dataset.writer import attempt_folder


@dataclass(frozen=True, slots=True)
class GcReport:
    """What was (or, in a dry run, would be) deleted."""

    removed: tuple[str, ...]  # folders and files, relative to the dataset
    bytes: int


def collect_garbage(
    root: Root, *, grace_s: float = 3600.0, everything: bool = False, dry_run: bool = False
) -> GcReport:
    """Deletes garbage that nobody has touched for `grace_s` seconds, so that running writers keep theirs.

    `everything` deletes it whatever its age: only when nothing else writes to the dataset. Staged rollouts of
    unfinished shards are not garbage; those of committed shards are. Raises DatasetError where a commit record is
    damaged: what it names could not be told from garbage.
    """
    storage = open_storage(root)
    open_info(storage)
    before = read_commits(storage)
    found = [
        info
        for top in ("shards", "staging", "commits", "rejected", "quarantine", "catalog")
        for info in storage.list(top)
    ]
    found += storage.empty_folders("shards")
    found += [storage.stat(name) for name in storage.names("") if _is_temporary(name)]
    # Read again: an attempt that was committed while we looked is no garbage.
    commits = {c.shard: c for c in [*before, *read_commits(storage)]}
    kept = {attempt_folder(c.shard, c.attempt_id) for c in commits.values()}
    groups: dict[str, list[FileInfo]] = {}
    for info in found:
        owner = _owner(info.path)
        alone = owner in kept or not owner.startswith("shards/")
        groups.setdefault(info.path if alone and _is_temporary(info.path) else owner, []).append(info)
    oldest_kept = time.time() - grace_s
    removed, size = [], 0
    for owner, files in sorted(groups.items()):
        if owner in kept or not _is_garbage(owner, set(commits)):
            continue
        if not everything and max(f.modified for f in files) > oldest_kept:
            continue
        removed.append(owner)
        size += sum(f.bytes for f in files)
        if not dry_run:
            storage.delete(owner)
    return GcReport(tuple(removed), size)


def _owner(path: str) -> str:
    """What is kept or deleted as one: an attempt's folder, a shard's staging, a single file elsewhere."""
    parts = path.split("/")
    return "/".join(parts[: {"shards": 3, "staging": 2}.get(parts[0], len(parts))])


def _is_temporary(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name.startswith(".") and name.endswith(".tmp")


def _is_garbage(owner: str, committed: set[int]) -> bool:
    parts = owner.split("/")
    if parts[0] == "staging" and len(parts) == 2:
        return parts[1].isdigit() and int(parts[1]) in committed
    return _is_temporary(owner) or (parts[0] == "shards" and len(parts) == 3)
