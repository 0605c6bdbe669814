# type: ignore  (Warp compiles these functions; their types are its, not Python's)
"""Ray tracer: how much of each lamp and of the environment a point sees past the moving parts.

Every second pixel of every second row casts one ray to each of them, by turns at one of nine places
(interleaved sampling, Keller and Heidrich 2001). Shares are evened out over 3 × 3 such points and interpolated on the
pixel's own surface; a pixel whose surface none of the points around it shows casts its own rays.
"""

# float(…) and int(…) declare a variable of a Warp kernel that a loop may change.
# ruff: noqa: UP018, SIM102

from __future__ import annotations

import warp as wp

from syngrasp.rendering.mjwarp.cull import STILL_BIT, tile_of
from syngrasp.rendering.mjwarp.rays import invert, part_passes
from syngrasp.rendering.mjwarp.shading import LIFT, part_surface, sample_light
from syngrasp.rendering.mjwarp.still import (
    OCCLUSION_REACH,
    SOFT,
    camera_ray,
    disc_place,
    hemisphere,
    phase_of,
    still_blocks,
)
from syngrasp.rendering.mjwarp.types import Camera, Hit, Instance, Light, StillLayer, Surface, World

wp.set_module_options({"enable_backward": False})

UNLIT = wp.constant(-1.0)  # where a lamp's share is not known
DIM = wp.constant(2.0e-4)  # light below this needs no shadow


@wp.func
def shadow_ray(
    world: wp.array[World],
    still: wp.array2d[Instance],
    moving: wp.array2d[Instance],
    row: int,
    mask: wp.uint64,
    light: Light,
    point: wp.vec3,
    radius: float,
    angle: float,
) -> float:
    """Share of the light that comes to a point from the spot (radius, angle) of a lamp's disc: 0 or 1 but for glass;
    `mask` says what may come between."""
    sample = sample_light(light, point, radius * wp.cos(angle), radius * wp.sin(angle))
    inverse = invert(sample.direction)
    share = part_passes(moving, world[0].moving, row, point, sample.direction, inverse, sample.distance, mask)
    if share > 0.0 and (mask >> wp.uint64(STILL_BIT)) != wp.uint64(0):
        if still_blocks(world, still, point, sample.direction, sample.distance):
            return 0.0
    return share


@wp.func
def dome_ray(
    world: wp.array[World],
    still: wp.array2d[Instance],
    moving: wp.array2d[Instance],
    row: int,
    mask: wp.uint64,
    point: wp.vec3,
    normal: wp.vec3,
    index: int,
    count: int,
    phase: float,
) -> float:
    """Share of the environment's light that comes from number `index` of `count` directions over a surface."""
    if mask == wp.uint64(0):
        return 1.0
    up = hemisphere(normal, index, count, phase)
    share = part_passes(moving, world[0].moving, row, point, up, invert(up), OCCLUSION_REACH, mask)
    if share > 0.0 and (mask >> wp.uint64(STILL_BIT)) != wp.uint64(0):
        if still_blocks(world, still, point, up, OCCLUSION_REACH):
            return 0.0
    return share


@wp.func
def shadow(
    world: wp.array[World],
    still: wp.array2d[Instance],
    moving: wp.array2d[Instance],
    row: int,
    mask: wp.uint64,
    light: Light,
    point: wp.vec3,
    normal: wp.vec3,
    view: wp.vec3,
    size: float,
    phase: float,
) -> float:
    """Share of a lamp that a point sees: from two rays to opposite sides of the lamp, or, since small lamps cast sharp
    shadows, from four places in the pixel, which is `size` [m] wide there and seen along −`view`."""
    if mask == wp.uint64(0):
        return 1.0
    if light.radius < SOFT:
        slant = wp.max(wp.dot(normal, view), 0.2)
        along = wp.normalize(view - normal * wp.dot(normal, view) + normal * 1.0e-6) * (size / slant)
        across = wp.cross(normal, wp.normalize(along)) * size
        total = float(0.0)
        a = float(-0.375)
        b = float(-0.125)
        for _ in range(4):
            total += shadow_ray(world, still, moving, row, mask, light, point + along * a + across * b, 0.0, 0.0)
            turned = -b
            b = a
            a = turned
        return 0.25 * total
    one = shadow_ray(world, still, moving, row, mask, light, point, 0.7, phase)
    return 0.5 * (one + shadow_ray(world, still, moving, row, mask, light, point, 0.7, phase + 3.14159265))


