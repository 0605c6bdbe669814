"""What a shard holds: the one table of arrays that the writer, the reader and `verify` go by.

Shapes are spelled in symbols: F frames, E episodes, C cameras, H and W pixels, N objects (the dataset's
`max_objects`; unused places hold NaN), D arm joints.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from syngrasp.records import Episode

SCHEMA_VERSION = 2  # see migrations.py

Packing = Literal["raw", "jpeg", "zstd", "shuffle"]
"""How a chunk becomes bytes: as it is; `syngrasp.jpeg`; zstd; bit-shuffled, then zstd."""

AXES = {"F": "frame", "E": "episode", "C": "camera", "H": "row", "W": "column", "N": "object", "D": "joint"}


@dataclass(frozen=True, slots=True)
class ArraySpec:
    """One array of a shard."""

    name: str
    shape: tuple[str | int, ...]  # symbols and sizes, the first F or E
    dtype: str
    packing: Packing
    unit: str
    meaning: str
    picture: bool = False  # absent when nothing was rendered
    optional: bool = False  # absent unless asked for
    simulated: bool = False  # absent from what was imported and does not have it

    @property
    def per_frame(self) -> bool:
        """Whether the first axis counts frames (it counts episodes otherwise)."""
        return self.shape[0] == "F"

    @property
    def fill(self) -> float | int:
        """The value of what was never written."""
        return float("nan") if np.dtype(self.dtype).kind == "f" else 0

    @property
    def chunk_rows(self) -> int:
        """Rows of one chunk: one picture; many rows of plain numbers, which any reader can slice."""
        return 512 if self.packing == "raw" else 1

    def row_shape(self, sizes: Mapping[str, int]) -> tuple[int, ...]:
        """The shape of one row, given the size of each symbol."""
        return tuple(s if isinstance(s, int) else sizes[s] for s in self.shape[1:])

    def axes(self) -> list[str | None]:
        """Zarr's `dimension_names`."""
        return [AXES[s] if isinstance(s, str) else None for s in self.shape]


ARRAYS: tuple[ArraySpec, ...] = (
    ArraySpec("images", ("F", "C", "H", "W", 3), "uint8", "jpeg", "", "RGB", picture=True),
    ArraySpec(
        "masks",
        ("F", "C", "H", "W"),
        "uint8",
        "zstd",
        "",
        "0 background, 1 robot, 2 table, 3+i object i",
        picture=True,
        optional=True,
    ),
    ArraySpec(
        "depth",
        ("F", "C", "H", "W"),
        "uint16",
        "shuffle",
        "mm",
        "along the optical axis, 0 where nothing is hit",
        picture=True,
        optional=True,
    ),
    ArraySpec("joint_position", ("F", "D"), "float32", "raw", "rad", "arm joints", simulated=True),
    ArraySpec("joint_velocity", ("F", "D"), "float32", "raw", "rad/s", "arm joints", simulated=True),
    ArraySpec("gripper_width", ("F",), "float32", "raw", "m", "between the finger pads", simulated=True),
    ArraySpec("ee_pose", ("F", 7), "float32", "raw", "m, quaternion wxyz", "TCP in base"),
    ArraySpec("action", ("F", 7), "float32", "raw", "m, rad, ±1", "Δxyz Δrpy in base to the next frame, gripper"),
    ArraySpec(
        "goal_pose",
        ("F", 7),
        "float32",
        "raw",
        "m, quaternion wxyz",
        "grasp; next TCP pose while closed; in base",
        simulated=True,
    ),
    ArraySpec("object_pose", ("F", "N", 7), "float32", "raw", "m, quaternion wxyz", "objects in base", simulated=True),
    ArraySpec(
        "bbox",
        ("F", "C", "N", 4),
        "float32",
        "raw",
        "px",
        "visible x0 y0 x1 y1, pixel edges",
        picture=True,
        simulated=True,
    ),
    ArraySpec(
        "bbox_full",
        ("F", "C", "N", 4),
        "float32",
        "raw",
        "px",
        "whole object, not clipped; NaN: behind the camera",
        picture=True,
        simulated=True,
    ),
    ArraySpec(
        "occlusion",
        ("F", "C", "N"),
        "float32",
        "raw",
        "",
        "share of the silhouette in the image that is hidden",
        picture=True,
        simulated=True,
    ),
    ArraySpec(
        "truncated",
        ("F", "C", "N"),
        "uint8",
        "raw",
        "",
        "1 where the whole object is not within the image",
        picture=True,
        simulated=True,
    ),
    ArraySpec("phase", ("F",), "uint8", "raw", "", "0 reach, 1 close, 2 lift, 3 hold, 4 retreat from a miss"),
    ArraySpec(
        "camera_intrinsics",
        ("E", "C", 3, 3),
        "float32",
        "raw",
        "px",
        "of the stored image",
        picture=True,
        simulated=True,
    ),
    ArraySpec("T_base_camera", ("E", "C", 4, 4), "float32", "raw", "m", "OpenCV axes", picture=True, simulated=True),
    ArraySpec("episode_ends", ("E",), "int64", "raw", "frame", "one past each episode's last frame in its shard"),
)

