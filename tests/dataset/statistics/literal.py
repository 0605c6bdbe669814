"""Figures of one motion, as they are defined."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from syngrasp.dataset.statistics.motion_stats import HESITATION, RINGS, ROLLS, SECTORS
from syngrasp.records import Phase

F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]


def joint_jerk(joint_velocity: F64, dt: float) -> F64:
    """Jerk (F − 2, D) [rad/s³] of joint velocities (F, D) [rad/s]: their second difference."""
    return np.diff(joint_velocity, 2, axis=0) / dt**2


def reaches(phase: U8) -> Iterator[slice]:
    """The frames of each reach of an episode, with the one that it ends at."""
    reaching = np.concatenate([[False], phase == Phase.REACH, [False]])
    edges = np.flatnonzero(reaching[1:] != reaching[:-1])
    for first, end in edges.reshape(-1, 2):
        yield slice(int(first), min(int(end) + 1, len(phase)))


def tcp_speed(position: F64, dt: float) -> F64:
    """Speeds (N − 1,) [m/s] between positions (N, 3) [m]."""
    return np.linalg.norm(np.diff(position, axis=0), axis=1) / dt


def smoothness(speed: F64, dt: float) -> float:
    """Log dimensionless jerk of a speed profile (N,) from rest to rest: −ln(T³/v² ∫ v̈² dt), v the peak.

    The larger the smoother: −5.3 for a straight minimum-jerk motion. Balasubramanian, Melendez-Calderon and Burdet,
    2012. Raises ValueError for a profile that never moves.
    """
    if not speed.max(initial=0.0):
        raise ValueError("a speed profile that never moves has no smoothness")
    second = np.diff(np.concatenate([[0.0], speed, [0.0]]), 2) / dt**2
    duration = len(speed) * dt
    return float(-np.log(duration**3 / speed.max() ** 2 * (second**2).sum() * dt))


def slowest_inside(speed: F64) -> float:
    """The lowest a speed profile (N,) sinks between two faster stretches, as a share of its peak; 1 if it never does.

    Stretches that do not exceed `HESITATION` of the peak belong to the start and the end.
    """
    before, after = np.maximum.accumulate(speed), np.maximum.accumulate(speed[::-1])[::-1]
    faster = np.minimum(before, after)
    inside = (speed < faster) & (faster > HESITATION * speed.max())
    return float((speed[inside] / speed.max()).min(initial=1.0))


def pose_figures(T_base_tcp: F64) -> tuple[float, float, float, float, float]:
    """x, y, z [m], yaw and tilt [rad] of a TCP pose (4, 4): the tilt of its z axis from straight down, and the heading
    of its x axis once that tilt is taken back."""
    x, y, z = (float(v) for v in T_base_tcp[:3, 3])
    axis = _upright(T_base_tcp)[:, 0]
    tilt = np.arccos(np.clip(-T_base_tcp[2, 2], -1.0, 1.0))
    return x, y, z, float(np.arctan2(axis[1], axis[0])), float(tilt)


def approach_bin(T_base_grasp: F64) -> tuple[int, int] | None:
    """Ring (0 is level, the last is straight down) and sector of a grasp's approach; None where it points upwards."""
    x, y, z = T_base_grasp[:3, 2]
    if z > 0.0:
        return None
    sector = int(SECTORS * (np.arctan2(y, x) % (2.0 * np.pi)) / (2.0 * np.pi))
    return min(int(-z * RINGS), RINGS - 1), sector % SECTORS


def roll_bin(T_base_grasp: F64) -> int:
    """Which part of a half turn the heading of a grasp's closing direction lies in, the approach turned straight down
    on the shortest way."""
    y = _upright(T_base_grasp)[:, 1]
    return int(ROLLS * (np.arctan2(y[1], y[0]) % np.pi) / np.pi) % ROLLS


def _upright(T_base_tcp: F64) -> F64:
    """The rotation (3, 3) of a pose after the shortest turn that makes its z axis point straight down."""
    R, down = T_base_tcp[:3, :3], np.array([0.0, 0.0, -1.0])
    axis, cosine = np.cross(R[:, 2], down), -R[2, 2]
    K = np.array([[0.0, -axis[2], axis[1]], [axis[2], 0.0, -axis[0]], [-axis[1], axis[0], 0.0]])
    if cosine < -1.0 + 1e-9:
        return np.diag([1.0, -1.0, -1.0]) @ R  # straight up: any half turn is as short
    return (np.eye(3) + K + K @ K / (1.0 + cosine)) @ R
