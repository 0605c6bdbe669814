"""Simple solids and what is built of them: boxes, turned shapes, prisms, tubes, leaves. Plain numpy.

Every solid is a closed triangle mesh with a normal and a place on its surface [m] at each corner, so that a texture can
be laid on it; where it has colours of its own, it has no texture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

_SHARP = np.cos(np.deg2rad(35.0))
"""Edges of a turned profile that bend more are sharp."""


@dataclass(frozen=True, slots=True, eq=False)
class Solid:
    """A mesh in its own frame [m]."""

    vertices: F64  # (V, 3)
    faces: I32  # (T, 3), counter-clockwise seen from outside
    normals: F64  # (3 T, 3), unit
    surface: F64  # (3 T, 2) place on the surface [m]
    color: F64  # (T, 3) linear; white where a texture gives the colour

    def moved(self, shift: ArrayLike, R: F64 | None = None) -> Solid:
        """Turned by R (3, 3), then shifted by (3,) [m]."""
        R = np.eye(3) if R is None else R
        return replace(self, vertices=self.vertices @ R.T + np.asarray(shift), normals=self.normals @ R.T)

    def painted(self, color: ArrayLike) -> Solid:
        """In one linear colour (3,)."""
        return replace(self, color=np.tile(np.asarray(color, np.float64), (len(self.faces), 1)))


def joined(solids: Iterable[Solid]) -> Solid:
    """All of them as one."""
    parts = list(solids)
    starts = np.cumsum([0, *(len(part.vertices) for part in parts[:-1])])
    faces = [part.faces + start for part, start in zip(parts, starts, strict=True)]
    return Solid(
        np.concatenate([part.vertices for part in parts]),
        np.concatenate(faces).astype(np.int32),
        np.concatenate([part.normals for part in parts]),
        np.concatenate([part.surface for part in parts]),
        np.concatenate([part.color for part in parts]),
    )


def box(lower: ArrayLike, upper: ArrayLike) -> Solid:
    """A box between two corners (3,)."""
    lower, upper = np.asarray(lower, np.float64), np.asarray(upper, np.float64)
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)]) * (upper - lower) + lower
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([(a, b, c, a, c, d) for a, b, c, d in quads], np.int32).reshape(-1, 3)
    return faceted(corners, faces)


def faceted(vertices: F64, faces: I32) -> Solid:
    """A mesh with flat faces; their places are seen along the axis that they face most."""
    points = vertices[faces]
    normal = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-12)
    surface = np.empty((len(faces), 3, 2))
    facing = np.abs(normal).argmax(axis=1)
    for axis, (u, v) in enumerate(((1, 2), (0, 2), (0, 1))):
        rows = facing == axis
        surface[rows] = points[rows][:, :, (u, v)]
    return Solid(vertices, faces, np.repeat(normal, 3, axis=0), surface.reshape(-1, 2), np.ones((len(faces), 3)))


def turned(profile: ArrayLike, segments: int = 28) -> Solid:
    """A profile (N, 2) of radius and z [m], from the lowest outer point on, turned about z.

    It is followed with its outside on the right; closed where it begins and ends on the axis.
    """
    r, z = np.asarray(profile, np.float64).T
    turn = np.linspace(0.0, 2 * np.pi, segments + 1)
    ring = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    vertices = np.concatenate(
        [r[:, None, None] * ring[None, :-1], np.broadcast_to(z[:, None, None], (len(r), segments, 1))], -1
    )
    step = np.stack([np.diff(r), np.diff(z)], axis=-1)
    length = np.linalg.norm(step, axis=1)
    flat = np.stack([step[:, 1], -step[:, 0]], axis=-1) / np.maximum(length, 1e-12)[:, None]
    first, last = _smooth(flat, length)
    arc, girth = np.concatenate([[0.0], np.cumsum(length)]), 2 * np.pi * r.max()
    faces, normals, places = [], [], []
    for i in range(len(r) - 1):
        for j in range(segments):
            k = (j + 1) % segments
            corners = ((i, j, j), (i, k, j + 1), (i + 1, k, j + 1), (i + 1, j, j))
            for triangle in ((0, 1, 2), (0, 2, 3)):
                chosen = [corners[c] for c in triangle]
                if sum(bool(r[row] < 1e-9) for row, _, _ in chosen) > 1:
                    continue
                faces.append([row * segments + column for row, column, _ in chosen])
                for row, _, t in chosen:
                    n = first[i] if row == i else last[i]
                    normals.append((n[0] * ring[t, 0], n[0] * ring[t, 1], n[1]))
                    places.append((turn[t] / (2 * np.pi) * girth, arc[row]))
    shape = (len(faces), 3)
    return Solid(
        vertices.reshape(-1, 3), np.array(faces, np.int32), np.array(normals), np.array(places), np.ones(shape)
    )


def _smooth(flat: F64, length: F64) -> tuple[F64, F64]:
    """Normals (N − 1, 2) at the first and the last point of every segment, shared across edges that are not sharp."""
    first, last = flat.copy(), flat.copy()
    for i in range(1, len(flat)):
        if flat[i - 1] @ flat[i] > _SHARP:
            mean = flat[i - 1] * length[i] + flat[i] * length[i - 1]
            first[i] = last[i - 1] = mean / np.linalg.norm(mean)
    return first, last


def prism(outline: ArrayLike, bottom: float, top: float) -> Solid:
    """A convex outline (N, 2), counter-clockwise, between two heights [m]. Smooth around where it bends gently.

    Its faces above and below are mapped by x and y, so that a pattern on them is where it would be on a box.
    """
    outline = np.asarray(outline, np.float64)
    n = len(outline)
    vertices = np.concatenate([np.c_[outline, np.full(n, bottom)], np.c_[outline, np.full(n, top)]])
    fan = np.array([(0, i, i + 1) for i in range(1, n - 1)], np.int32)
    around = np.arange(n)
    after = (around + 1) % n
    step = outline[after] - outline
    length = np.linalg.norm(step, axis=1)
    flat = np.stack([step[:, 1], -step[:, 0]], axis=-1) / np.maximum(length, 1e-12)[:, None]
    before = flat[around - 1]
    soft = (before * flat).sum(axis=1) > _SHARP
    mean = before + flat
    mean /= np.linalg.norm(mean, axis=1, keepdims=True)
    start, end = np.where(soft[:, None], mean, flat), np.where(soft[after][:, None], mean[after], flat)
    sides = np.concatenate([np.c_[around, after, after + n], np.c_[around, after + n, around + n]]).astype(np.int32)
    arc = np.concatenate([[0.0], np.cumsum(length)])
    a, b = np.c_[start, np.zeros(n)], np.c_[end, np.zeros(n)]
    low_a, low_b, high_b = (
        np.c_[arc[:-1], np.full(n, bottom)],
        np.c_[arc[1:], np.full(n, bottom)],
        np.c_[arc[1:], np.full(n, top)],
    )
    high_a = np.c_[arc[:-1], np.full(n, top)]
    normals = np.concatenate([
        np.tile([0.0, 0.0, 1.0], (3 * len(fan), 1)),
        np.tile([0.0, 0.0, -1.0], (3 * len(fan), 1)),
        np.stack([a, b, b], axis=1).reshape(-1, 3),
        np.stack([a, b, a], axis=1).reshape(-1, 3),
    ])  # fmt: skip
    surface = np.concatenate([
        outline[fan].reshape(-1, 2),
        outline[fan[:, ::-1]].reshape(-1, 2),
        np.stack([low_a, low_b, high_b], axis=1).reshape(-1, 2),
        np.stack([low_a, high_b, high_a], axis=1).reshape(-1, 2),
    ])  # fmt: skip
    faces = np.concatenate([fan + n, fan[:, ::-1], sides]).astype(np.int32)
    return Solid(vertices, faces, normals, surface, np.ones((len(faces), 3)))


def ellipse(lower: Sequence[float], upper: Sequence[float], points: int = 64) -> F64:
    """Outline (points, 2) that touches a rectangle's sides."""
    turn = np.linspace(0.0, 2 * np.pi, points, endpoint=False)
    lower, upper = np.asarray(lower, np.float64), np.asarray(upper, np.float64)  # type: ignore[assignment]
    return 0.5 * (lower + upper) + 0.5 * (upper - lower) * np.stack([np.cos(turn), np.sin(turn)], axis=-1)  # type: ignore[operator]


