"""Statistics of a dataset in the memory of a shard's small arrays: from commit records, `episodes.jsonl` and states."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from syngrasp.dataset.attribution import shard_lines
from syngrasp.dataset.commits import Commit, Root, open_info, read_commits
from syngrasp.dataset.look_stats import LookStats
from syngrasp.dataset.motion_stats import ARRAYS, MotionStats
from syngrasp.dataset.reader import ShardReader
from syngrasp.dataset.shard_array import ShardArray
from syngrasp.dataset.spread import Spread
from syngrasp.dataset.storage import open_storage
from syngrasp.errors import DatasetError
from syngrasp.records import Phase

SPREADS = {
    "episode_length": lambda line: line["length"],
    "episode_seconds": lambda line: line["length"] * line["dt"],
    "lift_height": lambda line: line["lift"]["height"],
    "slip": lambda line: line["lift"]["slip"],
    "disturbance": lambda line: line["lift"]["disturbance"],
    "grasp_quality": lambda line: line["grasp"]["quality"],
    "grasp_width": lambda line: line["grasp"]["width"],
    "objects_per_scene": lambda line: len(line["objects"]),
    "table_height": lambda line: line["table"]["height"],
    "attempt": lambda line: line["attempt"],
    "grasp_attempts": lambda line: line.get("grasp_attempts", 1),
}
"""Figures of an episode whose spread is reported; metres, seconds, frames and counts."""


def dataset_stats(root: Root) -> dict[str, Any]:
    """JSON-able statistics of what is committed. Images are not decoded.

    Raises DatasetError where there is no dataset, a record is damaged or an episode holds what is no number.
    """
    storage = open_storage(root)
    info = open_info(storage)
    commits = read_commits(storage)
    spreads = {name: Spread() for name in SPREADS}
    categories: Counter[str] = Counter()
    licenses: Counter[str] = Counter()
    objects: set[str] = set()
    phases = np.zeros(len(Phase), np.int64)
    motion, looks = MotionStats(), LookStats(info.recipe)
    hidden = _Hidden()
    for commit in commits:
        if not commit.episodes:
            continue
        lines = shard_lines(storage, commit)
        for name, of in SPREADS.items():
            spreads[name].add(of(line) for line in lines)
        categories.update(line["category"] for line in lines)
        for placed in (o for line in lines for o in line["objects"]):
            licenses[placed.get("license", "")] += 1
            objects.add(placed["uid"])
        stored = ShardReader(storage, commit).arrays
        arrays = {name: stored[name].rows(0, len(stored[name])) for name in ARRAYS}
        hidden.add(stored)
        phases += np.bincount(arrays["phase"], minlength=len(Phase))[: len(Phase)]
        for line in lines:
            frames = slice(line["start"], line["start"] + line["length"])
            try:
                motion.add({name: values[frames] for name, values in arrays.items()}, line["dt"])
                looks.add(line)
            except ValueError as error:
                where = f"shard {commit.shard}, episode {line['episode']}"
                raise DatasetError(storage.url, f"{where}: {error}; run syngrasp verify {storage.url}") from error
    frames, episodes = sum(c.frames for c in commits), sum(c.episodes for c in commits)
    return {
        "dataset": storage.url,
        "schema_version": info.schema_version,
        "seed": info.seed,
        "source": info.source,
        "shards": {"planned": info.shards, "committed": len(commits)},
        "episodes": episodes,
        "empty_slots": sum(len(c.empty_slots) for c in commits),
        "frames": frames,
        "hours": spreads["episode_seconds"].sum / 3600.0,
        "yield": _yield(commits),
        "bytes": _bytes(commits, frames, episodes),
        "categories": dict(sorted(categories.items(), key=lambda item: (-item[1], item[0]))),
        "objects": len(objects),
        "licenses": dict(sorted(licenses.items(), key=lambda item: (-item[1], item[0]))),
        "phases": {phase.name.lower(): int(phases[phase]) for phase in Phase},
        **{name: spread.as_json() for name, spread in spreads.items()},
        "motion": motion.as_json(),
        "looks": looks.as_json(),
        "occlusion": hidden.mean(hidden.occlusion),
        "truncated": hidden.mean(hidden.truncated),
        "timings": _sum_timings(commits),
    }


class _Hidden:
    """How much of the objects that are in an image is hidden, and how many of them leave it, over all pictures."""

    def __init__(self) -> None:
        self.occlusion, self.truncated, self.count = 0.0, 0, 0

    def add(self, arrays: Mapping[str, ShardArray]) -> None:
        """Adds a shard's pictures, if it has any."""
        if not {"occlusion", "truncated"} <= arrays.keys():
            return
        share, cut = (arrays[name].rows(0, len(arrays[name])) for name in ("occlusion", "truncated"))
        inside = ~np.isnan(share)
        self.occlusion += float(share[inside].sum(dtype=np.float64))
        self.truncated += int(cut[inside].sum())
        self.count += int(inside.sum())

    def mean(self, total: float) -> float | None:
        """Per object in an image."""
        return total / self.count if self.count else None


def _yield(commits: Iterable[Commit]) -> dict[str, Any]:
    """Passed and rejected by stage, in the order in which the commits list the stages."""
    passed: dict[str, int] = {}
    rejected: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for commit in commits:
        for stage, counts in commit.stages.items():
            passed[stage] = passed.get(stage, 0) + counts.get("passed", 0)
            rejected[stage].update(counts.get("rejected", {}))
    result = {}
    for stage, good in passed.items():
        reasons = dict(sorted(rejected[stage].items(), key=lambda item: (-item[1], item[0])))
        tried = good + sum(reasons.values())
        result[stage] = {"passed": good, "rejected": reasons, "rate": good / tried if tried else None}
    return result


def _bytes(commits: Iterable[Commit], frames: int, episodes: int) -> dict[str, Any]:
    arrays: Counter[str] = Counter()
    for commit in commits:
        for path, record in commit.files.items():
            parts = path.split("/")
            arrays[parts[1] if parts[0] == "frames.zarr" and len(parts) > 2 else parts[0]] += record.bytes
    total = sum(arrays.values())
    return {
        "total": total,
        "per_frame": total / frames if frames else None,
        "per_episode": total / episodes if episodes else None,
        "by_array": dict(sorted(arrays.items(), key=lambda item: (-item[1], item[0]))),
    }


def _sum_timings(commits: Iterable[Commit]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for commit in commits:
        for stage, seconds in commit.timings.items():
            sums[stage] = sums.get(stage, 0.0) + seconds
    return sums
