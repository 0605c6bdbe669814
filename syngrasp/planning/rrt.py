"""RRT-Connect (Kuffner and LaValle, 2000) from one configuration to a set of goals, and shortcutting."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numba import njit, uint64

from syngrasp.planning.kernels import edge_is_free, free_fraction, inside_is_free, scratch

STEP = 0.6  # longest edge of a tree [rad]
LEAST_EXTENT = 0.3  # of an edge of a tree that a collision cuts short
LEAST_GAIN = 0.01  # of a shortcut, of the polyline's length
REACHED, ADVANCED, TRAPPED = 2, 1, 0


@njit(cache=True, nogil=True)
def uniform(state):
    """A number in [0, 1) and the next state of a one-word stream (splitmix64)."""
    state = uint64(state + uint64(0x9E3779B97F4A7C15))
    z = state
    z = uint64((z ^ (z >> uint64(30))) * uint64(0xBF58476D1CE4E5B9))
    z = uint64((z ^ (z >> uint64(27))) * uint64(0x94D049BB133111EB))
    z = uint64(z ^ (z >> uint64(31)))
    return float(z >> uint64(11)) * (1.0 / 9007199254740992.0), state


@njit(cache=True, nogil=True)
def _nearest(nodes, count, q):
    best, index = 1e300, 0
    for n in range(count):
        square = 0.0
        for i in range(len(q)):
            d = nodes[n, i] - q[i]
            square += d * d
            if square >= best:
                break
        if square < best:
            best, index = square, n
    return index, sqrt(best)


@njit(cache=True, nogil=True)
def _extend(robot, field, nodes, parents, count, target, width, margin, work, a, b):
    """Grows a tree by one edge towards `target`; returns (outcome, new count)."""
    near, distance = _nearest(nodes, count, target)
    if distance < 1e-9:
        return REACHED, count
    fraction = min(1.0, STEP / distance)
    new = nodes[count]
    for i in range(len(target)):
        new[i] = nodes[near, i] + fraction * (target[i] - nodes[near, i])
    free = free_fraction(robot, field, nodes[near], new, width, margin, LEAST_EXTENT, work, a, b)
    if free < 1.0:
        if free < LEAST_EXTENT:
            return TRAPPED, count
        for i in range(len(target)):
            new[i] = nodes[near, i] + 0.9 * free * (new[i] - nodes[near, i])
    parents[count] = near
    return (REACHED if fraction == 1.0 and free == 1.0 else ADVANCED), count + 1


@njit(cache=True, nogil=True)
def _join(nodes_a, parents_a, end_a, nodes_b, parents_b, end_b):
    """The path from tree a's root through two equal nodes to tree b's root, and which root that is."""
    length_a, node = 0, end_a
    while node >= 0:
        length_a, node = length_a + 1, parents_a[node]
    length_b, node = 0, parents_b[end_b]
    while node >= 0:
        length_b, node = length_b + 1, parents_b[node]
    path = np.empty((length_a + length_b, nodes_a.shape[1]))
    node = end_a
    for k in range(length_a - 1, -1, -1):
        path[k], node = nodes_a[node], parents_a[node]
    root, node, k = end_b, parents_b[end_b], length_a
    while node >= 0:
        path[k], root, node, k = nodes_b[node], node, parents_b[node], k + 1
    return path, root


@njit(cache=True, nogil=True)
def connect(robot, field, start, goals, width, margin, seed, iterations, spread):
    """A polyline (N, dof) from `start` (dof,) to one of `goals` (M, dof) that keeps `margin`, and the goal's index;
    −1 where `iterations` were not enough. The ends have to keep it themselves.

    Samples are drawn from the box of start and goals grown by `spread` [rad], one in five from the whole joint range.
    """
    dof, roots = len(start), len(goals)
    work, a, b = scratch(robot, field), np.empty(dof), np.empty(dof)
    capacity = 8 * iterations + roots + 2
    nodes_s, parents_s = np.empty((capacity, dof)), np.full(capacity, -1)
    nodes_g, parents_g = np.empty((capacity, dof)), np.full(capacity, -1)
    nodes_s[0], count_s, count_g = start, 1, roots
    nodes_g[:roots] = goals
    low, high = start.copy(), start.copy()
    for i in range(dof):
        for m in range(roots):
            low[i], high[i] = min(low[i], goals[m, i]), max(high[i], goals[m, i])
        low[i], high[i] = max(low[i] - spread, robot.q_lower[i]), min(high[i] + spread, robot.q_upper[i])
    sample, state = np.empty(dof), seed
    for k in range(iterations):
        wide, state = uniform(state)
        for i in range(dof):
            u, state = uniform(state)
            if wide < 0.2:
                sample[i] = robot.q_lower[i] + u * (robot.q_upper[i] - robot.q_lower[i])
            else:
                sample[i] = low[i] + u * (high[i] - low[i])
        if k % 2 == 0:
            grown, count_s = _extend(robot, field, nodes_s, parents_s, count_s, sample, width, margin, work, a, b)
            new = nodes_s[count_s - 1]
        else:
            grown, count_g = _extend(robot, field, nodes_g, parents_g, count_g, sample, width, margin, work, a, b)
            new = nodes_g[count_g - 1]
        if grown == TRAPPED:
            continue
        for _ in range(6):
            if k % 2 == 0:
                other, count_g = _extend(robot, field, nodes_g, parents_g, count_g, new, width, margin, work, a, b)
            else:
                other, count_s = _extend(robot, field, nodes_s, parents_s, count_s, new, width, margin, work, a, b)
            if other != ADVANCED:
                break
        if other == REACHED:
            # Where the other tree already holds the new node no copy was added: look it up.
            end_s, _ = _nearest(nodes_s, count_s, new)
            end_g, _ = _nearest(nodes_g, count_g, new)
            return _join(nodes_s, parents_s, end_s, nodes_g, parents_g, end_g)
    return np.empty((0, dof)), -1


@njit(cache=True, nogil=True)
def _point_on(path, at, along, out):
    """Fills `out` with the polyline's point at arc length `along`; returns the edge's index."""
    k = 0
    while k < len(path) - 2 and at[k + 1] <= along:
        k += 1
    f = (along - at[k]) / max(at[k + 1] - at[k], 1e-12)
    for i in range(path.shape[1]):
        out[i] = path[k, i] + f * (path[k + 1, i] - path[k, i])
    return k


@njit(cache=True, nogil=True)
def shortcut(robot, field, path, width, margin, seed, trials):
    """A polyline, shortened by `trials` tries at putting a straight edge that keeps `margin` for a random stretch.

    A try that would shorten the polyline by less than `LEAST_GAIN` of its length is not looked at further.
    """
    dof = path.shape[1]
    work, a, b = scratch(robot, field), np.empty(dof), np.empty(dof)
    p, r, state = np.empty(dof), np.empty(dof), seed
    for _ in range(trials):
        if len(path) <= 2:
            break
        at = np.zeros(len(path))
        for k in range(1, len(path)):
            at[k] = at[k - 1] + sqrt(((path[k] - path[k - 1]) ** 2).sum())
        u, state = uniform(state)
        v, state = uniform(state)
        first = _point_on(path, at, min(u, v) * at[-1], p)
        last = _point_on(path, at, max(u, v) * at[-1], r)
        straight = sqrt(((p - r) ** 2).sum())
        if first == last or abs(v - u) * at[-1] - straight < LEAST_GAIN * at[-1]:
            continue
        if not inside_is_free(robot, field, p, r, width, margin, work, a, b):
            continue
        kept = len(path) - (last - first)
        shorter = np.empty((kept + 2, dof))
        shorter[: first + 1] = path[: first + 1]
        shorter[first + 1], shorter[first + 2] = p, r
        shorter[first + 3 :] = path[last + 1 :]
        path = shorter
    return path


@njit(cache=True, nogil=True)
def is_free(robot, field, q_from, q_to, width, margin):
    """Whether the straight edge q_from → q_to keeps `margin`."""
    work, a, b = scratch(robot, field), np.empty(len(q_from)), np.empty(len(q_from))
    return edge_is_free(robot, field, q_from, q_to, width, margin, work, a, b)
