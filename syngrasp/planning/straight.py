"""Straight lines of the TCP as continuous joint motions, by differential inverse kinematics."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from syngrasp.planning.arrays import RobotArrays
from syngrasp.planning.kernels import advance, leaves_freely, scratch
from syngrasp.robots.kinematics import fk_batch, fk_tcp

F64 = NDArray[np.float64]

TOLERANCE = 1e-5  # of a point on the line [m], and of the rotation [rad]
DAMPING = 1e-6
MAX_STEP = 0.25  # of a joint between two points of the line [rad]


def tcp_positions(robot: RobotArrays, q: F64) -> F64:
    """TCP positions (N, 3) in base [m] of configurations (N, dof)."""
    T = np.empty((len(q), 4, 4))
    fk_batch(robot.T_joint, robot.T_flange_tcp, np.ascontiguousarray(q), T)
    return T[:, :3, 3]


@njit(cache=True, nogil=True)
def _solve_spd(A, b):
    """Solves A x = b in place for a small symmetric positive definite A (Cholesky)."""
    n = len(b)
    for j in range(n):
        for k in range(j):
            A[j, j] -= A[j, k] * A[j, k]
        A[j, j] = sqrt(max(A[j, j], 1e-300))
        for i in range(j + 1, n):
            for k in range(j):
                A[i, j] -= A[i, k] * A[j, k]
            A[i, j] /= A[j, j]
    for i in range(n):
        for k in range(i):
            b[i] -= A[i, k] * b[k]
        b[i] /= A[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            b[i] -= A[k, i] * b[k]
        b[i] /= A[i, i]


@njit(cache=True, nogil=True)
def _newton_step(links, T, goal, q, J, A, e):
    """One damped least-norm step of q towards the pose `goal` (4, 4), from the pose T that q has.

    dq = Jᵀ (J Jᵀ + λ)⁻¹ e. Returns |e|².
    """
    dof = len(q)
    for r in range(3):
        e[r] = goal[r, 3] - T[r, 3]
        a, b = (r + 1) % 3, (r + 2) % 3
        # ½ Σ t_k × g_k over the links' axes: the rotation vector, to first order
        e[3 + r] = 0.0
        for k in range(3):
            e[3 + r] += 0.5 * (T[a, k] * goal[b, k] - T[b, k] * goal[a, k])
    square = 0.0
    for r in range(6):
        square += e[r] * e[r]
    for i in range(dof):
        F = links[i]
        for r in range(3):
            a, b = (r + 1) % 3, (r + 2) % 3
            J[r, i] = F[a, 2] * (T[b, 3] - F[b, 3]) - F[b, 2] * (T[a, 3] - F[a, 3])
            J[3 + r, i] = F[r, 2]
    for r in range(6):
        for c in range(r + 1):
            total = 0.0
            for i in range(dof):
                total += J[r, i] * J[c, i]
            A[r, c] = total + (DAMPING if r == c else 0.0)
    _solve_spd(A, e)
    for i in range(dof):
        for r in range(6):
            q[i] += J[r, i] * e[r]
    return square


@njit(cache=True, nogil=True)
def straight_line(robot, field, q_from, motion, points, width, margin):
    """Moves the TCP from q_from along `motion` (3,) [m, base], its rotation kept, in equal steps.

    Each point continues the one before with the least joint motion. Returns the configurations (points, dof) and
    0 (reached, and every edge keeps `margin`), 1 (out of reach or of limits) or 2 (comes closer).
    """
    dof = len(q_from)
    work = scratch(robot, field)
    links = work[0]
    T, goal, J, A, e = np.empty((4, 4)), np.empty((4, 4)), np.empty((6, dof)), np.empty((6, 6)), np.empty(6)
    q, a, b = q_from.copy(), np.empty(dof), np.empty(dof)
    line = np.empty((points, dof))
    line[0] = q_from
    fk_tcp(robot.T_joint, robot.T_flange_tcp, q, links, T)
    start = T.copy()
    for n in range(1, points):
        goal[:] = start
        for r in range(3):
            goal[r, 3] += motion[r] * n / (points - 1)
        if n > 1:
            q[:] = 2.0 * line[n - 1] - line[n - 2]
        error = 1.0
        for _ in range(12):
            fk_tcp(robot.T_joint, robot.T_flange_tcp, q, links, T)
            error = _newton_step(links, T, goal, q, J, A, e)
            if error < TOLERANCE * TOLERANCE:
                break
        if error >= TOLERANCE * TOLERANCE:
            return line, 1
        for i in range(dof):
            if q[i] < robot.q_lower[i] or q[i] > robot.q_upper[i] or abs(q[i] - line[n - 1, i]) > MAX_STEP:
                return line, 1
        line[n] = q
        if not leaves_freely(robot, field, line[n - 1], q, width, margin, work, a, b):
            return line, 2
    return line, 0 if points < 2 or advance(robot, field, q, b, width, margin, work) >= 0.0 else 2
