"""How good an episode is to imitate: smooth, without hesitation, from many starts, to grasps from all sides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.dataset.statistics.spread import Spread
from syngrasp.records import Phase

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
U8 = NDArray[np.uint8]

ARRAYS = ("joint_velocity", "ee_pose", "goal_pose", "phase")
"""What the figures are taken from."""

HESITATION = 0.07  # of a reach's peak TCP speed: a reach that slows below it and goes on again has hesitated
RINGS, SECTORS = 6, 12  # of equal area, on the half sphere of directions that point downwards
ROLLS = 12  # of equal size, within the half turn after which two fingers are as they were
START = ("x", "y", "z", "yaw", "tilt")


class MotionStats:
    """Takes in shards one after the other; their order is of no matter."""

    def __init__(self) -> None:
        self.jerk_rms, self.jerk_peak = Spread(), Spread()
        self.smoothness, self.slowest = Spread(), Spread()
        self.start = {name: Spread() for name in START}
        self.approaches = np.zeros((RINGS, SECTORS), np.int64)
        self.rolls = np.zeros(ROLLS, np.int64)
        self.upward = self.hesitations = self.episodes = self.retries = 0

    def add(self, arrays: Mapping[str, NDArray[Any]], ends: I64, dt: F64) -> None:
        """Takes in episodes that lie one behind the other: their `ARRAYS`, those that are stored, one past each one's
        last frame (E,), and the times between its frames (E,) [s].

        Raises ValueError where a number is not finite.
        """
        for name, values in arrays.items():
            if not np.isfinite(values).all():
                raise ValueError(f"{name} is not finite")
        starts = np.concatenate([np.zeros(1, np.int64), ends[:-1]])
        self.episodes += len(ends)
        retreats = np.concatenate([[0], np.cumsum(arrays["phase"] == Phase.RETREAT)])
        self.retries += int(np.count_nonzero(retreats[ends] > retreats[starts]))
        if "joint_velocity" in arrays:
            rms, peak = joint_jerks(arrays["joint_velocity"].astype(np.float64), starts, ends, dt)
            self.jerk_rms.add(rms)
            self.jerk_peak.add(peak)
        smooth, slowest = reach_figures(arrays["phase"], arrays["ee_pose"][:, :3].astype(np.float64), starts, ends, dt)
        self.smoothness.add(smooth)
        self.slowest.add(slowest)
        self.hesitations += int(np.count_nonzero(slowest < HESITATION))
        for name, values in zip(START, pose_figures(se3.matrix_from_pose7(arrays["ee_pose"][starts])), strict=True):
            self.start[name].add(values)
        if "goal_pose" in arrays:
            self._add_grasps(se3.matrix_from_pose7(arrays["goal_pose"][starts]))

    def _add_grasps(self, T_base_grasp: F64) -> None:
        ring, sector, down = approach_bins(T_base_grasp)
        self.upward += int(np.count_nonzero(~down))
        np.add.at(self.approaches, (ring[down], sector[down]), 1)
        np.add.at(self.rolls, roll_bins(T_base_grasp), 1)

    def merge(self, other: MotionStats) -> None:
        """Takes in what another has taken in."""
        for name in ("jerk_rms", "jerk_peak", "smoothness", "slowest"):
            getattr(self, name).merge(getattr(other, name))
        for name, spread in self.start.items():
            spread.merge(other.start[name])
        self.approaches += other.approaches
        self.rolls += other.rolls
        for name in ("upward", "hesitations", "episodes", "retries"):
            setattr(self, name, getattr(self, name) + getattr(other, name))

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


def joint_jerks(joint_velocity: F64, starts: I64, ends: I64, dt: F64) -> tuple[F64, F64]:
    """Root mean square and peak jerk [rad/s³] of episodes of at least three frames, whose joint velocities (F, D)
    [rad/s] lie one behind the other: their second differences."""
    long = ends - starts >= 3
    if not long.any():
        return np.empty(0), np.empty(0)
    second = np.diff(joint_velocity, 2, axis=0)
    first, end, step = starts[long], ends[long] - 2, dt[long] ** 2
    squares = np.concatenate([[0.0], np.cumsum((second**2).sum(1))])
    count = (end - first) * joint_velocity.shape[1]
    rms = np.sqrt((squares[end] - squares[first]).clip(0.0) / count) / step
    return rms, _segments(np.maximum, np.abs(second).max(1), first, end) / step


def reach_figures(phase: U8, position: F64, starts: I64, ends: I64, dt: F64) -> tuple[F64, F64]:
    """Smoothness and slowest inside (see `MotionStats`) of every reach that moves; episodes lie one behind the other.

    A reach is a run of frames of that phase and the frame that it ends at. Smoothness is the log dimensionless jerk of
    its TCP speed from rest to rest, −ln(T³/v² ∫ v̈² dt), v the peak: the larger the smoother, −5.3 for a straight
    minimum-jerk motion (Balasubramanian, Melendez-Calderon and Burdet, 2012). Slowest is the lowest that the speed
    sinks between two faster stretches, as a share of its peak, 1 if it never does; stretches that do not exceed
    `HESITATION` of the peak belong to the start and the end.
    """
    reaching = np.zeros(len(phase) + 2, bool)
    reaching[1:-1] = phase == Phase.REACH
    edge = reaching[1:] != reaching[:-1]
    edge[starts[1:]] |= reaching[starts[1:]] & reaching[starts[1:] + 1]  # a reach ends where its episode does
    places = np.flatnonzero(edge)
    both = np.isin(places, starts[1:]) & reaching[places] & reaching[np.minimum(places + 1, len(phase) + 1)]
    first, end = np.repeat(places, 1 + both).reshape(-1, 2).T
    episode = ends.searchsorted(first, "right")
    last = np.minimum(end, ends[episode] - 1)
    first, last, episode = (values[last > first] for values in (first, last, episode))
    if not len(first):
        return np.empty(0), np.empty(0)
    step = dt[episode]
    distance = np.linalg.norm(np.diff(position, axis=0), axis=1)
    peak = _segments(np.maximum, distance, first, last) / step
    first, last, step, peak = (values[peak > 0.0] for values in (first, last, step, peak))
    return _smoothness(distance, first, last, step, peak), _slowest(distance, first, last, step, peak)


def _smoothness(distance: F64, first: I64, last: I64, step: F64, peak: F64) -> F64:
    count = last - first
    squares = np.concatenate([[0.0], np.cumsum(np.diff(distance, 2) ** 2)])
    left, right = (np.minimum(place, len(squares) - 1) for place in (first, np.maximum(last - 2, first)))
    inner = squares[right] - squares[left]
    # At rest before and after: the second differences that reach beyond the profile's ends.
    head = distance[np.minimum(first + 1, last - 1)] * (count > 1) - 2.0 * distance[first]
    tail = distance[np.maximum(last - 2, first)] * (count > 1) - 2.0 * distance[last - 1]
    total = inner.clip(0.0) + head**2 + tail**2 * (count > 1)
    return -np.log((count * step) ** 3 / peak**2 * total / step**6 * step)


def _slowest(distance: F64, first: I64, last: I64, step: F64, peak: F64) -> F64:
    count = last - first
    owner = np.repeat(np.arange(len(first)), count)
    place = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + first[owner]
    share = distance[place] / (step * peak)[owner]  # of the peak
    # The largest so far within each reach: reaches are lifted apart so that none sees the one before.
    before = np.maximum.accumulate(share + 2.0 * owner) - 2.0 * owner
    after = np.maximum.accumulate((share - 2.0 * owner)[::-1])[::-1] + 2.0 * owner
    faster = np.minimum(before, after)
    inside = (share < faster - 1e-12) & (faster > HESITATION)
    found = np.ones(len(first))
    np.minimum.at(found, owner[inside], share[inside])
    return found


def _segments(of: np.ufunc, values: F64, first: I64, end: I64) -> F64:
    """A reduction of values[first:end] for each of several stretches, none empty."""
    places = np.stack([first, np.minimum(end, len(values) - 1)], 1).ravel()
    found = of.reduceat(values, places)[::2]
    whole = end == len(values)  # reduceat has no place for the very end
    return np.where(whole, of(found, values[-1]), found)


def pose_figures(T_base_tcp: F64) -> tuple[F64, F64, F64, F64, F64]:
    """x, y, z [m], yaw and tilt [rad] of TCP poses (E, 4, 4): the tilt of its z axis from straight down, and the
    heading of its x axis once that tilt is taken back."""
    x, y, z = T_base_tcp[:, :3, 3].T
    axis = _upright(T_base_tcp)[:, :, 0]
    tilt = np.arccos(np.clip(-T_base_tcp[:, 2, 2], -1.0, 1.0))
    return x, y, z, np.arctan2(axis[:, 1], axis[:, 0]), tilt


def approach_bins(T_base_grasp: F64) -> tuple[I64, I64, NDArray[np.bool_]]:
    """Ring (0 is level, the last is straight down) and sector of grasps' approaches (E,), and which point down."""
    x, y, z = T_base_grasp[:, :3, 2].T
    sector = (SECTORS * (np.arctan2(y, x) % (2.0 * np.pi)) / (2.0 * np.pi)).astype(np.int64) % SECTORS
    return np.minimum((-z * RINGS).astype(np.int64), RINGS - 1), sector, z <= 0.0


