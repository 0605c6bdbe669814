"""A solver for the cuRobo planner that needs no cuRobo: RRT-Connect in the world as it is handed over.

It stands where `curobo_solver.CuroboSolver` stands, so that all around it can run anywhere: it sees obstacles, start
and goal poses as cuRobo would, and nothing else. Like cuRobo it ends its ways only near a goal.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.planning import rrt
from syngrasp.planning.arrays import robot_arrays
from syngrasp.planning.collision import SceneField
from syngrasp.planning.curobo import Way, WayProblem
from syngrasp.planning.curobo_scene import World
from syngrasp.records import PlacedObject, Scene, Slot
from syngrasp.robots.base import Robot
from tests.planning.clutter import model_of

F64 = NDArray[np.float64]
NEAR = 0.004  # how far a way's end may be off in a joint [rad]


class CpuWays:
    """Ways that keep `padding` [m] from everything; counts what it was asked."""

    def __init__(self, robot: Robot, padding: float) -> None:
        self.robot, self.padding = robot, padding
        self.sizes: list[int] = []
        self.closed = False

    def solve(self, problems: Sequence[WayProblem]) -> list[Way | None]:
        self.sizes.append(len(problems))
        return [self._way(problem) for problem in problems]

    def close(self) -> None:
        self.closed = True

    def _way(self, problem: WayProblem) -> Way | None:
        robot, arrays = self.robot, robot_arrays(self.robot)
        field = field_of(problem.world, problem.q_start)
        T = se3.make(se3.matrix_from_quat(problem.goals.quaternion), problem.goals.position)
        q, owner = robot.ik_batch(T, 8)
        q += np.random.default_rng(0).uniform(-NEAR, NEAR, q.shape)
        free = field.configuration_clearance(robot, q, robot.gripper.max_width) > self.padding
        free &= np.all((q > robot.limits.q_lower) & (q < robot.limits.q_upper), axis=1)
        q, owner = q[free], owner[free]
        near = np.argsort(np.linalg.norm(q - problem.q_start, axis=1))[:6]
        if not len(near):
            return None
        scene = arrays, field.arrays, problem.q_start
        seed, opened = np.uint64(1), robot.gripper.max_width
        path, index = rrt.connect(*scene, np.ascontiguousarray(q[near]), opened, self.padding, seed, 1500, 0.8)
        if index < 0:
            return None
        path = rrt.shortcut(arrays, field.arrays, path, opened, self.padding, seed, 60)
        dense = np.concatenate([np.linspace(a, b, 12)[1:] for a, b in pairwise(path)])
        return Way(int(owner[near[index]]), dense)


def field_of(world: World, q_start: F64) -> SceneField:
    """The field of a world: each part an object of its own, where it says it is."""
    placed = [PlacedObject(part.name, 1.0, 0.2, 1.0, part.pose) for part in world.parts]
    models = [model_of(part.name, [part.vertices]) for part in world.parts]
    x, y, z = world.table.pose[:3]
    top, size = float(z + world.table.size[2] / 2), (float(world.table.size[0]), float(world.table.size[1]))
    scene = Scene(Slot(0, 0), "", tuple(placed), 0, "", "", top, (float(x), float(y)), size, q_start)
    return SceneField.build(scene, models)
