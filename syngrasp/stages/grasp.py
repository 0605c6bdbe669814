"""Scene → SceneGrasps: the target's catalog grasps that are free and within reach, in the scene."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from syngrasp import se3
from syngrasp.records import Scene, SceneGrasps
from syngrasp.robots import make_robot
from syngrasp.seeding import rng
from syngrasp.stage import Rejected
from syngrasp.stages.context import StageContext

if TYPE_CHECKING:
    from syngrasp.objects.catalog import Catalog
    from syngrasp.planning.collision import SceneField
    from syngrasp.robots.base import Robot

F64 = NDArray[np.float64]
HALF_TURN = np.diag([-1.0, -1.0, 1.0, 1.0])  # about the approach: exchanges the fingers
TRIED_PER_POSE = 6  # arm configurations checked at one pose, the nearest to the start first


class GraspConfig(BaseModel):
    """Which of the target's grasps are offered to the planner."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["antipodal"] = Field("antipodal", description="two opposing contacts, force closure at friction 0.15")
    max_grasps: int = Field(24, ge=1, le=1000, description="grasps offered in a scene")
    max_goals: int = Field(64, ge=1, le=10_000, description="arm configurations offered in a scene")
    goals_per_grasp: int = Field(3, ge=1, le=100, description="arm configurations offered at one grasp")
    redundancy: int = Field(16, ge=1, le=256, description="values of the redundant joint that the search sweeps")
    clearance: float = Field(0.001, ge=0.0, le=0.05, description="least clearance of the open hand and of the arm [m]")
    opening_margin: float = Field(0.006, ge=0.0, le=0.04, description="of the open fingers to the contacts, sum [m]")
    min_width: float = Field(0.003, ge=0.0, le=0.05, description="thinnest place that is gripped [m]")
    min_quality: float = Field(0.0, ge=0.0, le=1.0, description="least quality of a grasp")
    max_tilt: float = Field(1.3, ge=0.0, le=3.142, description="largest angle of the approach to straight down [rad]")
    approach_length: float = Field(0.08, ge=0.0, le=0.3, description="the hand is free this far back too [m]")
    retreats: tuple[float, ...] = Field(
        (0.0, 0.003, 0.0055), min_length=1, max_length=8,
        description="how far the hand may stay back from the contacts, first that is free [m], 0 to 0.02",
    )  # fmt: skip
    quality_weight: float = Field(1.0, ge=0.0, le=100.0, description="in the ranking, of quality over the best's")
    tilt_weight: float = Field(0.3, ge=0.0, le=100.0, description="in the ranking, of the approach's downward part")
    temperature: float = Field(0.25, ge=0.0, le=100.0, description="of the random part of the ranking; 0 is none")


class _Candidates(NamedTuple):
    T_base_tcp: F64  # (G, 4, 4)
    width: F64  # (G,) [m]
    quality: F64  # (G,)


