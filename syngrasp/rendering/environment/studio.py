"""A generated room as an environment: walls, ceiling and floor lit by windows, panels and lamps on them.

Seen from its middle. Every member is a function of its seed: size, colours, how many lights of which kind and where.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from syngrasp.seeding import named_rng

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
Rng = np.random.Generator


@dataclass(frozen=True, slots=True, eq=False)
class _Panel:
    """Something flat on a side of the room."""

    axis: int  # of the side's normal
    sign: float  # which of the two sides
    centre: F64  # (2,) on the side [m]
    half: F64  # (2,) [m]
    round: bool
    color: F64  # (3,) radiance of a light, reflectance of a thing
    light: bool
    fade: float  # brightness at its lower edge, of that at the upper


def studio_radiance(seed: int, towards: F64) -> F32:
    """Radiance (…, 3) in any unit from directions (…, 3)."""
    rng = named_rng(seed, "studio")
    lower = -np.array([rng.uniform(2.0, 6.0), rng.uniform(2.0, 6.0), rng.uniform(0.9, 1.4)])
    upper = np.array([rng.uniform(2.0, 6.0), rng.uniform(2.0, 6.0), rng.uniform(1.2, 2.6)])
    walls, floor = _tone(rng, 0.5, (0.1, 0.8)), _tone(rng, 0.6, (0.05, 0.5))
    ceiling = _tone(rng, 0.1, (0.4, 0.9))
    panels = [_panel(rng, lower, upper, light=False) for _ in range(int(rng.integers(2, 7)))]
    panels += [_panel(rng, lower, upper, light=True) for _ in range(int(rng.integers(1, 7)))]
    ambient = float(rng.uniform(0.05, 0.2))
    place, axis, positive = _hits(np.asarray(towards.reshape(-1, 3), np.float32), lower, upper)
    out = np.empty_like(place)
    for side in range(6):
        rows = np.flatnonzero((axis == side // 2) & (positive == side % 2))
        sign = 2.0 * (side % 2) - 1.0
        base = walls if side < 4 else ceiling if sign > 0 else floor
        shine = _shine(place[rows], side // 2, sign, [p for p in panels if p.light], lower, upper, ambient)
        own = [panel for panel in panels if panel.axis == side // 2 and panel.sign == sign]
        out[rows] = _covered(base * shine, shine, place[rows], own)
    return out.reshape(towards.shape)


def _tone(rng: Rng, most: float, value: tuple[float, float]) -> F64:
    return np.array(colorsys.hsv_to_rgb(rng.uniform(), most * rng.uniform() ** 2, rng.uniform(*value)))


def _panel(rng: Rng, lower: F64, upper: F64, light: bool) -> _Panel:
    """A window or a picture-like patch on a wall, a panel or a round lamp on the ceiling."""
    above = light and rng.uniform() < 0.45
    axis, sign = (2, 1.0) if above else (int(rng.integers(2)), float(rng.choice([-1.0, 1.0])))
    span = [a for a in range(3) if a != axis]
    low, high = lower[span], upper[span]
    half = np.minimum(0.45 * (high - low), rng.uniform(0.12, 0.45, 2) * np.array([3.0, 1.6 if not above else 3.0]))
    ball = light and rng.uniform() < 0.25
    if ball:
        half[:] = min(half) * rng.uniform(0.3, 0.8)
    centre = low + half + rng.uniform(size=2) * (high - low - 2 * half)
    if light and not above:
        centre[1] = max(centre[1], low[1] + 0.55 * (high[1] - low[1]))
    warm = rng.uniform(-1.0, 1.0)
    glow = np.array([1.0 + 0.25 * warm, 1.0, 1.0 - 0.35 * warm]) * np.exp(rng.uniform(np.log(4.0), np.log(40.0)))
    color = glow if light else _tone(rng, 0.8, (0.03, 0.7))
    return _Panel(axis, sign, centre, half, ball, color, light, float(rng.uniform(0.4, 1.0)))


def _hits(towards: F32, lower: F64, upper: F64) -> tuple[F32, NDArray[np.intp], NDArray[np.bool_]]:
    """Where directions (N, 3) meet the room's sides: place (N, 3) [m], axis (N,) of the side's normal, and whether it
    is the one at positive coordinates (N,)."""
    sides = np.where(towards > 0, upper.astype(np.float32), lower.astype(np.float32))
    reach = sides / np.where(np.abs(towards) < 1e-9, np.float32(np.inf), towards)
    reach = np.where(np.abs(towards) < 1e-9, np.float32(np.inf), reach)
    axis = reach.argmin(axis=1)
    rows = np.arange(len(towards))
    return towards * reach[rows, axis][:, None], axis, towards[rows, axis] > 0


def _covered(out: NDArray[np.floating], shine: F32, place: F32, panels: list[_Panel]) -> F32:
    """Light (N, 3) of a side with its panels before it. Their edges are soft by 3 cm."""
    for panel in panels:
        span = [a for a in range(3) if a != panel.axis]
        away = place[:, span] - panel.centre
        if panel.round:
            edge = panel.half[0] - np.linalg.norm(away, axis=1)
        else:
            edge = (panel.half - np.abs(away)).min(axis=1)
        cover = np.clip(0.5 + edge / 0.06, 0.0, 1.0)[:, None]
        height = np.clip(0.5 + 0.5 * away[:, 1:] / panel.half[1], 0.0, 1.0)
        shade = (panel.fade + (1.0 - panel.fade) * height) * panel.color
        out = out + ((shade if panel.light else shade * shine) - out) * cover
    return out.astype(np.float32)


def _shine(place: F32, axis: int, sign: float, lights: list[_Panel], lower: F64, upper: F64, ambient: float) -> F32:
    """Irradiance / π (N, 3) on places (N, 3) of a side from the room's lights, each as a patch, and from all around."""
    glow = np.stack([light.color * 4.0 * light.half[0] * light.half[1] for light in lights])
    out = np.tile((ambient * glow.sum(axis=0) / 6.0).astype(np.float32), (len(place), 1))
    for light, power in zip(lights, glow.astype(np.float32), strict=True):
        centre = np.zeros(3, np.float32)
        centre[[a for a in range(3) if a != light.axis]] = light.centre
        centre[light.axis] = (upper if light.sign > 0 else lower)[light.axis]
        toward = centre - place
        square = (toward**2).sum(axis=1)
        cosines = np.maximum(-sign * toward[:, axis], 0.0) * np.maximum(light.sign * toward[:, light.axis], 0.0)
        area = np.float32(4.0 * light.half[0] * light.half[1])
        out += (cosines / (np.maximum(square, 1e-6) * (np.pi * square + area)))[:, None] * power
    return out
