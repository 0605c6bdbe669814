"""Reading mesh files: what lies in a .glb .gltf .obj .stl .ply as plain pieces, z up where the format says so."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.errors import MeshError
from syngrasp.objects.labels import linear_of
from syngrasp.records import F64, U8

SUFFIXES = (".glb", ".gltf", ".obj", ".stl", ".ply")
MAX_BYTES = 1 << 30
MAX_PICTURE = 1024  # edge of a piece's picture [px]
Y_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])  # glTF's y up to z up


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A mesh of one material."""

    vertices: F64  # (V, 3)
    faces: NDArray[np.int64]  # (T, 3)
    uv: F64 | None  # (V, 2), v up, may leave [0, 1]: the picture repeats
    picture: U8 | None  # (H, W, 3) sRGB, its material's factor applied
    color: F64  # (T, 3) linear
    roughness: float
    metallic: float


def read_pieces(path: Path) -> list[Piece]:
    """All triangles of a file with their materials, in the file's scene frame. MeshError where there are none."""
    _check_file(path)
    gltf = path.suffix.lower() in (".glb", ".gltf")
    import trimesh

    try:
        scene = trimesh.load_scene(path, process=False)
        nodes = sorted(scene.graph.nodes_geometry)
        placed = [(scene.graph[name][0], scene.geometry[scene.graph[name][1]]) for name in nodes]
    except MemoryError:
        raise
    except Exception as error:  # a broken file may raise anything in a parser
        raise MeshError("unreadable", _one_line(error)) from error
    pieces = [_piece(geometry, T, gltf) for T, geometry in placed if isinstance(geometry, trimesh.Trimesh)]
    pieces = [piece for piece in pieces if piece is not None]
    if not sum(len(piece.faces) for piece in pieces):
        raise MeshError("empty", "the file holds no triangles")
    return pieces


def _check_file(path: Path) -> None:
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(4)
    except OSError as error:
        raise MeshError("unreadable", error.strerror or str(error)) from error
    if size == 0:
        raise MeshError("empty", "the file is empty")
    if size > MAX_BYTES:
        raise MeshError("too_large", f"{size / 2**20:.0f} MiB, at most {MAX_BYTES / 2**20:.0f} MiB are read")
    if path.suffix.lower() == ".glb" and head != b"glTF":
        kind = " (a zip archive)" if head[:2] == b"PK" else ""
        raise MeshError("unreadable", f"not a binary glTF: it begins with {head!r}{kind}")


def _piece(geometry: Any, T: NDArray[Any], gltf: bool) -> Piece | None:
    faces = np.asarray(geometry.faces, dtype=np.int64)
    vertices = np.asarray(geometry.vertices, dtype=np.float64)
    if not len(faces):
        return None
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise MeshError("unreadable", "a face refers to a vertex that is not there")
    if not (np.isfinite(vertices[faces]).all() and np.isfinite(T).all()):
        raise MeshError("not_finite", "a vertex is NaN or infinite")
    vertices = vertices @ T[:3, :3].T + T[:3, 3]
    if np.linalg.det(T[:3, :3]) < 0.0:
        faces = faces[:, ::-1]
    look = _material(geometry.visual, gltf)
    if look is None:
        return None
    factor, picture, roughness, metallic = look
    uv = getattr(geometry.visual, "uv", None)
    if uv is None or len(uv) != len(vertices) or not np.isfinite(uv).all():
        uv = None
    color = np.broadcast_to(factor, (len(faces), 3))
    painted = _vertex_colors(geometry, faces, gltf)
    if painted is not None:
        color = color * painted
    if picture is not None and uv is not None:
        picture = _tint(picture, factor)
    elif picture is not None:
        color = color * linear_of(picture.reshape(-1, 3) / 255.0).mean(axis=0)
        picture = None
    uv = np.asarray(uv, dtype=np.float64) if picture is not None else None
    if gltf:
        vertices = vertices @ Y_UP.T
    return Piece(vertices, faces, uv, picture, np.clip(color, 0.0, 1.0), roughness, metallic)


def _material(visual: Any, gltf: bool) -> tuple[F64, U8 | None, float, float] | None:
    """Linear base colour, picture, roughness, metallic; None for what cannot be seen."""
    material: Any = getattr(visual, "material", None)
    if hasattr(material, "materials") and material.materials:
        material = material.materials[0]
    if hasattr(material, "baseColorFactor"):
        factor = _factor(material.baseColorFactor)
        if factor[3] < 0.05 and material.alphaMode in ("BLEND", "MASK"):
            return None
        roughness = 1.0 if material.roughnessFactor is None else float(material.roughnessFactor)
        metallic = 1.0 if material.metallicFactor is None else float(material.metallicFactor)
        if material.metallicRoughnessTexture is not None:
            mean = np.asarray(material.metallicRoughnessTexture.convert("RGB")).reshape(-1, 3).mean(axis=0) / 255.0
            roughness, metallic = roughness * mean[1], metallic * mean[2]
        elif material.metallicFactor is None and not gltf:
            metallic = 0.0
        return factor[:3], _picture(material.baseColorTexture), float(roughness), float(metallic)
    if hasattr(material, "diffuse"):
        picture = _picture(getattr(material, "image", None))
        diffuse = linear_of(_factor(material.diffuse)[:3]) if picture is None else np.ones(3)
        return diffuse, picture, 0.6, 0.0
    plain = getattr(visual, "kind", None) in ("vertex", "face")
    return (np.ones(3) if plain else np.full(3, 0.5)), None, 0.6, 0.0


def _factor(value: Any) -> F64:
    if value is None:
        return np.ones(4)
    array = np.asarray(value)
    factor = array / 255.0 if array.dtype.kind in "ui" else array.astype(np.float64)
    return np.concatenate([factor, np.ones(4)])[:4] if len(factor) < 4 else factor[:4]


def _picture(image: Any) -> U8 | None:
    if image is None:
        return None
    from PIL import Image

    try:
        image = image.convert("RGB")
    except (OSError, ValueError, SyntaxError):
        return None
    if max(image.size) > MAX_PICTURE:
        image.thumbnail((MAX_PICTURE, MAX_PICTURE), Image.Resampling.BOX)
    return np.asarray(image).copy()


def _tint(picture: U8, factor: F64) -> U8:
    """A picture times a linear factor."""
    if np.allclose(factor, 1.0, atol=1e-3):
        return picture
    from syngrasp.objects.labels import srgb_of

    table = np.round(srgb_of(linear_of(np.arange(256) / 255.0)[:, None] * factor) * 255.0).astype(np.uint8)
    return np.stack([table[picture[..., c], c] for c in range(3)], axis=-1)


def _vertex_colors(geometry: Any, faces: NDArray[np.int64], gltf: bool) -> F64 | None:
    """Linear colours (T, 3) from colours per face or vertex; glTF's are linear, those of other formats sRGB."""
    visual = geometry.visual
    kind = getattr(visual, "kind", None)
    if kind == "face":
        values = np.asarray(visual.face_colors)[:, :3] / 255.0
        return values if gltf else linear_of(values)
    if kind == "vertex":
        colors = np.asarray(visual.vertex_colors)
    else:
        colors = getattr(visual, "vertex_attributes", {}).get("color")
    if colors is None or len(colors) != len(geometry.vertices):
        return None
    values = np.asarray(colors)[:, :3]
    values = values / 255.0 if values.dtype.kind in "ui" else values.astype(np.float64)
    if not np.isfinite(values).all():
        return None
    return (values if gltf else linear_of(np.clip(values, 0.0, 1.0)))[faces].mean(axis=1)


def _one_line(error: Exception) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:160]
