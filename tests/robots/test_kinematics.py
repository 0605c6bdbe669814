"""Forward and inverse kinematics of every arm are inverse to each other, exact, and continuous."""

from __future__ import annotations

import numpy as np

from syngrasp import se3


def random_configurations(robot, count, seed=0, margin=0.0):
    lower, upper = robot.limits.q_lower + margin, robot.limits.q_upper - margin
    return np.random.default_rng(seed).uniform(lower, upper, size=(count, robot.dof))


def test_fk_multiplies_the_chain(robot):
    for q in random_configurations(robot, 20):
        T = np.eye(4)
        for frame, angle in zip(robot.chain.T_joint, q, strict=True):
            T = T @ frame @ se3.make(se3.matrix_from_rpy([0.0, 0.0, angle]), np.zeros(3))
        assert np.allclose(T @ robot.chain.T_flange_tcp, robot.fk(q), atol=1e-14)


def test_fk_keeps_leading_dimensions(robot):
    q = random_configurations(robot, 6).reshape(2, 3, robot.dof)
    assert robot.fk(q).shape == (2, 3, 4, 4)
    assert np.array_equal(robot.fk(q)[1, 2], robot.fk(q[1, 2]))


def test_home_is_above_the_table_and_points_down(robot):
    T = robot.fk(robot.q_home)
    assert np.allclose(T[:3, 2], [0.0, 0.0, -1.0], atol=1e-9)
    assert 0.3 < T[0, 3] < 0.6
    assert abs(T[1, 3]) < 1e-9
    assert T[2, 3] > 0.4
    assert np.all((robot.q_home > robot.limits.q_lower + 0.2) & (robot.q_home < robot.limits.q_upper - 0.2))


def test_every_ik_answer_reaches_the_pose_within_limits(robot):
    q = random_configurations(robot, 400, seed=1)
    T = robot.fk(q)
    answers, index = robot.ik_batch(T, 48)
    assert len(answers) > 10 * len(q)
    assert np.all(answers >= robot.limits.q_lower)
    assert np.all(answers <= robot.limits.q_upper)
    assert np.abs(robot.fk(answers) - T[index]).max() < 1e-9
    assert np.all(np.diff(index) >= 0)
    for i in (0, 17, 399):
        assert np.array_equal(robot.ik(T[i], 48), answers[index == i])


def test_ik_answers_nothing_out_of_reach(robot):
    T = robot.fk(robot.q_home).copy()
    T[0, 3] = 2.0
    assert robot.ik(T).shape == (0, robot.dof)
    assert robot.ik_near(T, robot.q_home) is None
    assert robot.ik_batch(T[None])[0].shape == (0, robot.dof)


def test_ik_near_returns_to_where_it_is(robot):
    for q in random_configurations(robot, 200, seed=2, margin=0.05):
        near = robot.ik_near(robot.fk(q), q)
        assert near is not None
        assert np.abs(near - q).max() < 1e-4


def test_ik_near_takes_the_least_joint_motion(robot):
    """To first order the nearest configuration is the pseudo-inverse step."""
    rng, h = np.random.default_rng(3), 1e-6
    q = robot.q_home + 0.1
    T0 = robot.fk(q)
    J = np.stack([se3.delta(T0, robot.fk(q + h * e)) / h for e in np.eye(robot.dof)], axis=1)
    for _ in range(10):
        motion = np.concatenate([0.002 * rng.standard_normal(3), 0.01 * rng.standard_normal(3)])
        step = np.linalg.pinv(J) @ motion
        near = robot.ik_near(se3.apply_delta(T0, motion), q)
        assert np.linalg.norm(near - q) < 1.05 * np.linalg.norm(step)
        assert np.abs(near - q - step).max() < 0.05 * np.abs(step).max() + 1e-4


def test_ik_along_a_straight_line_is_smooth(robot):
    """From the home region down to the table: small steps, and steps that change little from one to the next."""
    rng = np.random.default_rng(4)
    complete = 0
    for _ in range(60):
        q = robot.q_home + rng.uniform(-0.35, 0.35, robot.dof)
        T = robot.fk(q)
        line = np.repeat(T[None], 51, axis=0)
        line[:, :3, 3] += np.linspace(0.0, 0.1, 51)[:, None] * T[:3, 2]
        path = robot.ik_along(line, q, 0.05)
        assert np.abs(robot.fk(path) - line[: len(path)]).max() < 1e-9 if len(path) else True
        complete += len(path) == len(line)
        if len(path) > 2:
            steps = np.diff(path, axis=0)
            assert np.abs(np.diff(steps, axis=0)).max() < 2e-3
    assert complete >= 55


def test_ik_does_not_depend_on_its_neighbours(robot):
    T = robot.fk(random_configurations(robot, 8, seed=5))
    whole, index = robot.ik_batch(T, 16)
    half, half_index = robot.ik_batch(T[4:], 16)
    assert np.array_equal(whole[index >= 4], half)
    assert np.array_equal(index[index >= 4] - 4, half_index)


def test_fingers_and_width_are_inverse_to_each_other(robot):
    width = np.linspace(0.0, robot.gripper.max_width, 7).reshape(7, 1)
    assert np.allclose(robot.width_of(robot.finger_positions(width)), width, atol=1e-12)
    assert robot.finger_positions(0.03).ndim == 1
    reach = robot.pad_reach(width[:, 0])
    assert reach[0] == robot.gripper.pad_depth
    assert np.all(reach <= reach[0] + 5e-4)
