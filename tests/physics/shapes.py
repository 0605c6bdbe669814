"""Small objects made by hand: a box, a cylinder, a ball, with grasps straight from above."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.geometry.sdf import build_sdf
from syngrasp.records import GraspSet, ObjectEntry, ObjectModel, VisualMesh

F64 = NDArray[np.float64]


def box(x: float, y: float, z: float, uid: str = "box", category: str = "box") -> ObjectModel:
    """A box with edges x, y, z [m]."""
    corners = np.array([[i, j, k] for i in (-1, 1) for j in (-1, 1) for k in (-1, 1)]) * np.array([x, y, z]) / 2
    inertia = x * y * z / 12 * np.diag([y * y + z * z, x * x + z * z, x * x + y * y])
    return _model(uid, category, corners, x * y * z, inertia, width=y)


def cylinder(radius: float, height: float, sides: int = 24, uid: str = "can", category: str = "can") -> ObjectModel:
    """An upright prism with `sides` sides about z."""
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = radius * np.stack([np.cos(angle), np.sin(angle)], -1)
    corners = np.concatenate([np.c_[ring, np.full(sides, z)] for z in (-height / 2, height / 2)])
    volume = np.pi * radius**2 * height
    side = (3 * radius**2 + height**2) / 12
    return _model(uid, category, corners, volume, volume * np.diag([side, side, radius**2 / 2]), width=2 * radius)


def _model(uid: str, category: str, corners: F64, volume: float, inertia: F64, width: float) -> ObjectModel:
    extents = np.ptp(corners, axis=0)
    stable = np.eye(4)[None].copy()
    stable[0, 2, 3] = -corners[:, 2].min()
    entry = ObjectEntry(
        uid, uid, category, "CC0-1.0", "test", "", 12, True, 1, 1, tuple(extents), (0.9, 1.1), 400.0, False, uid
    )  # fmt: skip
    visual = VisualMesh(
        corners.astype(np.float32), corners.astype(np.float32), np.zeros((0, 3), np.int32), None, None,
        np.zeros((0, 3), np.float32), 0.5, 0.0,
    )  # fmt: skip
    down = se3.make(np.diag([1.0, -1.0, -1.0]), np.zeros(3))[None]
    grasps = GraspSet(down, np.array([width]), np.array([1.0]), np.array([[[0, 1.0, 0], [0, -1.0, 0]]]))
    return ObjectModel(entry, visual, (corners,), build_sdf((corners,)), volume, inertia, stable, np.ones(1), grasps)
