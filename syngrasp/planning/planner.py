"""What every planner is asked and answers, whatever finds its ways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from syngrasp.planning.motion import plan_motion
from syngrasp.planning.options import MotionOptions, NoPlan
from syngrasp.records import ObjectModel, Plan, SceneGrasps
from syngrasp.robots.base import Robot


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """A scene to plan in."""

    grasps: SceneGrasps
    models: Sequence[ObjectModel]  # of the scene's objects, in order
    rng: np.random.Generator  # the scene's own
    retry: bool = False  # whether the hand is to miss at first, see `planning.retry`


class Planner(Protocol):
    """Finds motions. Every kind passes tests/planning/contract.py."""

    def plan(self, problems: Sequence[Problem]) -> list[Plan | NoPlan]:
        """One motion, or one reason why not, for each problem, in order."""
        ...

    def close(self) -> None:
        """Gives back what making it took."""
        ...


class RrtPlanner:
    """`plan_motion`, one scene after the other."""

    def __init__(self, robot: Robot, options: MotionOptions) -> None:
        self._robot, self._options = robot, options

    def plan(self, problems: Sequence[Problem]) -> list[Plan | NoPlan]:
        robot, options = self._robot, self._options
        return [plan_motion(robot, p.grasps, p.models, options, p.rng, retry=p.retry) for p in problems]

    def close(self) -> None:
        pass
