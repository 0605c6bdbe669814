"""Differential inverse kinematics of any `Chain`, as numba kernels: the least joint motion that follows a pose."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numba import njit

from syngrasp.robots.kinematics import fk_tcp

TOLERANCE = 1e-5  # of a position [m], and of a rotation [rad]
DAMPING = 1e-6
STEPS = 12  # of Newton's method for a pose


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
def newton_step(links, T, goal, q, J, A, e, held):
    """One damped least-norm step of q towards the pose `goal` (4, 4), from the pose T that q has, by the joints that
    are not `held` (dof,).

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
        if held[i]:
            J[:, i] = 0.0
            continue
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
def converge(T_joint, T_flange_tcp, lower, upper, goal, q, links, T, J, A, e, held):
    """Moves q (dof,) within limits (dof,) to where the TCP has the pose `goal` (4, 4) within TOLERANCE; whether it came
    there. A joint that would pass a limit is held at it, and the others do without.

    Scratch: links (dof, 4, 4), T (4, 4), J (6, dof), A (6, 6), e (6,), held (dof,).
    """
    held[:] = False
    for _ in range(STEPS):
        fk_tcp(T_joint, T_flange_tcp, q, links, T)
        turned = 0.0  # 1 + 2 cos θ of the rotation that is left: the error vanishes at half a turn too
        for r in range(3):
            for k in range(3):
                turned += T[r, k] * goal[r, k]
        square = newton_step(links, T, goal, q, J, A, e, held)
        for i in range(len(q)):
            if q[i] < lower[i] or q[i] > upper[i]:
                q[i], held[i] = min(max(q[i], lower[i]), upper[i]), True
        if square < TOLERANCE * TOLERANCE and turned > 1.0:
            return True
    return False


@njit(cache=True, nogil=True)
def follow(T_joint, T_flange_tcp, lower, upper, poses, q_start, max_step, out):
    """Continues q_start (dof,) along TCP poses (N, 4, 4) into `out` (N, dof), each as near as can be to the one before.

    Returns how many were reached before one was out of reach or of the limits (dof,), or took a joint step of over
    max_step [rad].
    """
    dof = len(q_start)
    links, T = np.empty((dof, 4, 4)), np.empty((4, 4))
    J, A, e, q, held = np.empty((6, dof)), np.empty((6, 6)), np.empty(6), q_start.copy(), np.empty(dof, np.bool_)
    for n in range(len(poses)):
        last = out[n - 1] if n > 0 else q_start
        q[:] = last  # not where the last two point: a redundant arm would drift on and on
        if not converge(T_joint, T_flange_tcp, lower, upper, poses[n], q, links, T, J, A, e, held):
            return n
        for i in range(dof):
            if abs(q[i] - last[i]) > max_step:
                return n
        out[n] = q
    return len(poses)
