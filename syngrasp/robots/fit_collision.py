"""Fits spheres (for planning) and capsules (for physics) to a robot's collision meshes: how `assets/robots` was made.

python -m syngrasp.robots.fit_collision panda | ur5e_2f85
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import trimesh
import yaml
from numpy.typing import NDArray
from scipy.cluster.vq import kmeans2
from scipy.optimize import LinearConstraint, milp, minimize

from syngrasp.errors import UnknownName
from syngrasp.resources import resource
from syngrasp.robots import ur5e_meshes
from syngrasp.robots.description import panda_description

F64 = NDArray[np.float64]


class Fit(NamedTuple):
    """How a robot's meshes are to be covered."""

    prefix: str  # of the files
    mesh: Callable[[str], trimesh.Trimesh]  # of a link, closed, in the link's frame
    bloat: Mapping[str, float]  # how far a sphere may stand out of a link's mesh [m]
    capsules: Mapping[str, int]  # how many for a link
    masses: Mapping[str, float]  # [kg] of links whose inertias are those of the evenly filled mesh
    center: Callable[[str], tuple[float, float, float] | None]  # of such a link's mass, in its frame; None: the mesh's


def _panda_mesh(name: str) -> trimesh.Trimesh:
    return trimesh.load_mesh(panda_description() / "meshes" / "collision" / f"{name}.stl")


FITS = {
    "panda": Fit(
        "panda",
        _panda_mesh,
        {
            "link0": 0.030,
            "link1": 0.020,
            "link2": 0.020,
            "link3": 0.020,
            "link4": 0.020,
            "link5": 0.016,
            "link6": 0.020,
            "link7": 0.012,
            "hand": 0.012,
        },
        {"link1": 2, "link2": 2, "link3": 3, "link4": 3, "link5": 3, "link6": 2, "link7": 2},
        {},
        lambda name: None,
    ),
    "ur5e_2f85": Fit(
        "ur5e",
        ur5e_meshes.collision_mesh,
        {
            "base": 0.030,
            "shoulder": 0.022,
            "upperarm": 0.028,
            "forearm": 0.026,
            "wrist1": 0.016,
            "wrist2": 0.016,
            "wrist3": 0.016,
        },
        {"base": 1, "shoulder": 2, "upperarm": 3, "forearm": 3, "wrist1": 2, "wrist2": 2, "wrist3": 1},
        ur5e_meshes.MASSES,
        ur5e_meshes.center,
    ),
}

_VOIGT = ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2))
UNCOVERED = 0.005  # how far the surface may stand out of the spheres [m]


def cover(mesh: trimesh.Trimesh, bloat: float, *, samples: int = 600, candidates: int = 2500) -> F64:
    """Spheres (K, 4) x y z radius [m] that cover a watertight mesh's surface and stand out at most `bloat` [m].

    Candidates stand inside the mesh, each as large as `bloat` allows; the fewest that cover samples of the surface are
    a set cover, solved as an integer program.
    """
    points, _ = trimesh.sample.sample_surface_even(mesh, samples, seed=0)
    inside = np.random.default_rng(0).uniform(*mesh.bounds, size=(4 * candidates, 3))
    depth = trimesh.proximity.signed_distance(mesh, inside)
    inside, radius = inside[depth > 0.0][:candidates], depth[depth > 0.0][:candidates] + bloat
    covers = np.linalg.norm(points[None] - inside[:, None], axis=-1) <= radius[:, None] + 0.7 * UNCOVERED
    answer = milp(
        np.ones(len(inside)),
        constraints=LinearConstraint(covers.T.astype(float), lb=1.0),
        integrality=np.ones(len(inside)),
        bounds=(0, 1),
        options={"mip_rel_gap": 0.05, "node_limit": 2000},
    )
    if answer.x is None:
        raise ValueError(f"no cover with spheres that stand out {bloat} m: {answer.message}")
    chosen = answer.x > 0.5
    return np.column_stack([inside[chosen], radius[chosen]])


