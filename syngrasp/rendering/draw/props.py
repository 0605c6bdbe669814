"""Where things stand that only cameras see: on the table beside the workspace, on the floor, along and on the walls.

Nothing stands in anything else, where the robot or an object will be, or between a camera and the workspace.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from syngrasp.records import Scene
from syngrasp.rendering.draw.room import RESTING
from syngrasp.rendering.draw.surfaces import SurfaceRanges, draw_material
from syngrasp.rendering.free_space import Space
from syngrasp.rendering.furniture import in_ellipse
from syngrasp.rendering.look import MaterialLook, PropLook, RoomLook, TableLook, Vec3
from syngrasp.rendering.prop_kinds import PAINTED, prop_box
from syngrasp.rendering.ranges import AboveZero, Count, Range, Ranges, Rng, Share, count, vec

F64 = NDArray[np.float64]
_TRIES = 30

# Boxes that they fill, from least to largest [m]; what is as deep as wide is round.
_SIZES: dict[str, tuple[Vec3, Vec3]] = {
    "ball": ((0.05, 0.05, 0.05), (0.2, 0.2, 0.2)),
    "books": ((0.13, 0.18, 0.03), (0.2, 0.27, 0.18)),
    "bottle": ((0.06, 0.06, 0.18), (0.09, 0.09, 0.32)),
    "bowl": ((0.1, 0.1, 0.05), (0.22, 0.22, 0.1)),
    "box": ((0.07, 0.07, 0.05), (0.25, 0.3, 0.28)),
    "cone": ((0.08, 0.08, 0.12), (0.16, 0.16, 0.3)),
    "cylinder": ((0.06, 0.06, 0.07), (0.11, 0.11, 0.18)),
    "lamp": ((0.16, 0.16, 0.3), (0.28, 0.28, 0.5)),
    "monitor": ((0.14, 0.4, 0.35), (0.2, 0.6, 0.45)),
    "plant": ((0.15, 0.15, 0.18), (0.3, 0.3, 0.45)),
    "vase": ((0.08, 0.08, 0.12), (0.18, 0.18, 0.32)),
    "chair": ((0.4, 0.4, 0.75), (0.5, 0.5, 0.95)),
    "cupboard": ((0.35, 0.5, 0.6), (0.5, 1.3, 1.7)),
    "shelf": ((0.25, 0.5, 0.7), (0.4, 1.2, 1.7)),
}
_ROUND = frozenset({"ball", "bottle", "bowl", "cone", "cylinder", "lamp", "plant", "vase"})
_FAMILIES: dict[str, tuple[str, ...]] = {
    "box": ("paper", "plain", "wood", "stripes", "checker", "picture"),
    "ball": ("plain", "stripes", "noise", "leather"),
    "chair": ("wood", "wood", "plain", "metal"),
    "cupboard": ("wood", "wood", "plain", "metal"),
    "picture": ("picture",),
}
_OTHERS = ("plain", "plain", "marble", "granite", "terrazzo", "metal", "noise", "stripes", "wood")
_ALIASES = {"cylinder": ("can", "cup", "mug", "jar"), "box": ("box", "carton"), "books": ("book",), "ball": ("ball",)}
"""Words in the target's category that keep a kind away: a second bottle would make an instruction ambiguous."""


PropKind = Literal[
    "ball", "books", "bottle", "bowl", "box", "cone", "cylinder", "lamp", "monitor", "plant", "vase", "chair",
    "cupboard", "shelf",
]  # fmt: skip


class PropRanges(Ranges):
    """How many props, and which. What finds no place is left out."""

    props: Count = Field((0, 6), description="number of things on the table beside the workspace and on the floor")
    prop_kinds: tuple[PropKind, ...] = Field(
        ("ball", "books", "books", "bottle", "bowl", "box", "box", "cone", "cylinder", "lamp", "monitor", "plant",
         "plant", "vase"),
        min_length=1,
        description="their kinds, by weight",
    )  # fmt: skip
    prop_scale: tuple[AboveZero, AboveZero] = Field((0.8, 1.2), description="factor on their usual size")
    prop_on_table: Share = Field(0.5, description="probability that one is put on the table; else on the floor, larger")
    furniture: Count = Field((0, 2), description="number of pieces of furniture along the walls")
    furniture_kinds: tuple[PropKind, ...] = Field(
        ("chair", "cupboard", "shelf"), min_length=1, description="their kinds, by weight"
    )
    pictures: Count = Field((0, 3), description="number of pictures on the walls")
    picture_size: tuple[AboveZero, AboveZero] = Field((0.25, 0.9), description="width and height of a picture [m]")
    picture_height: Range = Field((0.4, 1.5), description="of a picture's lower edge over the floor [m]")
    skirting: Share = Field(0.5, description="probability of skirting boards along the walls")


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """What is there when props are placed."""

    scene: Scene
    room: RoomLook
    floor: float  # z [m]
    table: TableLook
    lower: tuple[float, float]  # x y of the table's top [m]
    upper: tuple[float, float]
    space: Space


