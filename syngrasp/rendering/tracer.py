"""Ray tracer: the kernels. Cameras stand still within an episode, so what stands still is traced once.

`trace_still` renders everything that no frame moves, supersampled, and keeps its light apart: the sky's share and each
lamp's share per pixel. A frame then traces only the moving parts (`find_moving`): where they are hit they are shaded,
with more samples on their outlines; elsewhere the stored light is added up, less what the moving parts shadow
(`shade_frame`). That is exact: nothing that moves can change a stored share other than by blocking it.
"""

from __future__ import annotations

import warp as wp

from syngrasp.rendering.tracer_cull import STILL_BIT, TILE
from syngrasp.rendering.tracer_rays import ALL_PARTS, FAR, box_blocks, box_entry, hit_part, invert, part_blocks
from syngrasp.rendering.tracer_shading import (
    LIFT,
    ambient,
    encode,
    flat_surface,
    part_surface,
    reflect_light,
    sample_light,
    sky,
)
from syngrasp.rendering.tracer_types import Camera, Hit, Instance, Light, Surface, World

wp.set_module_options({"enable_backward": False})

NOTHING = wp.constant(-1)
FLOOR = wp.constant(-2)
WALL = wp.constant(-3)
CEILING = wp.constant(-4)
FIRST_BOX = wp.constant(-10)  # box i is FIRST_BOX − i

UNLIT = wp.constant(-1.0)  # where a lamp's share is not known
DIM = wp.constant(2.0e-4)  # light below this needs no shadow
SOFT = wp.constant(0.02)  # lamps of a smaller radius [m] cast hard shadows
OCCLUSION_REACH = wp.constant(0.3)  # [m] how far something may stand to keep the sky's light away


@wp.struct
class StillLayer:
    """What a camera sees of all that does not move, per camera and pixel."""

    t: wp.array2d(dtype=float)  # depth [m] along the pixel's centre, FAR where nothing is
    label: wp.array2d(dtype=wp.uint8)
    normal: wp.array2d(dtype=wp.vec3)
    ambient: wp.array2d(dtype=wp.vec3)  # the sky's light; at first as if nothing stood in its way
    open: wp.array2d(dtype=float)  # share of the sky that is seen
    light: wp.array3d(dtype=wp.vec3)  # each lamp's light; at first as if nothing stood in its way
    seen: wp.array3d(dtype=float)  # share of each lamp's light that arrives


@wp.func
def camera_ray(camera: Camera, x: float, y: float) -> wp.vec3:
    return camera.rotation * wp.vec3((x - camera.cx) / camera.focal, (y - camera.cy) / camera.focal, 1.0)


@wp.func
def phase_of(pixel: int, salt: int) -> float:
    """An angle per pixel, the same in every frame."""
    state = wp.rand_init(salt, pixel)
    return 6.2831853 * wp.randf(state)


@wp.func
def nearest_still(world: World, still: wp.array2d(dtype=Instance), origin: wp.vec3, direction: wp.vec3) -> Hit:
    best = Hit()
    best.t = FAR
    best.part = NOTHING
    inverse = invert(direction)
    room = box_entry(world.room_lower, world.room_upper, origin, inverse)[1]
    floor = (world.room_lower[2] - origin[2]) * inverse[2]
    if floor > 0.0 and (floor <= room + 1.0e-4 or (world.walls == 0 and floor < 40.0)):
        best.t = floor
        best.part = FLOOR
        best.normal = wp.vec3(0.0, 0.0, 1.0)
    elif world.walls != 0:
        best.t = room
        best.part = WALL
        point = origin + direction * room
        gap = wp.vec4(
            point[0] - world.room_lower[0],
            world.room_upper[0] - point[0],
            point[1] - world.room_lower[1],
            world.room_upper[1] - point[1],
        )
        best.normal = wp.vec3(0.0, 0.0, -1.0)
        if world.room_upper[2] - point[2] < 1.0e-3:
            best.part = CEILING
        elif gap[0] < 1.0e-3:
            best.normal = wp.vec3(1.0, 0.0, 0.0)
        elif gap[1] < 1.0e-3:
            best.normal = wp.vec3(-1.0, 0.0, 0.0)
        elif gap[2] < 1.0e-3:
            best.normal = wp.vec3(0.0, 1.0, 0.0)
        else:
            best.normal = wp.vec3(0.0, -1.0, 0.0)
    for index in range(world.boxes.shape[0]):
        lower = world.boxes[index].lower
        upper = world.boxes[index].upper
        span = box_entry(lower, upper, origin, inverse)
        if span[0] <= span[1] and span[0] > 0.0 and span[0] < best.t:
            best.t = span[0]
            best.part = FIRST_BOX - index
            point = origin + direction * span[0]
            best.normal = wp.vec3(0.0)
            least = float(1.0e9)
            for axis in range(3):
                if wp.abs(point[axis] - lower[axis]) < least:
                    least = wp.abs(point[axis] - lower[axis])
                    best.normal = wp.vec3(0.0)
                    best.normal[axis] = -1.0
                if wp.abs(point[axis] - upper[axis]) < least:
                    least = wp.abs(point[axis] - upper[axis])
                    best.normal = wp.vec3(0.0)
                    best.normal[axis] = 1.0
    for index in range(world.still.shape[0]):
        best = hit_part(still, world.still, 0, index, origin, direction, inverse, best)
    return best


