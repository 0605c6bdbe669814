"""Objects come to rest on the table, at rest under the true contacts, and again in the same way."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from syngrasp import se3
from syngrasp.physics.settle import SettleOptions, settle
from syngrasp.physics.world import Body, Table, build_world, diverged
from tests.physics.shapes import box, cylinder

TABLE = Table(0.12, (0.65, 0.0), (0.9, 1.2))
MODELS = [box(0.05, 0.04, 0.08), cylinder(0.03, 0.1), cylinder(0.07, 0.02), box(0.15, 0.05, 0.03)]


def drop(seed: int, height: float = 0.01) -> tuple[list[Body], np.ndarray]:
    generator = np.random.default_rng(seed)
    poses = np.zeros((len(MODELS), 7))
    for i, model in enumerate(MODELS):
        R = se3.random_rotation(generator)
        z = TABLE.height + height - (model.hulls[0] @ R.T)[:, 2].min()
        poses[i] = se3.pose7_from_matrix(se3.make(R, [0.4 + 0.2 * (i % 2), -0.1 + 0.2 * (i // 2), z]))
    return [Body(m, 1.0, 0.1 + 0.1 * i, 1.0) for i, m in enumerate(MODELS)], poses


@pytest.mark.parametrize("seed", range(3))
def test_settled_objects_touch_the_table_and_do_not_sink_into_it(seed: int) -> None:
    bodies, poses = drop(seed)
    settled = settle(bodies, poses, TABLE)
    assert settled.at_rest
    assert not settled.diverged
    for body, pose in zip(bodies, settled.poses, strict=True):
        lowest = se3.transform(se3.matrix_from_pose7(pose), body.model.hulls[0])[:, 2].min()
        assert -1e-4 < lowest - TABLE.height < 1e-3


def test_settled_objects_stay_where_they_are_under_the_true_contacts() -> None:
    bodies, poses = drop(1)
    settled = settle(bodies, poses, TABLE)
    world = build_world(bodies, TABLE)
    data = mujoco.MjData(world.model)
    data.qpos[world.object_q] = settled.poses
    mujoco.mj_step(world.model, data, nstep=400)
    assert np.abs(world.object_poses(np.asarray(data.qpos)) - settled.poses).max() < 1e-4


def test_settling_twice_gives_the_same_bits() -> None:
    first, again = (settle(*drop(2), TABLE) for _ in range(2))
    np.testing.assert_array_equal(first.poses, again.poses)
    assert first.time == again.time


def test_what_does_not_come_to_rest_in_time_is_said_to_move() -> None:
    bodies, poses = drop(0, height=0.2)
    assert not settle(bodies, poses, TABLE, options=SettleOptions(max_time=0.1)).at_rest


def test_divergence_is_found_and_stays_off_stderr(capfd: pytest.CaptureFixture[str]) -> None:
    bodies, poses = drop(0)
    world = build_world(bodies, TABLE)
    data = mujoco.MjData(world.model)
    data.qpos[world.object_q] = poses
    assert not diverged(data)
    data.qvel[:] = 1e12
    mujoco.mj_step(world.model, data, nstep=5)
    assert diverged(data)
    assert capfd.readouterr().err == ""


def test_mass_and_inertia_follow_the_scale() -> None:
    model = box(0.05, 0.04, 0.08)
    world = build_world([Body(model, 1.5, 0.3, 1.0)], TABLE)
    x, y, z = 1.5 * np.array([0.05, 0.04, 0.08])
    expected = 0.3 / 12 * np.array([y * y + z * z, x * x + z * z, x * x + y * y])
    body = world.model.body("object0")
    assert body.mass[0] == pytest.approx(0.3)
    np.testing.assert_allclose(np.sort(body.inertia), np.sort(expected), rtol=1e-9)
    np.testing.assert_allclose(body.ipos, 0.0, atol=1e-12)


def test_sleeping_objects_keep_their_poses() -> None:
    bodies, poses = drop(3)
    settled = settle(bodies, poses, TABLE)
    world = build_world(bodies, TABLE, resting=settled.poses)
    data = mujoco.MjData(world.model)
    mujoco.mj_step(world.model, data, nstep=100)
    assert data.ntree_awake == 0
    np.testing.assert_allclose(world.object_poses(np.asarray(data.qpos)), settled.poses, rtol=0, atol=1e-15)
