"""Planning problems and grasp poses as the project's own stages make them: six objects of the built-in catalog."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.cli.catalogs import catalog_or_builtin
from syngrasp.objects.catalog import Catalog
from syngrasp.planning import motion
from syngrasp.planning.assembly import Assembler, Candidate, Fields
from syngrasp.planning.collision import SceneField
from syngrasp.records import ObjectModel, Scene, SceneGrasps, Slot
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
    scene: Scene
    models: tuple[ObjectModel, ...]  # of the scene's objects

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
    """Goals in the planner's order that can be approached and lifted from, at most as many as it searches for."""
    options, models = PlanConfig().options(), tuple(catalog.load(o.uid) for o in grasps.scene.objects)
    assembler = Assembler(robot, Fields.build(grasps, models), grasps, options)
    if assembler.start_clearance < 0.0:
        return None
    tried = (assembler.candidate(int(goal)) for goal in motion.order(grasps, options)[: options.max_goals])
    found = list(islice((c for c in tried if isinstance(c, Candidate)), motion.MAX_CANDIDATES))
    if not found:
        return None
    goals = np.stack([candidate.approach[0] for candidate in found])
    margins = np.array([assembler.margin(q) for q in goals])
    field, start = assembler.fields.everything, assembler.q_start
    return Problem(field, start, goals, margins, assembler.opened, grasps.scene, models)
