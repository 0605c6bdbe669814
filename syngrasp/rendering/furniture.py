"""The table, its support and the robot's pedestal as boxes, from a scene and a look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from syngrasp.records import Scene
from syngrasp.rendering.annotate import BACKGROUND, TABLE
from syngrasp.rendering.look import Look

PEDESTAL = (-0.19, -0.14, 0.11, 0.14)
"""x y of the pedestal under the robot's base: lower, then upper [m]."""


@dataclass(frozen=True, slots=True)
class Block:
    """An axis-aligned box in base."""

    lower: tuple[float, float, float]  # [m]
    upper: tuple[float, float, float]
    material: str  # field of Look
    label: int  # in the mask


def floor_height(scene: Scene, look: Look) -> float:
    """z of the floor in base [m]."""
    return min(scene.table_height - look.room.floor_drop, -0.4)


def furniture(scene: Scene, look: Look) -> list[Block]:
    """Everything box-shaped that stands on the floor; the table's top is a slab under z = table_height."""
    floor, top = floor_height(scene, look), scene.table_height
    centre, half = np.array(scene.table_center), 0.5 * np.array(scene.table_size)
    (x0, y0), (x1, y1) = centre - half, centre + half
    under, inset, leg = top - look.table.thickness, look.table.inset, look.table.leg
    blocks = [Block((x0, y0, under), (x1, y1, top), "table_material", TABLE)]
    x0, y0, x1, y1 = x0 + inset, y0 + inset, x1 - inset, y1 - inset
    if look.table.support == "block":
        blocks.append(Block((x0, y0, floor), (x1, y1, under), "support_material", TABLE))
    elif look.table.support == "trestle":
        for y in (y0, y1 - leg):
            blocks.append(Block((x0, y, floor), (x1, y + leg, under), "support_material", TABLE))
    else:
        for x in (x0, x1 - leg):
            for y in (y0, y1 - leg):
                blocks.append(Block((x, y, floor), (x + leg, y + leg, under), "support_material", TABLE))
    near = float(centre[0] - half[0]) - 0.01
    px0, py0, px1, py1 = PEDESTAL
    blocks.append(Block((px0, py0, floor), (min(px1, near), py1, 0.0), "pedestal_material", BACKGROUND))
    return blocks
