"""What must hold within an episode. Each check yields (array, what is wrong) and never raises for bad values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.dataset.shard_array import ShardArray
from syngrasp.records import Phase

Found = Iterator[tuple[str | None, str]]
States = Mapping[str, NDArray[Any]]

QUATERNION_TOLERANCE = 1e-3
POSITION_TOLERANCE = 1e-4  # [m] of an action's motion against the poses, both float32
ROTATION_TOLERANCE = 1e-3  # [rad]
JOINT_SPEED = 5.0  # [rad/s]: faster than any arm here; more between two frames is a jump
WIDTH_TOLERANCE = 2e-3  # [m] of soft finger joints below zero
BOX_TOLERANCE = 1.0  # [px] between a box and its mask
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


def check_line(line: Mapping[str, Any], shard: int, start: int, length: int) -> Found:
    """The episode's line against the shard: place, length and target."""
    for key, value in {"shard": shard, "start": start, "length": length}.items():
        if line.get(key) != value:
            yield "episodes.jsonl", f"{key} is {line.get(key)}, not {value}"
    target = line["target"]
    if not 0 <= target < len(line["objects"]):
        yield "episodes.jsonl", f"target {target} of {len(line['objects'])} objects"
    elif line["objects"][target]["uid"] != line["target_uid"]:
        yield "episodes.jsonl", f"target_uid {line['target_uid']!r} is not object {target}"
    if not line["instruction"] or not line["category"]:
        yield "episodes.jsonl", "instruction or category is empty"


def check_states(states: States, line: Mapping[str, Any]) -> Found:
    """Plain numbers of an episode: finite, unit quaternions, no jumps, actions that lead from pose to pose."""
    objects = len(line["objects"])
    bad = False
    for name, what in _not_finite(states, objects):
        bad = True
        yield name, what
    if bad:
        return  # every other check would say it again
    quaternions = {"ee_pose": states["ee_pose"], "goal_pose": states["goal_pose"]}
    quaternions["object_pose"] = states["object_pose"][:, :objects]
    for name, poses in quaternions.items():
        error = np.abs(np.linalg.norm(poses[..., 3:].astype(np.float64), axis=-1) - 1.0)
        if error.size and error.max() > QUATERNION_TOLERANCE:
            yield name, f"quaternion of length 1 ± {error.max():.2g} in frame {_worst(error)}"
    jump = np.abs(np.diff(states["joint_position"].astype(np.float64), axis=0))
    if jump.size and jump.max() > JOINT_SPEED * line["dt"]:
        yield "joint_position", f"a joint jumps by {jump.max():.2f} rad after frame {_worst(jump)}"
    yield from _check_action(states["action"], states["ee_pose"])
    yield from _check_phase(states["phase"], states["action"][:, 6], line.get("grasp_attempts", 1))
    if states["gripper_width"].min() < -WIDTH_TOLERANCE:
        yield "gripper_width", f"{states['gripper_width'].min():.3f} m"


def _check_phase(phase: NDArray[np.uint8], gripper: NDArray[Any], attempts: int) -> Found:
    """Phases (F,) follow one another as they may, with the gripper commands (F,) and attempts that belong to them."""
    if (unknown := phase > max(Phase)).any():
        yield "phase", f"{phase[unknown][0]} is none of 0…{max(Phase)}, in frame {_worst(unknown)}"
        return
    begins = np.flatnonzero(np.concatenate([[True], phase[1:] != phase[:-1]]))
    runs = [Phase(p) for p in phase[begins]]
    if runs[0] != Phase.REACH:
        yield "phase", f"begins with {runs[0].name}, not REACH"
    for frame, before, after in zip(begins[1:], runs, runs[1:], strict=False):
        if after not in FOLLOWS[before]:
            yield "phase", f"{after.name} comes after {before.name} in frame {frame}"
    if runs[-1] not in LIFTED:
        yield "phase", f"ends with {runs[-1].name}, not LIFT or HOLD"
    wrong = (gripper > 0) != np.isin(phase, OPEN)
    if wrong.any():
        frame = _worst(wrong)
        told = "open" if gripper[frame] > 0 else "close"
        yield "action", f"tells the hand to {told} in {Phase(phase[frame]).name}, frame {frame}"
    if attempts != (closings := 1 + runs.count(Phase.RETREAT)):
        yield "episodes.jsonl", f"grasp_attempts is {attempts}, but the phases hold {closings}"


