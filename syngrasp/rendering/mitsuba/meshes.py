"""Meshes as Mitsuba stores them: one normal, texture coordinate and colour per vertex. Plain numpy."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from syngrasp.rendering.furniture import Block
from syngrasp.rendering.look import MaterialLook
from syngrasp.rendering.props import texture_coordinates
from syngrasp.rendering.surfaces import ScenePart, SurfaceMesh

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class VertexMesh:
    """A mesh in its own frame: corners that agree in everything share a vertex."""

    vertices: F32  # (V, 3) [m]
    normals: F32  # (V, 3), unit
    uv: F32  # (V, 2)
    colors: F32  # (V, 3) linear
    faces: I32  # (T, 3)


def vertex_mesh(mesh: SurfaceMesh) -> VertexMesh:
    """A mesh with its corners' values moved to vertices, which are split where corners differ."""
    corner = mesh.faces.ravel()
    uv = np.zeros((len(corner), 2), np.float32) if mesh.corner_uv is None else mesh.corner_uv
    color = np.repeat(mesh.face_color, 3, axis=0)
    rows = np.ascontiguousarray(np.column_stack([mesh.vertices[corner], mesh.corner_normal, uv, color]), np.float32)
    packed = rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()
    _, first, index = np.unique(packed, return_index=True, return_inverse=True)
    kept = rows[first]
    return VertexMesh(kept[:, :3], kept[:, 3:6], kept[:, 6:8], kept[:, 8:], index.reshape(-1, 3).astype(np.int32))


def coarse(mesh: SurfaceMesh, share: float) -> SurfaceMesh:
    """A mesh without texture with about a `share` of its faces: the time to rebuild the tree of what moves is in
    proportion to them. Colours stay apart; no surface moves by more than robots/visual.py allows."""
    import trimesh

    from syngrasp.robots.visual import VisualPart, decimate, shaded

    vertices, normals, faces, colors, count = [], [], [], [], 0
    for color in np.unique(mesh.face_color, axis=0):
        chosen = mesh.faces[(mesh.face_color == color).all(axis=1)]
        piece = trimesh.Trimesh(mesh.vertices, chosen, process=False)
        piece.merge_vertices(merge_norm=True, merge_tex=True)
        piece.remove_unreferenced_vertices()
        piece = decimate(piece, share)
        part = VisualPart(piece.vertices.astype(np.float32), piece.faces.astype(np.int32), (0.0, 0.0, 0.0))
        v, n, f = shaded(part)
        vertices.append(v)
        normals.append(n[f.ravel()])
        faces.append(f + count)
        colors.append(np.tile(color, (len(f), 1)))
        count += len(v)
    return SurfaceMesh(
        key=f"{mesh.key} thinned to {share}",
        vertices=np.concatenate(vertices),
        faces=np.concatenate(faces).astype(np.int32),
        corner_normal=np.concatenate(normals).astype(np.float32),
        face_color=np.concatenate(colors).astype(np.float32),
    )


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Parts that become one Mitsuba mesh: same label, finish and texture, and all of them move or none does."""

    parts: tuple[ScenePart, ...]
    meshes: tuple[VertexMesh, ...]

    def stacked(self, name: str) -> F32:
        """A field of all the meshes, one after the other."""
        return np.concatenate([getattr(mesh, name) for mesh in self.meshes])

    def faces(self) -> I32:
        """(T, 3) into the stacked vertices."""
        shift = np.cumsum([0, *(len(mesh.vertices) for mesh in self.meshes)])
        return np.concatenate([mesh.faces + k for mesh, k in zip(self.meshes, shift, strict=False)]).astype(np.int32)

    def placed(self, frame: int) -> tuple[F32, F32]:
        """Vertices and normals (V, 3) in base in a frame."""
        pairs = list(zip(self.parts, self.meshes, strict=True))
        vertices = [part.scale * mesh.vertices @ part.R[frame].T + part.p[frame] for part, mesh in pairs]
        normals = [mesh.normals @ part.R[frame].T for part, mesh in pairs]
        return np.concatenate(vertices).astype(np.float32), np.concatenate(normals).astype(np.float32)


def grouped(parts: Sequence[ScenePart], convert: Callable[[SurfaceMesh], VertexMesh]) -> list[Group]:
    """Parts joined into as few meshes as their labels, finishes and textures allow."""
    groups: dict[object, list[ScenePart]] = {}
    for part in parts:
        texture = None if part.mesh.texture is None else part.mesh.key
        groups.setdefault((part.moves(), part.label, part.finish, texture), []).append(part)
    return [Group(tuple(found), tuple(convert(part.mesh) for part in found)) for found in groups.values()]


def block_meshes(blocks: Sequence[Block], material: MaterialLook) -> VertexMesh:
    """The boxes of one material, textured from their places in base."""
    corners, normals, places = [], [], []
    for block in blocks:
        bounds = np.array([block.lower, block.upper])
        for axis in range(3):
            u, v = (i for i in range(3) if i != axis)
            for side in (0, 1):
                quad = np.empty((4, 3))
                quad[:, axis] = bounds[side, axis]
                turn = ((0, 0), (1, 0), (1, 1), (0, 1))
                for row, (a, b) in zip(quad, turn if (axis == 1) != (side == 1) else turn[::-1], strict=True):
                    row[u], row[v] = bounds[a, u], bounds[b, v]
                normal = np.zeros((4, 3))
                normal[:, axis] = 2 * side - 1
                corners.append(quad)
                normals.append(normal)
                places.append(quad[:, (u, v)])
    first = 4 * np.arange(len(corners))[:, None]
    uv = texture_coordinates(np.concatenate(places), material)
    return VertexMesh(
        vertices=np.concatenate(corners).astype(np.float32),
        normals=np.concatenate(normals).astype(np.float32),
        uv=uv.astype(np.float32),
        colors=np.ones((4 * len(corners), 3), np.float32),
        faces=(first[:, None] + np.array([[0, 1, 2], [0, 2, 3]])).reshape(-1, 3).astype(np.int32),
    )
