# type: ignore  (Warp compiles these functions; their types are its, not Python's)
"""Ray tracer: one frame over the still layer[0].

`find_moving` traces the moving parts alone, and yields masks and depth; `shade_frame` shades them, with more samples on
their outlines, and shows the still layer elsewhere. That is exact: nothing that moves can change a stored share of
light other than by blocking it.
"""

# float(…) and int(…) declare a variable of a Warp kernel that a loop may change.
# ruff: noqa: UP018

from __future__ import annotations

import warp as wp

from syngrasp.rendering.tracer_cull import tile_of
from syngrasp.rendering.tracer_rays import LAST_BIT, hit_part, invert
from syngrasp.rendering.tracer_shading import ambient, encode, part_surface, reflect_light, sample_light
from syngrasp.rendering.tracer_shadow import DIM, UNLIT, faces, known_share, shadow, shadow_ray, still_point
from syngrasp.rendering.tracer_still import NOTHING, SOFT, camera_ray, differs, phase_of
from syngrasp.rendering.tracer_types import Camera, Hit, Instance, StillLayer, World

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


@wp.kernel
def find_moving(
    world: wp.array[World],
    moving: wp.array2d[Instance],
    views: wp.array3d[wp.uint64],
    cameras: wp.array[Camera],
    width: int,
    layer: wp.array[StillLayer],
    hits: wp.array3d[Hit],
    masks: wp.array3d[wp.uint8],
    depth: wp.array3d[wp.uint16],
):
    """What moves and lies before the still layer at the pixels' centres; masks and depth [mm] of both."""
    f, c, pixel = wp.tid()
    camera = cameras[c]
    x = pixel % width
    y = pixel // width
    ray = camera_ray(camera, float(x) + 0.5, float(y) + 0.5)
    mask = views[f, c, tile_of(x, y, width)]
    best = nearest_moving(world, moving, f, mask, camera.position, ray, layer[0].t[c, pixel])
    hits[f, c, pixel] = best
    label = layer[0].label[c, pixel]
    if best.part >= 0:
        label = wp.uint8(world[0].moving[best.part].label)
    masks[f, c, pixel] = label
    millimetres = float(0.0)
    if best.t < 65.0:
        millimetres = wp.round(best.t * 1000.0)
    depth[f, c, pixel] = wp.uint16(int(millimetres))


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
    hit: Hit,
    origin: wp.vec3,
    ray: wp.vec3,
    phase: float,
    sample: int,
) -> wp.vec3:
    """Light that a moving part sends back. Sample −1 is the pixel's centre; 0…2 share the rays to a lamp's disc."""
    s = part_surface(world, world[0].moving[hit.part], moving[f, hit.part], hit, origin, ray)
    view = -wp.normalize(ray)
    color = ambient(world, s, view)
    for lamp in range(world[0].lights.shape[0]):
        light = sample_light(world[0].lights[lamp], s.point, 0.0, 0.0)
        if faces(s, light.direction) and wp.max(light.color) > DIM:
            mask = masks[f, hit.part, lamp]
            share = float(1.0)
            sharp = world[0].lights[lamp].radius < SOFT
            if mask != wp.uint64(0):
                share = float(UNLIT)
                if hit.part == hits[f, c, y * width + x].part:
                    share = known_share(shares, hits, f, c, lamp, x, y, width, height, sharp)
                if share < 0.0:
                    if sample >= 0:
                        angle = phase + 2.0943951 * float(sample)
                        share = shadow_ray(world, still, moving, f, mask, world[0].lights[lamp], s.point, 0.7, angle)
                    else:
                        share = shadow(world, still, moving, f, mask, world[0].lights[lamp], s.point, phase)
            color += wp.cw_mul(reflect_light(s, view, light.direction), light.color) * share
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
    layer: wp.array[StillLayer],
    point: wp.vec3,
    phase: float,
) -> wp.vec3:
    """The still layer's light, less what moving parts shadow."""
    pixel = y * width + x
    tile = tile_of(x, y, width)
    color = layer[0].ambient[c, pixel]
    for lamp in range(world[0].lights.shape[0]):
        light = layer[0].light[c, pixel, lamp]
        if wp.max(light) > DIM:
            mask = masks[f, c, tile, lamp]
            share = float(1.0)
            sharp = world[0].lights[lamp].radius < SOFT
            if mask != wp.uint64(0):
                share = known_share(shares, hits, f, c, lamp, x, y, width, height, sharp)
                if share < 0.0:
                    share = shadow(world, still, moving, f, mask, world[0].lights[lamp], point, phase)
            color += light * share
    return color