def workspace(scene: Scene) -> F64:
    """The box (2, 3) in base over all that lies on the table, that stays free of props [m]."""
    places = np.array([placed.pose[:2] for placed in scene.objects]).reshape(-1, 2)
    lower = np.minimum(places.min(axis=0, initial=np.inf) - RESTING, (0.35, -0.2))
    upper = np.maximum(places.max(axis=0, initial=-np.inf) + RESTING, (0.65, 0.2))
    return np.array([[*lower, scene.table_height - 0.01], [*upper, scene.table_height + 0.7]])


def draw_props(
    site: Site, config: PropRanges, surfaces: SurfaceRanges, rng: Rng
) -> tuple[tuple[PropLook, ...], tuple[MaterialLook, ...]]:
    """Props, and a material of its own for each. They are put into the site's space."""
    props, materials = [], []
    for kind, name, places, families, rng_of in _wanted(site, config, rng):
        prop = _put(site, kind, name, places, config, rng_of)
        if prop is not None:
            props.append(prop)
            materials.append(_prop_material(name, prop, families, surfaces, rng_of))
    return tuple(props), tuple(materials)


def _wanted(site: Site, config: PropRanges, rng: Rng) -> list[tuple[str, str, str, tuple[str, ...], Rng]]:
    """Kind, name of its material, place, families and stream of everything wanted, in the order of placing."""
    numbers = (count(rng, config.furniture), count(rng, config.pictures), count(rng, config.props))
    kinds = [k for k in config.prop_kinds if not _mistaken(k, site.scene.category)] or list(config.prop_kinds)
    chosen: list[tuple[str, str]] = []
    if rng.uniform() < config.skirting:
        chosen += [("box", f"skirting{side}") for side in site.room.walls]
    if site.room.walls:
        chosen += [(str(rng.choice(config.furniture_kinds)), "wall") for _ in range(numbers[0])]
        chosen += [("picture", "wall") for _ in range(numbers[1])]
    for _ in range(numbers[2]):
        chosen.append((str(rng.choice(kinds)), "table" if rng.uniform() < config.prop_on_table else "floor"))
    streams = rng.spawn(len(chosen))
    out = []
    for i, ((kind, place), stream) in enumerate(zip(chosen, streams, strict=True)):
        families = _FAMILIES.get(kind, ("plain",) if kind in PAINTED else _OTHERS)
        out.append((kind, f"prop{i}", place, ("plain", "wood") if place.startswith("skirting") else families, stream))
    return out


def _mistaken(kind: str, category: str) -> bool:
    """Whether a kind of prop could be taken for the target."""
    words = category.lower().replace("_", " ").split()
    return kind in words or any(word in words for word in _ALIASES.get(kind, ()))


def _prop_material(
    name: str, prop: PropLook, families: tuple[str, ...], surfaces: SurfaceRanges, rng: Rng
) -> MaterialLook:
    tile = max(0.12, 1.2 * max(prop.size)) if prop.kind not in ("cupboard", "chair") else 0.8
    material = replace(draw_material(name, families, (0.8 * tile, 1.2 * tile), surfaces, rng, upright=True), bump=0.0)
    if prop.kind == "picture":  # one tile spans its front
        return replace(material, tile=1.0, offset=(0.0, 0.0), angle=0.0)
    if material.family == "picture":
        return replace(material, tile=1.3 * max(prop.size))
    return material


def _put(site: Site, kind: str, name: str, place: str, config: PropRanges, rng: Rng) -> PropLook | None:
    """A prop at a free place of the wanted sort; None where none is found."""
    for _ in range(_TRIES):
        if place.startswith("skirting"):
            prop = _skirting(site, name, place.removeprefix("skirting"), rng)
        elif place == "wall":
            prop = _at_wall(site, kind, name, config, rng)
        else:
            prop = _free_standing(site, kind, name, config, rng, on_table=place == "table")
        if prop is not None and site.space.free(prop_box(prop)):
            site.space.take(prop_box(prop))
            return prop
    return None


