"""Compiled collision kernels: the spheres of an arm against a scene and one another.

An edge is checked by conservative advancement: at a configuration each sphere has a clearance and a
speed along the edge, and the smallest ratio says how far the whole arm may go before the next look.
The speed to other links is that of their motion relative to one another.
"""

from __future__ import annotations

from math import inf, sqrt

import numpy as np
from numba import njit

from syngrasp.planning.distance import grid_distance, table_distance
from syngrasp.robots.kinematics import fk_links, place_spheres

SAFETY = 0.85  # of the advance, since speeds change along an edge
MAX_ADVANCE = 0.25  # of the fastest joint in one advance [rad]
MIN_ADVANCE = 0.005  # of the fastest sphere in one advance, where the arm slides along something [m]
COARSE = 0.1  # of an edge: how closely the place of a collision is found where a tree grows to it
WAITING = 64  # stretches of an edge that are looked at in turn


@njit(cache=True, nogil=True)
def place(robot, q, width, links, centers, bounds):
    """Fills link poses (dof, 4, 4), sphere centres (S, 3) and link ball centres (dof + 1, 3) in base."""
    fk_links(robot.T_joint, q, links)
    place_spheres(links, robot.T_flange_tcp, robot.link, robot.center, robot.finger, width, centers)
    bounds[0] = robot.bound_center[0]
    for i in range(len(q)):
        T, o = links[i], robot.bound_center[i + 1]
        for r in range(3):
            bounds[i + 1, r] = T[r, 0] * o[0] + T[r, 1] * o[1] + T[r, 2] * o[2] + T[r, 3]


@njit(cache=True, nogil=True)
def _speed(w, x, y, z):
    """|ω × p + m| of a point under a screw w = (ω, m)."""
    a, b, c = w[1] * z - w[2] * y + w[3], w[2] * x - w[0] * z + w[4], w[0] * y - w[1] * x + w[5]
    return sqrt(a * a + b * b + c * c)


@njit(cache=True, nogil=True)
def _turning(w):
    """|ω| of a screw."""
    return sqrt(w[0] * w[0] + w[1] * w[1] + w[2] * w[2])


@njit(cache=True, nogil=True)
def _motions(robot, work, dq):
    """Fills the links' screws (ω, m) where q moves by dq, bounds of their balls' speeds, and bounds of the speeds
    at which pairs of links close in; [m] for one dq.

    What two links share of their motion brings them no nearer: seen from one, the other moves by the difference of
    their screws. Either may be the one that looks.
    """
    links, _, bounds, screws, fastest, closing, _, _ = work
    for i in range(len(dq)):
        v, T, w, before = dq[i], links[i], screws[i + 1], screws[i]
        zx, zy, zz = T[0, 2] * v, T[1, 2] * v, T[2, 2] * v
        w[0], w[1], w[2] = before[0] + zx, before[1] + zy, before[2] + zz
        w[3] = before[3] + T[1, 3] * zz - T[2, 3] * zy
        w[4] = before[4] + T[2, 3] * zx - T[0, 3] * zz
        w[5] = before[5] + T[0, 3] * zy - T[1, 3] * zx
        o = bounds[i + 1]
        fastest[i + 1] = _speed(w, o[0], o[1], o[2]) + _turning(w) * robot.bound_radius[i + 1] + 1e-9
    relative = screws[len(dq) + 1]
    for p in range(len(robot.pairs)):
        a, b = robot.pairs[p, 0], robot.pairs[p, 1]
        for r in range(6):
            relative[r] = screws[b, r] - screws[a, r]
        turning = _turning(relative)
        of_a = _speed(relative, bounds[a, 0], bounds[a, 1], bounds[a, 2]) + turning * robot.bound_radius[a]
        of_b = _speed(relative, bounds[b, 0], bounds[b, 1], bounds[b, 2]) + turning * robot.bound_radius[b]
        closing[p] = min(of_a, of_b) + 1e-9


