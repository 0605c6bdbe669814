"""Room for things: boxes that are taken, and lines of sight that stay free."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syngrasp.rendering.cameras import project
from syngrasp.rendering.look import CameraLook

F64 = NDArray[np.float64]

SIGHT = 0.3
"""Radius of the ball around the workspace's centre that every camera sees past what is put into the room [m]."""

_RAYS = 96


class Space:
    """Axis-aligned boxes in base [m], and the cameras that look past them.

    What is `kept` free, such as where the robot will be, stops no light.
    """

    def __init__(self, solid: ArrayLike, kept: ArrayLike, cameras: Sequence[CameraLook], centre: F64) -> None:
        self._solid = np.asarray(solid, np.float64).reshape(-1, 2, 3)
        self._kept = np.asarray(kept, np.float64).reshape(-1, 2, 3)
        self._cameras = cameras
        eyes = [camera.T_base_camera()[:3, 3] for camera in cameras]
        self._rays = np.concatenate([np.zeros((0, 2, 3)), *(_sight(eye, centre) for eye in eyes)])

    def take(self, box: ArrayLike) -> None:
        """Puts a solid box (2, 3) there."""
        self._solid = np.concatenate([self._solid, np.asarray(box, np.float64)[None]])

    def free(self, box: ArrayLike, gap: float = 2e-4) -> bool:
        """Whether a box (2, 3) meets none that is there, `gap` [m] included, and leaves every line of sight free."""
        lower, upper = np.asarray(box, np.float64)
        boxes = np.concatenate([self._solid, self._kept])
        meets = (lower - gap < boxes[:, 1]) & (upper + gap > boxes[:, 0])
        if meets.all(axis=1).any():
            return False
        return not crossed(self._rays[:, 0], self._rays[:, 1], np.array([[lower - 0.02, upper + 0.02]])).any()

    def crosses(self, start: ArrayLike, end: ArrayLike) -> bool:
        """Whether a solid box stands between two points (3,), or holds one."""
        start, end = np.asarray(start, np.float64), np.asarray(end, np.float64)
        return bool(crossed(start[None], end[None], self._solid).any())

    def seen(self, point: F64, radius: float) -> bool:
        """Whether a camera would see a ball, or stands in it."""
        for camera in self._cameras:
            T, half = camera.T_base_camera(), 0.5 * camera.fovy
            if np.linalg.norm(T[:3, 3] - point) < radius + 0.1:
                return True
            pixels, depth = project(point[None], T, camera.intrinsics(2, 2))
            reach = 1.0 + radius / max(depth[0], 1e-6) / np.tan(half)
            if depth[0] > -radius and np.abs(pixels[0] - 1.0).max() < reach:
                return True
        return False


def crossed(start: F64, end: F64, boxes: F64) -> NDArray[np.bool_]:
    """Which segments (R, 3) to (R, 3) meet which boxes (K, 2, 3): (R, K)."""
    along = (end - start)[:, None]
    along = np.where(np.abs(along) < 1e-12, 1e-12, along)
    a = (boxes[None, :, 0] - start[:, None]) / along
    b = (boxes[None, :, 1] - start[:, None]) / along
    near, far = np.minimum(a, b).max(axis=-1), np.maximum(a, b).min(axis=-1)
    return np.maximum(near, 0.0) <= np.minimum(far, 1.0)


def _sight(eye: F64, centre: F64) -> F64:
    """Segments (R, 2, 3) from a camera to its side of the ball around the workspace's centre (a sunflower's points)."""
    toward = (eye - centre) / np.linalg.norm(eye - centre)
    i = np.arange(_RAYS) + 0.5
    height, turn = 1.0 - 2.0 * i / _RAYS, np.pi * (1.0 + np.sqrt(5.0)) * i
    flat = np.sqrt(1.0 - height**2)
    ball = np.stack([flat * np.cos(turn), flat * np.sin(turn), height], axis=-1)
    ends = centre + SIGHT * ball[ball @ toward > -0.2]
    return np.stack([np.broadcast_to(eye, ends.shape), ends], axis=1)
