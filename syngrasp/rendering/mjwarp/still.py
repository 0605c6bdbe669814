# type: ignore  (Warp compiles these functions; their types are its, not Python's)
"""Ray tracer: what stands still. Cameras do not move within an episode, so it is traced once.

`trace_still` renders everything that no frame moves, supersampled, and keeps its light apart: the sky's share and each
lamp's share per pixel. A frame adds them up, less what the moving parts shadow.
"""

# float(…) and int(…) declare a variable of a Warp kernel that a loop may change.
# ruff: noqa: UP018, RUF046

from __future__ import annotations

import warp as wp

from syngrasp.rendering.mjwarp.rays import ALL_PARTS, FAR, box_blocks, box_entry, hit_part, invert, part_passes
from syngrasp.rendering.mjwarp.shading import ambient, flat_surface, part_surface, reflect_light, sample_light
from syngrasp.rendering.mjwarp.sky import sky
from syngrasp.rendering.mjwarp.types import Camera, Hit, Instance, StillLayer, Surface, World

wp.set_module_options({"enable_backward": False})

NOTHING = wp.constant(-1)
FIRST_BOX = wp.constant(-10)  # box i is FIRST_BOX − i

SOFT = wp.constant(0.008)  # lamps of a smaller radius [m] cast hard shadows
OCCLUSION_REACH = wp.constant(0.3)  # [m] how far something may stand to keep the environment's light away
OCCLUDES = wp.constant(0.85)  # share of that light that is lost; the rest comes from what stands there


@wp.func
def camera_ray(camera: Camera, x: float, y: float) -> wp.vec3:
    return camera.rotation * wp.vec3((x - camera.cx) / camera.focal, (y - camera.cy) / camera.focal, 1.0)


@wp.func
def phase_of(pixel: int, salt: int) -> float:
    """An angle per pixel, the same in every frame."""
    state = wp.rand_init(salt, pixel)
    return 6.2831853 * wp.randf(state)


@wp.func
def nearest_still(world: wp.array[World], still: wp.array2d[Instance], origin: wp.vec3, direction: wp.vec3) -> Hit:
    best = Hit()
    best.t = FAR
    best.part = NOTHING
    best.normal = wp.vec3(0.0, 0.0, 1.0)
    inverse = invert(direction)
    for index in range(world[0].boxes.shape[0]):
        lower = world[0].boxes[index].lower
        upper = world[0].boxes[index].upper
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
    for index in range(world[0].still.shape[0]):
        best = hit_part(still, world[0].still, 0, index, origin, direction, inverse, best)
    return best


@wp.func
def still_surface(
    world: wp.array[World], still: wp.array2d[Instance], hit: Hit, origin: wp.vec3, ray: wp.vec3
) -> Surface:
    if hit.part >= 0:
        return part_surface(world, world[0].still[hit.part], still[0, hit.part], hit, origin, ray)
    point = origin + ray * hit.t
    material = world[0].materials[world[0].boxes[FIRST_BOX - hit.part].material]
    return flat_surface(world, material, point, hit.normal, hit.t, wp.abs(wp.dot(wp.normalize(ray), hit.normal)))


@wp.func
def still_blocks(
    world: wp.array[World], still: wp.array2d[Instance], point: wp.vec3, ray: wp.vec3, reach: float
) -> bool:
    inverse = invert(ray)
    if box_blocks(world[0].boxes, point, inverse, reach):
        return True
    return part_passes(still, world[0].still, 0, point, ray, inverse, reach, ALL_PARTS) < 1.0


@wp.func
def disc_place(index: int, count: int, phase: float) -> wp.vec2:
    """Radius and angle of a place on the unit disc, drawn by `phase` around number `index` of `count` places that
    share the disc evenly (Vogel's spiral)."""
    part = phase * 0.15915494
    swing = part * 97.0 - wp.floor(part * 97.0) - 0.5
    radius = wp.sqrt((float(index) + part) / float(count))
    return wp.vec2(radius, 2.39996323 * float(index) + 4.0 * swing / wp.sqrt(float(count)))


@wp.func
def hemisphere(normal: wp.vec3, index: int, count: int, phase: float) -> wp.vec3:
    """Cosine-weighted direction over a place of the disc."""
    spot = disc_place(index, count, phase)
    r = spot[0]
    angle = spot[1]
    side = wp.vec3(1.0, 0.0, 0.0)
    if wp.abs(normal[0]) > 0.7:
        side = wp.vec3(0.0, 1.0, 0.0)
    x = wp.normalize(wp.cross(normal, side))
    y = wp.cross(normal, x)
    return wp.normalize(x * (r * wp.cos(angle)) + y * (r * wp.sin(angle)) + normal * wp.sqrt(wp.max(1.0 - r * r, 0.0)))


@wp.kernel
def find_still(
    world: wp.array[World],
    still: wp.array2d[Instance],
    cameras: wp.array[Camera],
    width: int,
    layer: wp.array[StillLayer],
    hits: wp.array2d[Hit],
):
    """What lies behind the pixels' centres when nothing moves."""
    c, pixel = wp.tid()
    x = pixel % width
    y = pixel // width
    ray = camera_ray(cameras[c], float(x) + 0.5, float(y) + 0.5)
    hit = nearest_still(world, still, cameras[c].position, ray)
    hits[c, pixel] = hit
    layer[0].t[c, pixel] = hit.t
    layer[0].normal[c, pixel] = hit.normal
    label = int(0)
    if hit.part >= 0:
        label = world[0].still[hit.part].label
    if hit.part <= FIRST_BOX:
        label = world[0].boxes[FIRST_BOX - hit.part].label
    layer[0].label[c, pixel] = wp.uint8(label)


