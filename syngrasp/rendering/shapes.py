"""Triangle meshes and textures made ready for the ray tracer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from syngrasp.rendering.surfaces import SurfaceMesh

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]

MAX_TEXTURE = 512
"""Textures of objects are halved until no edge is longer; an object covers fewer pixels than that."""

SRGB_TO_LINEAR = np.where(
    np.arange(256) <= 0.04045 * 255, np.arange(256) / 255 / 12.92, ((np.arange(256) / 255 + 0.055) / 1.055) ** 2.4
).astype(np.float32)
"""(256,) linear value of each sRGB byte (IEC 61966-2-1)."""


def linear_to_srgb_values(linear: NDArray[Any]) -> NDArray[Any]:
    """sRGB values in [0, 1] of linear values in [0, 1]."""
    x = np.clip(linear, 0.0, 1.0)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.power(np.maximum(x, 1e-8), 1 / 2.4) - 0.055)


_LINEAR_TO_BYTE = (linear_to_srgb_values(np.linspace(0.0, 1.0, 4096)) * 255.0 + 0.5).astype(np.uint8)


def linear_to_srgb(linear: F32) -> U8:
    """sRGB bytes of linear values in [0, 1], by a table of 4096 steps: off by at most one."""
    return _LINEAR_TO_BYTE[(linear * np.float32(4095.0) + np.float32(0.5)).astype(np.int16)]


def mip_chain(texture: U8) -> list[U8]:
    """A texture (H, W, 3) and its halvings down to 1 × 1, averaged in linear light."""
    levels = [np.ascontiguousarray(texture)]
    linear = SRGB_TO_LINEAR[texture]
    while max(linear.shape[:2]) > 1:
        for axis in (0, 1):
            half = linear.shape[axis] // 2
            if half:
                even, odd = (linear[i : 2 * half : 2] if axis == 0 else linear[:, i : 2 * half : 2] for i in (0, 1))
                linear = np.float32(0.5) * (even + odd)
        levels.append(linear_to_srgb(linear))
    return levels


def relief_chain(height: F32) -> tuple[list[U8], float]:
    """Slopes of a repeating height field (H, H) in [0, 1], and their largest value [1/tile].

    A mip chain (…, …, 3): along u, along v (up) as 127.5 + 127.5 · slope / largest, and the mean of their squares as
    255 · ½ (su² + sv²) / largest², so that the slopes that a level averages away are known.
    """
    size = len(height)
    along = 0.5 * size * (np.roll(height, -1, axis=1) - np.roll(height, 1, axis=1))
    up = 0.5 * size * (np.roll(height, 1, axis=0) - np.roll(height, -1, axis=0))
    largest = max(float(np.quantile(np.maximum(np.abs(along), np.abs(up)), 0.995)), 1e-9)
    along, up = np.clip(along / largest, -1, 1), np.clip(up / largest, -1, 1)
    level = np.stack([0.5 + 0.5 * along, 0.5 + 0.5 * up, 0.5 * (along**2 + up**2)], axis=-1).astype(np.float32)
    levels = []
    while True:
        levels.append((255.0 * level + 0.5).astype(np.uint8))
        if len(level) == 1:
            return levels, largest
        half = len(level) // 2
        level = level[: 2 * half, : 2 * half].reshape(half, 2, half, 2, 3).mean(axis=(1, 3))


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A rigid mesh in its own frame, with the acceleration structure on the device."""

    mesh: wp.Mesh
    lower: F64  # (3,) of the box around it [m]
    upper: F64
    corner_normal: F32  # (3 T, 3)
    corner_uv: F32  # (3 T, 2), v up
    face_color: F32  # (T, 3) linear
    texture: list[U8] | None  # mip chain


def make_shape(mesh: SurfaceMesh, device: str) -> Shape:
    """A mesh's shape on a device."""
    points = wp.array(np.ascontiguousarray(mesh.vertices, np.float32), dtype=wp.vec3, device=device)
    indices = wp.array(np.ascontiguousarray(mesh.faces, np.int32).ravel(), dtype=wp.int32, device=device)
    chain, corner_uv = None, mesh.corner_uv
    if mesh.texture is not None and corner_uv is not None:
        chain = mip_chain(mesh.texture)
        while max(chain[0].shape[:2]) > MAX_TEXTURE:
            chain = chain[1:]
    return Shape(
        mesh=wp.Mesh(points, indices, bvh_constructor="sah"),
        lower=mesh.vertices.min(axis=0).astype(np.float64),
        upper=mesh.vertices.max(axis=0).astype(np.float64),
        corner_normal=np.ascontiguousarray(mesh.corner_normal, np.float32),
        corner_uv=np.zeros((3 * len(mesh.faces), 2), np.float32) if corner_uv is None else corner_uv.astype(np.float32),
        face_color=np.ascontiguousarray(mesh.face_color, np.float32),
        texture=chain,
    )
