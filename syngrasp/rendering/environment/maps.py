"""The dome of light as a picture: radiance in every direction, for every renderer.

A map is (H, 2H, 3) linear. Row r looks at polar angle (r + ½)π/H from z, column c at azimuth
atan2(y, x) = 2π(c + ½)/2H, both in base; a look's rotation is applied already.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from syngrasp.errors import UnknownName
from syngrasp.rendering.environment.files import file_radiance
from syngrasp.rendering.environment.sky import sky_radiance
from syngrasp.rendering.environment.studio import studio_radiance
from syngrasp.rendering.files import PictureFolderError
from syngrasp.rendering.look import EnvironmentLook

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
KINDS = ("gradient", "sky", "studio", "file")
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def environment_map(look: EnvironmentLook, height: int = 64, folder: Path | None = None) -> F32:
    """Radiance (height, 2·height, 3) of an environment, scaled to the look's intensity: the irradiance / π that an
    unshaded surface facing up gets has luminance `look.intensity`. `folder` holds the files of kind file.

    Raises UnknownName for a kind that there is not, PictureFolderError for a file that cannot be read or that is dark
    above, MissingExtra for an .exr file without its reader.
    """
    if look.kind not in KINDS:
        raise UnknownName("environment", look.kind, KINDS)
    if look.kind == "file":
        radiance = file_radiance(folder, look.file, height, look.rotation)
        if sky_light(radiance) < 1e-6:
            raise PictureFolderError(Path(look.file), "has no light in its upper half")
        return scaled(radiance, look.intensity)
    if look.kind == "studio":
        return scaled(_studio(look, height), look.intensity)
    towards = rotated(directions(height), -look.rotation)
    if look.kind == "gradient":
        return scaled(_gradient(look, towards), look.intensity)
    return scaled(sky_radiance(rotated(np.array(look.sun), -look.rotation), look.turbidity, towards), look.intensity)


def directions(height: int) -> F64:
    """Unit directions (height, 2·height, 3) in base of a map's texels."""
    return _at(np.arange(height)[:, None] + 0.5, np.arange(2 * height)[None] + 0.5, height)


def _at(row: NDArray[np.floating], column: NDArray[np.floating], height: int) -> F64:
    """Unit directions (…, 3) of places in a map, in texels from its corner."""
    polar, azimuth = row * np.pi / height, column * np.pi / height
    x, y = np.sin(polar) * np.cos(azimuth), np.sin(polar) * np.sin(azimuth)
    return np.stack([x, y, np.broadcast_to(np.cos(polar), x.shape)], axis=-1)


def rotated(towards: F64, angle: float) -> F64:
    """Directions (…, 3) turned about z [rad]."""
    c, s = np.cos(angle), np.sin(angle)
    return towards @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])


def sky_light(radiance: NDArray[np.floating]) -> float:
    """Luminance of the irradiance / π that a surface facing up gets from a map (H, 2H, 3)."""
    height = len(radiance)
    polar = (np.arange(height) + 0.5) * np.pi / height
    weight = np.maximum(np.cos(polar), 0.0) * np.sin(polar) * (np.pi / height) ** 2 / np.pi
    return float((weight[:, None] * (radiance @ LUMINANCE)).sum())


def scaled(radiance: NDArray[np.floating], intensity: float) -> F32:
    """A map scaled so that a surface facing up gets irradiance / π of luminance `intensity`."""
    return (radiance * (intensity / max(sky_light(radiance), 1e-9))).astype(np.float32)


def _studio(look: EnvironmentLook, height: int) -> F32:
    """A generated room. Texels on its edges are the mean over themselves, for cameras see them much enlarged."""
    radiance = studio_radiance(look.seed, rotated(directions(height), -look.rotation))
    light = np.log(radiance.max(axis=-1) + 1e-3)
    jump = (np.abs(light - np.roll(light, 1, axis=1)) > 0.04) | (np.abs(light - np.roll(light, 1, axis=0)) > 0.04)
    row, column = np.nonzero(jump | np.roll(jump, -1, axis=1) | np.roll(jump, -1, axis=0))
    step = (np.arange(4) + 0.5) / 4.0
    inside = _at((row[:, None] + step)[:, :, None], (column[:, None] + step)[:, None], height)
    radiance[row, column] = studio_radiance(look.seed, rotated(inside, -look.rotation)).mean(axis=(1, 2))
    return radiance


def _gradient(look: EnvironmentLook, towards: F64) -> F64:
    up = towards[..., 2:]
    zenith, horizon = np.array(look.zenith), np.array(look.horizon)
    radiance = horizon + (zenith - horizon) * np.clip(np.abs(up) * 1.2, 0.0, 1.0)
    return np.where(up < 0, 0.5 * radiance, radiance)
