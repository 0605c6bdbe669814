"""Triangles drawn into a label and a depth image: the reference that every renderer's masks and depth are held against,
and the silhouettes of annotations.

A pixel belongs to a triangle when its centre does: pixel i covers [i, i + 1) in pixel-edge coordinates, as in the
tracers. Depth is along the optical axis; its inverse is linear in the picture, so a z-buffer of it is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import ArrayLike, NDArray

from syngrasp import se3

NEAR = 1e-3
"""What is nearer to the camera than this is cut off [m]."""

_EDGE = 1e-9
"""A centre so little outside an edge, in shares of the triangle, is on it: no seam between two triangles is open."""


@dataclass(frozen=True, slots=True, eq=False)
class Canvas:
    """What has been drawn so far, of pictures of H × W."""

    label: NDArray[np.uint8]  # (H, W), 0 where nothing was drawn
    inverse_depth: NDArray[np.float64]  # (H, W) [1/m], 0 where nothing was drawn

    @classmethod
    def blank(cls, width: int, height: int) -> Canvas:
        """Nothing drawn."""
        return cls(np.zeros((height, width), np.uint8), np.zeros((height, width)))

    @property
    def depth(self) -> NDArray[np.float64]:
        """(H, W) along the optical axis [m], infinite where nothing was drawn."""
        with np.errstate(divide="ignore"):
            return 1.0 / self.inverse_depth

    def draw(
        self, vertices: ArrayLike, faces: NDArray[np.int32], T_base_camera: ArrayLike, K: ArrayLike, label: int = 1
    ) -> None:
        """Adds triangles (T, 3) of vertices (V, 3) in base [m], behind what is nearer. Both sides show."""
        points = np.ascontiguousarray(se3.transform(se3.invert(T_base_camera), vertices), np.float64)
        draw(points, faces, np.asarray(K, np.float64), label, self.label, self.inverse_depth)


def rasterize(
    vertices: ArrayLike, faces: NDArray[np.int32], T_base_camera: ArrayLike, K: ArrayLike, width: int, height: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """One mesh alone: where it covers pixels, 1 (H, W), and its depth (H, W) [m], infinite elsewhere.

    `vertices` (V, 3) in base [m], `faces` (T, 3), camera pose (4, 4) in OpenCV axes, intrinsics `K` (3, 3) [px].
    """
    canvas = Canvas.blank(width, height)
    canvas.draw(vertices, faces, T_base_camera, K)
    return canvas.label, canvas.depth


@numba.njit(cache=True, nogil=True)
def draw(
    points: NDArray[np.float64],
    faces: NDArray[np.int32],
    K: NDArray[np.float64],
    label: int,
    labels: NDArray[np.uint8],
    inverse_depth: NDArray[np.float64],
) -> None:
    """Draws triangles (T, 3) of points (V, 3) in camera axes [m] into images (H, W), cut at the near plane."""
    corner, cut = np.empty((3, 3)), np.empty((4, 3))
    for face in range(len(faces)):
        nearest = min(points[faces[face, 0], 2], points[faces[face, 1], 2], points[faces[face, 2], 2])
        for k in range(3):
            for axis in range(3):
                corner[k, axis] = points[faces[face, k], axis]
        if nearest >= NEAR:
            _triangle(corner[0], corner[1], corner[2], K, label, labels, inverse_depth)
            continue
        count = _cut(corner, cut)
        for k in range(2, count):
            _triangle(cut[0], cut[k - 1], cut[k], K, label, labels, inverse_depth)


@numba.njit(cache=True, nogil=True)
def _cut(corner: NDArray[np.float64], out: NDArray[np.float64]) -> int:
    """The part of a triangle beyond the near plane, a polygon of 0, 3 or 4 corners (Sutherland and Hodgman)."""
    count = 0
    for k in range(3):
        a, b = corner[k], corner[(k + 1) % 3]
        if a[2] >= NEAR:
            out[count] = a
            count += 1
        if (a[2] >= NEAR) != (b[2] >= NEAR):
            out[count] = a + (NEAR - a[2]) / (b[2] - a[2]) * (b - a)
            out[count, 2] = NEAR
            count += 1
    return count


@numba.njit(cache=True, nogil=True)
def _triangle(
    a: NDArray[np.float64],
    b: NDArray[np.float64],
    c: NDArray[np.float64],
    K: NDArray[np.float64],
    label: int,
    labels: NDArray[np.uint8],
    inverse_depth: NDArray[np.float64],
) -> None:
    """Edge functions at pixel centres (Pineda 1988)."""
    height, width = labels.shape
    wa, wb, wc = 1.0 / a[2], 1.0 / b[2], 1.0 / c[2]
    xa, ya = K[0, 0] * a[0] * wa + K[0, 2], K[1, 1] * a[1] * wa + K[1, 2]
    xb, yb = K[0, 0] * b[0] * wb + K[0, 2], K[1, 1] * b[1] * wb + K[1, 2]
    xc, yc = K[0, 0] * c[0] * wc + K[0, 2], K[1, 1] * c[1] * wc + K[1, 2]
    area = (xb - xa) * (yc - ya) - (yb - ya) * (xc - xa)
    if area == 0.0:
        return
    left, right = max(0.0, min(xa, xb, xc) - 0.5), min(width - 1.0, max(xa, xb, xc) - 0.5)
    upper, lower = max(0.0, min(ya, yb, yc) - 0.5), min(height - 1.0, max(ya, yb, yc) - 0.5)
    if left > right or upper > lower:
        return
    x0, x1, y0, y1 = int(np.ceil(left)), int(np.floor(right)), int(np.ceil(upper)), int(np.floor(lower))
    # Barycentric weights of b and c are linear: value at the first pixel and steps along x and y.
    bx, by = (yc - ya) / area, -(xc - xa) / area
    cx, cy = -(yb - ya) / area, (xb - xa) / area
    for y in range(y0, y1 + 1):
        dy = y + 0.5 - ya
        for x in range(x0, x1 + 1):
            dx = x + 0.5 - xa
            beta, gamma = bx * dx + by * dy, cx * dx + cy * dy
            if beta < -_EDGE or gamma < -_EDGE or beta + gamma > 1.0 + _EDGE:
                continue
            w = wa + beta * (wb - wa) + gamma * (wc - wa)
            if w > inverse_depth[y, x]:
                inverse_depth[y, x] = w
                labels[y, x] = label
