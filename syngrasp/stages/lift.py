"""Plan → Rollout: physics executes the plan, and only what is really lifted goes on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from syngrasp import se3
from syngrasp.records import ObjectModel, Plan, Rollout
from syngrasp.seeding import rng
from syngrasp.stage import Rejected
from syngrasp.stages.context import StageContext

if TYPE_CHECKING:
    from syngrasp.objects.catalog import Catalog
    from syngrasp.physics.lift import Figures, LiftLimits
    from syngrasp.physics.world import World
    from syngrasp.robots.base import Robot

CLEAR = 0.2  # share of a limit up to which a rollout is beyond doubt
CLEAR_RISE = 0.01  # over the least rise [m]: from here on it is beyond doubt


class LiftConfig(BaseModel):
    """What counts as a lift, and the physics under which it must succeed."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["mujoco"] = Field("mujoco", description="physics engine")
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
        return self

    def limits(self) -> LiftLimits:
        """What counts as a lift, as physics takes it."""
        from syngrasp.physics.lift import LiftLimits

        return LiftLimits(self.lift_height, self.hold_time, self.max_slip, self.max_disturbance, self.max_deviation)


class LiftStage:
    """Executes plans in MuJoCo. See `syngrasp.physics.lift`."""

    name = "lift"

    def __init__(self, config: LiftConfig, context: StageContext) -> None:
        self.config = config
        self.context = context

    def setup(self) -> None:
        """Opens the catalog and makes the robot."""
        from syngrasp.objects.catalog import Catalog
        from syngrasp.robots import make_robot

        self._catalog: Catalog = Catalog.open(self.context.catalog)
        self._robot: Robot = make_robot(self.context.robot)

    def process(self, batch: Sequence[Plan]) -> list[Rollout | Rejected]:
        """A rollout for each plan that lifts its target."""
        return [self._lift(plan) for plan in batch]

    def close(self) -> None:
        """Nothing to give back."""

    def _lift(self, plan: Plan) -> Rollout | Rejected:
        from syngrasp.physics.execution import Motion, execute, lift_world
        from syngrasp.physics.lift import judge, rollout_of
        from syngrasp.physics.push import push

        config = self.config
        models = [self._catalog.load(o.uid) for o in plan.scene.objects]
        physics = self._draw_physics(plan)
        world = lift_world(plan.scene, models, self._robot, physics)
        motion = Motion(plan.q, plan.qd, plan.gripper, plan.dt)
        recording = execute(world, self._robot, motion)
        figures, failure = judge(
            recording, self._robot.fk(plan.q), plan.phase, plan.grasp_width, plan.scene.target, plan.dt, config.limits()
        )
        if failure:
            return Rejected(self.name, failure.reason, failure.detail)
        if config.push_force:
            pushed = push(world, self._robot, plan.scene.target, config.push_force, config.push_time)
            if pushed.slip > config.max_slip:
                detail = (
                    f"{pushed.slip * 100:.1f} cm in the hand under {config.push_force:g} N along {pushed.direction}"
                )
                return Rejected(self.name, "pushed_loose", detail)
            physics |= {"push_force": config.push_force, "push_slip": pushed.slip}
        rollout = rollout_of(plan, recording, figures, physics)
        verify = config.verify_replay == "always" or (
            config.verify_replay == "doubtful" and self._doubtful(figures, rollout)
        )
        return self._verified(rollout, models, world) if verify else rollout

    def _doubtful(self, figures: Figures, rollout: Rollout) -> bool:
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
            or figures.slip > CLEAR * config.max_slip
            or figures.disturbance > CLEAR * config.max_disturbance
            or figures.lift_height < config.lift_height + CLEAR_RISE
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

    def _verified(self, rollout: Rollout, models: Sequence[ObjectModel], world: World) -> Rollout | Rejected:
        from syngrasp.physics.replay import replay

        result = replay(
            rollout.scene,
            models,
            self._robot,
            rollout.joint_position[0],
            rollout.ee_pose,
            rollout.action,
            rollout.dt,
            self.config.limits(),
            rollout.physics,
            world,
        )
        if result.lifted:
            return rollout
        return Rejected(self.name, "replay_failed", f"{result.reason}: {result.detail}")