def _size(kind: str, scale: float, rng: Rng) -> Vec3:
    low, high = np.array(_SIZES[kind])
    s = rng.uniform(size=3)
    s[1] = s[0] if kind in _ROUND else s[1]
    size = scale * (low + s * (high - low))
    return vec(size if kind != "ball" else np.full(3, size[0]))


def _free_standing(site: Site, kind: str, name: str, config: PropRanges, rng: Rng, on_table: bool) -> PropLook | None:
    """Somewhere on the table's top, or on the floor where a camera may see it."""
    scale = float(rng.uniform(*config.prop_scale)) * (1.0 if on_table else float(rng.uniform(1.3, 2.2)))
    size, yaw = _size(kind, scale, rng), float(rng.uniform(0, 2 * np.pi))
    if on_table:
        (x0, y0), (x1, y1), z = site.lower, site.upper, site.scene.table_height
    else:
        (x0, y0), (x1, y1), z = site.room.lower, (1.0, 1.2), site.floor
    prop = PropLook(
        kind=kind,
        seed=int(rng.integers(2**31)),
        position=(float(rng.uniform(x0, x1)), float(rng.uniform(y0, y1)), z),
        yaw=yaw,
        size=size,
        material=name,
    )
    box = prop_box(prop)
    if on_table:
        corners = np.array([(x, y) for x in box[:, 0] for y in box[:, 1]])
        inside = (corners > (x0 + 0.02, y0 + 0.02)).all() and (corners < (x1 - 0.02, y1 - 0.02)).all()
        if site.table.shape != "rectangle":
            inside = inside and in_ellipse(corners, site.lower, site.upper).all()
        # A thousandth above, so that it shares no face with the top.
        return replace(prop, position=(*prop.position[:2], z + 5e-4)) if inside else None
    inside = (box[0, :2] > np.array(site.room.lower) + 0.03).all()
    under = (box[0, :2] < np.array(site.upper)).all() and (box[1, :2] > np.array(site.lower)).all()
    return replace(prop, position=(*prop.position[:2], z + 5e-4)) if inside and not under else None


def _at_wall(site: Site, kind: str, name: str, config: PropRanges, rng: Rng) -> PropLook | None:
    """With its back to one of the walls: furniture on the floor, a picture on the wall."""
    side, seed = str(rng.choice(site.room.walls)), int(rng.integers(2**31))
    if kind == "picture":
        width, height = rng.uniform(*config.picture_size, size=2)
        size, z, gap = (float(rng.uniform(0.012, 0.03)), float(width), float(height)), 0.0, 0.0
        z = site.floor + float(rng.uniform(*config.picture_height))
        if height > site.room.height - 0.1 or z + height > site.floor + site.room.height - 0.05:
            return None
    else:
        size, z, gap = _size(kind, 1.0, rng), site.floor + 5e-4, 0.03
    return _against(site, side, kind, name, seed, size, z, gap, float(rng.uniform()))


def _against(
    site: Site, side: str, kind: str, name: str, seed: int, size: Vec3, z: float, gap: float, along: float
) -> PropLook:
    """A prop with its back `gap` [m] before a wall, at a share of the way along it that cameras see."""
    axis, sign = "xy".index(side[1]), 1.0 if side[0] == "-" else -1.0
    bound = site.room.lower if sign > 0 else site.room.upper
    low, high = site.room.lower[1 - axis] + 0.02, (1.2, 1.8)[axis - 1]
    place = np.zeros(3)
    place[axis] = bound[axis] + sign * (gap + 1e-3 + 0.5 * size[0])
    place[1 - axis] = low + 0.5 * size[1] + along * max(high - low - size[1], 0.0)
    place[2] = z
    yaw = {("x", 1.0): 0.0, ("x", -1.0): np.pi, ("y", 1.0): 0.5 * np.pi, ("y", -1.0): -0.5 * np.pi}[side[1], sign]
    return PropLook(kind=kind, seed=seed, position=vec(place), yaw=float(yaw), size=size, material=name)


def _skirting(site: Site, name: str, side: str, rng: Rng) -> PropLook:
    axis = "xy".index(side[1])
    length = site.room.upper[1 - axis] - site.room.lower[1 - axis] - 0.06
    size = (float(rng.uniform(0.01, 0.018)), length, float(rng.uniform(0.05, 0.12)))
    return _against(site, side, "box", name, 0, size, site.floor + 5e-4, 0.0, 0.0)
