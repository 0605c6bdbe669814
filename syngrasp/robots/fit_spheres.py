"""Covering of meshes with few spheres: how the sphere files in `assets/robots` were made.

    python -m syngrasp.robots.fit_spheres panda
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import trimesh
import yaml
from numpy.typing import NDArray
from scipy.optimize import LinearConstraint, milp

F64 = NDArray[np.float64]

# Per mesh of the Panda: how far a sphere may stand out of the mesh [m].
PANDA_BLOAT = {
    "link0": 0.030,
    "link1": 0.020,
    "link2": 0.020,
    "link3": 0.020,
    "link4": 0.020,
    "link5": 0.016,
    "link6": 0.020,
    "link7": 0.012,
    "hand": 0.012,
}
UNCOVERED = 0.005  # how far the surface may stand out of the spheres [m]


def cover(mesh: trimesh.Trimesh, bloat: float, *, samples: int = 600, candidates: int = 2500) -> F64:
    """Spheres (K, 4) x y z radius [m] that cover a watertight mesh's surface and stand out at most `bloat` [m].

    Candidates stand inside the mesh, each as large as `bloat` allows; the fewest that cover samples of the surface are
    a set cover, solved as an integer program.
    """
    points, _ = trimesh.sample.sample_surface_even(mesh, samples, seed=0)
    inside = trimesh.sample.volume_mesh(mesh, 6 * candidates)[:candidates]
    radius = trimesh.proximity.signed_distance(mesh, inside) + bloat
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


def main(kind: str) -> None:
    """Writes the sphere file of a robot."""
    from syngrasp.resources import resource
    from syngrasp.robots.description import panda_description

    if kind != "panda":
        raise SystemExit(f"unknown robot {kind!r}; valid: panda")
    folder = panda_description() / "meshes" / "collision"
    spheres = {}
    np.random.seed(0)  # trimesh.sample.volume_mesh draws from the global stream
    for name, bloat in PANDA_BLOAT.items():
        found = cover(trimesh.load_mesh(folder / f"{name}.stl"), bloat)
        spheres[name] = [[round(float(v), 4) for v in row] for row in found[np.lexsort(found.T[:3])]]
        print(name, len(found))
    header = "# Collision spheres x y z radius [m] in each link's frame; made by syngrasp.robots.fit_spheres.\n"
    text = header + yaml.safe_dump(spheres, default_flow_style=None, sort_keys=False, width=110)
    Path(resource("assets/robots/panda_spheres.yaml")).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "panda")