@wp.func
def stratum_ray(
    world: wp.array[World],
    still: wp.array2d[Instance],
    moving: wp.array2d[Instance],
    row: int,
    mask: wp.uint64,
    light: Light,
    point: wp.vec3,
    place: wp.vec2,
) -> float:
    """A ray to a place (radius, angle) of a lamp's disc; small lamps are points."""
    if mask == wp.uint64(0):
        return 1.0
    radius = place[0]
    if light.radius < SOFT:
        radius = 0.0
    return shadow_ray(world, still, moving, row, mask, light, point, radius, place[1])


@wp.func
def still_point(camera: Camera, layer: wp.array[StillLayer], c: int, pixel: int, ray: wp.vec3) -> wp.vec3:
    return camera.position + ray * layer[0].t[c, pixel] + layer[0].normal[c, pixel] * LIFT


@wp.func
def faces(s: Surface, direction: wp.vec3) -> bool:
    return wp.dot(s.normal, direction) > 0.0 and wp.dot(s.face_normal, direction) > 0.0


@wp.kernel
def shadow_grid(
    world: wp.array[World],
    still: wp.array2d[Instance],
    moving: wp.array2d[Instance],
    cameras: wp.array[Camera],
    width: int,
    layer: wp.array[StillLayer],
    tile_masks: wp.array4d[wp.uint64],
    part_masks: wp.array3d[wp.uint64],
    hits: wp.array3d[Hit],
    shares: wp.array4d[float],
):
    """Share of each lamp and, last, of the environment that every second pixel of every second row sees,
    (F, C, grid, L + 1); UNLIT on the far side of a lamp."""
    f, c, place = wp.tid()
    camera = cameras[c]
    columns = (width + 1) // 2
    x = 2 * (place % columns)
    y = 2 * (place // columns)
    pixel = y * width + x
    ray = camera_ray(camera, float(x) + 0.5, float(y) + 0.5)
    hit = hits[f, c, pixel]
    stratum = (x // 2) % 3 + 3 * ((y // 2) % 3)
    phase = phase_of(pixel, 17 + c)
    spot = disc_place(stratum, 9, phase)
    dome = world[0].lights.shape[0]
    if hit.part >= 0:
        s = part_surface(world, world[0].moving[hit.part], moving[f, hit.part], hit, camera.position, ray)
        for lamp in range(world[0].lights.shape[0]):
            light = sample_light(world[0].lights[lamp], s.point, 0.0, 0.0)
            share = float(UNLIT)
            if faces(s, light.direction):
                mask = part_masks[f, hit.part, lamp]
                share = stratum_ray(world, still, moving, f, mask, world[0].lights[lamp], s.point, spot)
            shares[f, c, place, lamp] = share
        mask = part_masks[f, hit.part, dome]
        shares[f, c, place, dome] = dome_ray(world, still, moving, f, mask, s.point, s.face_normal, stratum, 9, phase)
    else:
        tile = tile_of(x, y, width)
        point = still_point(camera, layer, c, pixel, ray)
        for lamp in range(world[0].lights.shape[0]):
            share = float(UNLIT)
            if wp.max(layer[0].light[c, pixel, lamp]) > DIM:
                mask = tile_masks[f, c, tile, lamp]
                share = stratum_ray(world, still, moving, f, mask, world[0].lights[lamp], point, spot)
            shares[f, c, place, lamp] = share
        mask = tile_masks[f, c, tile, dome]
        shares[f, c, place, dome] = dome_ray(
            world, still, moving, f, mask, point, layer[0].normal[c, pixel], stratum, 9, phase
        )


@wp.kernel
def smooth_shares(
    world: wp.array[World],
    width: int,
    height: int,
    tile_masks: wp.array4d[wp.uint64],
    hits: wp.array3d[Hit],
    shares: wp.array4d[float],
    smoothed: wp.array4d[float],
):
    """Evens out the grid's shares of large lamps and of the environment over the neighbours on the same surface: 3 × 3
    points hold each of the nine rays once. Applied twice, the weights fall off evenly, and no steps of three points
    remain."""
    f, c, place = wp.tid()
    columns = (width + 1) // 2
    rows = (height + 1) // 2
    x = place % columns
    y = place // columns
    part = hits[f, c, 2 * y * width + 2 * x].part
    t = hits[f, c, 2 * y * width + 2 * x].t
    tile = tile_of(2 * x, 2 * y, width)
    dome = world[0].lights.shape[0]
    for lamp in range(dome + 1):
        share = shares[f, c, place, lamp]
        shadowed = part >= 0 or tile_masks[f, c, tile, lamp] != wp.uint64(0)
        large = bool(True)
        if lamp < dome:
            large = world[0].lights[lamp].radius > SOFT
        if share >= 0.0 and shadowed and large:
            total = float(0.0)
            count = float(0.0)
            for j in range(wp.max(y - 1, 0), wp.min(y + 2, rows)):
                for i in range(wp.max(x - 1, 0), wp.min(x + 2, columns)):
                    other = shares[f, c, j * columns + i, lamp]
                    near = 2 * j * width + 2 * i
                    if other >= 0.0 and hits[f, c, near].part == part and wp.abs(hits[f, c, near].t - t) < 0.05 * t:
                        total += other
                        count += 1.0
            share = total / count
        smoothed[f, c, place, lamp] = share


@wp.func
def grid_neighbours(hits: wp.array3d[Hit], f: int, c: int, x: int, y: int, width: int, height: int) -> wp.vec4i:
    """The grid's points around a pixel that lie on its surface; −1 for those that do not."""
    columns = (width + 1) // 2
    gx = x // 2
    gy = y // 2
    odd_x = x - 2 * gx
    odd_y = y - 2 * gy
    out = wp.vec4i(-1, -1, -1, -1)
    if odd_x == 0 and odd_y == 0:
        out[0] = gy * columns + gx
        return out
    own = hits[f, c, y * width + x].part
    t = hits[f, c, y * width + x].t
    for j in range(odd_y + 1):
        for i in range(odd_x + 1):
            nx = wp.min(gx + i, (width - 1) // 2)
            ny = wp.min(gy + j, (height - 1) // 2)
            place = 2 * ny * width + 2 * nx
            if hits[f, c, place].part == own and wp.abs(hits[f, c, place].t - t) < 0.03 * t:
                out[2 * j + i] = ny * columns + nx
    return out


@wp.func
def known_share(shares: wp.array4d[float], f: int, c: int, lamp: int, near: wp.vec4i) -> float:
    """A lamp's share at a pixel from its neighbours on the grid; UNLIT where there are none."""
    total = float(0.0)
    count = float(0.0)
    for k in range(4):
        if near[k] >= 0:
            share = shares[f, c, near[k], lamp]
            if share >= 0.0:
                total += share
                count += 1.0
    if count == 0.0:
        return UNLIT
    return total / count


@wp.func
def shadow_ends(shares: wp.array4d[float], f: int, c: int, lamp: int, x: int, y: int, width: int, height: int) -> bool:
    """Whether the edge of a sharp shadow runs near a pixel."""
    columns = (width + 1) // 2
    least = float(2.0)
    most = float(-1.0)
    for k in range(9):
        nx = wp.clamp(x // 2 + k % 3 - 1, 0, (width - 1) // 2)
        ny = wp.clamp(y // 2 + k // 3 - 1, 0, (height - 1) // 2)
        share = shares[f, c, ny * columns + nx, lamp]
        if share >= 0.0:
            least = wp.min(least, share)
            most = wp.max(most, share)
    return most - least > 0.1
