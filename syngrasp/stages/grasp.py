"""Scene → SceneGrasps: the target's catalog grasps that are free and within reach, in the scene."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

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
BLOCK = 64  # candidates whose hand is checked at a time
CHUNK = 8  # free ones that inverse kinematics is asked for at a time
SPARE = 5  # configurations checked at one grasp beyond those wanted


class GraspConfig(BaseModel):
    """Which of the target's grasps are offered to the planner."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["antipodal"] = Field("antipodal", description="two opposing contacts, force closure at friction 0.15")
    max_grasps: int = Field(16, ge=1, le=1000, description="grasps offered in a scene")
    max_goals: int = Field(64, ge=1, le=10_000, description="arm configurations offered in a scene")
    goals_per_grasp: int = Field(3, ge=1, le=100, description="arm configurations offered at one grasp")
    redundancy: int = Field(16, ge=1, le=256, description="values of the redundant joint that the search sweeps")
    clearance: float = Field(0.001, ge=0.0, le=0.05, description="least clearance of the open hand and of the arm [m]")
    opening_margin: float = Field(0.006, ge=0.0, le=0.04, description="of the open fingers to the contacts, sum [m]")
    min_width: float = Field(0.002, ge=0.0, le=0.05, description="thinnest place that is gripped [m]")
    min_quality: float = Field(0.0, ge=0.0, le=1.0, description="least quality of a grasp")
    max_torque: float = Field(
        0.2, ge=0.0, le=10.0, description="of the target's weight about the closing direction: more turns it [N·m]"
    )
    max_tilt: float = Field(1.3, ge=0.0, le=3.142, description="largest angle of the approach to straight down [rad]")
    approach_length: float = Field(0.08, ge=0.0, le=0.3, description="the hand is free this far back too [m]")
    retreats: tuple[Annotated[float, Field(ge=0.0, le=0.02)], ...] = Field(
        (0.0, 0.003, 0.0055), min_length=1, max_length=8,
        description="how far the hand may stay back from the contacts, first that is free [m], 0 to 0.02",
    )  # fmt: skip
    quality_weight: float = Field(1.5, ge=0.0, le=100.0, description="in the ranking, of quality over the best's")
    tilt_weight: float = Field(0.3, ge=0.0, le=100.0, description="in the ranking, of the approach's downward part")
    temperature: float = Field(0.25, ge=0.0, le=100.0, description="of the random part of the ranking; 0 is none")


class _Candidates(NamedTuple):
    T_base_tcp: F64  # (G, 4, 4)
    width: F64  # (G,) [m]
    quality: F64  # (G,)


