"""What only cameras see, as meshes: distractors, pictures on walls, furniture, tables that are no boxes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from syngrasp.errors import UnknownName
from syngrasp.records import Scene
from syngrasp.rendering.labels import BACKGROUND
from syngrasp.rendering.look import Look, MaterialLook, PropLook
from syngrasp.rendering.surfaces import Finish, ScenePart, SurfaceMesh
from syngrasp.rendering.textures import TextureFolder, material_image

TEXTURE_SIZE = 256
Solid = tuple[NDArray[np.float64], NDArray[np.int32], NDArray[np.float64], NDArray[np.float64]]
"""Vertices (V, 3), faces (T, 3), normals (3 T, 3) and places (3 T, 2) on the surface [m] of a prop of some size."""


def prop_parts(scene: Scene, look: Look, frames: int, textures: TextureFolder | None = None) -> list[ScenePart]:
    """The props of a look, standing still for so many frames."""
    return [_prop(f"prop{i}", prop, look, frames, textures) for i, prop in enumerate(look.props)]


def _prop(name: str, prop: PropLook, look: Look, frames: int, textures: TextureFolder | None) -> ScenePart:
    if prop.kind not in SOLIDS:
        raise UnknownName("prop", prop.kind, SOLIDS)
    vertices, faces, normals, surface = SOLIDS[prop.kind](prop)
    material = look.material(prop.material)
    mesh = SurfaceMesh(
        key=repr((prop.kind, prop.seed, prop.size, material)),
        vertices=vertices.astype(np.float32),
        faces=faces,
        corner_normal=normals.astype(np.float32),
        face_color=np.ones((len(faces), 3), np.float32),
        corner_uv=texture_coordinates(surface, material).astype(np.float32),
        texture=material_image(material, TEXTURE_SIZE, textures),
    )
    c, s = np.cos(prop.yaw), np.sin(prop.yaw)
    R = np.tile(np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]), (frames, 1, 1))
    p = np.tile(np.array(prop.position), (frames, 1))
    return ScenePart(name, mesh, R, p, 1.0, BACKGROUND, Finish(material.tint, material.roughness, material.metallic))


def texture_coordinates(surface: NDArray[np.float64], material: MaterialLook) -> NDArray[np.float64]:
    """Texture coordinates (N, 2) of places (N, 2) on a surface [m]: turned, scaled to tiles and displaced."""
    c, s = np.cos(material.angle), np.sin(material.angle)
    return surface @ np.array([[c, s], [-s, c]]) / material.tile + material.offset


def _box(prop: PropLook) -> Solid:
    corners = np.array([[i, j, k] for i in (-0.5, 0.5) for j in (-0.5, 0.5) for k in (0.0, 1.0)]) * prop.size
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([(a, b, c, a, c, d) for a, b, c, d in quads], np.int32).reshape(-1, 3)
    points = corners[faces]
    normal = np.cross(points[:, 1] - points[:, 0], points[:, 2] - points[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    surface = np.empty((len(faces), 3, 2))
    for axis, (u, v) in enumerate(((1, 2), (0, 2), (0, 1))):
        rows = np.abs(normal[:, axis]) > 0.5
        surface[rows] = points[rows][:, :, (u, v)]
    return corners, faces, np.repeat(normal, 3, axis=0), surface.reshape(-1, 2)


SOLIDS: dict[str, Callable[[PropLook], Solid]] = {"box": _box}
