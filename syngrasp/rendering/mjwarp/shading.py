# type: ignore  (Warp compiles these functions; their types are its, not Python's)
"""Ray tracer: surfaces and light. Lambert and GGX under lamps and an environment, in linear RGB.

GGX with Smith's correlated visibility (Heitz 2014) and Schlick's Fresnel; the environment's mirror image by the
polynomial fit of the split sum (Karis, "Physically based shading on mobile", 2014); shading points lifted to the smooth
surface against the shadow terminator (Hanika, "Hacking the shadow terminator", 2021).
"""

# float(…) and int(…) declare a variable of a Warp kernel that a loop may change.
# ruff: noqa: UP018

from __future__ import annotations

import warp as wp

from syngrasp.rendering.mjwarp.sky import irradiance, mirrored
from syngrasp.rendering.mjwarp.types import (
    Hit,
    Instance,
    Light,
    LightSample,
    Material,
    Part,
    Surface,
    World,
)

wp.set_module_options({"enable_backward": False})

LIFT = wp.constant(5.0e-4)  # [m] off a face before a shadow ray starts
SRGB = wp.constant(0)  # where World.decode has the colours of bytes
LINEAR = wp.constant(256)  # and their shares of 255


@wp.func
def texel(world: wp.array[World], offset: int, width: int, height: int, x: int, y: int, table: int) -> wp.vec3:
    cx = x % width
    cy = y % height
    if cx < 0:
        cx += width
    if cy < 0:
        cy += height
    i = offset + 3 * (cy * width + cx)
    return wp.vec3(
        world[0].decode[table + int(world[0].texels[i])],
        world[0].decode[table + int(world[0].texels[i + 1])],
        world[0].decode[table + int(world[0].texels[i + 2])],
    )


