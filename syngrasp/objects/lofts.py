"""Parts by lofting: rings of points joined into closed meshes. Revolved, prismatic, swept and rounded shapes are all
rings. Lengths in metres; the axis is z unless said otherwise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from syngrasp.objects.convex import ROUND_HULL_VERTICES, frustum_hulls, ring_hulls, thin, wedges_of
from syngrasp.objects.part import CREASE, Part, make_part, unit
from syngrasp.records import F64

Points = Sequence[tuple[float, float]]


def loft(rings: ArrayLike, color: ArrayLike, hulls: Sequence[F64] | None = None, crease: float = CREASE) -> Part:
    """A closed part over rings (K, N, 3) of N points each, anticlockwise about the direction from the first ring to
    the last. A ring of one point closes as a tip, any other end ring is closed by a fan about its centre.

    Without `hulls` the part is taken to be convex.
    """
    rings = np.asarray(rings, dtype=np.float64)
    count, n = rings.shape[:2]
    vertices: list[F64] = []
    index = np.empty((count, n), dtype=np.int32)
    total = 0
    for k in range(count):
        tip = np.ptp(rings[k], axis=0).max() < 1e-9
        index[k] = total if tip else np.arange(total, total + n)
        vertices.append(rings[k, :1] if tip else rings[k])
        total += 1 if tip else n
    a, b = index[:-1], np.roll(index[:-1], -1, axis=1)
    c, d = np.roll(index[1:], -1, axis=1), index[1:]
    faces = [np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)]
    for k, flip in ((0, True), (count - 1, False)):
        if index[k, 0] == index[k, 1]:
            continue
        vertices.append(rings[k].mean(axis=0, keepdims=True))
        fan = np.stack([index[k], np.roll(index[k], -1), np.full(n, total)], -1)
        faces.append(fan[:, ::-1] if flip else fan)
        total += 1
    points = np.concatenate(vertices)
    return make_part(points, np.concatenate(faces), color, [thin(points)] if hulls is None else hulls, crease)


def revolve(profile: Points, color: ArrayLike, segments: int = 48, crease: float = CREASE) -> Part:
    """A solid of revolution about z. The profile's points (r, z) go up the outside from the axis and end on it;
    a vessel's profile goes on over the rim and down the inside.

    Its convex pieces are stacked frusta of the outline; a vessel sets its own (`ring_hulls`).
    """
    r, z = np.asarray(profile, dtype=np.float64).T
    r = np.where(np.abs(r) < 1e-9, 0.0, r)
    angle = np.arange(segments) * (2.0 * np.pi / segments)
    circle = np.stack([np.cos(angle), np.sin(angle), np.zeros(segments)], -1)
    rings = r[:, None, None] * circle + z[:, None, None] * np.array([0.0, 0.0, 1.0])
    return loft(rings, color, frustum_hulls(np.stack([r, z], -1)), crease)


def vessel(outside: Points, inside: Points, color: ArrayLike, wedges: int = 12, segments: int = 48) -> Part:
    """A vessel of revolution, open at the top: outline (r, z) from the axis up the outside, and from the axis up the
    inside; both end at the rim. Its convex pieces are a floor and `wedges` wall segments per step of its coarse wall.
    """
    part = revolve([*outside, *inside[::-1]], color, segments)
    return part.with_hulls(ring_hulls(np.asarray(outside), np.asarray(inside), wedges))


def tube(path: ArrayLike, radius: ArrayLike, color: ArrayLike, sides: int = 16, flat: float = 1.0) -> Part:
    """A tube of circular or elliptic section along a path (K, 3): radius [m] per point across the path's plane,
    `flat` × radius along the plane's normal. Its convex pieces are stretches of the path."""
    path = np.asarray(path, dtype=np.float64)
    radius = np.broadcast_to(np.asarray(radius, dtype=np.float64), len(path))
    tangent = unit(np.gradient(path, axis=0))
    normal = _plane_normal(path)
    side = unit(np.cross(normal, tangent))
    angle = np.arange(sides) * (2.0 * np.pi / sides)
    rings = (
        path[:, None]
        + radius[:, None, None] * np.cos(angle)[None, :, None] * side[:, None]
        + (flat * radius)[:, None, None] * np.sin(angle)[None, :, None] * np.cross(tangent, side)[:, None]
    )
    return loft(rings, color, chain_of(rings))


def chain_of(rings: F64, step: int | None = None) -> list[F64]:
    """Convex pieces over stretches of consecutive rings, about eight in all."""
    count = len(rings)
    step = step or max(1, round((count - 1) / 8))
    return [thin(rings[k : min(k + step, count - 1) + 1].reshape(-1, 3)) for k in range(0, count - 1, step)]


def _plane_normal(path: F64) -> F64:
    centered = path - path.mean(axis=0)
    normal = np.linalg.svd(centered)[2][2] if len(path) > 2 else np.array([0.0, 1.0, 0.0])
    if np.linalg.norm(np.cross(path[-1] - path[0], normal)) < 1e-12:
        normal = np.array([0.0, 1.0, 0.0])
    tangent = path[-1] - path[0]
    straight = np.linalg.matrix_rank(centered, tol=1e-6 * np.ptp(centered, axis=0).max()) < 2
    if straight:
        helper = np.array([0.0, 1.0, 0.0]) if abs(unit(tangent)[1]) < 0.9 else np.array([1.0, 0.0, 0.0])
        normal = unit(np.cross(np.cross(tangent, helper), tangent))
    return normal * (1.0 if normal[np.argmax(np.abs(normal))] > 0 else -1.0)


