"""Convex pieces by construction: frusta of turned shapes, wedges of walls and rings; and thinning of hulls."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from syngrasp.records import F64

MAX_HULL_VERTICES = 40  # keeps MuJoCo's compilation and collision cheap
ROUND_HULL_VERTICES = 64  # of a hull that stands alone for a round thing: it then rests within a millimetre
TOLERANCE = 0.006  # of a thinned hull, as a share of its size
SIDES = 14  # of the prism that stands for a round piece


def thin(points: F64, limit: int = MAX_HULL_VERTICES) -> F64:
    """Few vertices (H ≤ limit, 3) whose hull is close to the convex hull of points (N, 3).

    From the extreme points along 13 axes on, the vertex that lies farthest outside the hull of those kept joins them,
    until all lie within TOLERANCE of the size. The result is grown about its middle, by 3 % at most, to the volume
    of the whole hull, so that round shapes lose no size.
    """
    from scipy.spatial import ConvexHull, QhullError

    points = np.unique(np.round(np.asarray(points, dtype=np.float64), 9), axis=0)
    try:
        hull = ConvexHull(points)
    except (QhullError, ValueError):
        return points[:limit]
    corners = points[hull.vertices]
    if len(corners) <= 8:
        return corners
    size = float(np.ptp(corners, axis=0).max())
    reach = np.ptp(corners, axis=0)
    kept = np.unique(np.argmax((corners / np.maximum(reach, 1e-3 * size)) @ _AXES.T, axis=0)).tolist()
    try:
        rough = ConvexHull(corners[kept], incremental=True)
        while len(kept) < limit:
            outside = (corners @ rough.equations[:, :3].T + rough.equations[:, 3]).max(axis=1)
            farthest = int(np.argmax(outside))
            if outside[farthest] < TOLERANCE * size:
                break
            kept.append(farthest)
            rough.add_points(corners[farthest : farthest + 1])
        rough.close()
        volume = ConvexHull(corners[kept]).volume
    except QhullError:
        return corners[:limit]
    middle = (corners.max(axis=0) + corners.min(axis=0)) / 2.0
    return middle + (corners[sorted(kept)] - middle) * min((hull.volume / volume) ** (1.0 / 3.0), 1.03)


_AXES = np.array(
    [[x, y, z] for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1) if x or y or z], dtype=np.float64
)


def frustum_hulls(profile: F64, sides: int = SIDES) -> list[F64]:
    """Convex pieces of the solid of revolution under a rising profile (K, 2) of (r, z).

    The profile is split where it turns inwards to outwards (its concave corners), each stretch thinned to few rings.
    """
    profile = _simplify(_solid_outline(np.asarray(profile, dtype=np.float64)), 0.012)
    stretches, first = [], 0
    for k in range(1, len(profile) - 1):
        before, after = profile[k] - profile[k - 1], profile[k + 1] - profile[k]
        if before[0] * after[1] - before[1] * after[0] < -1e-12:
            stretches.append(profile[first : k + 1])
            first = k
    stretches.append(profile[first:])
    return [
        _stack(stretch, sides) for stretch in stretches if np.ptp(stretch[:, 1]) > 1e-6 and stretch[:, 0].max() > 1e-6
    ]


def _solid_outline(profile: F64) -> F64:
    """A profile without the dimples of its ends: rising from its lowest point on the axis to its highest."""
    low, high = int(np.argmin(profile[:, 1])), len(profile) - 1 - int(np.argmax(profile[::-1, 1]))
    rising = [profile[low]]
    rising += [point for point in profile[low + 1 : high + 1] if point[1] >= rising[-1][1] - 1e-9]
    return np.concatenate([[[0.0, profile[low, 1]]], rising, [[0.0, profile[high, 1]]]])


def ring_hulls(outside: F64, inside: F64, wedges: int, sides: int = SIDES) -> list[F64]:
    """Convex pieces of a vessel between its outside and inside outlines (·, 2) of (r, z), axis to rim.

    The wall's section is cut from each corner of the thinned inside to the nearest point of the outside; the piece at
    the axis is a floor, each other one a ring of wedges, so the cavity stays open.
    """
    walls = [np.linalg.norm(_point_on(outside, _nearest_on(outside, point)) - point) for point in inside[1:-1]]
    tolerance = min(0.035, 0.6 * float(np.median(walls)) / float(np.ptp(inside, axis=0).max()))
    inner, outer = _simplify(inside, tolerance), _simplify(outside, 0.008)
    height = float(np.ptp(outside[:, 1]))
    feet = [0.0, *(_nearest_on(outer, corner) for corner in inner[1:-1]), float(len(outer) - 1)]
    pieces = []
    for k in range(len(inner) - 1):
        between = [outer[i] for i in range(len(outer)) if feet[k] < i < feet[k + 1]]
        section = np.array(
            [inner[k], inner[k + 1], _point_on(outer, feet[k + 1]), *between[::-1], _point_on(outer, feet[k])]
        )
        if k == 0 and inner[1, 1] - inner[0, 1] < 0.12 * height:
            order = np.argsort(section[:, 1], kind="stable")
            pieces.append(_stack(section[order], sides))
        else:
            pieces += wedges_of(section, wedges)
    return pieces


def _nearest_on(polyline: F64, point: F64) -> float:
    """Where on a polyline (K, 2), in units of its segments, the point nearest to another lies."""
    start, along = polyline[:-1], np.diff(polyline, axis=0)
    t = np.clip(((point - start) * along).sum(1) / np.maximum((along * along).sum(1), 1e-18), 0.0, 1.0)
    best = int(np.argmin(np.linalg.norm(start + t[:, None] * along - point, axis=1)))
    return best + float(t[best])


def _point_on(polyline: F64, where: float) -> F64:
    k = min(int(where), len(polyline) - 2)
    return polyline[k] + (where - k) * (polyline[k + 1] - polyline[k])


def wedges_of(section: F64, wedges: int) -> list[F64]:
    """The ring that a convex section (K, 2) of (r, z) sweeps about z, cut into wedges; radii grown so that the
    polygon ring has the round ring's area."""
    section = np.asarray(section, dtype=np.float64)
    grow = area_factor(wedges)
    pieces = []
    for k in range(wedges):
        ends = [2.0 * np.pi * k / wedges, 2.0 * np.pi * (k + 1) / wedges]
        corners = [[grow * r * np.cos(a), grow * r * np.sin(a), z] for a in ends for r, z in section]
        pieces.append(thin(np.array(corners)))
    return pieces


