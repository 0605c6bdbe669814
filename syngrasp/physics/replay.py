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
    motion = retrace(robot, first_q, ee_pose, action, dt)
    if motion is None:
        return UNREACHABLE
    recording = execute(world or lift_world(scene, models, robot, physics), robot, motion)
    return compare(robot, motion, recording, ee_pose, action, scene.target, limits)


def retrace(robot: Robot, first_q: ArrayLike, ee_pose: ArrayLike, action: ArrayLike, dt: float) -> Motion | None:
    """The motion that actions (F, 7) tell an arm from its configuration (dof,) and the first of the stored TCP poses
    (F, 7) on; None when they lead out of its reach."""
    first_q, action = np.asarray(first_q, dtype=np.float64), np.asarray(action, dtype=np.float64)
    poses = integrate(se3.matrix_from_pose7(np.asarray(ee_pose)[0]), action)[1:]
    following = robot.follow(poses, first_q, MAX_STEP)
    if len(following) < len(poses):
        following = robot.ik_along(poses, first_q, MAX_STEP)
    if len(following) < len(poses):
        return None
    q = np.concatenate([first_q[None], following])
    return Motion(q, _velocities(q, dt), action[:, 6], dt)


def compare(
    robot: Robot,
    motion: Motion,
    recording: Recording,
    ee_pose: ArrayLike,
    action: ArrayLike,
    target: int,
    limits: LiftLimits,
) -> ReplayResult:
    """What came of stored actions (F, 7), given the motion that retraces them and its recorded run.

    `ee_pose` (F, 7) are the stored TCP poses, and `target` is the target's place among the objects.
    """
    phase = phases_of(np.asarray(action, dtype=np.float64))
    figures, failure = judge(recording, robot.fk(motion.q), phase, 0.0, target, motion.dt, limits)
    failure = failure or Failure("", "")
    stored = se3.matrix_from_pose7(ee_pose)[: len(recording.T_base_tcp), :3, 3]
    off = np.linalg.norm(recording.T_base_tcp[:, :3, 3] - stored, axis=-1)
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