class GraspStage:
    """Brings the target's grasps into the scene, and finds arm configurations for them in the order of a ranking
    until there are enough."""

    name = "grasp"

    def __init__(self, config: GraspConfig, context: StageContext) -> None:
        self.config = config
        self.context = context
        self._catalog: Catalog | None = None
        self._robot: Robot | None = None

    def setup(self) -> None:
        """Opens the catalog and makes the robot with its open hand."""
        from syngrasp.geometry.antipodal import gripper_shape
        from syngrasp.objects.catalog import Catalog

        self._catalog = Catalog.open(self.context.catalog)
        self._robot = make_robot(self.context.robot)
        shape = gripper_shape(self._robot)
        self._hand = shape.center.copy()
        self._hand[:, 1] += 0.5 * shape.finger * shape.max_width
        self._hand_radius = shape.radius

    def process(self, batch: Sequence[Scene]) -> list[SceneGrasps | Rejected]:
        """The offered grasps of each scene, or why there are none."""
        return [self._grasps(scene) for scene in batch]

    def close(self) -> None:
        """Lets go of the catalog."""
        self._catalog = None

    def _grasps(self, scene: Scene) -> SceneGrasps | Rejected:
        from syngrasp.planning.collision import SceneField

        assert self._catalog is not None, "setup() comes first"
        candidates = self._in_scene(scene)
        if isinstance(candidates, Rejected):
            return candidates
        models = [self._catalog.load(o.uid) for o in scene.objects]
        field = SceneField.build(scene, models)
        found = len(candidates.width)
        candidates = self._free(candidates, field)
        if not len(candidates.width):
            return Rejected(self.name, "gripper_collides", f"all {found} grasps")
        slot = scene.slot
        stream = rng(self.context.seed, self.name, slot.shard, slot.episode, slot.attempt)
        order = self._order(candidates, stream)
        return self._reachable(scene, candidates, order, field)

    def _in_scene(self, scene: Scene) -> _Candidates | Rejected:
        """The target's grasps in base at its scale that fit the gripper and come from an allowed side."""
        assert self._catalog is not None
        assert self._robot is not None
        config = self.config
        placed = scene.objects[scene.target]
        grasps = self._catalog.load(placed.uid).grasps
        if not len(grasps.width):
            return Rejected(self.name, "no_grasp_in_catalog", placed.uid)
        width = placed.scale * grasps.width
        widest = self._robot.gripper.max_width - config.opening_margin
        fits = (width <= widest) & (width >= config.min_width) & (grasps.quality >= config.min_quality)
        if not fits.any():
            return Rejected(
                self.name, "too_wide", f"{placed.uid}: {width.min():.3f} m at least, gripper {widest:.3f} m"
            )
        T_object_tcp = grasps.T_object_tcp[fits]
        T_object_tcp[:, :3, 3] *= placed.scale
        T = se3.matrix_from_pose7(placed.pose) @ T_object_tcp
        down = -T[:, 2, 2] >= np.cos(config.max_tilt)
        if not down.any():
            return Rejected(self.name, "wrong_side", f"no approach within {config.max_tilt:.2f} rad of straight down")
        return _Candidates(T[down], width[fits][down], grasps.quality[fits][down])

    def _free(self, candidates: _Candidates, field: SceneField) -> _Candidates:
        """Those at which the open hand is free, each moved back by the first retreat that makes it so, and free before
        its approach."""
        config = self.config
        chosen = candidates.T_base_tcp.copy()
        done = np.zeros(len(chosen), dtype=bool)
        for retreat in config.retreats:
            open_ones = np.flatnonzero(~done)
            moved = _moved_back(candidates.T_base_tcp[open_ones], retreat)
            free = self._hand_clearance(moved, field) >= config.clearance
            chosen[open_ones[free]] = moved[free]
            done[open_ones[free]] = True
        kept = np.flatnonzero(done)
        before = self._hand_clearance(_moved_back(chosen[kept], config.approach_length), field)
        kept = kept[before >= config.clearance]
        return _Candidates(chosen[kept], candidates.width[kept], candidates.quality[kept])

    def _hand_clearance(self, T_base_tcp: F64, field: SceneField) -> F64:
        return field.sphere_clearance(se3.transform(T_base_tcp, self._hand), self._hand_radius)

    def _order(self, candidates: _Candidates, stream: np.random.Generator) -> NDArray[np.intp]:
        """Indices from the best score on. With Gumbel noise of scale τ this draws without replacement with odds
        exp(score / τ), so that a dataset sees every grasp now and then."""
        config = self.config
        score = config.quality_weight * candidates.quality / max(float(candidates.quality.max()), 1e-12)
        score = score - config.tilt_weight * candidates.T_base_tcp[:, 2, 2]
        score = score + config.temperature * stream.gumbel(size=len(score))
        return np.argsort(-score, kind="stable")

    def _reachable(
        self, scene: Scene, candidates: _Candidates, order: NDArray[np.intp], field: SceneField
    ) -> SceneGrasps | Rejected:
        config = self.config
        goals: list[F64] = []
        poses: list[F64] = []
        source: list[int] = []
        of_goal: list[int] = []
        solved = 0
        for index in order:
            # Both orders of the fingers grip alike; the arm may reach only one.
            for T in (candidates.T_base_tcp[index], candidates.T_base_tcp[index] @ HALF_TURN):
                q, any_solution = self._configurations(T, scene.q_start, field)
                solved += any_solution
                if not len(q):
                    continue
                poses.append(T)
                source.append(int(index))
                goals.append(q)
                of_goal += [len(poses) - 1] * len(q)
            if len(poses) >= config.max_grasps or len(of_goal) >= config.max_goals:
                break
        if not poses:
            if not solved:
                return Rejected(self.name, "unreachable", f"none of {len(order)} free grasps has an arm configuration")
            return Rejected(self.name, "arm_collides", f"at all of {solved} reachable poses")
        return SceneGrasps(
            scene=scene,
            T_base_tcp=np.stack(poses),
            width=candidates.width[source],
            quality=candidates.quality[source],
            q_goal=np.concatenate(goals)[: config.max_goals],
            grasp_of_goal=np.array(of_goal[: config.max_goals], dtype=np.int32),
        )

    def _configurations(self, T_base_tcp: F64, q_start: F64, field: SceneField) -> tuple[F64, bool]:
        """Free configurations (≤ goals_per_grasp, dof) at a pose, nearest to the start first; whether any reaches it.

        The distance is the joint travel plus what presses towards the ends of the joints' ranges.
        """
        assert self._robot is not None
        robot, config = self._robot, self.config
        q = robot.ik(T_base_tcp, config.redundancy)
        if not len(q):
            return q, False
        lower, upper = robot.limits.q_lower, robot.limits.q_upper
        off_center = (2.0 * q - lower - upper) / (upper - lower)
        cost = np.linalg.norm(q - q_start, axis=1) + np.sum(off_center**8, axis=1)
        q = q[np.argsort(cost, kind="stable")[:TRIED_PER_POSE]]
        clearance = field.configuration_clearance(robot, q, np.full(len(q), robot.gripper.max_width))
        return q[clearance >= config.clearance][: config.goals_per_grasp], True


def _moved_back(T: F64, distance: float) -> F64:
    """Poses (G, 4, 4) moved against their approach by a distance [m]."""
    T = T.copy()
    T[:, :3, 3] -= distance * T[:, :3, 2]
    return T
