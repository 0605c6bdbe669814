"""What grasp synthesis costs, beside the same steps in numpy with trimesh and Embree in the same run.

    python -m tests.benchmarks.bench_geometry [--json]

CPU time of one thread; compare the ratios, not the milliseconds of different machines.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

import numpy as np
import trimesh

from syngrasp.geometry.antipodal import AntipodalOptions, gripper_shape, sample_grasps, sample_pairs
from syngrasp.geometry.force_closure import force_closure, soft_finger_epsilon, wrench_ellipsoids
from syngrasp.geometry.hulls import pack_hulls
from syngrasp.geometry.placement import stable_poses
from syngrasp.geometry.sdf import build_sdf
from syngrasp.robots import RobotConfig, make_robot
from tests.geometry import solids

POINTS = 20_000  # surface points of one round of the sampler
COUNT = 512  # grasps of one object
FRICTION, WIDEST = 0.15, 0.072


def cpu(work: Callable[[], object], repeats: int = 3) -> float:
    """Least CPU time [s] of a call, after one that warms up."""
    work()
    best = np.inf
    for _ in range(repeats):
        begin = time.process_time_ns()
        work()
        best = min(best, time.process_time_ns() - begin)
    return best / 1e9


def embree_pairs(mesh: trimesh.Trimesh, rng: np.random.Generator) -> int:
    """Force-closure pairs by trimesh's sampling and Embree's rays: as `sample_pairs`, to the first surface behind."""
    points, face = trimesh.sample.sample_surface(mesh, POINTS, seed=int(rng.integers(2**31)))
    normals = mesh.face_normals[face]
    angle, turn = np.arctan(FRICTION) * np.sqrt(rng.random(len(points))), rng.uniform(0.0, 2.0 * np.pi, len(points))
    e1 = np.cross(normals, np.eye(3)[np.argmin(np.abs(normals), axis=1)])
    e1 /= np.linalg.norm(e1, axis=1, keepdims=True)
    side = np.cos(turn)[:, None] * e1 + np.sin(turn)[:, None] * np.cross(normals, e1)
    oblique = rng.random(len(points)) < 0.5
    angle = np.where(oblique, angle, 0.0)
    direction = -np.cos(angle)[:, None] * normals + np.sin(angle)[:, None] * side
    at, ray, hit = mesh.ray.intersects_location(points + 1e-5 * direction, direction, multiple_hits=False)
    contacts = np.stack([points[ray], at], axis=1)
    width = np.linalg.norm(contacts[:, 1] - contacts[:, 0], axis=1)
    fits = (width > 0.002) & (width < WIDEST)
    pair = np.stack([normals[ray], mesh.face_normals[hit]], axis=1)
    return int((force_closure(contacts[fits], pair[fits], FRICTION)).sum())


def bench_sampler(name: str) -> dict[str, float]:
    """Pairs and grasps per CPU second on one solid, and the ratio to numpy with Embree."""
    parts = solids.SOLIDS[name]
    mesh, packed, sdf = solids.mesh_of(parts), pack_hulls(parts), build_sdf(parts)
    shape, options = gripper_shape(make_robot(RobotConfig())), AntipodalOptions()
    ours = cpu(lambda: sample_pairs(packed, np.random.default_rng(0), POINTS, options, WIDEST))
    found = len(sample_pairs(packed, np.random.default_rng(0), POINTS, options, WIDEST)[0])
    mesh.ray.intersects_any(np.zeros((1, 3)), np.ones((1, 3)))  # builds Embree's tree
    theirs = cpu(lambda: embree_pairs(mesh, np.random.default_rng(0)))
    found_theirs = embree_pairs(mesh, np.random.default_rng(0))

    def grasps() -> object:
        return sample_grasps(mesh.vertices, mesh.faces, parts, sdf, shape, np.random.default_rng(0), COUNT)

    whole = cpu(grasps)
    return {
        "rays_per_s": POINTS / ours,
        "pairs_per_s": found / ours,
        "embree_pairs_per_s": found_theirs / theirs,
        "ratio": (found / ours) / (found_theirs / theirs),
        "ms_per_object": whole * 1e3,
        "grasps_per_s": COUNT / whole,
    }


def bench_force_closure() -> dict[str, float]:
    """The closed form on a million pairs, and ε per second."""
    rng = np.random.default_rng(0)
    middle, line = 0.02 * rng.normal(size=(1_000_000, 3)), rng.normal(size=(1_000_000, 3))
    line /= np.linalg.norm(line, axis=1, keepdims=True)
    contacts = np.stack([middle - 0.02 * line, middle + 0.02 * line], axis=1)
    normals = np.stack([-line, line], axis=1) + 0.05 * rng.normal(size=contacts.shape)
    normals /= np.linalg.norm(normals, axis=2, keepdims=True)
    some = np.flatnonzero(force_closure(contacts[:4000], normals[:4000], FRICTION))[:400]
    arguments = (contacts[some], normals[some], np.zeros(3), FRICTION, 0.003, 0.06)
    a, B = wrench_ellipsoids(*(x[:1] if i < 2 else x for i, x in enumerate(arguments)))
    ball = np.asarray(trimesh.creation.icosphere(subdivisions=1).vertices)
    points = np.concatenate([a[0, i] + ball @ B[0, i].T for i in range(2)])

    from scipy.spatial import ConvexHull

    exact = len(some) / cpu(lambda: soft_finger_epsilon(*arguments))
    hull = 1.0 / cpu(lambda: ConvexHull(points, qhull_options="QJ"), repeats=1)
    return {
        "closed_form_pairs_per_s": len(contacts) / cpu(lambda: force_closure(contacts, normals, FRICTION)),
        "epsilon_per_s": exact,
        "qhull_epsilon_per_s": hull,
        "ratio": exact / hull,
    }


def bench_sdf(name: str) -> dict[str, float]:
    """Distance grids; trimesh answers a hundredth of the points, on one closed surface without parts in parts."""
    parts = solids.SOLIDS[name]
    grid = build_sdf(parts)
    index = np.argwhere(np.ones(grid.values.shape))[::100]
    mesh = solids.mesh_of(parts)
    points = grid.origin + grid.spacing * index
    ours = grid.values.size / cpu(lambda: build_sdf(parts))
    theirs = len(points) / cpu(lambda: trimesh.proximity.signed_distance(mesh, points), repeats=1)
    return {"points_per_s": ours, "trimesh_points_per_s": theirs, "ratio": ours / theirs, "points": grid.values.size}


def bench_stable_poses(name: str) -> dict[str, float]:
    """Stable poses of a convex hull; trimesh without sampling of the centre of mass."""
    points = np.concatenate(solids.SOLIDS[name])
    hull = trimesh.convex.convex_hull(points)
    ours = cpu(lambda: stable_poses(points))
    theirs = cpu(lambda: trimesh.poses.compute_stable_poses(hull, n_samples=1), repeats=1)
    return {"ms": ours * 1e3, "trimesh_ms": theirs * 1e3, "ratio": theirs / ours}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    report: dict[str, dict[str, float]] = {}
    arguments = parser.parse_args()
    for name in ("box", "cylinder", "ring"):
        report[f"sampler {name}"] = bench_sampler(name)
    report["force closure"] = bench_force_closure()
    for name in ("box", "sphere", "ring"):
        report[f"sdf {name}"] = bench_sdf(name)
    for name in ("box", "cylinder"):
        report[f"stable poses {name}"] = bench_stable_poses(name)
    if arguments.json:
        print(json.dumps(report))
        return
    for title, figures in report.items():
        print(f"{title:24s}" + "  ".join(f"{key} {value:,.4g}" for key, value in figures.items()))


if __name__ == "__main__":
    main()
