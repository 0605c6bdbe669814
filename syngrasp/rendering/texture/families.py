"""Textures of surfaces: families of seamless square images, and a user's own.

Every member of a family is decided by (family, seed): a family draws its palette and its shapes from the seed, so that
it has as many members as there are seeds. A member has colours and, in most families, the relief that belongs to them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from syngrasp.errors import UnknownName
from syngrasp.rendering.files import PictureFolderError, area_weights, named_file
from syngrasp.rendering.look import MaterialLook
from syngrasp.rendering.texture import hard, soft
from syngrasp.rendering.texture.patterns import Member, Rng
from syngrasp.seeding import named_rng

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

FAMILIES: dict[str, Callable[[Rng, int], Member]] = {
    "brick": hard.brick,
    "checker": soft.checker,
    "concrete": hard.concrete,
    "fabric": soft.fabric,
    "granite": hard.granite,
    "leather": soft.leather,
    "marble": hard.marble,
    "metal": hard.metal,
    "noise": soft.clouds,
    "paper": soft.paper,
    "picture": soft.picture,
    "plain": soft.plain,
    "stripes": soft.stripes,
    "terrazzo": hard.terrazzo,
    "tiles": hard.tiles,
    "wood": hard.wood,
}


@dataclass(frozen=True, slots=True)
class TextureFolder:
    """A user's own pictures of surfaces, by name: .png, .jpg and .webp files. They should repeat without seams."""

    path: Path


def make_texture(family: str, seed: int, size: int = 512) -> U8:
    """The texture (size, size, 3) uint8 sRGB of one member of a family. Raises UnknownName."""
    return _member(family, seed, size)[0]


def material_image(material: MaterialLook, size: int = 512, folder: TextureFolder | None = None) -> U8:
    """The texture (size, size, 3) uint8 sRGB of a look's material, before its tint.

    Raises UnknownName for a family that there is not, PictureFolderError for a file that cannot be read.
    """
    if material.family == "file":
        return _file_image(material, size, folder)
    return make_texture(material.family, material.seed, size)


def material_height(material: MaterialLook, size: int = 512, folder: TextureFolder | None = None) -> F32 | None:
    """Heights (size, size) of a material's relief in units of its bump, from 0 to 1; None for what is flat.

    They belong to its picture. A file has none of its own: there, what is dark lies low.
    """
    if material.family == "file":
        return _unit(_file_image(material, size, folder).mean(axis=-1, dtype=np.float32))
    return _member(material.family, material.seed, size)[1]


@lru_cache(maxsize=16)
def _member(family: str, seed: int, size: int) -> tuple[U8, F32 | None]:
    if family not in FAMILIES:
        raise UnknownName("texture family", family, FAMILIES)
    color, height = FAMILIES[family](named_rng(seed, "texture", family), size)
    image = np.clip(color * 255.0 + 0.5, 0.0, 255.0).astype(np.uint8)
    image.setflags(write=False)
    return image, None if height is None else _unit(height)


def _unit(height: NDArray[np.floating]) -> F32:
    """Heights from 0 to 1; the outermost thousandths are cut, so that single peaks do not flatten the rest."""
    low, high = np.quantile(height[::2, ::2], (0.001, 0.999))
    out = np.clip((height - low) / max(float(high - low), 1e-9), 0.0, 1.0).astype(np.float32)
    out.setflags(write=False)
    return out


def _file_image(material: MaterialLook, size: int, folder: TextureFolder | None) -> U8:
    path = named_file(None if folder is None else folder.path, material.file, "render.randomize.texture_folder")
    return _read(path, path.stat().st_mtime_ns, size)


@lru_cache(maxsize=16)
def _read(path: Path, changed: int, size: int) -> U8:
    import imagecodecs

    try:
        picture = np.asarray(imagecodecs.imread(str(path)))
    except (ValueError, RuntimeError, OSError) as error:
        raise PictureFolderError(path, f"cannot be read ({' '.join(str(error).split())})") from error
    picture = picture[..., None] if picture.ndim == 2 else picture
    if picture.ndim != 3 or picture.dtype not in (np.uint8, np.uint16):
        raise PictureFolderError(path, f"is no picture of 8 or 16 bits a channel: {picture.dtype} {picture.shape}")
    picture = picture[..., :3] if picture.shape[2] >= 3 else np.repeat(picture[..., :1], 3, axis=2)
    values = picture.astype(np.float32) / (257.0 if picture.dtype == np.uint16 else 1.0)
    rows, columns = area_weights(values.shape[0], size), area_weights(values.shape[1], size)
    out = np.stack([rows @ values[..., c] @ columns.T for c in range(3)], axis=-1)
    image = np.clip(out + 0.5, 0.0, 255.0).astype(np.uint8)
    image.setflags(write=False)
    return image
