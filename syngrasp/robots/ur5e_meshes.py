"""The UR5e's meshes, made from the UR5's.

`example-robot-data` carries the UR5 and no UR5e. The two share their arms' tubes, to within 0.05 mm of length; the UR5e
has a higher base, and longer necks at the wrists. Here the UR5's meshes are stretched at those places to the UR5e's
lengths. What a real UR5e looks like in detail (its caps, its tool connector) they do not show.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syngrasp.robots import ur5e_ik as lengths
from syngrasp.robots.description import robot_folder

if TYPE_CHECKING:
    import trimesh

    from syngrasp.robots.visual import VisualPart

F64 = NDArray[np.float64]

FACES = 24_000  # wanted of the files in all
# Universal Robots, "DH parameters for calculations of kinematics and dynamics", UR5e; the base's is the URDF's.
MASSES = {
    "base": 4.0, "shoulder": 3.761, "upperarm": 8.058, "forearm": 2.846, "wrist1": 1.37, "wrist2": 1.3, "wrist3": 0.365
}  # fmt: skip
# Of mass, from beside them, in the frames of those DH parameters [m].
DH_CENTERS = {
    "shoulder": (0.0, -0.02561, 0.00193), "upperarm": (0.2125, 0.0, 0.11336), "forearm": (0.15, 0.0, 0.0265),
    "wrist1": (0.0, -0.0018, 0.01634), "wrist2": (0.0, 0.0018, 0.01634), "wrist3": (0.0, 0.0, -0.001159)
}  # fmt: skip

# Of the UR5, in its URDF's frames.
SHOULDER_OFFSET = 0.13585  # of the upper arm from axis 1, along the axes 2 to 4 [m]
ELBOW_OFFSET = -0.1197  # of the forearm from the upper arm, likewise [m]
NECK = lengths.SIDE - SHOULDER_OFFSET - ELBOW_OFFSET  # of axis 5 from the forearm's middle, likewise [m]


class _Placing(NamedTuple):
    """How a mesh gets from the file's frame to its link's."""

    turned: bool  # the file's y axis is the link's z, the joint's axis
    axis: int  # that is stretched, in the file's frame
    start: float  # what lies before stays [m]
    end: float  # what lies beyond moves whole [m]
    by: float  # [m]


_PLACING = {
    "base": _Placing(False, 2, 0.012, 0.020, lengths.SHOULDER_Z - 0.089159),
    "shoulder": _Placing(False, 2, 0.0, 1.0, 0.0),
    "upperarm": _Placing(True, 2, 0.0, 1.0, 0.0),
    "forearm": _Placing(True, 2, 0.0, 1.0, 0.0),
    "wrist1": _Placing(True, 1, 0.048, 0.054, NECK - 0.093),
    "wrist2": _Placing(False, 2, 0.050, 0.056, lengths.WRIST - 0.09465),
    "wrist3": _Placing(True, 1, 0.048, 0.060, lengths.FLANGE - 0.0823),
}
LINKS = tuple(_PLACING)  # from the base, link −1 of `Spheres`, outwards


def placed(name: str, vertices: ArrayLike) -> F64:
    """Vertices (V, 3) [m] of a UR5 mesh file as the UR5e's, in the link's frame."""
    rule = _PLACING[name]
    v = np.array(vertices, dtype=np.float64)
    v[:, rule.axis] += rule.by * np.clip((v[:, rule.axis] - rule.start) / (rule.end - rule.start), 0.0, 1.0)
    return np.stack([v[:, 0], -v[:, 2], v[:, 1]], axis=-1) if rule.turned else v


def center(name: str) -> tuple[float, float, float] | None:
    """A link's published centre of mass [m] in the link's frame; None for the base, whose is not published."""
    if name not in DH_CENTERS:
        return None
    x, y, z = DH_CENTERS[name]
    in_link = {
        "shoulder": (-x, z, y),
        "upperarm": (-y, x - lengths.UPPER_ARM, z - SHOULDER_OFFSET),  # DH's x runs back along the tube from its end
        "forearm": (-y, x - lengths.FOREARM, z - SHOULDER_OFFSET - ELBOW_OFFSET),
        "wrist1": (x, -z, NECK + y),
        "wrist2": (x, z, lengths.WRIST - y),
        "wrist3": (x, y, lengths.FLANGE + z),
    }
    return in_link[name]


def collision_mesh(name: str) -> trimesh.Trimesh:
    """A link's closed mesh, in the link's frame."""
    import trimesh

    mesh = trimesh.load_mesh(_file("collision", f"{name}.stl"))
    return trimesh.Trimesh(placed(name, mesh.vertices), mesh.faces)


@lru_cache(maxsize=1)
def visual_parts() -> dict[str, tuple[VisualPart, ...]]:
    """The decimated coloured parts of each of LINKS, in the link's frame."""
    from syngrasp.robots.visual import VisualPart, load_parts

    found = load_parts({name: _file("visual", f"{name}.dae") for name in LINKS}, FACES)
    return {
        name: tuple(VisualPart(placed(name, p.vertices).astype(np.float32), p.faces, p.color) for p in parts)
        for name, parts in found.items()
    }


def _file(use: str, name: str) -> Path:
    return robot_folder("ur_description") / "meshes" / "ur5" / use / name
