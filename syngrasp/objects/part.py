"""A part: a closed triangle mesh with shading normals, colours and pictures per corner, and its convex pieces.

Parts are made by `lofts`, painted here, joined by exact booleans, and finished into a `VisualMesh`. Because a
boolean remembers the face that each new face was cut from, normals and picture coordinates of cut faces are those
of the faces they came from: joints stay crisp and curved sides stay smooth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syngrasp import se3
from syngrasp.records import F64, I32

CREASE = np.deg2rad(38.0)  # edges sharper than this are shaded as edges
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """A closed mesh of V vertices and T faces, and the convex pieces that stand for it in physics."""

    vertices: F64  # (V, 3) [m], welded
    faces: I32  # (T, 3), counter-clockwise seen from outside
    normals: F64  # (T, 3, 3), unit, per corner
    color: F64  # (T, 3) linear
    image: I32  # (T,) index into the object's pictures, −1: plain colour
    uv: F64  # (T, 3, 2) in that picture, v up
    hulls: tuple[F64, ...] = field(default=())

    @property
    def centers(self) -> F64:
        """Face centres (T, 3) [m]."""
        return self.vertices[self.faces].mean(axis=1)

    @property
    def face_normals(self) -> F64:
        """Unit face normals (T, 3)."""
        return face_normals(self.vertices[self.faces])

    @property
    def volume(self) -> float:
        """Enclosed volume [m³] by the divergence theorem."""
        return signed_volume(self.vertices, self.faces)

    def paint(self, where: Mask | Callable[[F64, F64], Mask], color: ArrayLike) -> Part:
        """Colours the faces selected by a mask, or by a function of face centres and normals."""
        mask = where(self.centers, self.face_normals) if callable(where) else where
        colors = self.color.copy()
        colors[mask] = np.asarray(color, dtype=np.float64)
        image = np.where(mask, -1, self.image).astype(np.int32)
        return replace(self, color=colors, image=image)

    def decal(self, mask: Mask, image: int, origin: ArrayLike, right: ArrayLike, up: ArrayLike) -> Part:
        """Projects a picture on faces along a direction: its lower left corner at `origin`, its edges along
        `right` and `up` [m]."""
        right, up = np.asarray(right, dtype=np.float64), np.asarray(up, dtype=np.float64)
        offset = self.vertices[self.faces[mask]] - np.asarray(origin, dtype=np.float64)
        uv = np.stack([offset @ right / (right @ right), offset @ up / (up @ up)], axis=-1)
        return self._with_picture(mask, image, np.clip(uv, 0.0, 1.0))

    def wrap(self, mask: Mask, image: int, z_low: float, z_high: float, turns: float = 1.0) -> Part:
        """Wraps a picture `turns` times around the z axis, from z_low to z_high, its seam at −x."""
        corners = self.vertices[self.faces[mask]]
        u = np.arctan2(corners[..., 1], corners[..., 0]) / (2.0 * np.pi) + 0.5
        middle = self.centers[mask]
        u_middle = (np.arctan2(middle[:, 1], middle[:, 0]) / (2.0 * np.pi) + 0.5)[:, None]
        u = np.where(np.hypot(corners[..., 0], corners[..., 1]) < 1e-6, u_middle, u + np.round(u_middle - u))
        lap = np.floor(u_middle * turns)
        v = (corners[..., 2] - z_low) / (z_high - z_low)
        return self._with_picture(mask, image, np.clip(np.stack([u * turns - lap, v], axis=-1), 0.0, 1.0))

    def moved(self, T: ArrayLike) -> Part:
        """The part after a rigid transform (4, 4)."""
        T = np.asarray(T, dtype=np.float64)
        hulls = tuple(se3.transform(T, hull) for hull in self.hulls)
        return replace(self, vertices=se3.transform(T, self.vertices), normals=self.normals @ T[:3, :3].T, hulls=hulls)

    def at(self, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Part:
        """The part moved by a translation [m]."""
        return self.moved(se3.make(np.eye(3), [x, y, z]))

    def turned(self, roll: float = 0.0, pitch: float = 0.0, yaw: float = 0.0) -> Part:
        """The part turned about the fixed x, then y, then z axis [rad]."""
        return self.moved(se3.make(se3.matrix_from_rpy([roll, pitch, yaw]), np.zeros(3)))

    def with_hulls(self, hulls: Sequence[F64]) -> Part:
        """The part with other convex pieces."""
        return replace(self, hulls=tuple(np.asarray(hull, dtype=np.float64) for hull in hulls))

    def _with_picture(self, mask: Mask, image: int, uv: F64) -> Part:
        images, uvs, colors = self.image.copy(), self.uv.copy(), self.color.copy()
        images[mask], uvs[mask], colors[mask] = image, uv, 1.0
        return replace(self, image=images, uv=uvs, color=colors)


def make_part(
    vertices: F64, faces: NDArray[np.integer], color: ArrayLike, hulls: Sequence[F64] = (), crease: float = CREASE
) -> Part:
    """A plain part from a welded closed mesh; degenerate faces are dropped."""
    faces = np.asarray(faces, dtype=np.int32)
    distinct = (faces[:, 0] != faces[:, 1]) & (faces[:, 1] != faces[:, 2]) & (faces[:, 2] != faces[:, 0])
    faces = faces[distinct]
    if signed_volume(vertices, faces) < 0.0:
        faces = faces[:, ::-1]
    count = len(faces)
    return Part(
        vertices=np.asarray(vertices, dtype=np.float64),
        faces=faces,
        normals=corner_normals(vertices, faces, crease),
        color=np.broadcast_to(np.asarray(color, dtype=np.float64), (count, 3)).copy(),
        image=np.full(count, -1, dtype=np.int32),
        uv=np.zeros((count, 3, 2)),
        hulls=tuple(np.asarray(hull, dtype=np.float64) for hull in hulls),
    )


def join(first: Part, *others: Part) -> Part:
    """The union of parts, with all their convex pieces."""
    parts = (first, *others)
    result = _boolean(parts, "add") if others else first
    return replace(result, hulls=tuple(hull for part in parts for hull in part.hulls))


def cut(part: Part, *tools: Part) -> Part:
    """A part less the others; its convex pieces stay as they are, so cuts are shallow or the pieces set anew."""
    return replace(_boolean((part, *tools), "subtract"), hulls=part.hulls)


def _boolean(parts: Sequence[Part], kind: str) -> Part:
    import manifold3d

    solids, first = [], 0
    for part in parts:
        ids = np.arange(first, first + len(part.faces), dtype=np.uint64)
        mesh = manifold3d.Mesh64(vert_properties=part.vertices, tri_verts=part.faces.astype(np.uint64), face_id=ids)
        solid = manifold3d.Manifold(mesh)
        if solid.status() != manifold3d.Error.NoError:
            raise ValueError(f"part {len(solids)} is not a closed mesh: {solid.status()}")
        solids.append(solid)
        first += len(part.faces)
    operation = manifold3d.OpType.Add if kind == "add" else manifold3d.OpType.Subtract
    mesh = manifold3d.Manifold.batch_boolean(solids, operation).to_mesh64()
    vertices = np.array(mesh.vert_properties[:, :3], dtype=np.float64)
    faces = np.array(mesh.tri_verts, dtype=np.int32)
    source = np.array(mesh.face_id, dtype=np.int64)
    sign = np.ones(first)
    if kind == "subtract":
        sign[len(parts[0].faces) :] = -1.0
    return _inherit(parts, vertices, faces, source, sign)


def _inherit(parts: Sequence[Part], vertices: F64, faces: I32, source: NDArray[np.int64], sign: F64) -> Part:
    """Gives faces the normals, colours and picture coordinates of the faces they were cut from."""
    corners = np.concatenate([part.vertices[part.faces] for part in parts])[source]
    weights = barycentric(corners, vertices[faces])
    normals = np.concatenate([part.normals for part in parts])[source]
    normals = unit(np.einsum("tcs,tsi->tci", weights, normals)) * sign[source, None, None]
    uv = np.concatenate([part.uv for part in parts])[source]
    return Part(
        vertices=vertices,
        faces=faces,
        normals=normals,
        color=np.concatenate([part.color for part in parts])[source],
        image=np.concatenate([part.image for part in parts])[source],
        uv=np.einsum("tcs,tsi->tci", weights, uv),
    )


def barycentric(triangles: F64, points: F64) -> F64:
    """Weights (T, P, 3) of the corners of triangles (T, 3, 3) at points (T, P, 3) of their planes, clipped to ≥ 0."""
    a, b, c = np.moveaxis(triangles, 1, 0)
    ab, ac, ap = b - a, c - a, points - a[:, None]
    d00, d01, d11 = (np.einsum("ti,ti->t", p, q) for p, q in ((ab, ab), (ab, ac), (ac, ac)))
    d20, d21 = np.einsum("tpi,ti->tp", ap, ab), np.einsum("tpi,ti->tp", ap, ac)
    area = np.maximum(d00 * d11 - d01 * d01, 1e-300)[:, None]
    v = (d11[:, None] * d20 - d01[:, None] * d21) / area
    w = (d00[:, None] * d21 - d01[:, None] * d20) / area
    weights = np.clip(np.stack([1.0 - v - w, v, w], axis=-1), 0.0, 1.0)
    return weights / weights.sum(axis=-1, keepdims=True)


def signed_volume(vertices: F64, faces: NDArray[np.integer]) -> float:
    """Volume [m³] enclosed by faces that look outwards (divergence theorem)."""
    a, b, c = np.moveaxis(np.asarray(vertices)[faces], 1, 0)
    return float(np.einsum("ti,ti->", a, np.cross(b, c)) / 6.0)


def unit(vectors: F64) -> F64:
    """Vectors (…, 3) at length 1; zero vectors become +z."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.where(length > 1e-20, vectors / np.maximum(length, 1e-20), [0.0, 0.0, 1.0])


