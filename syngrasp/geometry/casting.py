"""Contacts on a union of convex parts: surface samples, lines through it, and what a finger pad would touch."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from syngrasp.geometry.hulls import F64, ConvexParts

TOUCH = 2e-4  # parts nearer than this along a line count as one solid [m]
MAX_INTERVALS = 64
MAX_EXITS = 4  # pairs from one point


def points_on_mesh(vertices: F64, faces: NDArray[np.integer], rng: np.random.Generator, count: int = 20_000) -> F64:
    """The corners (V, 3) [m] of a mesh and points uniform by area on it: (V + count, 3) [m]."""
    return np.concatenate([vertices, _by_area(vertices[faces], rng, count)[0]])


def _by_area(triangles: F64, rng: np.random.Generator, count: int) -> tuple[F64, NDArray[np.intp]]:
    """Points (count, 3) uniform by area on triangles (T, 3, 3), and the triangle of each."""
    edges = triangles[:, 1:] - triangles[:, :1]
    area = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1)
    triangle = np.searchsorted(np.cumsum(area), rng.random(count) * area.sum(), side="right")
    triangle = np.minimum(triangle, len(area) - 1)
    u = rng.random((count, 2))
    u = np.where(u.sum(axis=1, keepdims=True) > 1.0, 1.0 - u, u)
    return triangles[triangle, 0] + np.einsum("nk,nki->ni", u, edges[triangle]), triangle


@njit(cache=True, nogil=True)
def solid_intervals(parts, origin, direction, first, last, enter, leave, enter_plane, leave_plane):
    """Where the line origin + t · direction is inside the union, in order of t; returns how many intervals.

    Parts that the line meets only before `first` or after `last` [m] are left out. Fills enter and leave (t [m] for a
    unit direction) and the planes crossed there; each array is (MAX_INTERVALS,).
    """
    ox, oy, oz = origin[0], origin[1], origin[2]
    dx, dy, dz = direction[0], direction[1], direction[2]
    ix = 1.0 / dx if abs(dx) > 1e-12 else 1e12
    iy = 1.0 / dy if abs(dy) > 1e-12 else 1e12
    iz = 1.0 / dz if abs(dz) > 1e-12 else 1e12
    count = 0
    for h in range(len(parts.plane_start) - 1):
        # Most parts are passed over by their box.
        a, b = (parts.lower[h, 0] - ox) * ix, (parts.upper[h, 0] - ox) * ix
        low, high = max(first, min(a, b)), min(last, max(a, b))
        a, b = (parts.lower[h, 1] - oy) * iy, (parts.upper[h, 1] - oy) * iy
        low, high = max(low, min(a, b)), min(high, max(a, b))
        a, b = (parts.lower[h, 2] - oz) * iz, (parts.upper[h, 2] - oz) * iz
        low, high = max(low, min(a, b)), min(high, max(a, b))
        if low > high + 1e-9:
            continue
        low, high = -np.inf, np.inf
        low_plane, high_plane = -1, -1
        for i in range(parts.plane_start[h], parts.plane_start[h + 1]):
            nx, ny, nz = parts.planes[i, 0], parts.planes[i, 1], parts.planes[i, 2]
            side = nx * ox + ny * oy + nz * oz + parts.planes[i, 3]
            slope = nx * dx + ny * dy + nz * dz
            if slope < -1e-12:
                t = -side / slope
                if t > low:
                    low, low_plane = t, i
            elif slope > 1e-12:
                t = -side / slope
                if t < high:
                    high, high_plane = t, i
            elif side > 0.0:
                low, high = 1.0, 0.0
                break
            if low >= high or low > last or high < first:
                low, high = 1.0, 0.0
                break
        if low >= high or count == MAX_INTERVALS:
            continue
        k = count
        while k > 0 and enter[k - 1] > low:
            enter[k], leave[k] = enter[k - 1], leave[k - 1]
            enter_plane[k], leave_plane[k] = enter_plane[k - 1], leave_plane[k - 1]
            k -= 1
        enter[k], leave[k], enter_plane[k], leave_plane[k] = low, high, low_plane, high_plane
        count += 1
    merged = 0
    for k in range(count):
        if merged > 0 and enter[k] <= leave[merged - 1] + TOUCH:
            if leave[k] > leave[merged - 1]:
                leave[merged - 1], leave_plane[merged - 1] = leave[k], leave_plane[k]
        else:
            enter[merged], leave[merged] = enter[k], leave[k]
            enter_plane[merged], leave_plane[merged] = enter_plane[k], leave_plane[k]
            merged += 1
    return merged


def antipodal_pairs(
    parts: ConvexParts, dice: F64, cosine: float, min_width: float, max_width: float
) -> tuple[F64, F64]:
    """Pairs of contacts and their outward normals, each (M, 2, 3), from uniform dice (N, 5) in [0, 1).

    The first three dice draw a point uniform by area on the parts' surfaces, the others a line into the body: half
    along the normal, half uniform in the cone of arccos(cosine) about it. Where the point is really on the outside,
    every place where the line leaves the body between the two widths [m], within that cone of the normal there, is a
    pair; at most `MAX_EXITS` from one point.
    """
    edges = parts.triangles[:, 1:] - parts.triangles[:, :1]
    area = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=1)
    contacts, normals = np.empty((2, MAX_EXITS * len(dice), 2, 3))
    count = _antipodal_pairs(
        parts, np.cumsum(area) / area.sum(), np.ascontiguousarray(dice), cosine, min_width, max_width, contacts, normals
    )
    return contacts[:count].copy(), normals[:count].copy()


@njit(cache=True, nogil=True)
def _antipodal_pairs(parts, share, dice, cosine, min_width, max_width, contacts, normals):
    enter, leave = np.empty(MAX_INTERVALS), np.empty(MAX_INTERVALS)
    enter_plane, leave_plane = np.empty(MAX_INTERVALS, np.int64), np.empty(MAX_INTERVALS, np.int64)
    p, d = np.empty(3), np.empty(3)
    count = 0
    for n in range(len(dice)):
        t = min(np.searchsorted(share, dice[n, 0]), len(share) - 1)
        u, v = dice[n, 1], dice[n, 2]
        if u + v > 1.0:
            u, v = 1.0 - u, 1.0 - v
        corner = parts.triangles[t]
        first = parts.triangle_plane[t]
        for axis in range(3):
            p[axis] = (1.0 - u - v) * corner[0, axis] + u * corner[1, axis] + v * corner[2, axis]
        _inward(parts.planes[first], max(2.0 * dice[n, 3] - 1.0, 0.0) * (1.0 - cosine), dice[n, 4], d)
        found = solid_intervals(parts, p, d, -TOUCH, max_width, enter, leave, enter_plane, leave_plane)
        exits = 0
        outside = False
        for k in range(found):
            outside = outside or abs(enter[k]) < 1e-6
            if not outside or leave[k] < min_width:
                continue
            if leave[k] > max_width or exits == MAX_EXITS:
                break
            i = leave_plane[k]
            if d[0] * parts.planes[i, 0] + d[1] * parts.planes[i, 1] + d[2] * parts.planes[i, 2] < cosine:
                continue
            for axis in range(3):
                contacts[count, 0, axis] = p[axis]
                contacts[count, 1, axis] = p[axis] + leave[k] * d[axis]
                normals[count, 0, axis] = parts.planes[first, axis]
                normals[count, 1, axis] = parts.planes[i, axis]
            count += 1
            exits += 1
    return count


@njit(cache=True, nogil=True)
def _inward(normal, drop, turn, out):
    """The unit vector whose cosine to −normal is 1 − drop, turned about it by a share of the circle, into out (3,)."""
    x, y, z = -normal[0], -normal[1], -normal[2]
    # An orthonormal basis about (x, y, z) without a branch on its direction (Duff et al., JCGT 2017).
    sign = 1.0 if z >= 0.0 else -1.0
    a = -1.0 / (sign + z)
    b = x * y * a
    c, s = 1.0 - drop, np.sqrt(max(drop * (2.0 - drop), 0.0))
    e, f = s * np.cos(2.0 * np.pi * turn), s * np.sin(2.0 * np.pi * turn)
    out[0] = c * x + e * (1.0 + sign * x * x * a) + f * b
    out[1] = c * y + e * (sign * b) + f * (sign + y * y * a)
    out[2] = c * z - e * (sign * x) - f * y


@njit(cache=True, nogil=True)
def pad_support(parts, contacts, disc, tolerance, reach):
    """How well the body fills two flat pads that close on contacts (N, 2, 3): support (N,) and bulge (N,) [m].

    The pads are discs, sampled at offsets disc (K, 2) [m] across the closing line. Support is the share of samples
    where the body comes within `tolerance` [m] of the pad, on the worse side. Bulge is how far the body reaches past
    the contact towards the finger, looked for up to `reach` [m] before it: where it is large the pad never arrives.
    """
    support, bulge = np.empty(len(contacts)), np.empty(len(contacts))
    enter, leave = np.empty(MAX_INTERVALS), np.empty(MAX_INTERVALS)
    enter_plane, leave_plane = np.empty(MAX_INTERVALS, np.int64), np.empty(MAX_INTERVALS, np.int64)
    for n in range(len(contacts)):
        line = contacts[n, 1] - contacts[n, 0]
        width = np.sqrt(line @ line)
        line = line / width
        axis = np.zeros(3)
        axis[np.argmin(np.abs(line))] = 1.0
        e1 = np.cross(line, axis)
        e1 /= np.sqrt(e1 @ e1)
        e2 = np.cross(line, e1)
        near, far, most = 0, 0, 0.0
        for k in range(len(disc)):
            origin = contacts[n, 0] + disc[k, 0] * e1 + disc[k, 1] * e2
            found = solid_intervals(parts, origin, line, -reach, width + reach, enter, leave, enter_plane, leave_plane)
            for j in range(found):
                if leave[j] > -reach:
                    most = max(most, -max(enter[j], -reach))
                    if abs(enter[j]) < tolerance:
                        near += 1
                    break
            for j in range(found - 1, -1, -1):
                if enter[j] < width + reach:
                    most = max(most, min(leave[j], width + reach) - width)
                    if abs(leave[j] - width) < tolerance:
                        far += 1
                    break
        support[n] = min(near, far) / len(disc)
        bulge[n] = most
    return support, bulge
