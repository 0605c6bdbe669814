"""Where the cameras stand: the paper's two views and their random displacement."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syngrasp import se3

F64 = NDArray[np.float64]


def displace(T_base_camera: F64, radius: float, angle: float, rng: np.random.Generator) -> F64:
    """A camera moved uniformly within a ball of `radius` [m] and turned by up to ±`angle` [rad] about each own axis."""
    direction = rng.standard_normal(3)
    shift = direction / np.linalg.norm(direction) * radius * rng.uniform() ** (1 / 3)
    turn = se3.matrix_from_rpy(rng.uniform(-angle, angle, 3))
    return se3.make(T_base_camera[:3, :3] @ turn, T_base_camera[:3, 3] + shift)


def project(points: ArrayLike, T_base_camera: ArrayLike, intrinsics: ArrayLike) -> tuple[F64, F64]:
    """Pixel-edge coordinates (N, 2) and depths (N,) [m] of points (N, 3) in base."""
    local = se3.transform(se3.invert(T_base_camera), points)
    homogeneous = local @ np.asarray(intrinsics, dtype=np.float64).T
    with np.errstate(divide="ignore", invalid="ignore"):
        return homogeneous[:, :2] / homogeneous[:, 2:], local[:, 2]


def project_box(
    points: ArrayLike, T_base_camera: ArrayLike, intrinsics: ArrayLike, size: Sequence[int]
) -> NDArray[np.float32]:
    """Box (4,) x0 y0 x1 y1 [px] around the projection of points (N, 3), clipped to the image (width, height).

    NaN when it lies outside or reaches behind the camera.
    """
    pixels, depth = project(points, T_base_camera, intrinsics)
    box = np.concatenate([pixels.min(axis=0), pixels.max(axis=0)]) if (depth > 0).all() else np.full(4, np.nan)
    clipped = np.clip(box, 0.0, [*size, *size])
    empty = not (clipped[2] > clipped[0] and clipped[3] > clipped[1])
    return np.full(4, np.nan, np.float32) if empty else clipped.astype(np.float32)
