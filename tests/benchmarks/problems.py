"""Planning problems and grasp poses as the project's own stages make them: six objects of the built-in catalog."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.cli.catalogs import catalog_or_builtin
from syngrasp.objects.catalog import Catalog
from syngrasp.planning import kernels, motion
from syngrasp.planning.arrays import robot_arrays
from syngrasp.planning.collision import SceneField
from syngrasp.planning.straight import straight_line
from syngrasp.records import Scene, SceneGrasps, Slot
from syngrasp.robots import RobotConfig, make_robot
from syngrasp.robots.base import Robot
from syngrasp.stage import Rejected
from syngrasp.stages.context import StageContext
from syngrasp.stages.grasp import GraspConfig, GraspStage
from syngrasp.stages.layout import LayoutConfig, LayoutStage
from syngrasp.stages.plan import PlanConfig

F64 = NDArray[np.float64]
OBJECTS = 6


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """From a start to any of a few configurations before the approach to a grasp."""

    field: SceneField
    q_start: F64  # (dof,) [rad]
    goals: F64  # (M, dof) [rad], the most promising first
    margins: F64  # (M,) clearance that a straight edge to each goal has to keep [m]
    width: float  # of the gripper [m]

    @property
    def margin(self) -> float:
        """Clearance [m] that a way to whichever goal keeps."""
        return float(self.margins.min())


class Scenes:
    """Settled scenes of the built-in catalog, one for each episode of shard 0."""

    def __init__(self) -> None:
        context = StageContext(0, RobotConfig(), str(catalog_or_builtin(None, lambda event: None)))
        self.robot: Robot = make_robot(context.robot)
        self.catalog = Catalog.open(context.catalog)
        self._layout = LayoutStage(LayoutConfig(objects=(OBJECTS, OBJECTS)), context)
        self._grasp = GraspStage(GraspConfig(), context)
        self._layout.setup()
        self._grasp.setup()

    def __iter__(self) -> Iterator[Scene]:
        for episode in range(100_000):
            (scene,) = self._layout.process([Slot(0, episode)])
            if not isinstance(scene, Rejected):
                yield scene

    def problem(self, scene: Scene, target: int) -> Problem | None:
        """The planner's problem in a scene with a target; None where no grasp can be approached."""
        (grasps,) = self._grasp.process([replace(scene, target=target)])
        return None if isinstance(grasps, Rejected) else _problem(self.robot, self.catalog, grasps)

    def grasp_pose(self, scene: Scene, rng: np.random.Generator) -> F64 | None:
        """One of the target's grasps (4, 4) in base, reachable or not, from an allowed side; None without any."""
        target = scene.objects[scene.target]
        T = self.catalog.load(target.uid).grasps.T_object_tcp.copy()
        T[:, :3, 3] *= target.scale
        T = se3.matrix_from_pose7(target.pose) @ T
        T = T[-T[:, 2, 2] >= np.cos(GraspConfig().max_tilt)]
        return T[rng.integers(len(T))] if len(T) else None


def _problem(robot: Robot, catalog: Catalog, grasps: SceneGrasps) -> Problem | None:
    """Goals in the planner's order that a straight approach leads from, at most as many as it searches for."""
    options, scene = PlanConfig().options(), grasps.scene
    arrays, width = robot_arrays(robot), robot.gripper.max_width
    field = SceneField.build(scene, [catalog.load(o.uid) for o in scene.objects])

    def clearance(q: F64) -> float:
        return float(kernels.clearances(arrays, field.arrays, q[None], np.array([width]), 0.1)[0])

    q_start = np.ascontiguousarray(scene.q_start, dtype=np.float64)
    travel = np.linalg.norm(grasps.q_goal - q_start, axis=1)
    order = np.argsort(travel + options.quality_weight * grasps.grasp_of_goal / len(grasps.width), kind="stable")
    points = int(np.ceil(options.approach_length / motion.LINE_STEP)) + 1
    goals: list[F64] = []
    for goal in order[: options.max_goals]:
        q = np.ascontiguousarray(grasps.q_goal[goal])
        back = -options.approach_length * grasps.T_base_tcp[grasps.grasp_of_goal[goal], :3, 2]
        margin = min(options.clearance, clearance(q)) - motion.SLACK
        line, outcome = straight_line(arrays, field.arrays, q, back, points, width, margin)
        if outcome == 0:
            goals.append(line[-1].copy())
        if len(goals) == motion.MAX_CANDIDATES:
            break
    if not goals or clearance(q_start) < 0.0:
        return None
    kept = min(options.clearance + motion.EXPLORED, clearance(q_start))
    margins = np.array([min(kept, clearance(q)) - motion.SLACK for q in goals])
    return Problem(field, q_start, np.stack(goals), margins, width)
