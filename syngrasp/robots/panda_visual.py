"""What a camera sees of the Panda: the decimated meshes of the URDF package, in the robot's colours."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import mujoco
import numpy as np

from syngrasp.robots.description import panda_description
from syngrasp.robots.mjcf import VISUAL_GROUP
from syngrasp.robots.visual import VisualPart, load_parts, shaded

FACES = 24_000  # wanted of the files in all; thin parts keep more, which makes it about 30,000
ALBEDO = 0.86  # of the shell, whose colour in the files is pure white
LINKS = (*(f"link{i}" for i in range(8)), "hand", "finger")
ROUGHNESS, METALLIC = 0.45, 0.0
# The part of the finger, in its own frame, that a longer finger stretches [m].
STRETCH_FROM, STRETCH_TO = 0.039, 0.048


@lru_cache(maxsize=1)
def panda_parts() -> dict[str, tuple[VisualPart, ...]]:
    """The decimated parts of LINKS by name, in each link's frame, fingers as Franka delivers them."""
    folder = panda_description() / "meshes" / "visual"
    return load_parts({name: folder / f"{name}.dae" for name in LINKS}, FACES)


def linear_color(srgb: Sequence[float]) -> list[float]:
    """Linear base colour of an sRGB colour, both in [0, 1], dimmed to a real paint's ALBEDO."""
    c = np.asarray(srgb, dtype=np.float64)
    return [float(v) for v in ALBEDO * np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)]


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
        _add_parts(spec, body, f"robot/link{i}", parts[f"link{i}"])
    _add_parts(spec, hand, "robot/hand", parts["hand"])
    finger = tuple(_stretched(part, extension) for part in parts["finger"])
    _add_parts(spec, fingers[0], "robot/finger", finger)
    _add_parts(spec, fingers[1], "robot/finger", finger, turned=True)


def _add_parts(
    spec: mujoco.MjSpec, body: mujoco.MjsBody, prefix: str, parts: Sequence[VisualPart], turned: bool = False
) -> None:
    """One geom per part; `turned` by half a turn about z."""
    for i, part in enumerate(parts):
        mesh = f"{prefix}/visual/{i}"
        if spec.mesh(mesh) is None:
            vertices, normals, faces = shaded(part)
            spec.add_mesh(
                name=mesh,
                uservert=vertices.ravel(),
                userface=faces.ravel(),
                usernormal=normals.ravel(),
                inertia=mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL,
            )
        geom = body.add_geom(
            name=f"{body.name}/visual/{i}",
            type=mujoco.mjtGeom.mjGEOM_MESH,
            meshname=mesh,
            material=_material(spec, part.color),
            group=VISUAL_GROUP,
            contype=0,
            conaffinity=0,
            mass=0.0,
        )
        if turned:
            geom.quat = [0.0, 0.0, 0.0, 1.0]


def _material(spec: mujoco.MjSpec, color: Sequence[float]) -> str:
    name = "robot/" + "".join(f"{round(255 * c):02x}" for c in color)
    if spec.material(name) is None:
        rgba = [*linear_color(color), 1.0]
        spec.add_material(name=name, rgba=rgba, roughness=ROUGHNESS, metallic=METALLIC, specular=0.3, shininess=0.3)
    return name
