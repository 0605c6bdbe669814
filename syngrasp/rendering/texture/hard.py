"""Texture families of wood, stone, tiles and metal."""

from __future__ import annotations

import numpy as np

from syngrasp.rendering.texture.patterns import (
    Array,
    Member,
    Rng,
    cells,
    dye,
    grid,
    hsv,
    mix,
    near,
    noise,
    seams,
    shade,
    step,
    wave,
)


def wood(rng: Rng, size: int) -> Member:
    """Boards cut along logs: growth rings where a plane meets cones around the pith, fibres and pores along them."""
    boards = int(rng.choice([2, 3, 4, 5, 6, 8]))
    (u, v), light, dark = grid(size), *_timber(rng)
    row = np.floor(v[:, 0] * boards).astype(np.intp)
    tone = rng.uniform(-1, 1, (boards, 3)).astype(np.float32)
    across, depth = rng.uniform(-0.5, 1.5, boards), rng.uniform(0.05, 1.2, boards)
    spacing = rng.uniform(0.05, 0.16) * rng.uniform(0.7, 1.4, boards)
    drift = depth[:, None] * (1.0 + rng.uniform(0.05, 0.4) * wave(rng, size, boards, 2.2))
    bend = 0.12 * wave(rng, size, boards, 2.4)
    within = (v * boards) % 1.0 - (across[:, None] + bend).astype(np.float32)[row]
    wander = 0.05 * noise(rng, size, 1.9, (5.0, 1.0)) + 0.008 * noise(rng, size, 1.0, (14.0, 1.0), 8)
    radius = (np.hypot(within, drift.astype(np.float32)[row]) + wander) / spacing.astype(np.float32)[row][:, None]
    ring = np.floor(radius).astype(np.intp)
    late = radius - ring
    strength = rng.uniform(0.25, 1.0, 64).astype(np.float32)[ring % 64]
    late = strength * late**2 * (1.0 - step(late, 0.86, 1.0))
    fibre = noise(rng, size, 0.6, (40.0, 1.0), 30)
    pores = step(fibre, 1.3, 2.6) * rng.uniform(0.0, 0.8)
    image = mix(light, dark, np.clip(1.3 * rng.uniform(0.35, 0.95) * late + 0.06 * fibre, 0, 1))
    image = shade(image, 0.1 * rng.uniform(0.2, 1.6) * tone[row, 1][:, None], -0.28 * pores, 0.012 * fibre)
    joint = np.zeros((size, size), np.float32)
    if rng.uniform() < 0.7:  # else boards are glued, and only their grain tells them apart
        ends = np.abs((u - (tone[:, 2] % 1.0)[row][:, None] + 0.5) % 1.0 - 0.5) < 0.0012
        sides = np.minimum(v * boards % 1, 1 - v * boards % 1) < 0.0016 * boards
        joint = np.broadcast_to(ends | sides, (size, size)).astype(np.float32)
        image = image * (1.0 - rng.uniform(0.35, 0.65) * joint)[..., None]
    return image, 0.06 * fibre - 0.3 * pores - 0.15 * late - 1.2 * joint


def _timber(rng: Rng) -> tuple[Array, Array]:
    """Colours (3,) of early and of late wood: bare wood of many kinds, now and then stained or painted grey."""
    light = hsv(rng, (0.045, 0.115), (0.25, 0.62), (0.35, 0.9))
    if rng.uniform() < 0.15:
        light = hsv(rng, (0.0, 0.15), (0.02, 0.18), (0.25, 0.9))
    dark = light * np.array([rng.uniform(0.55, 0.85), 0.0, 0.0], np.float32)
    dark[1], dark[2] = dark[0] * light[1] / light[0] * rng.uniform(0.86, 1.0), 0.0
    dark[2] = dark[0] * light[2] / light[0] * rng.uniform(0.7, 0.95)
    return light, np.clip(dark, 0.0, 1.0).astype(np.float32)


def marble(rng: Rng, size: int) -> Member:
    """Pale or dark stone with veins along zero lines of noise."""
    pale = rng.uniform() < 0.7
    base = hsv(rng, (0, 1), (0.0, 0.1), (0.78, 0.96)) if pale else hsv(rng, (0, 1), (0.05, 0.5), (0.08, 0.35))
    vein = base * rng.uniform(0.35, 0.75) if pale else np.minimum(base * 2.5 + 0.25, 1.0)
    turbulence = noise(rng, size, 1.9)
    lines = np.zeros((size, size), np.float32)
    for sharp in (rng.uniform(3, 9), rng.uniform(12, 30), rng.uniform(25, 60)):
        ridge = np.abs(noise(rng, size, rng.uniform(1.8, 2.3), (rng.uniform(1, 3), 1.0)) + 0.15 * turbulence)
        lines = np.maximum(lines, np.exp(-sharp * ridge) * rng.uniform(0.15, 0.9))
    lines *= 0.6 + 0.4 * np.clip(0.5 + 0.5 * turbulence, 0, 1)
    return shade(mix(base, vein.astype(np.float32), lines), 0.04 * turbulence), None


def concrete(rng: Rng, size: int) -> Member:
    """Stains, pores and a rough skin."""
    color = hsv(rng, (0.05, 0.65), (0.0, 0.1), (0.35, 0.8))
    cloud, grain = noise(rng, size, 2.0), noise(rng, size, 0.3)
    pores = step(noise(rng, size, 0.2, low=40), 2.3, 3.0)
    rough = noise(rng, size, 1.3)
    image = shade(color, 0.05 * rough + 0.03 * grain, -rng.uniform(0.0, 0.25) * step(cloud, 0.2, 2.0), -0.35 * pores)
    return image, 0.2 * rough + 0.1 * grain - 1.5 * pores


