"""From parts to what a camera sees: vertices split where normals or pictures part, pictures packed into one texture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from syngrasp.objects.labels import srgb_of
from syngrasp.objects.part import Part
from syngrasp.records import F64, U8, VisualMesh

SWATCH = 8  # edge of a plain colour's patch in a texture [px]


def visual_of(part: Part, pictures: Sequence[U8], roughness: float, metallic: float) -> VisualMesh:
    """The visual mesh of a part. With pictures, plain colours become patches of the texture too."""
    used = sorted(set(part.image[part.image >= 0].tolist()))
    if not used:
        return weld(part.vertices[part.faces], part.normals, None, None, part.color, roughness, metallic)
    texture, boxes = pack([pictures[k] for k in used])
    colors, color_index = np.unique(np.round(part.color, 5), axis=0, return_inverse=True)
    texture, swatches = add_swatches(texture, colors)
    uv = np.empty((len(part.faces), 3, 2))
    height, width = texture.shape[:2]
    for face_mask, box, local in _regions(part, used, boxes):
        x, y, w, h = box
        px = x + 0.5 + local[..., 0] * (w - 1)
        py = y + 0.5 + (1.0 - local[..., 1]) * (h - 1)
        uv[face_mask] = np.stack([px / width, 1.0 - py / height], -1)
    plain = part.image < 0
    uv[plain] = (swatches / [width, height])[color_index.reshape(-1)[plain]][:, None]
    uv[plain, :, 1] = 1.0 - uv[plain, :, 1]
    white = np.ones((len(part.faces), 3))
    return weld(part.vertices[part.faces], part.normals, uv, texture, white, roughness, metallic)


def _regions(part: Part, used: Sequence[int], boxes: Sequence[tuple[int, int, int, int]]):
    for image, box in zip(used, boxes, strict=True):
        mask = part.image == image
        yield mask, box, part.uv[mask]


def pack(pictures: Sequence[U8]) -> tuple[U8, list[tuple[int, int, int, int]]]:
    """Pictures on shelves in one texture, and the box (x, y, width, height) of each in it [px]."""
    area = sum(p.shape[0] * p.shape[1] for p in pictures)
    width = max(max(p.shape[1] for p in pictures), int(np.ceil(np.sqrt(area))))
    boxes: list[tuple[int, int, int, int]] = [(0, 0, 0, 0)] * len(pictures)
    x = y = shelf = 0
    for k in sorted(range(len(pictures)), key=lambda k: (-pictures[k].shape[0], k)):
        h, w = pictures[k].shape[:2]
        if x + w > width:
            x, y, shelf = 0, y + shelf, 0
        boxes[k] = (x, y, w, h)
        x, shelf = x + w, max(shelf, h)
    texture = np.zeros((y + shelf, width, 3), dtype=np.uint8)
    for (x, y, w, h), picture in zip(boxes, pictures, strict=True):
        texture[y : y + h, x : x + w] = picture
    return texture, boxes


def add_swatches(texture: U8, colors: F64) -> tuple[U8, F64]:
    """A texture with patches of linear colours (N, 3) added below, and the patches' centres (N, 2) [px]."""
    width = texture.shape[1]
    per_row = max(1, width // SWATCH)
    rows = -(-len(colors) // per_row)
    strip = np.zeros((rows * SWATCH, width, 3), dtype=np.uint8)
    values = np.round(srgb_of(colors) * 255.0).astype(np.uint8)
    centers = np.empty((len(colors), 2))
    for k, value in enumerate(values):
        row, column = divmod(k, per_row)
        strip[row * SWATCH : (row + 1) * SWATCH, column * SWATCH : (column + 1) * SWATCH] = value
        centers[k] = (column * SWATCH + SWATCH / 2.0, texture.shape[0] + row * SWATCH + SWATCH / 2.0)
    return np.concatenate([texture, strip]), centers


def weld(
    corners: F64,
    normals: F64,
    uv: F64 | None,
    texture: U8 | None,
    face_color: NDArray[np.floating],
    roughness: float,
    metallic: float,
) -> VisualMesh:
    """A visual mesh from corner data (T, 3, ·): corners equal in place, normal and uv share a vertex."""
    attributes = [np.round(corners.reshape(-1, 3), 7), np.round(normals.reshape(-1, 3), 3)]
    if uv is not None:
        attributes.append(np.round(uv.reshape(-1, 2), 5))
    keys = np.ascontiguousarray(np.concatenate(attributes, axis=1) + 0.0)
    _, first, index = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    return VisualMesh(
        vertices=corners.reshape(-1, 3)[first].astype(np.float32),
        normals=normals.reshape(-1, 3)[first].astype(np.float32),
        faces=index.reshape(-1, 3).astype(np.int32),
        uv=None if uv is None else uv.reshape(-1, 2)[first].astype(np.float32),
        texture=texture,
        face_color=np.asarray(face_color, dtype=np.float32),
        roughness=roughness,
        metallic=metallic,
    )