@njit(cache=True, nogil=True)
def _scene_ratio(robot, field, work, margin, best, floor, stop):
    """Least (clearance − margin) / speed of the spheres but the base's against the scene, if below `best`.

    From the hand inwards: what is near is found first, and most other links are passed over by their balls. Ratios
    from 0 to `floor` come back as 0: from then on only contact is looked for.
    """
    address, shape, to_grid, box, cell, scale, center, ball, table, top = field
    _, centers, bounds, screws, fastest, _, active, _ = work
    first, radius, bound_radius = robot.first, robot.radius, robot.bound_radius
    for link in range(len(bound_radius) - 1, 0, -1):
        x, y, z = bounds[link, 0], bounds[link, 1], bounds[link, 2]
        limit = best * fastest[link] + margin + bound_radius[link]
        over_table = z - table[4] < limit
        count = 0
        if z - top < limit:
            for n in range(len(cell)):
                dx, dy, dz = x - center[n, 0], y - center[n, 1], z - center[n, 2]
                near = limit + ball[n]
                if near > 0.0 and dx * dx + dy * dy + dz * dz < near * near:
                    active[count] = n
                    count += 1
        if count == 0 and not over_table:
            continue
        for s in range(first[link], first[link + 1]):
            x, y, z = centers[s, 0], centers[s, 1], centers[s, 2]
            reach = margin + radius[s]
            limit = best * fastest[link] + reach
            distance = limit
            if over_table and z - table[4] < limit:
                distance = min(distance, table_distance(table, x, y, z))
            for m in range(count):
                n = active[m]
                dx, dy, dz = x - center[n, 0], y - center[n, 1], z - center[n, 2]
                near = distance + ball[n]
                if near > 0.0 and dx * dx + dy * dy + dz * dz < near * near:
                    found = grid_distance(address, shape, to_grid, box, cell, scale, n, x, y, z, distance)
                    distance = min(distance, found)
            if distance < limit:
                best = min(best, (distance - reach) / (_speed(screws[link], x, y, z) + 1e-9))
                if 0.0 < best < floor:
                    best = 0.0
        if best < stop:
            return best
    return best


@njit(cache=True, nogil=True)
def _self_ratio(robot, work, margin, best, floor, stop):
    """Least (clearance − margin) / closing speed of the arm's links to one another, if below `best`; see above."""
    _, centers, bounds, _, _, speed, _, _ = work
    pairs, first, radius, bound_radius = robot.pairs, robot.first, robot.radius, robot.bound_radius
    for p in range(len(pairs)):
        a, b = pairs[p, 0], pairs[p, 1]
        closing = speed[p]
        near = best * closing + margin
        dx, dy, dz = bounds[a, 0] - bounds[b, 0], bounds[a, 1] - bounds[b, 1], bounds[a, 2] - bounds[b, 2]
        reach = near + bound_radius[a] + bound_radius[b]
        if reach <= 0.0 or dx * dx + dy * dy + dz * dz >= reach * reach:
            continue
        # The ball of one link against the spheres of the other first: few pass.
        for s in range(first[a], first[a + 1]):
            dx, dy, dz = centers[s, 0] - bounds[b, 0], centers[s, 1] - bounds[b, 1], centers[s, 2] - bounds[b, 2]
            reach = near + radius[s] + bound_radius[b]
            if reach <= 0.0 or dx * dx + dy * dy + dz * dz >= reach * reach:
                continue
            for t in range(first[b], first[b + 1]):
                dx, dy, dz = centers[s, 0] - centers[t, 0], centers[s, 1] - centers[t, 1], centers[s, 2] - centers[t, 2]
                radii = radius[s] + radius[t]
                reach = near + radii
                square = dx * dx + dy * dy + dz * dz
                if reach > 0.0 and square < reach * reach:
                    near = sqrt(square) - radii
                    best = (near - margin) / closing
        if 0.0 < best < floor:
            best = 0.0
        if best < stop:
            return best
    return best


