# type: ignore  (Warp compiles these functions; their types are its, not Python's)
"""Ray tracer: what is seen through glass.

A ray is bent where it enters a part and where it leaves it (Snell), and is tinted on its way (Beer and Lambert); the
surface that it meets then is lit as opaque. A still surface that the camera sees too has its light from the still
layer. Other surfaces of the same part are passed through. The mirror image is that of any clear coat.
"""

# float(…) and int(…) declare a variable of a Warp kernel that a loop may change.
# ruff: noqa: UP018

from __future__ import annotations

import warp as wp

from syngrasp.rendering.mjwarp.cull import bit
from syngrasp.rendering.mjwarp.light import moving_color, nearest_moving, still_color
from syngrasp.rendering.mjwarp.rays import ALL_PARTS
from syngrasp.rendering.mjwarp.shading import ambient, part_surface, reflect_light, sample_light
from syngrasp.rendering.mjwarp.shadow import faces, shadow
from syngrasp.rendering.mjwarp.sky import sky
from syngrasp.rendering.mjwarp.still import NOTHING, nearest_still, still_surface
from syngrasp.rendering.mjwarp.types import Camera, Hit, Instance, StillLayer, Surface, World

wp.set_module_options({"enable_backward": False})

INSIDE = wp.constant(1.0e-4)  # [m] beyond a face before a ray goes on
BACK = wp.constant(4.0e-3)  # [m] before the far side, from where what lies behind is looked for: it may touch the glass
TINT_DEPTH = wp.constant(0.03)  # [m] of glass that gives light the part's colour


@wp.struct
class Through:
    """A ray that has left the far side of a glass part."""

    origin: wp.vec3
    direction: wp.vec3  # unit
    share: wp.vec3  # of the light behind that comes through
    part: int  # that it went through


@wp.func
def clear_coat(s: Surface, clear: float) -> Surface:
    """What of a glass surface reflects: its coat, and its colour as far as it is not clear."""
    out = s
    out.base = s.base * (1.0 - clear)
    out.metallic = s.metallic * (1.0 - clear)
    return out


@wp.func
def bend(direction: wp.vec3, normal: wp.vec3, eta: float) -> wp.vec3:
    """A unit direction behind a surface whose normal is towards it; `eta` is the index before over that behind.
    Unbent where it could not pass."""
    cosine = -wp.dot(direction, normal)
    k = 1.0 - eta * eta * (1.0 - cosine * cosine)
    if k < 0.0:
        return direction
    return wp.normalize(direction * eta + normal * (eta * cosine - wp.sqrt(k)))


@wp.func
def trace_through(
    world: wp.array[World],
    still: wp.array2d[Instance],
    moving: wp.array2d[Instance],
    f: int,
    index: int,
    s: Surface,
    ray: wp.vec3,
) -> Through:
    out = Through()
    part = world[0].moving[index]
    instance = moving[f, index]
    unit = wp.normalize(ray)
    cosine = wp.clamp(-wp.dot(unit, s.normal), 0.0, 1.0)
    r0 = (part.ior - 1.0) / (part.ior + 1.0)
    m = 1.0 - cosine
    passes = (1.0 - r0 * r0) * (1.0 - m * m * m * m * m)
    inner = bend(unit, s.normal, 1.0 / part.ior)
    start = s.foot - s.face_normal * INSIDE
    to_local = wp.transpose(instance.rotation) * (1.0 / instance.scale)
    query = wp.mesh_query_ray(part.mesh, to_local * (start - instance.position), to_local * inner, 1.0)
    out.origin = start
    out.direction = unit
    thickness = float(0.0)
    if query.result:
        thickness = query.t
        normal = instance.rotation * query.normal
        if wp.dot(normal, inner) > 0.0:
            normal = -normal
        out.direction = bend(inner, normal, part.ior)
        out.origin = start + inner * thickness - out.direction * BACK
    depth = wp.clamp(thickness / TINT_DEPTH, 0.1, 2.0)
    tint = wp.vec3(0.0)
    for k in range(3):
        tint[k] = wp.pow(wp.clamp(s.base[k], 0.03, 1.0), depth)
    out.share = tint * (passes * part.transmission)
    out.part = index
    return out


@wp.func
def seen_through(
    world: wp.array[World],
    still: wp.array2d[Instance],
    moving: wp.array2d[Instance],
    cameras: wp.array[Camera],
    f: int,
    c: int,
    width: int,
    height: int,
    tile_masks: wp.array4d[wp.uint64],
    part_masks: wp.array3d[wp.uint64],
    shares: wp.array4d[float],
    hits: wp.array3d[Hit],
    mirrors: wp.array3d[wp.vec4],
    layer: wp.array[StillLayer],
    through: Through,
    phase: float,
) -> wp.vec3:
    """Light of what lies behind a glass part."""
    hit = nearest_still(world, still, through.origin, through.direction)
    others = ALL_PARTS & ~bit(through.part)
    near = nearest_moving(world, moving, f, others, through.origin, through.direction, hit.t)
    view = -through.direction
    size = near.t * world[0].pixel
    if near.part < 0 and hit.part == NOTHING:
        return sky(world, through.direction)
    # Where the camera itself sees the point, if it does.
    point = through.origin + through.direction * near.t
    camera = cameras[c]
    seen = wp.transpose(camera.rotation) * (point - camera.position)
    depth = wp.max(seen[2], 1.0e-3)
    x = int(wp.floor(seen[0] / depth * camera.focal + camera.cx))
    y = int(wp.floor(seen[1] / depth * camera.focal + camera.cy))
    inside = x >= 0 and y >= 0 and x < width and y < height
    x = wp.clamp(x, 0, width - 1)
    y = wp.clamp(y, 0, height - 1)
    if near.part >= 0:
        s = part_surface(
            world, world[0].moving[near.part], moving[f, near.part], near, through.origin, through.direction
        )
        return moving_color(
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
            s,
            view,
            size,
            phase,
            -1,
        )
    if inside and wp.abs(layer[0].t[c, y * width + x] - seen[2]) < 0.01 * seen[2]:
        return still_color(
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
            view,
            phase,
        )
    s = still_surface(world, still, hit, through.origin, through.direction)
    color = ambient(world, s, view) * 0.7
    for lamp in range(world[0].lights.shape[0]):
        light = sample_light(world[0].lights[lamp], s.point, 0.0, 0.0)
        if faces(s, light.direction):
            share = shadow(
                world,
                still,
                moving,
                f,
                ALL_PARTS,
                world[0].lights[lamp],
                s.point,
                s.face_normal,
                view,
                size,
                phase,
            )
            color += wp.cw_mul(reflect_light(s, view, light), light.color) * share
    return color
