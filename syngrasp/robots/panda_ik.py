"""Closed-form inverse kinematics of the Franka Panda, given joint 7.

With joint 7 fixed the frame of joint 6 is known, and the shoulder S, the elbow (axis 4) and the wrist W form a planar
triangle with two known sides. Its third side, |S − W|, gives joint 4; axis 5 lies in its plane, at a known angle to
S − W, and is normal to the known axis 6. The remaining joints are angles between known axes. The idea is that of
He & Liu, "Analytical Inverse Kinematics for Franka Emika Panda – a Geometrical Solver for 7-DOF Manipulators with
Unconventional Design", 2021.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
Vec = tuple[float, float, float]

SHOULDER_Z = 0.333  # d1 [m]
UPPER_ARM = 0.316  # d3 [m]
FOREARM = 0.384  # d5 [m]
ELBOW = 0.0825  # a4 = −a5 [m]
WRIST = 0.088  # a7 [m]
MAX_PER_Q7 = 8  # solutions with one joint 7: two elbows × two planes × two shoulders
MAX_STEP = 0.7  # largest joint change that counts as a continuation [rad]

_UPPER = math.hypot(UPPER_ARM, ELBOW)
_LOWER = math.hypot(FOREARM, ELBOW)
# Angle at the elbow from S to W, about axis 4, when q4 = 0.
_OPENING = math.atan2(FOREARM, -ELBOW) - math.atan2(-UPPER_ARM, -ELBOW)
# In link 4's frame (x, y; the linkage is planar) S lies at Rz(−q4) (−ELBOW, −UPPER_ARM), W at (−ELBOW, FOREARM).


@njit(cache=True, fastmath=False, nogil=True)
def _dot(a: Vec, b: Vec) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@njit(cache=True, fastmath=False, nogil=True)
def _cross(a: Vec, b: Vec) -> Vec:
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


@njit(cache=True, fastmath=False, nogil=True)
def _mix(a: float, x: Vec, b: float, y: Vec) -> Vec:
    """a·x + b·y"""
    return (a * x[0] + b * y[0], a * x[1] + b * y[1], a * x[2] + b * y[2])


@njit(cache=True, fastmath=False, nogil=True)
def _into_limits(angle: float, lower: float, upper: float) -> float:
    """The angle plus a multiple of 2π that lies in [lower, upper], or NaN."""
    slack = 1e-12
    if angle < lower - slack:
        angle += 2.0 * math.pi
    elif angle > upper + slack:
        angle -= 2.0 * math.pi
    if lower - slack <= angle <= upper + slack:
        return min(max(angle, lower), upper)
    return math.nan


@njit(cache=True, fastmath=False, nogil=True)
def _solve_elbow(
    x6: Vec, z6: Vec, wrist_to_shoulder: Vec, z5: Vec, q4: float, c4: float, s4: float, q7: float,
    lower: F64, upper: F64, out: F64, n: int,
) -> int:  # fmt: skip
    """Appends the two solutions (shoulder flips) that have this joint 4 and this direction of axis 5.

    Sines and cosines are taken from the unit vectors that the angles come from: trigonometry is most of the cost.
    """
    # S − W in link 4's frame; its y axis is axis 5.
    s_x = -ELBOW * c4 - UPPER_ARM * s4 + ELBOW
    s_y = ELBOW * s4 - UPPER_ARM * c4 - FOREARM
    if abs(s_x) < 1e-6:  # axis 5 runs through the shoulder: the elbow swings freely
        return n
    x4 = _mix(1.0 / s_x, wrist_to_shoulder, -s_y / s_x, z5)
    z4 = _cross(x4, z5)
    # z6 = R4 (sin q5, 0, cos q5); x6 = R5 Rx(π/2) (cos q6, sin q6, 0), where R5 Rx(π/2) has the axes x5, z5
    s5, c5 = _dot(z6, x4), _dot(z6, z4)
    q5 = _into_limits(math.atan2(s5, c5), lower[4], upper[4])
    if math.isnan(q5):
        return n
    scale = 1.0 / math.sqrt(c5 * c5 + s5 * s5)
    x5 = _mix(scale * c5, x4, -scale * s5, z4)
    q6 = _into_limits(math.atan2(_dot(x6, z5), _dot(x6, x5)), lower[5], upper[5])
    if math.isnan(q6):
        return n
    # R3 = R4 Rz(−q4) Rx(−π/2): x3 = Rz(−q4) x in link 4; z3 = the y axis after Rz(−q4), reversed back by Rx(−π/2)
    x3 = _mix(c4, x4, -s4, z5)
    z3 = _mix(s4, x4, c4, z5)
    # z3 = (sin q2 cos q1, sin q2 sin q1, cos q2)
    rho = math.sqrt(z3[0] * z3[0] + z3[1] * z3[1])
    tilt = math.atan2(rho, z3[2])
    if tilt > max(-lower[1], upper[1]) + 1e-12:
        return n
    straight = rho <= 1e-12
    heading = 0.0 if straight else math.atan2(z3[1], z3[0])
    scale = 1.0 / math.sqrt(rho * rho + z3[2] * z3[2])
    c2, s2 = scale * z3[2], scale * rho
    c1, s1 = (1.0, 0.0) if straight else (z3[0] / rho, z3[1] / rho)
    for flip in range(2):
        q1, q2 = heading, tilt
        if flip:
            q1, q2, c1, s1, s2 = heading + math.pi, -tilt, -c1, -s1, -s2
        # At q3 = 0 link 3's x axis is (c1 c2, s1 c2, −s2) and its y axis (−s1, c1, 0).
        q3 = math.atan2(c1 * x3[1] - s1 * x3[0], c2 * (c1 * x3[0] + s1 * x3[1]) - s2 * x3[2])
        q1 = _into_limits(q1, lower[0], upper[0])
        q2 = _into_limits(q2, lower[1], upper[1])
        q3 = _into_limits(q3, lower[2], upper[2])
        if math.isnan(q1) or math.isnan(q2) or math.isnan(q3):
            continue
        row = out[n]
        row[0], row[1], row[2], row[3], row[4], row[5], row[6] = q1, q2, q3, q4, q5, q6, q7
        n += 1
    return n


@njit(cache=True, fastmath=False, nogil=True)
def ik_at_q7(T_base_link7: F64, q7: float, c7: float, s7: float, lower: F64, upper: F64, out: F64, n: int) -> int:
    """Appends all configurations that reach a pose of link 7 with the given q7 [rad], whose cosine and sine are c7 and
    s7, to `out` (≥ n + MAX_PER_Q7, 7).

    Returns the number of rows used, of which n were there before; `lower`, `upper` (7,) are the joint limits [rad].
    """
    if q7 < lower[6] or q7 > upper[6]:
        return n
    T = T_base_link7
    # R6 = R7 Rz(−q7) Rx(−π/2): x6 is x7 turned back, z6 is y7 turned back; W is WRIST behind link 7's origin along x6.
    x7, y7 = (T[0, 0], T[1, 0], T[2, 0]), (T[0, 1], T[1, 1], T[2, 1])
    x6 = _mix(c7, x7, -s7, y7)
    z6 = _mix(s7, x7, c7, y7)
    to_shoulder = (WRIST * x6[0] - T[0, 3], WRIST * x6[1] - T[1, 3], SHOULDER_Z + WRIST * x6[2] - T[2, 3])
    d_sq = _dot(to_shoulder, to_shoulder)
    cos_elbow = (_UPPER * _UPPER + _LOWER * _LOWER - d_sq) / (2.0 * _UPPER * _LOWER)
    if not -1.0 <= cos_elbow <= 1.0:
        return n
    elbow = math.acos(cos_elbow)
    along = _dot(to_shoulder, z6)
    m = _mix(1.0, to_shoulder, -along, z6)  # the part of S − W normal to axis 6
    m_norm = math.sqrt(_dot(m, m))
    if m_norm < 1e-9:
        return n
    m = (m[0] / m_norm, m[1] / m_norm, m[2] / m_norm)
    side = _cross(z6, m)
    for k in range(2):
        q4 = _into_limits(elbow - _OPENING if k == 0 else 2.0 * math.pi - elbow - _OPENING, lower[3], upper[3])
        if math.isnan(q4):
            continue
        c4, s4 = math.cos(q4), math.sin(q4)
        # axis 5 = cos β m + sin β (z6 × m), with (S − W)·axis 5 = s_y known from q4
        cos_beta = (ELBOW * s4 - UPPER_ARM * c4 - FOREARM) / m_norm
        if not -1.0 <= cos_beta <= 1.0:
            continue
        sin_beta = math.sqrt(1.0 - cos_beta * cos_beta)
        for _ in range(2):
            z5 = _mix(cos_beta, m, sin_beta, side)
            n = _solve_elbow(x6, z6, to_shoulder, z5, q4, c4, s4, q7, lower, upper, out, n)
            sin_beta = -sin_beta
    return n


@njit(cache=True, fastmath=False, nogil=True)
def ik_sweep_batch(T_base_link7: F64, q7: F64, lower: F64, upper: F64, out: F64, index: I32) -> int:
    """All configurations at poses of link 7 (G, 4, 4), over the values q7 (R,), into `out` (G · R · MAX_PER_Q7, 7); the
    pose that each row reaches into `index`. Returns how many rows were written."""
    n, c7, s7 = 0, np.cos(q7), np.sin(q7)
    for g in range(T_base_link7.shape[0]):
        first = n
        for k in range(q7.shape[0]):
            n = ik_at_q7(T_base_link7[g], q7[k], c7[k], s7[k], lower, upper, out, n)
        index[first:n] = g
    return n


@njit(cache=True, fastmath=False, nogil=True)
def _nearest_at_q7(
    T_base_link7: F64, q7: float, q_near: F64, lower: F64, upper: F64, scratch: F64, best: F64, best_cost: float
) -> float:
    """Squared distance from q_near of the nearest solution with this q7 (∞ without one).

    When it is under best_cost, the solution is copied into `best`.
    """
    n = ik_at_q7(T_base_link7, q7, math.cos(q7), math.sin(q7), lower, upper, scratch, 0)
    cost = math.inf
    for i in range(n):
        d = 0.0
        for j in range(7):
            d += (scratch[i, j] - q_near[j]) ** 2
        if d < cost:
            cost = d
            if d < best_cost:
                best_cost = d
                for j in range(7):
                    best[j] = scratch[i, j]
    return cost


@njit(cache=True, fastmath=False, nogil=True)
def ik_nearest(T_base_link7: F64, q_near: F64, lower: F64, upper: F64, scratch: F64, out: F64) -> float:
    """The configuration at a pose of link 7 (4, 4) that is nearest q_near (7,), q7 free, into `out` (7,).

    Minimises |q − q_near|² over q7: widening steps about q_near's q7 find the basin, a pattern search with parabolic
    steps its floor, to 1e-5 rad. Along a smooth path the answers are a smooth path with the least joint motion.
    Returns the largest joint change [rad], ∞ without an answer. `scratch` is (MAX_PER_Q7, 7).
    """
    # Each search calls from one place: the compiler inlines what it calls.
    center = min(max(q_near[6], lower[6]), upper[6])
    x, best, h, step, k = center, math.inf, 0.01, 0.0, 0
    while k == 0 or (step < 0.7 and step * step < best):  # beyond, q7 alone moves further than the best answer in all
        q7 = center - step if k % 2 else center + step
        cost = _nearest_at_q7(T_base_link7, q7, q_near, lower, upper, scratch, out, best)
        if cost < best:
            best, x, h = cost, q7, max(0.5 * step, 0.01)
        k += 1
        step = 0.01 * 2.0 ** ((k - 1) // 2)
    if best == math.inf:
        return math.inf
    while h > 1e-5:
        at, left, right, moved = x, math.inf, math.inf, False
        for side in range(3):  # left, right, then the vertex of the parabola
            q7 = at - h if side == 0 else at + h
            if side == 2:
                bend = left + right - 2.0 * best
                if moved or not 0.0 < bend < math.inf:
                    break
                q7 = at + 0.5 * h * (left - right) / bend
            cost = _nearest_at_q7(T_base_link7, q7, q_near, lower, upper, scratch, out, best)
            left, right = (cost if side == 0 else left), (cost if side == 1 else right)
            if cost < best:
                best, x, moved = cost, q7, side < 2
        if not moved:
            h *= 0.1 if left < math.inf and right < math.inf else 0.5
    largest = 0.0
    for j in range(7):
        largest = max(largest, abs(out[j] - q_near[j]))
    return largest


@njit(cache=True, fastmath=False, nogil=True)
def ik_path(T_base_link7: F64, q_start: F64, lower: F64, upper: F64, max_step: float, out: F64) -> int:
    """Continues q_start (7,) along poses of link 7 (N, 4, 4) into `out` (N, 7), each nearest its predecessor.

    Returns how many poses were reached before one had no answer or a joint step over max_step [rad].
    """
    scratch = np.empty((MAX_PER_Q7, 7))
    near = q_start.copy()
    for i in range(T_base_link7.shape[0]):
        if ik_nearest(T_base_link7[i], near, lower, upper, scratch, out[i]) > max_step:
            return i
        near[:] = out[i]
    return T_base_link7.shape[0]
