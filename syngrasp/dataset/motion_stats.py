"""How good an episode is to imitate: smooth, without hesitation, from many starts, to grasps from all sides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.dataset.spread import Spread
from syngrasp.records import Phase

F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]

ARRAYS = ("joint_velocity", "ee_pose", "goal_pose", "phase")
"""What the figures are taken from."""

HESITATION = 0.07  # of a reach's peak TCP speed: a reach that slows below it and goes on again has hesitated
RINGS, SECTORS = 6, 12  # of equal area, on the half sphere of directions that point downwards
ROLLS = 12  # of equal size, within the half turn after which two fingers are as they were
START = ("x", "y", "z", "yaw", "tilt")


class MotionStats:
    """Takes in episodes one after the other; their order is of no matter."""

    def __init__(self) -> None:
        self.jerk_rms, self.jerk_peak = Spread(), Spread()
        self.smoothness, self.slowest = Spread(), Spread()
        self.start = {name: Spread() for name in START}
        self.approaches = np.zeros((RINGS, SECTORS), np.int64)
        self.rolls = np.zeros(ROLLS, np.int64)
        self.upward = self.hesitations = self.episodes = self.retries = 0

    def add(self, arrays: Mapping[str, NDArray[Any]], dt: float) -> None:
        """Takes in one episode: its `ARRAYS`, at frames dt [s] apart. Raises ValueError where one is not finite."""
        for name in ARRAYS:
            if not np.isfinite(arrays[name]).all():
                raise ValueError(f"{name} is not finite")
        phase: U8 = arrays["phase"]
        ee_pose = arrays["ee_pose"].astype(np.float64)
        self.episodes += 1
        self.retries += bool(np.any(phase == Phase.RETREAT))
        jerk = joint_jerk(arrays["joint_velocity"].astype(np.float64), dt)
        if jerk.size:
            self.jerk_rms.add([float(np.sqrt((jerk**2).mean()))])
            self.jerk_peak.add([float(np.abs(jerk).max())])
        for frames in reaches(phase):
            speed = tcp_speed(ee_pose[frames, :3], dt)
            if speed.max(initial=0.0) == 0.0:
                continue
            slowest = slowest_inside(speed)
            self.smoothness.add([smoothness(speed, dt)])
            self.slowest.add([slowest])
            self.hesitations += slowest < HESITATION
        for name, value in zip(START, pose_figures(se3.matrix_from_pose7(ee_pose[0])), strict=True):
            self.start[name].add([value])
        self._add_grasp(se3.matrix_from_pose7(arrays["goal_pose"][0].astype(np.float64)))

    def _add_grasp(self, T_base_grasp: F64) -> None:
        place = approach_bin(T_base_grasp)
        if place is None:
            self.upward += 1
        else:
            self.approaches[place] += 1
        self.rolls[roll_bin(T_base_grasp)] += 1

    def as_json(self) -> dict[str, Any]:
        """JSON-able figures; lengths in m, angles in rad, jerk in rad/s³."""
        return {
            "joint_jerk_rms": self.jerk_rms.as_json(),
            "joint_jerk_peak": self.jerk_peak.as_json(),
            "smoothness": self.smoothness.as_json(),
            "slowest_in_reach": self.slowest.as_json(),
            "reaches": self.slowest.count,
            "hesitating_reaches": self.hesitations,
            "start": {name: spread.as_json() for name, spread in self.start.items()},
            "approach_directions": {**_coverage(self.approaches), "upward": self.upward},
            "rolls": _coverage(self.rolls),
            "retry_episodes": self.retries,
            "retry_share": self.retries / self.episodes if self.episodes else None,
        }


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


def _coverage(counts: NDArray[np.int64]) -> dict[str, Any]:
    occupied = int(np.count_nonzero(counts))
    return {"bins": counts.size, "occupied": occupied, "share": occupied / counts.size, "counts": counts.tolist()}
