# type: ignore  (Warp compiles these functions; their types are its, not Python's)
"""Ray tracer: light of the environment. Maps as environment/maps.py lays them out."""

# float(…) and int(…) declare a variable of a Warp kernel that a loop may change.

from __future__ import annotations

import warp as wp

from syngrasp.rendering.mjwarp.types import DOME_HEIGHT, DOME_LEVELS, World

wp.set_module_options({"enable_backward": False})


@wp.func
def map_place(direction: wp.vec3, rows: int) -> wp.vec2:
    """Column and row (of texel centres) of a unit direction in a map (rows, 2 · rows)."""
    scale = 0.31830989 * float(rows)
    row = wp.acos(wp.clamp(direction[2], -1.0, 1.0)) * scale - 0.5
    column = wp.atan2(direction[1], direction[0]) * scale - 0.5
    if column < 0.0:
        column += float(2 * rows)
    return wp.vec2(column, wp.clamp(row, 0.0, float(rows - 1)))


@wp.func
def map_value(radiance: wp.array2d[wp.vec3], place: wp.vec2) -> wp.vec3:
    """Bilinear value of a map (H, 2H)."""
    rows = radiance.shape[0]
    x0 = wp.min(int(place[0]), 2 * rows - 1)
    y0 = wp.min(int(place[1]), rows - 2)
    fx = place[0] - float(x0)
    fy = place[1] - float(y0)
    x1 = x0 + 1
    if x1 == 2 * rows:
        x1 = 0
    top = radiance[y0, x0] * (1.0 - fx) + radiance[y0, x1] * fx
    low = radiance[y0 + 1, x0] * (1.0 - fx) + radiance[y0 + 1, x1] * fx
    return top * (1.0 - fy) + low * fy


@wp.func
def sky(world: wp.array[World], direction: wp.vec3) -> wp.vec3:
    """Radiance that a camera sees along a unit direction where nothing else is."""
    return map_value(world[0].backdrop, map_place(direction, world[0].backdrop.shape[0]))


@wp.func
def mirrored(world: wp.array[World], direction: wp.vec3, roughness: float) -> wp.vec3:
    """Radiance of the environment around a unit mirror direction, through a rough surface's lobe."""
    blur = wp.clamp(roughness, 0.0, 1.0) * float(DOME_LEVELS - 1)
    level = wp.min(int(blur), DOME_LEVELS - 2)
    part = blur - float(level)
    place = map_place(direction, DOME_HEIGHT)
    sharp = map_value(world[0].dome[level], place)
    return sharp * (1.0 - part) + map_value(world[0].dome[level + 1], place) * part


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
