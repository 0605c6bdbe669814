"""What a camera sees of the Panda: the decimated meshes of the URDF package, in the robot's colours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import mujoco
import numpy as np

from syngrasp.robots.description import panda_description
from syngrasp.robots.visual import VisualPart, load_parts
from syngrasp.robots.visual_geoms import add_parts

FACES = 24_000  # wanted of the files in all; thin parts keep more, which makes it about 30,000
LINKS = (*(f"link{i}" for i in range(8)), "hand", "finger")
# The part of the finger, in its own frame, that a longer finger stretches [m].
STRETCH_FROM, STRETCH_TO = 0.039, 0.048


@lru_cache(maxsize=1)
def panda_parts() -> dict[str, tuple[VisualPart, ...]]:
    """The decimated parts of LINKS by name, in each link's frame, fingers as Franka delivers them."""
    folder = panda_description() / "meshes" / "visual"
    return load_parts({name: folder / f"{name}.dae" for name in LINKS}, FACES)


def _stretched(part: VisualPart, extension: float) -> VisualPart:
    """A finger's part, longer by `extension` [m] between STRETCH_FROM and STRETCH_TO."""
    vertices = part.vertices.copy()
    share = np.clip((vertices[:, 2] - STRETCH_FROM) / (STRETCH_TO - STRETCH_FROM), 0.0, 1.0)
    vertices[:, 2] += extension * share
    return VisualPart(vertices, part.faces, part.color)


def add_visuals(
    spec: mujoco.MjSpec,
    links: Sequence[mujoco.MjsBody],
    hand: mujoco.MjsBody,
    fingers: Sequence[mujoco.MjsBody],
    extension: float,
) -> None:
    """Adds the visual geoms to the bodies of links 0–7, hand, left and right finger.

    Materials "robot/…" hold linear base colours.
    """
    parts = panda_parts()
    for i, body in enumerate(links):
        add_parts(spec, body, f"robot/link{i}", parts[f"link{i}"])
    add_parts(spec, hand, "robot/hand", parts["hand"])
    finger = tuple(_stretched(part, extension) for part in parts["finger"])
    add_parts(spec, fingers[0], "robot/finger", finger)
    add_parts(spec, fingers[1], "robot/finger", finger, turned=True)
