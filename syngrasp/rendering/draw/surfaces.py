"""Materials and finishes: what surfaces look like, the robot's and the objects' among them."""

from __future__ import annotations

import colorsys
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from syngrasp.rendering.files import PICTURE_FILES, files_of
from syngrasp.rendering.look import MaterialLook, ObjectLook, RobotLook
from syngrasp.rendering.ranges import AboveZero, Family, Positive, Range, Ranges, Rng, Share, Shares, vec

_RELIEF = {
    "brick": 0.004, "concrete": 0.0006, "fabric": 0.0008, "leather": 0.0008, "metal": 0.0001, "paper": 0.0003,
    "plain": 0.0004, "tiles": 0.0015, "wood": 0.0003,
}  # fmt: skip
"""Depth of a family's relief [m]; others are flat."""

_POLISHED = {"marble": 0.6, "metal": 0.9, "tiles": 0.6, "granite": 0.5, "terrazzo": 0.5, "wood": 0.35, "plain": 0.35}
"""How often a family's surface is polished; others never are."""

LEVELLED = 0.35
"""What polishing leaves of a relief: deeper, it breaks a mirror into white specks."""


_Ior = Annotated[float, Field(ge=1, le=4)]


class SurfaceRanges(Ranges):
    """Textures and finishes. The paper has about 1,000 textures of tables and 1,200 of grounds and walls; a generated
    family here has as many members as there are seeds."""

    table_families: tuple[Family, ...] = Field(
        ("wood", "wood", "wood", "marble", "granite", "concrete", "plain", "plain", "fabric", "tiles", "checker",
         "terrazzo", "metal", "paper", "leather", "noise", "stripes"),
        min_length=1,
        description="textures of the table's top, by weight",
    )  # fmt: skip
    floor_families: tuple[Family, ...] = Field(
        ("wood", "wood", "tiles", "tiles", "concrete", "terrazzo", "marble", "granite", "fabric", "checker", "plain"),
        min_length=1,
        description="textures of the floor, by weight",
    )
    wall_families: tuple[Family, ...] = Field(
        ("plain", "plain", "plain", "paper", "concrete", "brick", "tiles", "stripes", "wood", "noise"),
        min_length=1,
        description="textures of the walls, by weight",
    )
    texture_folder: str | None = Field(None, description="folder of .png, .jpg and .webp pictures of surfaces")
    texture_folder_share: Share = Field(
        0.7, description="probability of one of them for table, floor and wall, where there is a folder"
    )
    texture_scale: tuple[AboveZero, AboveZero] = Field(
        (0.7, 1.4), description="factor on a texture's size on a surface"
    )
    tint: Share = Field(
        0.15, description="colours of textures are reduced by a share of up to this, each channel's its own"
    )
    roughness_polished: Shares = Field((0.12, 0.4), description="of polished stone, tiles, metal, lacquer")
    roughness_matt: Shares = Field((0.5, 0.95), description="of other surfaces")
    metallic: Shares = Field((0.7, 1.0), description="of metal")
    bump: Range = Field((0.4, 1.5), description="factor on the depth of a family's own relief; 0 leaves surfaces flat")
    robot_tint: Share = Field(0.12, description="the robot's colours vary by up to this factor")
    robot_recolor: Share = Field(0.15, description="probability that the robot has another colour")
    robot_roughness: Shares = Field((0.2, 0.6), description="of its shell")
    robot_metallic: Shares = Field((0.0, 0.6), description="of a recoloured shell")
    object_tint: Share = Field(0.12, description="objects' colours are reduced by a share of up to this")
    object_roughness: Positive = Field(0.35, description="their roughness by e to the ± up to this")
    object_metallic: Share = Field(0.03, description="probability that an object is of metal")
    glossy: Share = Field(0.1, description="probability that an object shines")
    transparent: Share = Field(0.05, description="probability that an object is of glass, clear or tinted")
    glass_ior: tuple[_Ior, _Ior] = Field((1.3, 1.6), description="its refractive index")


def draw_material(
    name: str,
    families: tuple[str, ...],
    tile: tuple[float, float],
    config: SurfaceRanges,
    rng: Rng,
    upright: bool = False,
    own: bool = False,
) -> MaterialLook:
    """A surface of one of some families, a texture of it covering `tile` [m]. On an `upright` one, patterns stand
    upright. `own` says that the user's textures may be used for it."""
    family, file = str(rng.choice(families)), ""
    if own and config.texture_folder is not None and rng.uniform() < config.texture_folder_share:
        folder = Path(config.texture_folder)
        family, file = "file", str(rng.choice(files_of(folder, PICTURE_FILES, "render.randomize.texture_folder")))
    polished = rng.uniform() < _POLISHED.get(family, 0.0)
    return MaterialLook(
        name=name,
        family=family,
        seed=int(rng.integers(2**31)),
        file=file,
        tile=float(rng.uniform(*tile) * rng.uniform(*config.texture_scale)),
        angle=float(rng.choice([0.0, 0.5 * np.pi]) + rng.normal(0.0, 0.03)) * (not upright),
        offset=(float(rng.uniform()), float(rng.uniform())),
        tint=vec(_tint(config.tint, rng)),
        roughness=float(rng.uniform(*(config.roughness_polished if polished else config.roughness_matt))),
        metallic=float(rng.uniform(*config.metallic)) if family == "metal" else 0.0,
        bump=float(_RELIEF.get(family, 0.0) * rng.uniform(*config.bump) * (LEVELLED if polished else 1.0)),
    )


def draw_robot(config: SurfaceRanges, rng: Rng) -> RobotLook:
    """The robot's own colours a little changed, or another colour."""
    tint = 1.0 - config.robot_tint * rng.uniform(0, 1) + 0.25 * config.robot_tint * rng.uniform(-1, 1, 3)
    hue = colorsys.hsv_to_rgb(rng.uniform(), rng.uniform(0.2, 0.85), rng.uniform(0.25, 0.95))
    recolor, metallic = rng.uniform() < config.robot_recolor, float(rng.uniform(*config.robot_metallic))
    return RobotLook(
        tint=vec(np.array(hue) if recolor else np.clip(tint, 0.0, 1.0)),
        roughness=float(rng.uniform(*config.robot_roughness)),
        metallic=metallic if recolor else 0.0,
    )


def draw_object(config: SurfaceRanges, rng: Rng) -> ObjectLook:
    """An object's own finish a little changed; seldom glass, metal, or polished."""
    tint, roughness = _tint(config.object_tint, rng), float(np.exp(config.object_roughness * rng.uniform(-1, 1)))
    kind, colour = rng.uniform(size=3), np.array(colorsys.hsv_to_rgb(rng.uniform(), rng.uniform(0.05, 0.6), 1.0))
    ior, shine, metal = float(rng.uniform(*config.glass_ior)), float(rng.uniform(0.1, 0.3)), rng.uniform(0.6, 1.0)
    if kind[0] < config.transparent:
        return ObjectLook(vec(colour if rng.uniform() < 0.5 else np.ones(3)), 0.1, 0.0, 1.0, ior)
    glossy, metallic = kind[1] < config.glossy, kind[2] < config.object_metallic
    return ObjectLook(
        vec(tint), shine if glossy else 0.6 * roughness if metallic else roughness, float(metal * metallic), 0.0, 1.5
    )


def _tint(most: float, rng: Rng) -> np.ndarray:
    """A factor (3,) on colours, in [1 − most, 1]: a grey one, and half as much of a colour."""
    return np.clip(1.0 - most * (rng.uniform(0.0, 0.5) + rng.uniform(0.0, 0.5, 3)), 0.0, 1.0)