@wp.func
def nearest_moving(
    world: World, moving: wp.array2d(dtype=Instance), row: int, origin: wp.vec3, direction: wp.vec3, reach: float
) -> Hit:
    best = Hit()
    best.t = reach
    best.part = NOTHING
    inverse = invert(direction)
    for index in range(world.moving.shape[0]):
        best = hit_part(moving, world.moving, row, index, origin, direction, inverse, best)
    return best


@wp.func
def still_surface(world: World, still: wp.array2d(dtype=Instance), hit: Hit, origin: wp.vec3, ray: wp.vec3) -> Surface:
    if hit.part >= 0:
        return part_surface(world, world.still[hit.part], still[0, hit.part], hit, origin, ray)
    point = origin + ray * hit.t
    material = world.materials[world.floor_material]
    if hit.part == WALL or hit.part == CEILING:
        material = world.materials[world.wall_material]
    if hit.part <= FIRST_BOX:
        material = world.materials[world.boxes[FIRST_BOX - hit.part].material]
    s = flat_surface(world, material, point, hit.normal, hit.t, wp.abs(wp.dot(wp.normalize(ray), hit.normal)))
    if hit.part == CEILING:
        s.base = wp.vec3(0.75)
    return s


@wp.func
def still_blocks(world: World, still: wp.array2d(dtype=Instance), point: wp.vec3, ray: wp.vec3, reach: float) -> bool:
    inverse = invert(ray)
    if box_blocks(world.boxes, point, inverse, reach):
        return True
    return part_blocks(still, world.still, 0, point, ray, inverse, reach, ALL_PARTS)


@wp.func
def hemisphere(normal: wp.vec3, index: int, count: int, phase: float) -> wp.vec3:
    """Cosine-weighted direction number `index` of `count` (Vogel's spiral)."""
    r = wp.sqrt((float(index) + 0.5) / float(count))
    angle = phase + 2.39996323 * float(index)
    side = wp.vec3(1.0, 0.0, 0.0)
    if wp.abs(normal[0]) > 0.7:
        side = wp.vec3(0.0, 1.0, 0.0)
    x = wp.normalize(wp.cross(normal, side))
    y = wp.cross(normal, x)
    return wp.normalize(x * (r * wp.cos(angle)) + y * (r * wp.sin(angle)) + normal * wp.sqrt(wp.max(1.0 - r * r, 0.0)))


