"""Statistics of a dataset in constant memory: from commit records, `episodes.jsonl` and one byte per frame."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from syngrasp.dataset.attribution import shard_lines
from syngrasp.dataset.commits import Commit, Root, open_info, read_commits
from syngrasp.dataset.reader import ShardReader
from syngrasp.dataset.storage import open_storage
from syngrasp.records import Phase

BINS = 512
FINEST = 2.0**-24
REPORTED_BINS = 40


class Spread:
    """Mean, extremes and quantiles of a stream of numbers in fixed memory; the order of the numbers is of no matter.

    Bins have widths of 2ᵏ aligned at 0 and are joined in pairs whenever a number lies outside.
    """

    def __init__(self) -> None:
        self.count, self.sum = 0, 0.0
        self.min, self.max = np.inf, -np.inf
        self._width = FINEST
        self._bins = np.zeros(2 * BINS, np.int64)  # from −BINS·width to BINS·width

    def add(self, values: Iterable[float]) -> None:
        """Takes in some numbers."""
        array = np.asarray(list(values), np.float64)
        if not array.size:
            return
        self.count += array.size
        self.sum += float(array.sum())
        self.min, self.max = min(self.min, float(array.min())), max(self.max, float(array.max()))
        while max(-self.min, self.max) >= BINS * self._width:
            self._bins = np.pad(self._bins.reshape(-1, 2).sum(1), BINS // 2)
            self._width *= 2.0
        place = np.floor(array / self._width).astype(np.int64) + BINS
        self._bins += np.bincount(place, minlength=2 * BINS)

    def quantile(self, q: float) -> float:
        """The value below which a share q lies, to about one bin."""
        ranks = np.cumsum(self._bins)
        k = int(np.searchsorted(ranks, q * self.count))
        inside = (q * self.count - (ranks[k] - self._bins[k])) / max(1, self._bins[k])
        value = (k - BINS + float(np.clip(inside, 0.0, 1.0))) * self._width
        return float(np.clip(value, self.min, self.max))

    def as_json(self) -> dict[str, Any]:
        """Figures, and a histogram of at most REPORTED_BINS bins from the lowest to the highest in use."""
        if not self.count:
            return {"count": 0}
        bins, width = self._bins, self._width
        while np.ptp(np.flatnonzero(bins)) >= REPORTED_BINS:
            bins, width = bins.reshape(-1, 2).sum(1), 2.0 * width
        used = np.flatnonzero(bins)
        first, last = int(used[0]), int(used[-1])
        return {
            "count": self.count,
            "mean": self.sum / self.count,
            "min": self.min,
            "max": self.max,
            **{f"p{round(100 * q):02d}": self.quantile(q) for q in (0.05, 0.25, 0.5, 0.75, 0.95)},
            "histogram": {
                "start": (first - len(bins) // 2) * width,
                "width": width,
                "counts": bins[first : last + 1].tolist(),
            },
        }


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
}
"""Figures of an episode whose spread is reported; metres, seconds, frames and counts."""


def dataset_stats(root: Root) -> dict[str, Any]:
    """JSON-able statistics of what is committed. Images are not decoded.

    Raises DatasetError where there is no dataset or a record is damaged.
    """
    storage = open_storage(root)
    info = open_info(storage)
    commits = read_commits(storage)
    spreads = {name: Spread() for name in SPREADS}
    categories: Counter[str] = Counter()
    licenses: Counter[str] = Counter()
    objects: set[str] = set()
    phases = np.zeros(len(Phase), np.int64)
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
        phase = ShardReader(storage, commit).arrays["phase"]
        phases += np.bincount(phase.rows(0, len(phase)), minlength=len(Phase))[: len(Phase)]
    frames, episodes = sum(c.frames for c in commits), sum(c.episodes for c in commits)
    return {
        "dataset": storage.url,
        "schema_version": info.schema_version,
        "seed": info.seed,
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
        "timings": _sum_timings(commits),
    }


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
