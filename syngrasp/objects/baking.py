"""Looks carried from one surface to another: colours of the old surface, sampled, baked into a texture of the new.

Decimation breaks picture charts apart, so the new mesh gets charts of its own: each face a right triangle in a grid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from syngrasp.objects.labels import linear_of, srgb_of
from syngrasp.objects.part import face_normals
from syngrasp.records import F64, I32, U8

if TYPE_CHECKING:
    from syngrasp.objects.mesh import Soup

SAMPLES = 600_000  # of the old surface
NORMAL_WEIGHT = 0.02  # of a turned normal as a distance, in the object's size: keeps inside and outside apart
ATLAS = 1024  # edge of the baked texture [px]


def bake(soup: Soup, vertices: F64, faces: I32) -> Soup:
    """The faces of another mesh of the same shape with the looks of `soup`."""
    from syngrasp.objects.mesh import Soup as Result

    textured = len(soup.pictures) > 0
    looks = _Looks(soup)
    plain = np.full(len(faces), -1, dtype=np.int32)
    if not textured:
        triangles = vertices[faces]
        color = looks(triangles.mean(axis=1), face_normals(triangles))
        return Result(vertices, faces, color, plain, np.zeros((len(faces), 3, 2)), ())
    picture, uv = _bake_texture(looks, vertices, faces)
    return Result(vertices, faces, np.ones((len(faces), 3)), plain + 1, uv, (picture,))


def _sample(soup: Soup) -> tuple[F64, F64, F64]:
    """Points (S, 3) spread over a surface by area, their normals and linear colours."""
    triangles = soup.vertices[soup.faces]
    cross = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    area = np.linalg.norm(cross, axis=1)
    rng = np.random.Generator(np.random.Philox(0))
    count = SAMPLES if len(soup.pictures) else SAMPLES // 6
    edges = np.cumsum(area) / area.sum()
    face = np.minimum(np.searchsorted(edges, (np.arange(count) + rng.random(count)) / count), len(area) - 1)
    r, s = np.sqrt(rng.random(count)), rng.random(count)
    weight = np.stack([1.0 - r, r * (1.0 - s), r * s], -1)
    points = np.einsum("sk,skd->sd", weight, triangles[face])
    colors = soup.color[face].copy()
    uv = np.einsum("sk,skd->sd", weight, soup.uv[face])
    for number, picture in enumerate(soup.pictures):
        mine = soup.image[face] == number
        colors[mine] = _look_up(picture, uv[mine])
    return points, cross[face] / np.maximum(area[face], 1e-300)[:, None], colors


def _look_up(picture: U8, uv: F64) -> F64:
    height, width = picture.shape[:2]
    x = np.floor((uv[:, 0] % 1.0) * width).astype(np.int64) % width
    y = np.floor((1.0 - uv[:, 1] % 1.0) * height).astype(np.int64) % height
    return linear_of(picture[y, x] / 255.0)


class _Looks:
    """The sampled colours of a surface, found by place and facing."""

    def __init__(self, soup: Soup) -> None:
        from scipy.spatial import KDTree

        points, normals, self._colors = _sample(soup)
        self._weight = NORMAL_WEIGHT * float(np.ptp(soup.vertices, axis=0).max())
        self._tree = KDTree(np.concatenate([points, self._weight * normals], axis=1), balanced_tree=False)

    def __call__(self, points: F64, normals: F64) -> F64:
        """Linear colours (P, 3) of the samples nearest to points (P, 3) that face along normals (P, 3)."""
        return self._colors[self._tree.query(np.concatenate([points, self._weight * normals], axis=1))[1]]


def _bake_texture(looks: _Looks, vertices: F64, faces: I32) -> tuple[U8, F64]:
    """A picture with two faces per cell, the second turned by half a turn, one pixel between them and around."""
    cells = -(-len(faces) // 2)
    per_row = int(np.ceil(np.sqrt(cells)))
    cell = max(6, ATLAS // per_row)
    edge = cell * per_row
    number = np.arange(len(faces))
    corner = np.stack([(number // 2) % per_row, (number // 2) // per_row], -1) * cell
    upper = (number % 2).astype(bool)
    side = cell - 4.0
    local = np.array([[1.0, 1.0], [1.0 + side, 1.0], [1.0, 1.0 + side]])
    px = np.where(upper[:, None, None], corner[:, None] + cell - local, corner[:, None] + local)
    uv = np.stack([(px[..., 0]) / edge, 1.0 - px[..., 1] / edge], -1)
    texture = np.empty((edge, edge, 3), dtype=np.uint8)
    triangles, facing = vertices[faces], face_normals(vertices[faces])
    y, x = np.mgrid[0:cell, 0:cell].reshape(2, -1)
    for flipped in (False, True):
        mine = np.flatnonzero(upper == flipped)
        if not len(mine):
            continue
        inside = (x + y < cell - 1) if not flipped else (x + y >= cell - 1)
        at = np.stack([x[inside], y[inside]], -1) + 0.5
        weights = _cell_weights(at, cell, side, flipped)
        for block in np.array_split(mine, max(1, len(mine) * len(at) // 400_000)):
            where = np.einsum("pk,tkd->tpd", weights, triangles[block]).reshape(-1, 3)
            turned = np.repeat(facing[block], len(at), axis=0)
            values = looks(where, turned)
            rows = (corner[block, 1][:, None] + y[inside]).ravel()
            columns = (corner[block, 0][:, None] + x[inside]).ravel()
            texture[rows, columns] = np.round(srgb_of(values) * 255.0).astype(np.uint8)
    return texture, uv


def _cell_weights(at: F64, cell: int, side: float, flipped: bool) -> F64:
    """Weights (P, 3) of a face's corners at pixel centres of its cell; beyond the face they are clipped to it."""
    local = (cell - at if flipped else at) - 1.0
    v, w = np.clip(local[:, 0] / side, 0.0, 1.0), np.clip(local[:, 1] / side, 0.0, 1.0)
    total = np.maximum(v + w, 1.0)
    return np.stack([1.0 - (v + w) / total, v / total, w / total], -1)
