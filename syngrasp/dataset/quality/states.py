"""What must hold for an episode's numbers. Each check yields findings and never raises for bad values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.dataset.quality.problems import Finding, Found
from syngrasp.records import Phase

States = Mapping[str, NDArray[Any]]

QUATERNION_TOLERANCE = 1e-3
POSITION_TOLERANCE = 1e-4  # [m] of an action's motion against the poses, both float32
ROTATION_TOLERANCE = 1e-3  # [rad]
DRIFT_POSITION = 1e-3  # [m] of all actions together
DRIFT_ROTATION = 1e-2  # [rad]
JOINT_SPEED = 5.0  # [rad/s]: faster than any arm here; more between two frames is a jump
SPEED = 5.0  # [m/s] of hand and objects: more between two frames is a jump
LIMIT_TOLERANCE = 0.02  # [rad] beyond a joint's limit: soft in physics
VELOCITY_TOLERANCE = 0.8  # [rad/s] between a velocity and the positions around it: contacts within a frame
WIDTH_TOLERANCE = 2e-3  # [m] of soft finger joints
FOLLOWS = {
    Phase.REACH: (Phase.CLOSE,),
    Phase.CLOSE: (Phase.LIFT, Phase.RETREAT),
    Phase.LIFT: (Phase.HOLD,),
    Phase.HOLD: (),
    Phase.RETREAT: (Phase.REACH,),
}
"""What a phase may be followed by. An episode begins with a reach and ends lifted."""
LIFTED = (Phase.LIFT, Phase.HOLD)
OPEN = (Phase.REACH, Phase.RETREAT)  # the hand is told to open; in other phases to close


class RobotLimits(NamedTuple):
    """What a robot cannot go beyond; arrays (D,)."""

    q_lower: NDArray[np.float64]  # [rad]
    q_upper: NDArray[np.float64]  # [rad]
    velocity: NDArray[np.float64]  # [rad/s]
    max_width: float  # [m] of the gripper


def check_states(
    states: States, line: Mapping[str, Any], limits: RobotLimits | None = None, imported: bool = False
) -> Found:
    """Plain numbers of an episode: finite, unit quaternions, no jumps, within limits, actions that lead from pose to
    pose. What is not stored is not looked at; of what was imported, phases are not."""
    objects = len(line["objects"])
    bad = False
    for finding in not_finite(states, objects):
        bad = True
        yield finding
    if bad:
        return  # every other check would say it again
    yield from _check_quaternions(states, objects)
    if "joint_position" in states:
        yield from _check_joints(states, line["dt"], limits)
    for name in ("ee_pose", "object_pose"):
        if name in states:
            poses = states[name][..., :3] if name == "ee_pose" else states[name][:, :objects, :3]
            step = np.linalg.norm(np.diff(poses.astype(np.float64), axis=0), axis=-1)
            if step.size and step.max() > SPEED * line["dt"]:
                yield Finding("teleport", name, f"jumps by {step.max():.2f} m after frame {worst(step)}")
    yield from _check_action(states["action"], states["ee_pose"], imported)
    if not imported:
        yield from _check_phase(states["phase"], states["action"][:, 6], line.get("grasp_attempts", 1))
    if "gripper_width" in states:
        width, most = states["gripper_width"], 1.0 if limits is None else limits.max_width
        wrong = (width < -WIDTH_TOLERANCE) | (width > most + WIDTH_TOLERANCE)
        if wrong.any():
            yield Finding("gripper_width", "gripper_width", f"{width[wrong][0]:.3f} m in frame {worst(wrong)}")


def not_finite(states: States, objects: int) -> Iterator[Finding]:
    """Numbers that are none, and numbers where none may be."""
    for name, values in states.items():
        if values.dtype.kind != "f":
            continue
        if name == "object_pose":
            if not np.isnan(values[:, objects:]).all():
                yield Finding("not_finite", name, f"values beyond the scene's {objects} objects")
            values = values[:, :objects]
        if name in ("bbox", "bbox_full", "occlusion"):
            if not np.isnan(values[:, :, objects:]).all():
                yield Finding("not_finite", name, f"values beyond the scene's {objects} objects")
            missing = np.isnan(values) if name == "occlusion" else np.isnan(values).all(-1, keepdims=True)
            values = np.where(missing, 0.0, values)
        if not np.isfinite(values).all():
            yield Finding("not_finite", name, f"not finite in frame {worst(~np.isfinite(values))}")


def _check_quaternions(states: States, objects: int) -> Found:
    quaternions = {name: states[name] for name in ("ee_pose", "goal_pose") if name in states}
    if "object_pose" in states:
        quaternions["object_pose"] = states["object_pose"][:, :objects]
    for name, poses in quaternions.items():
        error = np.abs(np.linalg.norm(poses[..., 3:].astype(np.float64), axis=-1) - 1.0)
        if error.size and error.max() > QUATERNION_TOLERANCE:
            yield Finding("quaternion", name, f"quaternion of length 1 ± {error.max():.2g} in frame {worst(error)}")


def _check_joints(states: States, dt: float, limits: RobotLimits | None) -> Found:
    q = states["joint_position"].astype(np.float64)
    speed = np.abs(np.diff(q, axis=0)) / dt
    if speed.size and speed.max() > JOINT_SPEED:
        what = f"a joint jumps by {speed.max() * dt:.2f} rad after frame {worst(speed)}"
        yield Finding("teleport", "joint_position", what)
    if limits is not None:
        beyond = np.maximum(limits.q_lower - q, q - limits.q_upper)
        if beyond.max() > LIMIT_TOLERANCE:
            frame, joint = np.unravel_index(int(np.argmax(beyond)), beyond.shape)
            what = f"joint {joint + 1} is {beyond.max():.3f} rad beyond its limit in frame {frame}"
            yield Finding("joint_limit", "joint_position", what)
    if "joint_velocity" not in states:
        return
    velocity = states["joint_velocity"].astype(np.float64)
    if limits is not None and (fast := np.abs(velocity) / limits.velocity).max() > 1.05:
        frame, joint = np.unravel_index(int(np.argmax(fast)), fast.shape)
        what = f"joint {joint + 1} moves at {abs(velocity[frame, joint]):.2f} rad/s in frame {frame}, more than it can"
        yield Finding("joint_velocity", "joint_velocity", what)
    between = 0.5 * (velocity[1:] + velocity[:-1])
    apart = np.abs(np.diff(q, axis=0) / dt - between)
    if apart.size and apart.max() > VELOCITY_TOLERANCE:
        what = f"is {apart.max():.2f} rad/s away from what the positions say after frame {worst(apart)}"
        yield Finding("joint_velocity", "joint_velocity", what)


def _check_phase(phase: NDArray[np.uint8], gripper: NDArray[Any], attempts: int) -> Found:
    """Phases (F,) follow one another as they may, with the gripper commands (F,) and attempts that belong to them."""
    if (unknown := phase > max(Phase)).any():
        what = f"{phase[unknown][0]} is none of 0…{max(Phase)}, in frame {worst(unknown)}"
        yield Finding("phase", "phase", what)
        return
    begins = np.flatnonzero(np.concatenate([[True], phase[1:] != phase[:-1]]))
    runs = [Phase(p) for p in phase[begins]]
    if runs[0] != Phase.REACH:
        yield Finding("phase", "phase", f"begins with {runs[0].name}, not REACH")
    for frame, before, after in zip(begins[1:], runs, runs[1:], strict=False):
        if after not in FOLLOWS[before]:
            yield Finding("phase", "phase", f"{after.name} comes after {before.name} in frame {frame}")
    if runs[-1] not in LIFTED:
        yield Finding("phase", "phase", f"ends with {runs[-1].name}, not LIFT or HOLD")
    wrong = (gripper > 0) != np.isin(phase, OPEN)
    if wrong.any():
        frame = worst(wrong)
        told = "open" if gripper[frame] > 0 else "close"
        yield Finding("phase", "action", f"tells the hand to {told} in {Phase(phase[frame]).name}, frame {frame}")
    if attempts != (closings := 1 + runs.count(Phase.RETREAT)):
        what = f"grasp_attempts is {attempts}, but the phases hold {closings}"
        yield Finding("phase", "episodes.jsonl", what)


def _check_action(action: NDArray[Any], ee_pose: NDArray[Any], imported: bool) -> Found:
    T = se3.matrix_from_pose7(ee_pose)
    reached = se3.apply_delta(T[:-1], action[:-1, :6])
    offset = np.abs(reached[:, :3, 3] - T[1:, :3, 3])
    if offset.size and offset.max() > POSITION_TOLERANCE:
        what = f"leads {offset.max():.2g} m away from the next ee_pose in frame {worst(offset)}"
        yield Finding("action", "action", what)
    angle = se3.rotation_angle(np.swapaxes(reached[:, :3, :3], -1, -2) @ T[1:, :3, :3])
    if angle.size and angle.max() > ROTATION_TOLERANCE:
        what = f"leads {angle.max():.2g} rad away from the next ee_pose in frame {worst(angle)}"
        yield Finding("action", "action", what)
    yield from _check_drift(action, T)
    if action[-1, :6].any() and not imported:
        yield Finding("action", "action", "moves in the last frame")
    if (np.abs(action[:, 6]) != 1.0).any():
        yield Finding("action", "action", "a gripper command is neither 1 nor -1")


def _check_drift(action: NDArray[Any], T: NDArray[np.float64]) -> Found:
    """All actions from the first pose: positions add up, rotations multiply, from the left."""
    position = T[0, :3, 3] + action[:-1, :3].astype(np.float64).sum(0)
    R = T[0, :3, :3]
    for turn in se3.matrix_from_rpy(action[:-1, 3:6]):
        R = turn @ R
    away, angle = np.linalg.norm(position - T[-1, :3, 3]), float(se3.rotation_angle(R.T @ T[-1, :3, :3]))
    if away > DRIFT_POSITION or angle > DRIFT_ROTATION:
        what = f"all together they end {away:.2g} m and {angle:.2g} rad away from the last ee_pose"
        yield Finding("action_drift", "action", what)


def worst(values: NDArray[Any]) -> int:
    """The frame (first axis) of the largest value."""
    return int(np.unravel_index(np.argmax(values), values.shape)[0])
