"""An episode as two Mitsuba scenes: what stands still alone, and everything, whose moving meshes follow the frames."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false, reportOperatorIssue=false
# (what Mitsuba's and Dr.Jit's names mean depends on the variant that runs)

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.records import Scene
from syngrasp.rendering.furniture import Block
from syngrasp.rendering.look import LightLook, Look, MaterialLook, Vec3
from syngrasp.rendering.mitsuba_meshes import Group, VertexMesh, block_meshes
from syngrasp.rendering.packing import blackbody
from syngrasp.rendering.shapes import SRGB_TO_LINEAR, linear_to_srgb
from syngrasp.rendering.surfaces import Finish
from syngrasp.rendering.textures import TextureFolder, material_height, material_image

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]

SUN = 60.0
"""Distance of the balls that stand for suns: far against the room, near enough for float32 [m]."""

SPOTS = 12
"""Hard spot lights that together make a soft one: Mitsuba has no ball with a cone."""

FIRST_VISIBLE = 0.004
"""Smallest radius of a lamp's ball [m]."""


class EpisodeScene:
    """The scenes, and the way to put the moving meshes where a frame has them."""

    def __init__(
        self,
        scene: Scene,
        look: Look,
        groups: Sequence[Group],
        blocks: Sequence[Block],
        environment: F32,
        textures: TextureFolder | None = None,
    ) -> None:
        """`environment` is a map of environment.py; `groups` come from `grouped`."""
        import mitsuba as mi

        lights = _lights(look.lights, scene.table_height) | {"environment": _dome(environment, look)}
        self._moving = [group for group in groups if group.parts[0].moves()]
        still: dict[str, Any] = {}
        for k, material in enumerate(dict.fromkeys(block.material for block in blocks)):
            own = look.material(material)
            mesh = block_meshes([block for block in blocks if block.material == material], own)
            image = material_image(own, 512, textures)
            bsdf = _opaque(_bitmap(image, own.tint), own.roughness, own.metallic)
            still[f"block{k}"] = _mesh(f"block{k}", mesh, _embossed(bsdf, own, textures))
        moving: dict[str, Any] = {}
        for k, group in enumerate(groups):
            vertices, normals = group.placed(0)
            colors = group.stacked("colors") * np.array(group.parts[0].finish.tint, np.float32)
            mesh = VertexMesh(vertices, normals, group.stacked("uv"), colors, group.faces())
            (moving if group in self._moving else still)[f"group{k}"] = _mesh(f"group{k}", mesh, _group_bsdf(group))
        everything = still
        if moving and "scalar" not in mi.variant():
            # apart, so that only the tree of what moves is built again
            held = {"type": "shapegroup", **still}
            everything = {"held": held, "instance": {"type": "instance", "held": {"type": "ref", "id": "held"}}}
        self.still = mi.load_dict({"type": "scene", **still, **lights})
        self.full = mi.load_dict({"type": "scene", **everything, **moving, **lights}) if moving else self.still
        self._parameters = mi.traverse(self.full) if moving else None
        self._names = list(moving)
        numbers = [] if "scalar" in mi.variant() else sorted(_number(shape) for shape in moving.values())
        self.moving_numbers = np.array(numbers, np.uint32)

    def pose(self, frame: int) -> None:
        """Moves what moves to where a frame has it. Only its tree is built again."""
        if self._parameters is None:
            return
        for name, group in zip(self._names, self._moving, strict=True):
            vertices, normals = group.placed(frame)
            self._parameters[f"{name}.vertex_positions"] = owned(vertices)
            self._parameters[f"{name}.vertex_normals"] = owned(normals)
        self._parameters.update()


def aligned(values: NDArray[Any]) -> NDArray[Any]:
    """A flat copy that starts on a cache line. Dr.Jit takes such memory as it is, and replays a frozen function only
    for arrays that are aligned as those it was recorded with."""
    flat = np.ascontiguousarray(values).ravel()
    room = np.empty(flat.nbytes + 64, np.uint8)
    start = -room.ctypes.data % 64
    out = room[start : start + flat.nbytes].view(flat.dtype)
    out[:] = flat
    return out


def owned(values: NDArray[Any]) -> Any:
    """A Dr.Jit array in memory of its own: what a scene keeps must not lie in an array of numpy's."""
    import drjit as dr
    import mitsuba as mi

    if "scalar" in mi.variant():
        from drjit.scalar import ArrayXf, ArrayXu

        return (ArrayXf if values.dtype.kind == "f" else ArrayXu)(np.ascontiguousarray(values).ravel())
    kind = mi.Float if values.dtype.kind == "f" else mi.UInt32
    out = kind(aligned(values)) + dr.opaque(kind, 0)
    dr.eval(out)
    return out


def _number(shape: Any) -> int:
    """A shape's place in Mitsuba's registry, as a ray's hit names it."""
    import drjit as dr
    import mitsuba as mi

    return int(dr.reinterpret_array(mi.UInt32, mi.ShapePtr(shape))[0])


def _mesh(name: str, mesh: VertexMesh, bsdf: dict[str, Any]) -> Any:
    import mitsuba as mi

    properties = mi.Properties()
    properties["mesh_bsdf"] = mi.load_dict(bsdf)
    out = mi.Mesh(
        name, len(mesh.vertices), len(mesh.faces), has_vertex_normals=True, has_vertex_texcoords=True, props=properties
    )
    parameters = mi.traverse(out)
    for field, values in (
        ("vertex_positions", mesh.vertices),
        ("vertex_normals", mesh.normals),
        ("vertex_texcoords", mesh.uv),
        ("faces", mesh.faces.astype(np.uint32)),
    ):
        parameters[field] = owned(values)
    out.add_attribute("vertex_color", 3, owned(mesh.colors))
    parameters.update()
    return out


