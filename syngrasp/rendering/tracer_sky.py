# type: ignore  (Warp compiles these functions; their types are its, not Python's)
"""Ray tracer: light of the environment. Maps as environment.py lays them out."""

# float(…) and int(…) declare a variable of a Warp kernel that a loop may change.

from __future__ import annotations

import warp as wp

from syngrasp.rendering.tracer_types import DOME_LEVELS, World

wp.set_module_options({"enable_backward": False})


@wp.func
def around(radiance: wp.array2d[wp.vec3], direction: wp.vec3) -> wp.vec3:
    """Bilinear value of a map (H, 2H) in a unit direction."""
    rows = radiance.shape[0]
    columns = 2 * rows
    y = wp.acos(wp.clamp(direction[2], -1.0, 1.0)) * (0.31830989 * float(rows)) - 0.5
    x = wp.atan2(direction[1], direction[0]) * (0.31830989 * float(rows)) - 0.5
    x0 = int(wp.floor(x))
    y0 = int(wp.floor(y))
    fx = x - float(x0)
    fy = y - float(y0)
    x1 = (x0 + 1 + columns) % columns
    x0 = (x0 + columns) % columns
    y1 = wp.min(y0 + 1, rows - 1)
    y0 = wp.max(y0, 0)
    top = radiance[y0, x0] * (1.0 - fx) + radiance[y0, x1] * fx
    low = radiance[y1, x0] * (1.0 - fx) + radiance[y1, x1] * fx
    return top * (1.0 - fy) + low * fy


@wp.func
def sky(world: wp.array[World], direction: wp.vec3) -> wp.vec3:
    """Radiance that a camera sees along a unit direction where nothing else is."""
    return around(world[0].backdrop, direction)


@wp.func
def mirrored(world: wp.array[World], direction: wp.vec3, roughness: float) -> wp.vec3:
    """Radiance of the environment around a unit mirror direction, through a rough surface's lobe."""
    place = wp.clamp(roughness, 0.0, 1.0) * float(DOME_LEVELS - 1)
    level = wp.min(int(place), DOME_LEVELS - 2)
    part = place - float(level)
    return around(world[0].dome[level], direction) * (1.0 - part) + around(world[0].dome[level + 1], direction) * part


@wp.func
def irradiance(world: wp.array[World], n: wp.vec3) -> wp.vec3:
    """Irradiance / π of the environment on a surface with unit normal n, from nine harmonics."""
    total = world[0].harmonics[0] * 0.28209479
    total += 0.48860251 * (world[0].harmonics[1] * n[1] + world[0].harmonics[2] * n[2] + world[0].harmonics[3] * n[0])
    total += 1.0925484 * (
        world[0].harmonics[4] * (n[0] * n[1])
        + world[0].harmonics[5] * (n[1] * n[2])
        + world[0].harmonics[7] * (n[0] * n[2])
    )
    total += world[0].harmonics[6] * (0.31539157 * (3.0 * n[2] * n[2] - 1.0))
    total += world[0].harmonics[8] * (0.54627422 * (n[0] * n[0] - n[1] * n[1]))
    return wp.max(total, wp.vec3(0.0))
