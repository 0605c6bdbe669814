"""Visual parts as mesh geoms of a MuJoCo spec, in linear colours."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from syngrasp.robots.mjcf import VISUAL_GROUP
from syngrasp.robots.visual import VisualPart, shaded

ALBEDO = 0.86  # of paint whose colour in the files is pure white
ROUGHNESS, METALLIC = 0.45, 0.0


def linear_color(srgb: Sequence[float]) -> list[float]:
    """Linear base colour of an sRGB colour, both in [0, 1], dimmed to a real paint's ALBEDO."""
    c = np.asarray(srgb, dtype=np.float64)
    return [float(v) for v in ALBEDO * np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)]


def add_parts(
    spec: mujoco.MjSpec, body: mujoco.MjsBody, prefix: str, parts: Sequence[VisualPart], turned: bool = False
) -> None:
    """One geom per part, `turned` by half a turn about z; bodies with one `prefix` share meshes.

    Materials "robot/…" hold linear base colours.
    """
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
