"""Plan → Rollout: physics executes the plan, and only what is really lifted goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from syngrasp import se3
from syngrasp.records import Plan, Rollout
from syngrasp.seeding import rng
from syngrasp.stage import Rejected
from syngrasp.stages.context import StageContext

if TYPE_CHECKING:
    from syngrasp.objects.catalog import Catalog
    from syngrasp.physics.lift import LiftLimits, Recording, Trial
    from syngrasp.physics.replay import ReplayResult
    from syngrasp.robots.base import Robot

CLEAR = 0.2  # share of a limit up to which a rollout is beyond doubt
CLEAR_RISE = 0.01  # over the least rise [m]: from here on it is beyond doubt


class LiftConfig(BaseModel):
    """What counts as a lift, and the physics under which it must succeed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["mujoco", "mjwarp"] = Field(
        "mujoco",
        description="physics engine: MuJoCo, a plan at a time on a core; or MuJoCo Warp, on a GPU a batch at a time "
        "(execution.lift.batch)",
    )
    device: Literal["cuda", "cpu"] = Field(
        "cuda", description="of mjwarp; cpu serves to try it out, many times slower than mujoco"
    )
    deterministic: bool = Field(
        True, description="of mjwarp on cuda: the same batch gives the same bits again, at some cost"
    )
    lift_height: float = Field(0.10, gt=0.0, le=0.5, description="least rise of the target over the hold [m]")
    hold_time: float = Field(0.5, ge=0.0, le=5.0, description="how long the target must be held up at the end [s]")
    max_slip: float = Field(0.01, gt=0.0, le=0.1, description="largest motion of the target in the hand [m]")
    max_disturbance: float = Field(0.05, gt=0.0, le=1.0, description="largest motion of any other object [m]")
    max_deviation: float = Field(0.02, gt=0.0, le=0.2, description="largest distance of the TCP from its command [m]")
    grip_force: tuple[float, float] = Field((30.0, 60.0), description="range of the grip force [N], 5 to 140")
    servo_gain: tuple[float, float] = Field((0.9, 1.1), description="range of the servo gains' factor, 0.2 to 5")
    timestep: float = Field(
        1.0 / 300.0,
        ge=0.0005,
        le=0.005,
        description="of the physics [s]; rounded to a whole part of the control period",
    )
    noslip_iterations: int = Field(0, ge=0, le=20, description="of MuJoCo's noslip solver; more slip less, cost more")
    verify_replay: Literal["always", "doubtful", "never"] = Field(
        "doubtful",
        description="whose stored actions are executed again and must lift too: all rollouts', or only those of "
        "rollouts that slip, disturb or rise near their limits",
    )

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        for name, (low, high) in {"grip_force": (5.0, 140.0), "servo_gain": (0.2, 5.0)}.items():
            first, last = getattr(self, name)
            if not low <= first <= last <= high:
                raise ValueError(f"{name}: [{first}, {last}] is not an ascending range within [{low}, {high}]")
        return self

    def limits(self) -> LiftLimits:
        """What counts as a lift, as physics takes it."""
        from syngrasp.physics.lift import LiftLimits

        return LiftLimits(self.lift_height, self.hold_time, self.max_slip, self.max_disturbance, self.max_deviation)


