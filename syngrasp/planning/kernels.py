"""Compiled collision kernels: spheres of an arm against signed-distance grids, a table and one another.

An edge is checked by conservative advancement: at a configuration each sphere has a clearance and a
speed along the edge, and the smallest ratio says how far the whole arm may go before the next look.
"""

from __future__ import annotations

from math import floor, inf, sqrt

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from syngrasp.robots.kinematics import fk_links, place_spheres

SAFETY = 0.85  # of the advance, since speeds change along an edge
MAX_ADVANCE = 0.25  # of the fastest joint in one advance [rad]
MIN_ADVANCE = 0.002  # of the fastest sphere in one advance, where the arm slides along something [m]


@intrinsic
def _load_f32(typing_context, address, index):
    """The float32 at address + 4 · index: grids of any number of objects without copying them."""

    def codegen(context, builder, signature, args):
        pointer = builder.inttoptr(args[0], ir.PointerType(ir.FloatType()))
        return builder.load(builder.gep(pointer, [args[1]]))

    return types.float32(types.int64, types.int64), codegen


@njit(cache=True, nogil=True)
def _grid_distance(field, n, x, y, z):
    """Distance of a point in base to object n: trilinear inside its grid, a lower bound outside.

    The object lies inside its grid, and a grid is convex, so with c the nearest point of the grid
    |p − o|² ≥ |p − c|² + |c − o|² for every point o of the object.
    """
    A = field.to_grid[n]
    u = A[0, 0] * x + A[0, 1] * y + A[0, 2] * z + A[0, 3]
    v = A[1, 0] * x + A[1, 1] * y + A[1, 2] * z + A[1, 3]
    w = A[2, 0] * x + A[2, 1] * y + A[2, 2] * z + A[2, 3]
    nx, ny, nz = field.shape[n, 0], field.shape[n, 1], field.shape[n, 2]
    cu, cv, cw = min(max(u, 0.0), nx - 1.0), min(max(v, 0.0), ny - 1.0), min(max(w, 0.0), nz - 1.0)
    outside = ((u - cu) ** 2 + (v - cv) ** 2 + (w - cw) ** 2) * field.cell[n] ** 2
    i, j, k = min(int(cu), nx - 2), min(int(cv), ny - 2), min(int(cw), nz - 2)
    fu, fv, fw = cu - i, cv - j, cw - k
    base = (i * ny + j) * nz + k
    address = field.address[n]
    c00 = _load_f32(address, base) * (1 - fw) + _load_f32(address, base + 1) * fw
    c01 = _load_f32(address, base + nz) * (1 - fw) + _load_f32(address, base + nz + 1) * fw
    base += ny * nz
    c10 = _load_f32(address, base) * (1 - fw) + _load_f32(address, base + 1) * fw
    c11 = _load_f32(address, base + nz) * (1 - fw) + _load_f32(address, base + nz + 1) * fw
    c0, c1 = c00 * (1 - fv) + c01 * fv, c10 * (1 - fv) + c11 * fv
    value = (c0 * (1 - fu) + c1 * fu) * field.scale[n]
    if outside > 0.0:
        return sqrt(outside + max(value, 0.0) ** 2)
    return value


@njit(cache=True, nogil=True)
def _table_distance(field, x, y, z):
    """Distance of a point to the block under the table's top."""
    dx = abs(x - field.table[0]) - field.table[2]
    dy = abs(y - field.table[1]) - field.table[3]
    dz = z - field.table[4]
    if dx <= 0.0 and dy <= 0.0:
        return max(dx, max(dy, dz)) if dz < 0.0 else dz
    dx, dy, dz = max(dx, 0.0), max(dy, 0.0), max(dz, 0.0)
    return sqrt(dx * dx + dy * dy + dz * dz)


