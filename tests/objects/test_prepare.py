"""Prepared objects obey mechanics and the scale rule."""

from __future__ import annotations

import numpy as np
import pytest

from syngrasp.geometry.hulls import pack_hulls
from syngrasp.objects import procedural
from syngrasp.objects.part import Part
from syngrasp.objects.prepare import PrepareOptions, mass_properties, prepare
from syngrasp.objects.scaling import ScaleRule, box_edges
from syngrasp.records import ObjectModel
from syngrasp.se3 import matrix_from_rpy, transform

FAMILIES = ("mug", "bowl", "bottle", "hammer", "phone", "banana", "marker")


@pytest.fixture(scope="module")
def models() -> dict[str, ObjectModel]:
    options = PrepareOptions(grasps=128)
    return {f: prepare(procedural.make_object(f, 0, 0), procedural.describe(f, 0, 0), "", options) for f in FAMILIES}


def test_mass_properties_of_a_box_and_their_covariance() -> None:
    size = np.array([0.1, 0.2, 0.3])
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * size / 2.0
    R, t = matrix_from_rpy([0.4, -0.7, 1.9]), np.array([0.3, -0.2, 0.5])
    # Two halves that overlap make the same body.
    halves = [corners * [1, 1, 0.6] + [0, 0, z * 0.06] for z in (-1, 1)]
    mass = mass_properties([half @ R.T + t for half in halves])
    volume = size.prod()
    inertia = (
        volume / 12.0 * np.diag([size[1] ** 2 + size[2] ** 2, size[0] ** 2 + size[2] ** 2, size[0] ** 2 + size[1] ** 2])
    )
    assert np.isclose(mass.volume, volume)
    assert np.allclose(mass.center, t)
    assert np.allclose(mass.inertia, R @ inertia @ R.T)


def test_the_origin_is_the_centre_of_mass(models) -> None:
    for family, model in models.items():
        mass = mass_properties(model.hulls)
        assert np.allclose(mass.center, 0.0, atol=1e-7), family
        assert np.isclose(mass.volume, model.volume), family
        assert np.allclose(mass.inertia, model.inertia), family
        moments = np.linalg.eigvalsh(model.inertia)
        assert moments[0] > 0.0
        assert moments[2] <= moments[0] + moments[1] + 1e-15, family


def test_resting_poses_touch_the_table_below_the_centre_of_mass(models) -> None:
    for family, model in models.items():
        points = np.concatenate(model.hulls)
        assert 0.0 < model.stable_probability.sum() <= 1.0 + 1e-9
        assert (np.diff(model.stable_probability) <= 1e-9).all()
        for T in model.stable_poses:
            resting = transform(T, points)
            assert np.isclose(resting[:, 2].min(), 0.0, atol=1e-9), family
            touching = resting[resting[:, 2] < 1e-4, :2]
            assert (touching.min(axis=0) <= T[:2, 3] + 1e-3).all(), family
            assert (touching.max(axis=0) >= T[:2, 3] - 1e-3).all(), family


def test_scale_one_lies_in_the_range_and_the_rule_holds(models) -> None:
    rule = ScaleRule()
    for family, model in models.items():
        low, high = model.entry.scale_range
        assert low <= 1.0 <= high, family
        short, long, vertical = box_edges(model.visual.vertices.astype(np.float64))
        assert high * short <= rule.grasp_edge + 1e-4, family
        assert high * max(long, vertical) <= rule.longest_edge + 1e-4, family
        flat = low * min(short, vertical) < rule.shortest_edge - 1e-4
        assert not flat or np.isclose(low, rule.flat_range * high, rtol=1e-3), family


def test_grasps_are_rigid_fit_the_hand_and_touch_the_object(models) -> None:
    for family, model in models.items():
        grasps = model.grasps
        assert len(grasps.width) == model.entry.grasps > 20, family
        R = grasps.T_object_tcp[:, :3, :3]
        assert np.allclose(R @ R.transpose(0, 2, 1), np.eye(3), atol=1e-9)
        assert (grasps.width * model.entry.scale_range[0] <= 0.08).all()
        assert (np.diff(grasps.quality) <= 1e-12).all(), family
        parts = pack_hulls(model.hulls)
        tip = grasps.T_object_tcp[:, :3, 3] + 0.5 * grasps.width[:, None] * R[:, :, 1]
        assert (tip >= parts.lower.min(axis=0) - 1e-3).all()
        assert (tip <= parts.upper.max(axis=0) + 1e-3).all()


def test_the_same_object_is_prepared_the_same() -> None:
    options = PrepareOptions(grasps=64)
    first, second = (
        prepare(procedural.make_object("jar", 3, 1), procedural.describe("jar", 3, 1), "", options) for _ in range(2)
    )
    assert np.array_equal(first.grasps.T_object_tcp, second.grasps.T_object_tcp)
    assert np.array_equal(first.sdf.values, second.sdf.values)
    assert all(np.array_equal(a, b) for a, b in zip(first.hulls, second.hulls, strict=True))


def test_parts_know_their_volume() -> None:
    part: Part = procedural.make_instance("dumbbell", 0, 0)[0]
    assert np.isclose(mass_properties(part.hulls).volume, part.volume, rtol=0.02)
