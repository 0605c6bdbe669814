"""Convex parts of a mesh: one hull where it fits, else CoACD, else V-HACD."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from syngrasp.errors import MeshError
from syngrasp.objects.convex import ROUND_HULL_VERTICES, thin
from syngrasp.objects.simplify import first_hits, simplify, weld_positions
from syngrasp.records import F64, I32, VisualMesh

ONE_HULL = 0.95  # volume over hull volume above which a single hull stands for the mesh
HUG, HUG_SHARE = 0.015, 0.97  # an open mesh is convex if this share of what is seen of it is this near to its hull
MAX_HULLS = 16
COACD = {
    "threshold": 0.08,
    "max_convex_hull": MAX_HULLS,
    "mcts_iterations": 40,
    "mcts_nodes": 10,
    "mcts_max_depth": 2,
    "resolution": 1000,
    "preprocess_resolution": 40,
    "decimate": True,
    "max_ch_vertex": 48,
    "seed": 0,
}
VHACD = {"maxConvexHulls": MAX_HULLS, "resolution": 100_000, "maxNumVerticesPerCH": 48, "maxRecursionDepth": 8}
FACES = 4000  # the parts are found on a mesh of at most this many faces


def decompose(mesh: VisualMesh, watertight: bool, quick: bool = False) -> tuple[F64, ...]:
    """Convex parts, vertices (Hᵢ, 3) each, of a visual mesh in its own lengths; `quick` leaves CoACD out."""
    vertices, faces = weld_positions(mesh.vertices.astype(np.float64), mesh.faces)
    hull_volume = _hull_volume(vertices)
    solid = watertight and abs(_volume(vertices, faces)) > ONE_HULL * hull_volume
    if solid or (not watertight and hull_share(vertices, faces) > HUG_SHARE):
        return (thin(vertices, ROUND_HULL_VERTICES),)
    vertices, faces = simplify(vertices, faces, FACES)
    middle, size = vertices.mean(axis=0), float(np.ptp(vertices, axis=0).max())
    unit = (vertices - middle) / size
    for method in (_vhacd,) if quick else (_coacd, _vhacd):
        parts = [thin(part) for part in method(unit, faces) if len(part) >= 4 and _hull_volume(part) > 1e-9]
        if parts and _covers(parts, unit):
            return tuple(part * size + middle for part in parts)
    raise MeshError("no_decomposition", "neither CoACD nor V-HACD found convex parts that cover it")


def hull_share(vertices: F64, faces: NDArray[np.integer]) -> float:
    """Share of what is seen of a surface from outside that lies on its convex hull, within HUG of its size."""
    from scipy.spatial import ConvexHull, QhullError

    try:
        planes = ConvexHull(vertices).equations
    except (QhullError, ValueError):
        return 0.0
    hit, _ = first_hits(vertices, faces)
    seen, count = np.unique(hit, return_counts=True)
    centers = vertices[faces[seen]].mean(axis=1)
    depth = np.empty(len(centers))
    for block in np.array_split(np.arange(len(centers)), 1 + len(centers) * len(planes) // 20_000_000):
        depth[block] = -(centers[block] @ planes[:, :3].T + planes[:, 3]).max(axis=1)
    near = depth < HUG * float(np.ptp(vertices, axis=0).max())
    return float(count[near].sum() / max(count.sum(), 1))


def union_of(hulls: Sequence[F64]) -> tuple[F64, I32]:
    """The surface of the union of convex parts as a closed mesh: vertices (V, 3), faces (T, 3)."""
    import manifold3d

    solids = [manifold3d.Manifold.hull_points(np.ascontiguousarray(hull, dtype=np.float64)) for hull in hulls]
    union = manifold3d.Manifold.batch_boolean(solids, manifold3d.OpType.Add).to_mesh64()
    faces = np.array(union.tri_verts, dtype=np.int32)
    if not len(faces):
        raise MeshError("no_volume", "its convex parts are flat")
    return np.array(union.vert_properties[:, :3], dtype=np.float64), faces


def _coacd(vertices: F64, faces: NDArray[np.integer]) -> list[F64]:
    import coacd

    coacd.set_log_level("off")
    try:
        parts = coacd.run_coacd(coacd.Mesh(vertices, faces.astype(np.int32)), **COACD)
    except (RuntimeError, ValueError, IndexError):
        return []
    return [np.asarray(points, dtype=np.float64) for points, _ in parts]


def _vhacd(vertices: F64, faces: NDArray[np.integer]) -> list[F64]:
    import vhacdx

    packed = np.column_stack([np.full(len(faces), 3), faces]).astype(np.uint32).ravel()
    try:
        parts = vhacdx.compute_vhacd(vertices, packed, **VHACD)
    except (RuntimeError, ValueError, TypeError):
        return []
    return [np.asarray(points, dtype=np.float64) for points, _ in parts]


def _covers(parts: Sequence[F64], vertices: F64) -> bool:
    """Whether the parts reach as far as the mesh along each axis, within 5 % of its size."""
    points = np.concatenate(parts)
    low, high = np.abs(points.min(axis=0) - vertices.min(axis=0)), np.abs(points.max(axis=0) - vertices.max(axis=0))
    return bool(max(low.max(), high.max()) < 0.05)


def _volume(vertices: F64, faces: NDArray[np.integer]) -> float:
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    return float(np.einsum("ti,ti->", a, np.cross(b, c)) / 6.0)


def _hull_volume(points: F64) -> float:
    from scipy.spatial import ConvexHull, QhullError

    try:
        return float(ConvexHull(points).volume)
    except (QhullError, ValueError):
        return 0.0
