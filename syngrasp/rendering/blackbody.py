"""Colours of lamps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]


def blackbody(temperature: float) -> F64:
    """Linear RGB (3,) of luminance 1 of a black body at 1667…25000 K (Kim et al.'s Planckian locus in CIE xy),
    seen by a camera balanced half-way to it, as automatic white balance leaves a lamp's tint."""
    t = 1000.0 / temperature
    if temperature <= 4000:
        x = -0.2661239 * t**3 - 0.2343589 * t**2 + 0.8776956 * t + 0.179910
    else:
        x = -3.0258469 * t**3 + 2.1070379 * t**2 + 0.2226347 * t + 0.240390
    if temperature <= 2222:
        y = -1.1063814 * x**3 - 1.34811020 * x**2 + 2.18555832 * x - 0.20219683
    elif temperature <= 4000:
        y = -0.9549476 * x**3 - 1.37418593 * x**2 + 2.09137015 * x - 0.16748867
    else:
        y = 3.0817580 * x**3 - 5.87338670 * x**2 + 3.75112997 * x - 0.37001483
    xyz = np.array([x / y, 1.0, (1 - x - y) / y])
    rgb = np.array([[3.2406, -1.5372, -0.4986], [-0.9689, 1.8758, 0.0415], [0.0557, -0.2040, 1.0570]]) @ xyz
    rgb = np.sqrt(np.clip(rgb, 0.01, None))
    return rgb / (rgb @ (0.2126, 0.7152, 0.0722))
