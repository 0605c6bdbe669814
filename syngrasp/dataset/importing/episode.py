"""One episode of a LeRobot dataset as our arrays and line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.dataset.importing.lerobot import Source, column
from syngrasp.dataset.importing.mapping import SIZES, ImportMapping, PoseForm, Reference
from syngrasp.errors import SyngraspError
from syngrasp.records import Phase

RIGID = 1e-3  # by how much the rows of a rotation may fail to be of length one
F32 = NDArray[np.float32]


def check_mapping(source: Source, mapping: ImportMapping) -> None:
    """Raises SyngraspError where the source has not what the mapping names."""
    for feature in mapping.images.values():
        source.require(Reference(feature))
        if feature not in source.videos:
            kind, videos = source.features[feature]["dtype"], ", ".join(source.videos) or "none"
            raise SyngraspError(f"images: feature {feature!r} is {kind}, no video; videos: {videos}")
    if not source.info.get("video_path"):
        raise SyngraspError(f"{source.root}/meta/info.json has no video_path")
    keys = ("chunk_index", "file_index")
    source.require_columns(("episode_index", "length", "tasks", *(f"data/{key}" for key in keys)))
    for feature in mapping.images.values():
        source.require_columns(f"videos/{feature}/{key}" for key in (*keys, "from_timestamp"))
    source.require_columns(name for name in (mapping.category, mapping.target_uid) if name)
    source.require(Reference.parse(mapping.pose), SIZES[mapping.pose_form])
    source.require(Reference.parse(mapping.action), 7)
    if mapping.goal and mapping.goal != "from_close":
        source.require(Reference.parse(mapping.goal), SIZES[mapping.goal_form])
    for text, size in ((mapping.gripper_width, 1), (mapping.phase, 1)):
        if text:
            source.require(Reference.parse(text), size)
    for text in (mapping.joint_position, mapping.joint_velocity):
        if text:
            source.require(Reference.parse(text))
    for camera, text in mapping.boxes.items():
        if camera not in mapping.images:
            raise SyngraspError(f"boxes: camera {camera!r} has no images; cameras: {', '.join(mapping.images)}")
        source.require(Reference.parse(text), 4)
    if mapping.boxes and set(mapping.boxes) != set(mapping.images):
        raise SyngraspError(
            f"boxes: {', '.join(mapping.boxes)}; there must be one for each of {', '.join(mapping.images)}"
        )


def episode_arrays(
    source: Source, mapping: ImportMapping, row: Mapping[str, Any], size: int | None
) -> dict[str, NDArray[Any]]:
    """An episode's arrays by our names. Raises SyngraspError, naming it, for values that cannot be."""
    table, number = source.table(row), row["episode_index"]

    def take(text: str) -> F32:
        values = column(table, Reference.parse(text)).astype(np.float32)
        if not np.isfinite(values).all():
            frame = int(np.argwhere(~np.isfinite(values))[0, 0])
            raise SyngraspError(f"episode {number}: {text} is not finite in frame {frame}")
        return values

    action = take(mapping.action)
    is_open = action[:, 6] > mapping.gripper_open_above
    action[:, 6] = np.where(is_open, 1.0, -1.0)
    pose = _pose7(take(mapping.pose), mapping.pose_form, number, mapping.pose)
    arrays: dict[str, NDArray[Any]] = {"ee_pose": pose, "action": action}
    if mapping.phase:
        arrays["phase"] = _known_phases(take(mapping.phase)[:, 0], number, mapping.phase)
    else:
        arrays["phase"] = phases(is_open, pose)
    if mapping.goal == "from_close":
        arrays["goal_pose"] = goals(is_open, pose)
    elif mapping.goal:
        arrays["goal_pose"] = _pose7(take(mapping.goal), mapping.goal_form, number, mapping.goal)
    if mapping.gripper_width:
        arrays["gripper_width"] = take(mapping.gripper_width)[:, 0]
    for name in ("joint_position", "joint_velocity"):
        if text := getattr(mapping, name):
            arrays[name] = take(text)
    images, scales = pictures(source, mapping, row, size)
    arrays["images"] = images
    if mapping.boxes:
        boxes = np.stack([take(mapping.boxes[camera]) for camera in mapping.images], 1)
        unseen = (boxes < 0).any(-1) | (boxes[..., 2] <= boxes[..., 0]) | (boxes[..., 3] <= boxes[..., 1])
        boxes = np.where(unseen[..., None], np.float32(np.nan), boxes * np.tile(scales, 2).astype(np.float32))
        arrays["bbox"] = boxes[:, :, None]
    return arrays