def _not_finite(states: States, objects: int) -> Iterator[tuple[str, str]]:
    for name, values in states.items():
        if values.dtype.kind != "f":
            continue
        if name == "object_pose":
            if not np.isnan(values[:, objects:]).all():
                yield name, f"values beyond the scene's {objects} objects"
            values = values[:, :objects]
        if name in ("bbox", "bbox_full", "occlusion"):
            if not np.isnan(values[:, :, objects:]).all():
                yield name, f"values beyond the scene's {objects} objects"
            missing = np.isnan(values) if name == "occlusion" else np.isnan(values).all(-1, keepdims=True)
            values = np.where(missing, 0.0, values)
        if not np.isfinite(values).all():
            yield name, f"not finite in frame {_worst(~np.isfinite(values))}"


def _check_action(action: NDArray[Any], ee_pose: NDArray[Any]) -> Found:
    T = se3.matrix_from_pose7(ee_pose)
    reached = se3.apply_delta(T[:-1], action[:-1, :6])
    offset = np.abs(reached[:, :3, 3] - T[1:, :3, 3])
    if offset.size and offset.max() > POSITION_TOLERANCE:
        yield "action", f"leads {offset.max():.2g} m away from the next ee_pose in frame {_worst(offset)}"
    angle = se3.rotation_angle(np.swapaxes(reached[:, :3, :3], -1, -2) @ T[1:, :3, :3])
    if angle.size and angle.max() > ROTATION_TOLERANCE:
        yield "action", f"leads {angle.max():.2g} rad away from the next ee_pose in frame {_worst(angle)}"
    if action[-1, :6].any():
        yield "action", "moves in the last frame"
    if (np.abs(action[:, 6]) != 1.0).any():
        yield "action", "a gripper command is neither 1 nor -1"


def check_cameras(cameras: States, image_shape: tuple[int, ...]) -> Found:
    """Calibration: pinhole matrices and rigid transforms."""
    K, T = cameras["camera_intrinsics"].astype(np.float64), cameras["T_base_camera"].astype(np.float64)
    for name, values in cameras.items():
        if not np.isfinite(values).all():
            yield name, "not finite"
            return
    height, width = image_shape
    centre_inside = (K[:, 0, 2] > 0) & (K[:, 0, 2] < width) & (K[:, 1, 2] > 0) & (K[:, 1, 2] < height)
    focal = (K[:, 0, 0] > 0) & (K[:, 1, 1] > 0)
    if not ((K[:, 2] == [0.0, 0.0, 1.0]).all() and centre_inside.all() and focal.all()):
        yield "camera_intrinsics", "is no pinhole matrix of the stored image"
    R = T[:, :3, :3]
    rigid = np.abs(R @ np.swapaxes(R, -1, -2) - np.eye(3)).max() < QUATERNION_TOLERANCE and (np.linalg.det(R) > 0).all()
    if not rigid or (T[:, 3] != [0.0, 0.0, 0.0, 1.0]).any():
        yield "T_base_camera", "is no rigid transform"


def check_pictures(arrays: Mapping[str, ShardArray], frames: range, bbox: NDArray[Any], objects: int) -> Found:
    """Pictures decode and are not blank; boxes lie inside and are the extents of their masks."""
    height, width = arrays["images"].shape[2:4]
    buffers = {n: np.empty(a.shape[1:], a.dtype) for n, a in arrays.items() if n in ("images", "masks", "depth")}
    yield from _check_inside(bbox[:, :, :objects], width, height)
    for k, frame in enumerate(frames):
        for name, buffer in buffers.items():
            try:
                arrays[name].row(frame, buffer)
            except ValueError as error:
                yield name, f"frame {k} does not decode: {error}"
                return
        for c, image in enumerate(buffers["images"]):
            if image.min() == image.max():
                yield "images", f"frame {k}, camera {c} is all of one colour"
        if "masks" in buffers:
            yield from _check_masks(buffers["masks"], bbox[k], objects, k)