@wp.func
def sample_texture(world: wp.array[World], index: int, uv: wp.vec2, texels_per_pixel: float, table: int) -> wp.vec3:
    """Bilinear in the mip level whose texels are a pixel wide; repeats. `table` is where its bytes are decoded."""
    texture = world[0].textures[index]
    level = int(wp.clamp(wp.log2(wp.max(texels_per_pixel, 1.0)) + 0.3, 0.0, float(texture.levels - 1)))
    offset = int(texture.offset)
    width = int(texture.width)
    height = int(texture.height)
    for _ in range(level):
        offset += 3 * width * height
        width = wp.max(width // 2, 1)
        height = wp.max(height // 2, 1)
    x = (uv[0] - wp.floor(uv[0])) * float(width) - 0.5
    y = (1.0 - (uv[1] - wp.floor(uv[1]))) * float(height) - 0.5
    x0 = int(wp.floor(x))
    y0 = int(wp.floor(y))
    fx = x - float(x0)
    fy = y - float(y0)
    top = (
        texel(world, offset, width, height, x0, y0, table) * (1.0 - fx)
        + texel(world, offset, width, height, x0 + 1, y0, table) * fx
    )
    low = (
        texel(world, offset, width, height, x0, y0 + 1, table) * (1.0 - fx)
        + texel(world, offset, width, height, x0 + 1, y0 + 1, table) * fx
    )
    return top * (1.0 - fy) + low * fy


@wp.func
def part_surface(
    world: wp.array[World], part: Part, instance: Instance, hit: Hit, origin: wp.vec3, direction: wp.vec3
) -> Surface:
    """The surface where a ray met a part."""
    out = Surface()
    point = origin + direction * hit.t
    w = 1.0 - hit.u - hit.v
    corner = 3 * (part.face0 + hit.face)
    to_base = instance.rotation
    n0 = to_base * world[0].corner_normal[corner]
    n1 = to_base * world[0].corner_normal[corner + 1]
    n2 = to_base * world[0].corner_normal[corner + 2]
    normal = wp.normalize(n0 * hit.u + n1 * hit.v + n2 * w)
    if wp.dot(normal, hit.normal) < 0.0:
        normal = -normal
        n0 = -n0
        n1 = -n1
        n2 = -n2
    view = -wp.normalize(direction)
    if wp.dot(normal, view) < 0.05:
        normal = wp.normalize(normal + view * (0.05 - wp.dot(normal, view)))
    mesh = wp.mesh_get(part.mesh)
    local = wp.transpose(to_base) * (point - instance.position) * (1.0 / instance.scale)
    lifted = wp.vec3(0.0)
    for k in range(3):
        n = n0
        weight = hit.u
        if k == 1:
            n = n1
            weight = hit.v
        if k == 2:
            n = n2
            weight = w
        vertex = mesh.points[mesh.indices[3 * hit.face + k]]
        away = to_base * (local - vertex) * instance.scale
        lifted += n * (-wp.min(wp.dot(away, n), 0.0) * weight)
    out.point = point + lifted + hit.normal * LIFT
    out.foot = point
    out.normal = normal
    out.face_normal = hit.normal
    base = wp.cw_mul(world[0].face_color[part.face0 + hit.face], part.tint)
    if part.texture >= 0:
        uv0 = world[0].corner_uv[corner]
        uv1 = world[0].corner_uv[corner + 1]
        uv2 = world[0].corner_uv[corner + 2]
        uv = uv0 * hit.u + uv1 * hit.v + uv2 * w
        slant = wp.max(wp.abs(wp.dot(hit.normal, view)), 0.3)
        # Between the pixel's two widths: the longer one alone draws far colours of the texture onto round outlines.
        footprint = hit.t * world[0].pixel / (wp.sqrt(slant) * instance.scale)
        # Each face has its own texels per metre: one whose colour is a patch of an atlas has none, and stays sharp.
        vertex = mesh.points[mesh.indices[3 * hit.face]]
        side = mesh.points[mesh.indices[3 * hit.face + 1]] - vertex
        other = mesh.points[mesh.indices[3 * hit.face + 2]] - vertex
        texture = world[0].textures[part.texture]
        across = (uv1[0] - uv0[0]) * (uv2[1] - uv0[1]) - (uv1[1] - uv0[1]) * (uv2[0] - uv0[0])
        texels = wp.abs(across) * float(texture.width * texture.height)
        density = wp.sqrt(texels / wp.max(wp.length(wp.cross(side, other)), 1e-12))
        base = wp.cw_mul(base, sample_texture(world, part.texture, uv, footprint * density, SRGB))
    out.base = base
    out.roughness = part.roughness
    out.metallic = part.metallic
    return out


@wp.func
def flat_surface(
    world: wp.array[World], material: Material, point: wp.vec3, normal: wp.vec3, t: float, cosine: float
) -> Surface:
    """The surface of furniture, floor and walls."""
    out = Surface()
    a = point[0]
    b = point[1]
    if wp.abs(normal[0]) > 0.5:
        a = point[1]
        b = point[2]
    if wp.abs(normal[1]) > 0.5:
        b = point[2]
    uv = wp.vec2(a * material.cos_angle - b * material.sin_angle, a * material.sin_angle + b * material.cos_angle)
    uv = uv * material.inv_tile + material.offset
    texels = wp.max(t, 0.0) * world[0].pixel / wp.max(cosine, 0.2) * material.inv_tile
    texels *= float(world[0].textures[material.texture].width)
    out.base = wp.cw_mul(sample_texture(world, material.texture, uv, texels, SRGB), material.tint)
    out.point = point + normal * LIFT
    out.foot = point
    out.normal = normal
    out.face_normal = normal
    out.roughness = material.roughness
    out.metallic = material.metallic
    if material.relief >= 0:
        slope = sample_texture(world, material.relief, uv, texels, LINEAR)
        du = (2.0 * slope[0] - 1.0) * material.steepness
        dv = (2.0 * slope[1] - 1.0) * material.steepness
        da = du * material.cos_angle + dv * material.sin_angle
        db = dv * material.cos_angle - du * material.sin_angle
        tilt = wp.vec3(da, db, 0.0)
        if wp.abs(normal[0]) > 0.5:
            tilt = wp.vec3(0.0, da, db)
        if wp.abs(normal[1]) > 0.5:
            tilt = wp.vec3(da, 0.0, db)
        out.normal = wp.normalize(normal - tilt)
        # Slopes that are finer than the pixel are roughness (Olano and Baker, "LEAN mapping", 2010).
        unseen = wp.max(2.0 * slope[2] * material.steepness * material.steepness - du * du - dv * dv, 0.0)
        rough = out.roughness * out.roughness
        out.roughness = wp.min(wp.sqrt(wp.sqrt(rough * rough + unseen)), 1.0)
    return out


@wp.func
def mirror_share(cosine: float, roughness: float) -> wp.vec2:
    """(a, b): a surface mirrors the share f0 · a + b of an even environment (Karis 2014)."""
    r0 = 1.0 - roughness
    r1 = 0.0425 - 0.0275 * roughness
    a004 = wp.min(r0 * r0, wp.pow(2.0, -9.28 * cosine)) * r0 + r1
    return wp.vec2(-1.04 * a004 + 1.04 - 0.572 * roughness, 1.04 * a004 - 0.04 + 0.022 * roughness)


@wp.func
def ambient(world: wp.array[World], s: Surface, view: wp.vec3) -> wp.vec3:
    """Light of the environment that a surface sends back where it sees all of it."""
    split = mirror_share(wp.max(wp.dot(s.normal, view), 0.0), s.roughness)
    f0 = wp.vec3(0.04) * (1.0 - s.metallic) + s.base * s.metallic
    mirror = 2.0 * wp.dot(s.normal, view) * s.normal - view
    matt = (1.0 - s.metallic) * (1.0 - 0.04 * split[0] - split[1])
    diffuse = wp.cw_mul(s.base, irradiance(world, s.normal)) * matt
    return diffuse + wp.cw_mul(mirrored(world, mirror, s.roughness), f0 * split[0] + wp.vec3(split[1]))


@wp.func
def reflect_light(s: Surface, view: wp.vec3, sample: LightSample) -> wp.vec3:
    """Reflected radiance per irradiance / π from a lamp, cosine included; a glint is no smaller than the lamp."""
    light = sample.direction
    n_l = wp.dot(s.normal, light)
    if n_l <= 0.0:
        return wp.vec3(0.0)
    n_v = wp.max(wp.dot(s.normal, view), 1.0e-3)
    half = wp.normalize(light + view)
    n_h = wp.max(wp.dot(s.normal, half), 0.0)
    alpha = wp.clamp(s.roughness * s.roughness + 0.5 * sample.spread, 0.03, 1.0)
    a_sq = alpha * alpha
    d = n_h * n_h * (a_sq - 1.0) + 1.0
    smith = n_l * wp.sqrt(n_v * n_v * (1.0 - a_sq) + a_sq) + n_v * wp.sqrt(n_l * n_l * (1.0 - a_sq) + a_sq)
    specular = 0.5 * a_sq / (d * d * wp.max(smith, 1.0e-4))
    f0 = wp.vec3(0.04) * (1.0 - s.metallic) + s.base * s.metallic
    m = 1.0 - wp.max(wp.dot(view, half), 0.0)
    m_sq = m * m
    fresnel = f0 + (wp.vec3(1.0) - f0) * (m_sq * m_sq * m)
    matt = wp.cw_mul(s.base, wp.vec3(1.0) - fresnel) * (1.0 - s.metallic)
    return (matt + fresnel * specular) * n_l


@wp.func
def sample_light(light: Light, point: wp.vec3, a: float, b: float) -> LightSample:
    """Light from the spot (a, b) of the unit disc that the emitter shows to a point."""
    out = LightSample()
    axis = -light.direction
    distance = float(1.0e3)
    fall = float(1.0)
    if light.kind != 2:
        axis = light.position - point
        distance = wp.length(axis)
        axis = axis / distance
        fall = 1.0 / wp.max(distance * distance, 0.09)
    if light.kind == 1:
        k = wp.clamp((-wp.dot(axis, light.direction) - light.cos_outer) / (light.cos_inner - light.cos_outer), 0.0, 1.0)
        fall *= k * k * (3.0 - 2.0 * k)
    out.color = light.color * fall
    side = wp.vec3(1.0, 0.0, 0.0)
    if wp.abs(axis[0]) > 0.7:
        side = wp.vec3(0.0, 1.0, 0.0)
    x = wp.normalize(wp.cross(axis, side))
    y = wp.cross(axis, x)
    spread = light.radius
    if light.kind != 2:
        spread = light.radius / distance
    out.direction = wp.normalize(axis + x * (a * spread) + y * (b * spread))
    out.spread = spread
    out.distance = distance
    return out
