"""A user's own pictures: which files a folder of a recipe holds."""

from __future__ import annotations

from pathlib import Path

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