def check_extents(states: States, image_shape: tuple[int, ...], objects: int) -> Found:
    """Full boxes hold what is visible, truncation says whether they leave the image, and what is hidden is a share."""
    height, width = image_shape
    bbox, full = states["bbox"][:, :, :objects], states["bbox_full"][:, :, :objects]
    occlusion, truncated = states["occlusion"][:, :, :objects], states["truncated"][:, :, :objects]
    with np.errstate(invalid="ignore"):
        outside = np.maximum(full[..., :2] - bbox[..., :2], bbox[..., 2:] - full[..., 2:]).max(-1) > BOX_TOLERANCE
        empty = np.asarray((full[..., :2] >= full[..., 2:]).any(-1))
        leaves = ~((full[..., :2] >= 0).all(-1) & (full[..., 2] <= width) & (full[..., 3] <= height))
        no_share = (occlusion < 0.0) | (occlusion > 1.0)
        apart = (full[..., 0] >= width) | (full[..., 1] >= height) | (full[..., 2:] <= 0).any(-1)
    seen = ~np.isnan(bbox[..., 0])
    if empty.any():
        yield "bbox_full", f"a box is empty in frame {_worst(empty)}"
    if outside.any():
        yield "bbox_full", f"does not hold the visible box in frame {_worst(outside)}"
    wrong = np.asarray(truncated != leaves)
    if wrong.any():
        yield "truncated", f"does not say whether bbox_full leaves the image in frame {_worst(wrong)}"
    if states["truncated"][:, :, objects:].any():
        yield "truncated", f"values beyond the scene's {objects} objects"
    if no_share.any():
        yield "occlusion", f"is not within 0 and 1 in frame {_worst(no_share)}"
    if (wrong := seen & ~(occlusion < 1.0)).any():
        yield "occlusion", f"says that nothing is visible, where there is a box, in frame {_worst(wrong)}"
    if (wrong := ~seen & (occlusion < 1.0)).any():
        yield "occlusion", f"says that something is visible, where there is no box, in frame {_worst(wrong)}"
    if (wrong := apart & ~seen & ~np.isnan(occlusion)).any():
        yield "occlusion", f"of an object that is outside the image in frame {_worst(wrong)}"


def _check_inside(bbox: NDArray[Any], width: int, height: int) -> Found:
    seen = ~np.isnan(bbox[..., 0])
    x0, y0, x1, y1 = np.moveaxis(bbox, -1, 0)
    with np.errstate(invalid="ignore"):
        inside = (x0 >= 0) & (y0 >= 0) & (x1 <= width) & (y1 <= height) & (x0 < x1) & (y0 < y1)
    if (seen & ~inside).any():
        yield "bbox", f"a box is empty or reaches out of the image in frame {_worst(seen & ~inside)}"


def _check_masks(masks: NDArray[np.uint8], bbox: NDArray[Any], objects: int, k: int) -> Found:
    for c, mask in enumerate(masks):
        pixels = np.bincount(mask.ravel(), minlength=256)
        if pixels[3 + objects :].any():
            yield "masks", f"frame {k}, camera {c} has labels beyond the scene's {objects} objects"
        for i in range(objects):
            box = bbox[c, i]
            if not pixels[3 + i] and np.isnan(box[0]):
                continue
            if not pixels[3 + i] or np.isnan(box[0]):
                yield "bbox", f"frame {k}, camera {c}, object {i}: a box without a mask, or a mask without a box"
                continue
            error = np.abs(box - _extent(mask == 3 + i)).max()
            if error > BOX_TOLERANCE:
                yield "bbox", f"frame {k}, camera {c}, object {i}: {error:.1f} px away from the extent of its mask"


def _extent(pixels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """x0 y0 x1 y1, pixel edges, of a mask that is not empty."""
    columns, rows = np.flatnonzero(pixels.any(0)), np.flatnonzero(pixels.any(1))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float64)


def _worst(values: NDArray[Any]) -> int:
    """The frame (first axis) of the largest value."""
    return int(np.unravel_index(np.argmax(values), values.shape)[0])