def rounded_rectangle(x: float, y: float, radius: float, per_corner: int = 6) -> F64:
    """Outline (4·per_corner, 2) of an x × y rectangle about the origin, anticlockwise."""
    radius = min(radius, 0.4999 * x, 0.4999 * y)
    angle = np.linspace(0.0, np.pi / 2.0, per_corner)
    arc = radius * np.stack([np.cos(angle), np.sin(angle)], -1)
    points = []
    for quarter, (sx, sy) in enumerate(((1, 1), (-1, 1), (-1, -1), (1, -1))):
        c, s = np.cos(quarter * np.pi / 2.0), np.sin(quarter * np.pi / 2.0)
        points.append(arc @ np.array([[c, s], [-s, c]]) + [sx * (x / 2.0 - radius), sy * (y / 2.0 - radius)])
    return np.concatenate(points)


def block(
    size: ArrayLike, color: ArrayLike, corner: float = 0.004, bevel: float = 0.0015, steps: int = 3, facets: int = 6
) -> Part:
    """A box about the origin with rounded upright edges (`corner`) and bevelled rims (`bevel`)."""
    x, y, z = np.asarray(size, dtype=np.float64)
    corner, bevel = min(corner, 0.49 * x, 0.49 * y), min(bevel, 0.49 * z, 0.45 * x, 0.45 * y)
    turn = np.linspace(0.0, np.pi / 2.0, steps + 1)
    low = [(bevel * (1.0 - np.sin(t)), -z / 2.0 + bevel * (1.0 - np.cos(t))) for t in turn]
    layers = low + [(inset, -height) for inset, height in low[::-1]]
    rings = [
        np.column_stack(
            [rounded_rectangle(x - 2 * i, y - 2 * i, max(corner - i, 1e-4), facets), np.full(4 * facets, h)]
        )
        for i, h in layers
    ]
    return loft(rings, color, [thin(np.concatenate(rings))])


def plate(
    outline: ArrayLike, height: float, color: ArrayLike, bevel: float = 0.001, hulls: Sequence[F64] | None = None
) -> Part:
    """A prism from z = 0 to `height` over an anticlockwise outline (N, 2) that is star-shaped about its mean."""
    outline = np.asarray(outline, dtype=np.float64)
    edge = np.roll(outline, -1, axis=0) - outline
    out = unit(np.column_stack([edge[:, 1], -edge[:, 0], np.zeros(len(edge))]))[:, :2]
    miter = out + np.roll(out, 1, axis=0)
    miter /= np.maximum((miter * miter).sum(axis=1, keepdims=True) / 2.0, 0.3)
    inner = outline - bevel * miter
    layers = ((inner, 0.0), (outline, bevel), (outline, height - bevel), (inner, height))
    return loft([np.column_stack([ring, np.full(len(ring), z)]) for ring, z in layers], color, hulls)


def ball(radii: ArrayLike, color: ArrayLike, segments: int = 40, rings: int = 24) -> Part:
    """An ellipsoid about the origin with half axes `radii` (3,)."""
    latitude = np.linspace(-np.pi / 2.0, np.pi / 2.0, rings)
    unit_ball = revolve(list(zip(np.cos(latitude), np.sin(latitude), strict=True)), color, segments)
    vertices = unit_ball.vertices * np.asarray(radii, dtype=np.float64)
    return make_part(vertices, unit_ball.faces, color, [thin(vertices, ROUND_HULL_VERTICES)])


def ring(major: float, minor: float, color: ArrayLike, wedges: int = 12, segments: int = 48, sides: int = 20) -> Part:
    """A torus about z with tube radius `minor` on a circle of radius `major`."""
    around = np.arange(segments) * (2.0 * np.pi / segments)
    across = np.arange(sides) * (2.0 * np.pi / sides)
    r, z = major + minor * np.cos(across), minor * np.sin(across)
    index = np.arange(segments * sides).reshape(segments, sides)
    points = np.stack(
        [np.cos(around)[:, None] * r, np.sin(around)[:, None] * r, np.broadcast_to(z, (segments, sides))], -1
    )
    a, b = index, np.roll(index, -1, axis=0)
    c, d = np.roll(b, -1, axis=1), np.roll(index, -1, axis=1)
    faces = np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])
    octagon = np.arange(8) * (np.pi / 4.0) + np.pi / 8.0
    section = np.stack([major + minor * 1.04 * np.cos(octagon), minor * 1.04 * np.sin(octagon)], -1)
    return make_part(points.reshape(-1, 3), faces, color, wedges_of(section, wedges))


def arc(
    center: tuple[float, float], radius: float, start: float, end: float, steps: int = 6
) -> list[tuple[float, float]]:
    """Points on a circle from one angle to another [degrees]: roundings for profiles."""
    angle = np.deg2rad(np.linspace(start, end, steps))
    return [(center[0] + radius * float(np.cos(a)), center[1] + radius * float(np.sin(a))) for a in angle]


def smooth(points: Points, steps: int = 24) -> list[tuple[float, float]]:
    """A shape-preserving curve through points (PCHIP over the chord length)."""
    from scipy.interpolate import PchipInterpolator

    knots = np.asarray(points, dtype=np.float64)
    chord = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(knots, axis=0), axis=1))])
    curve = PchipInterpolator(chord, knots)(np.linspace(0.0, chord[-1], steps))
    return [(float(r), float(z)) for r, z in curve]
