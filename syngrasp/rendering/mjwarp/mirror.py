# type: ignore  (Warp compiles these functions; their types are its, not Python's)
"""Ray tracer: what polished floors, tables and walls mirror of the scene, in place of the environment.

What stands still is mirrored once per episode: each pixel sends one ray into its surface's lobe, by turns in one of
nine places of it, and the results are evened out over the neighbours, as for shadows. Moving parts are mirrored by
every second pixel of every second row as by a perfect mirror; then each ray's light is spread over as many neighbours
as the lobe is wide where it ended. Nothing there is random, so frames do not flicker. What is mirrored is lit without
shadows.
"""

# float(…) and int(…) declare a variable of a Warp kernel that a loop may change.
# ruff: noqa: UP018, SIM102

from __future__ import annotations

import warp as wp

from syngrasp.rendering import labels
from syngrasp.rendering.mjwarp.light import nearest_moving
from syngrasp.rendering.mjwarp.rays import ALL_PARTS
from syngrasp.rendering.mjwarp.shading import ambient, mirror_share, part_surface, reflect_light, sample_light
from syngrasp.rendering.mjwarp.shadow import faces
from syngrasp.rendering.mjwarp.sky import mirrored
from syngrasp.rendering.mjwarp.still import (
    NOTHING,
    camera_ray,
    disc_place,
    nearest_still,
    phase_of,
    still_blocks,
    still_surface,
)
from syngrasp.rendering.mjwarp.types import Camera, Hit, Instance, MirrorRay, StillLayer, Surface, World

wp.set_module_options({"enable_backward": False})

POLISHED = wp.constant(0.45)  # rougher surfaces mirror the environment alone
TABLE = wp.constant(labels.TABLE)
REACH = wp.constant(1.5)  # [m] how far a moving part is mirrored
LOBE = wp.constant(1.7)  # radius of a rough mirror's lobe over its squared roughness, as a tangent
NARROW = wp.constant(1.8)  # [grid steps] a ray's light spreads at least this far, against stairs
WIDE = wp.constant(6.0)  # and at most this far
BLUNT = wp.constant(0.4)  # mirrored surfaces are at least this rough: one ray would catch their glints by chance
BRIGHT = wp.constant(4.0)  # exposed light beyond this counts as this


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
    s.roughness = wp.max(s.roughness, BLUNT)
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
    shown = wp.cw_mul(gloss, mirrored(world, 2.0 * wp.dot(s.normal, view) * s.normal - view, s.roughness))
    layer[0].roughness[c, pixel] = s.roughness
    layer[0].gloss[c, pixel] = gloss
    layer[0].shown[c, pixel] = shown
    near = nearest_still(world, still, s.point, out)
    if near.part != NOTHING:
        color = plainly_lit(world, still_surface(world, still, near, s.point, out), -out)
        layer[0].taken[c, pixel] = shown
        layer[0].change[c, pixel] = wp.cw_mul(gloss, color)


@wp.kernel
def mirror_moving(
    world: wp.array[World],
    still: wp.array2d[Instance],
    moving: wp.array2d[Instance],
    cameras: wp.array[Camera],
    width: int,
    layer: wp.array[StillLayer],
    images: wp.array3d[MirrorRay],
):
    """What polished still surfaces show of moving parts, (F, C, grid). Also where a moving part hides the surface: the
    light there spreads past that part's outline."""
    f, c, place = wp.tid()
    columns = (width + 1) // 2
    x = 2 * (place % columns)
    y = 2 * (place // columns)
    pixel = y * width + x
    out = MirrorRay()
    roughness = layer[0].roughness[c, pixel]
    if roughness > 0.0:
        ray = camera_ray(cameras[c], float(x) + 0.5, float(y) + 0.5)
        normal = layer[0].normal[c, pixel]
        point = cameras[c].position + ray * layer[0].t[c, pixel] + normal * 1.0e-3
        toward = wp.normalize(ray - 2.0 * wp.dot(normal, ray) * normal)
        near = nearest_moving(world, moving, f, ALL_PARTS, point, toward, REACH)
        if near.part >= 0:
            if not still_blocks(world, still, point, toward, near.t):
                s = part_surface(world, world[0].moving[near.part], moving[f, near.part], near, point, toward)
                color = wp.min(plainly_lit(world, s, -toward), wp.vec3(BRIGHT / cameras[c].gain))
                # Far things fade out before they end.
                share = (1.0 - world[0].moving[near.part].transmission) * wp.min(3.0 * (1.0 - near.t / REACH), 1.0)
                away = layer[0].t[c, pixel] * wp.length(ray)
                lobe = LOBE * roughness * roughness * near.t / (near.t + away)
                out.light = color * share
                out.share = share
                out.spread = wp.min(NARROW + 0.5 * cameras[c].focal * lobe, WIDE)
    images[f, c, place] = out


@wp.func
def falloff(distance2: float, spread: float) -> float:
    """Share of a grid point's light that arrives at a squared distance; all shares together are 1."""
    inside = wp.max(1.0 - distance2 / (spread * spread), 0.0)
    return 0.95492966 * inside * inside / (spread * spread)


@wp.func
def same_polish(layer: wp.array[StillLayer], c: int, a: int, b: int) -> bool:
    if layer[0].roughness[c, a] == 0.0 or layer[0].label[c, a] != layer[0].label[c, b]:
        return False
    return wp.dot(layer[0].normal[c, a], layer[0].normal[c, b]) > 0.9


@wp.kernel
def spread_mirror(
    width: int,
    height: int,
    layer: wp.array[StillLayer],
    images: wp.array3d[MirrorRay],
    mirrors: wp.array3d[wp.vec4],
):
    """The light of `mirror_moving` and the share of the mirror image that it covers, (F, C, grid), spread over grid
    points on the same surface."""
    f, c, place = wp.tid()
    columns = (width + 1) // 2
    rows = (height + 1) // 2
    x = place % columns
    y = place // columns
    pixel = 2 * y * width + 2 * x
    total = wp.vec4(0.0)
    if layer[0].roughness[c, pixel] > 0.0:
        reach = int(WIDE) - 1
        weight = float(0.0)
        size = float(0.0)
        for j in range(wp.max(y - reach, 0), wp.min(y + reach + 1, rows)):
            for i in range(wp.max(x - reach, 0), wp.min(x + reach + 1, columns)):
                one = images[f, c, j * columns + i]
                if one.share > 0.0:
                    share = falloff(float((i - x) * (i - x) + (j - y) * (j - y)), one.spread)
                    if share > 0.0:
                        if same_polish(layer, c, 2 * j * width + 2 * i, pixel):
                            total += wp.vec4(one.light[0], one.light[1], one.light[2], one.share) * share
                            weight += share
                            size += share * one.spread
        if weight > 0.0:
            # Where the surface ends nearby, fewer points send light than in its middle.
            size = size / weight
            there = float(0.0)
            for j in range(wp.max(y - reach, 0), wp.min(y + reach + 1, rows)):
                for i in range(wp.max(x - reach, 0), wp.min(x + reach + 1, columns)):
                    share = falloff(float((i - x) * (i - x) + (j - y) * (j - y)), size)
                    if share > 0.0:
                        if same_polish(layer, c, 2 * j * width + 2 * i, pixel):
                            there += share
            total = total / there
            total = total / wp.max(total[3], 1.0)
    mirrors[f, c, place] = total
