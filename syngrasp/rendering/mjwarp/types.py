# type: ignore  (Warp compiles these functions; their types are its, not Python's)
"""Data that the ray tracer's kernels read. Positions in base [m]; colours linear RGB."""

from __future__ import annotations

import warp as wp

wp.set_module_options({"enable_backward": False})

DOME_HEIGHT = wp.constant(64)  # rows of the reflected environment
DOME_LEVELS = wp.constant(6)  # roughness 0, 0.2, … 1


@wp.struct
class Camera:
    """A pinhole. A ray's direction has length 1 along the optical axis, so its parameter is depth."""

    rotation: wp.mat33  # base from camera, OpenCV axes
    position: wp.vec3
    focal: float  # [px]
    cx: float  # [px], from the image's left edge
    cy: float
    gain: float  # exposure


@wp.struct
class Instance:
    """Where a part is in one frame: p_base = position + scale · rotation · p_part."""

    rotation: wp.mat33
    position: wp.vec3
    scale: float
    lower: wp.vec3  # box around it in base
    upper: wp.vec3


@wp.struct
class Part:
    """A rigid triangle mesh and its finish."""

    mesh: wp.uint64
    face0: int  # first of its faces in the shared arrays
    texture: int  # −1: face colours alone
    roughness: float
    metallic: float
    tint: wp.vec3
    transmission: float  # share of the light that goes through
    ior: float
    label: int  # in the mask


@wp.struct
class Texture:
    """A mip chain in the shared texels; level l is (height >> l, width >> l, 3) sRGB."""

    offset: int
    width: int
    height: int
    levels: int


@wp.struct
class Material:
    """A texture laid flat on boxes."""

    texture: int
    inv_tile: float  # [1/m]
    cos_angle: float
    sin_angle: float
    offset: wp.vec2
    tint: wp.vec3
    roughness: float
    metallic: float
    relief: int  # texture of its slopes, see shapes.relief_chain; −1: flat
    steepness: float  # slope that a relief's largest value stands for


@wp.struct
class Box:
    """An axis-aligned box of furniture."""

    lower: wp.vec3
    upper: wp.vec3
    material: int
    label: int


@wp.struct
class Light:
    """A lamp or sun; see look.LightLook."""

    kind: int  # 0 point, 1 spot, 2 directional
    position: wp.vec3
    direction: wp.vec3
    radius: float
    color: wp.vec3  # times intensity, and for lamps times the square of the distance it is stated for
    cos_inner: float
    cos_outer: float


@wp.struct
class World:
    """All but the instances."""

    still: wp.array[Part]
    moving: wp.array[Part]
    corner_normal: wp.array[wp.vec3]  # three per face
    corner_uv: wp.array[wp.vec2]  # three per face, v up
    face_color: wp.array[wp.vec3]
    textures: wp.array[Texture]
    texels: wp.array[wp.uint8]
    decode: wp.array[float]  # (512,) linear light of sRGB bytes, then bytes / 255
    materials: wp.array[Material]
    boxes: wp.array[Box]
    lights: wp.array[Light]
    dome: wp.array3d[
        wp.vec3
    ]  # radiance (DOME_LEVELS, DOME_HEIGHT, 2 · DOME_HEIGHT) as rougher and rougher mirrors show it
    backdrop: wp.array2d[wp.vec3]  # radiance (H, 2H) where a camera sees nothing else
    harmonics: wp.array[wp.vec3]  # (9,) of the irradiance / π
    pixel: float  # angle of a pixel [rad]


@wp.struct
class Hit:
    """The nearest surface along a ray; part −1 when there is none."""

    t: float
    part: int
    face: int
    u: float
    v: float
    normal: wp.vec3  # of the face, towards the ray's origin


@wp.struct
class Surface:
    """A point to be lit."""

    point: wp.vec3  # lifted off the face against self-shadowing
    foot: wp.vec3  # on the face
    normal: wp.vec3  # for shading
    face_normal: wp.vec3
    base: wp.vec3
    roughness: float
    metallic: float


@wp.struct
class LightSample:
    """Light that arrives at a point."""

    direction: wp.vec3  # towards the light, unit
    distance: float
    spread: float  # tangent of the angular radius it shows
    color: wp.vec3  # irradiance / π on a surface that faces it


@wp.struct
class MirrorRay:
    """What a ray off a polished surface meets of the moving parts."""

    light: wp.vec3  # times `share`
    share: float  # of what the surface would show else that it hides; 0: it meets nothing
    spread: float  # radius that the surface's lobe spreads it over [grid steps]


@wp.struct
class StillLayer:
    """What a camera sees of all that does not move, per camera and pixel."""

    t: wp.array2d[float]  # depth [m] along the pixel's centre, FAR where nothing is
    label: wp.array2d[wp.uint8]
    normal: wp.array2d[wp.vec3]
    ambient: wp.array2d[wp.vec3]  # the sky's light; at first as if nothing stood in its way
    open: wp.array2d[float]  # share of the sky that is seen
    light: wp.array3d[wp.vec3]  # each lamp's light; at first as if nothing stood in its way
    seen: wp.array3d[float]  # share of each lamp's light that arrives
    total: wp.array2d[wp.vec3]  # all of the light when nothing moves
    roughness: wp.array2d[float]  # of polished surfaces; 0 elsewhere
    gloss: wp.array2d[wp.vec3]  # share of the light that these mirror
    shown: wp.array2d[wp.vec3]  # their mirror image's part of `ambient`
    taken: wp.array2d[wp.vec3]  # that share of the environment's light that something stands before
    change: wp.array2d[wp.vec3]  # and the light of what stands there
