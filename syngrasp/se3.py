"""Rigid transforms. The only module that knows the order of quaternion components (w, x, y, z).

`T_a_b` is the 4×4 matrix that maps coordinates in frame b to frame a. A *pose7* is its
edge format: x y z [m], quaternion w x y z, the real part non-negative.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]


def invert(T: ArrayLike) -> Array:
    """Inverse of rigid transforms, shape (…, 4, 4)."""
    T = np.asarray(T, dtype=np.float64)
    R_t = np.swapaxes(T[..., :3, :3], -1, -2)
    out = np.zeros_like(T)
    out[..., :3, :3] = R_t
    out[..., :3, 3] = -np.einsum("...ij,...j->...i", R_t, T[..., :3, 3])
    out[..., 3, 3] = 1.0
    return out


def transform(T: ArrayLike, points: ArrayLike) -> Array:
    """Points (…, N, 3) mapped by rigid transforms (…, 4, 4)."""
    T = np.asarray(T, dtype=np.float64)
    points = np.asarray(points, dtype=np.float64)
    return points @ np.swapaxes(T[..., :3, :3], -1, -2) + T[..., None, :3, 3]


def make(R: ArrayLike, t: ArrayLike) -> Array:
    """Transforms (…, 4, 4) from rotations (…, 3, 3) and translations (…, 3) [m]."""
    R, t = np.asarray(R, dtype=np.float64), np.asarray(t, dtype=np.float64)
    shape = np.broadcast_shapes(R.shape[:-2], t.shape[:-1])
    T = np.zeros((*shape, 4, 4))
    T[..., :3, :3] = R
    T[..., :3, 3] = t
    T[..., 3, 3] = 1.0
    return T


def look_at(position: ArrayLike, target: ArrayLike) -> Array:
    """Pose (4, 4) of a level camera at `position` that looks at `target`, OpenCV axes, z up."""
    position, target = np.asarray(position, dtype=np.float64), np.asarray(target, dtype=np.float64)
    forward = target - position
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    if np.linalg.norm(right) < 1e-9:
        right = np.array([0.0, -1.0, 0.0])
    right /= np.linalg.norm(right)
    return make(np.stack([right, np.cross(forward, right), forward], axis=-1), position)


def quat_from_matrix(R: ArrayLike) -> Array:
    """Unit quaternions wxyz (…, 4), w ≥ 0, of rotations (…, 3, 3) (Shepperd's method)."""
    R = np.asarray(R, dtype=np.float64)
    m00, m11, m22 = R[..., 0, 0], R[..., 1, 1], R[..., 2, 2]
    q_sq = np.stack([m00 + m11 + m22, m00 - m11 - m22, m11 - m00 - m22, m22 - m00 - m11], -1)
    best = np.argmax(q_sq, axis=-1)
    s = np.sqrt(1.0 + np.take_along_axis(q_sq, best[..., None], -1)[..., 0])
    a, b, c = R[..., 2, 1], R[..., 0, 2], R[..., 1, 0]
    d, e, f = R[..., 1, 2], R[..., 2, 0], R[..., 0, 1]
    candidates = np.stack(
        [
            np.stack([s * s, a - d, b - e, c - f], -1),
            np.stack([a - d, s * s, c + f, b + e], -1),
            np.stack([b - e, c + f, s * s, a + d], -1),
            np.stack([c - f, b + e, a + d, s * s], -1),
        ],
        axis=-2,
    )
    q = np.take_along_axis(candidates, best[..., None, None], -2)[..., 0, :] / (2.0 * s[..., None])
    q = np.where(q[..., :1] < 0.0, -q, q)
    return q / np.linalg.norm(q, axis=-1, keepdims=True)


def matrix_from_quat(q: ArrayLike) -> Array:
    """Rotations (…, 3, 3) of quaternions wxyz (…, 4), normalised first."""
    q = np.asarray(q, dtype=np.float64)
    w, x, y, z = np.moveaxis(q / np.linalg.norm(q, axis=-1, keepdims=True), -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def pose7_from_matrix(T: ArrayLike) -> Array:
    """Pose7 (…, 7) of transforms (…, 4, 4)."""
    T = np.asarray(T, dtype=np.float64)
    return np.concatenate([T[..., :3, 3], quat_from_matrix(T[..., :3, :3])], axis=-1)


def matrix_from_pose7(pose: ArrayLike) -> Array:
    """Transforms (…, 4, 4) of pose7 (…, 7)."""
    pose = np.asarray(pose, dtype=np.float64)
    return make(matrix_from_quat(pose[..., 3:]), pose[..., :3])


def matrix_from_rpy(rpy: ArrayLike) -> Array:
    """Rotations (…, 3, 3) of roll, pitch, yaw (…, 3) [rad] about fixed axes: Rz(y) Ry(p) Rx(r)."""
    rpy = np.asarray(rpy, dtype=np.float64)
    (cr, cp, cy), (sr, sp, sy) = np.moveaxis(np.cos(rpy), -1, 0), np.moveaxis(np.sin(rpy), -1, 0)
    rows = [
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ]
    return np.stack([np.stack(row, -1) for row in rows], -2)


def rpy_from_matrix(R: ArrayLike) -> Array:
    """Roll, pitch, yaw (…, 3) [rad] of rotations (…, 3, 3); pitch in [−π/2, π/2]."""
    R = np.asarray(R, dtype=np.float64)
    pitch = np.arcsin(np.clip(-R[..., 2, 0], -1.0, 1.0))
    roll = np.arctan2(R[..., 2, 1], R[..., 2, 2])
    yaw = np.arctan2(R[..., 1, 0], R[..., 0, 0])
    return np.stack([roll, pitch, yaw], axis=-1)


def delta(T_from: ArrayLike, T_to: ArrayLike) -> Array:
    """Motion (…, 6) between two poses in their common frame: Δxyz [m], Δrpy [rad].

    The rotation is the left factor, R_to = R(Δrpy) R_from, so that both halves read in the base frame.
    """
    T_from, T_to = np.asarray(T_from, dtype=np.float64), np.asarray(T_to, dtype=np.float64)
    R_delta = T_to[..., :3, :3] @ np.swapaxes(T_from[..., :3, :3], -1, -2)
    return np.concatenate([T_to[..., :3, 3] - T_from[..., :3, 3], rpy_from_matrix(R_delta)], axis=-1)


# Rows of q ↦ q ⊗ conj(a), as places in q and signs for the components of a.
_PLACES = np.array([[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]])
_SIGNS = np.array([[1.0, 1.0, 1.0, 1.0], [1.0, -1.0, 1.0, -1.0], [1.0, -1.0, -1.0, 1.0], [1.0, 1.0, -1.0, -1.0]])


def delta_pose7(pose_from: ArrayLike, pose_to: ArrayLike) -> Array:
    """`delta` (…, 6) of pose7 (…, 7), without matrices: a third of the time for a few poses."""
    a, b = np.asarray(pose_from, dtype=np.float64), np.asarray(pose_to, dtype=np.float64)
    q = ((b[..., 3:][..., _PLACES] * _SIGNS) * a[..., None, 3:]).sum(-1)
    w, x, y, z = q.T  # axes reversed, as those of `motion`
    ww, xx, yy, zz = (q * q).T
    out = np.empty((*q.shape[:-1], 6))
    motion = out.T
    motion[:3] = (b[..., :3] - a[..., :3]).T
    motion[3] = np.arctan2(2.0 * (w * x + y * z), ww - xx - yy + zz)
    motion[4] = np.arcsin((2.0 * (w * y - x * z) / (ww + xx + yy + zz)).clip(-1.0, 1.0))
    motion[5] = np.arctan2(2.0 * (w * z + x * y), ww + xx - yy - zz)
    return out


def apply_delta(T: ArrayLike, motion: ArrayLike) -> Array:
    """The inverse of `delta`: the pose (…, 4, 4) reached from T by a motion (…, 6)."""
    T, motion = np.asarray(T, dtype=np.float64), np.asarray(motion, dtype=np.float64)
    return make(matrix_from_rpy(motion[..., 3:]) @ T[..., :3, :3], T[..., :3, 3] + motion[..., :3])


def rotation_angle(R: ArrayLike) -> Array:
    """Angle (…,) [rad] in [0, π] of rotations (…, 3, 3), accurate near 0 as near π."""
    R = np.asarray(R, dtype=np.float64)
    axis = np.stack([R[..., 2, 1] - R[..., 1, 2], R[..., 0, 2] - R[..., 2, 0], R[..., 1, 0] - R[..., 0, 1]], -1)
    return np.arctan2(np.linalg.norm(axis, axis=-1), np.trace(R, axis1=-2, axis2=-1) - 1.0)


def random_rotation(rng: np.random.Generator, size: tuple[int, ...] = ()) -> Array:
    """Rotations (*size, 3, 3), uniform over SO(3) (normalised Gaussian quaternions)."""
    return matrix_from_quat(rng.standard_normal((*size, 4)))
