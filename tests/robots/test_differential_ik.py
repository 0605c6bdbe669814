"""Following poses by the least joint motion: the poses are met, the steps are the shortest, limits are kept."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from syngrasp import se3
from syngrasp.robots import RobotConfig, make_robot

ROBOT = make_robot(RobotConfig())


def way(rng: np.random.Generator, count: int = 60) -> np.ndarray:
    """Poses (count, 4, 4) along a smooth joint motion about home."""
    ends = ROBOT.q_home + rng.uniform(-0.5, 0.5, (2, ROBOT.dof))
    s = np.linspace(0.0, 1.0, count)[:, None]
    return ROBOT.fk(ends[0] + s * s * (3 - 2 * s) * (ends[1] - ends[0]))


def test_the_poses_are_met() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        poses = way(rng)
        start = ROBOT.ik_near(poses[0], ROBOT.q_home)
        assert start is not None
        q = ROBOT.follow(poses[1:], start, 0.7)
        assert len(q) == len(poses) - 1
        reached = ROBOT.fk(q)
        assert np.abs(reached[:, :3, 3] - poses[1:, :3, 3]).max() < 2e-5
        off = se3.rotation_angle(np.swapaxes(reached[:, :3, :3], 1, 2) @ poses[1:, :3, :3])
        assert off.max() < 2e-5


def test_no_shorter_step_meets_the_pose() -> None:
    """Steps are normal to the null space of the Jacobian, here by finite differences: the least-norm answer."""
    rng = np.random.default_rng(1)
    poses = way(rng)
    start = ROBOT.ik_near(poses[0], ROBOT.q_home)
    assert start is not None
    q = np.concatenate([start[None], ROBOT.follow(poses[1:], start, 0.7)])
    for before, after in pairwise(q[20:40]):
        middle, h = 0.5 * (before + after), 1e-6
        T = ROBOT.fk(middle)
        columns = [se3.delta(T, ROBOT.fk(middle + h * axis)) / h for axis in np.eye(ROBOT.dof)]
        _, _, rows = np.linalg.svd(np.stack(columns, axis=1))
        assert abs(rows[-1] @ (after - before)) < 0.02 * np.linalg.norm(after - before) + 1e-6


def test_it_ends_where_the_way_leaves_reach() -> None:
    T = ROBOT.fk(ROBOT.q_home)
    poses = np.repeat(T[None], 60, axis=0)
    poses[:, 0, 3] += np.linspace(0.01, 0.9, 60)
    q = ROBOT.follow(poses, ROBOT.q_home, 0.7)
    assert 5 < len(q) < 60
    assert np.all((q >= ROBOT.limits.q_lower) & (q <= ROBOT.limits.q_upper))
    assert len(ROBOT.follow(poses, ROBOT.q_home, 1e-4)) == 0


def test_half_a_turn_away_is_not_there() -> None:
    """The rotation's error vanishes at half a turn as it does at none."""
    T = ROBOT.fk(ROBOT.q_home)
    T[:3, :3] = T[:3, :3] @ np.diag([-1.0, -1.0, 1.0])
    assert len(ROBOT.follow(T[None], ROBOT.q_home, 3.0)) == 0
