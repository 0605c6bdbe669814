"""Signed distances are those of the union of the parts."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from syngrasp.geometry.hulls import pack_hulls
from syngrasp.geometry.sdf import build_sdf, sdf_value, sdf_value_gradient, sdf_values, signed_distance
from tests.geometry import solids


def box_distance(points, size):
    gap = np.abs(points) - 0.5 * np.asarray(size)
    return np.linalg.norm(np.maximum(gap, 0.0), axis=1) + np.minimum(gap.max(axis=1), 0.0)


def around(parts, count=4000, reach=0.5):
    """Points in the bounding box grown by a share of its longest side."""
    low, high = np.concatenate(parts).min(axis=0), np.concatenate(parts).max(axis=0)
    pad = reach * (high - low).max()
    return np.random.default_rng(0).uniform(low - pad, high + pad, (count, 3))


@pytest.mark.parametrize("name", ["box", "halved box"])
def test_box_is_exact_however_it_is_cut(name):
    parts = solids.SOLIDS[name]
    points = around(parts)
    exact = box_distance(points, (0.04, 0.06, 0.1))
    assert np.abs(signed_distance(pack_hulls(parts), points) - exact).max() < 1e-12


@pytest.mark.parametrize("seed", range(4))
def test_single_part_agrees_with_trimesh(seed):
    cloud = np.random.default_rng(seed).normal(size=(60, 3)) * [0.03, 0.05, 0.001 if seed == 3 else 0.02]
    points = np.random.default_rng(seed + 9).normal(size=(1500, 3)) * 0.08
    expected = -trimesh.proximity.signed_distance(trimesh.convex.convex_hull(cloud), points)
    assert np.abs(signed_distance(pack_hulls([cloud]), points) - expected).max() < 1e-5


def test_union_outside_is_the_nearest_part():
    parts = solids.ring()
    points = around(parts)
    nearest = np.min([signed_distance(pack_hulls([p]), points) for p in parts], axis=0)
    outside = nearest > 0.0
    assert np.allclose(signed_distance(pack_hulls(parts), points)[outside], nearest[outside], atol=1e-12)


def test_union_inside_reaches_through_the_seams():
    """Deep in a segmented torus the depth is the tube's, not that to the next seam."""
    parts = solids.ring()
    angle = np.linspace(0.0, 2.0 * np.pi, 200)
    # the tube's middle runs along chords between the segments' ends
    middle = np.stack([0.05 * np.cos(angle), 0.05 * np.sin(angle), 0.0 * angle], axis=1)
    depth = -signed_distance(pack_hulls(parts), middle)
    assert depth.min() > 0.0095
    assert depth.max() < 0.0125


@pytest.mark.parametrize("name", list(solids.SOLIDS))
def test_grid_interpolates_within_half_a_cell(name):
    parts = solids.SOLIDS[name]
    grid = build_sdf(parts)
    assert max(grid.values.shape) == 48
    points = around(parts, reach=0.0)
    error = sdf_values(grid.values, grid.origin, grid.spacing, points) - signed_distance(pack_hulls(parts), points)
    assert np.abs(error).mean() < 0.06 * grid.spacing
    near = np.abs(error)[np.abs(signed_distance(pack_hulls(parts), points)) < 2.0 * grid.spacing]
    assert near.max() < 0.5 * grid.spacing


def test_sphere_grid_is_close_to_the_sphere():
    grid = build_sdf(solids.sphere(0.04))
    points = around(solids.sphere(0.04), reach=0.05)
    exact = np.linalg.norm(points, axis=1) - 0.04
    keep = exact > -0.02  # towards the centre the distance has a kink
    assert np.abs(sdf_values(grid.values, grid.origin, grid.spacing, points) - exact)[keep].max() < 6e-4


def test_outside_the_grid():
    """Exact over a flat face, and elsewhere between the surface's bounds: never more than value + distance to the
    grid, never less than their hypotenuse for a unit gradient."""
    size = (0.04, 0.06, 0.1)
    grid = build_sdf(solids.box(size))
    over = np.array([[0.0, 0.0, z] for z in (0.08, 0.2, 1.0)])
    assert np.allclose(sdf_values(grid.values, grid.origin, grid.spacing, over), over[:, 2] - 0.05, atol=1e-6)
    points = around(solids.box(size), reach=2.0)
    top = grid.origin + grid.spacing * (np.array(grid.values.shape) - 1)
    outside = ((points < grid.origin) | (points > top)).any(axis=1)
    points = points[outside]
    value = sdf_values(grid.values, grid.origin, grid.spacing, points)
    clamped = np.clip(points, grid.origin, top)
    gap = np.linalg.norm(points - clamped, axis=1)
    at_edge = sdf_values(grid.values, grid.origin, grid.spacing, clamped)
    assert (value <= at_edge + gap + 1e-9).all()
    assert np.abs(value - box_distance(points, size)).max() < 2.0 * grid.spacing


def test_gradient_is_the_derivative():
    parts = solids.ring()
    grid = build_sdf(parts)
    step = 1e-7
    for p in around(parts, 200, reach=0.0):
        cell = (p - grid.origin) / grid.spacing % 1.0
        if (np.minimum(cell, 1.0 - cell) < 1e-3).any():
            continue
        gradient = sdf_value_gradient(grid.values, grid.origin, grid.spacing, *p)[1:]
        for axis in range(3):
            e = np.zeros(3)
            e[axis] = step
            high = sdf_value(grid.values, grid.origin, grid.spacing, *(p + e))
            low = sdf_value(grid.values, grid.origin, grid.spacing, *(p - e))
            assert abs((high - low) / (2.0 * step) - gradient[axis]) < 1e-4


def test_flat_part_and_bad_input():
    flat = np.array([[0.0, 0, 0], [0.05, 0, 0], [0, 0.05, 0], [0.05, 0.05, 0]])
    grid = build_sdf([flat])
    assert np.isfinite(grid.values).all()
    with pytest.raises(ValueError, match="no convex parts"):
        build_sdf([])
    with pytest.raises(ValueError, match="resolution 4"):
        build_sdf(solids.box(), resolution=4)
