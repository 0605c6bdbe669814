"""When a path is where: the fastest time law within limits, made smooth, sampled at the control rate.

The time law is that of TOPP-RA (Pham and Pham, 2018): with x = ṡ² and u = s̈ all limits are linear, a backward pass
finds the largest x at each point from which the end can be reached, a forward pass takes the largest u. Averaging
s(t) over two short windows then bounds the jerk. What is checked against the limits is the curve that is executed:
the cubic Hermite interpolant of the samples.
"""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from syngrasp.planning.smoothing import evaluate
from syngrasp.robots.kinematics import fk_tcp

F64 = NDArray[np.float64]
TICK = 0.005  # of the time law before it is sampled [s]
TRAVEL_TIME = 0.025  # over which the TCP's speed is measured [s]
POINTS_PER_SPAN = 6
TINY = 1e-9


class Pace(NamedTuple):
    """How fast a motion may be."""

    velocity: F64  # (dof,) [rad/s]
    acceleration: F64  # (dof,) [rad/s²]
    jerk: F64  # (dof,) [rad/s³]
    tcp_speed: float  # [m/s]
    smoothing_time: float  # window that rounds the speed profile [s]
    dt: float  # control period [s]


class Motion(NamedTuple):
    """Samples at the control rate of a motion from rest to rest."""

    q: F64  # (N, dof) [rad]
    qd: F64  # (N, dof) [rad/s]


@njit(cache=True, nogil=True)
def _range(first, second, limit, x, dx, bound):
    """Range of u that `limit` (dof,), the next x ≤ `bound` and the next x ≥ 0 allow at x, and the range's slopes in x.

    Each is a line in x: |q′ u + q″ x| ≤ a for each joint, x + 2 Δs u for the next point.
    """
    high, high_slope = (bound - x) / (2.0 * dx), -0.5 / dx
    low, low_slope = -x / (2.0 * dx), -0.5 / dx
    for j in range(len(limit)):
        if abs(first[j]) < TINY:
            continue
        slope = -second[j] / first[j]
        width = limit[j] / abs(first[j])
        if slope * x + width < high:
            high, high_slope = slope * x + width, slope
        if slope * x - width > low:
            low, low_slope = slope * x - width, slope
    return low, low_slope, high, high_slope


@njit(cache=True, nogil=True)
def speed_profile(s, derivatives, acceleration, cap):
    """Largest ṡ² (N,) along a path, 0 at both ends, within joint accelerations (dof,) and `cap` (N,) on ṡ².

    `derivatives` are q, dq/ds, d²q/ds² (3, N, dof) at s (N,). In the backward pass the largest x with a non-empty
    range of u is found by Newton steps from above: the range's width is a concave function of x.
    """
    n = len(s)
    x = np.empty(n)
    x[n - 1] = 0.0
    for i in range(n - 2, -1, -1):
        first, second, dx = derivatives[1, i], derivatives[2, i], s[i + 1] - s[i]
        value = cap[i]
        for j in range(len(acceleration)):
            if abs(first[j]) < TINY and abs(second[j]) > TINY:
                value = min(value, acceleration[j] / abs(second[j]))
        for _ in range(50):
            low, low_slope, high, high_slope = _range(first, second, acceleration, value, dx, x[i + 1])
            if low <= high + TINY:
                break
            value = max(0.0, value - (high - low) / (high_slope - low_slope))
        x[i] = value
    x[0] = 0.0
    for i in range(n - 1):
        first, second, dx = derivatives[1, i], derivatives[2, i], s[i + 1] - s[i]
        _, _, high, _ = _range(first, second, acceleration, x[i], dx, x[i + 1])
        x[i + 1] = min(x[i + 1], max(0.0, x[i] + 2.0 * dx * high))
    return x


def duration(s: F64, x: F64) -> float:
    """Time [s] that a speed profile ṡ² (N,) takes along s (N,)."""
    return float((2.0 * np.diff(s) / np.maximum(np.sqrt(x[1:]) + np.sqrt(x[:-1]), TINY)).sum())


