"""Procedural textures: families of seamless square images, every member decided by (family, seed).

A family draws its own palette and shape from the seed, so that each has as many members as there are seeds.
All arithmetic happens in sRGB values, as a painter mixes; patterns repeat seamlessly in both directions.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from syngrasp.errors import UnknownName
from syngrasp.rendering.look import MaterialLook
from syngrasp.seeding import named_rng

Array = NDArray[Any]
U8 = NDArray[np.uint8]
Rng = np.random.Generator


def make_texture(family: str, seed: int, size: int = 512) -> U8:
    """The texture (size, size, 3) uint8 sRGB of one member of a family. Raises `UnknownName`."""
    if family not in FAMILIES:
        raise UnknownName("texture family", family, FAMILIES)
    image = FAMILIES[family](named_rng(seed, "texture", family), size)
    return np.clip(image * 255.0 + 0.5, 0.0, 255.0).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class TextureFolder:
    """A user's own pictures of surfaces: .png and .jpg files of a folder, by name."""

    path: Path


def material_image(material: MaterialLook, size: int = 512, folder: TextureFolder | None = None) -> U8:
    """The texture (size, size, 3) uint8 sRGB of a look's material, before its tint."""
    return make_texture(material.family, material.seed, size)


# --- building blocks ---------------------------------------------------------------------------