def tiles(rng: Rng, size: int) -> Member:
    """Square or oblong, in a grid or a bond."""
    columns = int(rng.choice([2, 3, 4, 6, 8]))
    rows = columns * int(rng.choice([1, 1, 2]))
    shift = float(rng.choice([0.0, 0.0, 0.5])) if rows % 2 == 0 else 0.0
    x, y, column, row = cells(size, columns, rows, shift)
    color = dye(rng, (0.3, 0.95), 0.6)
    palette = np.stack([near(rng, color, rng.uniform(0.01, 0.1)) for _ in range(columns * rows)])
    seam = seams(x, y, columns, rows, rng.uniform(0.006, 0.016), np.float32(0.0) * x)
    grout = hsv(rng, (0.05, 0.15), (0.0, 0.15), (0.25, 0.9))
    cloud = noise(rng, size, 1.7)
    body = shade(palette[row * columns + column], rng.uniform(0.01, 0.06) * cloud)
    bow = 0.06 * (x * (1 - x) + y * (1 - y))
    return mix(body, grout, seam), (1.0 - seam) * (0.9 + bow) + 0.01 * cloud


def brick(rng: Rng, size: int) -> Member:
    """Courses of bricks, each its own colour, in rough mortar."""
    columns = int(rng.integers(2, 6))
    rows = 2 * int(rng.integers(max(2, columns - 1), columns + 4))
    x, y, column, row = cells(size, columns, rows, 0.5)
    red = rng.uniform() < 0.7
    color = hsv(rng, (0.0, 0.08), (0.15, 0.65), (0.4, 0.85)) if red else dye(rng, (0.5, 0.95), 0.25)
    palette = np.stack([near(rng, color, 0.12) for _ in range(columns * rows)])
    edge = noise(rng, size, 1.0, low=8)
    seam = seams(x, y, columns, rows, rng.uniform(0.012, 0.026), 0.002 * edge)
    mortar = hsv(rng, (0.05, 0.15), (0.0, 0.15), (0.5, 0.85))
    grit, fine = noise(rng, size, 1.0), noise(rng, size, 0.2)
    image = shade(mix(palette[row * columns + column], mortar, seam), 0.06 * grit + 0.03 * fine)
    return image, (1.0 - seam) * (1.0 + 0.06 * grit) + 0.05 * fine


def terrazzo(rng: Rng, size: int) -> Member:
    """Chips of stone in a ground, polished flat."""
    base = dye(rng, (0.5, 0.95), 0.25)
    image = shade(base, 0.02 * noise(rng, size, 0.5))
    palette = np.stack([hsv(rng, (0, 1), (0.0, 0.6), (0.1, 0.95)) for _ in range(rng.integers(2, 6))])
    dust = step(noise(rng, size, 0.9, low=50), rng.uniform(1.2, 2.0), 2.4)
    image = mix(image, palette[0], dust)
    coarse = int(rng.integers(9, 28))
    for count, share in ((coarse, rng.uniform(0.4, 1.0)), (int(2.3 * coarse), rng.uniform(0.2, 0.9))):
        color, cover = _chips(rng, size, count, share, palette)
        image = image + (color - image) * cover[..., None]
    return image, None


def _chips(rng: Rng, size: int, count: int, share: float, palette: Array) -> tuple[Array, Array]:
    """Colours (size, size, 3) and cover (size, size) of polygons, at most one in each of `count` × `count` cells."""
    place = (np.arange(size, dtype=np.float32) + 0.5) / size * count
    cell = place.astype(np.intp)
    radius = rng.uniform(0.12, 0.46, (count, count)) * (rng.uniform(size=(count, count)) < share)
    shift = (0.5 - radius) * rng.uniform(-1, 1, (2, count, count))

    def spread(values: Array) -> Array:
        return np.take(values.astype(np.float32)[cell], cell, axis=1)

    x = (place - cell - 0.5)[None] - spread(shift[0])
    y = (place - cell - 0.5)[:, None] - spread(shift[1])
    away, turn = np.zeros((size, size), np.float32), rng.uniform(0, 2 * np.pi, (count, count))
    for _ in range(5):
        turn = turn + rng.uniform(0.9, 1.6, (count, count))
        reach = rng.uniform(0.55, 1.0, (count, count))
        away = np.maximum(away, x * spread(np.cos(turn) / reach) + y * spread(np.sin(turn) / reach))
    cover = np.clip((spread(radius) - away) * (size / count) + 0.5, 0.0, 1.0) * (spread(radius) > 0.0)
    which = rng.integers(len(palette), size=(count, count))[cell[:, None], cell[None]]
    return palette[which], cover


def granite(rng: Rng, size: int) -> Member:
    """Grains of several minerals of several sizes."""
    image = shade(dye(rng, (0.3, 0.8), 0.35), 0.05 * noise(rng, size, 1.5))
    for _ in range(int(rng.integers(3, 5))):
        threshold = rng.uniform(0.5, 1.7)
        field = noise(rng, size, rng.uniform(0.5, 1.3), low=rng.uniform(10, 40))
        image = mix(image, dye(rng, (0.05, 0.95), 0.4), rng.uniform(0.5, 1.0) * step(field, threshold, threshold + 0.4))
    return image, None


def metal(rng: Rng, size: int) -> Member:
    """Brushed one way; a little stained."""
    color = hsv(rng, (0.0, 0.65), (0.0, 0.12), (0.45, 0.85))
    brushed = noise(rng, size, 0.4, (rng.uniform(30, 80), 1.0), 8)
    return shade(color, rng.uniform(0.02, 0.07) * brushed, 0.03 * noise(rng, size, 2.0)), brushed
