"""From looks, shapes and poses to the rows that the ray tracer's kernels read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.rendering.blackbody import blackbody
from syngrasp.rendering.furniture import Block
from syngrasp.rendering.look import LightLook, MaterialLook, workspace_centre
from syngrasp.rendering.mjwarp import types
from syngrasp.rendering.shapes import Shape
from syngrasp.rendering.surfaces import ScenePart

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]

_LIGHT_KINDS = {"point": 0, "spot": 1, "directional": 2}


def _rows(shape: int | tuple[int, ...], struct: Any) -> NDArray[Any]:
    return np.zeros(shape, struct.numpy_dtype())


@dataclass(frozen=True, slots=True, eq=False)
class PlacedShape:
    """A part of the scene and its mesh on the device."""

    part: ScenePart
    shape: Shape


def instance_rows(parts: Sequence[PlacedShape], frames: slice) -> NDArray[Any]:
    """(F, K) Instance rows of parts over some frames."""
    count = len(range(*frames.indices(len(parts[0].part.p)))) if parts else 1
    rows = _rows((count, len(parts)), types.Instance)
    for k, (part, shape) in enumerate((placed.part, placed.shape) for placed in parts):
        R, p = part.R[frames], part.p[frames]
        middle = 0.5 * part.scale * (shape.lower + shape.upper)
        half = 0.5 * part.scale * (shape.upper - shape.lower) + 1e-5
        centre, reach = p + R @ middle, np.abs(R) @ half
        rows["rotation"][:, k], rows["position"][:, k], rows["scale"][:, k] = R, p, part.scale
        rows["lower"][:, k], rows["upper"][:, k] = centre - reach, centre + reach
    return rows


def windows(
    parts: Sequence[PlacedShape],
    cameras: Sequence[F64],
    intrinsics: Sequence[F64],
    frames: int,
    width: int,
    height: int,
) -> NDArray[np.int32]:
    """(F, C, K, 4) pixel rectangles x0 y0 x1 y1 outside which a part cannot be seen."""
    out = np.zeros((frames, len(cameras), len(parts), 4), np.int32)
    signs = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1], indexing="ij"), -1).reshape(8, 3)
    for k, (part, shape) in enumerate((placed.part, placed.shape) for placed in parts):
        corners = part.scale * (shape.lower + signs * (shape.upper - shape.lower))
        points = np.einsum("fij,nj->fni", part.R, corners) + part.p[:, None]
        for c, (T, K) in enumerate(zip(cameras, intrinsics, strict=True)):
            local = se3.transform(se3.invert(T), points)
            depth = local[..., 2:]
            pixels = local[..., :2] / np.maximum(depth, 1e-6) * K[0, 0] + K[:2, 2]
            low, high = pixels.min(axis=1) - 2.0, pixels.max(axis=1) + 2.0
            behind = np.any(depth[..., 0] < 0.02, axis=1)[:, None]
            size = np.array([width, height])
            out[:, c, k, :2] = np.where(behind, 0, np.clip(np.floor(low), 0, size))
            out[:, c, k, 2:] = np.where(behind, size, np.clip(np.ceil(high), 0, size))
    return out


def camera_rows(cameras: Sequence[F64], intrinsics: Sequence[F64]) -> NDArray[Any]:
    """(C,) Camera rows, exposure 1."""
    rows = _rows(len(cameras), types.Camera)
    for row, T, K in zip(rows, cameras, intrinsics, strict=True):
        row["rotation"], row["position"] = T[:3, :3], T[:3, 3]
        row["focal"], row["cx"], row["cy"], row["gain"] = K[0, 0], K[0, 2], K[1, 2], 1.0
    return rows


def part_rows(parts: Sequence[PlacedShape], first_texture: int) -> tuple[NDArray[Any], list[list[U8]]]:
    """Part rows and the mip chains of their textures, numbered from `first_texture`."""
    rows = _rows(len(parts), types.Part)
    chains: list[list[U8]] = []
    face = 0
    for row, (part, shape) in zip(rows, ((placed.part, placed.shape) for placed in parts), strict=True):
        finish = part.finish
        row["mesh"], row["face0"], row["label"] = shape.mesh.id, face, part.label
        row["texture"] = -1
        row["roughness"], row["metallic"], row["tint"] = finish.roughness, finish.metallic, finish.tint
        row["transmission"], row["ior"] = finish.transmission, finish.ior
        if shape.texture is not None:
            row["texture"] = first_texture + len(chains)
            chains.append(shape.texture)
        face += len(shape.face_color)
    return rows, chains


def texture_rows(chains: Sequence[list[U8]]) -> tuple[NDArray[Any], U8]:
    """Texture rows and all their texels in one array."""
    rows = _rows(len(chains), types.Texture)
    offset = 0
    for row, chain in zip(rows, chains, strict=True):
        height, width = chain[0].shape[:2]
        row["offset"], row["width"], row["height"], row["levels"] = offset, width, height, len(chain)
        offset += sum(level.size for level in chain)
    return rows, np.concatenate([level.ravel() for chain in chains for level in chain])


def material_row(material: MaterialLook, texture: int, relief: int, slope: float) -> NDArray[Any]:
    """One Material row. `relief` is the texture of its slopes, −1 without, and `slope` their largest [1/tile]."""
    row = _rows((), types.Material)
    row["texture"], row["inv_tile"], row["tint"] = texture, 1.0 / material.tile, material.tint
    row["cos_angle"], row["sin_angle"], row["offset"] = np.cos(material.angle), np.sin(material.angle), material.offset
    row["roughness"], row["metallic"] = material.roughness, material.metallic
    row["relief"], row["steepness"] = relief, slope * material.bump / material.tile
    return row


def box_rows(blocks: Sequence[Block], materials: Sequence[str]) -> NDArray[Any]:
    """Box rows of furniture, whose materials are numbered by name."""
    rows = _rows(len(blocks), types.Box)
    for row, block in zip(rows, blocks, strict=True):
        row["lower"], row["upper"] = block.lower, block.upper
        row["material"], row["label"] = materials.index(block.material), block.label
    return rows


def light_rows(lights: Sequence[LightLook], table_height: float) -> NDArray[Any]:
    """Light rows; a lamp's intensity is stated at the workspace's centre."""
    rows = _rows(len(lights), types.Light)
    for row, light in zip(rows, lights, strict=True):
        away = np.array(light.position) - workspace_centre(table_height)
        distance_sq = 1.0 if light.kind == "directional" else float(away @ away)
        row["kind"], row["position"], row["direction"] = _LIGHT_KINDS[light.kind], light.position, light.direction
        row["radius"] = light.radius
        row["color"] = light.intensity * distance_sq * blackbody(light.temperature)
        row["cos_inner"], row["cos_outer"] = np.cos(0.7 * light.cone), np.cos(light.cone)
    return rows
