"""Texture families of cloth, paper, paint and patterns; pictures to hang."""

from __future__ import annotations

import numpy as np

from syngrasp.rendering.texture.patterns import Array, Member, Rng, dye, grid, hsv, mix, noise, shade, step


def plain(rng: Rng, size: int) -> Member:
    """Paint, smooth or on plaster."""
    rough = noise(rng, size, rng.uniform(0.9, 1.5))
    light = rng.uniform() < 0.85  # as most walls and tops are painted
    return shade(dye(rng, (0.68, 0.97) if light else (0.08, 0.6)), rng.uniform(0.004, 0.02) * rough), rough


def fabric(rng: Rng, size: int) -> Member:
    """Woven, in one colour, striped or in checks."""
    u, v = grid(size)
    threads = int(rng.choice([48, 64, 96]))
    color, second = dye(rng), dye(rng)
    a, b = np.sin(2 * np.pi * threads * u), np.sin(2 * np.pi * threads * v)
    yarn = noise(rng, size, 0.6, (8.0, 1.0), 16) + noise(rng, size, 0.6, (1.0, 8.0), 16)
    kind, count, duty = rng.integers(3), int(rng.integers(2, 12)), rng.uniform(0.15, 0.6)
    across = step(np.abs((v * count) % 1 - 0.5), 0.5 * duty - 0.02, 0.5 * duty + 0.02)
    along = step(np.abs((u * count) % 1 - 0.5), 0.5 * duty - 0.02, 0.5 * duty + 0.02)
    pattern = [np.zeros((size, size), np.float32), across + 0 * u, 0.5 * (across + along)][kind]
    folds = noise(rng, size, 2.2)
    return shade(mix(color, second, pattern), 0.1 * a * b, 0.05 * yarn, 0.03 * folds), a * b + 0.3 * yarn


def leather(rng: Rng, size: int) -> Member:
    """Creases along zero lines of noise."""
    brown = rng.uniform() < 0.7
    color = hsv(rng, (0.0, 0.1), (0.3, 0.75), (0.2, 0.7)) if brown else dye(rng, (0.12, 0.85), 0.6)
    parts = np.minimum(np.abs(noise(rng, size, 1.6, low=24)), np.abs(noise(rng, size, 1.6, low=24)))
    creases = np.exp(-rng.uniform(4, 9) * parts)
    return shade(color, -0.3 * creases, 0.07 * noise(rng, size, 1.8)), -creases


def paper(rng: Rng, size: int) -> Member:
    """Fibres and creases."""
    color = hsv(rng, (0.05, 0.17), (0.0, 0.3), (0.75, 0.97))
    fibres = np.maximum(noise(rng, size, 0.7, (6.0, 1.0), 20), noise(rng, size, 0.7, (1.0, 6.0), 20))
    creases = -np.exp(-40 * np.abs(noise(rng, size, 2.6))) * rng.uniform(0.0, 0.12)
    return shade(color, 0.02 * fibres, creases, 0.02 * noise(rng, size, 1.8)), fibres + 8.0 * creases


def checker(rng: Rng, size: int) -> Member:
    """Squares of two colours by turns."""
    count, (u, v) = 2 * int(rng.integers(1, 9)), grid(size)
    a, b = dye(rng, (0.5, 0.95)), dye(rng, (0.05, 0.6))
    field = ((np.floor(u * count) + np.floor(v * count)) % 2).astype(np.float32)
    return shade(mix(a, b, field), 0.025 * noise(rng, size, 1.5)), None


def stripes(rng: Rng, size: int) -> Member:
    """Bands of two or three colours."""
    bands = np.stack([dye(rng) for _ in range(rng.integers(2, 4))])
    count, (u, v) = int(rng.integers(1, 10)), grid(size)
    edges = np.cumsum(rng.uniform(0.3, 1.0, len(bands)))
    which = np.searchsorted(edges / edges[-1], (v * count) % 1.0).clip(0, len(bands) - 1)
    return shade(bands[which] + 0 * u[..., None], 0.03 * noise(rng, size, 1.2)), None


def clouds(rng: Rng, size: int) -> Member:
    """Four colours over noise: no material that there is."""
    stops = np.stack([dye(rng, (0.15, 0.95), 0.7) for _ in range(4)])
    return _ramp(stops, noise(rng, size, rng.uniform(1.3, 2.2), (rng.uniform(1, 3), 1.0))), None


