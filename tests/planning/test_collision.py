from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from syngrasp import se3
from syngrasp.geometry.hulls import pack_hulls
from syngrasp.geometry.sdf import signed_distance
from syngrasp.planning import kernels, rrt
from syngrasp.planning.arrays import robot_arrays
from syngrasp.planning.collision import SceneField
from tests.planning import clutter
from tests.planning.mujoco_check import Contacts


def _scene(seed: int = 0):
    return clutter.scene_grasps(np.random.default_rng(seed))


def test_ball_clearance_is_the_distance_to_hulls_and_table():
    scene = _scene().scene
    field = SceneField.build(scene, clutter.models_of(scene))
    points = np.random.default_rng(1).uniform((0.3, -0.3, 0.0), (0.75, 0.3, 0.35), (4000, 3))
    radius = 0.01
    exact = points[:, 2] - scene.table_height
    for placed, model in zip(scene.objects, clutter.models_of(scene), strict=True):
        local = se3.transform(se3.invert(se3.matrix_from_pose7(placed.pose)), points)
        exact = np.minimum(exact, placed.scale * signed_distance(pack_hulls(model.hulls), local / placed.scale))
    error = field.sphere_clearance(points[:, None], np.array([radius])) + radius - exact
    cell = max(field.arrays.cell)
    assert np.abs(error[exact < 2 * cell]).max() < cell  # inside the grids, but for the edges they round off
    assert error.max() < cell  # farther off a lower bound
    assert error.min() > -0.03


def test_scaled_objects_are_larger():
    full = _scene().scene
    models = clutter.models_of(full)[:1]
    scene = replace(full, objects=full.objects[:1])
    doubled = replace(full, objects=(replace(full.objects[0], scale=2.0),))
    above = scene.objects[0].pose[:3] + np.array([0.0, 0.0, 0.3])
    fields = [SceneField.build(s, models) for s in (scene, doubled)]
    small, large = (field.sphere_clearance(above[None, None], np.zeros(1))[0] for field in fields)
    half = np.ptp(np.concatenate(models[0].hulls)[:, 2]) / 2
    assert small - large == pytest.approx(half, abs=0.005)


def test_a_field_without_an_object_is_the_field_built_without_it():
    scene = _scene(3).scene
    models = clutter.models_of(scene)
    points = np.random.default_rng(1).uniform((0.25, -0.3, -0.05), (0.75, 0.3, 0.35), (500, 1, 3))
    left_out = SceneField.build(scene, models).without(2).sphere_clearance(points, np.zeros(1))
    built = SceneField.build(scene, models, skip=(2,)).sphere_clearance(points, np.zeros(1))
    assert np.array_equal(left_out, built)


def test_a_scene_without_objects_has_its_table():
    scene = replace(_scene().scene, objects=())
    field = SceneField.build(scene, ())
    over, beside = np.array([0.6, 0.0, 0.3]), np.array([0.1, 0.0, -1.0])
    clearance = field.sphere_clearance(np.stack([over, beside])[:, None], np.array([0.02]))
    assert clearance == pytest.approx([0.3 - scene.table_height - 0.02, 0.62 - 0.4 - 0.1 - 0.02])


def test_configuration_clearance_agrees_with_mujoco():
    arm = clutter.robot()
    free_both = clash_both = total = missed = 0
    for seed in range(4):
        grasps = _scene(seed)
        field, contacts = SceneField.build(grasps.scene, clutter.models_of(grasps.scene)), Contacts(grasps.scene)
        rng = np.random.default_rng(seed)
        q = np.repeat(grasps.q_goal, 4, axis=0)[:150]
        q = np.clip(q + rng.normal(0.0, 0.12, q.shape), arm.limits.q_lower, arm.limits.q_upper)
        width = rng.uniform(0.0, arm.gripper.max_width, len(q))
        clearance = field.configuration_clearance(arm, q, width)
        depth = np.array([contacts.penetration(*pair) for pair in zip(q, width, strict=True)])
        free_both += int(((clearance > 0) & (depth == 0)).sum())
        clash_both += int(((clearance <= 0) & (depth > 0)).sum())
        missed += int(((clearance > 0.001) & (depth > 0.003)).sum())
        total += len(q)
    assert free_both > 50
    assert clash_both > 50
    assert (free_both + clash_both) / total > 0.93  # balls are larger than what they cover
    assert missed / total < 0.005


