"""From a raw object to a catalog's: convex parts, size, mass, distance grid, resting poses, grasps."""

# pyright: reportCallIssue=false
# (pyright takes a default given to `Field` by position for a missing one)

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np

from syngrasp.errors import MeshError
from syngrasp.geometry.antipodal import GripperShape, gripper_shape, sample_grasps
from syngrasp.geometry.placement import stable_poses
from syngrasp.geometry.sdf import build_sdf
from syngrasp.objects.decompose import decompose, union_of
from syngrasp.objects.raw import Description, RawObject
from syngrasp.objects.scaling import ScaleRule, base_scale, scale_range
from syngrasp.records import F64, ObjectEntry, ObjectModel
from syngrasp.robots import RobotConfig, make_robot
from syngrasp.se3 import transform
from syngrasp.seeding import named_rng


@dataclass(frozen=True, slots=True)
class PrepareOptions:
    """How objects are prepared; part of every object's content hash."""

    scale: ScaleRule = field(default_factory=ScaleRule)
    robot: RobotConfig = field(default_factory=lambda: RobotConfig())
    sdf_resolution: int = 48
    grasps: int = 512
    seed: int = 0
    quick: bool = False  # convex parts by V-HACD alone


@dataclass(frozen=True, slots=True, eq=False)
class MassProperties:
    """Of the union of convex parts at density 1."""

    volume: float  # [m³]
    center: F64  # (3,) [m]
    inertia: F64  # (3, 3) about the centre [m⁵]


def prepare(raw: RawObject, about: Description, content_hash: str, options: PrepareOptions) -> ObjectModel:
    """The catalog's object. MeshError where the shape has no volume, no resting pose or no grasp."""
    hulls = raw.hulls or decompose(raw.visual, raw.watertight, options.quick)
    mass = mass_properties(hulls)
    upright = raw.visual.vertices.astype(np.float64)
    if not raw.upright:
        resting, _ = _resting(hulls, mass)
        upright = transform(resting[0], upright)
    limits = scale_range(upright, options.scale)
    factor = base_scale(limits, raw.metric)
    hulls = tuple((hull - mass.center) * factor for hull in hulls)
    visual = replace(raw.visual, vertices=((raw.visual.vertices - mass.center) * factor).astype(np.float32))
    limits = (limits[0] / factor, limits[1] / factor)
    poses, probability = _resting(hulls, None)
    sdf = build_sdf(hulls, options.sdf_resolution)
    rng = named_rng(options.seed, "grasps", about.uid)
    vertices = visual.vertices.astype(np.float64)
    shape = _gripper(options.robot)  # pyright: ignore[reportArgumentType] (a frozen model can be hashed)
    grasps = sample_grasps(vertices, visual.faces, hulls, sdf, shape, rng, options.grasps, scale_range=limits)
    if not len(grasps.width):
        raise MeshError("no_grasp", "no antipodal grasp with force closure fits the gripper")
    x, y, z = (round(float(edge), 6) for edge in np.ptp(visual.vertices, axis=0))
    entry = ObjectEntry(
        uid=about.uid,
        name=about.name,
        category=about.category,
        license=about.license,
        source=about.source,
        attribution=about.attribution,
        faces=len(visual.faces),
        watertight=raw.watertight,
        hulls=len(hulls),
        grasps=len(grasps.width),
        extents=(x, y, z),
        scale_range=(min(limits[0], 1.0), max(limits[1], 1.0)),
        density=about.density,
        upright_only=about.upright_only,
        content_hash=content_hash,
    )
    return ObjectModel(
        entry=entry,
        visual=visual,
        hulls=hulls,
        sdf=sdf,
        volume=mass.volume * factor**3,
        inertia=mass.inertia * factor**5,
        stable_poses=poses,
        stable_probability=probability,
        grasps=grasps,
    )


def mass_properties(hulls: Sequence[F64]) -> MassProperties:
    """Volume, centre of mass and inertia of a union of convex parts (integrals over its surface's tetrahedra)."""
    vertices, faces = union_of(hulls)
    reference = vertices.mean(axis=0)
    corners = vertices[faces] - reference
    six_volume = np.einsum("ti,ti->t", corners[:, 0], np.cross(corners[:, 1], corners[:, 2]))
    volume = float(six_volume.sum() / 6.0)
    size = float(np.ptp(vertices, axis=0).max())
    if not np.isfinite(volume) or volume < 1e-6 * size**3:
        raise MeshError("no_volume", f"its parts enclose {volume:.3g} of a box of edge {size:.3g}")
    total = corners.sum(axis=1)
    center = np.einsum("t,ti->i", six_volume, total) / 24.0 / volume
    # ∫ x xᵀ over a tetrahedron (0, a, b, c) is det/120 · (Σ cᵢcᵢᵀ + s sᵀ) with s = a + b + c.
    second = np.einsum("t,tki,tkj->ij", six_volume, corners, corners) + np.einsum(
        "t,ti,tj->ij", six_volume, total, total
    )
    second = second / 120.0 - volume * np.outer(center, center)
    return MassProperties(volume, reference + center, np.trace(second) * np.eye(3) - second)


def _resting(hulls: Sequence[F64], mass: MassProperties | None) -> tuple[F64, F64]:
    poses, probability = stable_poses(np.concatenate(hulls), np.zeros(3) if mass is None else mass.center)
    if not len(poses):
        raise MeshError("no_resting_pose", "it stands on no face of its hull")
    return poses, probability


@lru_cache(maxsize=2)
def _gripper(config: RobotConfig) -> GripperShape:
    return gripper_shape(make_robot(config))
