"""A clear or hazy sky by day: Preetham, Shirley and Smits, A Practical Analytic Model for Daylight, SIGGRAPH 1999.

Perez' distribution over the sky for luminance and both chromaticities, each a function of turbidity. The sun's disc is
not in it: the sun is a lamp.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

# Perez' coefficients A … E: slope and offset over turbidity (their appendix A.2), for Y, x and y.
_PEREZ = np.array([
    [[0.1787, -1.4630], [-0.3554, 0.4275], [-0.0227, 5.3251], [0.1206, -2.5771], [-0.0670, 0.3703]],
    [[-0.0193, -0.2592], [-0.0665, 0.0008], [-0.0004, 0.2125], [-0.0641, -0.8989], [-0.0033, 0.0452]],
    [[-0.0167, -0.2608], [-0.0950, 0.0092], [-0.0079, 0.2102], [-0.0441, -1.6537], [-0.0109, 0.0529]],
])  # fmt: skip
# Zenith chromaticities x and y: rows T², T, 1; columns of the sun's polar angle cubed, squared, linear, constant.
_ZENITH = np.array([
    [[0.00166, -0.00375, 0.00209, 0.0], [-0.02903, 0.06377, -0.03202, 0.00394], [0.11693, -0.21196, 0.06052, 0.25886]],
    [[0.00275, -0.00610, 0.00317, 0.0], [-0.04214, 0.08970, -0.04153, 0.00516], [0.15346, -0.26756, 0.06670, 0.26688]],
])  # fmt: skip
_RGB_OF_XYZ = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]])
_GROUND = np.array([0.21, 0.2, 0.17])
"""Reflectance of the land below the horizon."""


def sky_radiance(sun: F64, turbidity: float, towards: F64) -> F64:
    """Radiance (…, 3) in any unit from directions (…, 3); `sun` (3,) points at the sun, at or above the horizon.

    Its colour is half balanced, as that of lamps is.
    """
    turbidity = float(np.clip(turbidity, 1.8, 10.0))
    polar = float(np.arccos(np.clip(sun[2], 0.02, 1.0)))
    up = np.maximum(towards[..., 2], 0.015)
    apart = np.arccos(np.clip(towards @ sun, -1.0, 1.0))
    zenith = _zenith(polar, turbidity)
    coefficients = _PEREZ @ np.array([turbidity, 1.0])
    Y, x, y = (
        z * _perez(k, up, apart) / _perez(k, np.float64(1.0), np.float64(polar))
        for z, k in zip(zenith, coefficients, strict=True)
    )
    xyz = np.stack([x / y, np.ones_like(x), (1 - x - y) / y], axis=-1)
    rgb = np.sqrt(np.clip(xyz @ _RGB_OF_XYZ.T, 0.01, None))
    sky = rgb / (rgb @ np.array([0.2126, 0.7152, 0.0722]))[..., None] * np.maximum(Y, 0.0)[..., None]
    below = towards[..., 2] < 0.0
    ground = _GROUND * float(Y[~below].mean()) if (~below).any() else _GROUND * zenith[0]
    return np.where(below[..., None], ground, sky)


def _perez(k: F64, up: F64 | np.float64, apart: F64 | np.float64) -> F64 | np.float64:
    """(1 + A e^{B / cos θ}) (1 + C e^{D γ} + E cos² γ)."""
    return (1 + k[0] * np.exp(k[1] / up)) * (1 + k[2] * np.exp(k[3] * apart) + k[4] * np.cos(apart) ** 2)


def _zenith(polar: float, turbidity: float) -> F64:
    """Luminance [kcd/m²] and chromaticities x, y at the zenith."""
    chi = (4.0 / 9.0 - turbidity / 120.0) * (np.pi - 2.0 * polar)
    Y = (4.0453 * turbidity - 4.9710) * np.tan(chi) - 0.2155 * turbidity + 2.4192
    x, y = _ZENITH @ np.array([polar**3, polar**2, polar, 1.0]) @ np.array([turbidity**2, turbidity, 1.0])
    return np.array([max(Y, 0.1), x, y])
