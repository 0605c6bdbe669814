"""From a mesh file to a raw object: pieces merged into one welded, outward, not too large mesh with its looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from syngrasp.errors import MeshError
from syngrasp.objects.baking import bake
from syngrasp.objects.part import Part, corner_normals
from syngrasp.objects.raw import RawObject
from syngrasp.objects.reading import Piece, read_pieces
from syngrasp.objects.simplify import distinct_faces, inward_faces, is_watertight, simplify, weld_map
from syngrasp.objects.surface import visual_of
from syngrasp.records import F64, U8

MAX_FACES = 16_384  # a mesh with more is decimated
TARGET_FACES = 8_192  # to this many
MAX_ATLAS = 1024  # edge of an object's texture [px]
CREASE = np.deg2rad(45.0)
SCAN_CORNERS = 20_000_000  # pairs of corners at a vertex that shading normals may cost


@dataclass(frozen=True, slots=True, eq=False)
class Soup:
    """Welded faces with looks per corner."""

    vertices: F64  # (V, 3)
    faces: NDArray[np.int32]  # (T, 3)
    color: F64  # (T, 3) linear
    image: NDArray[np.int32]  # (T,) −1: plain
    uv: F64  # (T, 3, 2)
    pictures: tuple[U8, ...]


def read_object(path: Path, name: str) -> RawObject:
    """The object in a mesh file. MeshError says in a word why there is none."""
    pieces = read_pieces(path)
    soup = _merge(pieces)
    _check_shape(soup)
    watertight = is_watertight(soup.faces)
    tiled = bool(len(soup.pictures)) and not _untile(soup)
    if len(soup.faces) > MAX_FACES or tiled:
        vertices, faces = simplify(
            soup.vertices, soup.faces, TARGET_FACES if len(soup.faces) > MAX_FACES else MAX_FACES
        )
        if len(faces) < 4:
            raise MeshError("too_few_faces", f"{len(faces)} triangles are left of {len(soup.faces)} after decimation")
        soup = bake(soup, vertices, faces)
    flipped = inward_faces(soup.vertices, soup.faces)
    faces = np.where(flipped[:, None], soup.faces[:, ::-1], soup.faces)
    uv = np.where(flipped[:, None, None], soup.uv[:, ::-1], soup.uv)
    part = Part(soup.vertices, faces, _normals(soup.vertices, faces), soup.color, soup.image, uv)
    roughness, metallic = _finish(pieces)
    visual = visual_of(part, _fit(soup.pictures), roughness, metallic)
    gltf = path.suffix.lower() in (".glb", ".gltf")
    return RawObject(name=name, visual=visual, watertight=watertight, metric=False, upright=gltf)


def _merge(pieces: Sequence[Piece]) -> Soup:
    """One welded mesh; faces without area, and copies of faces, are dropped."""
    start = np.cumsum([0, *(len(piece.vertices) for piece in pieces)])
    index, points = weld_map(np.concatenate([piece.vertices for piece in pieces]))
    faces = np.concatenate([index[piece.faces + first] for piece, first in zip(pieces, start, strict=False)])
    pictures = tuple(piece.picture for piece in pieces if piece.picture is not None)
    image, uv, number = [], [], 0
    for piece in pieces:
        has = piece.picture is not None and piece.uv is not None
        image.append(np.full(len(piece.faces), number if has else -1, dtype=np.int32))
        uv.append(piece.uv[piece.faces] if has and piece.uv is not None else np.zeros((len(piece.faces), 3, 2)))
        number += int(has)
    a, b, c = faces.T
    kept = np.flatnonzero((a != b) & (b != c) & (c != a))
    kept = kept[distinct_faces(faces[kept])]
    used, compact = np.unique(faces[kept], return_inverse=True)
    return Soup(
        vertices=points[used],
        faces=compact.reshape(-1, 3).astype(np.int32),
        color=np.concatenate([piece.color for piece in pieces])[kept],
        image=np.concatenate(image)[kept],
        uv=np.concatenate(uv)[kept],
        pictures=pictures,
    )


def _check_shape(soup: Soup) -> None:
    if len(soup.faces) < 4:
        raise MeshError("too_few_faces", f"{len(soup.faces)} triangles with area; a body needs 4")
    spread = (
        np.linalg.svd(soup.vertices - soup.vertices.mean(axis=0), compute_uv=False)
        if len(soup.vertices) < 10_000
        else None
    )
    if spread is not None and spread[2] < 1e-4 * spread[0]:
        raise MeshError("flat", "all its points lie in a plane")


def _untile(soup: Soup) -> bool:
    """Moves each face's picture coordinates into [0, 1] in place; False where a face spans more than one tile."""
    textured = soup.image >= 0
    uv = soup.uv[textured]
    low = uv.min(axis=1, keepdims=True)
    shift = np.floor(low + 1e-4)
    moved = uv - shift
    soup.uv[textured] = np.clip(moved, 0.0, 1.0)
    inside = (moved.max(axis=1) <= 1.0 + 2e-3).all(axis=1)
    if not inside.all():
        soup.uv[textured] = uv
    return bool(inside.all())


def _normals(vertices: F64, faces: NDArray[np.integer]) -> F64:
    valence = np.bincount(faces.reshape(-1))
    crease = CREASE if int((valence.astype(np.int64) ** 2).sum()) < SCAN_CORNERS else None
    if crease is None:
        from syngrasp.objects.part import face_normals

        return np.repeat(face_normals(vertices[faces])[:, None], 3, axis=1)
    return corner_normals(vertices, faces, crease)


def _finish(pieces: Sequence[Piece]) -> tuple[float, float]:
    """Roughness and metallic of an object: the means over its surface."""
    area = np.array([_area(piece) for piece in pieces])
    weight = area / max(area.sum(), 1e-300) if area.sum() > 0.0 else np.full(len(pieces), 1.0 / len(pieces))
    roughness = float(weight @ np.array([piece.roughness for piece in pieces]))
    metallic = float(weight @ np.array([piece.metallic for piece in pieces]))
    return float(np.clip(roughness, 0.05, 1.0)), float(np.clip(metallic, 0.0, 1.0))


def _area(piece: Piece) -> float:
    a, b, c = np.moveaxis(piece.vertices[piece.faces], 1, 0)
    return float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2.0)


def _fit(pictures: Sequence[U8]) -> list[U8]:
    """Pictures made smaller together until an atlas of all of them has at most MAX_ATLAS² pixels."""
    area = sum(p.shape[0] * p.shape[1] for p in pictures)
    shrink = min(1.0, MAX_ATLAS / max(np.sqrt(area), 1.0))
    if shrink == 1.0:
        return list(pictures)
    from PIL import Image

    sizes = [(max(1, int(p.shape[1] * shrink)), max(1, int(p.shape[0] * shrink))) for p in pictures]
    return [
        np.asarray(Image.fromarray(p).resize(size, Image.Resampling.BOX)).copy()
        for p, size in zip(pictures, sizes, strict=True)
    ]
