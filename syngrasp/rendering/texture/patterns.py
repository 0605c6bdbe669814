"""What texture families are made of: periodic noise, cells, colours. Values are sRGB, as a painter mixes."""

from __future__ import annotations

import colorsys
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

Array = NDArray[Any]
Rng = np.random.Generator
COARSEST = 16
"""Size of the least texture [texels]."""

Member = tuple[Array, Array | None]
"""Colours (size, size, 3) of a texture, about in [0, 1], and heights (size, size) of its relief in any unit."""


def noise(rng: Rng, size: int, beta: float, stretch: tuple[float, float] = (1.0, 1.0), low: float = 1.0) -> Array:
    """Periodic Gaussian noise (size, size), mean 0, deviation 1, amplitude spectrum f^−beta from `low` cycles on.

    `stretch` > 1 elongates the pattern along (x, y).
    """
    fx = np.arange(size // 2 + 1, dtype=np.float32)[None] * np.float32(stretch[0])
    fy = (fft.fftfreq(size) * size).astype(np.float32)[:, None] * np.float32(stretch[1])
    f_sq = fx * fx + fy * fy
    f_sq[0, 0] = np.inf
    amplitude = np.where(f_sq < low * low, np.float32(0.0), f_sq ** np.float32(-0.5 * beta))
    out: Any = fft.irfft2(_white(rng, size) * amplitude, s=(size, size))
    return out / max(float(out.std()), 1e-12)


def _white(rng: Rng, size: int) -> Array:
    """Random amplitudes (size, size // 2 + 1) of waves, the same of each wave at every size.

    They are drawn from a stream of their own, slow waves first: a texture is the same surface at any resolution.
    """
    own, sizes = rng.spawn(1)[0], [size]
    while sizes[-1] > COARSEST:
        sizes.append(COARSEST << int(np.log2((sizes[-1] - 1) / COARSEST)))
    drawn = [own.standard_normal((n, n // 2 + 1, 2), dtype=np.float32).view(np.complex64)[..., 0] for n in sizes[::-1]]
    out = drawn[-1]
    for slower in drawn[-2::-1]:
        half = len(slower) // 2
        out[:half, :half], out[1 - half :, :half] = slower[:half, :half], slower[1 - half :, :half]
    return out


def wave(rng: Rng, size: int, rows: int, beta: float) -> Array:
    """Periodic noise (rows, size) along its second axis, mean 0, deviation 1 of all, spectrum f^−beta."""
    f = np.arange(size // 2 + 1, dtype=np.float32)
    f[0] = np.inf
    white = rng.spawn(1)[0].standard_normal((size // 2 + 1, rows, 2), dtype=np.float32).view(np.complex64)[..., 0].T
    out: Any = fft.irfft(white * f ** np.float32(-beta), n=size)
    return out / max(float(out.std()), 1e-12)


def grid(size: int) -> tuple[Array, Array]:
    """u (1, size) and v (size, 1) in [0, 1)."""
    axis = (np.arange(size, dtype=np.float32) + 0.5) / size
    return axis[None], axis[:, None]


def hsv(rng: Rng, h: tuple[float, float], s: tuple[float, float], v: tuple[float, float]) -> Array:
    """A colour (3,) of hue, saturation and value within bounds."""
    return np.array(colorsys.hsv_to_rgb(rng.uniform(*h) % 1.0, rng.uniform(*s), rng.uniform(*v)), np.float32)


def dye(rng: Rng, v: tuple[float, float] = (0.2, 0.95), most: float = 0.8) -> Array:
    """A colour (3,) of any hue as paints and cloths have them: mostly pale or greyed, seldom strong, the strong ones
    deeper. Half of all have less than an eighth of the saturation `most`."""
    s = most * rng.uniform() ** 3
    return np.array(colorsys.hsv_to_rgb(rng.uniform(), s, rng.uniform(*v) * (1.0 - 0.4 * s)), np.float32)


def near(rng: Rng, color: Array, spread: float) -> Array:
    """A colour (3,) like another."""
    return np.clip(color * rng.uniform(1 - spread, 1 + spread) + rng.uniform(-0.3, 0.3, 3) * spread, 0, 1).astype("f4")


def mix(a: Array, b: Array, t: Array) -> Array:
    """Colours between a (…, 3) and b (…, 3) at t (H, W)."""
    return a + (b - a) * t[..., None]


def step(x: Array, low: float, high: float) -> Array:
    """0 below `low`, 1 above `high`, smooth between."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


def shade(color: Array, *layers: Array) -> Array:
    """A colour (3,) or image (H, W, 3) with brightness 1 + Σ layers."""
    return color * (1.0 + sum(layers))[..., None]  # type: ignore[index]


def cells(size: int, columns: int, rows: int, shift: float) -> tuple[Array, Array, NDArray[np.intp], NDArray[np.intp]]:
    """Position within its cell [cells] (H, W) twice, and column and row (H, W), rows displaced by turns."""
    u, v = grid(size)
    y = np.broadcast_to(v * rows, (size, size))
    row = np.floor(y).astype(np.intp)
    x = (u * columns + (row % 2) * shift) % columns
    column = np.floor(x).astype(np.intp)
    return x - column, y - row, column, row


def seams(x: Array, y: Array, columns: int, rows: int, width: float, wobble: Array) -> Array:
    """1 on the joints between cells, `width` in tiles (H, W)."""
    edge_x = np.minimum(x, 1 - x) / columns
    edge_y = np.minimum(y, 1 - y) / rows
    return 1.0 - step(np.minimum(edge_x, edge_y) + wobble, 0.35 * width, 0.65 * width)