@njit(cache=True, nogil=True)
def _time_law(s, x, tick):
    """Parameter and its speed (2, T) every `tick` [s]; between points of s the acceleration is constant."""
    total = 0.0
    for i in range(len(s) - 1):
        total += 2.0 * (s[i + 1] - s[i]) / max(sqrt(x[i]) + sqrt(x[i + 1]), TINY)
    out = np.empty((2, int(np.ceil(total / tick)) + 1))
    i, begin = 0, 0.0
    end = 2.0 * (s[1] - s[0]) / max(sqrt(x[0]) + sqrt(x[1]), TINY)
    for k in range(out.shape[1] - 1):
        t = k * tick
        while t > end and i < len(s) - 2:
            i, begin = i + 1, end
            end = begin + 2.0 * (s[i + 1] - s[i]) / max(sqrt(x[i]) + sqrt(x[i + 1]), TINY)
        u = (x[i + 1] - x[i]) / (2.0 * (s[i + 1] - s[i]))
        v = sqrt(x[i])
        out[0, k] = min(s[i] + (t - begin) * (v + 0.5 * u * (t - begin)), s[i + 1])
        out[1, k] = max(v + u * (t - begin), 0.0)
    out[0, -1], out[1, -1] = s[-1], 0.0
    return out


@njit(cache=True, nogil=True)
def _averaged(law, window):
    """A time law (2, T) averaged over a window and over half of it: as long as both longer, at rest at both ends."""
    for width in (window, window // 2 + 1):
        n = law.shape[1]
        out = np.empty((2, n + width - 1))
        for row in range(2):
            after, total = (law[row, n - 1] if row == 0 else 0.0), 0.0
            for k in range(n + width - 1):
                total += law[row, k] if k < n else after
                if k >= width:
                    total -= law[row, k - width]
                out[row, k] = total / width
        law = out
    return law


@njit(cache=True, nogil=True)
def _at(law, tick, times):
    """Parameter and speed (2, N) of a time law at times (N,) [s], by cubic Hermite interpolation."""
    out = np.empty((2, len(times)))
    for n in range(len(times)):
        k = min(int(times[n] / tick), law.shape[1] - 2)
        f = min(times[n] / tick - k, 1.0)
        p, q, v, w = law[0, k], law[0, k + 1], law[1, k] * tick, law[1, k + 1] * tick
        out[0, n] = p + f * (v + f * (3.0 * (q - p) - 2.0 * v - w + f * (v + w - 2.0 * (q - p))))
        out[1, n] = (v + f * (2.0 * (3.0 * (q - p) - 2.0 * v - w) + 3.0 * f * (v + w - 2.0 * (q - p)))) / tick
    return out


@njit(cache=True, nogil=True)
def interpolate(q, qd, dt, substeps):
    """Configurations ((N − 1) · substeps + 1, dof) of the cubic Hermite interpolant of samples (N, dof)."""
    out = np.empty(((len(q) - 1) * substeps + 1, q.shape[1]))
    for k in range(len(q) - 1):
        for m in range(substeps):
            f = m / substeps
            for j in range(q.shape[1]):
                v, w, d = qd[k, j] * dt, qd[k + 1, j] * dt, q[k + 1, j] - q[k, j]
                out[k * substeps + m, j] = q[k, j] + f * (v + f * (3.0 * d - 2.0 * v - w + f * (v + w - 2.0 * d)))
    out[-1] = q[-1]
    return out


@njit(cache=True, nogil=True)
def extremes(motion, dt):
    """Largest |velocity|, |acceleration| and |jerk|, (3, dof), of the cubic Hermite interpolant of a motion.

    A segment's acceleration is linear in time: its extremes are at the ends, the velocity's there or where it is 0.
    """
    q, qd = motion
    out = np.zeros((3, q.shape[1]))
    for j in range(q.shape[1]):
        for k in range(len(q) - 1):
            mean, v, w = (q[k + 1, j] - q[k, j]) / dt, qd[k, j], qd[k + 1, j]
            a, b = (6.0 * mean - 4.0 * v - 2.0 * w) / dt, (-6.0 * mean + 2.0 * v + 4.0 * w) / dt
            turn = v + 0.5 * dt * a * a / (a - b) if a * b < 0.0 else v
            out[0, j] = max(out[0, j], abs(v), abs(w), abs(turn))
            out[1, j] = max(out[1, j], abs(a), abs(b))
            out[2, j] = max(out[2, j], abs(b - a) / dt)
    return out


@njit(cache=True, nogil=True)
def _travel(robot, q):
    """Distances (N − 1,) [m] of the TCP between configurations (N, dof)."""
    links, T, last = np.empty((len(robot.T_joint), 4, 4)), np.empty((4, 4)), np.empty(3)
    out = np.empty(len(q) - 1)
    for n in range(len(q)):
        fk_tcp(robot.T_joint, robot.T_flange_tcp, q[n], links, T)
        if n > 0:
            out[n - 1] = sqrt((T[0, 3] - last[0]) ** 2 + (T[1, 3] - last[1]) ** 2 + (T[2, 3] - last[2]) ** 2)
        last[:] = T[:3, 3]
    return out


@njit(cache=True, nogil=True)
def _excess(robot, motion, pace):
    """By how much a motion must be slowed to keep the pace; at most 1 where it does."""
    found = extremes(motion, pace.dt)
    parts = max(4, int(np.ceil(pace.dt / TRAVEL_TIME)))
    worst = _travel(robot, interpolate(motion.q, motion.qd, pace.dt, parts)).max() * parts / pace.dt / pace.tcp_speed
    for j in range(found.shape[1]):
        worst = max(worst, found[0, j] / pace.velocity[j])
        worst = max(worst, sqrt(found[1, j] / pace.acceleration[j]))
        worst = max(worst, (found[2, j] / pace.jerk[j]) ** (1.0 / 3.0))
    return worst


@njit(cache=True, nogil=True)
def _caps(robot, s, derivatives, pace):
    """Largest ṡ² (N,) that joint velocities and the TCP's speed allow at points s (N,)."""
    travel = _travel(robot, derivatives[0])
    out = np.empty(len(s))
    for i in range(len(s)):
        step = max(i - 1, 0), min(i, len(s) - 2)
        slope = max(travel[step[0]] / (s[step[0] + 1] - s[step[0]]), travel[step[1]] / (s[step[1] + 1] - s[step[1]]))
        fastest = pace.tcp_speed / max(slope, TINY)
        for j in range(derivatives.shape[2]):
            fastest = min(fastest, pace.velocity[j] / max(abs(derivatives[1, i, j]), TINY))
        out[i] = fastest * fastest
    return out


@njit(cache=True, nogil=True)
def retime(robot, spline, pace):
    """Runs along a spline from rest to rest within a pace, in a whole number of control periods; gives a `Motion`.

    The motion never stops in between: inside, every point of the time law has a positive speed.
    """
    end = spline.knots[-1]
    s = np.linspace(0.0, end, POINTS_PER_SPAN * (len(spline.control) - 3) + 1)
    derivatives = evaluate(spline, s)
    x = speed_profile(s, derivatives, pace.acceleration, _caps(robot, s, derivatives, pace))
    law = _averaged(_time_law(s, x, TICK), max(round(pace.smoothing_time / TICK), 1))
    shortest, slower = (law.shape[1] - 1) * TICK, 1.0
    while True:
        periods = max(int(np.ceil(shortest * slower / pace.dt - 1e-9)), 2)
        stretch = periods * pace.dt / shortest
        at = _at(law, TICK, np.arange(periods + 1) * (pace.dt / stretch))
        sampled = evaluate(spline, np.minimum(np.maximum(at[0], 0.0), end))
        motion = Motion(sampled[0], sampled[1] * (at[1] / stretch).reshape(-1, 1))
        motion.q[0], motion.q[-1] = spline.control[0], spline.control[-1]
        motion.qd[0], motion.qd[-1] = 0.0, 0.0
        excess = _excess(robot, motion, pace)
        if excess <= 1.0:
            return motion
        slower = stretch * max(excess, 1.0 + 0.5 / periods)
