"""Where the cameras stand: the paper's two views and their random displacement."""

from __future__ import annotations

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
