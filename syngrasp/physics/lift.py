"""Executes arm motions on a table scene and judges whether the target was really lifted.

The arm is driven by position servos. A servo alone trails its command by kv/kp; the command therefore leads the
wanted position by (kv/kp)·velocity, which turns the servo's law into kp·(q* − q) + kv·(q̇* − q̇).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import mujoco
import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.physics.world import ContactOptions, World, bodies_of, build_world, diverged, table_of
from syngrasp.records import ObjectModel, Phase, Plan, Rollout, Scene
from syngrasp.robots.base import Robot

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]

MISSED_SHARE = 0.25  # of the grasp's width: fingers that close further hold nothing of it
NEAR = 0.08  # of the TCP to where the hand closes: nearer than this, physics takes its full number of steps [m]
COARSE_STEP = 0.01  # of physics before, in free air [s]
FOLLOWED = 0.02  # a target that rose this far was in the hand once [m]


@dataclass(frozen=True, slots=True)
class LiftLimits:
    """What counts as a lift."""

    lift_height: float = 0.10  # least rise over the hold [m]
    hold_time: float = 0.5  # at the end of the motion [s]
    slip: float = 0.01  # largest motion of the target in the hand [m]
    disturbance: float = 0.05  # largest motion of any other object [m]
    deviation: float = 0.02  # largest distance of the TCP from its command [m]: more means that it ran into something


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a motion is no lift."""

    reason: str  # diverged, collided, grasp_missed, not_lifted, dropped, slipped, scene_disturbed
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class Motion:
    """What the arm is told, at frames dt apart."""

    q: F64  # (F, dof) [rad]
    qd: F64  # (F, dof) [rad/s]
    gripper: F64  # (F,) +1 open, −1 close, each from its frame to the next
    dt: float  # [s]


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A motion to be executed in a scene."""

    scene: Scene
    models: Sequence[ObjectModel]  # of the scene's objects, in their order
    motion: Motion
    physics: Mapping[str, float]  # as `lift_world` takes them


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """States at frames dt apart; shorter than the motion when the run was cut off because it had failed."""

    joint_position: F64  # (F, dof) [rad]
    joint_velocity: F64  # (F, dof) [rad/s]
    gripper_width: F64  # (F,) [m]
    T_base_tcp: F64  # (F, 4, 4)
    object_pose: F64  # (F, N, 7) in base
    diverged: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """How well a target was lifted."""

    lift_height: float  # least rise over the hold [m]
    slip: float  # largest motion of the target in the hand after the closing [m]
    disturbance: float  # largest motion of any other object [m]
    deviation: float  # largest distance of the TCP from its command [m]


def lift_world(
    scene: Scene,
    models: Sequence[ObjectModel],
    robot: Robot,
    physics: Mapping[str, float],
) -> World:
    """The world of a scene with the arm in it, its objects asleep, under the options of a run.

    `physics` may hold `grip_force` [N], `servo_gain` (a factor on stiffness and damping), `timestep` [s] and
    `noslip_iterations`; it is recorded with the rollout, so that a replay meets the same physics.
    """
    default = ContactOptions()
    timestep = physics.get("timestep", default.timestep)
    contacts = replace(
        default,
        timestep=timestep,
        time_constant=2 * timestep,
        noslip_iterations=int(physics.get("noslip_iterations", default.noslip_iterations)),
    )
    poses = np.stack([o.pose for o in scene.objects])
    bodies = bodies_of(scene, models)
    world = build_world(bodies, table_of(scene), robot, contacts, resting=poses)
    set_drives(world, robot, physics)
    return world


def set_drives(world: World, robot: Robot, physics: Mapping[str, float]) -> None:
    """Gives a freshly compiled arm the grip force and the servo gain of a run."""
    model, index = world.model, world.robot
    assert index is not None
    force = physics.get("grip_force", robot.gripper.force)
    model.actuator_forcerange[index.gripper] *= force / robot.gripper.force
    gain = physics.get("servo_gain", 1.0)
    model.actuator_gainprm[index.actuators, 0] *= gain
    model.actuator_biasprm[index.actuators, 1:3] *= gain


def execute(world: World, robot: Robot, motion: Motion) -> Recording:
    """Runs a motion in a world made by `lift_world`. Stops early once the state has diverged."""
    model, index = world.model, world.robot
    assert index is not None
    data = mujoco.MjData(model)
    data.qpos[index.q] = motion.q[0]
    data.qpos[index.finger_q] = robot.gripper.max_width / 2
    timestep, frames = model.opt.timestep, len(motion.q)
    far = interval_is_far(robot, motion)
    coarse = _commands(world, robot, motion, far, max(timestep, COARSE_STEP))
    fine = _commands(world, robot, motion, ~far, timestep)
    qpos, qvel = np.empty((frames, model.nq)), np.empty((frames, model.nv))
    qpos[0], qvel[0] = data.qpos, data.qvel
    done = 1
    for frame in range(frames - 1):
        commands = next(coarse if far[frame] else fine)
        model.opt.timestep = motion.dt / len(commands)
        _step(model, data, commands)
        qpos[frame + 1], qvel[frame + 1] = data.qpos, data.qvel
        done = frame + 2
        if diverged(data):
            break
    model.opt.timestep = timestep
    qpos, qvel = qpos[:done], qvel[:done]
    q = qpos[:, index.q]
    return Recording(
        q, qvel[:, index.v], qpos[:, index.finger_q].sum(1), robot.fk(q), world.object_poses(qpos), diverged(data)
    )


def execute_each(trials: Sequence[Trial], robot: Robot) -> list[Recording]:
    """Runs each trial in a world of its own, one after the other."""
    return [execute(lift_world(t.scene, t.models, robot, t.physics), robot, t.motion) for t in trials]


def judge(
    recording: Recording, T_commanded: F64, phase: U8, grasp_width: float, target: int, dt: float, limits: LiftLimits
) -> tuple[Figures, Failure | None]:
    """Figures of a run, and why it is no lift (None when it is one).

    Args:
        T_commanded: (F, 4, 4) TCP poses in base that the arm was told.
        phase: (F,) `Phase`; the hand is closed from the first frame of the lift on.
        grasp_width: distance of the contacts [m]; 0 when unknown.
        target: index of the object to be lifted.
        dt: between frames [s].
    """
    if recording.diverged:
        return Figures(0.0, np.inf, np.inf, np.inf), Failure("diverged", "the simulation left the finite numbers")
    figures = _figures(recording, T_commanded, phase, target, dt, limits)
    rise = recording.object_pose[:, target, 2] - recording.object_pose[0, target, 2]
    closed = recording.gripper_width[_lift_start(phase)]
    if figures.deviation > limits.deviation:
        failure = Failure("collided", f"TCP {figures.deviation * 100:.1f} cm off its command")
    elif figures.lift_height < limits.lift_height and closed < MISSED_SHARE * grasp_width:
        failure = Failure("grasp_missed", f"fingers closed to {closed * 1000:.1f} mm")
    elif figures.lift_height < limits.lift_height:
        reason = "dropped" if rise.max() > FOLLOWED else "not_lifted"
        failure = Failure(reason, f"held {figures.lift_height * 100:.1f} cm high, {rise.max() * 100:.1f} cm at most")
    elif figures.slip > limits.slip:
        failure = Failure("slipped", f"{figures.slip * 100:.1f} cm in the hand")
    elif figures.disturbance > limits.disturbance:
        failure = Failure("scene_disturbed", f"another object moved {figures.disturbance * 100:.1f} cm")
    else:
        failure = None
    return figures, failure


def rollout_of(plan: Plan, recording: Recording, figures: Figures, physics: Mapping[str, float]) -> Rollout:
    """A recorded run as what the dataset stores: proprioception, actions, goals."""
    ee_pose = se3.pose7_from_matrix(recording.T_base_tcp).astype(np.float32)
    return Rollout(
        scene=plan.scene,
        T_base_grasp=plan.T_base_grasp,
        grasp_width=plan.grasp_width,
        grasp_quality=plan.grasp_quality,
        dt=plan.dt,
        joint_position=recording.joint_position.astype(np.float32),
        joint_velocity=recording.joint_velocity.astype(np.float32),
        gripper_width=recording.gripper_width.astype(np.float32),
        ee_pose=ee_pose,
        action=actions(recording.T_base_tcp, plan.gripper),
        goal_pose=goal_poses(ee_pose, plan.T_base_grasp, plan.gripper),
        object_pose=recording.object_pose.astype(np.float32),
        phase=plan.phase,
        lift_height=figures.lift_height,
        slip=figures.slip,
        disturbance=figures.disturbance,
        physics=dict(physics),
    )


def actions(T_base_tcp: F64, gripper: F64) -> F32:
    """Actions (F, 7): motion to the next frame's TCP pose and the gripper's command; the last frame moves 0."""
    out = np.zeros((len(T_base_tcp), 7))
    out[:-1, :6] = se3.delta(T_base_tcp[:-1], T_base_tcp[1:])
    out[:, 6] = gripper
    return out.astype(np.float32)


def goal_poses(ee_pose: F32, T_base_grasp: F64, gripper: F64) -> F32:
    """Goal labels (F, 7): the grasp until the gripper closes, then the next frame's TCP pose."""
    following = np.concatenate([ee_pose[1:], ee_pose[-1:]])
    grasp = se3.pose7_from_matrix(T_base_grasp).astype(np.float32)
    before = np.cumsum(gripper < 0) == 0
    return np.where(before[:, None], grasp, following)


