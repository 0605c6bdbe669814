# type: ignore  (Warp compiles these functions; their types are its, not Python's)
"""Ray tracer: which moving parts can shadow what, found once per frame for tiles of pixels and for whole parts.

A receiver and a lamp are balls; every shadow ray between them stays in the capsule around their axis, so a part whose
box, grown by the capsule's radius, misses the axis cannot block any of them.
"""

# float(…) and int(…) declare a variable of a Warp kernel that a loop may change.
# ruff: noqa: UP018

from __future__ import annotations

import warp as wp

from syngrasp.rendering.mjwarp.rays import FAR, LAST_BIT, box_entry, invert
from syngrasp.rendering.mjwarp.still import OCCLUSION_REACH
from syngrasp.rendering.mjwarp.types import Camera, Instance, Light, StillLayer, World

wp.set_module_options({"enable_backward": False})

TILE = wp.constant(8)  # [px]
STILL_BIT = wp.constant(63)  # what does not move, for shadows on moving parts


@wp.func
def bit(index: int) -> wp.uint64:
    return wp.uint64(1) << wp.uint64(wp.min(index, LAST_BIT))


@wp.func
def may_block(lower: wp.vec3, upper: wp.vec3, centre: wp.vec3, radius: float, light: Light) -> bool:
    """Whether a box can come between a ball and a lamp."""
    axis = -light.direction
    distance = float(FAR)
    grow = float(radius)
    if light.kind == 2:
        grow += light.radius * (wp.length(0.5 * (lower + upper) - centre) + wp.length(upper - lower))
    else:
        axis = light.position - centre
        distance = wp.length(axis)
        axis = axis / wp.max(distance, 1.0e-6)
        grow = wp.max(grow, light.radius)
    margin = wp.vec3(grow, grow, grow)
    span = box_entry(lower - margin, upper + margin, centre, invert(axis))
    return span[0] <= span[1] and span[1] > 0.0 and span[0] < distance


@wp.func
def near_ball(lower: wp.vec3, upper: wp.vec3, centre: wp.vec3, reach: float) -> bool:
    """Whether a box comes within `reach` of a point."""
    gap = wp.max(wp.max(lower - centre, centre - upper), wp.vec3(0.0))
    return wp.dot(gap, gap) < reach * reach


