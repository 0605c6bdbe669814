"""From a rollout and a look to the world that the ray tracer's kernels read, on a device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from syngrasp.records import Scene
from syngrasp.rendering.environment.maps import directions, environment_map
from syngrasp.rendering.furniture import furniture
from syngrasp.rendering.look import Look, workspace_centre
from syngrasp.rendering.mjwarp import packing, types
from syngrasp.rendering.mjwarp.dome import above_ground, dome_levels, harmonic_basis, harmonics, smaller
from syngrasp.rendering.mjwarp.packing import PlacedShape
from syngrasp.rendering.shapes import SRGB_TO_LINEAR, mip_chain, relief_chain
from syngrasp.rendering.texture.families import TextureFolder, material_height, material_image

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]

BACKDROP_HEIGHT = 256
"""Rows of the environment as cameras see it directly."""

_TEXTURE_SIZE = {"table": 512, "floor": 512}
_AROUND = ("table", "floor", "wall")
_DECODE = np.concatenate([SRGB_TO_LINEAR, np.arange(256, dtype=np.float32) / 255.0])
_WHITE = [np.full((1, 1, 3), 255, np.uint8)]


def build_world(
    scene: Scene,
    look: Look,
    still: list[PlacedShape],
    moving: list[PlacedShape],
    pixel: float,
    device: str,
    textures: TextureFolder | None = None,
    environments: Path | None = None,
    shaded: bool = True,
) -> Any:
    """A types.World: everything the kernels read that does not depend on the frame. `pixel` is an angle [rad].
    Without `shaded` it is good for masks and depth only: surfaces and the environment are left out."""
    parts, names = still + moving, [material.name for material in look.materials]
    blocks = furniture(scene, look)
    used = {block.material for block in blocks} | set(_AROUND)
    chains, materials = _surfaces(look, used, textures) if shaded else _blank(look)
    rows, own = packing.part_rows(parts, len(chains))
    texture_rows, texels = packing.texture_rows(chains + own)

    def array(values: NDArray[Any], dtype: Any) -> wp.array:
        return wp.array(values, dtype=dtype, device=device)

    world = types.World()
    world.still = array(rows[: len(still)], types.Part)
    world.moving = array(rows[len(still) :], types.Part)
    world.corner_normal = array(np.concatenate([placed.shape.corner_normal for placed in parts]), wp.vec3)
    world.corner_uv = array(np.concatenate([placed.shape.corner_uv for placed in parts]), wp.vec2)
    world.face_color = array(np.concatenate([placed.shape.face_color for placed in parts]), wp.vec3)
    world.textures = array(texture_rows, types.Texture)
    world.texels = array(texels, wp.uint8)
    world.decode = array(_DECODE, float)
    world.materials = array(materials, types.Material)
    world.boxes = array(packing.box_rows(blocks, names), types.Box)
    lights = packing.light_rows(look.lights, scene.table_height)
    world.lights = array(lights, types.Light)
    if shaded:
        backdrop = environment_map(look.environment, BACKDROP_HEIGHT, environments)
        raw = smaller(backdrop, types.DOME_HEIGHT)
        albedo = {n: SRGB_TO_LINEAR[chains[names.index(n)][-1]].reshape(3) * look.material(n).tint for n in _AROUND}
        dome = surroundings(scene, look, lights, albedo, raw)
        world.backdrop = array(backdrop, wp.vec3)
        world.dome = array(dome_levels(dome), wp.vec3)
        world.harmonics = array(harmonics(dome), wp.vec3)
    world.pixel = pixel
    return world


def _surfaces(look: Look, used: set[str], folder: TextureFolder | None) -> tuple[list[list[U8]], NDArray[Any]]:
    """Mip chains of the look's materials, then of their reliefs, and the materials' rows. Those that are not `used` by
    name are left white: meshes bring their own textures."""
    chains, reliefs, rows = [], [], []
    for index, material in enumerate(look.materials):
        if material.name not in used:
            chains.append(_WHITE)
            rows.append(packing.material_row(material, index, -1, 0.0))
            continue
        size = _TEXTURE_SIZE.get(material.name, 256)
        image = material_image(material, size, folder)
        chains.append(mip_chain(image))
        relief, slope = -1, 0.0
        height = material_height(material, size, folder) if material.bump > 0.0 else None
        if height is not None:
            relief = len(look.materials) + len(reliefs)
            chain, slope = relief_chain(height)
            reliefs.append(chain)
        rows.append(packing.material_row(material, index, relief, slope))
    return chains + reliefs, np.array(rows)


def _blank(look: Look) -> tuple[list[list[U8]], NDArray[Any]]:
    return [_WHITE], np.array([packing.material_row(material, 0, -1, 0.0) for material in look.materials])


def surroundings(scene: Scene, look: Look, lights: NDArray[Any], albedo: dict[str, F32], sky: F32) -> F32:
    """The environment as the workspace sees it: walls stand before it, and table and floor are below. They have their
    mean colour under the environment and the lamps, less what the scene itself keeps from them."""
    below = 0.5 * (albedo["table"] + albedo["floor"])
    out = above_ground(sky, 0.6 * below * _light_on((0.0, 0.0, 1.0), look, lights, sky, scene.table_height))
    centre, towards = np.array(workspace_centre(scene.table_height + 0.2)), directions(len(sky))
    for block in furniture(scene, look):
        if block.material == "wall":
            lower, upper = np.array(block.lower) - centre, np.array(block.upper) - centre
            with np.errstate(divide="ignore"):
                a, b = lower / towards, upper / towards
            near, far = np.minimum(a, b).max(axis=-1), np.maximum(a, b).min(axis=-1)
            axis = int(np.argmin(upper[:2] - lower[:2]))  # walls are thin along it
            inward = np.zeros(3)
            inward[axis] = -np.sign(lower[axis])
            out[(near < far) & (near > 0.0)] = (
                0.7 * albedo["wall"] * _light_on(inward, look, lights, sky, scene.table_height)
            )
    return out


def _light_on(normal: Any, look: Look, lights: NDArray[Any], sky: F32, table_height: float) -> F64:
    """Irradiance / π (3,) on an unshaded surface at the workspace's centre."""
    n = np.array(normal, np.float64)
    light = np.maximum(harmonic_basis(n[None]) @ harmonics(sky), 0.0)[0]
    for row, lamp in zip(lights, look.lights, strict=True):
        tint = row["color"] / max(float(row["color"] @ (0.2126, 0.7152, 0.0722)), 1e-9)
        toward = -np.array(lamp.direction)
        if lamp.kind != "directional":
            toward = np.array(lamp.position) - workspace_centre(table_height)
            toward /= max(float(np.linalg.norm(toward)), 1e-9)
        light = light + max(float(toward @ n), 0.0) * lamp.intensity * tint
    return light
