"""A user's own pictures: which files a folder of a recipe holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from syngrasp.errors import SyngraspError

PICTURE_FILES = (".png", ".jpg", ".jpeg", ".webp")
ENVIRONMENT_FILES = (".hdr", ".exr")


class PictureFolderError(SyngraspError):
    """A folder or a file of pictures that a recipe or a look names and that cannot be used."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"{path}: {problem}")


def files_of(folder: Path, endings: tuple[str, ...], field: str) -> list[str]:
    """Names of a folder's files with one of some endings, sorted. `field` of the recipe named the folder.

    Raises PictureFolderError where there is no such folder or nothing in it.
    """
    if not folder.is_dir():
        raise PictureFolderError(folder, f"no such folder ({field})")
    names = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in endings and path.is_file())
    if not names:
        raise PictureFolderError(folder, f"holds no file that ends in {', '.join(endings)} ({field})")
    return names


def named_file(folder: Path | None, name: str, field: str) -> Path:
    """The file of a look. Raises PictureFolderError where it is not there, or no folder is given."""
    if folder is None:
        raise PictureFolderError(Path(name), f"the look names this file, and {field} names no folder")
    if not (folder / name).is_file():
        raise PictureFolderError(folder / name, f"no such file; the look names it ({field})")
    return folder / name


def area_weights(count: int, wanted: int, shift: float = 0.0) -> NDArray[np.float32]:
    """Weights (wanted, count) of the mean over the share of a row's texels that each wanted one covers.

    The row is displaced by a share `shift` of its length, and goes round where it is.
    """
    edges = (np.arange(wanted + 1) / wanted - shift) * count
    weights = np.zeros((wanted, count), np.float64)
    for i in range(wanted):
        first, last = int(np.floor(edges[i])), int(np.ceil(edges[i + 1]))
        for k in range(first, last):
            weights[i, k % count] += min(edges[i + 1], k + 1) - max(edges[i], k)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
