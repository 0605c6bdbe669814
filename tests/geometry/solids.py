"""Solids for the geometry tests: each a tuple of convex parts, with the centre of mass at the origin."""

from __future__ import annotations

import numpy as np
import trimesh
from numpy.typing import NDArray

F64 = NDArray[np.float64]
Parts = tuple[F64, ...]


def box(size: tuple[float, float, float] = (0.04, 0.06, 0.1)) -> Parts:
    return (np.asarray(trimesh.creation.box(size).vertices),)


def halved_box(size: tuple[float, float, float] = (0.04, 0.06, 0.1)) -> Parts:
    """The same box as two parts that share a face."""
    lower, upper = box(size)[0].copy(), box(size)[0].copy()
    lower[:, 1], upper[:, 1] = np.minimum(lower[:, 1], 0.0), np.maximum(upper[:, 1], 0.0)
    return lower, upper


def sphere(radius: float = 0.03) -> Parts:
    return (np.asarray(trimesh.creation.icosphere(subdivisions=3, radius=radius).vertices),)


def cylinder(radius: float = 0.03, height: float = 0.12) -> Parts:
    return (np.asarray(trimesh.creation.cylinder(radius, height, sections=48).vertices),)


def ring(radius: float = 0.05, thickness: float = 0.012, parts: int = 16) -> Parts:
    """A torus of convex segments that touch."""
    out = []
    for a0, a1 in (2.0 * np.pi * np.array([i, i + 1]) / parts for i in range(parts)):
        b = np.linspace(0.0, 2.0 * np.pi, 20, endpoint=False)
        r, z = radius + thickness * np.cos(b), thickness * np.sin(b)
        out.append(np.concatenate([np.stack([r * np.cos(a), r * np.sin(a), z], axis=1) for a in (a0, a1)]))
    return tuple(out)


SOLIDS = {"box": box(), "halved box": halved_box(), "sphere": sphere(), "cylinder": cylinder(), "ring": ring()}


def mesh_of(parts: Parts) -> trimesh.Trimesh:
    """The surfaces of all parts."""
    return trimesh.util.concatenate([trimesh.convex.convex_hull(p) for p in parts])
