"""A user's own pictures that looks may name: textures and environments."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from syngrasp.rendering.randomize import RandomizeConfig
from syngrasp.rendering.texture.families import TextureFolder


@dataclass(frozen=True, slots=True)
class Folders:
    """Where they lie; None where there are none."""

    textures: TextureFolder | None = None
    environments: Path | None = None


def folders_of(config: RandomizeConfig) -> Folders:
    """The folders that a recipe names. Raises SyngraspError for one that is missing, that holds no picture, or whose
    files cannot be read here."""
    from syngrasp.rendering.environment.files import require_reader
    from syngrasp.rendering.files import ENVIRONMENT_FILES, PICTURE_FILES, files_of

    textures, environments = config.texture_folder, config.environment_folder
    if textures is not None:
        files_of(Path(textures), PICTURE_FILES, "render.randomize.texture_folder")
    if environments is not None:
        require_reader(files_of(Path(environments), ENVIRONMENT_FILES, "render.randomize.environment_folder"))
    return Folders(TextureFolder(Path(textures)) if textures else None, Path(environments) if environments else None)