def hermite(q: F64, qd: F64, dt: float, steps: int) -> tuple[F64, F64]:
    """Cubic Hermite interpolation between frames dt apart: positions and velocities (F − 1, steps, dof) at the starts
    of `steps` equal parts of each interval, from positions and velocities (F, dof) at the frames."""
    s = (np.arange(steps) / steps)[None, :, None]
    q0, v0, v1 = q[:-1, None], qd[:-1, None] * dt, qd[1:, None] * dt
    jump = q[1:, None] - q0
    bend, twist = 3 * jump - 2 * v0 - v1, v0 + v1 - 2 * jump
    return q0 + s * (v0 + s * (bend + s * twist)), (v0 + s * (2 * bend + 3 * s * twist)) / dt


def interval_is_far(robot: Robot, motion: Motion) -> NDArray[np.bool_]:
    """Which intervals (F − 1,) between frames lie wholly before the hand comes near the place where it closes."""
    position = robot.fk(motion.q)[:, :3, 3]
    close = int(np.argmax(motion.gripper < 0))
    near = np.linalg.norm(position - position[close], axis=1) < NEAR
    return np.cumsum(near)[1:] == 0


def _commands(
    world: World, robot: Robot, motion: Motion, intervals: NDArray[np.bool_], timestep: float
) -> Iterator[F64]:
    """Controls (steps, nu) of the physics steps in each of the chosen intervals (F − 1,) between frames."""
    model, index = world.model, world.robot
    assert index is not None
    position, velocity = hermite(motion.q, motion.qd, motion.dt, round(motion.dt / timestep))
    lead = -model.actuator_biasprm[index.actuators, 2] / model.actuator_gainprm[index.actuators, 0]
    commands = np.zeros((*position.shape[:2], model.nu))
    commands[..., index.actuators] = position + lead * velocity
    commands[..., index.gripper] = np.where(motion.gripper[:-1, None] > 0, robot.gripper.max_width, 0.0)
    return iter(commands[intervals])


