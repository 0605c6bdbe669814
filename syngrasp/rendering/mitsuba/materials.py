"""Materials as Mitsuba's surfaces, in few kinds: what a kernel is compiled from is the kinds, not the materials."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false, reportOperatorIssue=false
# (what Mitsuba's and Dr.Jit's names mean depends on the variant that runs)

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.rendering.look import MaterialLook, Vec3
from syngrasp.rendering.shapes import SRGB_TO_LINEAR, linear_to_srgb
from syngrasp.rendering.surfaces import Finish
from syngrasp.rendering.texture.families import TextureFolder, material_height, material_image

F32 = NDArray[np.float32]
U8 = NDArray[np.uint8]

LEAST_METALLIC = 1e-4
"""Mitsuba's surface without any metal is another kind."""

LEAST_ROUGHNESS = 0.05

RESOLUTION = 512
"""Rows and columns of the textures of table, floor and walls."""


def block_surface(material: MaterialLook, textures: TextureFolder | None) -> dict[str, Any]:
    """The surface of table, floor or walls, with its texture's relief."""
    image = bitmap(material_image(material, RESOLUTION, textures), material.tint)
    surface = opaque(image, material.roughness, material.metallic)
    height = material_height(material, RESOLUTION, textures) if material.bump > 0.0 else None
    return surface if height is None else embossed(surface, material.bump * height)


def part_surface(color: dict[str, Any], finish: Finish) -> dict[str, Any]:
    """The surface of a robot, an object or a prop."""
    if finish.transmission > 0.0:
        return glass(color, finish)
    return opaque(color, finish.roughness, finish.metallic)


def opaque(color: dict[str, Any], roughness: float, metallic: float) -> dict[str, Any]:
    """Disney's principled surface (Burley 2012), visible from both sides. F₀ = 0.04 where it is no metal."""
    return {"type": "twosided", "own": _principled(color, roughness, metallic) | {"specular": 0.5}}


def glass(color: dict[str, Any], finish: Finish) -> dict[str, Any]:
    """A solid that lets a share of the light through; the rest it sends back as an opaque one does."""
    through = {"spec_trans": float(finish.transmission), "eta": float(finish.ior)}
    return _principled(color, finish.roughness, finish.metallic) | through


def _principled(color: dict[str, Any], roughness: float, metallic: float) -> dict[str, Any]:
    return {
        "type": "principled", "base_color": color, "roughness": float(max(roughness, LEAST_ROUGHNESS)),
        "metallic": float(max(metallic, LEAST_METALLIC)),
    }  # fmt: skip


def embossed(surface: dict[str, Any], height: F32) -> dict[str, Any]:
    """A surface with relief: heights (N, N) in metres over a texture, whose first row is its top."""
    import mitsuba as mi

    rows = np.ascontiguousarray(height[::-1], np.float32)[..., None]
    relief = {"type": "bitmap", "bitmap": mi.Bitmap(rows), "raw": True, "wrap_mode": "repeat"}
    return {"type": "bumpmap", "relief": relief, "own": surface}


def bitmap(image: U8, tint: Vec3 = (1.0, 1.0, 1.0)) -> dict[str, Any]:
    """A texture of sRGB colours, tinted in linear light; Mitsuba counts v from the first row."""
    import mitsuba as mi

    if tint != (1.0, 1.0, 1.0):
        image = linear_to_srgb(np.clip(SRGB_TO_LINEAR[image] * np.array(tint, np.float32), 0.0, 1.0))
    return {"type": "bitmap", "bitmap": mi.Bitmap(np.ascontiguousarray(image[::-1])), "wrap_mode": "repeat"}


def plain(colors: F32) -> dict[str, Any]:
    """An image (H, W, 3) of linear colours."""
    import mitsuba as mi

    image = np.ascontiguousarray(np.clip(colors, 0.0, 1.0)[::-1], np.float32)
    return {"type": "bitmap", "bitmap": mi.Bitmap(image), "wrap_mode": "repeat"}
