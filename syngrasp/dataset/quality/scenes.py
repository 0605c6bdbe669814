"""What must hold for the hand and the objects of an episode: goals, motion by touch alone, the table, the lift."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.dataset.quality.problems import Finding, Found
from syngrasp.dataset.quality.states import States, worst
from syngrasp.records import Phase

GOAL_TOLERANCE = 1e-4  # [m] and in the quaternion, of a goal that is stored elsewhere too
SETTLED_TOLERANCE = 1e-4  # [m] between a scene's settled poses and the first frame
UNTOUCHED = 5e-3  # [m] that an object may move before the hand closes on anything
BELOW = 0.01  # [m] that a body's centre of mass may lie below the table top
RISE_TOLERANCE = 2e-3  # [m] between the rise of the target and the lift that was measured
LEAST_RISE = 0.02  # [m]: less is no lift
BOX_MARGIN = 3.0  # [px] outside its full box that an object's centre of mass may project to


def check_scene(states: States, line: Mapping[str, Any]) -> Found:
    """Objects and goals of a simulated episode."""
    if "goal_pose" in states and "grasp" in line:
        yield from _check_goal(states, line)
    if "object_pose" not in states or "table" not in line:
        return
    objects = len(line["objects"])
    position = states["object_pose"][:, :objects, :3].astype(np.float64)
    settled = np.array([placed["pose"][:3] for placed in line["objects"]])
    away = np.linalg.norm(position[0] - settled, axis=-1)
    if away.max() > SETTLED_TOLERANCE:
        k = int(np.argmax(away))
        yield Finding("teleport", "object_pose", f"object {k} begins {away[k]:.3f} m away from where it had settled")
    closing = np.flatnonzero(states["phase"] != Phase.REACH)
    untouched = position[: max(1, int(closing[0]) - 2)] if closing.size else position
    moved = np.linalg.norm(untouched - position[:1], axis=-1)
    if moved.max() > UNTOUCHED:
        k = int(np.unravel_index(np.argmax(moved), moved.shape)[1])
        what = f"object {k} moves by {moved.max():.3f} m before the hand closes, by frame {worst(moved)}"
        yield Finding("early_motion", "object_pose", what)
    depth = line["table"]["height"] - position[:, :, 2]
    if depth.max() > BELOW:
        k = int(np.unravel_index(np.argmax(depth), depth.shape)[1])
        what = f"object {k} is {depth.max():.3f} m below the table top in frame {worst(depth)}"
        yield Finding("penetration", "object_pose", what)
    yield from _check_lift(position[:, line["target"], 2], line["lift"]["height"])


def _check_lift(height: NDArray[np.float64], said: float) -> Found:
    rise = height[-1] - height[0]
    if rise < LEAST_RISE:
        yield Finding("lift", "object_pose", f"the target rises by {rise:.3f} m only")
    if abs(rise - said) > RISE_TOLERANCE:
        yield Finding("lift", "episodes.jsonl", f"the target rises by {rise:.3f} m, lift.height says {said:.3f} m")


def _check_goal(states: States, line: Mapping[str, Any]) -> Found:
    goal, pose = states["goal_pose"].astype(np.float64), states["ee_pose"].astype(np.float64)
    grasp = se3.pose7_from_matrix(np.array(line["grasp"]["T_base_tcp"]))
    is_open = states["action"][:, 6] > 0
    apart = np.where(is_open, _apart(goal, grasp), 0.0)
    if apart.max() > GOAL_TOLERANCE and line.get("grasp_attempts", 1) == 1:
        yield Finding("goal", "goal_pose", f"is {apart.max():.3g} away from the line's grasp in frame {worst(apart)}")
    closed = np.where(is_open[:-1], 0.0, _apart(goal[:-1], pose[1:]))
    if closed.size and closed.max() > GOAL_TOLERANCE:
        yield Finding("goal", "goal_pose", f"is {closed.max():.3g} away from the next ee_pose in frame {worst(closed)}")


def _apart(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """The larger of the distances of poses (F, 7) in position and quaternion, whose sign is of no matter."""
    position = np.linalg.norm(a[:, :3] - b[..., :3], axis=-1)
    near, far = (np.linalg.norm(a[:, 3:] - s * b[..., 3:], axis=-1) for s in (1.0, -1.0))
    return np.maximum(position, np.minimum(near, far))


def check_projection(states: States, cameras: States, objects: int) -> Found:
    """The centre of mass of every object that is before a camera lies in its full box."""
    if "object_pose" not in states or "bbox_full" not in states:
        return
    position = states["object_pose"][:, :objects, :3].astype(np.float64)
    for c, (K, T) in enumerate(zip(cameras["camera_intrinsics"], cameras["T_base_camera"], strict=True)):
        seen = se3.transform(se3.invert(T), position.reshape(-1, 3)).reshape(position.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            uv = (seen @ K.astype(np.float64).T)[..., :2] / seen[..., 2:]
            box = states["bbox_full"][:, c, :objects]
            outside = np.maximum(box[..., :2] - uv, uv - box[..., 2:]).max(-1)
        outside = np.where((seen[..., 2] > 0.0) & ~np.isnan(outside), outside, -np.inf)
        if outside.max() > BOX_MARGIN:
            frame, k = np.unravel_index(int(np.argmax(outside)), outside.shape)
            what = f"camera {c} sees object {k} {outside.max():.0f} px outside its box in frame {frame}"
            yield Finding("projection", "bbox_full", what)
