# type: ignore  (Warp compiles these functions; their types are its, not Python's)
"""Ray tracer: the light that a camera gets from a point of a frame, on what moves and on the still layer."""

# float(…) and int(…) declare a variable of a Warp kernel that a loop may change.
# ruff: noqa: UP018, SIM102

from __future__ import annotations

import warp as wp

from syngrasp.rendering.mjwarp.cull import tile_of
from syngrasp.rendering.mjwarp.rays import LAST_BIT, hit_part, invert
from syngrasp.rendering.mjwarp.shading import ambient, reflect_light, sample_light
from syngrasp.rendering.mjwarp.shadow import (
    DIM,
    UNLIT,
    dome_ray,
    faces,
    grid_neighbours,
    known_share,
    shadow,
    shadow_ends,
    shadow_ray,
)
from syngrasp.rendering.mjwarp.still import NOTHING, OCCLUDES, SOFT
from syngrasp.rendering.mjwarp.types import Hit, Instance, StillLayer, Surface, World

wp.set_module_options({"enable_backward": False})


@wp.func
def nearest_moving(
    world: wp.array[World],
    moving: wp.array2d[Instance],
    row: int,
    mask: wp.uint64,
    origin: wp.vec3,
    direction: wp.vec3,
    reach: float,
) -> Hit:
    """The nearest hit before `reach` on the moving parts named by `mask`."""
    best = Hit()
    best.t = reach
    best.part = NOTHING
    if mask != wp.uint64(0):
        inverse = invert(direction)
        for index in range(world[0].moving.shape[0]):
            if (mask >> wp.uint64(wp.min(index, LAST_BIT))) & wp.uint64(1):
                best = hit_part(moving, world[0].moving, row, index, origin, direction, inverse, best)
    return best


@wp.func
def open_share(
    world: wp.array[World],
    still: wp.array2d[Instance],
    moving: wp.array2d[Instance],
    f: int,
    c: int,
    mask: wp.uint64,
    shares: wp.array4d[float],
    near: wp.vec4i,
    point: wp.vec3,
    normal: wp.vec3,
    phase: float,
) -> float:
    """Share of the environment's light that moving parts leave a point."""
    share = float(1.0)
    if mask != wp.uint64(0):
        share = known_share(shares, f, c, world[0].lights.shape[0], near)
        if share < 0.0:
            share = 0.5 * dome_ray(world, still, moving, f, mask, point, normal, 2, 9, phase)
            share += 0.5 * dome_ray(world, still, moving, f, mask, point, normal, 6, 9, phase)
    return 1.0 - OCCLUDES * (1.0 - share)


@wp.func
def moving_color(
    world: wp.array[World],
    still: wp.array2d[Instance],
    moving: wp.array2d[Instance],
    f: int,
    c: int,
    x: int,
    y: int,
    width: int,
    height: int,
    masks: wp.array3d[wp.uint64],
    shares: wp.array4d[float],
    hits: wp.array3d[Hit],
    part: int,
    s: Surface,
    view: wp.vec3,
    size: float,
    phase: float,
    sample: int,
) -> wp.vec3:
    """Light that a moving part sends back where a pixel is `size` [m] wide. Sample −1 is the pixel's centre; 0…2 share
    the rays to a lamp's disc."""
    lamps = world[0].lights.shape[0]
    near = wp.vec4i(-1, -1, -1, -1)
    if part == hits[f, c, y * width + x].part:
        near = grid_neighbours(hits, f, c, x, y, width, height)
    mask = masks[f, part, lamps]
    color = ambient(world, s, view)
    color *= open_share(world, still, moving, f, c, mask, shares, near, s.point, s.face_normal, phase)
    for lamp in range(lamps):
        light = sample_light(world[0].lights[lamp], s.point, 0.0, 0.0)
        if faces(s, light.direction) and wp.max(light.color) > DIM:
            mask = masks[f, part, lamp]
            share = float(1.0)
            if mask != wp.uint64(0):
                share = known_share(shares, f, c, lamp, near)
                if world[0].lights[lamp].radius < SOFT and share >= 0.0:
                    if shadow_ends(shares, f, c, lamp, x, y, width, height):
                        share = UNLIT
                if share < 0.0:
                    if sample >= 0:
                        angle = phase + 2.0943951 * float(sample)
                        share = shadow_ray(world, still, moving, f, mask, world[0].lights[lamp], s.point, 0.7, angle)
                    else:
                        share = shadow(
                            world,
                            still,
                            moving,
                            f,
                            mask,
                            world[0].lights[lamp],
                            s.point,
                            s.face_normal,
                            view,
                            size,
                            phase,
                        )
            color += wp.cw_mul(reflect_light(s, view, light), light.color) * share
    return color


@wp.func
def still_color(
    world: wp.array[World],
    still: wp.array2d[Instance],
    moving: wp.array2d[Instance],
    f: int,
    c: int,
    x: int,
    y: int,
    width: int,
    height: int,
    masks: wp.array4d[wp.uint64],
    shares: wp.array4d[float],
    hits: wp.array3d[Hit],
    mirrors: wp.array3d[wp.vec4],
    layer: wp.array[StillLayer],
    point: wp.vec3,
    view: wp.vec3,
    phase: float,
) -> wp.vec3:
    """The still layer's light, less what moving parts shadow, with their mirror images."""
    pixel = y * width + x
    tile = tile_of(x, y, width)
    lamps = world[0].lights.shape[0]
    blockers = wp.uint64(0)
    for lamp in range(lamps + 1):
        blockers = blockers | masks[f, c, tile, lamp]
    polished = layer[0].roughness[c, pixel] > 0.0
    if blockers == wp.uint64(0) and not polished:
        return layer[0].total[c, pixel]
    normal = layer[0].normal[c, pixel]
    near = grid_neighbours(hits, f, c, x, y, width, height)
    color = layer[0].ambient[c, pixel]
    mask = masks[f, c, tile, lamps]
    sky_share = float(1.0)
    if mask != wp.uint64(0):
        sky_share = open_share(world, still, moving, f, c, mask, shares, near, point, normal, phase)
        color *= sky_share
    for lamp in range(lamps):
        light = layer[0].light[c, pixel, lamp]
        if wp.max(light) > DIM:
            mask = masks[f, c, tile, lamp]
            share = float(1.0)
            if mask != wp.uint64(0):
                share = known_share(shares, f, c, lamp, near)
                if world[0].lights[lamp].radius < SOFT and share >= 0.0:
                    if shadow_ends(shares, f, c, lamp, x, y, width, height):
                        share = UNLIT
                if share < 0.0:
                    size = layer[0].t[c, pixel] * world[0].pixel
                    share = shadow(
                        world, still, moving, f, mask, world[0].lights[lamp], point, normal, view, size, phase
                    )
            color += light * share
    if polished:
        image = wp.vec4(0.0)
        count = float(1.0e-6)
        for k in range(4):
            if near[k] >= 0:
                columns = (width + 1) // 2
                if layer[0].roughness[c, 2 * (near[k] // columns) * width + 2 * (near[k] % columns)] > 0.0:
                    image += mirrors[f, c, near[k]]
                    count += 1.0
        image = image / count
        hidden = layer[0].shown[c, pixel] * (sky_share * image[3])
        color += wp.cw_mul(layer[0].gloss[c, pixel], wp.vec3(image[0], image[1], image[2])) - hidden
        color = wp.max(color, wp.vec3(0.0))
    return color
