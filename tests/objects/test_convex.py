"""Convex pieces and thinned hulls."""

from __future__ import annotations

import numpy as np
from scipy.spatial import ConvexHull

from syngrasp.objects.convex import hull_volume, thin, wedges_of
from syngrasp.objects.lofts import ball, block, ring, tube, vessel
from syngrasp.objects.part import cut, join
from syngrasp.objects.simplify import is_watertight


def test_a_thinned_hull_keeps_size_and_volume() -> None:
    rng = np.random.default_rng(0)
    sphere = rng.standard_normal((4000, 3))
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    for limit in (40, 64):
        thinned = thin(sphere, limit)
        assert len(thinned) <= limit
        assert 0.9 < ConvexHull(thinned).volume / (4.0 / 3.0 * np.pi) < 1.05
        assert np.linalg.norm(thinned, axis=1).max() < 1.05


def test_a_box_with_points_on_its_faces_is_thinned_to_its_corners() -> None:
    rng = np.random.default_rng(0)
    points = rng.uniform(-1.0, 1.0, (500, 3))
    points[np.arange(500), rng.integers(0, 3, 500)] = 1.0
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=float)
    thinned = thin(np.concatenate([points, corners]))
    assert np.isclose(ConvexHull(thinned).volume, 8.0)


def test_wedges_fill_their_ring() -> None:
    section = np.array([(0.03, 0.0), (0.05, 0.0), (0.05, 0.02), (0.03, 0.02)])
    exact = np.pi * (0.05**2 - 0.03**2) * 0.02
    assert np.isclose(hull_volume(wedges_of(section, 12)), exact, rtol=1e-3)


def test_booleans_keep_colours_normals_and_volume() -> None:
    red, blue = (0.8, 0.0, 0.0), (0.0, 0.0, 0.8)
    whole = block((0.1, 0.1, 0.1), red, bevel=0.001)
    bite = ball((0.03, 0.03, 0.03), blue).at(z=0.05)
    left, bitten = join(whole, bite), cut(whole, bite)
    assert is_watertight(left.faces)
    assert is_watertight(bitten.faces)
    assert np.isclose(left.volume + whole.volume, bitten.volume + whole.volume + bite.volume, rtol=1e-9)
    for part in (left, bitten):
        assert {tuple(color) for color in part.color} == {red, blue}
        assert (np.einsum("tci,ti->tc", part.normals, part.face_normals) > 0.7).all()
    # The bite's own surface looks into the hole.
    hole = (bitten.color == blue).all(axis=1)
    assert (np.einsum("ti,ti->t", bitten.centers[hole] - [0, 0, 0.05], bitten.normals[hole].mean(axis=1)) < 0.0).all()


def test_volumes_agree_with_closed_forms() -> None:
    exact = 2.0 * np.pi**2 * 0.04 * 0.01**2
    torus = ring(0.04, 0.01, (1, 1, 1))
    assert np.isclose(torus.volume, exact, rtol=0.03)
    assert np.isclose(hull_volume(torus.hulls), exact, rtol=0.06)
    rod = tube([(0, 0, 0), (0.05, 0, 0), (0.1, 0, 0)], 0.01, (1, 1, 1), sides=32)
    assert np.isclose(rod.volume, np.pi * 0.01**2 * 0.1, rtol=0.02)
    cup = vessel([(0, 0), (0.04, 0), (0.04, 0.09)], [(0, 0.005), (0.035, 0.005), (0.035, 0.09)], (1, 1, 1))
    assert np.isclose(cup.volume, np.pi * (0.04**2 * 0.09 - 0.035**2 * 0.085), rtol=0.01)
    assert np.isclose(hull_volume(cup.hulls), cup.volume, rtol=0.05)
