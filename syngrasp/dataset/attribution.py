"""The `catalog` folder of a dataset: which objects are in it, under which licences, by whom.

Both files follow from the committed shards alone, so any run may bring them up to date.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable
from typing import Any

from syngrasp.dataset.commits import Commit, Root, read_commits
from syngrasp.dataset.documents import checksum, seal, unseal
from syngrasp.dataset.storage import Storage, open_storage
from syngrasp.errors import DatasetError

ENTRIES = "catalog/entries.json"
ATTRIBUTION = "catalog/attribution.csv"
_TEXTS = ("category", "license", "attribution")
_EMPTY: dict[str, Any] = {"shards": [], "attribution_csv": "", "objects": {}}


def update_catalog(root: Root) -> int:
    """Brings `catalog/` up to date with the commits and returns how many objects are in use.

    Only shards that it does not cover yet are read. The same commits give the same files, whatever the order.
    A damaged file in `catalog/` is made
    anew. Raises DatasetError where a file of a shard is damaged.
    """
    storage = open_storage(root)
    commits = read_commits(storage)
    try:
        document = check_catalog(storage) or _EMPTY
    except ValueError:
        document = _EMPTY
    if not set(document["shards"]) <= {c.shard for c in commits}:
        document = _EMPTY
    covered = set(document["shards"])
    new = [c for c in commits if c.shard not in covered]
    if not new and document["attribution_csv"] and "before" not in document:
        return len(document["objects"])
    objects = dict(document["objects"])
    for commit in new:
        add_shard(objects, shard_lines(storage, commit))
    objects = dict(sorted(objects.items()))
    table = attribution_csv(objects)
    document = {
        "shards": sorted(covered | {c.shard for c in new}),
        "attribution_csv": checksum(table),
        "objects": objects,
    }
    # Killed anywhere between these writes, entries.json still names the table that is there.
    storage.write(ENTRIES, seal(document | {"before": _table_checksum(storage)}))
    storage.write(ATTRIBUTION, table)
    storage.write(ENTRIES, seal(document))
    return len(objects)


def check_catalog(root: Root) -> dict[str, Any] | None:
    """What `catalog/entries.json` holds, None before it was first written.

    Raises ValueError, with the path first, where one of the two files is damaged or missing.
    """
    storage = open_storage(root)
    try:
        document = unseal(storage.read(ENTRIES))
    except FileNotFoundError:
        if _table_checksum(storage):
            raise ValueError(f"{ATTRIBUTION}: there is no {ENTRIES} beside it") from None
        return None
    except ValueError as error:
        raise ValueError(f"{ENTRIES}: {error}") from error
    if _table_checksum(storage) not in (document["attribution_csv"], document.get("before")):
        raise ValueError(f"{ATTRIBUTION}: it is missing or its checksum does not match")
    return document


def shard_lines(storage: Storage, commit: Commit) -> list[dict[str, Any]]:
    """The lines of a shard's `episodes.jsonl`."""
    path = f"{commit.folder}/episodes.jsonl"
    data = storage.read(path)
    if checksum(data) != commit.files["episodes.jsonl"].checksum:
        raise DatasetError(storage.url, f"{path} is damaged: its checksum does not match its commit")
    return [json.loads(line) for line in data.splitlines()]


def add_shard(objects: dict[str, dict[str, Any]], lines: Iterable[dict[str, Any]]) -> None:
    """Adds the objects of some episodes: texts, range of scales, number of episodes with it and aiming at it."""
    for line in lines:
        for k, placed in enumerate(line["objects"]):
            entry = objects.setdefault(
                placed["uid"], {**{t: placed.get(t, "") for t in _TEXTS}, "placed": 0, "targeted": 0}
            )
            if (scale := placed.get("scale")) is not None:  # what was imported has none
                least, greatest = entry.get("scale", (scale, scale))
                entry["scale"] = [min(least, scale), max(greatest, scale)]
            entry["placed"] += 1
            entry["targeted"] += k == line["target"]


def attribution_csv(objects: dict[str, dict[str, Any]]) -> bytes:
    """The table of licences and authors that has to travel with the pictures, by uid."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["uid", *_TEXTS])
    for uid, entry in sorted(objects.items()):
        table.writerow([uid, *(entry[t] for t in _TEXTS)])
    return text.getvalue().encode()


def _table_checksum(storage: Storage) -> str:
    """Of the table that is there; empty where there is none."""
    try:
        return checksum(storage.read(ATTRIBUTION))
    except FileNotFoundError:
        return ""
