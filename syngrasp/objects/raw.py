"""What a source gives before it is prepared: a visual mesh with what is known about the object."""

from __future__ import annotations

from dataclasses import dataclass

from syngrasp.records import F64, VisualMesh


@dataclass(frozen=True, slots=True, eq=False)
class RawObject:
    """A mesh and its story, z up. The frame is the source's own: not yet centred, nor scaled if not `metric`."""

    name: str
    visual: VisualMesh
    watertight: bool
    metric: bool  # lengths are true metres
    upright: bool  # +z is known to be the object's up
    hulls: tuple[F64, ...] | None = None  # convex parts known by construction
    roughness_given: bool = True


@dataclass(frozen=True, slots=True)
class Description:
    """What is said of an object besides its shape; together with the mesh it decides the content hash."""

    uid: str
    name: str
    category: str  # in words
    license: str
    source: str  # builtin, folder, objaverse
    attribution: str
    density: float  # [kg/m³]
    upright_only: bool
