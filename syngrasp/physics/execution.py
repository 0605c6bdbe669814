"""Executes arm motions in a MuJoCo world of a table scene, and records what happens.

The arm is driven by position servos. A servo alone trails its command by kv/kp; the command therefore leads the
wanted position by (kv/kp)·velocity, which turns the servo's law into kp·(q* − q) + kv·(q̇* − q̇).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import mujoco
import numpy as np
from numpy.typing import NDArray

from syngrasp.physics.world import ContactOptions, World, bodies_of, build_world, diverged, table_of
from syngrasp.records import ObjectModel, Scene
from syngrasp.robots.base import Robot

F64 = NDArray[np.float64]

FREE_STEP = 0.02  # of physics in free air, where the servos' damping, taken implicitly, keeps it stable and exact [s]
# A servo at its greatest force has no damping: after a jolt, long steps would shake the arm for ever.
OFF_COURSE = 0.005  # of a joint from its command: from here on steps are short [rad]


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
    force = physics.get("grip_force", robot.gripper.force) / robot.gripper.force
    model.actuator_forcerange[index.gripper] *= force
    # Damping of the fingers' joints or of their tendon limits their speed, which is not to change.
    model.dof_damping[index.finger_v] *= force
    model.tendon_damping[model.actuator_trnid[index.gripper, 0]] *= force
    gain = physics.get("servo_gain", 1.0)
    model.actuator_gainprm[index.actuators, 0] *= gain
    model.actuator_biasprm[index.actuators, 1:3] *= gain


def execute(world: World, robot: Robot, motion: Motion) -> Recording:
    """Runs a motion in a world made by `lift_world`. Stops early once the state has diverged.

    Until the hand closes for the last time the arm is to move in free air, where long steps of physics are as good
    as short ones. If anything is touched there all the same, or the arm shakes, the run is made again with short
    steps from that frame on: so contacts are only ever resolved by short steps.
    """
    recording, touched = _run(world, robot, motion, last_closing(motion.gripper))
    if touched is not None:
        recording, _ = _run(world, robot, motion, touched)
    return recording


def last_closing(gripper: F64) -> int:
    """The frame in which a gripper (F,) that was open begins to close for the last time; the last one if never."""
    begins = np.flatnonzero((gripper < 0.0) & (np.concatenate([[1.0], gripper[:-1]]) > 0.0))
    return int(begins[-1]) if len(begins) else len(gripper) - 1


def _run(world: World, robot: Robot, motion: Motion, fine_from: int) -> tuple[Recording, int | None]:
    """One run, with long steps up to a frame. Ends where something is touched before: the frame from which on it
    needs short steps is the second answer."""
    model, index = world.model, world.robot
    assert index is not None
    data = world.fresh_data()
    data.qpos[index.q] = motion.q[0]
    data.qpos[index.finger_q] = robot.finger_positions(robot.gripper.max_width)
    timestep, frames = model.opt.timestep, len(motion.q)
    coarse = commands(world, robot, motion, slice(0, fine_from), max(timestep, FREE_STEP))
    fine = commands(world, robot, motion, slice(fine_from, frames - 1), timestep)
    qpos, qvel = np.empty((frames, model.nq)), np.empty((frames, model.nv))
    qpos[0], qvel[0] = data.qpos, data.qvel
    done, touched = 1, None
    for frame in range(frames - 1):
        if frame < fine_from:
            model.opt.timestep = motion.dt / coarse.shape[1]
            if not _step_in_free_air(model, data, coarse[frame]):
                touched = max(frame - 1, 0)
                break
        else:
            model.opt.timestep = motion.dt / fine.shape[1]
            _step(model, data, fine[frame - fine_from])
        if frame < fine_from and np.abs(data.qpos[index.q] - motion.q[frame + 1]).max() > OFF_COURSE:
            touched = max(frame - 1, 0)
            break
        qpos[frame + 1], qvel[frame + 1] = data.qpos, data.qvel
        done = frame + 2
        if diverged(data):
            break
    model.opt.timestep = timestep
    qpos, qvel = qpos[:done], qvel[:done]
    q = qpos[:, index.q]
    width = robot.width_of(qpos[:, index.finger_q])
    return Recording(q, qvel[:, index.v], width, robot.fk(q), world.object_poses(qpos), diverged(data)), touched


def steps_in(dt: float, longest: float) -> int:
    """Into how many equal physics steps, each no longer than `longest`, a time dt is divided [s]."""
    return max(1, int(np.ceil(dt / longest - 1e-9)))


def commands(world: World, robot: Robot, motion: Motion, frames: slice, timestep: float) -> F64:
    """Controls (frames, steps, nu) of the physics steps, of at most `timestep` [s], from each frame to the next, for
    a range of frames."""
    model, index = world.model, world.robot
    assert index is not None
    position, velocity = hermite(motion.q, motion.qd, motion.dt, steps_in(motion.dt, timestep), frames)
    lead = -model.actuator_biasprm[index.actuators, 2] / model.actuator_gainprm[index.actuators, 0]
    out = np.zeros((*position.shape[:2], model.nu))
    out[..., index.actuators] = position + lead * velocity
    out[..., index.gripper] = np.where(motion.gripper[frames, None] > 0, robot.gripper.max_width, 0.0)
    return out


def hermite(q: F64, qd: F64, dt: float, steps: int, frames: slice = slice(None)) -> tuple[F64, F64]:
    """Cubic Hermite interpolation between frames dt apart: positions and velocities (F − 1, steps, dof) at the starts
    of `steps` equal parts of each interval, from positions and velocities (F, dof) at the frames.

    `frames` chooses intervals by the frames they begin at.
    """
    s = (np.arange(steps) / steps)[None, :, None]
    q0, v0, v1 = q[:-1][frames, None], qd[:-1][frames, None] * dt, qd[1:][frames, None] * dt
    jump = q[1:][frames, None] - q0
    bend, twist = 3 * jump - 2 * v0 - v1, v0 + v1 - 2 * jump
    return q0 + s * (v0 + s * (bend + s * twist)), (v0 + s * (2 * bend + 3 * s * twist)) / dt


def _step(model: mujoco.MjModel, data: mujoco.MjData, controls: F64) -> None:
    """One physics step under each row of controls (steps, nu)."""
    control, step = data.ctrl, mujoco.mj_step
    for row in controls:
        control[:] = row
        step(model, data)


def _step_in_free_air(model: mujoco.MjModel, data: mujoco.MjData, controls: F64) -> bool:
    """`_step` that ends with False as soon as there is a contact. What sleeps has none."""
    control, step = data.ctrl, mujoco.mj_step
    for row in controls:
        control[:] = row
        step(model, data)
        if data.ncon:
            return False
    return True
