# type: ignore  (Warp compiles these functions; their types are its, not Python's)
"""Ray tracer: from sampled shares of light to the finished still layer."""

# float(…) and int(…) declare a variable of a Warp kernel that a loop may change.
# ruff: noqa: UP018, RUF046

from __future__ import annotations

import warp as wp

from syngrasp.rendering.mjwarp.still import SOFT
from syngrasp.rendering.mjwarp.types import StillLayer, World

wp.set_module_options({"enable_backward": False})


@wp.kernel
def compose_still(
    world: wp.array[World], width: int, height: int, layer: wp.array[StillLayer], shares: wp.array3d[float]
):
    """Takes away the light that does not arrive, evened out over the neighbours on the same surface: each pixel cast
    rays in some of the directions only. Weights fall off to nothing at three pixels, so that every direction counts
    the same. Sharp shadows are evened out less far, against stairs on their edges. Each lamp's share goes to `shares`,
    which `dim_still` applies: neighbours still ask for the light as it was."""
    c, pixel = wp.tid()
    x = pixel % width
    y = pixel // width
    normal = layer[0].normal[c, pixel]
    t = layer[0].t[c, pixel]
    count = float(0.0)
    free = float(0.0)
    taken = wp.vec3(0.0)
    change = wp.vec3(0.0)
    for j in range(wp.max(y - 2, 0), wp.min(y + 3, height)):
        for i in range(wp.max(x - 2, 0), wp.min(x + 3, width)):
            if alike(layer, c, j * width + i, pixel, normal, t):
                weight = tent(i - x, j - y, 2)
                count += weight
                free += weight * layer[0].open[c, j * width + i]
                taken += weight * layer[0].taken[c, j * width + i]
                change += weight * layer[0].change[c, j * width + i]
    direct = wp.max(layer[0].ambient[c, pixel] - taken / count, wp.vec3(0.0))
    light = direct * (free / count) + change / count
    layer[0].ambient[c, pixel] = light
    shown = wp.max(layer[0].shown[c, pixel] - taken / count, wp.vec3(0.0))
    layer[0].shown[c, pixel] = shown * (free / count) + change / count
    for lamp in range(world[0].lights.shape[0]):
        seen = layer[0].seen[c, pixel, lamp]
        if wp.max(layer[0].light[c, pixel, lamp]) > 0.0:
            reach = int(2)
            if world[0].lights[lamp].radius < SOFT:
                reach = 1
            total = float(0.0)
            lit = float(0.0)
            for j in range(wp.max(y - reach, 0), wp.min(y + reach + 1, height)):
                for i in range(wp.max(x - reach, 0), wp.min(x + reach + 1, width)):
                    near = j * width + i
                    if alike(layer, c, near, pixel, normal, t) and wp.max(layer[0].light[c, near, lamp]) > 0.0:
                        weight = tent(i - x, j - y, reach)
                        lit += weight
                        total += weight * layer[0].seen[c, near, lamp]
            seen = total / lit
        shares[c, pixel, lamp] = seen
        light += layer[0].light[c, pixel, lamp] * seen
    layer[0].total[c, pixel] = light


@wp.kernel
def dim_still(layer: wp.array[StillLayer], shares: wp.array3d[float]):
    """Leaves each lamp's share of its light."""
    c, pixel, lamp = wp.tid()
    layer[0].light[c, pixel, lamp] = layer[0].light[c, pixel, lamp] * shares[c, pixel, lamp]


@wp.func
def tent(dx: int, dy: int, reach: int) -> float:
    return float((reach + 1 - wp.abs(dx)) * (reach + 1 - wp.abs(dy)))


@wp.func
def alike(layer: wp.array[StillLayer], c: int, a: int, b: int, normal: wp.vec3, t: float) -> bool:
    """Whether two pixels of the still layer show the same smooth surface."""
    if layer[0].label[c, a] != layer[0].label[c, b] or wp.abs(layer[0].t[c, a] - t) > 0.05 * t:
        return False
    return wp.dot(layer[0].normal[c, a], normal) > 0.9
