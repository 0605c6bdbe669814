"""What must hold between episodes and around them: no episode twice, no name that would leak through a split, and the
documents beside the shards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from syngrasp.dataset.attribution import ENTRIES, check_catalog
from syngrasp.dataset.documents import unseal
from syngrasp.dataset.quality.problems import Problems
from syngrasp.dataset.quality.states import States
from syngrasp.dataset.reader import open
from syngrasp.dataset.storage import Storage

Place = tuple[int, int]
"""Shard and slot of an episode."""


class Among:
    """What is known of all episodes at once: 24 bytes and its objects' names for each."""

    def __init__(self) -> None:
        self.motions: dict[bytes, Place] = {}
        self.looks: dict[bytes, Place] = {}
        self.categories: dict[str, tuple[str, Place]] = {}
        self.uids: dict[int, set[str]] = {}

    def add(self, line: Mapping[str, Any], motion: bytes, look: bytes, problems: Problems) -> None:
        """Takes in an episode: its line, and names for its motion and its first picture, empty for none."""
        place = (line["shard"], line["episode"])
        self.uids.setdefault(line["shard"], set()).update(o["uid"] for o in line["objects"])
        for what, known, digest in (
            ("moves", self.motions, motion),
            ("looks at the start", self.looks, look),
        ):
            if digest and (first := known.setdefault(digest, place)) != place:
                problems.add("duplicate", f"{what} as shard {first[0]}, episode {first[1]} does", *place)
        for placed in line["objects"]:
            category = placed.get("category", "")
            known_as, first = self.categories.setdefault(placed["uid"], (category, place))
            if known_as != category:
                told = (
                    f"{placed['uid']!r} is {category!r} here, and {known_as!r} in shard {first[0]}, episode {first[1]}"
                )
                problems.add("split_leak", f"object {told}", *place, "episodes.jsonl")

    def check_others(self, others: Iterable[str], problems: Problems) -> None:
        """Episodes and objects that other datasets hold too."""
        for url in others:
            dataset = open(url, ["ee_pose", "action"])
            for view in dataset.episodes():
                digest = motion_digest({name: view[name] for name in ("ee_pose", "action")})
                if place := self.motions.get(digest):
                    told = f"is shard {view.line['shard']}, episode {view.line['episode']} of {url}"
                    problems.add("overlap", told, *place)
            shared = sorted(set(dataset.table.uids) & set(self.categories))
            for uid in shared:
                problems.add("overlap", f"object {uid!r} is in {url} too", *self.categories[uid][1])


def motion_digest(states: States) -> bytes:
    """A name for what the hand does."""
    digest = hashlib.sha256()
    for name in ("ee_pose", "action"):
        digest.update(states[name].tobytes())
    return digest.digest()[:16]


def check_catalog_folder(storage: Storage, uids: Mapping[int, set[str]], problems: Problems) -> None:
    """The catalog folder may lag behind the commits, but what it holds must be whole."""
    try:
        document = check_catalog(storage)
    except (OSError, ValueError) as error:
        path, _, what = str(error).partition(": ")
        problems.add("record", what, array=path)
        return
    if document is None:
        return
    for shard in set(document["shards"]) & set(uids):
        for uid in sorted(uids[shard] - set(document["objects"])):
            problems.add("catalog", f"object {uid!r} of the shard is not listed", shard, array=ENTRIES)


def check_failures(storage: Storage, problems: Problems) -> None:
    """Records of rejections and quarantined slots are whole."""
    for folder in ("rejected", "quarantine"):
        for name in storage.names(folder):
            if not name.endswith(".json") or name.startswith("."):
                continue
            try:
                unseal(storage.read(f"{folder}/{name}"))
            except (OSError, ValueError) as error:
                problems.add("record", str(error), array=f"{folder}/{name}")
