"""Laws of the sampled grasps: on the surface, force closure, symmetric in the fingers, free of the object."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from syngrasp import se3
from syngrasp.geometry.antipodal import (
    AntipodalOptions,
    characteristic_length,
    grasp_quality,
    gripper_shape,
    sample_grasps,
    swap_fingers,
)
from syngrasp.geometry.casting import MAX_INTERVALS, antipodal_pairs, pad_support, solid_intervals
from syngrasp.geometry.force_closure import force_closure
from syngrasp.geometry.hulls import pack_hulls
from syngrasp.geometry.sdf import build_sdf, sdf_values, signed_distance
from syngrasp.robots import RobotConfig, make_robot
from tests.geometry import solids

OPTIONS = AntipodalOptions()


@cache
def grasps_of(name: str, seed: int = 0, count: int = 200, scale_range: tuple[float, float] = (1.0, 1.0)):
    parts = solids.SOLIDS[name]
    mesh = solids.mesh_of(parts)
    shape = gripper_shape(make_robot(RobotConfig()))
    rng = np.random.default_rng(seed)
    return sample_grasps(mesh.vertices, mesh.faces, parts, build_sdf(parts), shape, rng, count, scale_range=scale_range)


def contacts_of(grasps):
    half = 0.5 * grasps.width[:, None] * grasps.T_object_tcp[:, :3, 1]
    middle = grasps.T_object_tcp[:, :3, 3]
    return np.stack([middle - half, middle + half], axis=1)


@pytest.mark.parametrize("name", list(solids.SOLIDS))
def test_contacts_are_force_closure_on_the_surface(name):
    grasps = grasps_of(name)
    assert len(grasps.width) == 200
    contacts = contacts_of(grasps)
    distance = signed_distance(pack_hulls(solids.SOLIDS[name]), contacts.reshape(-1, 3))
    assert np.abs(distance).max() < 1e-6
    assert force_closure(contacts, grasps.contact_normals, 0.15).all()
    assert np.allclose(np.linalg.norm(grasps.contact_normals, axis=2), 1.0)
    inward = contacts - 1e-4 * grasps.contact_normals
    assert (signed_distance(pack_hulls(solids.SOLIDS[name]), inward.reshape(-1, 3)) < 0.0).all()
    assert (np.diff(grasps.quality) <= 0.0).all()
    assert grasps.quality.min() > 0.0
    assert grasps.quality.max() <= 1.0
    R = grasps.T_object_tcp[:, :3, :3]
    assert np.allclose(R @ np.swapaxes(R, 1, 2), np.eye(3), atol=1e-9)
    assert np.allclose(np.linalg.det(R), 1.0)


def test_swapping_the_fingers_maps_grasps_to_grasps_of_the_same_quality():
    grasps = grasps_of("halved box")
    swapped = swap_fingers(grasps)
    assert np.allclose(swap_fingers(swapped).T_object_tcp, grasps.T_object_tcp)
    assert np.allclose(contacts_of(swapped), contacts_of(grasps)[:, ::-1])
    assert np.allclose(swapped.T_object_tcp[:, :3, 2], grasps.T_object_tcp[:, :3, 2])
    assert force_closure(contacts_of(swapped), swapped.contact_normals, 0.15).all()
    length = characteristic_length(pack_hulls(solids.SOLIDS["halved box"]))
    before, after = (
        grasp_quality(contacts_of(g), g.contact_normals, np.zeros(3), length, OPTIONS) for g in (grasps, swapped)
    )
    assert np.allclose(after, before, rtol=2e-3)


def test_quality_is_invariant_under_rigid_motion():
    grasps = grasps_of("cylinder")
    contacts, normals = contacts_of(grasps), grasps.contact_normals
    rng = np.random.default_rng(1)
    T = se3.make(se3.random_rotation(rng), rng.normal(size=3))
    before = grasp_quality(contacts, normals, np.zeros(3), 0.06, OPTIONS)
    moved = grasp_quality(se3.transform(T, contacts), normals @ T[:3, :3].T, T[:3, 3], 0.06, OPTIONS)
    assert np.allclose(moved, before, rtol=2e-3)


def test_grasps_cover_the_object():
    """Approaches from all around; places along the whole of a cylinder that the hand can reach."""
    grasps = grasps_of("cylinder")
    approach, place = grasps.T_object_tcp[:, :3, 2], grasps.T_object_tcp[:, :3, 3]
    for axis in np.concatenate([np.eye(3), -np.eye(3)]):
        assert (approach @ axis).max() > 0.7
    assert place[:, 2].min() < -0.035
    assert place[:, 2].max() > 0.035


def test_open_hand_is_free_of_the_object():
    """With 2 mm of tolerance: exactly what is promised."""
    robot = make_robot(RobotConfig())
    shape = gripper_shape(robot)
    for name in ("box", "ring"):
        grasps, sdf = grasps_of(name), build_sdf(solids.SOLIDS[name])
        hand = shape.center.copy()
        hand[:, 1] += 0.5 * shape.finger * shape.max_width
        points = se3.transform(grasps.T_object_tcp, hand)
        value = sdf_values(sdf.values, sdf.origin, sdf.spacing, points.reshape(-1, 3)).reshape(points.shape[:2])
        assert (value - shape.radius).min() > -OPTIONS.collision_tolerance - 1e-9


def test_width_fits_the_gripper_at_some_scale():
    assert grasps_of("box").width.max() <= 0.072
    wide = grasps_of("box", scale_range=(0.6, 1.0)).width
    assert 0.09 < wide.max() <= 0.072 / 0.6


def test_nothing_to_grasp_gives_an_empty_set():
    parts = solids.box((0.2, 0.2, 0.2))
    mesh = solids.mesh_of(parts)
    shape = gripper_shape(make_robot(RobotConfig()))
    found = sample_grasps(mesh.vertices, mesh.faces, parts, build_sdf(parts), shape, np.random.default_rng(0), 10)
    assert found.T_object_tcp.shape == (0, 4, 4)
    assert found.width.shape == found.quality.shape == (0,)
    assert found.contact_normals.shape == (0, 2, 3)


def test_contacts_away_from_the_visible_surface_are_refused():
    parts = solids.box((0.06, 0.06, 0.06))
    visible = solids.mesh_of(solids.box((0.06, 0.04, 0.06)))
    shape = gripper_shape(make_robot(RobotConfig()))
    rng = np.random.default_rng(0)
    found = sample_grasps(visible.vertices, visible.faces, parts, build_sdf(parts), shape, rng, 100)
    assert len(found.width)
    assert (np.abs(found.contact_normals[..., 1]) < 0.5).all()


def test_same_stream_same_grasps():
    first, again = grasps_of("ring"), grasps_of.__wrapped__("ring")
    assert np.array_equal(first.T_object_tcp, again.T_object_tcp)
    assert np.array_equal(first.quality, again.quality)
    assert not np.array_equal(first.T_object_tcp, grasps_of("ring", seed=1).T_object_tcp)


def test_pairs_leave_out_what_is_buried():
    """From any point, by area: none on the seam of a box of two parts, each face as often as it is large."""
    parts = pack_hulls(solids.SOLIDS["halved box"])
    contacts, normals = antipodal_pairs(parts, np.random.default_rng(0).random((20_000, 5)), 0.99, 0.0, 1.0)
    assert np.abs(signed_distance(parts, contacts.reshape(-1, 3))).max() < 1e-9
    across = np.abs(normals[:, 0, 1]) > 0.5
    assert np.abs(contacts[across][..., 1]).min() > 0.029
    straight = np.einsum("ni,ni->n", contacts[:, 1] - contacts[:, 0], -normals[:, 0])
    straight = straight > (1.0 - 1e-9) * np.linalg.norm(contacts[:, 1] - contacts[:, 0], axis=1)
    assert 0.4 < straight.mean() < 0.7
    share = np.array([(normals[straight, 0] @ axis > 0.9).mean() for axis in np.concatenate([np.eye(3), -np.eye(3)])])
    area = np.array([0.06 * 0.1, 0.04 * 0.1, 0.04 * 0.06] * 2)
    assert np.abs(share - area / area.sum()).max() < 0.015


def test_lines_cross_the_union_where_its_distance_vanishes():
    parts = pack_hulls(solids.ring())
    rng = np.random.default_rng(0)
    work = [np.empty(MAX_INTERVALS), np.empty(MAX_INTERVALS)]
    work += [np.empty(MAX_INTERVALS, dtype=np.int64), np.empty(MAX_INTERVALS, dtype=np.int64)]
    crossed = 0
    for _ in range(60):
        origin, direction = 0.02 * rng.normal(size=3), rng.normal(size=3)
        direction /= np.linalg.norm(direction)
        n = solid_intervals(parts, origin, direction, -np.inf, np.inf, *work)
        crossed += n
        ends = np.stack([work[0][:n], work[1][:n]], axis=1)
        assert (np.diff(ends.reshape(-1)) > 0.0).all()
        on = origin + ends.reshape(-1, 1) * direction
        assert np.abs(signed_distance(parts, on)).max(initial=0.0) < 1e-9
        t = np.linspace(-0.1, 0.1, 41)
        inside = ((t[:, None] > ends[:, 0]) & (t[:, None] < ends[:, 1])).any(axis=1)
        distance = signed_distance(parts, origin + t[:, None] * direction)
        clear = np.abs(distance) > 3e-4
        assert np.array_equal(inside[clear], distance[clear] < 0.0)
    assert crossed > 30


def test_pads_rest_fully_on_a_box_and_half_at_its_edge():
    parts = pack_hulls(solids.box())
    disc = np.array([(x, z) for x in np.linspace(-0.007, 0.007, 8) for z in np.linspace(-0.007, 0.007, 8)])
    contacts = np.array([[[-0.02, 0.0, z], [0.02, 0.0, z]] for z in (0.0, 0.05)])
    support, bulge = pad_support(parts, contacts, disc, 0.002, 0.015)
    assert support == pytest.approx([1.0, 0.5])
    assert np.abs(bulge).max() < 1e-9