def _ramp(stops: Array, field: Array) -> Array:
    """Colours along stops (4, 3) for a field of mean 0 and deviation 1."""
    position = np.clip(0.5 + 0.25 * field, 0.0, 0.999) * 3
    index = position.astype(np.intp)
    return mix(stops[index], stops[index + 1], (position - index).astype(np.float32))


def picture(rng: Rng, size: int) -> Member:
    """A framed picture that fills the square once: a landscape, coloured areas, blots or a blurred still life."""
    content = [_landscape, _areas, _blots, _still_life][int(rng.integers(4))](rng, size)
    u, v = grid(size)
    edge = np.minimum(np.minimum(u, 1 - u), np.minimum(v, 1 - v))
    frame, mount = rng.uniform(0.015, 0.06), rng.uniform(0.04, 0.14) if rng.uniform() < 0.5 else 0.0
    wooden = rng.uniform() < 0.5
    rim = hsv(rng, (0.04, 0.12), (0.3, 0.7), (0.2, 0.7)) if wooden else np.full(3, rng.uniform(0.03, 0.9), np.float32)
    board = np.full(3, rng.uniform(0.85, 0.97), np.float32)
    content = np.where((edge < frame + mount)[..., None], board, content)
    light = 0.85 + 0.3 * step(edge, 0.0, frame) - 0.1 * (v > 1 - frame)
    return np.where((edge < frame)[..., None], rim * light[..., None], content), None


def _landscape(rng: Rng, size: int) -> Array:
    """Hills before a sky, the farther the paler."""
    u, v = grid(size)
    top, low = hsv(rng, (0.5, 0.65), (0.2, 0.7), (0.4, 0.9)), hsv(rng, (0.0, 0.15), (0.0, 0.5), (0.7, 1.0))
    horizon = rng.uniform(0.35, 0.65)
    image = mix(top, low, np.clip(v / horizon, 0, 1) + 0 * u)
    image = mix(image, np.ones(3, np.float32), 0.6 * step(noise(rng, size, 1.9, (2.5, 1.0)), 0.5, 2.0))
    near_by, count = hsv(rng, (0.1, 0.4), (0.2, 0.7), (0.1, 0.45)), int(rng.integers(2, 6))
    for k in range(count):
        line = noise(rng, size, 1.7)[0] * rng.uniform(0.02, 0.07) + horizon + (1 - horizon) * (k / count) ** 1.3
        cover = step(v - line[None], -0.004, 0.004)
        haze = 0.75 * (1 - (k + 1) / count)
        body = shade(near_by + (low - near_by) * haze, 0.1 * noise(rng, size, 1.0))
        image = image + (body - image) * cover[..., None]
    return image


def _areas(rng: Rng, size: int) -> Array:
    """Rectangles over one another."""
    u, v = grid(size)
    image = np.broadcast_to(dye(rng, (0.4, 0.95)), (size, size, 3)).copy()
    for _ in range(int(rng.integers(4, 14))):
        x, y, w, h = rng.uniform(size=4) * (1.0, 1.0, 0.6, 0.6)
        inside = (np.abs(u - x) < 0.5 * w + 0.02) & (np.abs(v - y) < 0.5 * h + 0.02)
        image[inside] = dye(rng, (0.05, 0.95), 1.0)
    return shade(image, 0.03 * noise(rng, size, 0.8))


def _blots(rng: Rng, size: int) -> Array:
    """Colours over noise."""
    stops = np.stack([dye(rng, (0.05, 0.98), 1.0) for _ in range(4)])
    return _ramp(stops, noise(rng, size, rng.uniform(1.4, 2.4)))


def _still_life(rng: Rng, size: int) -> Array:
    """Shaded balls on a table, out of focus."""
    u, v = grid(size)
    back, table, edge = dye(rng, (0.1, 0.7)), dye(rng, (0.2, 0.8)), rng.uniform(0.5, 0.75)
    image = mix(back, table, step(v, edge - 0.01, edge + 0.01) + 0 * u)
    image = shade(image, 0.25 * (u - 0.5) + 0 * v, 0.05 * noise(rng, size, 1.6))
    for _ in range(int(rng.integers(2, 7))):
        r = rng.uniform(0.06, 0.2)
        x, y, color = rng.uniform(0.2, 0.8), edge + rng.uniform(-0.1, 0.2) - 0.5 * r, dye(rng, (0.3, 0.95), 1.0)
        away = np.hypot(u - x, v - y) / r
        glow = np.clip(1.0 - np.hypot(u - x + 0.35 * r, v - y + 0.4 * r) / (1.6 * r), 0.05, 1.0)
        image = mix(image, shade(color, glow - 0.6), 1.0 - step(away, 0.92, 1.02))
    return image