def face_normals(triangles: F64) -> F64:
    """Unit normals (T, 3) of triangles (T, 3, 3)."""
    return unit(np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]))


def corner_normals(vertices: F64, faces: NDArray[np.integer], crease: float = CREASE) -> F64:
    """Shading normals (T, 3, 3): at each corner the angle-weighted mean of the normals of the faces around its
    vertex that turn by less than `crease` [rad] from its own face."""
    from scipy import sparse

    triangles = vertices[faces]
    flat = face_normals(triangles)
    edges = unit(np.asarray(np.roll(triangles, -1, axis=1) - triangles))
    cosine = -np.einsum("tci,tci->tc", edges, np.roll(edges, 1, axis=1))
    angle = np.arccos(np.clip(cosine, -1.0, 1.0)).reshape(-1)
    corner = np.arange(faces.size)
    incidence = sparse.csr_array((np.ones(faces.size, dtype=bool), (corner, faces.reshape(-1))))
    pairs = (incidence @ incidence.T).tocoo()
    near = np.einsum("pi,pi->p", flat[pairs.row // 3], flat[pairs.col // 3]) > np.cos(crease)
    row, col = pairs.row[near], pairs.col[near]
    weighted = flat[col // 3] * np.maximum(angle[col], 1e-6)[:, None]
    total = np.stack([np.bincount(row, weighted[:, i], minlength=faces.size) for i in range(3)], axis=-1)
    return unit(total.astype(np.float64)).reshape(-1, 3, 3)
