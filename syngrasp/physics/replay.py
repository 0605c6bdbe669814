"""Executes the stored actions of an episode again, from nothing but what a dataset holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.interpolate import CubicSpline

from syngrasp import se3
from syngrasp.physics.execution import Motion, Recording, execute, lift_world
from syngrasp.physics.lift import Failure, LiftLimits, judge
from syngrasp.physics.world import World
from syngrasp.records import ObjectModel, Phase, Scene
from syngrasp.robots.base import Robot

F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]

STILL = 2e-3  # a TCP that has moved less since the hand closed for good has not begun to lift [m]
MAX_STEP = 0.7  # of a joint from frame to frame [rad]


@dataclass(frozen=True, slots=True, eq=False)
class ReplayResult:
    """What came of an episode's actions."""

    lifted: bool
    reason: str  # why not; empty when lifted
    detail: str
    lift_height: float  # least rise of the target over the hold [m]
    slip: float  # largest motion of the target in the hand [m]
    disturbance: float  # largest motion of any other object [m]
    deviation: float  # largest distance of the TCP from the stored one [m]
    recording: Recording | None = field(default=None, repr=False, compare=False)  # of what was executed


UNREACHABLE = ReplayResult(False, "unreachable", "the actions leave the arm's reach", 0.0, np.inf, np.inf, np.inf)


def replay(
    scene: Scene,
    models: Sequence[ObjectModel],
    robot: Robot,
    first_q: ArrayLike,
    ee_pose: ArrayLike,
    action: ArrayLike,
    dt: float,
    limits: LiftLimits,
    physics: Mapping[str, float],
    world: World | None = None,
) -> ReplayResult:
    """Rebuilds a scene and executes stored actions in it.

    The TCP's way is the sum of the actions from the first stored pose on; the arm follows it by continuous
    inverse kinematics from its first stored configuration.

    Args:
        models: of `scene.objects`, in their order.
        first_q: (dof,) configuration in the first frame [rad].
        ee_pose: (F, 7) stored TCP poses; beyond the first they are only compared with.
        action: (F, 7) stored actions.
        dt: between frames [s].
        limits: what counts as a lift.
        physics: options drawn for the run, as stored in the rollout.
        world: what `lift_world` makes of the scene, where it is at hand already.
    """
    T_stored = se3.matrix_from_pose7(ee_pose)
    action = np.asarray(action, dtype=np.float64)
    motion = motion_of(robot, first_q, T_stored[0], action, dt)
    if motion is None:
        return UNREACHABLE
    recording = execute(world or lift_world(scene, models, robot, physics), robot, motion)
    return compare(recording, robot.fk(motion.q), T_stored, action, scene.target, dt, limits)


def compare(
    recording: Recording, T_wanted: F64, T_stored: F64, action: F64, target: int, dt: float, limits: LiftLimits
) -> ReplayResult:
    """What came of actions (F, 7), given the recorded run, and the wanted and the stored TCP poses (F, 4, 4)."""
    figures, failure = judge(recording, T_wanted, phases_of(action), 0.0, target, dt, limits)
    failure = failure or Failure("", "")
    done = len(recording.T_base_tcp)
    off = np.linalg.norm(recording.T_base_tcp[:, :3, 3] - T_stored[:done, :3, 3], axis=-1)
    return ReplayResult(
        not failure.reason,
        failure.reason,
        failure.detail,
        figures.lift_height,
        figures.slip,
        figures.disturbance,
        float(off.max()),
        recording,
    )


def motion_of(robot: Robot, first_q: ArrayLike, T_first: F64, action: F64, dt: float) -> Motion | None:
    """The motion that actions (F, 7) tell an arm at a configuration (dof,) with its TCP at T_first (4, 4) in base;
    None when they lead out of its reach."""
    first_q = np.asarray(first_q, dtype=np.float64)
    poses = integrate(T_first, action)[1:]
    following = robot.follow(poses, first_q, MAX_STEP)
    if len(following) < len(poses):
        following = robot.ik_along(poses, first_q, MAX_STEP)
    if len(following) < len(poses):
        return None
    q = np.concatenate([first_q[None], following])
    return Motion(q, _velocities(q, dt), action[:, 6], dt)


def integrate(T_first: F64, action: F64) -> F64:
    """TCP poses (F, 4, 4) reached by actions (F, 7) from a first pose (4, 4)."""
    turns = se3.matrix_from_rpy(action[:-1, 3:6])
    R = [T_first[:3, :3]]
    for turn in turns:
        R.append(turn @ R[-1])
    way = np.concatenate([np.zeros((1, 3)), np.cumsum(action[:-1, :3], axis=0)])
    return se3.make(np.stack(R), T_first[:3, 3] + way)


def phases_of(action: F64) -> U8:
    """Phases (F,) as the actions show them: reach while the gripper is open, close while it is closed, lift once the
    TCP moves after it has closed for good. What follows a grasp that missed counts as another reach."""
    closing = action[:, 6] < 0
    for_good = np.cumsum(~closing[::-1])[::-1] == 0
    way = np.cumsum(np.where(for_good[:, None], action[:, :3], 0.0), axis=0)
    lifting = np.cumsum(np.linalg.norm(way, axis=-1) > STILL) > 0
    return np.where(lifting, Phase.LIFT, np.where(closing, Phase.CLOSE, Phase.REACH)).astype(np.uint8)


def _velocities(q: F64, dt: float) -> F64:
    """Velocities (F, dof) at the frames of the smooth motion from rest to rest through positions (F, dof)."""
    spline = CubicSpline(np.arange(len(q)) * dt, q, bc_type="clamped")
    return spline(np.arange(len(q)) * dt, 1)