def rounded(lower: Sequence[float], upper: Sequence[float], radius: float, points: int = 8) -> F64:
    """Outline (4 · (points + 1), 2) of a rectangle with rounded corners."""
    (x0, y0), (x1, y1) = lower, upper
    centres = [
        (x1 - radius, y1 - radius),
        (x0 + radius, y1 - radius),
        (x0 + radius, y0 + radius),
        (x1 - radius, y0 + radius),
    ]
    turn = np.linspace(0.0, 0.5 * np.pi, points + 1)
    corners = [
        np.array(centre) + radius * np.stack([np.cos(turn + k * np.pi / 2), np.sin(turn + k * np.pi / 2)], axis=-1)
        for k, centre in enumerate(centres)
    ]
    return np.concatenate(corners)


def leaf(length: float, width: float, rise: float, droop: float, thickness: float = 0.001, steps: int = 5) -> Solid:
    """A leaf from the origin along x: it rises at an angle [rad] and bends down by another along its length."""
    s = np.linspace(0.0, 1.0, steps + 1)
    angle = rise - droop * s
    step = length / steps
    x = np.concatenate([[0.0], np.cumsum(np.cos(angle[:-1]) * step)])
    z = np.concatenate([[0.0], np.cumsum(np.sin(angle[:-1]) * step)])
    half = 0.5 * width * np.sin(np.pi * np.clip(0.04 + 0.96 * s, 0, 1)) ** 0.8
    half[-1] = 0.02 * width
    rows = []
    for side, lift in ((-1.0, 0.15), (0.0, 0.0), (1.0, 0.15)):
        rows.append(np.stack([x, side * half, z + lift * half], axis=-1))
    lower = np.stack(rows, axis=1)
    upper = lower + np.array([0.0, 0.0, thickness])
    vertices, n = np.concatenate([upper.reshape(-1, 3), lower.reshape(-1, 3)]), 3 * (steps + 1)
    faces = []
    for i in range(steps):
        for j in range(2):
            a, b, c, d = 3 * i + j, 3 * (i + 1) + j, 3 * (i + 1) + j + 1, 3 * i + j + 1
            faces += [(a, b, c), (a, c, d), (n + a, n + c, n + b), (n + a, n + d, n + c)]
        for j, flip in ((0, True), (2, False)):
            a, b = 3 * i + j, 3 * (i + 1) + j
            quad = (a, b, n + b, n + a) if not flip else (a, n + a, n + b, b)
            quad = quad[::-1] if not flip else quad
            faces += [(quad[0], quad[1], quad[2]), (quad[0], quad[2], quad[3])]
    for i, flip in ((0, False), (steps, True)):
        for j in range(2):
            a, b = 3 * i + j, 3 * i + j + 1
            quad = (a, b, n + b, n + a) if not flip else (b, a, n + a, n + b)
            faces += [(quad[0], quad[1], quad[2]), (quad[0], quad[2], quad[3])]
    return faceted(vertices, np.array(faces, np.int32))


def about_z(angle: float) -> F64:
    """Rotation (3, 3)."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