def _step(model: mujoco.MjModel, data: mujoco.MjData, commands: F64) -> None:
    """One physics step under each row of controls (steps, nu)."""
    control, step = data.ctrl, mujoco.mj_step
    for command in commands:
        control[:] = command
        step(model, data)


def _lift_start(phase: U8) -> int:
    """First frame of the lift; the last frame when there is none."""
    lifting = np.flatnonzero(phase >= Phase.LIFT)
    return int(lifting[0]) if len(lifting) else len(phase) - 1


def _figures(recording: Recording, T_commanded: F64, phase: U8, target: int, dt: float, limits: LiftLimits) -> Figures:
    position = recording.object_pose[..., :3]
    hold = round(limits.hold_time / dt) + 1
    rise = position[:, target, 2] - position[0, target, 2]
    T_tcp_base = se3.invert(recording.T_base_tcp)
    in_hand = se3.transform(T_tcp_base, position[:, target, None])[:, 0]
    in_hand = in_hand[_lift_start(phase) :]
    moved = np.linalg.norm(np.delete(position - position[0], target, axis=1), axis=-1)
    deviation = np.linalg.norm(recording.T_base_tcp[:, :3, 3] - T_commanded[:, :3, 3], axis=-1)
    return Figures(
        float(rise[-hold:].min()),
        float(np.linalg.norm(in_hand - in_hand[0], axis=-1).max()),
        float(moved.max(initial=0.0)),
        float(deviation.max()),
    )