def _noise(rng: Rng, size: int, beta: float, stretch: tuple[float, float] = (1.0, 1.0), low: float = 1.0) -> Array:
    """Periodic Gaussian noise (size, size), mean 0, deviation 1, amplitude spectrum f^−beta from `low` cycles on.

    `stretch` > 1 elongates the pattern along (x, y).
    """
    fx = np.arange(size // 2 + 1, dtype=np.float32)[None] * np.float32(stretch[0])
    fy = (fft.fftfreq(size) * size).astype(np.float32)[:, None] * np.float32(stretch[1])
    f_sq = fx * fx + fy * fy
    f_sq[0, 0] = np.inf
    amplitude = np.where(f_sq < low * low, np.float32(0.0), f_sq ** np.float32(-0.5 * beta))
    white = rng.standard_normal((size, size // 2 + 1, 2), dtype=np.float32).view(np.complex64)[..., 0]
    out: Any = fft.irfft2(white * amplitude, s=(size, size))
    return out / max(float(out.std()), 1e-12)


def _grid(size: int) -> tuple[Array, Array]:
    """u (1, size) and v (size, 1) in [0, 1)."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size
    return axis[None], axis[:, None]


def _hsv(rng: Rng, h: tuple[float, float], s: tuple[float, float], v: tuple[float, float]) -> Array:
    return np.array(colorsys.hsv_to_rgb(rng.uniform(*h) % 1.0, rng.uniform(*s), rng.uniform(*v)), np.float32)


def _near(rng: Rng, color: Array, spread: float) -> Array:
    return np.clip(color * rng.uniform(1 - spread, 1 + spread) + rng.uniform(-0.3, 0.3, 3) * spread, 0, 1).astype("f4")


def _mix(a: Array, b: Array, t: Array) -> Array:
    """Colours between a (…, 3) and b (…, 3) at t (H, W)."""
    return a + (b - a) * t[..., None]


def _step(x: Array, low: float, high: float) -> Array:
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def _shade(color: Array, *layers: Array) -> Array:
    """A colour (3,) or image (H, W, 3) with brightness 1 + Σ layers."""
    return color * (1.0 + sum(layers))[..., None]  # type: ignore[index]


def _cells(size: int, columns: int, rows: int, shift: float) -> tuple[Array, Array, NDArray[np.intp], NDArray[np.intp]]:
    """Position within its cell [cells] (H, W) twice, and column and row (H, W), rows displaced by turns."""
    u, v = _grid(size)
    y = np.broadcast_to(v * rows, (size, size))
    row = np.floor(y).astype(np.intp)
    x = (u * columns + (row % 2) * shift) % columns
    column = np.floor(x).astype(np.intp)
    return x - column, y - row, column, row


def _seams(x: Array, y: Array, columns: int, rows: int, width: float, wobble: Array) -> Array:
    """1 on the joints between cells, `width` in tiles (H, W)."""
    edge_x = np.minimum(x, 1 - x) / columns
    edge_y = np.minimum(y, 1 - y) / rows
    return 1.0 - _step(np.minimum(edge_x, edge_y) + wobble, 0.35 * width, 0.65 * width)


# --- families ----------------------------------------------------------------------------------


def _plain(rng: Rng, size: int) -> Array:
    color = _hsv(rng, (0, 1), (0.0, 0.75), (0.25, 0.95))
    return _shade(color, rng.uniform(0.005, 0.03) * _noise(rng, size, 1.2))


def _wood(rng: Rng, size: int) -> Array:
    light = _hsv(rng, (0.05, 0.11), (0.25, 0.7), (0.45, 0.9))
    dark = light * _hsv(rng, (0.0, 0.09), (0.1, 0.4), (0.45, 0.8))
    planks, u, v = int(rng.choice([1, 3, 4, 6, 8])), *_grid(size)
    row = np.floor(v * planks).astype(np.intp)
    per_plank = rng.uniform(-1, 1, (planks, 3)).astype(np.float32)
    warp = 0.6 * _noise(rng, size, 2.2, (6.0, 1.0)) + 0.15 * _noise(rng, size, 1.6, (10.0, 1.0), 6)
    rings = rng.integers(2, 9) * v + rng.uniform(0.3, 0.9) * warp + 0.5 * per_plank[row, 0]
    grain = 0.5 + 0.5 * np.sin(2 * np.pi * rings)
    fibre = _noise(rng, size, 0.5, (30.0, 1.0), 24)
    image = _mix(light, dark, np.clip(0.75 * grain**1.5 + 0.1 * fibre, 0, 1))
    image = _shade(image, 0.09 * per_plank[row, 1] + 0 * u, 0.025 * fibre)
    if planks > 1:
        joint = (per_plank[:, 2] % 1.0)[row]
        ends = np.abs((u - joint + 0.5) % 1.0 - 0.5) < 0.0016
        sides = np.minimum(v * planks % 1, 1 - v * planks % 1) < 0.0022 * planks
        image = image * np.where(ends | sides, 0.45, 1.0)[..., None].astype(np.float32)
    return image


def _marble(rng: Rng, size: int) -> Array:
    pale = rng.uniform() < 0.7
    base = _hsv(rng, (0, 1), (0.0, 0.12), (0.8, 0.96)) if pale else _hsv(rng, (0, 1), (0.1, 0.6), (0.1, 0.35))
    vein = base * rng.uniform(0.3, 0.7) if pale else np.minimum(base * 2.5 + 0.25, 1.0)
    turbulence = _noise(rng, size, 1.9)
    lines = np.zeros((size, size), np.float32)
    for sharp in (rng.uniform(10, 25), rng.uniform(25, 60)):
        ridge = np.abs(_noise(rng, size, 2.0, (rng.uniform(1, 2.5), 1.0)) + 0.15 * turbulence)
        lines = np.maximum(lines, np.exp(-sharp * ridge) * rng.uniform(0.5, 1.0))
    return _shade(_mix(base, vein.astype(np.float32), lines), 0.04 * turbulence)


def _concrete(rng: Rng, size: int) -> Array:
    color = _hsv(rng, (0.05, 0.65), (0.0, 0.1), (0.35, 0.8))
    stains = _step(_noise(rng, size, 2.0), 0.2, 2.0)
    pores = _step(_noise(rng, size, 0.2, low=40), 2.3, 3.0)
    rough = 0.06 * _noise(rng, size, 1.3) + 0.03 * _noise(rng, size, 0.3)
    return _shade(color, rough, -rng.uniform(0.0, 0.25) * stains, -0.35 * pores)


def _tiles(rng: Rng, size: int) -> Array:
    columns = int(rng.choice([2, 3, 4, 6, 8]))
    rows = columns * int(rng.choice([1, 1, 2]))
    shift = float(rng.choice([0.0, 0.0, 0.5])) if rows % 2 == 0 else 0.0
    x, y, column, row = _cells(size, columns, rows, shift)
    color = _hsv(rng, (0, 1), (0.0, 0.5), (0.3, 0.95))
    palette = np.stack([_near(rng, color, rng.uniform(0.02, 0.2)) for _ in range(columns * rows)])
    seam = _seams(x, y, columns, rows, rng.uniform(0.006, 0.02), np.float32(0.0) * x)
    grout = _hsv(rng, (0.05, 0.15), (0.0, 0.15), (0.25, 0.9))
    body = _shade(palette[row * columns + column], 0.035 * _noise(rng, size, 1.7))
    return _mix(body, grout, seam)


def _brick(rng: Rng, size: int) -> Array:
    columns = int(rng.integers(2, 6))
    rows = 2 * int(rng.integers(max(2, columns - 1), columns + 4))
    x, y, column, row = _cells(size, columns, rows, 0.5)
    color = (
        _hsv(rng, (0.0, 0.08), (0.15, 0.65), (0.4, 0.85))
        if rng.uniform() < 0.7
        else _hsv(rng, (0, 1), (0.0, 0.2), (0.5, 0.95))
    )
    palette = np.stack([_near(rng, color, 0.18) for _ in range(columns * rows)])
    seam = _seams(x, y, columns, rows, rng.uniform(0.015, 0.03), 0.0025 * _noise(rng, size, 1.0, low=8))
    mortar = _hsv(rng, (0.05, 0.15), (0.0, 0.15), (0.5, 0.85))
    grit = 0.07 * _noise(rng, size, 1.0)
    return _shade(_mix(palette[row * columns + column], mortar, seam), grit)


def _fabric(rng: Rng, size: int) -> Array:
    u, v = _grid(size)
    threads = int(rng.choice([48, 64, 96]))
    color, second = _hsv(rng, (0, 1), (0.05, 0.8), (0.25, 0.95)), _hsv(rng, (0, 1), (0.0, 0.8), (0.2, 0.95))
    weave = np.sin(2 * np.pi * threads * u) * np.sin(2 * np.pi * threads * v)
    yarn = _noise(rng, size, 0.6, (8.0, 1.0), 16) + _noise(rng, size, 0.6, (1.0, 8.0), 16)
    kind, count, duty = rng.integers(3), int(rng.integers(2, 12)), rng.uniform(0.15, 0.6)
    across = _step(np.abs((v * count) % 1 - 0.5), 0.5 * duty - 0.02, 0.5 * duty + 0.02)
    along = _step(np.abs((u * count) % 1 - 0.5), 0.5 * duty - 0.02, 0.5 * duty + 0.02)
    pattern = [np.zeros((size, size), np.float32), across + 0 * u, 0.5 * (across + along)][kind]
    return _shade(_mix(color, second, pattern), 0.12 * weave, 0.05 * yarn)


def _checker(rng: Rng, size: int) -> Array:
    count, (u, v) = 2 * int(rng.integers(1, 9)), _grid(size)
    a = _hsv(rng, (0, 1), (0.0, 0.8), (0.5, 0.95))
    b = _hsv(rng, (0, 1), (0.0, 0.8), (0.08, 0.6))
    field = ((np.floor(u * count) + np.floor(v * count)) % 2).astype(np.float32)
    return _shade(_mix(a, b, field), 0.025 * _noise(rng, size, 1.5))


def _terrazzo(rng: Rng, size: int) -> Array:
    base = _hsv(rng, (0, 1), (0.0, 0.25), (0.55, 0.95))
    image = _shade(base, 0.02 * _noise(rng, size, 0.5))
    palette = np.stack([_hsv(rng, (0, 1), (0.0, 0.6), (0.1, 0.95)) for _ in range(rng.integers(2, 6))])
    largest = rng.uniform(0.01, 0.035)
    for _ in range(int(rng.integers(150, 320))):
        radius = size * largest * rng.uniform(0.2, 1.0)
        reach, aspect, turn = int(radius * 1.5) + 2, rng.uniform(0.5, 1.0), rng.uniform(0, np.pi)
        cx, cy = rng.uniform(0, size, 2)
        x = np.arange(int(cx) - reach, int(cx) + reach + 1)
        y = np.arange(int(cy) - reach, int(cy) + reach + 1)
        dx, dy = np.meshgrid(x - cx, y - cy)
        a, b = dx * np.cos(turn) + dy * np.sin(turn), (dy * np.cos(turn) - dx * np.sin(turn)) / aspect
        corners, phase = rng.integers(4, 7), rng.uniform(0, np.pi)
        wedge = np.cos((np.arctan2(b, a) + phase) % (2 * np.pi / corners) - np.pi / corners)
        cover = np.clip((radius - np.hypot(a, b) * wedge), 0, 1)[..., None].astype(np.float32)
        where = np.ix_(y % size, x % size)
        image[where] += (palette[rng.integers(len(palette))] - image[where]) * cover
    return image


def _metal(rng: Rng, size: int) -> Array:
    color = _hsv(rng, (0.0, 0.65), (0.0, 0.12), (0.45, 0.85))
    brushed = _noise(rng, size, 0.4, (rng.uniform(30, 80), 1.0), 8)
    return _shade(color, rng.uniform(0.03, 0.08) * brushed, 0.03 * _noise(rng, size, 2.0))


def _paper(rng: Rng, size: int) -> Array:
    color = _hsv(rng, (0.05, 0.17), (0.0, 0.3), (0.75, 0.97))
    fibres = np.maximum(_noise(rng, size, 0.7, (6.0, 1.0), 20), _noise(rng, size, 0.7, (1.0, 6.0), 20))
    creases = -np.exp(-40 * np.abs(_noise(rng, size, 2.6))) * rng.uniform(0.0, 0.12)
    return _shade(color, 0.02 * fibres, creases, 0.02 * _noise(rng, size, 1.8))


def _leather(rng: Rng, size: int) -> Array:
    color = (
        _hsv(rng, (0.0, 0.1), (0.3, 0.75), (0.15, 0.65))
        if rng.uniform() < 0.7
        else _hsv(rng, (0, 1), (0.0, 0.7), (0.1, 0.85))
    )
    cells = np.minimum(np.abs(_noise(rng, size, 1.6, low=24)), np.abs(_noise(rng, size, 1.6, low=24)))
    creases = np.exp(-rng.uniform(4, 9) * cells)
    return _shade(color, -0.35 * creases, 0.06 * _noise(rng, size, 1.8))


def _granite(rng: Rng, size: int) -> Array:
    base = _hsv(rng, (0, 1), (0.0, 0.3), (0.3, 0.8))
    image = _shade(base, 0.05 * _noise(rng, size, 1.5))
    for _ in range(int(rng.integers(2, 5))):
        threshold = rng.uniform(0.4, 1.6)
        grains = _step(_noise(rng, size, rng.uniform(0.8, 1.2), low=rng.uniform(16, 50)), threshold, threshold + 0.3)
        image = _mix(image, _hsv(rng, (0, 1), (0.0, 0.4), (0.05, 0.95)), grains)
    return image


def _stripes(rng: Rng, size: int) -> Array:
    count, (u, v) = int(rng.integers(2, 24)), _grid(size)
    bands = np.stack([_hsv(rng, (0, 1), (0.0, 0.75), (0.2, 0.95)) for _ in range(rng.integers(2, 4))])
    which = np.floor(v * count * len(bands)).astype(np.intp) % len(bands)
    return _shade(bands[which] + 0 * u[..., None], 0.03 * _noise(rng, size, 1.2))


def _random(rng: Rng, size: int) -> Array:
    stops = np.stack([_hsv(rng, (0, 1), (0.1, 0.9), (0.15, 0.95)) for _ in range(4)])
    field = _noise(rng, size, rng.uniform(1.3, 2.2), (rng.uniform(1, 3), 1.0))
    position = np.clip(0.5 + 0.25 * field, 0.0, 0.999) * 3
    index = position.astype(np.intp)
    return _mix(stops[index], stops[index + 1], (position - index).astype(np.float32))


FAMILIES: dict[str, Callable[[Rng, int], Array]] = {
    "brick": _brick,
    "checker": _checker,
    "concrete": _concrete,
    "fabric": _fabric,
    "granite": _granite,
    "leather": _leather,
    "marble": _marble,
    "metal": _metal,
    "noise": _random,
    "paper": _paper,
    "picture": _random,
    "plain": _plain,
    "stripes": _stripes,
    "terrazzo": _terrazzo,
    "tiles": _tiles,
    "wood": _wood,
}
