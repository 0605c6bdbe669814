"""The dome of light as a picture: radiance in every direction, for every renderer.

A map is (H, 2H, 3) linear. Row r looks at polar angle (r + ½)π/H from z, column c at azimuth
atan2(y, x) = 2π(c + ½)/2H, both in base; a look's rotation is applied already.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from syngrasp.errors import UnknownName
from syngrasp.rendering.look import EnvironmentLook

F32 = NDArray[np.float32]
KINDS = ("gradient", "sky", "studio", "file")


def environment_map(look: EnvironmentLook, height: int = 64, folder: Path | None = None) -> F32:
    """Radiance (height, 2·height, 3) of an environment, scaled to the look's intensity: the irradiance / π that an
    unshaded surface facing up gets has luminance `look.intensity`. `folder` holds the files of kind file.

    Raises `UnknownName` for a kind that there is not.
    """
    if look.kind not in KINDS:
        raise UnknownName("environment", look.kind, KINDS)
    up = directions(height)[..., 2:]
    t = np.clip(np.abs(up) * 1.2, 0.0, 1.0)
    zenith, horizon = np.array(look.zenith), np.array(look.horizon)
    radiance = horizon + (zenith - horizon) * t
    radiance = np.where(up < 0, 0.5 * radiance, radiance)
    return scaled(radiance, look.intensity)


def directions(height: int) -> NDArray[np.float64]:
    """Unit directions (height, 2·height, 3) in base of a map's texels."""
    polar = (np.arange(height) + 0.5) * np.pi / height
    azimuth = (np.arange(2 * height) + 0.5) * np.pi / height
    x, y = np.sin(polar)[:, None] * np.cos(azimuth), np.sin(polar)[:, None] * np.sin(azimuth)
    return np.stack([x, y, np.broadcast_to(np.cos(polar)[:, None], x.shape)], axis=-1)


def scaled(radiance: NDArray[np.float64], intensity: float) -> F32:
    """A map scaled so that a surface facing up gets irradiance / π of luminance `intensity`."""
    height = len(radiance)
    polar = (np.arange(height) + 0.5) * np.pi / height
    weight = np.maximum(np.cos(polar), 0.0) * np.sin(polar) * (np.pi / height) ** 2 / np.pi
    luminance = radiance @ np.array([0.2126, 0.7152, 0.0722])
    total = float((weight[:, None] * luminance).sum())
    return (radiance * (intensity / max(total, 1e-9))).astype(np.float32)