SPECS: dict[str, ArraySpec] = {spec.name: spec for spec in ARRAYS}


def episode_arrays(episode: Episode, max_objects: int) -> dict[str, NDArray[Any]]:
    """An episode's arrays by name, the objects padded with NaN (or 0) to `max_objects`, without `episode_ends`.

    Per-episode arrays come without their first axis. Raises ValueError where the record breaks the schema.
    """
    rollout = episode.rollout
    arrays: dict[str, NDArray[Any] | None] = {
        "images": episode.images,
        "masks": episode.masks,
        "depth": episode.depth,
        "joint_position": rollout.joint_position,
        "joint_velocity": rollout.joint_velocity,
        "gripper_width": rollout.gripper_width,
        "ee_pose": rollout.ee_pose,
        "action": rollout.action,
        "goal_pose": rollout.goal_pose,
        "object_pose": _pad_objects(rollout.object_pose, 1, max_objects),
        "bbox": None if episode.bbox is None else _pad_objects(episode.bbox, 2, max_objects),
        "bbox_full": None if episode.bbox_full is None else _pad_objects(episode.bbox_full, 2, max_objects),
        "occlusion": None if episode.occlusion is None else _pad_objects(episode.occlusion, 2, max_objects),
        "truncated": None if episode.truncated is None else _pad_objects(episode.truncated, 2, max_objects),
        "phase": rollout.phase,
        "camera_intrinsics": episode.camera_intrinsics,
        "T_base_camera": episode.T_base_camera,
    }
    present = {name: array for name, array in arrays.items() if array is not None}
    _check_presence(episode, set(present))
    check_arrays(present, episode.cameras, len(rollout.scene.objects), max_objects)
    return present


def check_arrays(arrays: Mapping[str, NDArray[Any]], cameras: Sequence[str], objects: int, max_objects: int) -> None:
    """Raises ValueError where an episode's arrays break the schema, or one that every dataset has is missing."""
    needed = {spec.name for spec in ARRAYS if not (spec.simulated or spec.picture)} - {"episode_ends"}
    if missing := needed - set(arrays):
        raise ValueError(f"an episode lacks {', '.join(sorted(missing))}")
    sizes = _sizes(arrays, cameras, max_objects)
    for name, array in arrays.items():
        _check(SPECS[name], array, sizes, objects)


def _pad_objects(array: NDArray[Any], axis: int, max_objects: int) -> NDArray[Any]:
    missing = max_objects - array.shape[axis]
    if missing < 0:
        raise ValueError(f"{array.shape[axis]} objects in an episode, but the dataset holds at most {max_objects}")
    pad = [(0, 0)] * array.ndim
    pad[axis] = (0, missing)
    return np.pad(array, pad, constant_values=np.nan if array.dtype.kind == "f" else 0)


def _check_presence(episode: Episode, present: set[str]) -> None:
    required = {s.name for s in ARRAYS if s.picture and not s.optional}
    missing = required - present
    if episode.images is not None and missing:
        raise ValueError(f"an episode with images lacks {', '.join(sorted(missing))}")
    extra = present & {s.name for s in ARRAYS if s.picture}
    if episode.images is None and extra:
        raise ValueError(f"an episode without images has {', '.join(sorted(extra))}")


def _sizes(arrays: Mapping[str, NDArray[Any]], cameras: Sequence[str], max_objects: int) -> dict[str, int]:
    sizes = {"F": len(arrays["phase"]), "N": max_objects}
    if "joint_position" in arrays:
        sizes["D"] = arrays["joint_position"].shape[-1]
    if "images" in arrays and arrays["images"].ndim == 5:
        sizes |= dict(zip("CHW", arrays["images"].shape[1:4], strict=True))
        sizes["C"] = len(cameras)
    if sizes["F"] == 0:
        raise ValueError("an episode of no frames")
    return sizes


def _check(spec: ArraySpec, array: NDArray[Any], sizes: Mapping[str, int], objects: int) -> None:
    shape = spec.row_shape(sizes) if all(s in sizes or isinstance(s, int) for s in spec.shape[1:]) else None
    expected = shape if not spec.per_frame or shape is None else (sizes["F"], *shape)
    if expected is None or array.shape != expected:
        raise ValueError(f"{spec.name} has shape {array.shape}, not {expected} = {spec.shape}")
    if array.dtype != np.dtype(spec.dtype):
        raise ValueError(f"{spec.name} is {array.dtype}, not {spec.dtype}")
    if spec.name in ("bbox", "bbox_full"):
        whole = np.isnan(array).any(-1) == np.isnan(array).all(-1)
        if not whole.all() or np.isinf(array).any():
            raise ValueError(f"{spec.name} has a box that is neither finite nor all NaN")
    elif spec.name == "occlusion":
        if np.isinf(array).any():
            raise ValueError("occlusion has a value that is neither finite nor NaN")
    elif array.dtype.kind == "f":
        used = array[:, :objects] if spec.name == "object_pose" else array
        if not np.isfinite(used).all():
            raise ValueError(f"{spec.name} has a value that is not finite")
