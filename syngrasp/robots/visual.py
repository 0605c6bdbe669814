"""The robots' visual meshes: read from COLLADA, grouped by colour, decimated, kept in a cache folder."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.resources import cache_folder

if TYPE_CHECKING:
    import trimesh

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

CACHE_VERSION = 3
CREASE = np.cos(np.radians(38.0))  # faces that meet at a sharper angle do not share normals
SMALLEST = 400  # meshes with fewer faces are not decimated
TOLERANCE = 0.0025  # how far decimation may move a surface [m]


@dataclass(frozen=True, slots=True, eq=False)
class VisualPart:
    """All of a link that has one colour, in the link's frame."""

    vertices: F32  # (V, 3) [m]
    faces: I32  # (T, 3)
    color: tuple[float, float, float]  # sRGB in [0, 1]


def load_parts(files: Mapping[str, Path], faces: int) -> dict[str, tuple[VisualPart, ...]]:
    """The parts of each link's file, decimated to about so many `faces` in all.

    The result is kept in `cache_folder()` under a hash of the files and of the libraries that made it. Processes that
    make it at once write the same, each through a file of its own; a cache that cannot be written is done without.
    """
    key = _content_key(files, faces)
    path = cache_folder() / "robots" / f"{key}.npz"
    cached = _read(path)
    if cached is not None:
        return cached
    total = sum(len(part.faces) for file in files.values() for part in _read_collada(file))
    parts = {link: tuple(_read_collada(file, faces / total)) for link, file in files.items()}
    with contextlib.suppress(OSError):
        _write(path, parts)
    return parts


def shaded(part: VisualPart) -> tuple[F32, F32, I32]:
    """Vertices (N, 3) with unit normals (N, 3), and faces (T, 3): vertices on creases are split.

    A corner's normal is the area-weighted mean over the faces at its vertex that meet its own face smoothly. One normal
    per vertex, because MuJoCo drops separate normal indices.
    """
    corners = part.vertices.astype(np.float64)[part.faces]
    scaled = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    unit = scaled / np.maximum(np.linalg.norm(scaled, axis=1, keepdims=True), 1e-20)
    vertex, face = part.faces.ravel(), np.repeat(np.arange(len(part.faces)), 3)
    order = np.argsort(vertex, kind="stable")
    count = np.bincount(vertex, minlength=len(part.vertices))
    start = np.concatenate([[0], np.cumsum(count)[:-1]])
    # every corner against every face at its vertex
    own = np.repeat(np.arange(len(vertex)), count[vertex])
    step = np.arange(len(own)) - np.repeat(np.cumsum(count[vertex]) - count[vertex], count[vertex])
    other = face[order[start[vertex[own]] + step]]
    smooth = np.einsum("ij,ij->i", unit[face[own]], unit[other]) > CREASE
    total = np.empty((len(vertex), 3))
    for axis in range(3):
        total[:, axis] = np.bincount(own[smooth], weights=scaled[other[smooth], axis], minlength=len(vertex))
    length = np.linalg.norm(total, axis=1, keepdims=True)
    normals = np.where(length > 1e-20, total / np.maximum(length, 1e-20), [0.0, 0.0, 1.0]).astype(np.float32)
    _, first, index = np.unique(np.column_stack([vertex, normals]), axis=0, return_index=True, return_inverse=True)
    return part.vertices[vertex[first]], normals[first], index.reshape(-1, 3).astype(np.int32)


def _content_key(files: Mapping[str, Path], faces: int) -> str:
    digest = hashlib.sha256(f"{CACHE_VERSION} {faces} {version('trimesh')} {version('fast-simplification')}".encode())
    for link in sorted(files):
        digest.update(link.encode() + b"\0" + hashlib.sha256(files[link].read_bytes()).digest())
    return digest.hexdigest()[:24]


def _read_collada(path: Path, reduce: float | None = None) -> list[VisualPart]:
    """A COLLADA scene's meshes in the file's frame, merged by diffuse colour, each decimated to a share `reduce`."""
    import trimesh

    scene = trimesh.load_scene(path)
    by_color: dict[tuple[float, float, float], list[trimesh.Trimesh]] = {}
    for node in sorted(scene.graph.nodes_geometry):
        T, name = scene.graph[node]
        mesh = scene.geometry[name]
        r, g, b = (int(v) / 255.0 for v in mesh.visual.material.main_color[:3])
        plain = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
        plain.merge_vertices()
        plain.apply_transform(T)
        by_color.setdefault((r, g, b), []).append(plain if reduce is None else decimate(plain, reduce))
    out = []
    for color, meshes in sorted(by_color.items()):
        mesh: Any = trimesh.util.concatenate(meshes)
        out.append(VisualPart(mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32), color))
    return out


def decimate(mesh: trimesh.Trimesh, share: float) -> trimesh.Trimesh:
    """The mesh with about a share of its faces, or with more when that would move its surface by over TOLERANCE.

    Quadric decimation eats thin open shells: the result is measured against the mesh, and tried again with more faces.
    """
    import fast_simplification
    import trimesh

    target = round(share * len(mesh.faces))
    while len(mesh.faces) > SMALLEST and target < 0.8 * len(mesh.faces):
        simplified = fast_simplification.simplify(
            mesh.vertices.astype(np.float64), mesh.faces.astype(np.int32), target_count=target, agg=4
        )
        smaller = trimesh.Trimesh(simplified[0], simplified[1], process=False)
        if _distance(mesh, smaller) < TOLERANCE and _distance(smaller, mesh) < TOLERANCE:
            return smaller
        target = round(1.6 * target)
    return mesh


def _distance(a: trimesh.Trimesh, b: trimesh.Trimesh) -> float:
    """How far all but 2 in 1000 of a's surface lies from b's [m], less the spacing of the samples on b."""
    import trimesh
    from scipy.spatial import KDTree

    count = 30_000
    on_a = trimesh.sample.sample_surface(a, 5000, seed=1)[0]
    on_b = trimesh.sample.sample_surface(b, count, seed=0)[0]
    distance, _ = KDTree(np.concatenate([on_b, b.vertices])).query(on_a)
    return float(np.quantile(distance, 0.998) - 1.5 * np.sqrt(b.area / count))


def _write(path: Path, parts: Mapping[str, Sequence[VisualPart]]) -> None:
    arrays: dict[str, NDArray] = {}
    for link, found in parts.items():
        for i, part in enumerate(found):
            for field in ("vertices", "faces", "color"):
                arrays[f"{link}/{i}/{field}"] = np.asarray(getattr(part, field))
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=".writing-")
    try:
        with os.fdopen(handle, "wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)
        os.replace(name, path)
    except BaseException:
        os.unlink(name)
        raise


def _read(path: Path) -> dict[str, tuple[VisualPart, ...]] | None:
    """A cached result; None when there is none that is whole."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as data:
            arrays = {name: data[name] for name in data.files}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    found: dict[str, dict[int, VisualPart]] = {}
    for name in arrays:
        link, i, field = name.split("/")
        if field == "color":
            r, g, b = (float(v) for v in arrays[name])
            part = VisualPart(arrays[f"{link}/{i}/vertices"], arrays[f"{link}/{i}/faces"], (r, g, b))
            found.setdefault(link, {})[int(i)] = part
    return {link: tuple(parts[i] for i in sorted(parts)) for link, parts in found.items()}