@njit(cache=True, nogil=True)
def _distance(field, x, y, z, limit):
    """Distance of a point to the scene, exact where it is below `limit`."""
    best = limit
    if z - field.table[4] < best:
        best = min(best, _table_distance(field, x, y, z))
    if z - field.top < best:
        for n in range(len(field.cell)):
            dx, dy, dz = x - field.center[n, 0], y - field.center[n, 1], z - field.center[n, 2]
            near = best + field.radius[n]
            if near > 0.0 and dx * dx + dy * dy + dz * dz < near * near:
                best = min(best, _grid_distance(field, n, x, y, z))
    return best


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
def _sphere_speeds(robot, links, centers, dq, speed):
    """Fills speeds (S,) [m per unit] of the sphere centres when q moves by dq per unit: |ω × p + m|."""
    wx = wy = wz = mx = my = mz = 0.0
    for s in range(robot.first[1]):
        speed[s] = 1e-9
    for i in range(len(dq)):
        T, v = links[i], dq[i]
        zx, zy, zz = T[0, 2] * v, T[1, 2] * v, T[2, 2] * v
        wx, wy, wz = wx + zx, wy + zy, wz + zz
        mx += T[1, 3] * zz - T[2, 3] * zy
        my += T[2, 3] * zx - T[0, 3] * zz
        mz += T[0, 3] * zy - T[1, 3] * zx
        for s in range(robot.first[i + 1], robot.first[i + 2]):
            x, y, z = centers[s, 0], centers[s, 1], centers[s, 2]
            a, b, c = wy * z - wz * y + mx, wz * x - wx * z + my, wx * y - wy * x + mz
            speed[s] = sqrt(a * a + b * b + c * c) + 1e-9


@njit(cache=True, nogil=True)
def _scene_ratio(robot, field, centers, speed, margin, best, stop):
    """Least (clearance − margin) / speed of the spheres against the scene, if below `best`."""
    for s in range(robot.first[1], len(robot.radius)):
        reach = margin + robot.radius[s]
        limit = best * speed[s] + reach
        distance = _distance(field, centers[s, 0], centers[s, 1], centers[s, 2], limit)
        if distance < limit:
            best = (distance - reach) / speed[s]
            if best < stop:
                return best
    return best


@njit(cache=True, nogil=True)
def _self_ratio(robot, centers, bounds, speed, weight, margin, best, stop):
    """Least (clearance − margin) / (weight · closing speed) of the arm's links to one another, if below `best`."""
    for p in range(len(robot.link_pairs)):
        a, b, begin, end = robot.link_pairs[p]
        fastest = other = 0.0
        for s in range(robot.first[a], robot.first[a + 1]):
            fastest = max(fastest, speed[s])
        for s in range(robot.first[b], robot.first[b + 1]):
            other = max(other, speed[s])
        closing = weight * (fastest + other)
        near = best * closing + margin
        dx, dy, dz = bounds[a, 0] - bounds[b, 0], bounds[a, 1] - bounds[b, 1], bounds[a, 2] - bounds[b, 2]
        reach = near + robot.bound_radius[a] + robot.bound_radius[b]
        if reach <= 0.0 or dx * dx + dy * dy + dz * dz >= reach * reach:
            continue
        for k in range(begin, end):
            s, t = robot.sphere_pairs[k]
            dx, dy, dz = centers[s, 0] - centers[t, 0], centers[s, 1] - centers[t, 1], centers[s, 2] - centers[t, 2]
            radii = robot.radius[s] + robot.radius[t]
            reach = near + radii
            square = dx * dx + dy * dy + dz * dz
            if reach > 0.0 and square < reach * reach:
                near = sqrt(square) - radii
                best = (near - margin) / closing
        if best < stop:
            return best
    return best


@njit(cache=True, nogil=True)
def scratch(robot):
    """Work arrays: link poses, sphere centres, ball centres, sphere speeds."""
    dof, spheres = len(robot.T_joint), len(robot.radius)
    return np.empty((dof, 4, 4)), np.empty((spheres, 3)), np.empty((dof + 1, 3)), np.ones(spheres)


@njit(cache=True, nogil=True)
def sphere_centers(robot, q, width):
    """Sphere centres (S, 3) in base [m] of one configuration."""
    links, centers, bounds, _ = scratch(robot)
    place(robot, q, width, links, centers, bounds)
    return centers