@wp.func
def differs(a: Hit, b: Hit) -> bool:
    """Whether an outline or a crease runs between two neighbouring pixels."""
    if a.part != b.part:
        return True
    return wp.abs(a.t - b.t) > 0.03 * a.t or wp.dot(a.normal, b.normal) < 0.7


@wp.func
def still_differs(world: wp.array[World], a: Hit, b: Hit) -> bool:
    """The same between pixels of the still layer, or an edge of a part's colours."""
    if differs(a, b):
        return True
    if a.part < 0 or a.face == b.face:
        return False
    first = world[0].still[a.part].face0
    return wp.max(wp.abs(world[0].face_color[first + a.face] - world[0].face_color[first + b.face])) > 0.05


@wp.kernel
def trace_still(
    world: wp.array[World],
    still: wp.array2d[Instance],
    cameras: wp.array[Camera],
    width: int,
    height: int,
    grid: int,
    rays: int,
    hits: wp.array2d[Hit],
    layer: wp.array[StillLayer],
):
    """The still layer's light: at pixels' centres, on outlines with grid × grid samples per pixel; `rays` per sample go
    to the sky and to each lamp."""
    c, pixel = wp.tid()
    camera = cameras[c]
    x = pixel % width
    y = pixel // width
    here = hits[c, pixel]
    outline = False
    if x > 0:
        outline = outline or still_differs(world, here, hits[c, pixel - 1])
    if x < width - 1:
        outline = outline or still_differs(world, here, hits[c, pixel + 1])
    if y > 0:
        outline = outline or still_differs(world, here, hits[c, pixel - width])
    if y < height - 1:
        outline = outline or still_differs(world, here, hits[c, pixel + width])
    # Interleaved: 3 × 3 pixels hold each of the 9 · rays directions once, and are evened out later.
    stratum = x % 3 + 3 * (y % 3)
    if not outline or grid == 1:
        ray = camera_ray(camera, float(x) + 0.5, float(y) + 0.5)
        add_still(world, still, here, camera.position, ray, stratum, 9, rays, 1.0, c, pixel, layer)
    else:
        count = grid * grid
        for index in range(count):
            dx = (float(index % grid) + 0.5) / float(grid)
            dy = (float(index // grid) + 0.5) / float(grid)
            ray = camera_ray(camera, float(x) + dx, float(y) + dy)
            hit = nearest_still(world, still, camera.position, ray)
            weight = 1.0 / float(count)
            add_still(world, still, hit, camera.position, ray, index, count, 1, weight, c, pixel, layer)
    for lamp in range(world[0].lights.shape[0]):
        full = wp.max(layer[0].light[c, pixel, lamp])
        layer[0].seen[c, pixel, lamp] = layer[0].seen[c, pixel, lamp] / wp.max(full, 1.0e-9)


@wp.func
def add_still(
    world: wp.array[World],
    still: wp.array2d[Instance],
    hit: Hit,
    origin: wp.vec3,
    ray: wp.vec3,
    stratum: int,
    strata: int,
    rays: int,
    weight: float,
    c: int,
    pixel: int,
    layer: wp.array[StillLayer],
):
    """Adds a sample of a pixel; of `strata` · `rays` directions, rays go in every `strata`-th from `stratum` on."""
    unit = wp.normalize(ray)
    total = strata * rays
    phase = phase_of(pixel, 17 + c)
    if hit.part == NOTHING:
        layer[0].ambient[c, pixel] += sky(world, unit) * weight
        layer[0].open[c, pixel] += weight
    else:
        s = still_surface(world, still, hit, origin, ray)
        blocked = float(0.0)
        if hit.part >= 0 or hit.part <= FIRST_BOX:
            for k in range(rays):
                up = hemisphere(s.face_normal, stratum + k * strata, total, phase)
                if still_blocks(world, still, s.point, up, OCCLUSION_REACH):
                    blocked += 1.0 / float(rays)
        layer[0].open[c, pixel] += (1.0 - OCCLUDES * blocked) * weight
        layer[0].ambient[c, pixel] += ambient(world, s, -unit) * weight
        for lamp in range(world[0].lights.shape[0]):
            central = sample_light(world[0].lights[lamp], s.point, 0.0, 0.0)
            share = wp.cw_mul(reflect_light(s, -unit, central), central.color) * weight
            if wp.dot(s.face_normal, central.direction) > 0.0 and wp.max(share) > 0.0:
                layer[0].light[c, pixel, lamp] += share
                for k in range(rays):
                    spot = disc_place(stratum + k * strata, total, phase)
                    if world[0].lights[lamp].radius < SOFT:
                        spot = wp.vec2(0.5 * spot[0], spot[1])
                    a = spot[0] * wp.cos(spot[1])
                    b = spot[0] * wp.sin(spot[1])
                    light = sample_light(world[0].lights[lamp], s.point, a, b)
                    if not still_blocks(world, still, s.point, light.direction, light.distance):
                        layer[0].seen[c, pixel, lamp] += wp.max(share) / float(rays)