@wp.kernel
def trace_still(
    world: World,
    still: wp.array2d(dtype=Instance),
    cameras: wp.array(dtype=Camera),
    width: int,
    grid: int,
    sky_rays: int,
    layer: StillLayer,
):
    """The still layer, with grid × grid samples per pixel."""
    c, pixel = wp.tid()
    camera = cameras[c]
    px = float(pixel % width)
    py = float(pixel // width)
    origin = camera.position
    centre = nearest_still(world, still, origin, camera_ray(camera, px + 0.5, py + 0.5))
    layer.t[c, pixel] = centre.t
    layer.normal[c, pixel] = centre.normal
    label = int(0)
    if centre.part >= 0:
        label = world.still[centre.part].label
    if centre.part <= FIRST_BOX:
        label = world.boxes[FIRST_BOX - centre.part].label
    layer.label[c, pixel] = wp.uint8(label)

    count = grid * grid
    weight = 1.0 / float(count)
    phase = phase_of(pixel, 17 + c)
    sky_light = wp.vec3(0.0)
    free = float(0.0)
    for index in range(count):
        x = px + (float(index % grid) + 0.5) / float(grid)
        y = py + (float(index // grid) + 0.5) / float(grid)
        ray = camera_ray(camera, x, y)
        hit = nearest_still(world, still, origin, ray)
        unit = wp.normalize(ray)
        if hit.part == NOTHING:
            sky_light += sky(world, unit) * weight
            free += weight
        else:
            s = still_surface(world, still, hit, origin, ray)
            blocked = float(0.0)
            if hit.part >= 0 or hit.part <= FIRST_BOX:
                for k in range(sky_rays):
                    up = hemisphere(s.face_normal, index * sky_rays + k, count * sky_rays, phase)
                    if still_blocks(world, still, s.point, up, OCCLUSION_REACH):
                        blocked += 1.0
                blocked = blocked / float(wp.max(sky_rays, 1))
            free += (1.0 - 0.85 * blocked) * weight
            sky_light += ambient(world, s, -unit) * weight
            r = wp.sqrt((float(index) + 0.5) * weight)
            angle = phase + 2.39996323 * float(index)
            for l in range(world.lights.shape[0]):
                light = sample_light(world.lights[l], s.point, r * wp.cos(angle), r * wp.sin(angle))
                share = wp.cw_mul(reflect_light(s, -unit, light.direction), light.color) * weight
                if wp.dot(s.face_normal, light.direction) > 0.0 and wp.max(share) > 0.0:
                    layer.light[c, pixel, l] += share
                    if not still_blocks(world, still, s.point, light.direction, light.distance):
                        layer.seen[c, pixel, l] += wp.max(share)
    layer.ambient[c, pixel] = sky_light
    layer.open[c, pixel] = free
    for l in range(world.lights.shape[0]):
        layer.seen[c, pixel, l] = layer.seen[c, pixel, l] / wp.max(wp.max(layer.light[c, pixel, l]), 1.0e-9)


@wp.kernel
def compose_still(world: World, width: int, height: int, layer: StillLayer):
    """Takes away the light that does not arrive, evened out over the neighbours on the same surface: the shares were
    sampled at random. Lamps too small to cast soft shadows keep theirs."""
    c, pixel = wp.tid()
    x = pixel % width
    y = pixel // width
    normal = layer.normal[c, pixel]
    t = layer.t[c, pixel]
    count = float(0.0)
    free = float(0.0)
    for j in range(wp.max(y - 2, 0), wp.min(y + 3, height)):
        for i in range(wp.max(x - 2, 0), wp.min(x + 3, width)):
            if alike(layer, c, j * width + i, pixel, normal, t):
                count += 1.0
                free += layer.open[c, j * width + i]
    layer.ambient[c, pixel] = layer.ambient[c, pixel] * (free / count)
    for l in range(world.lights.shape[0]):
        seen = layer.seen[c, pixel, l]
        if world.lights[l].radius > SOFT and wp.max(layer.light[c, pixel, l]) > 0.0:
            total = float(0.0)
            count = 0.0
            for j in range(wp.max(y - 2, 0), wp.min(y + 3, height)):
                for i in range(wp.max(x - 2, 0), wp.min(x + 3, width)):
                    near = j * width + i
                    if alike(layer, c, near, pixel, normal, t) and wp.max(layer.light[c, near, l]) > 0.0:
                        count += 1.0
                        total += layer.seen[c, near, l]
            seen = total / count
        layer.light[c, pixel, l] = layer.light[c, pixel, l] * seen


@wp.func
def alike(layer: StillLayer, c: int, a: int, b: int, normal: wp.vec3, t: float) -> bool:
    """Whether two pixels of the still layer show the same smooth surface."""
    if layer.label[c, a] != layer.label[c, b] or wp.abs(layer.t[c, a] - t) > 0.05 * t:
        return False
    return wp.dot(layer.normal[c, a], normal) > 0.9


@wp.kernel
def find_moving(
    world: World,
    moving: wp.array2d(dtype=Instance),
    windows: wp.array3d(dtype=wp.vec4i),
    cameras: wp.array(dtype=Camera),
    width: int,
    layer: StillLayer,
    hits: wp.array3d(dtype=Hit),
    masks: wp.array3d(dtype=wp.uint8),
    depth: wp.array3d(dtype=wp.uint16),
):
    """What moves and lies before the still layer at the pixels' centres; masks and depth [mm] of both."""
    f, c, pixel = wp.tid()
    camera = cameras[c]
    x = pixel % width
    y = pixel // width
    ray = camera_ray(camera, float(x) + 0.5, float(y) + 0.5)
    inverse = invert(ray)
    best = Hit()
    best.t = layer.t[c, pixel]
    best.part = NOTHING
    for index in range(world.moving.shape[0]):
        window = windows[f, c, index]
        if x >= window[0] and y >= window[1] and x < window[2] and y < window[3]:
            best = hit_part(moving, world.moving, f, index, camera.position, ray, inverse, best)
    hits[f, c, pixel] = best
    label = layer.label[c, pixel]
    if best.part >= 0:
        label = wp.uint8(world.moving[best.part].label)
    masks[f, c, pixel] = label
    millimetres = float(0.0)
    if best.t < 65.0:
        millimetres = wp.round(best.t * 1000.0)
    depth[f, c, pixel] = wp.uint16(int(millimetres))


@wp.func
def shadow_ray(
    world: World,
    still: wp.array2d(dtype=Instance),
    moving: wp.array2d(dtype=Instance),
    row: int,
    mask: wp.uint64,
    light: Light,
    point: wp.vec3,
    radius: float,
    angle: float,
) -> float:
    """1 if a point sees the spot (radius, angle) of a lamp's disc, else 0; `mask` says what may come between."""
    sample = sample_light(light, point, radius * wp.cos(angle), radius * wp.sin(angle))
    inverse = invert(sample.direction)
    if part_blocks(moving, world.moving, row, point, sample.direction, inverse, sample.distance, mask):
        return 0.0
    if (mask >> wp.uint64(STILL_BIT)) != wp.uint64(0):
        if still_blocks(world, still, point, sample.direction, sample.distance):
            return 0.0
    return 1.0


@wp.func
def shadow(
    world: World,
    still: wp.array2d(dtype=Instance),
    moving: wp.array2d(dtype=Instance),
    row: int,
    mask: wp.uint64,
    light: Light,
    point: wp.vec3,
    phase: float,
) -> float:
    """Share of a lamp that a point sees: two rays to opposite sides of the lamp, six where they disagree."""
    if mask == wp.uint64(0):
        return 1.0
    seen = shadow_ray(world, still, moving, row, mask, light, point, 0.75, phase)
    if light.radius < 0.3 * SOFT:
        return seen
    seen += shadow_ray(world, still, moving, row, mask, light, point, 0.75, phase + 3.14159265)
    if seen < 0.5 or seen > 1.5:
        return 0.5 * seen
    for k in range(4):
        radius = float(0.85)
        if k >= 2:
            radius = 0.35
        angle = phase + 0.7853982 + 1.5707963 * float(k)
        seen += shadow_ray(world, still, moving, row, mask, light, point, radius, angle)
    return seen / 6.0


@wp.func
def still_point(camera: Camera, layer: StillLayer, c: int, pixel: int, ray: wp.vec3) -> wp.vec3:
    return camera.position + ray * layer.t[c, pixel] + layer.normal[c, pixel] * LIFT


@wp.kernel
def shadow_grid(
    world: World,
    still: wp.array2d(dtype=Instance),
    moving: wp.array2d(dtype=Instance),
    cameras: wp.array(dtype=Camera),
    width: int,
    layer: StillLayer,
    tile_masks: wp.array4d(dtype=wp.uint64),
    part_masks: wp.array3d(dtype=wp.uint64),
    hits: wp.array3d(dtype=Hit),
    shares: wp.array4d(dtype=float),
):
    """Share of each lamp that every second pixel of every second row sees, (F, C, grid, L); UNLIT where it faces away."""
    f, c, place = wp.tid()
    camera = cameras[c]
    columns = (width + 1) // 2
    x = 2 * (place % columns)
    y = 2 * (place // columns)
    pixel = y * width + x
    ray = camera_ray(camera, float(x) + 0.5, float(y) + 0.5)
    hit = hits[f, c, pixel]
    phase = phase_of(pixel, 17 + c)
    if hit.part >= 0:
        s = part_surface(world, world.moving[hit.part], moving[f, hit.part], hit, camera.position, ray)
        for l in range(world.lights.shape[0]):
            light = sample_light(world.lights[l], s.point, 0.0, 0.0)
            share = float(UNLIT)
            if faces(s, light.direction):
                mask = part_masks[f, hit.part, l]
                share = shadow(world, still, moving, f, mask, world.lights[l], s.point, phase)
            shares[f, c, place, l] = share
    else:
        tile = (y // TILE) * ((width + TILE - 1) // TILE) + x // TILE
        point = still_point(camera, layer, c, pixel, ray)
        for l in range(world.lights.shape[0]):
            share = float(UNLIT)
            if wp.max(layer.light[c, pixel, l]) > DIM:
                mask = tile_masks[f, c, tile, l]
                share = shadow(world, still, moving, f, mask, world.lights[l], point, phase)
            shares[f, c, place, l] = share


@wp.kernel
def smooth_shares(
    world: World,
    width: int,
    height: int,
    hits: wp.array3d(dtype=Hit),
    shares: wp.array4d(dtype=float),
    smoothed: wp.array4d(dtype=float),
):
    """Evens out the grid's shares of large lamps over the neighbours on the same surface."""
    f, c, place = wp.tid()
    columns = (width + 1) // 2
    rows = (height + 1) // 2
    x = place % columns
    y = place // columns
    own = hits[f, c, 2 * y * width + 2 * x]
    for l in range(world.lights.shape[0]):
        share = shares[f, c, place, l]
        if share >= 0.0 and world.lights[l].radius > SOFT:
            total = float(0.0)
            count = float(0.0)
            for j in range(wp.max(y - 1, 0), wp.min(y + 2, rows)):
                for i in range(wp.max(x - 1, 0), wp.min(x + 2, columns)):
                    other = shares[f, c, j * columns + i, l]
                    if other >= 0.0:
                        near = hits[f, c, 2 * j * width + 2 * i]
                        if near.part == own.part and wp.abs(near.t - own.t) < 0.05 * own.t:
                            total += other
                            count += 1.0
            share = total / count
        smoothed[f, c, place, l] = share


@wp.func
def faces(s: Surface, direction: wp.vec3) -> bool:
    return wp.dot(s.normal, direction) > 0.0 and wp.dot(s.face_normal, direction) > 0.0


@wp.func
def known_share(
    shares: wp.array4d(dtype=float),
    hits: wp.array3d(dtype=Hit),
    f: int,
    c: int,
    l: int,
    x: int,
    y: int,
    width: int,
    height: int,
) -> float:
    """A lamp's share at a pixel, from the grid's points around it where they lie on its surface and nearly agree."""
    columns = (width + 1) // 2
    gx = x // 2
    gy = y // 2
    own = hits[f, c, y * width + x]
    least = float(2.0)
    most = float(-1.0)
    mean = float(0.0)
    for k in range(4):
        nx = wp.min(gx + k % 2 * (x % 2), (width - 1) // 2)
        ny = wp.min(gy + k // 2 * (y % 2), (height - 1) // 2)
        other = hits[f, c, 2 * ny * width + 2 * nx]
        share = shares[f, c, ny * columns + nx, l]
        if other.part != own.part or wp.abs(other.t - own.t) > 0.03 * own.t or share < 0.0:
            return UNLIT
        least = wp.min(least, share)
        most = wp.max(most, share)
        mean += 0.25 * share
    if most - least > 0.51:
        return UNLIT
    return mean


@wp.func
def moving_color(
    world: World,
    still: wp.array2d(dtype=Instance),
    moving: wp.array2d(dtype=Instance),
    f: int,
    c: int,
    x: int,
    y: int,
    width: int,
    height: int,
    masks: wp.array3d(dtype=wp.uint64),
    shares: wp.array4d(dtype=float),
    hits: wp.array3d(dtype=Hit),
    hit: Hit,
    origin: wp.vec3,
    ray: wp.vec3,
    phase: float,
    sample: int,
) -> wp.vec3:
    """Light that a moving part sends back. Sample −1 is the pixel's centre; 0…3 share the rays to a lamp's disc."""
    s = part_surface(world, world.moving[hit.part], moving[f, hit.part], hit, origin, ray)
    view = -wp.normalize(ray)
    color = ambient(world, s, view)
    for l in range(world.lights.shape[0]):
        light = sample_light(world.lights[l], s.point, 0.0, 0.0)
        if faces(s, light.direction) and wp.max(light.color) > DIM:
            mask = masks[f, hit.part, l]
            share = float(1.0)
            if mask != wp.uint64(0):
                if sample >= 0:
                    angle = phase + 1.5707963 * float(sample)
                    share = shadow_ray(world, still, moving, f, mask, world.lights[l], s.point, 0.7, angle)
                else:
                    share = known_share(shares, hits, f, c, l, x, y, width, height)
                    if share < 0.0:
                        share = shadow(world, still, moving, f, mask, world.lights[l], s.point, phase)
            color += wp.cw_mul(reflect_light(s, view, light.direction), light.color) * share
    return color


@wp.func
def still_color(
    world: World,
    still: wp.array2d(dtype=Instance),
    moving: wp.array2d(dtype=Instance),
    f: int,
    c: int,
    x: int,
    y: int,
    width: int,
    height: int,
    masks: wp.array4d(dtype=wp.uint64),
    shares: wp.array4d(dtype=float),
    hits: wp.array3d(dtype=Hit),
    layer: StillLayer,
    point: wp.vec3,
    phase: float,
) -> wp.vec3:
    """The still layer's light, less what moving parts shadow."""
    pixel = y * width + x
    tile = (y // TILE) * ((width + TILE - 1) // TILE) + x // TILE
    color = layer.ambient[c, pixel]
    for l in range(world.lights.shape[0]):
        light = layer.light[c, pixel, l]
        if wp.max(light) > DIM:
            mask = masks[f, c, tile, l]
            share = float(1.0)
            if mask != wp.uint64(0):
                share = known_share(shares, hits, f, c, l, x, y, width, height)
                if share < 0.0:
                    share = shadow(world, still, moving, f, mask, world.lights[l], point, phase)
            color += light * share
    return color


@wp.func
def differs(a: Hit, b: Hit) -> bool:
    """Whether an outline or a crease runs between two neighbouring pixels."""
    if a.part < 0 and b.part < 0:
        return False
    if a.part != b.part:
        return True
    return wp.abs(a.t - b.t) > 0.03 * a.t or wp.dot(a.normal, b.normal) < 0.7


@wp.kernel
def shade_frame(
    world: World,
    still: wp.array2d(dtype=Instance),
    moving: wp.array2d(dtype=Instance),
    cameras: wp.array(dtype=Camera),
    width: int,
    height: int,
    smooth: int,
    first_frame: int,
    seed: int,
    saturation: float,
    noise: float,
    layer: StillLayer,
    tile_masks: wp.array4d(dtype=wp.uint64),
    part_masks: wp.array3d(dtype=wp.uint64),
    hits: wp.array3d(dtype=Hit),
    shares: wp.array4d(dtype=float),
    curve: wp.array(dtype=float),
    normal: wp.array(dtype=float),
    images: wp.array4d(dtype=wp.uint8),
):
    """Pictures (F, C, pixels, 3). `smooth` adds four samples on outlines; `noise` [8-bit levels]."""
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
            outline = outline or differs(hit, hits[f, c, pixel - 1])
        if x < width - 1:
            outline = outline or differs(hit, hits[f, c, pixel + 1])
        if y > 0:
            outline = outline or differs(hit, hits[f, c, pixel - width])
        if y < height - 1:
            outline = outline or differs(hit, hits[f, c, pixel + width])
    behind = wp.vec3(0.0)
    if hit.part < 0 or outline:
        point = still_point(camera, layer, c, pixel, ray)
        behind = still_color(
            world, still, moving, f, c, x, y, width, height, tile_masks, shares, hits, layer, point, phase
        )
    color = behind
    if outline:
        color = wp.vec3(0.0)
        for k in range(4):
            # A rotated grid: rows and columns all differ.
            dx = 0.125 + 0.25 * float((2 * k + 1) % 4 - k // 2)
            dy = 0.125 + 0.25 * float(k)
            sub = camera_ray(camera, float(x) + dx, float(y) + dy)
            near = nearest_moving(world, moving, f, origin, sub, layer.t[c, pixel])
            one = behind
            if near.part >= 0:
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
            color += 0.25 * one
    elif hit.part >= 0:
        color = moving_color(
            world, still, moving, f, c, x, y, width, height, part_masks, shares, hits, hit, origin, ray, phase, -1
        )
    shown = encode(color * camera.gain, curve, saturation)
    state = wp.rand_init(seed + first_frame + f, c * width * height + pixel)
    for k in range(3):
        draw = wp.randi(state, 0, normal.shape[0])
        value = 255.0 * shown[k] + 0.5 + noise * normal[draw]
        images[f, c, pixel, k] = wp.uint8(int(wp.clamp(value, 0.0, 255.0)))
