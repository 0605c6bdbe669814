# type: ignore  (Warp compiles these functions; their types are its, not Python's)
"""Ray tracer: nearest hits and occlusion. Parts are few, so they are tried in turn behind their boxes."""

# float(…) and int(…) declare a variable of a Warp kernel that a loop may change.
# ruff: noqa: UP018

from __future__ import annotations

import warp as wp

from syngrasp.rendering.mjwarp.types import Box, Hit, Instance, Part

wp.set_module_options({"enable_backward": False})

FAR = wp.constant(1.0e4)
LAST_BIT = wp.constant(62)  # of a mask of parts: those from this one on share it
GLASS_PASSES = wp.constant(0.6)  # light behind clear glass, on average over its caustics
ALL_PARTS = wp.constant(wp.uint64(0xFFFFFFFFFFFFFFFF))


@wp.func
def box_entry(lower: wp.vec3, upper: wp.vec3, origin: wp.vec3, inverse: wp.vec3) -> wp.vec2:
    """Parameters of entry and exit of a ray (slab method)."""
    a = wp.cw_mul(lower - origin, inverse)
    b = wp.cw_mul(upper - origin, inverse)
    near = wp.max(wp.max(wp.min(a[0], b[0]), wp.min(a[1], b[1])), wp.min(a[2], b[2]))
    far = wp.min(wp.min(wp.max(a[0], b[0]), wp.max(a[1], b[1])), wp.max(a[2], b[2]))
    return wp.vec2(near, far)


@wp.func
def invert(direction: wp.vec3) -> wp.vec3:
    out = wp.vec3(0.0)
    for axis in range(3):
        d = direction[axis]
        if wp.abs(d) < 1.0e-9:
            d = 1.0e-9
        out[axis] = 1.0 / d
    return out


@wp.func
def hit_part(
    instances: wp.array2d[Instance],
    parts: wp.array[Part],
    row: int,
    index: int,
    origin: wp.vec3,
    direction: wp.vec3,
    inverse: wp.vec3,
    best: Hit,
) -> Hit:
    """`best`, or the hit on one part if that is nearer."""
    span = box_entry(instances[row, index].lower, instances[row, index].upper, origin, inverse)
    if span[0] <= span[1] and span[1] > 0.0 and span[0] < best.t:
        instance = instances[row, index]
        to_local = wp.transpose(instance.rotation) * (1.0 / instance.scale)
        query = wp.mesh_query_ray(
            parts[index].mesh, to_local * (origin - instance.position), to_local * direction, best.t
        )
        if query.result:
            best.t = query.t
            best.part = index
            best.face = query.face
            best.u = query.u
            best.v = query.v
            normal = instance.rotation * query.normal
            if wp.dot(normal, direction) > 0.0:
                normal = -normal
            best.normal = normal
    return best


@wp.func
def part_passes(
    instances: wp.array2d[Instance],
    parts: wp.array[Part],
    row: int,
    origin: wp.vec3,
    direction: wp.vec3,
    inverse: wp.vec3,
    distance: float,
    mask: wp.uint64,
) -> float:
    """Share of the light that the parts named by bits of `mask` let through over `distance` along a ray."""
    share = float(1.0)
    for index in range(parts.shape[0]):
        if (mask >> wp.uint64(wp.min(index, LAST_BIT))) & wp.uint64(1):
            span = box_entry(instances[row, index].lower, instances[row, index].upper, origin, inverse)
            if span[0] <= span[1] and span[1] > 0.0 and span[0] < distance:
                instance = instances[row, index]
                to_local = wp.transpose(instance.rotation) * (1.0 / instance.scale)
                if wp.mesh_query_ray_anyhit(
                    parts[index].mesh, to_local * (origin - instance.position), to_local * direction, distance
                ):
                    if parts[index].transmission <= 0.0:
                        return 0.0
                    share *= GLASS_PASSES * parts[index].transmission
    return share


@wp.func
def box_blocks(boxes: wp.array[Box], origin: wp.vec3, inverse: wp.vec3, distance: float) -> bool:
    """Whether furniture lies within `distance` along a ray."""
    for index in range(boxes.shape[0]):
        span = box_entry(boxes[index].lower, boxes[index].upper, origin, inverse)
        if span[0] <= span[1] and span[1] > 0.0 and span[0] < distance:
            return True
    return False