def _group_bsdf(group: Group) -> dict[str, Any]:
    part = group.parts[0]
    finish, texture = part.finish, part.mesh.texture
    if texture is not None:
        color = _bitmap(texture, finish.tint)
    else:
        color = {"type": "mesh_attribute", "name": "vertex_color"}
    if finish.transmission > 0.0:
        return _glass(color, finish)
    return _opaque(color, finish.roughness, finish.metallic)


def _opaque(color: dict[str, Any], roughness: float, metallic: float) -> dict[str, Any]:
    """Disney's principled surface (Burley 2012), visible from both sides. F₀ = 0.04 where it is no metal."""
    own = {
        "type": "principled", "base_color": color, "roughness": float(max(roughness, 0.05)),
        "metallic": float(metallic), "specular": 0.5,
    }  # fmt: skip
    return {"type": "twosided", "own": own}


def _glass(color: dict[str, Any], finish: Finish) -> dict[str, Any]:
    """A solid that lets a share of the light through; the rest it sends back as an opaque one does."""
    return {
        "type": "principled", "base_color": color, "roughness": float(max(finish.roughness, 0.05)),
        "metallic": float(finish.metallic), "spec_trans": float(finish.transmission), "eta": float(finish.ior),
    }  # fmt: skip


def _embossed(bsdf: dict[str, Any], material: MaterialLook, textures: TextureFolder | None) -> dict[str, Any]:
    """The surface with its texture's relief, heights in metres."""
    import mitsuba as mi

    height = material_height(material, 512, textures) if material.bump > 0.0 else None
    if height is None:
        return bsdf
    rows = np.ascontiguousarray(height[::-1], np.float32)[..., None]
    relief = {"type": "bitmap", "bitmap": mi.Bitmap(rows), "raw": True, "wrap_mode": "repeat"}
    return {"type": "bumpmap", "relief": relief, "scale": float(material.bump), "own": bsdf}


def _bitmap(image: U8, tint: Vec3) -> dict[str, Any]:
    """A texture whose colours are tinted in linear light; Mitsuba counts v from the first row."""
    import mitsuba as mi

    if tint != (1.0, 1.0, 1.0):
        image = linear_to_srgb(np.clip(SRGB_TO_LINEAR[image] * np.array(tint, np.float32), 0.0, 1.0))
    return {"type": "bitmap", "bitmap": mi.Bitmap(np.ascontiguousarray(image[::-1])), "wrap_mode": "repeat"}


def _dome(environment: F32, look: Look) -> dict[str, Any]:
    """Mitsuba looks an environment up at u = atan2(x, −z) / 2π about its y axis: azimuth mirrored, z up."""
    import mitsuba as mi

    to_world = np.eye(4)
    to_world[:3, :3] = [[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    return {
        "type": "envmap",
        "bitmap": mi.Bitmap(np.ascontiguousarray(environment[:, ::-1])),
        "to_world": mi.ScalarTransform4f(to_world),
        "sampling_weight": 0.3 + look.environment.intensity,
    }


def _lights(lights: Sequence[LightLook], table_height: float) -> dict[str, Any]:
    """Balls for lamps and suns, a bundle of spots for a spot. A lamp's intensity holds at the workspace's centre."""
    import mitsuba as mi

    out: dict[str, Any] = {}
    for i, light in enumerate(lights):
        irradiance = np.pi * light.intensity * blackbody(light.temperature)
        place, weight = np.array(light.position), 0.1 + light.intensity
        away = place - (0.5, 0.0, table_height)
        distance_sq = float(away @ away)
        if light.kind == "spot":
            color = {"type": "rgb", "value": (irradiance * distance_sq / SPOTS).tolist()}
            for j, origin in enumerate(_disc(place, np.array(light.direction), light.radius)):
                pointing = mi.ScalarTransform4f().look_at(
                    origin.tolist(), (origin + light.direction).tolist(), _across(light.direction).tolist()
                )
                out[f"light{i}_{j}"] = {
                    "type": "spot", "intensity": color, "to_world": pointing, "sampling_weight": weight / SPOTS,
                    "cutoff_angle": float(np.degrees(light.cone)), "beam_width": float(np.degrees(0.7 * light.cone)),
                }  # fmt: skip
            continue
        radius = max(light.radius, FIRST_VISIBLE)
        if light.kind == "directional":
            place, radius, distance_sq = -SUN * np.array(light.direction), SUN * radius, SUN**2
        radiance = irradiance * distance_sq / (np.pi * radius**2)
        out[f"light{i}"] = {
            "type": "sphere", "center": place.tolist(), "radius": float(radius),
            "emitter": {
                "type": "area", "radiance": {"type": "rgb", "value": radiance.tolist()}, "sampling_weight": weight,
            },
        }  # fmt: skip
    return out


def _disc(centre: NDArray[np.float64], axis: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """SPOTS places (SPOTS, 3) spread evenly over a disc (a sunflower's)."""
    x = _across(axis)
    y = np.cross(axis, x)
    k = np.arange(SPOTS)
    r, turn = radius * np.sqrt((k + 0.5) / SPOTS), k * np.pi * (3.0 - np.sqrt(5.0))
    return centre + (r * np.cos(turn))[:, None] * x + (r * np.sin(turn))[:, None] * y


def _across(axis: Any) -> NDArray[np.float64]:
    """A unit vector at right angles to an axis."""
    other = np.cross(axis, [1.0, 0.0, 0.0] if abs(axis[0]) < 0.7 else [0.0, 1.0, 0.0])
    return other / np.linalg.norm(other)