class _Goals(NamedTuple):
    """Grasps with at least one arm configuration."""

    T_base_tcp: F64  # (G, 4, 4)
    width: F64  # (G,) [m]
    quality: F64  # (G,)
    q: F64  # (M, dof) [rad]
    of_grasp: NDArray[np.intp]  # (M,)
    solved: int  # configurations that reach a pose, free or not


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
        """Candidates in the order of a ranking, a block at a time, until enough of them have goals."""
        from syngrasp.planning.collision import SceneField

        assert self._catalog is not None, "setup() comes first"
        candidates = self._in_scene(scene)
        if isinstance(candidates, Rejected):
            return candidates
        config, slot = self.config, scene.slot
        field = SceneField.build(scene, [self._catalog.load(o.uid) for o in scene.objects])
        order = self._order(candidates, rng(self.context.seed, self.name, slot.shard, slot.episode, slot.attempt))
        found: list[_Goals] = []
        grasps, goals, free, solved = 0, 0, 0, 0
        for first in range(0, len(order), BLOCK):
            block = self._free(candidates, order[first : first + BLOCK], field)
            free += len(block.width)
            for start in range(0, len(block.width), CHUNK):
                chunk = _Candidates(*(values[start : start + CHUNK] for values in block))
                answer = self._goals(chunk, scene.q_start, field)
                solved += answer.solved
                found.append(answer)
                grasps, goals = grasps + len(answer.width), goals + len(answer.q)
                if grasps >= config.max_grasps or goals >= config.max_goals:
                    return self._collect(scene, found)
        if goals:
            return self._collect(scene, found)
        if not free:
            return Rejected(self.name, "gripper_collides", f"at all of {len(order)} grasps")
        if not solved:
            return Rejected(self.name, "unreachable", f"none of {free} free grasps has an arm configuration")
        return Rejected(self.name, "arm_collides", f"at all of {solved} arm configurations")

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
        if width.min() > widest or width.max() < config.min_width:
            reason = "too_wide" if width.min() > widest else "too_thin"
            return Rejected(self.name, reason, f"{placed.uid}: {width.min():.3f} to {width.max():.3f} m")
        fits = (width <= widest) & (width >= config.min_width)
        if not (fits := fits & (grasps.quality >= config.min_quality)).any():
            return Rejected(self.name, "low_quality", f"{placed.uid}: none that fits has {config.min_quality:.2f}")
        T_object_tcp = grasps.T_object_tcp[fits]
        T_object_tcp[:, :3, 3] *= placed.scale
        T = se3.matrix_from_pose7(placed.pose) @ T_object_tcp
        down = -T[:, 2, 2] >= np.cos(config.max_tilt)
        if not down.any():
            return Rejected(self.name, "wrong_side", f"no approach within {config.max_tilt:.2f} rad of straight down")
        T, width, quality = T[down], width[fits][down], grasps.quality[fits][down]
        torque = weight_torque(T, placed.pose[:3], placed.mass)
        if not (light := torque <= config.max_torque).any():
            return Rejected(self.name, "unbalanced", f"{placed.uid}: its weight turns it by {torque.min():.2f} N·m")
        T, width, quality = T[light], width[light], quality[light]
        # Pads that move on arcs reach less far when they hold something wide: the hand goes that much deeper.
        T = _moved_back(T, self._robot.pad_reach(width) - self._robot.gripper.pad_depth)
        return _Candidates(T, width, quality)

    def _free(self, candidates: _Candidates, index: NDArray[np.intp], field: SceneField) -> _Candidates:
        """Those of an index (K,), in its order, at which the open hand is free, each moved back by the first retreat
        that makes it so, and free before its approach too."""
        config = self.config
        chosen = candidates.T_base_tcp[index]
        blocked = np.arange(len(index))
        for retreat in config.retreats:
            moved = _moved_back(candidates.T_base_tcp[index[blocked]], retreat)
            free = self._hand_clearance(moved, field) >= config.clearance
            chosen[blocked[free]] = moved[free]
            blocked = blocked[~free]
            if not len(blocked):
                break
        kept = np.delete(np.arange(len(index)), blocked)
        before = self._hand_clearance(_moved_back(chosen[kept], config.approach_length), field)
        kept = kept[before >= config.clearance]
        return _Candidates(chosen[kept], candidates.width[index[kept]], candidates.quality[index[kept]])

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

    def _goals(self, candidates: _Candidates, q_start: F64, field: SceneField) -> _Goals:
        """Free arm configurations at candidates, at most `goals_per_grasp` each, the nearest to the start.

        The distance is the joint travel plus what presses towards the ends of the joints' ranges. Both orders of the
        fingers grip alike: an order that has a configuration is a grasp of its own.
        """
        assert self._robot is not None
        robot, config = self._robot, self.config
        T = np.stack([candidates.T_base_tcp, candidates.T_base_tcp @ HALF_TURN], axis=1).reshape(-1, 4, 4)
        q, pose = robot.ik_batch(T, config.redundancy)
        lower, upper = robot.limits.q_lower, robot.limits.q_upper
        off_center = (2.0 * q - lower - upper) / (upper - lower)
        cost = np.sqrt(((q - q_start) ** 2).sum(axis=1)) + (off_center**8).sum(axis=1)
        near = _first_of_each(pose // 2, cost, config.goals_per_grasp + SPARE)
        clearance = field.configuration_clearance(robot, q[near], robot.gripper.max_width)
        free = near[clearance >= config.clearance]
        kept = free[_first_of_each(pose[free] // 2, cost[free], config.goals_per_grasp)]
        used, of_pose = np.unique(pose[kept], return_inverse=True)
        return _Goals(
            T[used], candidates.width[used // 2], candidates.quality[used // 2], q[kept], of_pose.reshape(-1), len(q)
        )

    def _collect(self, scene: Scene, found: Sequence[_Goals]) -> SceneGrasps:
        shift = np.cumsum([0, *(len(goals.width) for goals in found)])
        of_grasp = np.concatenate([goals.of_grasp + n for goals, n in zip(found, shift, strict=False)])
        return SceneGrasps(
            scene=scene,
            T_base_tcp=np.concatenate([goals.T_base_tcp for goals in found]),
            width=np.concatenate([goals.width for goals in found]),
            quality=np.concatenate([goals.quality for goals in found]),
            q_goal=np.concatenate([goals.q for goals in found])[: self.config.max_goals],
            grasp_of_goal=of_grasp[: self.config.max_goals].astype(np.int32),
        )


def weight_torque(T_base_tcp: F64, center: F64, mass: float) -> F64:
    """How strongly (G,) [N·m] the weight of a mass [kg] at `center` (3,) in base turns it about the closing direction
    of grasps (G, 4, 4): what two pads hold least against."""
    lever = center - T_base_tcp[:, :3, 3]
    closing = T_base_tcp[:, :3, 1]
    return 9.81 * mass * np.abs(closing[:, 0] * lever[:, 1] - closing[:, 1] * lever[:, 0])


def _first_of_each(group: NDArray[np.integer], cost: F64, count: int) -> NDArray[np.intp]:
    """Indices of the `count` cheapest of each group, group by group, cheapest first."""
    order = np.lexsort((cost, group))
    ordered = group[order]
    rank = np.arange(len(order)) - np.searchsorted(ordered, ordered)
    return order[rank < count]


def _moved_back(T: F64, distance: float | F64) -> F64:
    """Poses (G, 4, 4) moved against their approach by a distance, or each by its own (G,) [m]."""
    T = T.copy()
    T[:, :3, 3] -= np.asarray(distance)[..., None] * T[:, :3, 2]
    return T
