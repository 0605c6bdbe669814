"""Compiled distances of points to a scene: signed-distance grids of objects, and a table."""

# An intrinsic takes one argument less than its definition shows.
# pyright: reportCallIssue=false

from __future__ import annotations

from math import inf, sqrt

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

RISE_STEP = 0.005  # least rise between two looks [m]
RISE_SIGHT = 0.05  # how far a rising point looks around [m]


@intrinsic
def _load_f32(typing_context, address, index):
    """The float32 at address + 4 · index: grids of any number of objects without copying them."""

    def codegen(context, builder, signature, args):
        pointer = builder.inttoptr(args[0], ir.PointerType(ir.FloatType()))
        return builder.load(builder.gep(pointer, [args[1]]))

    return types.float32(types.int64, types.int64), codegen


@njit(cache=True, nogil=True)
def grid_distance(address, shape, to_grid, box, cell, scale, n, x, y, z, limit):
    """Distance of a point in base to object n where it is below `limit`; else, or outside the grid, a lower bound.

    The object lies inside its box, and its box inside the grid. Both are convex, so with c the nearest point of the
    grid |p − o|² ≥ |p − c|² + |c − o|² for every point o of the object.
    """
    u = to_grid[n, 0, 0] * x + to_grid[n, 0, 1] * y + to_grid[n, 0, 2] * z + to_grid[n, 0, 3]
    v = to_grid[n, 1, 0] * x + to_grid[n, 1, 1] * y + to_grid[n, 1, 2] * z + to_grid[n, 1, 3]
    w = to_grid[n, 2, 0] * x + to_grid[n, 2, 1] * y + to_grid[n, 2, 2] * z + to_grid[n, 2, 3]
    du = max(box[n, 0, 0] - u, max(u - box[n, 1, 0], 0.0))
    dv = max(box[n, 0, 1] - v, max(v - box[n, 1, 1], 0.0))
    dw = max(box[n, 0, 2] - w, max(w - box[n, 1, 2], 0.0))
    to_box = sqrt(du * du + dv * dv + dw * dw) * cell[n]
    if to_box >= limit:
        return to_box
    nx, ny, nz = shape[n, 0], shape[n, 1], shape[n, 2]
    cu, cv, cw = min(max(u, 0.0), nx - 1.0), min(max(v, 0.0), ny - 1.0), min(max(w, 0.0), nz - 1.0)
    outside = ((u - cu) ** 2 + (v - cv) ** 2 + (w - cw) ** 2) * cell[n] ** 2
    i, j, k = min(int(cu), nx - 2), min(int(cv), ny - 2), min(int(cw), nz - 2)
    fu, fv, fw = cu - i, cv - j, cw - k
    start, base, row, layer = address[n], (i * ny + j) * nz + k, nz, ny * nz
    c00 = _load_f32(start, base) * (1 - fw) + _load_f32(start, base + 1) * fw
    c01 = _load_f32(start, base + row) * (1 - fw) + _load_f32(start, base + row + 1) * fw
    c10 = _load_f32(start, base + layer) * (1 - fw) + _load_f32(start, base + layer + 1) * fw
    c11 = _load_f32(start, base + layer + row) * (1 - fw) + _load_f32(start, base + layer + row + 1) * fw
    value = ((c00 * (1 - fv) + c01 * fv) * (1 - fu) + (c10 * (1 - fv) + c11 * fv) * fu) * scale[n]
    if outside > 0.0:
        value = sqrt(outside + max(value, 0.0) ** 2)
    # Where cells round an edge off the grid says less than the box does: `limit` is not to decide which of them counts.
    return max(to_box, value) if to_box > 0.0 else value


@njit(cache=True, nogil=True, inline="always")
def table_distance(table, x, y, z):
    """Distance of a point to the block under the table's top."""
    dx = abs(x - table[0]) - table[2]
    dy = abs(y - table[1]) - table[3]
    dz = z - table[4]
    inside = max(dx, max(dy, dz))
    ex, ey, ez = max(dx, 0.0), max(dy, 0.0), max(dz, 0.0)
    return inside if inside < 0.0 else sqrt(ex * ex + ey * ey + ez * ez)


@njit(cache=True, nogil=True)
def point_distance(field, x, y, z, limit):
    """Distance of a point to the scene, exact where it is below `limit`."""
    address, shape, to_grid, box, cell, scale, center, radius, table, top = field
    best = limit
    if z - table[4] < best:
        best = min(best, table_distance(table, x, y, z))
    if z - top < best:
        for n in range(len(cell)):
            dx, dy, dz = x - center[n, 0], y - center[n, 1], z - center[n, 2]
            near = best + radius[n]
            if near > 0.0 and dx * dx + dy * dy + dz * dz < near * near:
                best = min(best, grid_distance(address, shape, to_grid, box, cell, scale, n, x, y, z, best))
    return best


@njit(cache=True, nogil=True)
def ball_clearances(field, centers, radius):
    """Smallest clearance (G,) [m] of groups of balls with centres (G, S, 3) in base and radii (S,) to the scene."""
    out = np.empty(len(centers))
    for g in range(len(centers)):
        best = inf
        for s in range(len(radius)):
            limit = best + radius[s]
            best = min(
                best, point_distance(field, centers[g, s, 0], centers[g, s, 1], centers[g, s, 2], limit) - radius[s]
            )
        out[g] = best
    return out


@njit(cache=True, nogil=True)
def can_rise(field, points, height, margin, tolerance):
    """Whether points (P, 3) in base, moved straight up by `height`, touch nothing on their way.

    What a point touches at the start (the table, a neighbour) may stay as near as it is, but no nearer. A point that is
    far from everything rises by as much before it is looked at again.
    """
    for p in range(len(points)):
        x, y, z = points[p]
        distance = point_distance(field, x, y, z, RISE_SIGHT)
        allowed = min(margin, distance) - tolerance
        risen = 0.0
        while risen < height:
            risen = min(risen + max(distance - allowed, RISE_STEP), height)
            distance = point_distance(field, x, y, z + risen, RISE_SIGHT)
            if distance < allowed:
                return False
    return True