def capsules(mesh: trimesh.Trimesh, count: int, *, spacing: float = 0.012) -> F64:
    """Capsules (count, 7), start xyz, end xyz, radius [m], whose union fits a watertight mesh's volume.

    Least squares, over a grid of points, of how deep a point lies in one of the two bodies but not in the other.
    """
    low, high = mesh.bounds
    axes = [np.arange(a - 0.03, b + 0.03, spacing) for a, b in zip(low, high, strict=True)]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), -1).reshape(-1, 3)
    outside = -trimesh.proximity.signed_distance(mesh, points)
    inner = points[outside < -0.01]

    def loss(x: F64) -> float:
        d = capsule_distance(x.reshape(count, 7), points)
        missed = np.where(outside < 0.0, np.maximum(d, 0.0), 0.0)
        added = np.where(outside > 0.0, np.minimum(np.maximum(-d, 0.0), outside), 0.0)
        return float(1e6 * np.mean(missed**2 + added**2))

    best = None
    for seed in range(3):
        centers, label = kmeans2(inner, count, minit="++", rng=np.random.default_rng(seed))
        start = []
        for k in range(count):
            own = inner[label == k] if np.sum(label == k) > 3 else inner
            axis = np.linalg.eigh(np.cov(own.T))[1][:, -1]
            reach = 0.5 * np.ptp((own - centers[k]) @ axis)
            start.append([*(centers[k] - 0.5 * reach * axis), *(centers[k] + 0.5 * reach * axis), 0.05])
        found = minimize(loss, np.array(start).ravel(), method="L-BFGS-B", options={"maxiter": 80, "maxfun": 2500})
        if best is None or found.fun < best.fun:
            best = found
    assert best is not None
    out = best.x.reshape(count, 7)
    out[:, 6] = np.abs(out[:, 6])
    return out


def capsule_distance(shapes: F64, points: F64) -> F64:
    """Signed distance (N,) of points (N, 3) to the union of capsules (K, 7)."""
    out = np.full(len(points), np.inf)
    for row in shapes:
        a, axis, radius = row[:3], row[3:6] - row[:3], abs(row[6])
        t = np.clip((points - a) @ axis / max(axis @ axis, 1e-12), 0.0, 1.0)
        out = np.minimum(out, np.linalg.norm(points - a - t[:, None] * axis, axis=1) - radius)
    return out


def _write(name: str, header: str, data: dict[str, list[list[float]]]) -> None:
    text = f"# {header}\n" + yaml.safe_dump(data, default_flow_style=None, sort_keys=False, width=110)
    resource(f"assets/robots/{name}.yaml").write_text(text, encoding="utf-8")


def even_inertia(mesh: trimesh.Trimesh, mass: float, center: Sequence[float] | None = None) -> list[float]:
    """Mass [kg], centre x y z [m] and inertia about it xx yy zz xy xz yz [kg·m²] of an evenly filled closed mesh; a
    centre that is given takes the place of the mesh's, about which the inertia stays."""
    inertia = mesh.moment_inertia * mass / mesh.volume
    at = mesh.center_mass if center is None else center
    return [mass, *(round(float(c), 5) + 0.0 for c in at), *(round(float(inertia[i]), 7) for i in _VOIGT)]


def main(kind: str) -> None:
    """Writes the files of a robot."""
    if kind not in FITS:
        raise SystemExit(str(UnknownName("robot", kind, FITS)))
    fit = FITS[kind]
    spheres, shapes, inertias = {}, {}, {}
    for name, bloat in fit.bloat.items():
        mesh = fit.mesh(name)
        found = cover(mesh, bloat)
        spheres[name] = found[np.lexsort(found.T[:3])].round(4).tolist()
        if name in fit.capsules:
            shapes[name] = capsules(mesh, fit.capsules[name]).round(4).tolist()
        if name in fit.masses:
            inertias[name] = even_inertia(mesh, fit.masses[name], fit.center(name))
        print(name, len(found), flush=True)
    made = "in each link's frame; made by syngrasp.robots.fit_collision."
    _write(f"{fit.prefix}_spheres", f"Spheres for planning, x y z radius [m] {made}", spheres)
    _write(f"{fit.prefix}_capsules", f"Capsules for physics, start x y z, end x y z, radius [m] {made}", shapes)
    if inertias:
        header = f"Mass [kg], centre x y z [m], inertia about it xx yy zz xy xz yz [kg·m²] {made}"
        _write(f"{fit.prefix}_inertias", header, inertias)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "panda")
