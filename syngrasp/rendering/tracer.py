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

OCCLUSION_REACH = wp.constant(0.3)  # [m] how far something may stand to keep the sky's light away


@wp.struct
class StillLayer:
    """What a camera sees of all that does not move, per camera and pixel."""

    t: wp.array2d(dtype=float)  # depth [m] along the pixel's centre, FAR where nothing is
    label: wp.array2d(dtype=wp.uint8)
    normal: wp.array2d(dtype=wp.vec3)
    ambient: wp.array2d(dtype=wp.vec3)
    light: wp.array3d(dtype=wp.vec3)  # per lamp


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
    sum_ambient = wp.vec3(0.0)
    for index in range(count):
        x = px + (float(index % grid) + 0.5) / float(grid)
        y = py + (float(index // grid) + 0.5) / float(grid)
        ray = camera_ray(camera, x, y)
        hit = nearest_still(world, still, origin, ray)
        unit = wp.normalize(ray)
        if hit.part == NOTHING:
            sum_ambient += sky(world, unit) * weight
        else:
            s = still_surface(world, still, hit, origin, ray)
            blocked = float(0.0)
            if hit.part >= 0 or hit.part <= FIRST_BOX:
                for k in range(sky_rays):
                    up = hemisphere(s.face_normal, index * sky_rays + k, count * sky_rays, phase)
                    if still_blocks(world, still, s.point, up, OCCLUSION_REACH):
                        blocked += 1.0
                blocked = blocked / float(wp.max(sky_rays, 1))
            sum_ambient += ambient(world, s, -unit, 1.0 - 0.85 * blocked) * weight
            for l in range(world.lights.shape[0]):
                r = wp.sqrt((float(index) + 0.5) * weight)
                angle = phase + 2.39996323 * float(index)
                light = sample_light(world.lights[l], s.point, r * wp.cos(angle), r * wp.sin(angle))
                reflected = reflect_light(s, -unit, light.direction)
                if wp.dot(s.face_normal, light.direction) > 0.0 and wp.max(reflected) * wp.max(light.color) > 0.0:
                    if not still_blocks(world, still, s.point, light.direction, light.distance):
                        layer.light[c, pixel, l] += wp.cw_mul(reflected, light.color) * weight
    layer.ambient[c, pixel] = sum_ambient


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
    with_still = (mask >> wp.uint64(STILL_BIT)) != wp.uint64(0)
    seen = float(0.0)
    count = int(2)
    if light.radius < 0.004:
        count = 1
    index = int(0)
    while index < count:
        r = float(0.75)
        angle = phase + 3.14159265 * float(index)
        if index >= 2:
            angle = phase + 0.7853982 + 1.5707963 * float(index)
            if index >= 4:
                r = 0.3
        if light.radius < 0.004:
            r = 0.0
        sample = sample_light(light, point, r * wp.cos(angle), r * wp.sin(angle))
        inverse = invert(sample.direction)
        blocked = part_blocks(moving, world.moving, row, point, sample.direction, inverse, sample.distance, mask)
        if with_still and not blocked:
            blocked = still_blocks(world, still, point, sample.direction, sample.distance)
        if not blocked:
            seen += 1.0
        index += 1
        if index == 2 and seen > 0.5 and seen < 1.5:
            count = 6
    return seen / float(count)


@wp.func
def moving_color(
    world: World,
    still: wp.array2d(dtype=Instance),
    moving: wp.array2d(dtype=Instance),
    row: int,
    masks: wp.array3d(dtype=wp.uint64),
    hit: Hit,
    origin: wp.vec3,
    ray: wp.vec3,
    phase: float,
) -> wp.vec3:
    s = part_surface(world, world.moving[hit.part], moving[row, hit.part], hit, origin, ray)
    view = -wp.normalize(ray)
    color = ambient(world, s, view, 1.0)
    for l in range(world.lights.shape[0]):
        light = sample_light(world.lights[l], s.point, 0.0, 0.0)
        share = wp.cw_mul(reflect_light(s, view, light.direction), light.color)
        if wp.max(share) > 2.0e-4 and wp.dot(s.face_normal, light.direction) > 0.0:
            color += share * shadow(world, still, moving, row, masks[row, hit.part, l], world.lights[l], s.point, phase)
    return color


@wp.func
def still_color(
    world: World,
    still: wp.array2d(dtype=Instance),
    moving: wp.array2d(dtype=Instance),
    row: int,
    masks: wp.array4d(dtype=wp.uint64),
    layer: StillLayer,
    c: int,
    pixel: int,
    tile: int,
    origin: wp.vec3,
    ray: wp.vec3,
    phase: float,
) -> wp.vec3:
    color = layer.ambient[c, pixel]
    point = origin + ray * layer.t[c, pixel] + layer.normal[c, pixel] * LIFT
    for l in range(world.lights.shape[0]):
        share = layer.light[c, pixel, l]
        if wp.max(share) > 2.0e-4:
            color += share * shadow(world, still, moving, row, masks[row, c, tile, l], world.lights[l], point, phase)
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
    curve: wp.array(dtype=float),
    normal: wp.array(dtype=float),
    images: wp.array4d(dtype=wp.uint8),
):
    """Pictures (F, C, pixels, 3). `smooth` adds four samples on outlines; `noise` [8-bit levels]."""
    f, c, pixel = wp.tid()
    camera = cameras[c]
    x = pixel % width
    y = pixel // width
    tile = (y // TILE) * ((width + TILE - 1) // TILE) + x // TILE
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
    color = wp.vec3(0.0)
    if not outline:
        if hit.part >= 0:
            color = moving_color(world, still, moving, f, part_masks, hit, origin, ray, phase)
        else:
            color = still_color(world, still, moving, f, tile_masks, layer, c, pixel, tile, origin, ray, phase)
    else:
        missed = int(0)
        for k in range(4):
            # A rotated grid: rows and columns all differ.
            dx = 0.125 + 0.25 * float((2 * k + 1) % 4 - k // 2)
            dy = 0.125 + 0.25 * float(k)
            sub = camera_ray(camera, float(x) + dx, float(y) + dy)
            near = nearest_moving(world, moving, f, origin, sub, layer.t[c, pixel])
            if near.part >= 0:
                color += 0.25 * moving_color(world, still, moving, f, part_masks, near, origin, sub, phase)
            else:
                missed += 1
        if missed > 0:
            behind = still_color(world, still, moving, f, tile_masks, layer, c, pixel, tile, origin, ray, phase)
            color += 0.25 * float(missed) * behind
    shown = encode(color * camera.gain, curve, saturation)
    state = wp.rand_init(seed + first_frame + f, c * width * height + pixel)
    for k in range(3):
        draw = wp.randi(state, 0, normal.shape[0])
        value = 255.0 * shown[k] + 0.5 + noise * normal[draw]
        images[f, c, pixel, k] = wp.uint8(int(wp.clamp(value, 0.0, 255.0)))
