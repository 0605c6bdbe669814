"""The environment as the ray tracer reads it: blurred for rough mirrors, and as harmonics for matt surfaces.

A rough mirror sees the environment through GGX's lobe (Karis, "Real shading in Unreal Engine 4", 2013: normal, view and
mirror direction taken as one). The lobe is the same around every direction, so in azimuth it is a convolution: rows are
mixed frequency by frequency. Irradiance by nine harmonics: Ramamoorthi and Hanrahan 2001.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from syngrasp.rendering.environment.maps import directions
from syngrasp.rendering.mjwarp.types import DOME_HEIGHT, DOME_LEVELS

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

HORIZON = 0.06
"""Sine of the angle below the horizon from which on the ground is all that is seen."""


def dome_levels(radiance: F32) -> F32:
    """(DOME_LEVELS, DOME_HEIGHT, 2 · DOME_HEIGHT, 3) of an environment (DOME_HEIGHT, 2 · DOME_HEIGHT, 3): level l is
    what a mirror of roughness l / (DOME_LEVELS - 1) shows in each direction."""
    spectrum = np.fft.rfft(radiance, axis=1).transpose(1, 0, 2)
    levels = [radiance]
    for level in range(1, DOME_LEVELS):
        mixed = _lobe(DOME_HEIGHT, level / (DOME_LEVELS - 1)) @ spectrum
        blurred = np.fft.irfft(mixed.transpose(1, 0, 2), n=2 * DOME_HEIGHT, axis=1)
        levels.append(np.maximum(blurred, 0.0).astype(np.float32))
    return np.stack(levels)


@lru_cache(maxsize=16)
def _lobe(height: int, roughness: float) -> NDArray[np.complex64]:
    """(height + 1, height, height): for each frequency in azimuth, what each row gets from each row."""
    polar = (np.arange(height) + 0.5) * np.pi / height
    azimuth = np.arange(2 * height) * np.pi / height
    sines = np.sin(polar)[:, None] * np.sin(polar)
    cosine = np.cos(polar)[:, None] * np.cos(polar)
    cosine = np.clip(cosine[..., None] + sines[..., None] * np.cos(azimuth), -1.0, 1.0)
    a_sq = roughness**4
    half_sq = 0.5 + 0.5 * cosine  # cos² of half the angle, between normal and half vector
    weight = a_sq / (half_sq * (a_sq - 1.0) + 1.0) ** 2 * np.maximum(cosine, 0.0) * np.sin(polar)[None, :, None]
    weight /= weight.sum(axis=(1, 2), keepdims=True)
    return np.fft.rfft(weight, axis=2).transpose(2, 0, 1).astype(np.complex64)


def above_ground(radiance: F32, ground: F64) -> F32:
    """An environment (H, 2H, 3) whose lower half is a ground of one radiance (3,)."""
    share = np.clip(-directions(len(radiance))[..., 2:] / HORIZON, 0.0, 1.0)
    return (radiance * (1.0 - share) + ground * share).astype(np.float32)


def smaller(radiance: F32, height: int) -> F32:
    """An environment (H, 2H, 3) averaged to `height` rows, H a multiple of it."""
    k = len(radiance) // height
    return radiance.reshape(height, k, 2 * height, k, 3).mean(axis=(1, 3))


def harmonics(radiance: F32) -> F32:
    """(9, 3) coefficients of an environment's irradiance / π over `harmonic_basis` of the normal."""
    height = len(radiance)
    d = directions(height)
    solid = np.sin((np.arange(height) + 0.5) * np.pi / height) * (np.pi / height) ** 2
    solid = solid * (4.0 * np.pi / (solid.sum() * 2 * height))
    basis = harmonic_basis(d.reshape(-1, 3))
    area = np.repeat(solid, 2 * height)[:, None]
    light = basis.T @ (radiance.reshape(-1, 3) * area)
    return (light * np.array([1.0, *[2 / 3] * 3, *[1 / 4] * 5])[:, None]).astype(np.float32)


def harmonic_basis(n: F64) -> F64:
    """Real spherical harmonics (N, 9) up to degree 2 of unit vectors (N, 3)."""
    x, y, z = n.T
    one = np.full_like(x, 0.28209479)
    first = [0.48860251 * y, 0.48860251 * z, 0.48860251 * x]
    second = [1.0925484 * x * y, 1.0925484 * y * z, 0.31539157 * (3 * z * z - 1), 1.0925484 * x * z]
    return np.stack([one, *first, *second, 0.54627422 * (x * x - y * y)], axis=-1)
