"""A user's environments: .hdr (Radiance RGBE) and .exr files of equirectangular pictures, zenith above."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.errors import MissingExtra
from syngrasp.rendering.files import PictureFolderError, area_weights, named_file

F32 = NDArray[np.float32]

_KEPT_HEIGHT = 512
_BRIGHTEST = 6.0e4


def file_radiance(folder: Path | None, name: str, height: int, rotation: float) -> NDArray[np.float64]:
    """Radiance (height, 2·height, 3) of a folder's file, turned about z [rad]. Column 0 of the file looks along x."""
    path = named_file(folder, name, "render.randomize.environment_folder")
    picture = _kept(path, path.stat().st_mtime_ns)
    rows = area_weights(len(picture), height)
    columns = area_weights(picture.shape[1], 2 * height, rotation / (2 * np.pi))
    return np.einsum("ij,jkc,lk->ilc", rows, picture, columns, optimize=True)


def require_reader(names: Sequence[str]) -> None:
    """Raises MissingExtra where files of these names include one that nothing here can read."""
    if any(name.lower().endswith(".exr") for name in names):
        _openexr()


@lru_cache(maxsize=4)
def _kept(path: Path, changed: int) -> F32:
    """A file's picture, at most `_KEPT_HEIGHT` rows of it: large ones are read once and kept small."""
    picture = _read(path)
    if picture.ndim != 3 or picture.shape[2] < 3 or min(picture.shape[:2]) < 2:
        raise PictureFolderError(path, f"is no colour picture of the sphere: shape {picture.shape}")
    picture = np.clip(np.nan_to_num(picture[..., :3].astype(np.float32), posinf=_BRIGHTEST), 0.0, _BRIGHTEST)
    if len(picture) > _KEPT_HEIGHT:
        rows = area_weights(len(picture), _KEPT_HEIGHT)
        columns = area_weights(picture.shape[1], 2 * _KEPT_HEIGHT)
        picture = np.stack([rows @ picture[..., c] @ columns.T for c in range(3)], axis=-1).astype(np.float32)
    picture.setflags(write=False)
    return picture


def _read(path: Path) -> NDArray[np.floating]:
    try:
        if path.suffix.lower() == ".exr":
            return _read_exr(path)
        import imagecodecs

        return np.asarray(imagecodecs.rgbe_decode(path.read_bytes()))
    except (ValueError, RuntimeError, OSError, KeyError) as error:
        raise PictureFolderError(path, f"cannot be read ({' '.join(str(error).split())})") from error


def _openexr() -> Any:
    try:
        import OpenEXR  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise MissingExtra("the reader of .exr files", "exr") from error
    return OpenEXR


def _read_exr(path: Path) -> NDArray[np.floating]:
    channels = _openexr().File(str(path)).channels()
    for name in ("RGB", "RGBA"):
        if name in channels:
            return np.asarray(channels[name].pixels)
    raise PictureFolderError(path, f"has no channels R, G, B; it has {', '.join(channels)}")
