"""Floor, walls, the table, its support and the robot's pedestal as boxes, from a scene and a look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syngrasp.records import Scene
from syngrasp.rendering.labels import BACKGROUND, TABLE
from syngrasp.rendering.look import Look

PEDESTAL = (-0.19, -0.14, 0.11, 0.14)
"""x y of the pedestal under the robot's base: lower, then upper [m]."""

WALL = 0.1
"""Thickness of walls and floor [m]."""

FLOOR = 30.0
"""How far a floor without walls runs on [m]."""


@dataclass(frozen=True, slots=True)
class Block:
    """An axis-aligned box in base."""

    lower: tuple[float, float, float]  # [m]
    upper: tuple[float, float, float]
    material: str  # name of one of the look's
    label: int  # in the mask


def floor_height(scene: Scene, look: Look) -> float:
    """z of the floor in base [m]."""
    return min(scene.table_height - look.room.floor_drop, -0.4)


def furniture(scene: Scene, look: Look) -> list[Block]:
    """Everything box-shaped: floor, walls, the robot's pedestal, the table's support, and its top if it is a rectangle,
    a slab under z = table_height."""
    floor, top = floor_height(scene, look), scene.table_height
    blocks = _room(look, floor)
    (x0, y0), (x1, y1) = table_extent(scene, look)
    under, leg = top - look.table.thickness, look.table.leg
    if look.table.shape == "rectangle":
        blocks.append(Block((x0, y0, under), (x1, y1, top), "table", TABLE))
    near = x0 - 0.01
    along, across = _support_inset(look, x1 - x0, y1 - y0)
    x0, y0, x1, y1 = x0 + along, y0 + across, x1 - along, y1 - across
    if look.table.support == "block":
        blocks.append(Block((x0, y0, floor), (x1, y1, under), "support", TABLE))
    elif look.table.support == "trestle":
        for y in (y0, y1 - leg):
            blocks.append(Block((x0, y, floor), (x1, y + leg, under), "support", TABLE))
    elif look.table.support == "column":
        x, y, half = 0.5 * (x0 + x1), 0.5 * (y0 + y1), leg
        foot, plate = (0.3 * (x1 - x0), 0.3 * (y1 - y0)), 0.5 * leg
        blocks.append(Block((x - half, y - half, floor), (x + half, y + half, under), "support", TABLE))
        blocks.append(
            Block((x - foot[0], y - foot[1], floor), (x + foot[0], y + foot[1], floor + plate), "support", TABLE)
        )
    else:
        for x in (x0, x1 - leg):
            for y in (y0, y1 - leg):
                blocks.append(Block((x, y, floor), (x + leg, y + leg, under), "support", TABLE))
    px0, py0, px1, py1 = PEDESTAL
    blocks.append(Block((px0, py0, floor), (min(px1, near), py1, 0.0), "pedestal", BACKGROUND))
    return blocks


def block_boxes(blocks: list[Block]) -> NDArray[np.float64]:
    """Lower and upper corners (K, 2, 3) [m]."""
    return np.array([[block.lower, block.upper] for block in blocks], np.float64).reshape(-1, 2, 3)


def table_extent(scene: Scene, look: Look) -> tuple[tuple[float, float], tuple[float, float]]:
    """Lower and upper x y of the table's top in base [m], as cameras see it."""
    (cx, cy), (sx, sy), margin = scene.table_center, scene.table_size, look.table.margin
    lower = (cx - 0.5 * sx - margin[0], cy - 0.5 * sy - margin[1])
    return lower, (cx + 0.5 * sx + margin[2], cy + 0.5 * sy + margin[3])


def _support_inset(look: Look, length: float, width: float) -> tuple[float, float]:
    """Distance of the support from the sides of the top's rectangle, along x and y [m]: a round top carries less."""
    if look.table.shape != "round":
        corner = corner_radius(look) if look.table.shape == "rounded" else 0.0
        return look.table.inset + 0.3 * corner, look.table.inset + 0.3 * corner
    return 0.16 * length + look.table.inset, 0.16 * width + look.table.inset


def corner_radius(look: Look) -> float:
    """Of a table with rounded corners [m]."""
    return 0.04 + 2.0 * look.table.leg


def in_ellipse(points: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> NDArray[np.bool_]:
    """Whether points (…, 2) lie in the ellipse that touches a rectangle's sides."""
    lower, upper = np.asarray(lower, np.float64), np.asarray(upper, np.float64)
    away = (np.asarray(points, np.float64) - 0.5 * (lower + upper)) / (0.5 * (upper - lower))
    return (away**2).sum(axis=-1) <= 1.0


def _room(look: Look, floor: float) -> list[Block]:
    room = look.room
    (x0, y0), (x1, y1), top = room.lower, room.upper, floor + room.height
    places = {
        "-x": ((x0 - WALL, y0 - WALL, floor), (x0, y1 + WALL, top)),
        "+x": ((x1, y0 - WALL, floor), (x1 + WALL, y1 + WALL, top)),
        "-y": ((x0, y0 - WALL, floor), (x1, y0, top)),
        "+y": ((x0, y1, floor), (x1, y1 + WALL, top)),
    }
    far = FLOOR if not room.walls else 0.0  # without walls the floor runs on under the sky
    slab = Block((x0 - far, y0 - far, floor - WALL), (x1 + far, y1 + far, floor), "floor", BACKGROUND)
    return [slab, *(Block(*places[side], "wall", BACKGROUND) for side in room.walls)]
