"""What the lines of episodes say: lengths, lifts, categories, objects, licences. Mergeable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from syngrasp.dataset.statistics.spread import Spread

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
"""Figures of an episode whose spread is reported; metres, seconds, frames and counts. What was imported lacks some."""

MEANS = ("lift_height", "grasp_quality", "grasp_width")
"""Figures whose mean is told for each category."""

SHOWN_CATEGORIES, SHOWN_OBJECTS = 1000, 20


class EpisodeTally:
    """Takes in episodes' lines; memory grows with the categories and objects there are, not with the episodes."""

    def __init__(self) -> None:
        self.spreads = {name: Spread() for name in SPREADS}
        self.licenses: Counter[str] = Counter()
        self.placed: Counter[str] = Counter()  # by uid
        self.targeted: Counter[str] = Counter()  # by uid
        self.categories: dict[str, _Category] = {}

    def add(self, lines: Sequence[Mapping[str, Any]], hidden: Sequence[float]) -> None:
        """Takes in lines, and for each how much of its target is hidden on average (NaN: not known).

        Raises ValueError where a figure is not finite.
        """
        for name, of in SPREADS.items():
            values = []
            for line in lines:
                try:
                    values.append(of(line))
                except KeyError:
                    continue
            try:
                self.spreads[name].add(np.array(values, np.float64))
            except ValueError as error:
                raise ValueError(f"{name}: {error}") from error
        for line, share in zip(lines, hidden, strict=True):
            for placed in line["objects"]:
                self.licenses[placed.get("license", "")] += 1
                self.placed[placed["uid"]] += 1
            self.targeted[line["target_uid"]] += 1
            self.categories.setdefault(line["category"], _Category()).add(line, share)

    def merge(self, other: EpisodeTally) -> None:
        """Takes in what another has taken in."""
        for name, spread in self.spreads.items():
            spread.merge(other.spreads[name])
        for name in ("licenses", "placed", "targeted"):
            getattr(self, name).update(getattr(other, name))
        for name, category in other.categories.items():
            self.categories.setdefault(name, _Category()).merge(category)

    def as_json(self) -> dict[str, Any]:
        """JSON-able figures."""
        ordered = sorted(self.categories.items(), key=lambda item: (-item[1].episodes, item[0]))
        use = Spread()
        use.add([float(n) for n in self.targeted.values()])
        ranked = sorted(self.targeted.items(), key=lambda item: (-item[1], item[0]))
        return {
            "categories": {name: category.episodes for name, category in ordered},
            "objects": len(self.placed),
            "licenses": dict(sorted(self.licenses.items(), key=lambda item: (-item[1], item[0]))),
            **{name: spread.as_json() for name, spread in self.spreads.items()},
            "by_category": {name: category.as_json() for name, category in ordered[:SHOWN_CATEGORIES]},
            "by_object": {
                "placed": len(self.placed),
                "targeted": len(self.targeted),
                "episodes_per_target": use.as_json(),
                "most": dict(ranked[:SHOWN_OBJECTS]),
                "least": dict(ranked[-SHOWN_OBJECTS:]),
            },
        }


class _Category:
    """What is told of a category."""

    def __init__(self) -> None:
        self.episodes = self.frames = 0
        self.uids: set[str] = set()
        self.sums = np.zeros((len(MEANS) + 1, 2))  # value and count; the last is what is hidden of the target

    def add(self, line: Mapping[str, Any], hidden: float) -> None:
        self.episodes += 1
        self.frames += line["length"]
        self.uids.add(line["target_uid"])
        if "lift" in line and "grasp" in line:
            figures = (line["lift"]["height"], line["grasp"]["quality"], line["grasp"]["width"])
            self.sums[:-1] += [(value, 1.0) for value in figures]
        if hidden == hidden:
            self.sums[-1] += hidden, 1.0

    def merge(self, other: _Category) -> None:
        self.episodes, self.frames = self.episodes + other.episodes, self.frames + other.frames
        self.uids |= other.uids
        self.sums = self.sums + other.sums

    def as_json(self) -> dict[str, Any]:
        means = {
            name: float(total / count) if count else None
            for name, (total, count) in zip((*MEANS, "occlusion"), self.sums, strict=True)
        }
        return {"episodes": self.episodes, "frames": self.frames, "objects": len(self.uids), **means}
