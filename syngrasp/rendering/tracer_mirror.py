# type: ignore  (Warp compiles these functions; their types are its, not Python's)
"""Ray tracer: what polished floors, tables and walls mirror of the scene, in place of the environment.

Each pixel sends one ray into its surface's lobe, by turns in one of nine places of it, and the results are evened out
over the neighbours, as for shadows. What stands still is mirrored once per episode; moving parts by every second pixel
of every second row of a frame. The mirrored surface is lit without shadows.
"""

# float(…) and int(…) declare a variable of a Warp kernel that a loop may change.
# ruff: noqa: UP018, SIM102

from __future__ import annotations

import warp as wp

from syngrasp.rendering import annotate
from syngrasp.rendering.tracer_light import nearest_moving
from syngrasp.rendering.tracer_rays import ALL_PARTS
from syngrasp.rendering.tracer_shading import ambient, mirror_share, part_surface, reflect_light, sample_light
from syngrasp.rendering.tracer_shadow import faces
from syngrasp.rendering.tracer_sky import mirrored
from syngrasp.rendering.tracer_still import (
    NOTHING,
    camera_ray,
    disc_place,
    nearest_still,
    phase_of,
    still_surface,
)
from syngrasp.rendering.tracer_types import Camera, Hit, Instance, StillLayer, Surface, World

wp.set_module_options({"enable_backward": False})

POLISHED = wp.constant(0.45)  # rougher surfaces mirror the environment alone
TABLE = wp.constant(annotate.TABLE)
REACH = wp.constant(1.5)  # [m] how far a moving part is mirrored


@wp.func
def lobe_ray(normal: wp.vec3, view: wp.vec3, roughness: float, stratum: int, phase: float) -> wp.vec3:
    """A unit direction in the lobe of a rough mirror: number `stratum` of nine."""
    mirror = 2.0 * wp.dot(normal, view) * normal - view
    side = wp.normalize(wp.cross(mirror, normal) + wp.vec3(1.0e-6, 0.0, 0.0))
    other = wp.cross(side, mirror)
    spot = disc_place(stratum, 9, phase)
    spread = 1.2 * roughness * roughness * spot[0]
    out = wp.normalize(mirror + side * (spread * wp.cos(spot[1])) + other * (spread * wp.sin(spot[1])))
    below = wp.dot(out, normal)
    if below < 0.01:
        out = wp.normalize(out + normal * (0.02 - below))
    return out


@wp.func
def plainly_lit(world: wp.array[World], s: Surface, view: wp.vec3) -> wp.vec3:
    color = ambient(world, s, view) * 0.8
    for lamp in range(world[0].lights.shape[0]):
        light = sample_light(world[0].lights[lamp], s.point, 0.0, 0.0)
        if faces(s, light.direction):
            color += wp.cw_mul(reflect_light(s, view, light), light.color)
    return color


@wp.kernel
def mirror_still(
    world: wp.array[World],
    still: wp.array2d[Instance],
    cameras: wp.array[Camera],
    width: int,
    hits: wp.array2d[Hit],
    layer: wp.array[StillLayer],
):
    """What polished still surfaces show of what stands still."""
    c, pixel = wp.tid()
    hit = hits[c, pixel]
    if hit.part == NOTHING:
        return
    if hit.part >= 0:
        if world[0].still[hit.part].label != TABLE:
            return
    x = pixel % width
    y = pixel // width
    origin = cameras[c].position
    ray = camera_ray(cameras[c], float(x) + 0.5, float(y) + 0.5)
    s = still_surface(world, still, hit, origin, ray)
    if s.roughness > POLISHED:
        return
    view = -wp.normalize(ray)
    split = mirror_share(wp.max(wp.dot(s.normal, view), 0.0), s.roughness)
    f0 = wp.vec3(0.04) * (1.0 - s.metallic) + s.base * s.metallic
    fade = wp.clamp((POLISHED - s.roughness) * 10.0, 0.0, 1.0)
    gloss = (f0 * split[0] + wp.vec3(split[1])) * fade
    out = lobe_ray(s.normal, view, s.roughness, x % 3 + 3 * (y % 3), phase_of(pixel, 29 + c))
    shown = mirrored(world, 2.0 * wp.dot(s.normal, view) * s.normal - view, s.roughness)
    layer[0].roughness[c, pixel] = s.roughness
    layer[0].gloss[c, pixel] = gloss
    layer[0].shown[c, pixel] = shown
    near = nearest_still(world, still, s.point, out)
    if near.part != NOTHING:
        color = plainly_lit(world, still_surface(world, still, near, s.point, out), -out)
        layer[0].taken[c, pixel] = wp.cw_mul(gloss, shown)
        layer[0].change[c, pixel] = wp.cw_mul(gloss, color)
        layer[0].shown[c, pixel] = color


@wp.kernel
def mirror_moving(
    world: wp.array[World],
    moving: wp.array2d[Instance],
    cameras: wp.array[Camera],
    width: int,
    layer: wp.array[StillLayer],
    hits: wp.array3d[Hit],
    change: wp.array3d[wp.vec3],
):
    """What moving parts change in what polished still surfaces show, (F, C, grid)."""
    f, c, place = wp.tid()
    columns = (width + 1) // 2
    x = 2 * (place % columns)
    y = 2 * (place // columns)
    pixel = y * width + x
    out = wp.vec3(0.0)
    roughness = layer[0].roughness[c, pixel]
    if roughness > 0.0 and hits[f, c, pixel].part < 0:
        ray = camera_ray(cameras[c], float(x) + 0.5, float(y) + 0.5)
        normal = layer[0].normal[c, pixel]
        point = cameras[c].position + ray * layer[0].t[c, pixel] + normal * 1.0e-3
        stratum = (x // 2) % 3 + 3 * ((y // 2) % 3)
        toward = lobe_ray(normal, -wp.normalize(ray), roughness, stratum, phase_of(pixel, 29 + c))
        near = nearest_moving(world, moving, f, ALL_PARTS, point, toward, REACH)
        if near.part >= 0:
            s = part_surface(world, world[0].moving[near.part], moving[f, near.part], near, point, toward)
            color = plainly_lit(world, s, -toward)
            clear = 1.0 - world[0].moving[near.part].transmission
            out = wp.cw_mul(layer[0].gloss[c, pixel], color - layer[0].shown[c, pixel]) * clear
    change[f, c, place] = out


@wp.kernel
def smooth_mirror(
    width: int,
    height: int,
    layer: wp.array[StillLayer],
    hits: wp.array3d[Hit],
    change: wp.array3d[wp.vec3],
    smoothed: wp.array3d[wp.vec3],
):
    """Evens out `mirror_moving` over 3 × 3 points of the grid on the same surface."""
    f, c, place = wp.tid()
    columns = (width + 1) // 2
    rows = (height + 1) // 2
    x = place % columns
    y = place // columns
    pixel = 2 * y * width + 2 * x
    total = wp.vec3(0.0)
    if layer[0].roughness[c, pixel] > 0.0 and hits[f, c, pixel].part < 0:
        count = float(0.0)
        for j in range(wp.max(y - 1, 0), wp.min(y + 2, rows)):
            for i in range(wp.max(x - 1, 0), wp.min(x + 2, columns)):
                near = 2 * j * width + 2 * i
                if layer[0].roughness[c, near] > 0.0 and hits[f, c, near].part < 0:
                    total += change[f, c, j * columns + i]
                    count += 1.0
        total = total / count
    smoothed[f, c, place] = total
