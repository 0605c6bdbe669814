# type: ignore  (Warp compiles these functions; their types are its, not Python's)
"""Ray tracer: surfaces and light. Lambert and GGX under lamps and a gradient sky, in linear RGB.

GGX with Smith's correlated visibility (Heitz 2014) and Schlick's Fresnel; the sky's mirror image by the polynomial
fit of the split sum (Karis, "Physically based shading on mobile", 2014); shading points lifted to the smooth surface
against the shadow terminator (Hanika, "Hacking the shadow terminator", 2021).
"""

# float(…) and int(…) declare a variable of a Warp kernel that a loop may change.
# ruff: noqa: UP018

from __future__ import annotations

import warp as wp

from syngrasp.rendering.tracer_types import Hit, Instance, Light, LightSample, Material, Part, Surface, World

wp.set_module_options({"enable_backward": False})

LIFT = wp.constant(5.0e-4)  # [m] off a face before a shadow ray starts


@wp.func
def texel(world: wp.array[World], offset: int, width: int, height: int, x: int, y: int) -> wp.vec3:
    cx = x % width
    cy = y % height
    if cx < 0:
        cx += width
    if cy < 0:
        cy += height
    i = offset + 3 * (cy * width + cx)
    return wp.vec3(
        world[0].srgb[int(world[0].texels[i])],
        world[0].srgb[int(world[0].texels[i + 1])],
        world[0].srgb[int(world[0].texels[i + 2])],
    )


@wp.func
def sample_texture(world: wp.array[World], index: int, uv: wp.vec2, texels_per_pixel: float) -> wp.vec3:
    """Bilinear in the mip level whose texels are a pixel wide; repeats."""
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
        texel(world, offset, width, height, x0, y0) * (1.0 - fx) + texel(world, offset, width, height, x0 + 1, y0) * fx
    )
    low = (
        texel(world, offset, width, height, x0, y0 + 1) * (1.0 - fx)
        + texel(world, offset, width, height, x0 + 1, y0 + 1) * fx
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
    out.normal = normal
    out.face_normal = hit.normal
    base = wp.cw_mul(world[0].face_color[part.face0 + hit.face], part.tint)
    if part.texture >= 0:
        uv = (
            world[0].corner_uv[corner] * hit.u
            + world[0].corner_uv[corner + 1] * hit.v
            + world[0].corner_uv[corner + 2] * w
        )
        slant = wp.max(wp.abs(wp.dot(hit.normal, view)), 0.3)
        footprint = hit.t * world[0].pixel / slant
        base = wp.cw_mul(base, sample_texture(world, part.texture, uv, footprint * part.density / instance.scale))
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
    texture = world[0].textures[material.texture]
    footprint = t * world[0].pixel / wp.max(cosine, 0.2)
    base = sample_texture(world, material.texture, uv, footprint * material.inv_tile * float(texture.width))
    out.base = wp.cw_mul(base, material.tint)
    out.point = point + normal * LIFT
    out.normal = normal
    out.face_normal = normal
    out.roughness = material.roughness
    out.metallic = material.metallic
    return out


@wp.func
def sky(world: wp.array[World], direction: wp.vec3) -> wp.vec3:
    """Radiance from a unit direction."""
    z = direction[2]
    if z > 0.0:
        k = wp.min(1.4 * z, 1.0)
        return world[0].horizon * (1.0 - k) + world[0].zenith * k
    k = wp.min(-2.5 * z, 1.0)
    return world[0].horizon * (1.0 - k) + world[0].ground * k


@wp.func
def ambient(world: wp.array[World], s: Surface, view: wp.vec3) -> wp.vec3:
    """Light of the sky that a surface sends back where it sees all of it."""
    up = 0.5 + 0.5 * s.normal[2]
    irradiance = (world[0].zenith * 0.6 + world[0].horizon * 0.4) * up + (
        world[0].ground * 0.6 + world[0].horizon * 0.4
    ) * (1.0 - up)
    f0 = wp.vec3(0.04) * (1.0 - s.metallic) + s.base * s.metallic
    n_v = wp.max(wp.dot(s.normal, view), 0.0)
    r0 = 1.0 - s.roughness
    r1 = 0.0425 - 0.0275 * s.roughness
    a004 = wp.min(r0 * r0, wp.pow(2.0, -9.28 * n_v)) * r0 + r1
    scale = -1.04 * a004 + 1.04 - 0.572 * s.roughness
    bias = 1.04 * a004 - 0.04 + 0.022 * s.roughness
    mirror = 2.0 * wp.dot(s.normal, view) * s.normal - view
    reflected = sky(world, mirror) * (1.0 - s.roughness) + irradiance * s.roughness
    diffuse = wp.cw_mul(s.base, irradiance) * (1.0 - s.metallic)
    return diffuse + wp.cw_mul(reflected, f0 * scale + wp.vec3(bias))


@wp.func
def reflect_light(s: Surface, view: wp.vec3, light: wp.vec3) -> wp.vec3:
    """Reflected radiance per irradiance / π from the unit direction `light`, cosine included."""
    n_l = wp.dot(s.normal, light)
    if n_l <= 0.0:
        return wp.vec3(0.0)
    n_v = wp.max(wp.dot(s.normal, view), 1.0e-3)
    half = wp.normalize(light + view)
    n_h = wp.max(wp.dot(s.normal, half), 0.0)
    alpha = wp.max(s.roughness * s.roughness, 0.03)
    a_sq = alpha * alpha
    d = n_h * n_h * (a_sq - 1.0) + 1.0
    smith = n_l * wp.sqrt(n_v * n_v * (1.0 - a_sq) + a_sq) + n_v * wp.sqrt(n_l * n_l * (1.0 - a_sq) + a_sq)
    specular = 0.5 * a_sq / (d * d * wp.max(smith, 1.0e-4))
    f0 = wp.vec3(0.04) * (1.0 - s.metallic) + s.base * s.metallic
    m = 1.0 - wp.max(wp.dot(view, half), 0.0)
    m_sq = m * m
    fresnel = f0 + (wp.vec3(1.0) - f0) * (m_sq * m_sq * m)
    return (s.base * (1.0 - s.metallic) + fresnel * specular) * n_l


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
    out.distance = distance
    return out


@wp.func
def encode(color: wp.vec3, curve: wp.array[float], saturation: float) -> wp.vec3:
    """Display values of exposed linear colour; `curve` holds them over the square root of light up to 8."""
    out = wp.vec3(0.0)
    last = float(curve.shape[0] - 1)
    for k in range(3):
        place = wp.min(wp.sqrt(wp.max(color[k], 0.0) * 0.125), 0.9999) * last
        index = int(place)
        part = place - float(index)
        out[k] = curve[index] * (1.0 - part) + curve[index + 1] * part
    grey = 0.2126 * out[0] + 0.7152 * out[1] + 0.0722 * out[2]
    return wp.vec3(grey) + (out - wp.vec3(grey)) * saturation
