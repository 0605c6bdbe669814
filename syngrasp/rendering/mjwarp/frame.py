# type: ignore  (Warp compiles these functions; their types are its, not Python's)
"""Ray tracer: one frame over the still layer[0].

`find_moving` traces the moving parts alone, and yields masks and depth; `shade_frame` shades them, with more samples on
their outlines, and shows the still layer elsewhere. That is exact: nothing that moves can change a stored share of
light other than by blocking it.
"""

# float(…) and int(…) declare a variable of a Warp kernel that a loop may change.
# ruff: noqa: UP018, RUF046, SIM102

from __future__ import annotations

import warp as wp

from syngrasp.rendering.mjwarp.cull import tile_of
from syngrasp.rendering.mjwarp.glass import clear_coat, seen_through, trace_through
from syngrasp.rendering.mjwarp.light import moving_color, nearest_moving, still_color
from syngrasp.rendering.mjwarp.shading import part_surface
from syngrasp.rendering.mjwarp.shadow import still_point
from syngrasp.rendering.mjwarp.still import camera_ray, differs, phase_of
from syngrasp.rendering.mjwarp.types import Camera, Hit, Instance, StillLayer, World

wp.set_module_options({"enable_backward": False})

FULL = wp.constant(
    6.0
)  # exposed light beyond this counts as this where samples are averaged: edges of glints stay even


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
    layer: wp.array[StillLayer],
    views: wp.array3d[wp.uint64],
    tile_masks: wp.array4d[wp.uint64],
    part_masks: wp.array3d[wp.uint64],
    hits: wp.array3d[Hit],
    shares: wp.array4d[float],
    mirrors: wp.array3d[wp.vec4],
    linear: wp.array3d[wp.vec3],
):
    """Light (F, C, pixels) at the cameras. `smooth` adds three samples on outlines, one on glass."""
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
    samples = int(1)
    if hit.part >= 0 and smooth != 0:
        if world[0].moving[hit.part].transmission > 0.0:
            samples = 2
    if outline:
        samples = 4
    behind = wp.vec3(0.0)
    if hit.part < 0 or outline:
        point = still_point(camera, layer, c, pixel, ray)
        behind = still_color(
            world,
            still,
            moving,
            f,
            c,
            x,
            y,
            width,
            height,
            tile_masks,
            shares,
            hits,
            mirrors,
            layer,
            point,
            -wp.normalize(ray),
            phase,
        )
    full = wp.vec3(FULL / camera.gain)
    color = behind
    if hit.part >= 0 or outline:
        centre = behind
        total = wp.vec3(0.0)
        mask = views[f, c, tile_of(x, y, width)]
        for k in range(samples):
            near = hit
            sub = ray
            if k > 0:
                # A turned triangle around the centre; what the centre shows already is not shaded again.
                angle = 0.3217506 + 2.0943951 * float(k)
                sub = camera_ray(camera, float(x) + 0.5 + 0.4 * wp.cos(angle), float(y) + 0.5 + 0.4 * wp.sin(angle))
                near = nearest_moving(world, moving, f, mask, origin, sub, layer[0].t[c, pixel])
            one = behind
            if near.part < 0 and not outline:
                one = centre
            if near.part >= 0:
                clear = world[0].moving[near.part].transmission
                one = centre
                if k == 0 or clear > 0.0 or near.face != hit.face or differs(near, hit):
                    s = part_surface(world, world[0].moving[near.part], moving[f, near.part], near, origin, sub)
                    view = -wp.normalize(sub)
                    shine = s
                    if clear > 0.0:
                        shine = clear_coat(s, clear)
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
                        near.part,
                        shine,
                        view,
                        near.t * world[0].pixel,
                        phase,
                        k - 1,
                    )
                    if clear > 0.0:
                        through = trace_through(world, still, moving, f, near.part, s, sub)
                        one += wp.cw_mul(
                            through.share,
                            seen_through(
                                world,
                                still,
                                moving,
                                cameras,
                                f,
                                c,
                                width,
                                height,
                                tile_masks,
                                part_masks,
                                shares,
                                hits,
                                mirrors,
                                layer,
                                through,
                                phase,
                            ),
                        )
                    if k == 0:
                        centre = one
            total += wp.min(one, full)
        color = total / float(samples)
    linear[f, c, pixel] = color


@wp.kernel
def average_samples(fine: wp.array3d[wp.vec3], k: int, width: int, most: wp.array[float], out: wp.array3d[wp.vec3]):
    """Light of pixels (F, C, P) from k × k samples each; no sample counts more than `most` of its camera."""
    f, c, pixel = wp.tid()
    x = k * (pixel % width)
    y = k * (pixel // width)
    total = wp.vec3(0.0)
    for j in range(k):
        for i in range(k):
            total += wp.min(fine[f, c, (y + j) * k * width + x + i], wp.vec3(most[c]))
    out[f, c, pixel] = total / float(k * k)