class LiftStage:
    """Executes plans in MuJoCo or MuJoCo Warp. See `syngrasp.physics.lift` and `warp_lift`."""

    name = "lift"

    def __init__(self, config: LiftConfig, context: StageContext) -> None:
        self.config = config
        self.context = context

    def setup(self) -> None:
        """Opens the catalog, makes the robot and starts the engine."""
        from syngrasp.objects.catalog import Catalog
        from syngrasp.robots import make_robot

        self._catalog: Catalog = Catalog.open(self.context.catalog)
        self._robot: Robot = make_robot(self.context.robot)
        self._execute: Callable[[Sequence[Trial]], list[Recording]] = self._engine()

    def process(self, batch: Sequence[Plan]) -> list[Rollout | Rejected]:
        """A rollout for each plan that lifts its target."""
        from syngrasp.physics.lift import Motion, Trial

        trials = [
            Trial(
                plan.scene,
                [self._catalog.load(o.uid) for o in plan.scene.objects],
                Motion(plan.q, plan.qd, plan.gripper, plan.dt),
                self._draw_physics(plan),
            )
            for plan in batch
        ]
        recordings = self._execute(trials)
        answers = [self._judged(*of_one) for of_one in zip(batch, trials, recordings, strict=True)]
        return self._verified(answers, trials)

    def close(self) -> None:
        """Nothing to give back."""

    def _engine(self) -> Callable[[Sequence[Trial]], list[Recording]]:
        if self.config.kind == "mjwarp":
            from syngrasp.physics.warp_lift import WarpLift

            return WarpLift(self._robot, self.config.device, self.config.deterministic).execute
        from syngrasp.physics.lift import execute_each

        return partial(execute_each, robot=self._robot)

    def _judged(self, plan: Plan, trial: Trial, recording: Recording) -> Rollout | Rejected:
        from syngrasp.physics.lift import judge, rollout_of

        T_commanded, limits = self._robot.fk(plan.q), self.config.limits()
        figures, failure = judge(
            recording, T_commanded, plan.phase, plan.grasp_width, plan.scene.target, plan.dt, limits
        )
        if failure:
            return Rejected(self.name, failure.reason, failure.detail)
        return rollout_of(plan, recording, figures, trial.physics)

    def _doubtful(self, rollout: Rollout) -> bool:
        """Whether a small difference in the motion could turn the verdict, or the stored actions, followed by the
        arm, make a motion that it cannot keep up with."""
        from syngrasp.physics.replay import motion_of

        config = self.config
        T_first = se3.matrix_from_pose7(rollout.ee_pose[0])
        action = rollout.action.astype(np.float64)
        motion = motion_of(self._robot, rollout.joint_position[0], T_first, action, rollout.dt)
        return (
            motion is None
            or bool(np.any(np.abs(motion.qd) > self._robot.limits.velocity))
            or rollout.slip > CLEAR * config.max_slip
            or rollout.disturbance > CLEAR * config.max_disturbance
            or rollout.lift_height < config.lift_height + CLEAR_RISE
        )

    def _draw_physics(self, plan: Plan) -> dict[str, float]:
        slot = plan.scene.slot
        generator = rng(self.context.seed, self.name, slot.shard, slot.episode, slot.attempt)
        return {
            "grip_force": float(np.round(generator.uniform(*self.config.grip_force), 3)),
            "servo_gain": float(np.round(generator.uniform(*self.config.servo_gain), 4)),
            "timestep": self.config.timestep,
            "noslip_iterations": float(self.config.noslip_iterations),
        }

    def _verified(self, answers: Sequence[Rollout | Rejected], trials: Sequence[Trial]) -> list[Rollout | Rejected]:
        """The answers, but rejections for rollouts whose stored actions had to lift again and did not."""
        from syngrasp.physics.lift import Trial
        from syngrasp.physics.replay import UNREACHABLE, compare, motion_of

        config, out = self.config, list(answers)
        again: list[tuple[int, Rollout, Trial, NDArray[np.float64]]] = []
        for i, rollout in enumerate(answers):
            if isinstance(rollout, Rejected) or config.verify_replay == "never":
                continue
            if config.verify_replay == "doubtful" and not self._doubtful(rollout):
                continue
            T_stored, action = se3.matrix_from_pose7(rollout.ee_pose), rollout.action.astype(np.float64)
            motion = motion_of(self._robot, rollout.joint_position[0], T_stored[0], action, rollout.dt)
            if motion is None:
                out[i] = self._replay_failed(UNREACHABLE)
            else:
                again.append((i, rollout, Trial(rollout.scene, trials[i].models, motion, rollout.physics), T_stored))
        recordings = self._execute([trial for _, _, trial, _ in again])
        for (i, rollout, trial, T_stored), recording in zip(again, recordings, strict=True):
            T_wanted, action = self._robot.fk(trial.motion.q), rollout.action.astype(np.float64)
            result = compare(recording, T_wanted, T_stored, action, rollout.scene.target, rollout.dt, config.limits())
            if not result.lifted:
                out[i] = self._replay_failed(result)
        return out

    def _replay_failed(self, result: ReplayResult) -> Rejected:
        return Rejected(self.name, "replay_failed", f"{result.reason}: {result.detail}")
