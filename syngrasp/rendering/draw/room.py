"""The room and the table's shape: what stands around the scene."""

from __future__ import annotations

from typing import Literal

import numpy as np
from pydantic import Field

from syngrasp.records import Scene
from syngrasp.rendering.furniture import PEDESTAL, in_ellipse
from syngrasp.rendering.look import RoomLook, TableLook
from syngrasp.rendering.ranges import AboveZero, Range, Ranges, Rng, Share

RESTING = 0.13
"""What an object may take up around its place on the table [m]."""


class RoomRanges(Ranges):
    """Distances of floor and walls. Cameras see the walls at −x and −y: there are no others."""

    walls: Share = Field(0.75, description="probability of each of the two walls; without one the environment is seen")
    wall_height: tuple[AboveZero, AboveZero] = Field((2.0, 3.0), description="over the floor [m]")
    wall_behind: Range = Field((0.7, 2.5), description="of the wall behind the robot, at -x, from its base [m]")
    wall_beside: Range = Field((1.2, 3.0), description="of the wall at -y from the robot's base [m]")
    floor_drop: tuple[AboveZero, AboveZero] = Field((0.6, 0.9), description="of the floor below the table's top [m]")
    table_shapes: tuple[Literal["rectangle", "rounded", "round"], ...] = Field(
        ("rectangle", "rectangle", "rectangle", "rounded", "round"), min_length=1, description="by weight"
    )
    table_margin: Range = Field(
        (0.0, 0.25), description="how far the table's top may go on beyond physics' table on each side [m]"
    )
    table_thickness: tuple[AboveZero, AboveZero] = Field((0.018, 0.06), description="of its top [m]")
    table_supports: tuple[Literal["legs", "block", "trestle", "column"], ...] = Field(
        ("legs", "legs", "block", "trestle", "column"), min_length=1, description="what carries it, by weight"
    )
    table_leg: tuple[AboveZero, AboveZero] = Field((0.03, 0.08), description="width of a leg [m]")


def draw_room(config: RoomRanges, rng: Rng) -> RoomLook:
    """Floor and walls."""
    seen = rng.uniform(size=2) < config.walls
    return RoomLook(
        floor_drop=float(rng.uniform(*config.floor_drop)),
        lower=(float(-rng.uniform(*config.wall_behind)), float(-rng.uniform(*config.wall_beside))),
        upper=(float(rng.uniform(2.2, 4.0)), float(rng.uniform(1.8, 3.5))),
        height=float(rng.uniform(*config.wall_height)),
        walls=tuple(side for side, there in zip(("-x", "-y"), seen, strict=True) if there),
    )


def draw_table(scene: Scene, config: RoomRanges, rng: Rng) -> TableLook:
    """A table under all objects of the scene, clear of the robot's pedestal."""
    shape = str(rng.choice(config.table_shapes))
    margin = rng.uniform(*config.table_margin, size=4)
    near = scene.table_center[0] - 0.5 * scene.table_size[0]
    margin[0] = min(margin[0], max(near - PEDESTAL[2] - 0.02, 0.0))
    if shape == "round" and not _carries(scene, margin):
        margin = np.array([margin[0], *np.maximum(margin[1:], config.table_margin[1])])
        shape = "round" if _carries(scene, margin) else "rounded"
    supports = [kind for kind in config.table_supports if shape != "round" or kind in ("legs", "column")]
    a, b, c, d = (float(v) for v in margin)
    return TableLook(
        shape=shape,
        margin=(a, b, c, d),
        thickness=float(rng.uniform(*config.table_thickness)),
        support=str(rng.choice(supports or ["column"])),
        leg=float(rng.uniform(*config.table_leg)),
        inset=float(rng.uniform(0.01, 0.1)),
    )


def _carries(scene: Scene, margin: np.ndarray) -> bool:
    """Whether the ellipse in a table of such margins lies under all that rests on the table."""
    (cx, cy), (sx, sy) = scene.table_center, scene.table_size
    lower = (cx - 0.5 * sx - margin[0], cy - 0.5 * sy - margin[1])
    upper = (cx + 0.5 * sx + margin[2], cy + 0.5 * sy + margin[3])
    places = np.array([placed.pose[:2] for placed in scene.objects]).reshape(-1, 2)
    turn = np.linspace(0.0, 2 * np.pi, 16, endpoint=False)
    rim = RESTING * np.stack([np.cos(turn), np.sin(turn)], axis=-1)
    return bool(in_ellipse(places[:, None] + rim, lower, upper).all())
