"""Resting poses rest, their chances are those of trimesh, and places keep apart."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from syngrasp import se3
from syngrasp.geometry.placement import drop_positions, stable_poses
from tests.geometry import solids


@pytest.mark.parametrize("name", list(solids.SOLIDS))
def test_poses_rest_on_the_table(name):
    points = np.concatenate(solids.SOLIDS[name])
    T, probability = stable_poses(points)
    assert 0 < len(T) <= 12
    assert 0.0 < probability.sum() <= 1.0 + 1e-12
    assert (np.diff(probability) <= 1e-9).all()
    for pose in T:
        z = se3.transform(pose, points)[:, 2]
        assert abs(z.min()) < 1e-12
        touching = se3.transform(pose, points)[z < 1e-7]
        assert len(touching) >= 3
        # the centre of mass, above the origin, is over the touching points' hull
        assert np.allclose(pose[:2, 3], 0.0)
        angle = np.sort(np.arctan2(touching[:, 1], touching[:, 0]))
        assert np.diff(np.append(angle, angle[0] + 2.0 * np.pi)).max() <= np.pi + 1e-6


def test_box_has_six_poses_with_the_chances_of_its_faces():
    T, probability = stable_poses(solids.box()[0])
    expected = np.sort(trimesh.poses.compute_stable_poses(trimesh.creation.box((0.04, 0.06, 0.1)), n_samples=1)[1])
    assert np.allclose(np.sort(probability), expected, atol=1e-9)
    assert np.allclose(np.sort(T[:, 2, 3]), [0.02, 0.02, 0.03, 0.03, 0.05, 0.05])


@pytest.mark.parametrize("seed", range(2))
def test_chances_of_an_irregular_body(seed):
    """A pebble: against dropping it without inertia by a walk over its faces, one uniform orientation after another."""
    points = np.random.default_rng(seed).normal(size=(14, 3)) * [0.03, 0.04, 0.06]
    mesh = trimesh.convex.convex_hull(points)
    T, probability = stable_poses(mesh.vertices, mesh.center_mass, limit=100)
    assert probability.sum() == pytest.approx(1.0)
    drawn = np.random.default_rng(9).normal(size=(1200, 3))
    neighbours = {}
    for face, other in mesh.face_adjacency:
        neighbours.setdefault(face, []).append(other)
        neighbours.setdefault(other, []).append(face)
    faces = mesh.ray.intersects_first(np.tile(mesh.center_mass, (len(drawn), 1)), drawn)
    height = np.einsum("fi,fi->f", mesh.triangles_center - mesh.center_mass, mesh.face_normals)
    counts = np.zeros(len(T))
    for face in faces:
        while True:
            foot = mesh.center_mass + height[face] * mesh.face_normals[face]
            bary = trimesh.triangles.points_to_barycentric(mesh.triangles[[face]], foot[None])[0]
            if (bary >= 0.0).all():
                break
            edges = {}
            for k in range(3):
                p, q = mesh.triangles[face][[(k + 1) % 3, (k + 2) % 3]]
                outward = np.cross(q - p, mesh.face_normals[face])
                edges[(foot - p) @ outward / np.linalg.norm(outward)] = set(
                    mesh.faces[face][[(k + 1) % 3, (k + 2) % 3]]
                )
            edge = edges[max(edges)]
            face = next(n for n in neighbours[face] if edge <= set(mesh.faces[n]))
        counts[np.argmax(-T[:, 2, :3] @ mesh.face_normals[face])] += 1
    assert np.abs(counts / len(drawn) - probability).max() < 0.05


def test_cylinder_stands_and_lies():
    T, probability = stable_poses(solids.cylinder()[0])
    upright = np.abs(T[:, 2, 2]) > 0.99
    assert upright.sum() == 2
    assert np.allclose(T[~upright][:, 2, 3], 0.03, atol=1e-3)
    assert np.allclose(probability[upright], probability[upright][0])
    assert probability.sum() == pytest.approx(1.0)
    # it lies on any side: the poses are spread all around
    side = np.sort(np.arctan2(*(-T[~upright][:, 2, [1, 0]]).T))
    assert np.diff(np.append(side, side[0] + 2.0 * np.pi)).max() < np.deg2rad(60.0)


def test_poses_follow_the_body():
    """Moving the points and the centre of mass moves the poses with them."""
    points = np.random.default_rng(0).normal(size=(20, 3)) * [0.03, 0.04, 0.06]
    com = np.array([0.001, 0.002, -0.003])
    T, probability = stable_poses(points, com)
    move = se3.make(se3.random_rotation(np.random.default_rng(1)), np.array([0.1, 0.2, 0.3]))
    T_moved, same = stable_poses(se3.transform(move, points), se3.transform(move, com[None])[0])
    assert np.allclose(same, probability)
    # the same table plane in the body; the turn about the vertical is free
    assert np.allclose((T_moved @ move)[:, 2], T[:, 2], atol=1e-9)


def test_drop_positions_keep_apart():
    for seed in range(20):
        radii = np.random.default_rng(seed).uniform(0.02, 0.09, 8)
        places = drop_positions(np.random.default_rng(seed), radii, [0.3, -0.25], [0.7, 0.25], gap=0.02)
        kept = [(p, r) for p, r in zip(places, radii, strict=True) if p is not None]
        assert len(kept) >= 4
        for i, (p, r) in enumerate(kept):
            assert (p >= [0.3, -0.25]).all()
            assert (p <= [0.7, 0.25]).all()
            for q, s in kept[:i]:
                assert np.linalg.norm(p - q) >= r + s + 0.02
        again = drop_positions(np.random.default_rng(seed), radii, [0.3, -0.25], [0.7, 0.25], gap=0.02)
        assert all(
            (p is None) == (q is None) and (p is None or (p == q).all()) for p, q in zip(places, again, strict=True)
        )


def test_no_room_is_none():
    assert drop_positions(np.random.default_rng(0), [0.4, 0.4], [0.0, 0.0], [0.1, 0.1])[1] is None
