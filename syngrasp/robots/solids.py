"""Simple closed solids for parts that no package carries a mesh of: lofts of convex outlines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Solid:
    """A closed surface, its triangles counter-clockwise from outside."""

    vertices: F64  # (V, 3) [m]
    faces: I32  # (T, 3)


def loft(sections: ArrayLike) -> Solid:
    """The solid through sections (S, N, 3) [m]: outlines that run counter-clockwise seen against the way from the first
    to the last. The ends are closed by fans, so they must be convex."""
    points = np.asarray(sections, dtype=np.float64)
    count, n = points.shape[:2]
    k, following = np.arange(n), (np.arange(n) + 1) % n
    faces = []
    for s in range(count - 1):
        a, b, c, d = s * n + k, s * n + following, (s + 1) * n + following, (s + 1) * n + k
        faces += [np.stack([a, b, c], -1), np.stack([a, c, d], -1)]
    first, last = count * n, count * n + 1
    faces.append(np.stack([following, k, np.full(n, first)], -1))
    faces.append(np.stack([(count - 1) * n + k, (count - 1) * n + following, np.full(n, last)], -1))
    vertices = np.concatenate([points.reshape(-1, 3), points[:1].mean(1), points[-1:].mean(1)])
    return Solid(vertices, np.concatenate(faces).astype(np.int32))


def prism(outline: ArrayLike, start: float, end: float, bevel: float = 0.0008) -> Solid:
    """A convex outline (N, 2) in y z [m], counter-clockwise, drawn out along x from start to end; edges bevelled."""
    points = np.asarray(outline, dtype=np.float64)
    inner = _shrunk(points, bevel)
    return loft([_at_x(inner, start), _at_x(points, start + bevel), _at_x(points, end - bevel), _at_x(inner, end)])


def bar(a: Sequence[float], b: Sequence[float], radii: Sequence[float], start: float, end: float) -> Solid:
    """A link plate: the hull of two discs about a and b (2,) in y z [m], from start to end along x."""
    along = np.subtract(b, a)
    distance = float(np.hypot(*along))
    heading = np.arctan2(along[1], along[0])
    # The outer tangents touch both discs at this angle from the line of centres.
    tangent = np.arccos(np.clip((radii[0] - radii[1]) / max(distance, 1e-9), -1.0, 1.0))
    far = heading + np.linspace(-tangent, tangent, 13)
    near = heading + np.linspace(tangent, 2 * np.pi - tangent, 13)
    outline = [np.add(b, radii[1] * np.array([np.cos(t), np.sin(t)])) for t in far]
    outline += [np.add(a, radii[0] * np.array([np.cos(t), np.sin(t)])) for t in near]
    return prism(outline, start, end)


def disc(at: Sequence[float], radius: float, start: float, end: float) -> Solid:
    """A cylinder about x at y z [m]: a pin."""
    angle = np.linspace(0.0, 2.0 * np.pi, 20, endpoint=False)
    return prism(np.asarray(at) + radius * np.stack([np.cos(angle), np.sin(angle)], -1), start, end, 0.0005)


def rounded_box(half_x: float, half_y: float, exponent: float, z: float, count: int = 48) -> F64:
    """A section (count, 3) across z [m]: the superellipse |x/a|ᵉ + |y/b|ᵉ = 1; exponent 2 is an ellipse."""
    angle = np.linspace(0.0, 2.0 * np.pi, count, endpoint=False)
    c, s = np.cos(angle), np.sin(angle)
    x, y = (np.sign(v) * np.abs(v) ** (2.0 / exponent) for v in (c, s))
    return np.stack([half_x * x, half_y * y, np.full(count, z)], -1)


def joined(solids: Sequence[Solid]) -> Solid:
    """Several solids as one."""
    shift = np.cumsum([0, *(len(s.vertices) for s in solids)])
    faces = [s.faces + n for s, n in zip(solids, shift, strict=False)]
    return Solid(np.concatenate([s.vertices for s in solids]), np.concatenate(faces).astype(np.int32))


def mirrored(solid: Solid) -> Solid:
    """The image under y → −y."""
    return Solid(solid.vertices * [1.0, -1.0, 1.0], np.ascontiguousarray(solid.faces[:, ::-1]))


def _at_x(points: F64, x: float) -> F64:
    return np.column_stack([np.full(len(points), x), points])


def _shrunk(points: F64, by: float) -> F64:
    """A convex outline with every corner moved inwards by about a distance [m]."""
    center = points.mean(axis=0)
    inward = center - points
    return points + inward * np.minimum(by / np.maximum(np.linalg.norm(inward, axis=1, keepdims=True), 1e-9), 0.5)
