"""What every stage is told besides its own section of the recipe. Plain values: it travels to other processes."""

from __future__ import annotations

from dataclasses import dataclass

from syngrasp.robots import RobotConfig


@dataclass(frozen=True, slots=True)
class StageContext:
    """The parts of a run that all stages share."""

    seed: int
    robot: RobotConfig
    catalog: str  # path
    objects: int = 8  # most that a scene holds
