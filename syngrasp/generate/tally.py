"""Counts and costs of attempts. Counts depend on the recipe alone; costs on the machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from syngrasp.records import Slot
from syngrasp.stage import Rejected


@dataclass(slots=True)
class Tally:
    """How many inputs each stage passed, which it rejected and why, and what it cost."""

    passed: dict[str, int] = field(default_factory=dict)
    rejections: list[tuple[Slot, Rejected]] = field(default_factory=list)
    cpu: dict[str, float] = field(default_factory=dict)  # [s]
    wall: dict[str, float] = field(default_factory=dict)  # [s]

    def add_pass(self, stage: str) -> None:
        """Counts an input that passed."""
        self.passed[stage] = self.passed.get(stage, 0) + 1

    def add_rejection(self, slot: Slot, answer: Rejected) -> None:
        """Counts an expected failure."""
        self.rejections.append((slot, answer))

    def add_cost(self, stage: str, cpu: float, wall: float) -> None:
        """Adds what an answer cost [s]."""
        self.cpu[stage] = self.cpu.get(stage, 0.0) + cpu
        self.wall[stage] = self.wall.get(stage, 0.0) + wall

    def merge(self, other: Tally) -> None:
        """Adds another tally to this one."""
        for stage, count in other.passed.items():
            self.passed[stage] = self.passed.get(stage, 0) + count
        self.rejections.extend(other.rejections)
        for stage in other.cpu:
            self.add_cost(stage, other.cpu[stage], other.wall.get(stage, 0.0))

    def copy(self) -> Tally:
        """An independent copy."""
        return Tally(dict(self.passed), list(self.rejections), dict(self.cpu), dict(self.wall))

    def counts(self, stages: tuple[str, ...]) -> dict[str, Any]:
        """Yield by stage: passed, and rejected by reason, sorted so that equal counts read equal."""
        rejected: dict[str, dict[str, int]] = {stage: {} for stage in stages}
        for _, answer in self.rejections:
            reasons = rejected[answer.stage]
            reasons[answer.reason] = reasons.get(answer.reason, 0) + 1
        return {
            stage: {"passed": self.passed.get(stage, 0), "rejected": dict(sorted(rejected[stage].items()))}
            for stage in stages
        }

    def to_json(self) -> dict[str, Any]:
        """JSON values, for `from_json`."""
        rows = [
            [s.shard, s.episode, s.attempt, answer.stage, answer.reason, answer.detail] for s, answer in self.rejections
        ]
        return {"passed": self.passed, "rejections": rows, "cpu": self.cpu, "wall": self.wall}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Tally:
        """The inverse of `to_json`."""
        rows = [(Slot(*row[:3]), Rejected(*row[3:])) for row in values["rejections"]]
        return cls(dict(values["passed"]), rows, dict(values["cpu"]), dict(values["wall"]))