def pictures(
    source: Source, mapping: ImportMapping, row: Mapping[str, Any], size: int | None
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """The pictures of all cameras (F, C, H, W, 3), squares of `size` if it is given, and scales of x, y (C, 2)."""
    from PIL import Image

    stored: NDArray[np.uint8] | None = None
    scales = np.ones((len(mapping.images), 2))
    for c, feature in enumerate(mapping.images.values()):
        for k, picture in enumerate(source.pictures(row, feature)):
            if size is not None and picture.shape[:2] != (size, size):
                scales[c] = size / np.array(picture.shape[1::-1], np.float64)
                picture = np.asarray(Image.fromarray(picture).resize((size, size), Image.Resampling.LANCZOS))
            if stored is None:
                stored = np.empty((row["length"], len(mapping.images), *picture.shape), np.uint8)
            if picture.shape != stored.shape[2:]:
                raise SyngraspError(
                    f"{feature} has pictures of {picture.shape}, others of {stored.shape[2:]}: --size makes them alike"
                )
            stored[k, c] = picture
    assert stored is not None
    return stored, scales


def episode_line(
    source: Source, mapping: ImportMapping, row: Mapping[str, Any], shard: int, slot: int
) -> dict[str, Any]:
    """The line of an episode: what the source says, and nothing that only a simulation would know."""
    instruction = "; ".join(row["tasks"])
    category = str(row[mapping.category]) if mapping.category else target_of(instruction)
    uid = str(row[mapping.target_uid]) if mapping.target_uid else category
    placed = {"uid": uid, "category": category}
    placed |= {key: str(row[f"syngrasp/{key}"]) for key in ("license", "attribution") if f"syngrasp/{key}" in row}
    return {
        "shard": shard,
        "episode": slot,
        "attempt": 0,
        "instruction": instruction,
        "category": category,
        "target": 0,
        "target_uid": uid,
        "objects": [placed],
        "robot": mapping.robot,
        "dt": 1.0 / float(source.info["fps"]),
        "cameras": list(mapping.images),
        "imported": {"episode_index": row["episode_index"]},
    }


def target_of(instruction: str) -> str:
    """What an instruction names: the words after its verb, without an article. The whole where it has no known verb."""
    words = instruction.lower().strip().rstrip(".").split()
    for verb in (("pick", "up"), ("pick",), ("grasp",), ("grab",), ("lift",), ("take",), ("get",)):
        if tuple(words[: len(verb)]) == verb:
            words = words[len(verb) :]
            break
    return " ".join(words[1:] if words[:1] in (["the"], ["a"], ["an"]) else words) or instruction


def phases(is_open: NDArray[np.bool_], pose: F32) -> NDArray[np.uint8]:
    """Phases (F,) of gripper commands and poses: reach while open, close while it stands still closed, then lift."""
    found = np.full(len(is_open), Phase.REACH, np.uint8)
    for start, stop in _closed(is_open):
        moved = np.linalg.norm(pose[start:stop, :3] - pose[start, :3], axis=1) > 0.01
        lifted = start + (int(np.argmax(moved)) if moved.any() else stop - start)
        found[start:lifted], found[lifted:stop] = Phase.CLOSE, Phase.LIFT
    return found


def _known_phases(values: F32, number: int, name: str) -> NDArray[np.uint8]:
    known = np.isin(values, [int(phase) for phase in Phase])
    if not known.all():
        frame = int(np.argmin(known))
        valid = ", ".join(f"{int(phase)} {phase.name.lower()}" for phase in Phase)
        raise SyngraspError(f"episode {number}: {name} is {values[frame]:g} in frame {frame}, valid: {valid}")
    return values.astype(np.uint8)


def goals(is_open: NDArray[np.bool_], pose: F32) -> F32:
    """Goals (F, 7): the TCP pose at which the gripper closes next, and while it is closed the next frame's pose."""
    found = np.concatenate([pose[1:], pose[-1:]])
    before = 0
    for start, stop in _closed(is_open):
        found[before:start] = pose[start]
        before = stop
    return found


def _closed(is_open: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Stretches in which the gripper is told to close."""
    edges = np.flatnonzero(np.diff(np.concatenate([[True], is_open, [True]]).astype(np.int8)))
    return [(int(a), int(b)) for a, b in edges.reshape(-1, 2)]


def _pose7(values: F32, form: PoseForm, number: int, name: str) -> F32:
    """Poses (F, 7), quaternion wxyz, of the source's form. Raises SyngraspError for what is no pose."""
    if form == "xyz_quaternion_wxyz":
        lengths = np.linalg.norm(values[:, 3:], axis=1)
        if np.abs(lengths - 1.0).max() > RIGID:
            raise SyngraspError(
                f"episode {number}: {name} has quaternions of length {lengths.min():.3f} … {lengths.max():.3f}"
            )
        return values
    if form == "xyz_quaternion_xyzw":
        return _pose7(
            np.concatenate([values[:, :3], values[:, 6:], values[:, 3:6]], 1), "xyz_quaternion_wxyz", number, name
        )
    if form == "xyz_rpy":
        T = se3.make(se3.matrix_from_rpy(values[:, 3:]), values[:, :3])
    else:
        T = values.reshape(-1, 4, 4).astype(np.float64)
        R = T[:, :3, :3]
        if np.abs(R @ np.swapaxes(R, 1, 2) - np.eye(3)).max() > RIGID:
            raise SyngraspError(f"episode {number}: {name} is no rigid transform")
    return se3.pose7_from_matrix(T).astype(np.float32)
