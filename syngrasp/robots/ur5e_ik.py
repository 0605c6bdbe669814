"""Closed-form inverse kinematics of Universal Robots' six-joint arms, with the UR5e's lengths.

Axes 2, 3 and 4 are parallel to a horizontal direction a, which joint 1 turns; axis 5 is normal to a, and axis 6 to
axis 5. So link 6's origin lies at a known distance along a: that gives joint 1 (two answers). The angle between axis 6
and a is joint 5 (two), the direction of a in link 6 is joint 6, and what remains is a triangle of upper arm and forearm
in the plane normal to a (two elbows), whose last angle is axis 5's direction there.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

# Universal Robots, "DH parameters for calculations of kinematics and dynamics", UR5e.
SHOULDER_Z = 0.1625  # d1 [m]
UPPER_ARM = 0.425  # −a2 [m]
FOREARM = 0.3922  # −a3 [m]
SIDE = 0.1333  # d4: from axis 1 to link 6's origin along a [m]
WRIST = 0.0997  # d5: along axis 5 [m]
FLANGE = 0.0996  # d6: along axis 6 [m]
DOF = 6
MAX_BRANCHES = 8  # two shoulders × two wrists × two elbows
MAX_STEP = 0.7  # largest joint change that counts as a continuation [rad]
MAX_PER_POSE = MAX_BRANCHES * 2**DOF  # with every joint's whole turns, in limits of up to ±2π


@njit(cache=True, fastmath=False, nogil=True)
def _branches(T: F64, out: F64) -> int:
    """Writes the configurations that reach a pose of link 6 (4, 4) into `out` (8, 6), angles in any turn; returns how
    many. None where axis 6 is parallel to a: joints 4 and 6 then turn about one direction."""
    n = 0
    px, py, pz = T[0, 3], T[1, 3], T[2, 3]
    radius = math.hypot(px, py)
    if radius < SIDE:
        return n
    toward, lean = math.atan2(py, px), math.asin(SIDE / radius)
    for shoulder in range(2):
        q1 = toward - lean if shoulder == 0 else toward - math.pi + lean
        c1, s1 = math.cos(q1), math.sin(q1)
        # a = (−s1, c1, 0) in link 6: (sin q5 cos q6, −sin q5 sin q6, cos q5)
        ax = c1 * T[1, 0] - s1 * T[0, 0]
        ay = c1 * T[1, 1] - s1 * T[0, 1]
        az = c1 * T[1, 2] - s1 * T[0, 2]
        bend = math.hypot(ax, ay)  # |sin q5|
        if bend < 1e-9:
            continue
        for wrist in range(2):
            sign = 1.0 if wrist == 0 else -1.0
            q5 = math.atan2(sign * bend, az)
            q6 = math.atan2(-sign * ay, sign * ax)
            c6, s6 = math.cos(q6), math.sin(q6)
            # Axis 5 is (−sin q6, −cos q6, 0) in link 6; (u, v) are along (c1, s1, 0) and up.
            zx = -s6 * T[0, 0] - c6 * T[0, 1]
            zy = -s6 * T[1, 0] - c6 * T[1, 1]
            zv = -s6 * T[2, 0] - c6 * T[2, 1]
            zu = c1 * zx + s1 * zy
            u = c1 * px + s1 * py - WRIST * zu
            v = pz - SHOULDER_Z - WRIST * zv
            cos3 = (u * u + v * v - UPPER_ARM * UPPER_ARM - FOREARM * FOREARM) / (2.0 * UPPER_ARM * FOREARM)
            if not -1.0 <= cos3 <= 1.0:
                continue
            q234 = math.atan2(-zu, -zv)
            for elbow in range(2):
                q3 = math.acos(cos3) if elbow == 0 else -math.acos(cos3)
                # u = a2 cos q2 + a3 cos(q2 + q3), −v = a2 sin q2 + a3 sin(q2 + q3)
                q2 = math.atan2(-v, u) - math.atan2(FOREARM * math.sin(q3), UPPER_ARM + FOREARM * cos3)
                row = out[n]
                row[0], row[1], row[2], row[3], row[4], row[5] = q1, q2, q3, q234 - q2 - q3, q5, q6
                n += 1
    return n


@njit(cache=True, fastmath=False, nogil=True)
def _first_turn(angle: float, lower: float) -> float:
    """The least angle + 2πk that is not under `lower`."""
    slack = 1e-12
    return max(angle + 2.0 * math.pi * math.ceil((lower - slack - angle) / (2.0 * math.pi)), lower)


@njit(cache=True, fastmath=False, nogil=True)
def ik_all(T_base_link6: F64, lower: F64, upper: F64, scratch: F64, out: F64, n: int) -> int:
    """Appends all configurations within limits at a pose (4, 4), every whole turn of every joint, to `out`
    (≥ n + MAX_PER_POSE, 6); returns the number of rows used. `scratch` is (MAX_BRANCHES, 6)."""
    slack = 1e-12
    for k in range(_branches(T_base_link6, scratch)):
        first, inside = n, True
        for j in range(DOF):
            angle = _first_turn(scratch[k, j], lower[j])
            if angle > upper[j] + slack:
                inside = False
                break
            scratch[k, j] = angle
        if not inside:
            continue
        for j in range(DOF):
            out[n, j] = min(scratch[k, j], upper[j])
        n += 1
        for j in range(DOF):  # each joint's further turns, of all rows so far
            rows, turn = n, 2.0 * math.pi
            while scratch[k, j] + turn <= upper[j] + slack:
                for row in range(first, rows):
                    out[n] = out[row]
                    out[n, j] = min(scratch[k, j] + turn, upper[j])
                    n += 1
                turn += 2.0 * math.pi
    return n


@njit(cache=True, fastmath=False, nogil=True)
def ik_batch(T_base_link6: F64, lower: F64, upper: F64, out: F64, index: I32) -> int:
    """`ik_all` of poses (G, 4, 4) into `out` (G · MAX_PER_POSE, 6); the pose that each row reaches into `index`."""
    scratch, n = np.empty((MAX_BRANCHES, DOF)), 0
    for g in range(T_base_link6.shape[0]):
        first = n
        n = ik_all(T_base_link6[g], lower, upper, scratch, out, n)
        index[first:n] = g
    return n


@njit(cache=True, fastmath=False, nogil=True)
def ik_nearest(T_base_link6: F64, q_near: F64, lower: F64, upper: F64, scratch: F64, out: F64) -> float:
    """The configuration at a pose (4, 4) that is nearest q_near (6,), into `out` (6,); returns its largest joint
    change [rad], ∞ without an answer."""
    best, largest = math.inf, math.inf
    for k in range(_branches(T_base_link6, scratch)):
        cost, change = 0.0, 0.0
        for j in range(DOF):
            turns = round((q_near[j] - scratch[k, j]) / (2.0 * math.pi))
            angle = scratch[k, j] + 2.0 * math.pi * turns
            if angle < lower[j] or angle > upper[j]:  # the nearest turn is outside: so is what continues smoothly
                if abs(angle - min(max(angle, lower[j]), upper[j])) > 1e-12:
                    cost = math.inf
                    break
                angle = min(max(angle, lower[j]), upper[j])
            scratch[k, j] = angle
            cost += (angle - q_near[j]) ** 2
            change = max(change, abs(angle - q_near[j]))
        if cost < best:
            best, largest = cost, change
            out[:] = scratch[k]
    return largest


@njit(cache=True, fastmath=False, nogil=True)
def ik_path(T_base_link6: F64, q_start: F64, lower: F64, upper: F64, max_step: float, out: F64) -> int:
    """Continues q_start (6,) along poses of link 6 (N, 4, 4) into `out` (N, 6), each nearest its predecessor.

    Returns how many poses were reached before one had no answer or a joint step over max_step [rad].
    """
    scratch, near = np.empty((MAX_BRANCHES, DOF)), q_start.copy()
    for i in range(T_base_link6.shape[0]):
        if ik_nearest(T_base_link6[i], near, lower, upper, scratch, out[i]) > max_step:
            return i
        near[:] = out[i]
    return T_base_link6.shape[0]
