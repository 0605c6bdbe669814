"""Convex parts packed into flat arrays, and the kernels that ask about points and rays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.spatial import ConvexHull, QhullError

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]


class ConvexParts(NamedTuple):
    """H convex parts. Part h owns planes [plane_start[h], plane_start[h+1]) and likewise triangles."""

    planes: F64  # (P, 4) outward unit normal n and offset d: n·x + d ≤ 0 inside; coplanar faces share one
    plane_start: I32  # (H + 1,)
    plane_triangle: I32  # (P,) a triangle in each plane
    triangles: F64  # (T, 3, 3) corners [m], counter-clockwise seen from outside
    triangle_plane: I32  # (T,) index into planes
    triangle_start: I32  # (H + 1,)
    corners: I32  # (T, 3) vertex of each corner
    fan: I32  # (3 T,) the triangles around vertex v: fan[fan_start[v] : fan_start[v + 1]]
    fan_start: I32  # (V + 1,)
    lower: F64  # (H, 3) corner of the bounding box [m]
    upper: F64  # (H, 3)


def pack_hulls(hulls: Sequence[F64]) -> ConvexParts:
    """Packs the convex hulls of point sets (Hᵢ, 3) [m].

    A set that spans no volume is thickened by one part in a million of the whole. Raises ValueError without hulls.
    """
    if not len(hulls):
        raise ValueError("no convex parts")
    scale = float(np.ptp(np.concatenate([np.asarray(h) for h in hulls]), axis=0).max())
    planes, plane_triangle, triangles, owner, corners = [], [], [], [], []
    plane_start, triangle_start, vertex_count, lower, upper = [0], [0], 0, [], []
    for vertices in hulls:
        hull = _convex_hull(np.ascontiguousarray(vertices, dtype=np.float64), scale)
        simplices = hull.simplices.copy()
        a, b, c = np.moveaxis(hull.points[simplices], 1, 0)
        # A sliver's own normal is noise: Qhull's equation of its facet decides the order of its corners.
        flipped = np.einsum("ti,ti->t", np.cross(b - a, c - a), hull.equations[:, :3]) < 0.0
        simplices[flipped] = simplices[flipped][:, [0, 2, 1]]
        key = np.round(hull.equations / np.array([1e-6, 1e-6, 1e-6, 1e-7 * max(scale, 1e-9)])).astype(np.int64)
        _, first, index = np.unique(key, axis=0, return_index=True, return_inverse=True)
        owner.append(index.reshape(-1) + plane_start[-1])
        planes.append(hull.equations[first])
        plane_triangle.append(first + triangle_start[-1])
        triangles.append(hull.points[simplices])
        corners.append(simplices + vertex_count)
        vertex_count += len(hull.points)
        plane_start.append(plane_start[-1] + len(first))
        triangle_start.append(triangle_start[-1] + len(simplices))
        lower.append(hull.points[hull.vertices].min(axis=0))
        upper.append(hull.points[hull.vertices].max(axis=0))
    flat = np.concatenate(corners).reshape(-1)
    return ConvexParts(
        planes=np.ascontiguousarray(np.concatenate(planes)),
        plane_start=np.array(plane_start, dtype=np.int32),
        plane_triangle=np.concatenate(plane_triangle).astype(np.int32),
        triangles=np.ascontiguousarray(np.concatenate(triangles)),
        triangle_plane=np.concatenate(owner).astype(np.int32),
        triangle_start=np.array(triangle_start, dtype=np.int32),
        corners=flat.reshape(-1, 3).astype(np.int32),
        fan=(np.argsort(flat, kind="stable") // 3).astype(np.int32),
        fan_start=np.concatenate([[0], np.cumsum(np.bincount(flat, minlength=vertex_count))]).astype(np.int32),
        lower=np.array(lower),
        upper=np.array(upper),
    )


def _convex_hull(points: F64, scale: float) -> ConvexHull:
    try:
        return ConvexHull(points)
    except QhullError:
        offsets = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * max(scale, 1e-6) * 1e-6
        return ConvexHull((points[:, None] + offsets).reshape(-1, 3))


@njit(cache=True, nogil=True)
def triangle_distance_sq(px, py, pz, triangle):
    """Squared distance from a point to a triangle (3, 3), and where the nearest point is.

    The second value is −1 in the face's interior, else a corner: the nearest one or the first of the nearest edge
    (Ericson, Real-Time Collision Detection, 5.1.5).
    """
    tiny = 1e-300
    ax, ay, az = triangle[0]
    bx, by, bz = triangle[1]
    cx, cy, cz = triangle[2]
    abx, aby, abz = bx - ax, by - ay, bz - az
    acx, acy, acz = cx - ax, cy - ay, cz - az
    apx, apy, apz = px - ax, py - ay, pz - az
    d1 = abx * apx + aby * apy + abz * apz
    d2 = acx * apx + acy * apy + acz * apz
    if d1 <= 0.0 and d2 <= 0.0:
        return apx * apx + apy * apy + apz * apz, 0
    bpx, bpy, bpz = px - bx, py - by, pz - bz
    d3 = abx * bpx + aby * bpy + abz * bpz
    d4 = acx * bpx + acy * bpy + acz * bpz
    if d3 >= 0.0 and d4 <= d3:
        return bpx * bpx + bpy * bpy + bpz * bpz, 1
    cpx, cpy, cpz = px - cx, py - cy, pz - cz
    d5 = abx * cpx + aby * cpy + abz * cpz
    d6 = acx * cpx + acy * cpy + acz * cpz
    if d6 >= 0.0 and d5 <= d6:
        return cpx * cpx + cpy * cpy + cpz * cpz, 2
    va, vb, vc = d3 * d6 - d5 * d4, d5 * d2 - d1 * d6, d1 * d4 - d3 * d2
    if vc <= 0.0 and d1 >= 0.0 and d3 <= 0.0:
        v, w, corner = d1 / max(d1 - d3, tiny), 0.0, 0
    elif vb <= 0.0 and d2 >= 0.0 and d6 <= 0.0:
        v, w, corner = 0.0, d2 / max(d2 - d6, tiny), 0
    elif va <= 0.0 and d4 >= d3 and d5 >= d6:
        w = (d4 - d3) / max((d4 - d3) + (d5 - d6), tiny)
        v, corner = 1.0 - w, 1
    else:
        total = max(va + vb + vc, tiny)
        v, w, corner = vb / total, vc / total, -1
    ex, ey, ez = apx - v * abx - w * acx, apy - v * aby - w * acy, apz - v * abz - w * acz
    return ex * ex + ey * ey + ez * ez, corner


@njit(cache=True, nogil=True)
def plane_side(parts, i, px, py, pz):
    """Signed distance of a point to plane i, positive outside."""
    return parts.planes[i, 0] * px + parts.planes[i, 1] * py + parts.planes[i, 2] * pz + parts.planes[i, 3]


@njit(cache=True, nogil=True)
def part_distance(parts, h, px, py, pz, bound, hint):
    """Signed distance from a point to part h; infinity where it is known to be at least `bound`.

    `hint` (H,) holds the triangle to begin from in each part and takes the nearest one: close queries in a row
    cost a few triangles each. From a face that looks at the point, the walk to ever nearer such faces around the
    nearest corner ends only at the nearest point of the part: any other point on the faces in view has a face in
    view beside it that comes closer, because the part lies in the cone of its faces there.
    """
    gap_x = max(parts.lower[h, 0] - px, px - parts.upper[h, 0], 0.0)
    gap_y = max(parts.lower[h, 1] - py, py - parts.upper[h, 1], 0.0)
    gap_z = max(parts.lower[h, 2] - pz, pz - parts.upper[h, 2], 0.0)
    if bound > 0.0 and gap_x * gap_x + gap_y * gap_y + gap_z * gap_z >= bound * bound:
        return np.inf
    triangle = hint[h]
    if plane_side(parts, parts.triangle_plane[triangle], px, py, pz) <= 0.0:
        highest = -np.inf
        for i in range(parts.plane_start[h], parts.plane_start[h + 1]):
            side = plane_side(parts, i, px, py, pz)
            if side > highest:
                highest = side
                triangle = parts.plane_triangle[i]
        if highest <= 0.0:
            return highest
        if highest >= bound:
            return np.inf
    best, corner = triangle_distance_sq(px, py, pz, parts.triangles[triangle])
    while corner >= 0:
        vertex = parts.corners[triangle, corner]
        moved = False
        for i in range(parts.fan_start[vertex], parts.fan_start[vertex + 1]):
            t = parts.fan[i]
            if plane_side(parts, parts.triangle_plane[t], px, py, pz) <= 0.0:
                continue
            distance, where = triangle_distance_sq(px, py, pz, parts.triangles[t])
            if distance < best * (1.0 - 1e-13):
                best, corner, triangle, moved = distance, where, t, True
        if not moved:
            break
    hint[h] = triangle
    return np.sqrt(best)


@njit(cache=True, nogil=True)
def inside_any(parts, px, py, pz, depth, skip):
    """Whether a point lies deeper than `depth` [m] inside a part other than `skip`."""
    for h in range(len(parts.plane_start) - 1):
        if h == skip:
            continue
        if (
            px < parts.lower[h, 0]
            or px > parts.upper[h, 0]
            or py < parts.lower[h, 1]
            or py > parts.upper[h, 1]
            or pz < parts.lower[h, 2]
            or pz > parts.upper[h, 2]
        ):
            continue
        inside = True
        for i in range(parts.plane_start[h], parts.plane_start[h + 1]):
            if plane_side(parts, i, px, py, pz) > -depth:
                inside = False
                break
        if inside:
            return True
    return False