def test_an_advance_never_passes_a_collision():
    arm = clutter.robot()
    grasps = _scene(1)
    field, arrays = SceneField.build(grasps.scene, clutter.models_of(grasps.scene)), robot_arrays(arm)
    rng = np.random.default_rng(0)
    work, width, margin = kernels.scratch(arrays, field.arrays), 0.08, 0.0
    for _ in range(200):
        q = rng.uniform(arm.limits.q_lower, arm.limits.q_upper)
        dq = rng.normal(0.0, 0.5, arm.dof)
        ahead = kernels.advance(arrays, field.arrays, q, dq, width, margin, work)
        if ahead < 0.0:
            assert field.configuration_clearance(arm, q[None], width)[0] < margin
            continue
        between = q + np.linspace(0.0, ahead, 20)[:, None] * dq
        # Where the arm slides along something the least step is 5 mm, so that it may end that deep.
        assert field.configuration_clearance(arm, between, width).min() > margin - kernels.MIN_ADVANCE


def test_links_that_move_together_do_not_hold_one_another_up():
    arm = clutter.robot()
    scene = replace(_scene().scene, objects=(), table_height=-5.0)
    field, arrays = SceneField.build(scene, ()).arrays, robot_arrays(arm)
    turn = np.zeros(arm.dof)
    turn[0] = 1.0  # of the whole arm about its vertical axis
    ahead = kernels.advance(arrays, field, arm.q_home, turn, 0.08, 0.01, kernels.scratch(arrays, field))
    assert ahead == pytest.approx(kernels.MAX_ADVANCE)


def test_an_edge_is_free_where_every_configuration_on_it_is():
    arm = clutter.robot()
    grasps = _scene(1)
    field, arrays = SceneField.build(grasps.scene, clutter.models_of(grasps.scene)), robot_arrays(arm)
    rng, goals = np.random.default_rng(0), grasps.q_goal
    verdicts = []
    for margin in (0.0, 0.01):
        for _ in range(150):
            start, end = goals[rng.integers(len(goals))], goals[rng.integers(len(goals))]
            start, end = (
                np.clip(q + rng.normal(0.0, 0.3, arm.dof), arm.limits.q_lower, arm.limits.q_upper) for q in (start, end)
            )
            along = start + np.linspace(0.0, 1.0, 500)[:, None] * (end - start)
            least = field.configuration_clearance(arm, along, 0.08).min() - margin
            free = rrt.is_free(arrays, field.arrays, start, end, 0.08, margin)
            assert not free or least > -0.5 * kernels.MIN_ADVANCE
            assert free or least < 1e-6
            verdicts.append(free)
    assert 30 < sum(verdicts) < 270


def test_a_tree_edge_is_free_up_to_where_it_is_said_to_be():
    arm = clutter.robot()
    grasps = _scene(1)
    field, arrays = SceneField.build(grasps.scene, clutter.models_of(grasps.scene)), robot_arrays(arm)
    rng, goals, margin = np.random.default_rng(0), grasps.q_goal, 0.005
    work, point, step = kernels.scratch(arrays, field.arrays), np.empty(arm.dof), np.empty(arm.dof)
    scene = arrays, field.arrays
    fractions = []
    while len(fractions) < 200:
        start, end = (goals[rng.integers(len(goals))] + rng.normal(0.0, 0.3, arm.dof) for _ in range(2))
        if field.configuration_clearance(arm, start[None], 0.08)[0] < margin:
            continue
        fraction = kernels.free_fraction(*scene, start, end, 0.08, margin, 0.3, work, point, step)
        along = start + np.linspace(0.0, fraction, 300)[:, None] * (end - start)
        assert field.configuration_clearance(arm, along, 0.08).min() > margin - 0.5 * kernels.MIN_ADVANCE
        assert (fraction == 1.0) == rrt.is_free(*scene, start, end, 0.08, margin)
        fractions.append(fraction)
    assert 30 < np.sum(np.array(fractions) == 1.0) < 170
    assert np.sum((np.array(fractions) >= 0.3) & (np.array(fractions) < 1.0)) > 20
