"""What a frame holds."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]


class Frame(TypedDict):
    """A frame's values by the names of their arrays, those that the dataset has and that were asked for; shapes as in
    `schema.ARRAYS` without the first axis."""

    images: U8
    masks: U8
    depth: NDArray[np.uint16]
    joint_position: F32
    joint_velocity: F32
    gripper_width: np.float32
    ee_pose: F32
    action: F32
    goal_pose: F32
    object_pose: F32
    bbox: F32
    bbox_full: F32
    occlusion: F32
    truncated: U8
    phase: np.uint8
    camera_intrinsics: F32
    T_base_camera: F32
    episode_ends: np.int64
