"""Looks carried from one surface to another: colours of the old surface, sampled, baked into a texture of the new.

Decimation breaks picture charts apart, so the new mesh gets charts of its own: each face a right triangle.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from syngrasp.objects.labels import linear_of, srgb_of
from syngrasp.objects.part import face_normals
from syngrasp.records import F64, I32, U8

if TYPE_CHECKING:
    from syngrasp.objects.mesh import Soup

SAMPLES = 600_000  # of the old surface
NORMAL_WEIGHT = 0.02  # of a turned normal as a distance, in the object's size: keeps inside and outside apart
ATLAS = 1024  # edge of the baked texture [px]
MARGIN = 1.0  # between a chart and the edges of its half of a cell [px]
CELLS = np.array([6, 8, 10, 12, 16, 20, 24, 32, 40, 48, 64, 80, 96, 128, 160, 192, 256, 384, 512], dtype=np.int32)


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


class _Charts(NamedTuple):
    """Where each face lies in the texture: half of a cell, a right triangle whose legs are its shorter edges."""

    order: I32  # (T, 3) corners: at the right angle, along the cell's width, along its height
    size: I32  # (T, 2) width and height of its cell [px]
    corner: I32  # (T, 2) upper left of its cell [px]
    second: NDArray[np.bool_]  # (T,) the lower right half, turned by half a turn
    height: int  # of the texture [px]


def _bake_texture(looks: _Looks, vertices: F64, faces: I32) -> tuple[U8, F64]:
    """A texture for a mesh, about equally fine all over it, and its coordinates (T, 3, 2)."""
    charts = _lay_out(vertices[faces])
    texture = np.zeros((charts.height, ATLAS, 3), dtype=np.uint8)
    uv = np.empty((len(faces), 3, 2))
    triangles, facing = vertices[faces], face_normals(vertices[faces])
    kinds = np.column_stack([charts.size, charts.second])
    for width, height, second in np.unique(kinds, axis=0):
        mine = np.flatnonzero((kinds == (width, height, second)).all(axis=1))
        inradius = width * height / (width + height + np.hypot(width, height))
        legs = (1.0 - MARGIN / inradius) * np.array([width, height])
        local = MARGIN + np.array([[0.0, 0.0], [legs[0], 0.0], [0.0, legs[1]]])
        placed = charts.corner[mine][:, None] + ([width, height] - local if second else local)
        uv[mine[:, None], charts.order[mine]] = placed / [ATLAS, charts.height]
        y, x = np.mgrid[0:height, 0:width].reshape(2, -1)
        upper = (x + 0.5) / width + (y + 0.5) / height < 1.0
        x, y = x[upper != bool(second)], y[upper != bool(second)]
        at = np.column_stack([x, y]) + 0.5
        weights = _weights(([width, height] - at if second else at) - MARGIN, legs)
        for block in np.array_split(mine, 1 + len(mine) * len(at) // 400_000):
            corners = triangles[block[:, None], charts.order[block]]
            where = np.einsum("pk,tkd->tpd", weights, corners).reshape(-1, 3)
            values = looks(where, np.repeat(facing[block], len(at), axis=0))
            rows, columns = charts.corner[block, 1][:, None] + y, charts.corner[block, 0][:, None] + x
            texture[rows.ravel(), columns.ravel()] = np.round(srgb_of(values) * 255.0).astype(np.uint8)
    uv[..., 1] = 1.0 - uv[..., 1]
    return texture, uv


def _lay_out(triangles: F64) -> _Charts:
    """Charts at the finest resolution whose texture is no higher than wide."""
    length = np.linalg.norm(np.roll(triangles, -2, axis=1) - np.roll(triangles, -1, axis=1), axis=2)
    right = np.argmax(length, axis=1)
    row = np.arange(len(triangles))
    wide, high = (right + 1) % 3, (right + 2) % 3
    # The leg towards a corner is the edge opposite the other: legs lie with the longer one along the width.
    swap = length[row, high] < length[row, wide]
    wide, high = np.where(swap, high, wide), np.where(swap, wide, high)
    legs = np.column_stack([length[row, high], length[row, wide]])
    low, fine = 0.0, 4.0 * ATLAS / max(float(legs.max()), 1e-300)
    for _ in range(24):
        middle = 0.5 * (low + fine)
        low, fine = (middle, fine) if _shelves(_cells(legs, middle))[2] <= ATLAS else (low, middle)
    size = _cells(legs, low)
    corner, second, height = _shelves(size)
    order = np.column_stack([right, wide, high]).astype(np.int32)
    return _Charts(order, size, corner, second, height)


def _cells(legs: F64, per_length: float) -> I32:
    """Cell sizes (T, 2) for legs (T, 2) at a resolution [px per length], rounded up to few sizes."""
    wanted = np.minimum(legs * per_length + 3.4 * MARGIN, CELLS[-1])
    return CELLS[np.searchsorted(CELLS, wanted)]


def _shelves(size: I32) -> tuple[I32, NDArray[np.bool_], int]:
    """Places cells, two faces of a size in each, on shelves of one height: corners, which half, height of all."""
    order = np.lexsort((np.arange(len(size)), -size[:, 0], -size[:, 1]))
    corner, second = np.zeros((len(size), 2), dtype=np.int32), np.zeros(len(size), dtype=bool)
    x = y = shelf = 0
    waiting, before = -1, (-1, -1)
    for face in order:
        width, height = int(size[face, 0]), int(size[face, 1])
        if waiting >= 0 and before == (width, height):
            corner[face], second[face], waiting = corner[waiting], True, -1
            continue
        if height != before[1] or x + width > ATLAS:
            x, y, shelf = 0, y + shelf, height
        corner[face] = (x, y)
        x, waiting, before = x + width, int(face), (width, height)
    return corner, second, max(y + shelf, 1)


def _weights(local: F64, legs: F64) -> F64:
    """Weights (P, 3) of a chart's corners at points (P, 2) [px] of its triangle; beyond it they are clipped to it."""
    v, w = np.clip(local / legs, 0.0, 1.0).T
    total = np.maximum(v + w, 1.0)
    return np.stack([1.0 - (v + w) / total, v / total, w / total], -1)
