"""What only cameras see, as meshes: distractors, pictures on walls, furniture; and tables that are no boxes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from syngrasp.errors import UnknownName
from syngrasp.records import Scene
from syngrasp.rendering.furniture import corner_radius, table_extent
from syngrasp.rendering.labels import BACKGROUND, TABLE
from syngrasp.rendering.look import Look, MaterialLook, PropLook
from syngrasp.rendering.prop_kinds import PAINTED, SOLIDS, make_solid
from syngrasp.rendering.solids import Solid, about_z, ellipse, prism, rounded
from syngrasp.rendering.surfaces import Finish, ScenePart, SurfaceMesh
from syngrasp.rendering.texture.families import TextureFolder, material_image

TEXTURE_SIZE = 256
TABLE_TEXTURE_SIZE = 512


def prop_parts(scene: Scene, look: Look, frames: int, textures: TextureFolder | None = None) -> list[ScenePart]:
    """The props of a look, and its table unless that is a rectangle, standing still for so many frames.

    Raises UnknownName for a kind of prop or a shape of table that there is not.
    """
    parts = [_prop(f"prop{i}", prop, look, frames, textures) for i, prop in enumerate(look.props)]
    return parts if look.table.shape == "rectangle" else [*parts, _table(scene, look, frames, textures)]


def _prop(name: str, prop: PropLook, look: Look, frames: int, textures: TextureFolder | None) -> ScenePart:
    if prop.kind not in SOLIDS:
        raise UnknownName("prop", prop.kind, SOLIDS)
    material = look.material(prop.material)
    key = repr((prop.kind, prop.seed, prop.size, material))
    solid = make_solid(prop.kind, prop.seed, prop.size)
    if prop.kind in PAINTED:
        mesh = _mesh(key, solid)
    else:
        mesh = _mesh(key, solid, material, TEXTURE_SIZE, textures)
    return _standing(name, mesh, prop.position, about_z(prop.yaw), frames, BACKGROUND, material)


def _table(scene: Scene, look: Look, frames: int, textures: TextureFolder | None) -> ScenePart:
    """The top of a table with round corners or a round one, in base: its pattern lies as on a rectangle's."""
    lower, upper = table_extent(scene, look)
    outlines = {"rounded": lambda: rounded(lower, upper, corner_radius(look)), "round": lambda: ellipse(lower, upper)}
    if look.table.shape not in outlines:
        raise UnknownName("shape of a table", look.table.shape, ("rectangle", *outlines))
    top, material = scene.table_height, look.material("table")
    solid = prism(outlines[look.table.shape](), top - look.table.thickness, top)
    key = repr(("table", look.table, lower, upper, top, material))
    mesh = _mesh(key, solid, material, TABLE_TEXTURE_SIZE, textures)
    return _standing("table", mesh, (0.0, 0.0, 0.0), np.eye(3), frames, TABLE, material)


def _mesh(
    key: str,
    solid: Solid,
    material: MaterialLook | None = None,
    size: int = TEXTURE_SIZE,
    textures: TextureFolder | None = None,
) -> SurfaceMesh:
    return SurfaceMesh(
        key=key,
        vertices=solid.vertices.astype(np.float32),
        faces=solid.faces,
        corner_normal=solid.normals.astype(np.float32),
        face_color=solid.color.astype(np.float32),
        corner_uv=None if material is None else texture_coordinates(solid.surface, material).astype(np.float32),
        texture=None if material is None else material_image(material, size, textures),
    )


def _standing(
    name: str,
    mesh: SurfaceMesh,
    position: tuple[float, float, float],
    R: NDArray[np.float64],
    frames: int,
    label: int,
    material: MaterialLook,
) -> ScenePart:
    finish = Finish(material.tint, material.roughness, material.metallic)
    return ScenePart(
        name, mesh, np.tile(R, (frames, 1, 1)), np.tile(np.array(position), (frames, 1)), 1.0, label, finish
    )


def texture_coordinates(surface: NDArray[np.float64], material: MaterialLook) -> NDArray[np.float64]:
    """Texture coordinates (N, 2) of places (N, 2) on a surface [m]: turned, scaled to tiles and displaced."""
    c, s = np.cos(material.angle), np.sin(material.angle)
    return surface @ np.array([[c, s], [-s, c]]) / material.tile + material.offset
