"""What the frames of episodes hold: phases, actions, where hands and targets are, what is hidden. Mergeable."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.dataset.statistics.spread import Spread
from syngrasp.records import Phase

ACTIONS = ("dx", "dy", "dz", "droll", "dpitch", "dyaw", "gripper")
CELL = 0.02  # [m] of the maps
EXTENT = {"x": (0.0, 1.0), "y": (-0.6, 0.6), "z": (-0.2, 1.0)}
"""What the maps cover in the base frame [m]; the rest is counted."""
VIEWS = (("x", "y"), ("x", "z"))
WHAT = ("target", "grasp", "tcp")
I64 = NDArray[np.int64]


class FrameTally:
    """Takes in shards' arrays. What is not stored is not counted."""

    def __init__(self) -> None:
        self.phases = np.zeros(len(Phase), np.int64)
        self.actions = {name: Spread() for name in ACTIONS}
        self.maps = {
            (what, *view): np.zeros([_cells(axis) for axis in view], np.int64) for what in WHAT for view in VIEWS
        }
        self.outside = dict.fromkeys(self.maps, 0)
        self.occlusion, self.truncated, self.seen = 0.0, 0, 0

    def add(self, arrays: Mapping[str, NDArray[Any]], starts: I64, targets: Sequence[int]) -> None:
        """Takes in episodes that lie one behind the other and begin at `starts` (E,), with the places of their targets
        among the objects. Raises ValueError where an action is not finite."""
        self.phases += np.bincount(arrays["phase"], minlength=len(Phase))[: len(Phase)]
        for name, values in zip(ACTIONS, arrays["action"].T, strict=True):
            try:
                self.actions[name].add(values)
            except ValueError as error:
                raise ValueError(f"action: {error}") from error
        self._add_places("tcp", arrays["ee_pose"][:, :3])
        if "goal_pose" in arrays:
            self._add_places("grasp", arrays["goal_pose"][starts, :3])
        if "object_pose" in arrays:
            self._add_places("target", arrays["object_pose"][starts, np.asarray(targets, np.int64), :3])
        if "occlusion" in arrays and "truncated" in arrays:
            inside = ~np.isnan(arrays["occlusion"])
            self.occlusion += float(arrays["occlusion"][inside].sum(dtype=np.float64))
            self.truncated += int(arrays["truncated"][inside].sum())
            self.seen += int(inside.sum())

    def _add_places(self, what: str, position: NDArray[Any]) -> None:
        place = {}
        for axis, values in zip("xyz", position.T, strict=True):
            low, _ = EXTENT[axis]
            place[axis] = np.floor((values - low) / CELL).astype(np.int64)
        for view in VIEWS:
            counts = self.maps[what, *view]
            i, j = (place[axis] for axis in view)
            inside = (i >= 0) & (j >= 0) & (i < counts.shape[0]) & (j < counts.shape[1])
            flat = np.bincount(i[inside] * counts.shape[1] + j[inside], minlength=counts.size)
            counts += flat.reshape(counts.shape)
            self.outside[what, *view] += int(np.count_nonzero(~inside))

    def merge(self, other: FrameTally) -> None:
        """Takes in what another has taken in."""
        self.phases += other.phases
        for name, spread in self.actions.items():
            spread.merge(other.actions[name])
        for key, counts in self.maps.items():
            counts += other.maps[key]
            self.outside[key] += other.outside[key]
        self.occlusion += other.occlusion
        self.truncated += other.truncated
        self.seen += other.seen

    def as_json(self) -> dict[str, Any]:
        """JSON-able figures; maps as rows of the first axis."""
        workspace = {
            f"{a}{b}": {
                a: [*EXTENT[a], _cells(a)],
                b: [*EXTENT[b], _cells(b)],
                **{what: self.maps[what, a, b].tolist() for what in WHAT},
                "outside": {what: self.outside[what, a, b] for what in WHAT},
            }
            for a, b in VIEWS
        }
        return {
            "phases": {phase.name.lower(): int(self.phases[phase]) for phase in Phase},
            "actions": {name: spread.as_json() for name, spread in self.actions.items()},
            "workspace": workspace,
            "occlusion": self.occlusion / self.seen if self.seen else None,
            "truncated": self.truncated / self.seen if self.seen else None,
        }


def hidden_targets(arrays: Mapping[str, NDArray[Any]], ends: I64, targets: Sequence[int]) -> NDArray[np.float64]:
    """How much of its target is hidden on average in the pictures of each episode (E,); NaN where it is not known."""
    if "occlusion" not in arrays:
        return np.full(len(ends), np.nan)
    starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])
    owner = np.repeat(np.arange(len(ends)), ends - starts)
    share = arrays["occlusion"][np.arange(len(owner)), :, np.asarray(targets, np.int64)[owner]]
    known = ~np.isnan(share)
    total = np.bincount(owner, np.where(known, share, 0.0).sum(1), len(ends))
    with np.errstate(invalid="ignore"):
        return total / np.bincount(owner, known.sum(1), len(ends))


def _cells(axis: str) -> int:
    low, high = EXTENT[axis]
    return round((high - low) / CELL)
