"""Judges whether a target was really lifted, and makes what the dataset stores of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.physics.execution import Recording
from syngrasp.records import Phase, Plan, Rollout

F64 = NDArray[np.float64]
F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]

MISSED_SHARE = 0.25  # of the grasp's width: fingers that close further hold nothing of it
FOLLOWED = 0.02  # a target that rose this far was in the hand once [m]
TOUCHED = 0.003  # a target that moved this far under a grasp that was to miss it was touched [m]


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

    reason: str  # diverged, collided, disturbed_by_miss, grasp_missed, not_lifted, dropped, slipped, scene_disturbed
    detail: str


@dataclass(frozen=True, slots=True)
class Figures:
    """How well a target was lifted."""

    lift_height: float  # least rise over the hold [m]
    slip: float  # largest motion of the target in the hand after the closing [m]
    disturbance: float  # largest motion of any other object [m]
    deviation: float  # largest distance of the TCP from its command [m]


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
    elif (touched := _moved_by_miss(recording, phase, target)) > TOUCHED:
        failure = Failure("disturbed_by_miss", f"the target moved {touched * 1000:.1f} mm before the grasp")
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
    """Goal labels (F, 7): the grasp while the gripper is told to be open, the next frame's TCP pose while closed."""
    following = np.concatenate([ee_pose[1:], ee_pose[-1:]])
    grasp = se3.pose7_from_matrix(T_base_grasp).astype(np.float32)
    return np.where(gripper[:, None] > 0, grasp, following)


def _lift_start(phase: U8) -> int:
    """First frame of the lift; the last frame when there is none."""
    lifting = np.flatnonzero((phase == Phase.LIFT) | (phase == Phase.HOLD))
    return int(lifting[0]) if len(lifting) else len(phase) - 1


def _moved_by_miss(recording: Recording, phase: U8, target: int) -> float:
    """How far the target moved until the hand closed for the last time [m]; 0 where it closed only once."""
    opened = np.flatnonzero((phase == Phase.REACH) | (phase == Phase.RETREAT))
    until = int(opened[-1]) + 1 if len(opened) else 0
    if not np.any(phase[:until] == Phase.CLOSE):
        return 0.0
    position = recording.object_pose[: until + 1, target, :3]
    return float(np.linalg.norm(position - position[0], axis=1).max())


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
