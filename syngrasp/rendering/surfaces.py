"""Rigid meshes, their finish and their poses, as every renderer takes them. Plain numpy."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.rendering.look import Vec3

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
U8 = NDArray[np.uint8]

STILL = 2e-5
"""A part whose farthest point moves less than this over an episode stands still [m]."""


@dataclass(frozen=True, slots=True, eq=False)
class SurfaceMesh:
    """A triangle mesh in its own frame. What has the same `key` is the same mesh: renderers keep it."""

    key: str
    vertices: F32  # (V, 3) [m]
    faces: I32  # (T, 3), counter-clockwise seen from outside
    corner_normal: F32  # (3 T, 3), unit
    face_color: F32  # (T, 3) linear base colour; white under a texture
    corner_uv: F32 | None = None  # (3 T, 2), v up; repeats beyond [0, 1]
    texture: U8 | None = None  # (H, W, 3) sRGB, row 0 at v = 1

    @property
    def radius(self) -> float:
        """Of the ball around the frame's origin that holds it [m]."""
        return float(np.linalg.norm(self.vertices, axis=1).max())


@dataclass(frozen=True, slots=True)
class Finish:
    """How light meets a part."""

    tint: Vec3  # factor on its colours, linear
    roughness: float  # perceptual: the square is GGX's α
    metallic: float
    transmission: float = 0.0  # share of the light that goes through it
    ior: float = 1.5


@dataclass(frozen=True, slots=True, eq=False)
class ScenePart:
    """A mesh with its finish and its poses over F frames: p_base = p + scale · R · p_mesh."""

    name: str  # robot/…, object<i>, prop<i>, table
    mesh: SurfaceMesh
    R: F64  # (F, 3, 3)
    p: F64  # (F, 3) [m]
    scale: float
    label: int  # in the mask
    finish: Finish

    def moves(self) -> bool:
        """Whether any frame shows it elsewhere than the first."""
        turned = np.linalg.norm(self.R - self.R[:1], axis=(1, 2)) * self.scale * self.mesh.radius
        return bool((np.linalg.norm(self.p - self.p[:1], axis=1) + turned).max() > STILL)


def occupied_boxes(parts: Iterable[ScenePart], margin: float = 0.03, span: int = 5) -> F64:
    """Boxes (K, 2, 3) in base around all places of parts over their frames, with a margin [m].

    A part that moves has a box for every `span` frames, so that boxes are not much larger than what they hold.
    """
    boxes = []
    for part in parts:
        low, high = part.mesh.vertices.min(axis=0), part.mesh.vertices.max(axis=0)
        frames = slice(None) if part.moves() else slice(0, 1)
        R, p = part.R[frames], part.p[frames]
        centre = p + part.scale * R @ (0.5 * (low + high))
        reach = part.scale * np.abs(R) @ (0.5 * (high - low)) + margin
        for first in range(0, len(p), span):
            among = slice(first, first + span + 1)  # with the next span's first, as it moves on to there
            boxes.append([(centre - reach)[among].min(axis=0), (centre + reach)[among].max(axis=0)])
    return np.array(boxes, np.float64).reshape(-1, 2, 3)


def color_grid(colors: NDArray[Any]) -> tuple[NDArray[Any], F64]:
    """The distinct ones of colours (N, 3) as an image, nearly square, and the places (N, 2) of their pixels' centres,
    v up."""
    distinct, which = np.unique(colors, axis=0, return_inverse=True)
    columns = int(np.ceil(np.sqrt(len(distinct))))
    rows = -(-len(distinct) // columns)
    image = np.zeros((rows * columns, 3), colors.dtype)
    image[: len(distinct)] = distinct
    row, column = np.divmod(which.ravel(), columns)
    uv = np.stack([(column + 0.5) / columns, 1.0 - (row + 0.5) / rows], axis=-1)
    return image.reshape(rows, columns, 3), uv
