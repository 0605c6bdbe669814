"""Contacts on a union of convex parts: surface samples, lines through it, and what a finger pad would touch."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from syngrasp.geometry.hulls import F64, ConvexParts, inside_any

TOUCH = 2e-4  # parts nearer than this along a line count as one solid [m]
MAX_INTERVALS = 64


def sample_surface(parts: ConvexParts, rng: np.random.Generator, count: int) -> tuple[F64, F64, NDArray[np.int64]]:
    """Points uniform by area on the parts' surfaces, less those buried in another part.

    Returns points (≤ count, 3) [m], outward unit normals and the triangle of each.
    """
    points, triangle = _by_area(parts.triangles, rng, count)
    normals = parts.planes[parts.triangle_plane[triangle], :3]
    part = np.searchsorted(parts.triangle_start, triangle, side="right") - 1
    free = _uncovered(parts, points + TOUCH * normals, part)
    return points[free], normals[free], triangle[free]


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


def directions_in_cone(axis: F64, cosine: float, rng: np.random.Generator) -> F64:
    """Unit vectors (N, 3) uniform over the solid angle within arccos(cosine) of axes (N, 3)."""
    c = rng.uniform(cosine, 1.0, len(axis))
    phi = rng.uniform(0.0, 2.0 * np.pi, len(axis))
    e1 = np.cross(axis, np.eye(3)[np.argmin(np.abs(axis), axis=1)])
    e1 /= np.linalg.norm(e1, axis=1, keepdims=True)
    e2 = np.cross(axis, e1)
    s = np.sqrt(1.0 - c * c)
    return c[:, None] * axis + (s * np.cos(phi))[:, None] * e1 + (s * np.sin(phi))[:, None] * e2


@njit(cache=True, nogil=True)
def _uncovered(parts, points, part):
    out = np.empty(len(points), dtype=np.bool_)
    for n in range(len(points)):
        out[n] = not inside_any(parts, points[n, 0], points[n, 1], points[n, 2], 0.0, part[n])
    return out


@njit(cache=True, nogil=True)
def solid_intervals(parts, origin, direction, enter, leave, enter_plane, leave_plane):
    """Where the line origin + t · direction is inside the union, in order of t; returns how many intervals.

    Fills enter and leave (t [m] for a unit direction) and the planes crossed there; each array is (MAX_INTERVALS,).
    """
    ox, oy, oz = origin[0], origin[1], origin[2]
    dx, dy, dz = direction[0], direction[1], direction[2]
    count = 0
    for h in range(len(parts.plane_start) - 1):
        # The line's distance to the box's centre against the box's radius: most parts are passed over here.
        hx, hy, hz = parts.lower[h, 0], parts.lower[h, 1], parts.lower[h, 2]
        ux, uy, uz = parts.upper[h, 0], parts.upper[h, 1], parts.upper[h, 2]
        mx, my, mz = 0.5 * (hx + ux) - ox, 0.5 * (hy + uy) - oy, 0.5 * (hz + uz) - oz
        along = mx * dx + my * dy + mz * dz
        radius_sq = 0.25 * ((ux - hx) ** 2 + (uy - hy) ** 2 + (uz - hz) ** 2)
        if mx * mx + my * my + mz * mz - along * along > radius_sq:
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
            if low >= high:
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


@njit(cache=True, nogil=True)
def opposing_contacts(parts, points, normals, directions, cosine, min_width, max_width):
    """Pairs of contacts on the lines from points (N, 3) along unit directions (N, 3) into the body.

    A pair is every place where the line leaves the body within max_width, behind a first contact that is really on
    the outside, with the line within arccos(cosine) of both normals. Returns the index of the point, the width [m]
    and the second outward normal (3,) of each pair.
    """
    source = np.empty(4 * len(points), dtype=np.int64)
    width = np.empty(4 * len(points))
    opposite = np.empty((4 * len(points), 3))
    enter, leave = np.empty(MAX_INTERVALS), np.empty(MAX_INTERVALS)
    enter_plane, leave_plane = np.empty(MAX_INTERVALS, np.int64), np.empty(MAX_INTERVALS, np.int64)
    count = 0
    for n in range(len(points)):
        d = directions[n]
        if -(d[0] * normals[n, 0] + d[1] * normals[n, 1] + d[2] * normals[n, 2]) < cosine:
            continue
        found = solid_intervals(parts, points[n], d, enter, leave, enter_plane, leave_plane)
        used = 0
        started = False
        for k in range(found):
            started = started or abs(enter[k]) < 1e-6
            if not started or leave[k] < min_width:
                continue
            if leave[k] > max_width or used == 4:
                break
            i = leave_plane[k]
            if d[0] * parts.planes[i, 0] + d[1] * parts.planes[i, 1] + d[2] * parts.planes[i, 2] < cosine:
                continue
            source[count], width[count] = n, leave[k]
            for axis in range(3):
                opposite[count, axis] = parts.planes[i, axis]
            count += 1
            used += 1
    return source[:count], width[:count], opposite[:count]


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
            found = solid_intervals(parts, origin, line, enter, leave, enter_plane, leave_plane)
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
