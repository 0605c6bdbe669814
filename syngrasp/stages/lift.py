"""Plan → Rollout: physics executes the plan, and only what is really lifted goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from syngrasp.records import Plan, Rollout
from syngrasp.seeding import rng
from syngrasp.stage import Rejected
from syngrasp.stages.context import StageContext

if TYPE_CHECKING:
    from syngrasp.objects.catalog import Catalog
    from syngrasp.physics.execution import Motion, Recording, Trial
    from syngrasp.physics.lift import LiftLimits
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
        True,
        description="of mjwarp on cuda: the same batch gives the same bits again, at some cost; in other company a "
        "plan's last bits may still differ, which they do not on cpu",
    )
    lift_height: float = Field(0.10, gt=0.0, le=0.5, description="least rise of the target over the hold [m]")
    hold_time: float = Field(0.5, ge=0.0, le=5.0, description="how long the target must be held up at the end [s]")
    max_slip: float = Field(0.01, gt=0.0, le=0.1, description="largest motion of the target in the hand [m]")
    max_disturbance: float = Field(0.05, gt=0.0, le=1.0, description="largest motion of any other object [m]")
    max_deviation: float = Field(0.02, gt=0.0, le=0.2, description="largest distance of the TCP from its command [m]")
    grip_force: tuple[float, float] = Field((30.0, 60.0), description="range of the grip force [N], 5 to 140")
    servo_gain: tuple[float, float] = Field((0.9, 1.1), description="range of the servo gains' factor, 0.2 to 5")
    push_force: float = Field(
        0.0, ge=0.0, le=50.0,
        description="the held object is pushed so hard from six sides and must stay; 0 leaves it out [N]",
    )  # fmt: skip
    push_time: float = Field(0.1, gt=0.0, le=2.0, description="of each push, and of the rest after it [s]")
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
        if self.kind == "mjwarp" and self.push_force:
            raise ValueError(f"push_force: {self.push_force:g} needs kind mujoco; valid for mjwarp: 0")
        return self

    def limits(self) -> LiftLimits:
        """What counts as a lift, as physics takes it."""
        from syngrasp.physics.lift import LiftLimits

        return LiftLimits(self.lift_height, self.hold_time, self.max_slip, self.max_disturbance, self.max_deviation)


class LiftStage:
    """Executes plans in MuJoCo or MuJoCo Warp. See `syngrasp.physics.lift`, `execution` and `warp_lift`."""

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
        if self.config.kind == "mjwarp":
            from syngrasp.physics.warp_lift import WarpLift

            self._warp = WarpLift(self._robot, self.config.device, self.config.deterministic, self.context.objects)

    def process(self, batch: Sequence[Plan]) -> list[Rollout | Rejected]:
        """A rollout for each plan that lifts its target."""
        if self.config.kind == "mjwarp":
            return self._lift_together(batch)
        return [self._lift(plan) for plan in batch]

    def close(self) -> None:
        """Nothing to give back."""

    def _lift(self, plan: Plan) -> Rollout | Rejected:
        from syngrasp.physics.execution import execute, lift_world
        from syngrasp.physics.push import push

        config = self.config
        trial = self._trial(plan)
        world = lift_world(trial.scene, trial.models, self._robot, trial.physics)
        rollout = self._judged(plan, execute(world, self._robot, trial.motion), trial.physics)
        if isinstance(rollout, Rejected):
            return rollout
        if config.push_force:
            pushed = push(world, self._robot, plan.scene.target, config.push_force, config.push_time)
            if pushed.slip > config.max_slip:
                detail = (
                    f"{pushed.slip * 100:.1f} cm in the hand under {config.push_force:g} N along {pushed.direction}"
                )
                return Rejected(self.name, "pushed_loose", detail)
            rollout.physics.update(push_force=config.push_force, push_slip=pushed.slip)
        again = self._to_verify(rollout)
        if again is None:
            return rollout
        if isinstance(again, Rejected):
            return again
        return self._verified(rollout, again, execute(world, self._robot, again))

    def _lift_together(self, batch: Sequence[Plan]) -> list[Rollout | Rejected]:
        """Plans, and then the stored actions that are to be verified, each in one go."""
        trials = [self._trial(plan) for plan in batch]
        recordings = self._warp.execute(trials)
        out = [self._judged(p, r, t.physics) for p, r, t in zip(batch, recordings, trials, strict=True)]
        again: list[tuple[int, Rollout, Trial]] = []
        for i, (rollout, trial) in enumerate(zip(out, trials, strict=True)):
            motion = self._to_verify(rollout) if isinstance(rollout, Rollout) else None
            if isinstance(motion, Rejected):
                out[i] = motion
            elif isinstance(rollout, Rollout) and motion is not None:
                again.append((i, rollout, replace(trial, motion=motion)))
        recordings = self._warp.execute([trial for _, _, trial in again])
        for (i, rollout, trial), recording in zip(again, recordings, strict=True):
            out[i] = self._verified(rollout, trial.motion, recording)
        return out

    def _trial(self, plan: Plan) -> Trial:
        from syngrasp.physics.execution import Motion, Trial

        models = [self._catalog.load(o.uid) for o in plan.scene.objects]
        motion = Motion(plan.q, plan.qd, plan.gripper, plan.dt)
        return Trial(plan.scene, models, motion, self._draw_physics(plan))

    def _judged(self, plan: Plan, recording: Recording, physics: Mapping[str, float]) -> Rollout | Rejected:
        from syngrasp.physics.lift import judge, rollout_of

        T_commanded, limits = self._robot.fk(plan.q), self.config.limits()
        figures, failure = judge(
            recording, T_commanded, plan.phase, plan.grasp_width, plan.scene.target, plan.dt, limits
        )
        if failure:
            return Rejected(self.name, failure.reason, failure.detail)
        return rollout_of(plan, recording, figures, physics)

    def _to_verify(self, rollout: Rollout) -> Motion | Rejected | None:
        """The motion of the stored actions where it is to be executed again, a rejection where the arm cannot follow
        them; None where the rollout is beyond doubt."""
        from syngrasp.physics.replay import UNREACHABLE, retrace

        if self.config.verify_replay == "never":
            return None
        motion = retrace(self._robot, rollout.joint_position[0], rollout.ee_pose, rollout.action, rollout.dt)
        if motion is None:
            return self._replay_failed(UNREACHABLE)
        return motion if self.config.verify_replay == "always" or self._doubtful(rollout, motion) else None

    def _doubtful(self, rollout: Rollout, motion: Motion) -> bool:
        """Whether a small difference in the motion could turn the verdict, or the stored actions, followed by the
        arm, make a motion that it cannot keep up with."""
        config = self.config
        return (
            bool(np.any(np.abs(motion.qd) > self._robot.limits.velocity))
            or rollout.slip > CLEAR * config.max_slip
            or rollout.disturbance > CLEAR * config.max_disturbance
            or rollout.lift_height < config.lift_height + CLEAR_RISE
        )

    def _verified(self, rollout: Rollout, motion: Motion, recording: Recording) -> Rollout | Rejected:
        from syngrasp.physics.replay import compare

        target, limits = rollout.scene.target, self.config.limits()
        result = compare(self._robot, motion, recording, rollout.ee_pose, rollout.action, target, limits)
        return rollout if result.lifted else self._replay_failed(result)

    def _replay_failed(self, result: ReplayResult) -> Rejected:
        return Rejected(self.name, "replay_failed", f"{result.reason}: {result.detail}")

    def _draw_physics(self, plan: Plan) -> dict[str, float]:
        slot = plan.scene.slot
        generator = rng(self.context.seed, self.name, slot.shard, slot.episode, slot.attempt)
        return {
            "grip_force": float(np.round(generator.uniform(*self.config.grip_force), 3)),
            "servo_gain": float(np.round(generator.uniform(*self.config.servo_gain), 4)),
            "timestep": self.config.timestep,
            "noslip_iterations": float(self.config.noslip_iterations),
        }
