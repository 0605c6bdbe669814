"""Signed distance to a union of convex parts: exact at points, and sampled on a grid for fast look-up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit
from scipy.spatial import KDTree

from syngrasp.geometry.hulls import F64, ConvexParts, inside_any, pack_hulls, part_distance, plane_side
from syngrasp.records import SdfGrid

DISC_NEIGHBOURS = 8  # surface discs looked at for one interior point


def build_sdf(hulls: Sequence[F64], resolution: int = 48, margin: float | None = None) -> SdfGrid:
    """Samples the signed distance to the union of convex hulls (Hᵢ, 3) [m] on a grid.

    `resolution` samples span the longest side of the bounding box grown by `margin` [m] on each side;
    by default the margin is three cells. Values are positive outside.
    """
    parts = pack_hulls(hulls)
    low, high = parts.lower.min(axis=0), parts.upper.max(axis=0)
    longest = max(float((high - low).max()), 1e-9)
    if resolution < 8:
        raise ValueError(f"resolution {resolution} is below 8")
    spacing = longest / (resolution - 7) if margin is None else (longest + 2.0 * margin) / (resolution - 1)
    pad = 3.0 * spacing if margin is None else margin
    # The box is a whole number of cells, so that its faces keep at least the margin on every side.
    shape = np.ceil((high - low + 2.0 * pad) / spacing - 1e-9).astype(np.int64) + 1
    origin = 0.5 * (low + high) - 0.5 * spacing * (shape - 1)
    values = np.empty(shape, dtype=np.float64)
    _fill_outside(parts, origin, spacing, values)
    inside = np.argwhere(values <= 0.0)
    if len(parts.lower) > 1 and len(inside):
        values[tuple(inside.T)] = -_interior_depth(parts, origin + spacing * inside, spacing)
    return SdfGrid(values=values.astype(np.float32), origin=origin, spacing=spacing)


def signed_distance(parts: ConvexParts, points: F64, resolution: float | None = None) -> F64:
    """Signed distance (N,) [m] from points (N, 3) [m] to the union of parts, positive outside.

    Outside and in a single part it is exact. Where parts overlap or touch, the depth is measured to the union's own
    surface, sampled by discs of size `resolution` [m] (a fiftieth of the longest side by default).
    """
    points = np.ascontiguousarray(points, dtype=np.float64)
    values = _distance_at(parts, points)
    inside = np.flatnonzero(values <= 0.0)
    if len(parts.lower) > 1 and len(inside):
        if resolution is None:
            resolution = float((parts.upper.max(axis=0) - parts.lower.min(axis=0)).max()) / 50.0
        values[inside] = -_interior_depth(parts, points[inside], resolution)
    return values


def _interior_depth(parts: ConvexParts, points: F64, step: float) -> F64:
    """Distance (N,) from points inside the union to its surface.

    It is no less than the depth in any one part, and equal to the largest of these where the nearest point on that part
    is on the union's surface. Elsewhere it is sought among discs about `step` apart that cover the surface.
    """
    depth, exact = _deepest(parts, points, 0.1 * step)
    rest = np.flatnonzero(~exact)
    if not len(rest):
        return depth
    centers, normals = surface_discs(parts, step)
    if not len(centers):
        return depth
    k = min(DISC_NEIGHBOURS, len(centers))
    _, index = KDTree(centers).query(points[rest], k=k)
    index = index.reshape(len(rest), k)
    offset = points[rest, None] - centers[index]
    along = np.einsum("nki,nki->nk", offset, normals[index])
    across = np.sqrt(np.maximum(np.einsum("nki,nki->nk", offset, offset) - along**2, 0.0))
    found = np.sqrt(along**2 + np.maximum(across - 0.6 * step, 0.0) ** 2).min(axis=1)
    depth[rest] = np.maximum(depth[rest], found)
    return depth


@njit(cache=True, nogil=True)
def _deepest(parts, points, lift):
    """The largest depth (N,) in any one part, and whether the face there, `lift` above it, is bare (N,)."""
    depth, bare = np.zeros(len(points)), np.zeros(len(points), dtype=np.bool_)
    for n in range(len(points)):
        x, y, z = points[n, 0], points[n, 1], points[n, 2]
        part, face = -1, -1
        for h in range(len(parts.plane_start) - 1):
            least, nearest = np.inf, -1
            for i in range(parts.plane_start[h], parts.plane_start[h + 1]):
                inward = -plane_side(parts, i, x, y, z)
                if inward < least:
                    least, nearest = inward, i
                    if least < depth[n]:
                        break
            if least > depth[n] or (least >= depth[n] and part < 0):
                depth[n], part, face = least, h, nearest
        if part >= 0:
            up = depth[n] + lift
            x, y, z = x + up * parts.planes[face, 0], y + up * parts.planes[face, 1], z + up * parts.planes[face, 2]
            bare[n] = not inside_any(parts, x, y, z, 0.0, part)
    return depth, bare


def surface_discs(parts: ConvexParts, step: float) -> tuple[F64, F64]:
    """Centres (N, 3) [m] and outward normals (N, 3) of discs of radius about 0.6 · step that cover the union's surface.

    What of a part's surface lies in another part, or touches it, is left out.
    """
    edges = parts.triangles[:, [1, 2, 0]] - parts.triangles
    count = np.maximum(np.ceil(np.linalg.norm(edges, axis=2).max(axis=1) / step), 1).astype(np.int64)
    centers, owner = _subdivide(parts.triangles, count)
    part = np.searchsorted(parts.triangle_start, owner, side="right") - 1
    normals = parts.planes[parts.triangle_plane[owner], :3]
    free = _exposed(parts, centers + 0.1 * step * normals, part)
    return centers[free], normals[free]


@njit(cache=True, nogil=True)
def _subdivide(triangles, count):
    """Centroids of the count² small triangles of each triangle, and which triangle each comes from."""
    total = 0
    for n in count:
        total += n * n
    centers = np.empty((total, 3))
    owner = np.empty(total, dtype=np.int64)
    k = 0
    for t in range(len(triangles)):
        n = count[t]
        a = triangles[t, 0]
        ab = (triangles[t, 1] - a) / n
        ac = (triangles[t, 2] - a) / n
        for i in range(n):
            for j in range(n - i):
                for half in range(2):
                    if half == 1 and i + j >= n - 1:
                        continue
                    u = i + (1.0 + half) / 3.0
                    v = j + (1.0 + half) / 3.0
                    for axis in range(3):
                        centers[k, axis] = a[axis] + u * ab[axis] + v * ac[axis]
                    owner[k] = t
                    k += 1
    return centers[:k], owner[:k]


@njit(cache=True, nogil=True)
def _exposed(parts, points, part):
    out = np.empty(len(points), dtype=np.bool_)
    for n in range(len(points)):
        out[n] = not inside_any(parts, points[n, 0], points[n, 1], points[n, 2], 0.0, part[n])
    return out


@njit(cache=True, nogil=True)
def _union_distance(parts, x, y, z, bound, hint):
    """Distance to the union outside; inside, minus the largest depth in any one part. `bound` is above the answer."""
    best = bound
    for h in range(len(parts.plane_start) - 1):
        best = min(best, part_distance(parts, h, x, y, z, best, hint))
    return best


@njit(cache=True, nogil=True)
def _distance_at(parts, points):
    out = np.empty(len(points))
    hint = parts.triangle_start[:-1].copy()
    for n in range(len(points)):
        out[n] = _union_distance(parts, points[n, 0], points[n, 1], points[n, 2], np.inf, hint)
    return out


@njit(cache=True, nogil=True)
def _fill_outside(parts, origin, spacing, values):
    # A distance changes by at most the step between two samples: the last one bounds the next, and most
    # parts are passed over by their box.
    hint = parts.triangle_start[:-1].copy()
    for i in range(values.shape[0]):
        x = origin[0] + i * spacing
        for j in range(values.shape[1]):
            y = origin[1] + j * spacing
            bound = np.inf
            for k in range(values.shape[2]):
                value = _union_distance(parts, x, y, origin[2] + k * spacing, bound, hint)
                values[i, j, k] = value
                bound = max(value, 0.0) + 1.001 * spacing


@njit(cache=True, nogil=True)
def sdf_value(values, origin, spacing, x, y, z):
    """Signed distance [m] at a point of the grid's frame: trilinear inside the grid.

    Outside, the distance to the surface point that the value and the gradient at the nearest grid point c give:
    |p − c + v ∇v|. Above a flat face it is v + |p − c|; it is never below √(v² + |p − c|²) − (interpolation error)
    for a unit gradient, the least that the grid allows.
    """
    return sdf_value_gradient(values, origin, spacing, x, y, z)[0]


@njit(cache=True, nogil=True)
def sdf_value_gradient(values, origin, spacing, x, y, z):
    """Signed distance [m] and its gradient (gx, gy, gz); the rules are those of `sdf_value`."""
    inverse = 1.0 / spacing
    u, v, w = (x - origin[0]) * inverse, (y - origin[1]) * inverse, (z - origin[2]) * inverse
    nx, ny, nz = values.shape
    cu = min(max(u, 0.0), nx - 1.0)
    cv = min(max(v, 0.0), ny - 1.0)
    cw = min(max(w, 0.0), nz - 1.0)
    i, j, k = min(int(cu), nx - 2), min(int(cv), ny - 2), min(int(cw), nz - 2)
    a, b, c = cu - i, cv - j, cw - k
    v000, v001 = float(values[i, j, k]), float(values[i, j, k + 1])
    v010, v011 = float(values[i, j + 1, k]), float(values[i, j + 1, k + 1])
    v100, v101 = float(values[i + 1, j, k]), float(values[i + 1, j, k + 1])
    v110, v111 = float(values[i + 1, j + 1, k]), float(values[i + 1, j + 1, k + 1])
    v00, v01 = v000 + c * (v001 - v000), v010 + c * (v011 - v010)
    v10, v11 = v100 + c * (v101 - v100), v110 + c * (v111 - v110)
    v0, v1 = v00 + b * (v01 - v00), v10 + b * (v11 - v10)
    value = v0 + a * (v1 - v0)
    gx = (v1 - v0) * inverse
    gy = ((1.0 - a) * (v01 - v00) + a * (v11 - v10)) * inverse
    gz = (
        (1.0 - a) * ((1.0 - b) * (v001 - v000) + b * (v011 - v010))
        + a * ((1.0 - b) * (v101 - v100) + b * (v111 - v110))
    ) * inverse
    dx, dy, dz = (u - cu) * spacing, (v - cv) * spacing, (w - cw) * spacing
    if dx == 0.0 and dy == 0.0 and dz == 0.0:
        return value, gx, gy, gz
    ex, ey, ez = dx + value * gx, dy + value * gy, dz + value * gz
    length = np.sqrt(ex * ex + ey * ey + ez * ez)
    return length, ex / length, ey / length, ez / length


@njit(cache=True, nogil=True)
def sdf_values(values, origin, spacing, points):
    """`sdf_value` at points (N, 3) [m]: (N,) [m]."""
    out = np.empty(len(points))
    for n in range(len(points)):
        out[n] = sdf_value(values, origin, spacing, points[n, 0], points[n, 1], points[n, 2])
    return out