@njit(cache=True, nogil=True)
def clearance(robot, field, q, width, work, cap):
    """Smallest signed clearance [m] of one configuration to the scene and itself, at most `cap`."""
    links, centers, bounds, speed = work
    place(robot, q, width, links, centers, bounds)
    speed[:] = 1.0
    best = _scene_ratio(robot, field, centers, speed, 0.0, cap, -inf)
    return _self_ratio(robot, centers, bounds, speed, 0.5, 0.0, best, -inf)


@njit(cache=True, nogil=True)
def clearances(robot, field, q, width, cap):
    """Clearances (M,) [m] of configurations (M, dof) at gripper widths (M,), at most `cap`."""
    work = scratch(robot)
    out = np.empty(len(q))
    for m in range(len(q)):
        out[m] = clearance(robot, field, q[m], width[m], work, cap)
    return out


@njit(cache=True, nogil=True)
def advance(robot, field, q, dq, width, margin, work):
    """How far q may go along dq, in units of dq and at most one, before any clearance can fall
    below `margin`; negative if it has."""
    links, centers, bounds, speed = work
    place(robot, q, width, links, centers, bounds)
    _sphere_speeds(robot, links, centers, dq, speed)
    fastest_joint = 1e-9
    for i in range(len(dq)):
        fastest_joint = max(fastest_joint, abs(dq[i]))
    best = min(1.0, MAX_ADVANCE / fastest_joint) / SAFETY
    best = _scene_ratio(robot, field, centers, speed, margin, best, 0.0)
    if best >= 0.0:
        best = _self_ratio(robot, centers, bounds, speed, 1.0, margin, best, 0.0)
    if best < 0.0:
        return -1.0
    fastest = 1e-9
    for s in range(len(speed)):
        fastest = max(fastest, speed[s])
    return max(SAFETY * best, min(1.0, MIN_ADVANCE / fastest))


@njit(cache=True, nogil=True)
def free_fraction(robot, field, q_from, q_to, width, margin, work, point, step):
    """Fraction of the straight edge q_from → q_to that is known to keep `margin`; 1 if all of it, −1 if not even
    its begin. `point` and `step` are scratch (dof,)."""
    t = last = 0.0
    for i in range(len(q_from)):
        step[i] = q_to[i] - q_from[i]
    while True:
        for i in range(len(q_from)):
            point[i] = q_from[i] + t * step[i]
        ahead = advance(robot, field, point, step, width, margin, work)
        if ahead < 0.0:
            return last if t > 0.0 else -1.0
        if t >= 1.0:
            return 1.0
        last = t
        t = min(1.0, t + ahead)


@njit(cache=True, nogil=True)
def first_collision(robot, field, path, width, margin):
    """Index of the first edge of a polyline (N, dof) that comes closer than `margin` (N − 1,); −1 if none does."""
    work = scratch(robot)
    point, step = np.empty(path.shape[1]), np.empty(path.shape[1])
    for k in range(len(path) - 1):
        if free_fraction(robot, field, path[k], path[k + 1], width, margin[k], work, point, step) < 1.0:
            return k
    return -1


@njit(cache=True, nogil=True)
def ball_clearances(field, centers, radius):
    """Smallest clearance (G,) [m] of groups of balls with centres (G, S, 3) in base and radii (S,) to the scene."""
    out = np.empty(len(centers))
    for g in range(len(centers)):
        best = inf
        for s in range(len(radius)):
            limit = best + radius[s]
            best = min(best, _distance(field, centers[g, s, 0], centers[g, s, 1], centers[g, s, 2], limit) - radius[s])
        out[g] = best
    return out


@njit(cache=True, nogil=True)
def can_rise(field, points, height, margin, tolerance):
    """Whether points (P, 3) in base, moved straight up by `height`, touch nothing on their way.

    What a point touches at the start (the table, a neighbour) may stay as near as it is, but no nearer.
    """
    steps = floor(height / 0.005) + 1
    for p in range(len(points)):
        x, y, z = points[p]
        allowed = min(margin, _distance(field, x, y, z, margin)) - tolerance
        for k in range(1, steps + 1):
            if _distance(field, x, y, z + height * k / steps, margin) < allowed:
                return False
    return True