@njit(cache=True, nogil=True)
def scratch(robot, field):
    """Work arrays: link poses, sphere centres, ball centres; screws of the links (the base's is zero) and of one link
    seen from another, speeds of the links' balls, speeds at which pairs close in; objects near a link; stretches."""
    dof, spheres = len(robot.T_joint), len(robot.radius)
    links, centers, bounds = np.empty((dof, 4, 4)), np.empty((spheres, 3)), np.empty((dof + 1, 3))
    screws, fastest, closing = np.zeros((dof + 2, 6)), np.full(dof + 1, 1e-9), np.empty(len(robot.pairs))
    near, stretches = np.empty(len(field.cell) + 1, np.int64), np.empty((WAITING + 64, 2))
    return links, centers, bounds, screws, fastest, closing, near, stretches


@njit(cache=True, nogil=True)
def clearances(robot, field, q, width, cap):
    """Smallest signed clearances (M,) [m] of configurations (M, dof) at gripper widths (M,) to the scene and
    themselves, at most `cap`."""
    work = scratch(robot, field)
    work[3][:, 3] = 1.0  # everything at unit speed: a ratio is a distance
    work[4][:] = 1.0
    work[5][:] = 1.0
    out = np.empty(len(q))
    for m in range(len(q)):
        place(robot, q[m], width[m], work[0], work[1], work[2])
        out[m] = _self_ratio(robot, work, 0.0, _scene_ratio(robot, field, work, 0.0, cap, 0.0, -inf), 0.0, -inf)
    return out


@njit(cache=True, nogil=True)
def advance(robot, field, q, dq, width, margin, work):
    """How far q may go along dq, at most one of it, before a clearance can fall below `margin`; negative if it has.
    By MIN_ADVANCE even where it slides along something: an edge may dip below `margin` by a part of that."""
    return _advance(robot, field, q, dq, width, margin, work, MIN_ADVANCE, 1.0)


@njit(cache=True, nogil=True)
def _advance(robot, field, q, dq, width, margin, work, least, most):
    """`advance`, but at most `most`, and at least until the fastest sphere has moved by `least` [m].

    What is farther off than either can decide is passed over, so a caller asks for no more than it can use.
    """
    place(robot, q, width, work[0], work[1], work[2])
    _motions(robot, work, dq)
    fastest_joint = 1e-9
    for i in range(len(dq)):
        fastest_joint = max(fastest_joint, abs(dq[i]))
    least = min(most, least / work[4].max())
    best = min(most, MAX_ADVANCE / fastest_joint) / SAFETY
    best = _scene_ratio(robot, field, work, margin, best, least / SAFETY, 0.0)
    if best >= 0.0:
        best = _self_ratio(robot, work, margin, best, least / SAFETY, 0.0)
    return max(SAFETY * best, least) if best >= 0.0 else -1.0


@njit(cache=True, nogil=True)
def edge_is_free(robot, field, q_from, q_to, width, margin, work, point, step):
    """Whether the straight edge q_from → q_to keeps `margin`. `point` and `step` are scratch (dof,).

    The ends first, then the middles of what is not known to be free, the widest stretches before the narrow ones: a
    collision is met early, and a look at a middle answers for both its sides.
    """
    for i in range(len(q_from)):
        step[i] = q_to[i] - q_from[i]
    begin = advance(robot, field, q_from, step, width, margin, work)
    if begin < 0.0:
        return False
    end = advance(robot, field, q_to, step, width, margin, work)
    return end >= 0.0 and _is_free_between(robot, field, q_from, step, width, margin, begin, 1.0 - end, work, point)


@njit(cache=True, nogil=True)
def inside_is_free(robot, field, q_from, q_to, width, margin, work, point, step):
    """`edge_is_free` of an edge whose ends are known to keep `margin`."""
    for i in range(len(q_from)):
        step[i] = q_to[i] - q_from[i]
    return _is_free_between(robot, field, q_from, step, width, margin, 0.0, 1.0, work, point)