def area_factor(sides: int) -> float:
    """Circumradius of a regular polygon with the area of the unit circle."""
    return float(np.sqrt(2.0 * np.pi / (sides * np.sin(2.0 * np.pi / sides))))


def _stack(profile: F64, sides: int) -> F64:
    """Hull vertices of the solid of revolution of a convex profile, as a prism of few rings."""
    while len(profile) * sides > 3 * MAX_HULL_VERTICES:
        profile = np.concatenate([profile[:1], profile[1:-1][::2], profile[-1:]]) if len(profile) > 3 else profile
        if len(profile) <= 3:
            break
    grow = area_factor(sides)
    angle = np.arange(sides) * (2.0 * np.pi / sides)
    circle = np.stack([np.cos(angle), np.sin(angle)], -1)
    rings = [np.column_stack([grow * r * circle, np.full(sides, z)]) for r, z in profile]
    return thin(np.concatenate(rings), max(MAX_HULL_VERTICES, 2 * sides))


def _simplify(profile: F64, tolerance: float) -> F64:
    """Douglas–Peucker on a polyline (K, 2); the tolerance is relative to its size."""
    if len(profile) < 3:
        return profile
    limit = tolerance * np.ptp(profile, axis=0).max()
    keep = np.zeros(len(profile), dtype=bool)
    keep[[0, -1]] = True
    stack: list[tuple[int, int]] = [(0, len(profile) - 1)]
    while stack:
        a, b = stack.pop()
        if b - a < 2:
            continue
        along = profile[b] - profile[a]
        offset = profile[a + 1 : b] - profile[a]
        length = float(np.hypot(*along))
        distance = (
            np.abs(along[0] * offset[:, 1] - along[1] * offset[:, 0]) / length
            if length > 1e-12
            else np.hypot(*offset.T)
        )
        worst = int(np.argmax(distance))
        if distance[worst] > limit:
            middle = a + 1 + worst
            keep[middle] = True
            stack += [(a, middle), (middle, b)]
    return profile[keep]


def hull_volume(hulls: Sequence[F64]) -> float:
    """Volume [m³] of the union of convex pieces."""
    return _union(hulls).volume()


def _union(hulls: Sequence[F64]):
    import manifold3d

    solids = [manifold3d.Manifold.hull_points(np.ascontiguousarray(hull, dtype=np.float64)) for hull in hulls]
    return manifold3d.Manifold.batch_boolean(solids, manifold3d.OpType.Add)