def roll_bins(T_base_grasp: F64) -> I64:
    """Which part of a half turn the heading of grasps' closing directions lies in (E,), the approach turned straight
    down on the shortest way."""
    y = _upright(T_base_grasp)[:, :, 1]
    return (ROLLS * (np.arctan2(y[:, 1], y[:, 0]) % np.pi) / np.pi).astype(np.int64) % ROLLS


def _upright(T_base_tcp: F64) -> F64:
    """The rotations (E, 3, 3) of poses after the shortest turn that makes their z axes point straight down."""
    R = T_base_tcp[:, :3, :3]
    z = R[:, :, 2]
    cosine = -z[:, 2]
    K = np.zeros_like(R)  # of the axis z × down
    K[:, 0, 2], K[:, 2, 0] = z[:, 0], -z[:, 0]
    K[:, 1, 2], K[:, 2, 1] = z[:, 1], -z[:, 1]
    flipped = cosine < -1.0 + 1e-9  # straight up: any half turn is as short
    with np.errstate(divide="ignore"):
        turn = np.eye(3) + K + K @ K / np.where(flipped, 1.0, 1.0 + cosine)[:, None, None]
    return np.where(flipped[:, None, None], np.diag([1.0, -1.0, -1.0]) @ R, turn @ R)


def _coverage(counts: NDArray[np.int64]) -> dict[str, Any]:
    occupied = int(np.count_nonzero(counts))
    return {"bins": counts.size, "occupied": occupied, "share": occupied / counts.size, "counts": counts.tolist()}