@wp.func
def moving_differs(world: wp.array[World], hits: wp.array3d[Hit], f: int, c: int, a: int, b: int) -> bool:
    """Whether a moving part's outline or crease, or an edge of its colours, runs between two pixels."""
    part = hits[f, c, a].part
    if part < 0 and hits[f, c, b].part < 0:
        return False
    if differs(hits[f, c, a], hits[f, c, b]):
        return True
    first = world[0].moving[part].face0
    one = world[0].face_color[first + hits[f, c, a].face]
    other = world[0].face_color[first + hits[f, c, b].face]
    return wp.max(wp.abs(one - other)) > 0.05


@wp.kernel
def shade_frame(
    world: wp.array[World],
    still: wp.array2d[Instance],
    moving: wp.array2d[Instance],
    cameras: wp.array[Camera],
    width: int,
    height: int,
    smooth: int,
    first_frame: int,
    seed: int,
    saturation: float,
    noise: float,
    layer: wp.array[StillLayer],
    views: wp.array3d[wp.uint64],
    tile_masks: wp.array4d[wp.uint64],
    part_masks: wp.array3d[wp.uint64],
    hits: wp.array3d[Hit],
    shares: wp.array4d[float],
    curve: wp.array[float],
    normal: wp.array[float],
    images: wp.array4d[wp.uint8],
):
    """Pictures (F, C, pixels, 3). `smooth` adds three samples on outlines; `noise` [8-bit levels]."""
    f, c, pixel = wp.tid()
    camera = cameras[c]
    x = pixel % width
    y = pixel // width
    origin = camera.position
    ray = camera_ray(camera, float(x) + 0.5, float(y) + 0.5)
    phase = phase_of(pixel, 17 + c)
    hit = hits[f, c, pixel]
    outline = False
    if smooth != 0:
        if x > 0:
            outline = outline or moving_differs(world, hits, f, c, pixel, pixel - 1)
        if x < width - 1:
            outline = outline or moving_differs(world, hits, f, c, pixel, pixel + 1)
        if y > 0:
            outline = outline or moving_differs(world, hits, f, c, pixel, pixel - width)
        if y < height - 1:
            outline = outline or moving_differs(world, hits, f, c, pixel, pixel + width)
    behind = wp.vec3(0.0)
    if hit.part < 0 or outline:
        point = still_point(camera, layer, c, pixel, ray)
        behind = still_color(
            world, still, moving, f, c, x, y, width, height, tile_masks, shares, hits, layer, point, phase
        )
    centre = behind
    if hit.part >= 0:
        centre = moving_color(
            world, still, moving, f, c, x, y, width, height, part_masks, shares, hits, hit, origin, ray, phase, -1
        )
    color = centre
    if outline:
        mask = views[f, c, tile_of(x, y, width)]
        for k in range(3):
            # A turned triangle around the centre; what the centre shows already is not shaded again.
            angle = 0.3217506 + 2.0943951 * float(k)
            sub = camera_ray(camera, float(x) + 0.5 + 0.4 * wp.cos(angle), float(y) + 0.5 + 0.4 * wp.sin(angle))
            near = nearest_moving(world, moving, f, mask, origin, sub, layer[0].t[c, pixel])
            one = centre
            if near.part < 0:
                one = behind
            elif differs(near, hit) or near.face != hit.face:
                one = moving_color(
                    world,
                    still,
                    moving,
                    f,
                    c,
                    x,
                    y,
                    width,
                    height,
                    part_masks,
                    shares,
                    hits,
                    near,
                    origin,
                    sub,
                    phase,
                    k,
                )
            color += one
        color *= 0.25
    shown = encode(color * camera.gain, curve, saturation)
    state = wp.rand_init(seed + first_frame + f, c * width * height + pixel)
    for k in range(3):
        draw = wp.randi(state, 0, normal.shape[0])
        value = 255.0 * shown[k] + 0.5 + noise * normal[draw]
        images[f, c, pixel, k] = wp.uint8(int(wp.clamp(value, 0.0, 255.0)))
