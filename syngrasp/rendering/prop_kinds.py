"""The shapes of props by kind: things that stand about, furniture, pictures on walls.

A shape is a function of (seed, size) alone. It fills the box ±size/2 in x and y and from 0 to size in z; what has a
front has it at +x. Painted kinds have colours of their own, the others take a texture.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from syngrasp.rendering.look import PropLook, Vec3
from syngrasp.rendering.solids import Solid, about_z, box, joined, leaf, prism, rounded, turned
from syngrasp.seeding import named_rng

F64 = NDArray[np.float64]
Rng = np.random.Generator

PAINTED = frozenset({"books", "plant", "lamp", "monitor", "shelf"})
"""Kinds whose colours are their own."""


def make_solid(kind: str, seed: int, size: Vec3) -> Solid:
    """The shape of a prop."""
    return SOLIDS[kind](named_rng(seed, "prop", kind), np.array(size))


def prop_box(prop: PropLook) -> F64:
    """Lower and upper corner (2, 3) in base of the box around a prop [m]."""
    c, s = abs(np.cos(prop.yaw)), abs(np.sin(prop.yaw))
    half = 0.5 * np.array([c * prop.size[0] + s * prop.size[1], s * prop.size[0] + c * prop.size[1], 0.0])
    base = np.array(prop.position)
    return np.stack([base - half, base + half + (0.0, 0.0, prop.size[2])])


def _paint(rng: Rng, s: tuple[float, float] = (0.05, 0.75), v: tuple[float, float] = (0.25, 0.95)) -> F64:
    return np.array(colorsys.hsv_to_rgb(rng.uniform(), rng.uniform(*s), rng.uniform(*v))) ** 2.2


def _grey(rng: Rng, low: float, high: float) -> F64:
    return np.full(3, rng.uniform(low, high)) * rng.uniform(0.95, 1.05, 3)


def _box(rng: Rng, size: F64) -> Solid:
    (x, y), z = 0.5 * size[:2], size[2]
    return box((-x, -y, 0.0), (x, y, z))


def _fitted(profile: list[tuple[float, float]], size: F64, segments: int = 28) -> Solid:
    """A turned profile stretched to a box."""
    points = np.array(profile, np.float64)
    points[:, 0] *= 0.5 / points[:, 0].max()
    low, high = points[:, 1].min(), points[:, 1].max()
    points[:, 1] = (points[:, 1] - low) / (high - low) * size[2]
    points[:, 0] *= min(size[0], size[1])
    return turned(points, segments)


def _cylinder(rng: Rng, size: F64) -> Solid:
    rim = rng.uniform(0.02, 0.05)
    return _fitted([(0, 0), (1 - rim, 0), (1, rim), (1, 1 - rim), (1 - rim, 1), (0, 1)], size)


def _ball(rng: Rng, size: F64) -> Solid:
    return _fitted([(np.sin(a), -np.cos(a)) for a in np.linspace(0.0, np.pi, 17)], size)


def _cone(rng: Rng, size: F64) -> Solid:
    tip = rng.uniform(0.0, 0.25)
    return _fitted([(0, 0), (1, 0), (1, 0.03), (tip + 0.02, 0.98), (tip, 1), (0, 1)], size)


def _bottle(rng: Rng, size: F64) -> Solid:
    neck, shoulder, width = rng.uniform(0.2, 0.4), rng.uniform(0.5, 0.7), rng.uniform(0.85, 1.0)
    s = np.linspace(0.0, 1.0, 7)
    bend = [(1 + (neck - 1) * (3 * t * t - 2 * t**3), shoulder + 0.18 * t) for t in s]
    body = [(0, 0), (0.9 * width, 0), (width, 0.03), (1.0, 0.5 * shoulder)]
    cap = [(neck, 0.93), (1.15 * neck, 0.93), (1.15 * neck, 1.0), (0, 1.0)]
    return _fitted([*body, *bend, *cap], size)


def _vase(rng: Rng, size: F64) -> Solid:
    """Open above: the wall is followed up outside and down inside."""
    z = np.linspace(0.0, 1.0, 14)
    low, high, lip = rng.uniform(0.3, 0.7), rng.uniform(0.2, 0.6), rng.uniform(-0.15, 0.35)
    r = low + (1 - low) * np.sin(np.pi * np.clip(z / rng.uniform(0.8, 1.1), 0, 1)) ** rng.uniform(0.8, 1.6)
    r = np.maximum(r * (1 - (1 - high) * z**3) + lip * z**6, 0.12)
    wall = 0.06 * r.max()
    inside = [(max(radius - wall, 0.02), height) for radius, height in zip(r[:1:-1], z[:1:-1], strict=True)]
    return _fitted([(0, 0), *zip(r, z, strict=True), *inside, (0, z[2])], size)


def _bowl(rng: Rng, size: F64) -> Solid:
    s, power, foot = np.linspace(0.0, 1.0, 10), rng.uniform(0.4, 0.8), rng.uniform(0.35, 0.6)
    r = foot + (1 - foot) * s**power
    inside = [(max(radius - 0.05, 0.02), 0.06 + 0.94 * height) for radius, height in zip(r[::-1], s[::-1], strict=True)]
    return _fitted([(0, 0), *zip(r, s, strict=True), *inside, (0, 0.06)], size)


def _books(rng: Rng, size: F64) -> Solid:
    count = int(np.clip(round(size[2] / rng.uniform(0.02, 0.045)), 1, 8))
    thick = rng.uniform(0.6, 1.4, count)
    z = np.concatenate([[0.0], np.cumsum(thick / thick.sum() * size[2])])
    return joined(_book(rng, size, z[i], z[i + 1] - z[i]) for i in range(count))


def _book(rng: Rng, size: F64, z: float, thick: float) -> Solid:
    """Lying flat: two covers, a spine at −y, and pages between them. Turned a little within the box."""
    turn = rng.normal(0.0, 0.08)
    shrink = 1.0 / (np.abs(np.cos(turn)) + np.abs(np.sin(turn)) * max(size[0] / size[1], size[1] / size[0]))
    half, cover = 0.5 * size[:2] * rng.uniform(0.82, 1.0) * shrink, min(0.003, 0.2 * thick)
    color, pages = _paint(rng), np.array([0.75, 0.7, 0.58]) * rng.uniform(0.8, 1.1)
    (x, y), edge = half, 0.003
    parts = [
        box((-x, -y, 0), (x, y, cover)).painted(color),
        box((-x, -y, thick - cover), (x, y, thick)).painted(color),
        box((-x, -y, cover), (x, -y + cover, thick - cover)).painted(color),
        box((-x + edge, -y + cover, cover), (x - edge, y - edge, thick - cover)).painted(pages),
    ]
    return joined(parts).moved((0.0, 0.0, z), about_z(turn))


def _plant(rng: Rng, size: F64) -> Solid:
    reach, height = 0.5 * min(size[0], size[1]), size[2]
    pot = height * rng.uniform(0.25, 0.4)
    wide = min(rng.uniform(0.45, 0.7) * reach, 0.9 * pot)
    foot = rng.uniform(0.6, 0.95) * wide
    profile = [(0, 0), (foot, 0), (wide, pot), (0.9 * wide, pot), (0.88 * wide, 0.9 * pot), (0, 0.92 * pot)]
    clay = _paint(rng, (0.0, 0.7), (0.25, 0.9)) if rng.uniform() < 0.6 else np.array([0.5, 0.2, 0.11])
    parts = [turned(profile, 20).painted(clay)]
    parts.append(
        turned([(0, 0), (0.87 * wide, 0), (0, 0.004)], 14).moved((0, 0, 0.91 * pot)).painted((0.04, 0.025, 0.02))
    )
    green = np.array([rng.uniform(0.06, 0.28), rng.uniform(0.22, 0.5), rng.uniform(0.04, 0.16)])
    rise, droop, slim = rng.uniform(0.9, 1.35), rng.uniform(0.3, 1.4), rng.uniform(0.1, 0.35)
    grown = height - 0.92 * pot
    for i in range(int(rng.integers(12, 30))):
        up = np.clip(rise + rng.normal(0, 0.2), 0.3, 1.45)
        length = min(reach / max(np.cos(max(up - 0.5 * droop, 0.0)), 0.25), grown / max(np.sin(up), 0.3))
        blade = leaf(0.85 * length * rng.uniform(0.6, 1.0), slim * length * rng.uniform(0.7, 1.2), up, droop)
        blade = blade.painted(green * rng.uniform(0.6, 1.3)).moved((0.0, 0.0, 0.92 * pot), about_z(2.4 * i))
        parts.append(blade)
    return _filling(joined(parts), size)


def _lamp(rng: Rng, size: F64) -> Solid:
    r, h = 0.5 * min(size[0], size[1]), size[2]
    metal, shade = _grey(rng, 0.03, 0.6), _paint(rng, (0.0, 0.35), (0.6, 0.95))
    low, top = rng.uniform(0.5, 0.68) * h, rng.uniform(0.5, 1.0) * r
    foot = rng.uniform(0.5, 0.75) * r
    stem = [(0, 0), (foot, 0), (foot, 0.03 * h), (0.05 * r, 0.05 * h), (0.05 * r, h * 0.97), (0, h * 0.97)]
    cone = [(0.97 * r, low), (r, low), (top, h), (0.97 * top, h), (0.97 * r, low)]
    return joined([turned(stem, 20).painted(metal), turned(cone, 32).painted(shade)])


def _monitor(rng: Rng, size: F64) -> Solid:
    d, w, h = size
    frame, screen = _grey(rng, 0.02, 0.5), _paint(rng, (0.0, 0.6), (0.02, 0.35))
    low, bezel, thick = rng.uniform(0.15, 0.28) * h, rng.uniform(0.01, 0.04) * w, min(0.3 * d, 0.04)
    return joined([
        box((-0.5 * d, -0.2 * w, 0.0), (0.5 * d, 0.2 * w, 0.012)).painted(frame),
        box((-0.1 * d, -0.05 * w, 0.012), (0.0, 0.05 * w, 0.5 * h)).painted(frame),
        box((0.0, -0.5 * w, low), (thick, 0.5 * w, h)).painted(frame),
        box((thick, -0.5 * w + bezel, low + bezel), (thick + 0.001, 0.5 * w - bezel, h - bezel)).painted(screen),
    ])  # fmt: skip


def _shelf(rng: Rng, size: F64) -> Solid:
    d, w, h = size
    wood = _grey(rng, 0.5, 0.8) if rng.uniform() < 0.5 else np.array([0.35, 0.2, 0.1]) * rng.uniform(0.4, 1.6)
    board, levels = 0.02, max(2, round(h / rng.uniform(0.28, 0.4)))
    parts = [
        box((-0.5 * d, side * 0.5 * w - (side > 0) * board, 0.0), (0.5 * d, side * 0.5 * w + (side < 0) * board, h))
        for side in (-1.0, 1.0)
    ]
    inner = 0.5 * w - board
    parts.append(box((-0.5 * d, -inner, 0.0), (-0.5 * d + 0.008, inner, h)))
    heights = np.linspace(0.03, h - board, levels + 1)
    parts += [box((-0.5 * d + 0.008, -inner, z), (0.5 * d, inner, z + board)) for z in heights]
    parts = [part.painted(wood) for part in parts]
    for z, above in pairwise(heights):
        y = -inner + rng.uniform(0.0, 0.3) * w
        end = inner - rng.uniform(0.0, 0.4) * w
        while (thick := rng.uniform(0.015, 0.06)) + y < end:
            tall, deep = rng.uniform(0.55, 0.92) * (above - z - board), rng.uniform(0.55, 0.85) * d
            lower = (-0.5 * d + 0.01, y, z + board)
            parts.append(box(lower, (lower[0] + deep, y + thick - 0.001, z + board + tall)).painted(_paint(rng)))
            y += thick
    return joined(parts)


def _cupboard(rng: Rng, size: F64) -> Solid:
    """A body on a base, with doors or drawers that have gaps and handles."""
    d, w, h = size
    gap, front, base = 0.004, 0.5 * d - 0.045, rng.uniform(0.03, 0.1)
    rows = int(rng.integers(1, 5)) if h < 1.2 else int(rng.integers(1, 3))
    columns = max(1, round(w / rng.uniform(0.4, 0.7)))
    parts = [
        box((-0.5 * d, -0.5 * w, base), (front, 0.5 * w, h)),
        box((-0.45 * d, -0.46 * w, 0.0), (0.35 * d, 0.46 * w, base)),
    ]
    ys, zs = np.linspace(-0.5 * w, 0.5 * w, columns + 1), np.linspace(base, h, rows + 1)
    bar = rng.uniform() < 0.5
    for j in range(columns):
        for k in range(rows):
            lower, upper = (front, ys[j] + gap, zs[k] + gap), (front + 0.02, ys[j + 1] - gap, zs[k + 1] - gap)
            parts.append(box(lower, upper))
            y, z = 0.5 * (lower[1] + upper[1]), upper[2] - min(0.06, 0.3 * (upper[2] - lower[2]))
            long, slim = (0.06, 0.006) if bar else (0.012, 0.012)
            parts.append(box((front + 0.02, y - long, z - slim), (front + 0.045, y + long, z + slim)))
    return joined(parts)


def _chair(rng: Rng, size: F64) -> Solid:
    d, w, h = size
    seat, leg, thick = rng.uniform(0.45, 0.55) * h, rng.uniform(0.025, 0.045), rng.uniform(0.02, 0.05)
    parts = [prism(rounded((-0.5 * d, -0.5 * w), (0.5 * d, 0.5 * w), 0.03), seat - thick, seat)]
    for x in (-0.5 * d, 0.5 * d - leg):
        for y in (-0.5 * w, 0.5 * w - leg):
            parts.append(box((x, y, 0.0), (x + leg, y + leg, seat - thick)))
    for y in (-0.5 * w, 0.5 * w - leg):
        parts.append(box((-0.5 * d, y, seat), (-0.5 * d + leg, y + leg, h)))
    for k in range(int(rng.integers(1, 4))):
        z, high = h - (k + 1) * 0.14 * h, rng.uniform(0.06, 0.12) * h
        parts.append(box((-0.5 * d + 0.2 * leg, -0.5 * w + leg, z), (-0.5 * d + 0.7 * leg, 0.5 * w - leg, z + high)))
    return joined(parts)


def _picture(rng: Rng, size: F64) -> Solid:
    """A thin panel. Its texture, frame and picture, spans its front once."""
    d, w, h = size
    solid = box((-0.5 * d, -0.5 * w, 0.0), (0.5 * d, 0.5 * w, h))
    front = solid.normals[:, 0] > 0.5
    spread = np.where(front[:, None], solid.surface / (w, h) + (0.5, 0.0), (0.01, 0.01))
    return Solid(solid.vertices, solid.faces, solid.normals, spread, solid.color)


def _filling(solid: Solid, size: F64) -> Solid:
    """Shrunk across where it stands out of its box, and stretched to its height."""
    across = 1.0 / max(1.0, *(np.abs(solid.vertices[:, :2]).max(axis=0) / (0.5 * size[:2])))
    stretch = np.array([across, across, size[2] / solid.vertices[:, 2].max()])
    normals = solid.normals / stretch
    return replace(
        solid,
        vertices=solid.vertices * stretch,
        normals=normals / np.linalg.norm(normals, axis=1, keepdims=True),
    )


SOLIDS: dict[str, Callable[[Rng, F64], Solid]] = {
    "ball": _ball,
    "books": _books,
    "bottle": _bottle,
    "bowl": _bowl,
    "box": _box,
    "chair": _chair,
    "cone": _cone,
    "cupboard": _cupboard,
    "cylinder": _cylinder,
    "lamp": _lamp,
    "monitor": _monitor,
    "picture": _picture,
    "plant": _plant,
    "shelf": _shelf,
    "vase": _vase,
}
