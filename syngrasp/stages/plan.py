"""The plan stage: one collision-free motion from the start to a grasp and up with the target."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from syngrasp.records import Plan, SceneGrasps, Slot
from syngrasp.robots import make_robot
from syngrasp.seeding import rng
from syngrasp.stage import Rejected
from syngrasp.stages.context import StageContext

if TYPE_CHECKING:
    from syngrasp.objects.catalog import Catalog
    from syngrasp.planning.options import MotionOptions
    from syngrasp.planning.planner import Planner
    from syngrasp.robots.base import Robot


class CuroboConfig(BaseModel):
    """How cuRobo searches, where `plan.kind` is curobo. The GPU's memory grows with `batch` times the rest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    batch: int = Field(default=16, ge=1, le=1024, description="scenes planned at once; a smaller batch costs as much")
    goals: int = Field(default=32, ge=1, le=256, description="grasps of a scene that it may choose from")
    parts: int = Field(default=128, ge=8, le=2048, description="convex parts in a scene; beyond, objects are hulls")
    buffer: float = Field(default=0.006, ge=0.0, le=0.05, description="kept beyond `plan.clearance`, for smoothing [m]")
    ik_seeds: int = Field(default=32, ge=1, le=1024, description="starts of its inverse kinematics")
    trajectory_seeds: int = Field(default=4, ge=1, le=64, description="trajectories optimised at once for a scene")
    attempts: int = Field(default=3, ge=1, le=20, description="passes over a batch until every scene has a way")
    cuda_graph: bool = Field(default=True, description="record its kernels once; off only to look for faults")