@njit(cache=True, nogil=True)
def _is_free_between(robot, field, q_from, step, width, margin, begin, end, work, point):
    """Whether an edge keeps `margin` from one fraction of it to another; the last part of `edge_is_free`."""
    stretches, head, count = work[7], 0, 1
    stretches[0, 0], stretches[0, 1] = begin, end
    while count > 0:
        # First in, first out; where too many wait, the last one in: it and its parts are few.
        at = head if count < WAITING else (head + count - 1) % len(stretches)
        low, high = stretches[at, 0], stretches[at, 1]
        head, count = (head + 1) % len(stretches) if count < WAITING else head, count - 1
        if low >= high:
            continue
        middle = 0.5 * (low + high)
        for i in range(len(q_from)):
            point[i] = q_from[i] + middle * step[i]
        enough = 0.5 * (high - low) + 1e-9
        free = _advance(robot, field, point, step, width, margin, work, 0.5 * MIN_ADVANCE, enough)
        if free < 0.0:
            return False
        if middle - free > low:
            for side in range(2):
                at = (head + count) % len(stretches)
                stretches[at, 0] = low if side == 0 else middle + free
                stretches[at, 1] = middle - free if side == 0 else high
                count += 1
    return True


@njit(cache=True, nogil=True)
def free_fraction(robot, field, q_from, q_to, width, margin, least, work, point, step):
    """Fraction of the straight edge q_from → q_to that is known to keep `margin`, where its begin does; 1 if all of
    it, any less than `least` as soon as it cannot be as much. `point` and `step` are scratch (dof,).

    Looks at the middles of what is not known to be free, from the begin on; a collision cuts off what comes after it.
    """
    for i in range(len(q_from)):
        step[i] = q_to[i] - q_from[i]
    stretches, count, known, collides = work[7], 1, 0.0, False
    stretches[0, 0], stretches[0, 1] = 0.0, 1.0  # the nearest is the last; none reaches beyond a known collision
    while count > 0:
        low, high = stretches[count - 1, 0], stretches[count - 1, 1]
        if low >= high:
            known, count = high, count - 1
            continue
        if collides and high - low < COARSE:
            return low
        middle = 0.5 * (low + high)
        for i in range(len(q_from)):
            point[i] = q_from[i] + middle * step[i]
        enough = 0.5 * (high - low) + 1e-9
        free = _advance(robot, field, point, step, width, margin, work, 0.5 * MIN_ADVANCE, enough)
        if free < 0.0:
            if middle < least:
                return low
            collides, count = True, 1
            stretches[0, 0], stretches[0, 1] = low, middle
        else:
            stretches[count - 1, 0] = middle + free
            if middle - free > low:
                stretches[count, 0], stretches[count, 1] = low, middle - free
                count += 1
    free = not collides and advance(robot, field, q_to, step, width, margin, work) >= 0.0
    return 1.0 if free else min(known, 1.0 - COARSE)


@njit(cache=True, nogil=True)
def leaves_freely(robot, field, q_from, q_to, width, margin, work, point, step):
    """Whether the straight edge q_from → q_to keeps `margin`, but for its very end, where the next edge begins.

    `point` and `step` are scratch (dof,); `step` holds q_to − q_from afterwards.
    """
    for i in range(len(q_from)):
        step[i] = q_to[i] - q_from[i]
    t = 0.0
    while t < 1.0:
        for i in range(len(q_from)):
            point[i] = q_from[i] + t * step[i]
        ahead = _advance(robot, field, point, step, width, margin, work, MIN_ADVANCE, 1.0 - t)
        if ahead < 0.0:
            return False
        t += ahead
    return True


@njit(cache=True, nogil=True)
def first_collision(robot, field, path, width, margin):
    """Index of the first edge of a polyline (N, dof) that comes closer than `margin` (N − 1,); −1 if none does."""
    work = scratch(robot, field)
    point, step = np.empty(path.shape[1]), np.empty(path.shape[1])
    for k in range(len(path) - 1):
        if not leaves_freely(robot, field, path[k], path[k + 1], width, margin[k], work, point, step):
            return k
    if advance(robot, field, path[-1], step, width, margin[-1], work) < 0.0:
        return len(path) - 2
    return -1
