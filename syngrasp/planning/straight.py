"""Straight lines of the TCP as continuous joint motions, by differential inverse kinematics."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from syngrasp.planning.arrays import RobotArrays
from syngrasp.planning.kernels import advance, leaves_freely, scratch
from syngrasp.robots.differential_ik import converge
from syngrasp.robots.kinematics import fk_batch, fk_tcp

F64 = NDArray[np.float64]

MAX_STEP = 0.25  # of a joint between two points of the line [rad]


def tcp_positions(robot: RobotArrays, q: F64) -> F64:
    """TCP positions (N, 3) in base [m] of configurations (N, dof)."""
    T = np.empty((len(q), 4, 4))
    fk_batch(robot.T_joint, robot.T_flange_tcp, np.ascontiguousarray(q), T)
    return T[:, :3, 3]


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
    q, a, b, held = q_from.copy(), np.empty(dof), np.empty(dof), np.empty(dof, np.bool_)
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
        limits = robot.q_lower, robot.q_upper
        if not converge(robot.T_joint, robot.T_flange_tcp, *limits, goal, q, links, T, J, A, e, held):
            return line, 1
        for i in range(dof):
            if abs(q[i] - line[n - 1, i]) > MAX_STEP:
                return line, 1
        line[n] = q
        if not leaves_freely(robot, field, line[n - 1], q, width, margin, work, a, b):
            return line, 2
    return line, 0 if points < 2 or advance(robot, field, q, b, width, margin, work) >= 0.0 else 2