@wp.func
def tile_of(x: int, y: int, width: int) -> int:
    return (y // TILE) * ((width + TILE - 1) // TILE) + x // TILE


@wp.kernel
def view_tiles(windows: wp.array3d[wp.vec4i], width: int, views: wp.array3d[wp.uint64]):
    """Bits of the moving parts whose pixel rectangles touch each tile, (F, C, tiles)."""
    f, c, tile = wp.tid()
    columns = (width + TILE - 1) // TILE
    x0 = (tile % columns) * TILE
    y0 = (tile // columns) * TILE
    mask = wp.uint64(0)
    for index in range(windows.shape[2]):
        window = windows[f, c, index]
        if x0 < window[2] and y0 < window[3] and x0 + TILE > window[0] and y0 + TILE > window[1]:
            mask = mask | bit(index)
    views[f, c, tile] = mask


@wp.kernel
def bound_tiles(
    cameras: wp.array[Camera],
    width: int,
    height: int,
    layer: wp.array[StillLayer],
    balls: wp.array2d[wp.vec4],
):
    """Balls (centre, radius) around what the still layer shows in each tile; radius −1 where it shows nothing."""
    c, tile = wp.tid()
    camera = cameras[c]
    columns = (width + TILE - 1) // TILE
    x0 = (tile % columns) * TILE
    y0 = (tile // columns) * TILE
    lower = wp.vec3(1.0e9)
    upper = wp.vec3(-1.0e9)
    for y in range(y0, wp.min(y0 + TILE, height)):
        for x in range(x0, wp.min(x0 + TILE, width)):
            t = layer[0].t[c, y * width + x]
            if t < FAR:
                u = (float(x) + 0.5 - camera.cx) / camera.focal
                v = (float(y) + 0.5 - camera.cy) / camera.focal
                point = camera.position + camera.rotation * wp.vec3(u * t, v * t, t)
                lower = wp.min(lower, point)
                upper = wp.max(upper, point)
    centre = 0.5 * (lower + upper)
    radius = 0.5 * wp.length(upper - lower) + 2.0e-3
    if lower[0] > upper[0]:
        radius = -1.0
    balls[c, tile] = wp.vec4(centre[0], centre[1], centre[2], radius)


@wp.kernel
def cull_tiles(
    world: wp.array[World],
    moving: wp.array2d[Instance],
    balls: wp.array2d[wp.vec4],
    masks: wp.array4d[wp.uint64],
):
    """Bits of the moving parts that may shadow each tile from each lamp and, last, from the environment:
    (F, C, tiles, L + 1)."""
    f, c, tile = wp.tid()
    ball = balls[c, tile]
    centre = wp.vec3(ball[0], ball[1], ball[2])
    for lamp in range(world[0].lights.shape[0]):
        mask = wp.uint64(0)
        if ball[3] >= 0.0:
            for index in range(world[0].moving.shape[0]):
                if may_block(moving[f, index].lower, moving[f, index].upper, centre, ball[3], world[0].lights[lamp]):
                    mask = mask | bit(index)
        masks[f, c, tile, lamp] = mask
    mask = wp.uint64(0)
    if ball[3] >= 0.0:
        for index in range(world[0].moving.shape[0]):
            if near_ball(moving[f, index].lower, moving[f, index].upper, centre, ball[3] + OCCLUSION_REACH):
                mask = mask | bit(index)
    masks[f, c, tile, world[0].lights.shape[0]] = mask


@wp.kernel
def cull_parts(
    world: wp.array[World],
    still: wp.array2d[Instance],
    moving: wp.array2d[Instance],
    masks: wp.array3d[wp.uint64],
):
    """Bits of the parts that may shadow each moving part from each lamp and, last, from the environment, (F, K, L + 1),
    and whether still ones may."""
    f, k = wp.tid()
    lower = moving[f, k].lower
    upper = moving[f, k].upper
    centre = 0.5 * (lower + upper)
    radius = 0.5 * wp.length(upper - lower) + 2.0e-3
    for lamp in range(world[0].lights.shape[0]):
        light = world[0].lights[lamp]
        mask = wp.uint64(0)
        for index in range(world[0].moving.shape[0]):
            if may_block(moving[f, index].lower, moving[f, index].upper, centre, radius, light):
                mask = mask | bit(index)
        others = bool(False)
        for index in range(world[0].still.shape[0]):
            others = others or may_block(still[0, index].lower, still[0, index].upper, centre, radius, light)
        for index in range(world[0].boxes.shape[0]):
            others = others or may_block(
                world[0].boxes[index].lower, world[0].boxes[index].upper, centre, radius, light
            )
        if others:
            mask = mask | (wp.uint64(1) << wp.uint64(STILL_BIT))
        masks[f, k, lamp] = mask
    mask = wp.uint64(0)
    reach = radius + OCCLUSION_REACH
    for index in range(world[0].moving.shape[0]):
        if near_ball(moving[f, index].lower, moving[f, index].upper, centre, reach):
            mask = mask | bit(index)
    others = bool(False)
    for index in range(world[0].still.shape[0]):
        others = others or near_ball(still[0, index].lower, still[0, index].upper, centre, reach)
    for index in range(world[0].boxes.shape[0]):
        others = others or near_ball(world[0].boxes[index].lower, world[0].boxes[index].upper, centre, reach)
    if others:
        mask = mask | (wp.uint64(1) << wp.uint64(STILL_BIT))
    masks[f, k, world[0].lights.shape[0]] = mask