class PlanConfig(BaseModel):
    """How the arm moves. Fractions are of the robot's own limits, at `speed` 1."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["rrt", "curobo"] = Field("rrt", description="planner: rrt on the CPU, curobo on an NVIDIA GPU")
    control_rate: float = Field(10.0, ge=1.0, le=100.0, description="samples of the motion [Hz]")
    speed: float = Field(1.0, ge=0.1, le=4.0, description="runs the whole motion this much faster")
    reach_speed: float = Field(0.46, ge=0.1, le=4.0, description="factor on the reach's speed, besides `speed`")
    clearance: float = Field(0.004, ge=0.0, le=0.05, description="kept from everything before the approach [m]")
    grasp_clearance: float = Field(0.0, ge=-0.005, le=0.02, description="least clearance at the grasp, hand open [m]")
    approach_length: float = Field(0.08, ge=0.02, le=0.3, description="straight motion before the grasp [m]")
    lift_height: float = Field(0.12, ge=0.02, le=0.5, description="straight motion up after the grasp [m]")
    close_time: float = Field(0.5, ge=0.1, le=5.0, description="at least this long for the fingers to close [s]")
    hold_time: float = Field(0.5, ge=0.0, le=10.0, description="stands still after the lift [s]")
    velocity: float = Field(0.45, gt=0.0, le=1.0, description="joint velocity, fraction")
    acceleration: float = Field(0.15, gt=0.0, le=1.0, description="joint acceleration, fraction")
    jerk: float = Field(0.01, gt=0.0, le=1.0, description="joint jerk, fraction")
    tcp_speed: float = Field(0.25, gt=0.0, le=3.0, description="of the TCP in the reach, at `reach_speed` 1 [m/s]")
    lift_speed: float = Field(0.2, gt=0.0, le=3.0, description="of the TCP during the lift [m/s]")
    smoothing_time: float = Field(0.3, ge=0.02, le=2.0, description="over which the speed profile is rounded [s]")
    rounding: float = Field(0.2, ge=0.02, le=0.5, description="knot spacing: corners are rounded over four [rad]")
    prefer_smooth: bool = Field(True, description="rather give up than take a long way round")
    max_detour: float = Field(1.8, ge=1.0, le=10.0, description="longest way, in lengths of the straight one")
    max_goals: int = Field(64, ge=1, le=10_000, description="goals looked at in a scene")
    quality_weight: float = Field(1.0, ge=0.0, le=100.0, description="joint travel that the best grasp is worth [rad]")
    retry_fraction: float = Field(
        0.0, ge=0.0, le=1.0, description="share of the slots whose first grasp misses on purpose and is tried again"
    )
    retry_offset: tuple[float, float] = Field(
        (0.02, 0.08), description="range of how far a missed grasp lies beside or before the true one [m], 0.01 to 0.3"
    )
    retry_distance: tuple[float, float] = Field(
        (0.10, 0.16),
        description="range of how far before the grasp the hand backs off to after a miss [m], 0.02 to 0.4",
    )
    curobo: CuroboConfig = Field(CuroboConfig(), description="where kind is curobo")

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        for name, (low, high) in {"retry_offset": (0.01, 0.3), "retry_distance": (0.02, 0.4)}.items():
            first, last = getattr(self, name)
            if not low <= first <= last <= high:
                raise ValueError(f"{name}: [{first}, {last}] is not an ascending range within [{low}, {high}]")
        if self.retry_distance[0] <= self.retry_offset[1]:
            raise ValueError(f"retry_distance must begin beyond the largest retry_offset, {self.retry_offset[1]} m")
        return self

    def options(self) -> MotionOptions:
        """The same values as the planner takes them."""
        from syngrasp.planning.options import MotionOptions

        return MotionOptions(**self.model_dump(exclude={"kind", "curobo", "retry_fraction"}))


def _rrt(config: PlanConfig, robot: Robot, seed: int) -> Planner:
    from syngrasp.planning.planner import RrtPlanner

    return RrtPlanner(robot, config.options())


def _curobo(config: PlanConfig, robot: Robot, seed: int) -> Planner:
    from syngrasp.planning.curobo import CuroboOptions, CuroboPlanner
    from syngrasp.planning.curobo_solver import CuroboSolver

    options = CuroboOptions(**config.curobo.model_dump())
    solver = CuroboSolver(robot, options, config.clearance + options.buffer, seed % 2**31)
    return CuroboPlanner(robot, config.options(), options, solver)


PLANNERS: dict[str, Callable[[PlanConfig, Robot, int], Planner]] = {"rrt": _rrt, "curobo": _curobo}


class PlanStage:
    """SceneGrasps → Plan."""

    name = "plan"

    def __init__(self, config: PlanConfig, context: StageContext) -> None:
        self._config, self._context = config, context
        self._catalog: Catalog | None = None
        self._planner: Planner | None = None

    def setup(self) -> None:
        """Opens the catalog and makes the robot and the planner; compiled kernels are loaded here."""
        from syngrasp.objects.catalog import Catalog

        self._planner = PLANNERS[self._config.kind](self._config, make_robot(self._context.robot), self._context.seed)
        self._catalog = Catalog.open(self._context.catalog)

    def process(self, batch: Sequence[SceneGrasps]) -> list[Plan | Rejected]:
        """One motion or one reason for each scene."""
        from syngrasp.planning.options import NoPlan
        from syngrasp.planning.planner import Problem

        assert self._catalog is not None, "setup() comes first"
        assert self._planner is not None
        problems = []
        for grasps in batch:
            slot = grasps.scene.slot
            stream = rng(self._context.seed, self.name, slot.shard, slot.episode, slot.attempt)
            models = [self._catalog.load(o.uid) for o in grasps.scene.objects]
            problems.append(Problem(grasps, models, stream, self._retries(slot)))
        answers = self._planner.plan(problems)
        return [Rejected(self.name, a.reason, a.detail) if isinstance(a, NoPlan) else a for a in answers]

    def close(self) -> None:
        """Lets go of the catalog and the planner."""
        if self._planner is not None:
            self._planner.close()
        self._catalog = self._planner = None

    def _retries(self, slot: Slot) -> bool:
        """Whether a slot gets a motion that misses at first: of all its attempts alike, so that the share of episodes
        is the one asked for whatever becomes of attempts."""
        stream = rng(self._context.seed, "retry", slot.shard, slot.episode, 0)
        return bool(stream.random() < self._config.retry_fraction)
