"""Welding, decimation and orientation of triangle meshes that come as they come."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from syngrasp.objects.part import face_normals
from syngrasp.records import F64, I32

HUGE_FACES = 400_000  # a mesh with more is clustered before it is decimated
WELD = 2.0**-20  # points closer than this share of the mesh's size are one


def weld_positions(vertices: F64, faces: NDArray[np.integer]) -> tuple[F64, I32]:
    """The mesh with equal points merged; faces that lose their area are dropped, as are points without a face."""
    index, points = weld_map(vertices)
    merged = index[np.asarray(faces, dtype=np.int64)]
    a, b, c = merged.T
    merged = merged[(a != b) & (b != c) & (c != a)]
    used, compact = np.unique(merged, return_inverse=True)
    return points[used], compact.reshape(-1, 3).astype(np.int32)


def weld_map(vertices: F64) -> tuple[NDArray[np.int64], F64]:
    """For each vertex the index of its merged point, and the points."""
    low = vertices.min(axis=0)
    size = max(float(np.ptp(vertices, axis=0).max()), 1e-300)
    cells = np.round((vertices - low) / (size * WELD)).astype(np.int64)
    key = (cells[:, 0] << 42) | (cells[:, 1] << 21) | cells[:, 2]
    _, first, index = np.unique(key, return_index=True, return_inverse=True)
    return index.reshape(-1), vertices[first]


def simplify(vertices: F64, faces: NDArray[np.integer], target: int) -> tuple[F64, I32]:
    """A welded mesh decimated to about `target` faces by quadric errors; unchanged when it has no more."""
    faces = np.asarray(faces, dtype=np.int32)
    if len(faces) <= target:
        return vertices, faces
    import fast_simplification

    middle, size = vertices.mean(axis=0), float(np.ptp(vertices, axis=0).max())
    whole = (vertices - middle) / size, faces
    points, triangles = whole
    for cells in (0, 200, 100, 50):
        if cells == 0 and len(faces) > HUGE_FACES:
            continue
        points, triangles = cluster(*whole, cells) if cells else whole
        points, triangles = fast_simplification.simplify(points, triangles, target_count=target)[:2]
        points, triangles = weld_positions(np.asarray(points, dtype=np.float64), triangles)
        # Quadric decimation gets stuck on fans of slivers, and spoils the shape then: merge near points first.
        if len(triangles) <= 1.2 * target:
            break
    return points * size + middle, triangles


def cluster(vertices: F64, faces: I32, cells: int) -> tuple[F64, I32]:
    """The mesh with all points in a cell, of which `cells` span its size, merged into their mean; faces that
    collapse or repeat are dropped."""
    low, size = vertices.min(axis=0), max(float(np.ptp(vertices, axis=0).max()), 1e-300)
    place = np.floor((vertices - low) / size * cells).astype(np.int64)
    _, index = np.unique((place[:, 0] << 42) | (place[:, 1] << 21) | place[:, 2], return_inverse=True)
    index = index.reshape(-1)
    number = np.bincount(index)
    means = np.stack([np.bincount(index, vertices[:, axis]) / number for axis in range(3)], axis=1)
    merged = index[faces]
    a, b, c = merged.T
    merged = merged[(a != b) & (b != c) & (c != a)]
    return means, merged[distinct_faces(merged)].astype(np.int32)


def distinct_faces(faces: NDArray[np.integer]) -> NDArray[np.int64]:
    """Indices, rising, of the first of each set of faces with the same three corners."""
    low, high = faces.min(axis=1).astype(np.uint64), faces.max(axis=1).astype(np.uint64)
    middle = faces.sum(axis=1).astype(np.uint64) - low - high
    # A hash modulo 2⁶⁴: different faces of a mesh of millions share one with a chance below 10⁻⁶.
    key = (low * np.uint64(0x9E3779B97F4A7C15) + middle) * np.uint64(0xC2B2AE3D27D4EB4F) + high
    return np.sort(np.unique(key, return_index=True)[1])


def is_watertight(faces: NDArray[np.integer]) -> bool:
    """Whether every edge of a welded mesh is shared by two faces that run along it in opposite directions."""
    directed = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).astype(np.int64)
    stride = int(directed.max()) + 1
    key = directed[:, 0] * stride + directed[:, 1]
    back = directed[:, 1] * stride + directed[:, 0]
    ordered = np.sort(key)
    return bool(np.all(np.diff(ordered) > 0) and np.array_equal(ordered, np.sort(back)))


def inward_faces(vertices: F64, faces: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Faces (T,) of the connected pieces that show mostly their backs to an onlooker outside.

    Each piece is turned by the majority of the rays of `first_hits` that reach it; one that none reaches stays.
    """
    from scipy import sparse
    from scipy.sparse.csgraph import connected_components

    count = len(vertices)
    links = sparse.coo_matrix(
        (np.ones(2 * len(faces), dtype=bool), (faces[:, [0, 1]].ravel(), faces[:, [1, 2]].ravel())), (count, count)
    )
    piece = connected_components(links, directed=False)[1][faces[:, 0]]
    hit, direction = first_hits(vertices, faces)
    votes = np.zeros(piece.max() + 1)
    normals = face_normals(vertices[faces[hit]])
    np.add.at(votes, piece[hit], -np.sign(np.einsum("ri,ri->r", normals, direction)))
    return votes[piece] < 0.0


def first_hits(vertices: F64, faces: NDArray[np.integer], rays: int = 48) -> tuple[NDArray[np.int64], F64]:
    """What is seen from outside: the faces (R,) that parallel rays from 26 directions hit first, `rays`² from each,
    and the rays' directions (R, 3)."""
    import trimesh
    from trimesh.ray.ray_pyembree import RayMeshIntersector

    caster = RayMeshIntersector(trimesh.Trimesh(vertices, faces, process=False))
    low, high = vertices.min(axis=0), vertices.max(axis=0)
    middle, radius = (low + high) / 2.0, float(np.linalg.norm(high - low)) / 2.0
    grid = (np.arange(rays) + 0.5) / rays * 2.0 - 1.0
    u, v = (g.reshape(-1, 1) for g in np.meshgrid(grid, grid))
    hits, directions = [], []
    for direction in np.array([[x, y, z] for x in (-1, 0, 1) for y in (-1, 0, 1) for z in (-1, 0, 1) if x or y or z]):
        d = direction / np.linalg.norm(direction)
        side = np.cross(d, [0.36, 0.48, 0.8])
        side /= np.linalg.norm(side)
        origins = middle - 2.0 * radius * d + radius * (u * side + v * np.cross(d, side))
        hit = caster.intersects_first(origins, np.broadcast_to(d, origins.shape))
        hits.append(hit[hit >= 0])
        directions.append(np.broadcast_to(d, (len(hits[-1]), 3)))
    return np.concatenate(hits), np.concatenate(directions)
