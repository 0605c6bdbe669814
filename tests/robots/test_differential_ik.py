"""Following poses by the least joint motion: the poses are met, the steps are the shortest, limits are kept."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from syngrasp import se3
from syngrasp.robots.base import Robot


def way(robot: Robot, rng: np.random.Generator, count: int = 60) -> np.ndarray:
    """Poses (count, 4, 4) along a smooth joint motion about home."""
    ends = robot.q_home + rng.uniform(-0.5, 0.5, (2, robot.dof))
    s = np.linspace(0.0, 1.0, count)[:, None]
    return robot.fk(ends[0] + s * s * (3 - 2 * s) * (ends[1] - ends[0]))


def test_the_poses_are_met(robot: Robot) -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        poses = way(robot, rng)
        start = robot.ik_near(poses[0], robot.q_home)
        assert start is not None
        q = robot.follow(poses[1:], start, 0.7)
        assert len(q) == len(poses) - 1
        reached = robot.fk(q)
        assert np.abs(reached[:, :3, 3] - poses[1:, :3, 3]).max() < 2e-5
        off = se3.rotation_angle(np.swapaxes(reached[:, :3, :3], 1, 2) @ poses[1:, :3, :3])
        assert off.max() < 2e-5


def test_no_shorter_step_meets_the_pose(robot: Robot) -> None:
    """Steps are those of least norm, by the pseudo-inverse of a Jacobian of finite differences."""
    rng = np.random.default_rng(1)
    poses = way(robot, rng)
    start = robot.ik_near(poses[0], robot.q_home)
    assert start is not None
    q = np.concatenate([start[None], robot.follow(poses[1:], start, 0.7)])
    for before, after in pairwise(q[20:40]):
        middle, h = 0.5 * (before + after), 1e-6
        T = robot.fk(middle)
        columns = [se3.delta(T, robot.fk(middle + h * axis)) / h for axis in np.eye(robot.dof)]
        shortest = np.linalg.pinv(np.stack(columns, axis=1)) @ se3.delta(robot.fk(before), robot.fk(after))
        assert np.linalg.norm(after - before - shortest) < 0.02 * np.linalg.norm(after - before) + 1e-6


def test_it_ends_where_the_way_leaves_reach(robot: Robot) -> None:
    T = robot.fk(robot.q_home)
    poses = np.repeat(T[None], 60, axis=0)
    poses[:, 0, 3] += np.linspace(0.01, 0.9, 60)
    q = robot.follow(poses, robot.q_home, 0.7)
    assert 5 < len(q) < 60
    assert np.all((q >= robot.limits.q_lower) & (q <= robot.limits.q_upper))
    assert len(robot.follow(poses, robot.q_home, 1e-4)) == 0


def test_half_a_turn_away_is_not_there(robot: Robot) -> None:
    """The rotation's error vanishes at half a turn as it does at none."""
    T = robot.fk(robot.q_home)
    T[:3, :3] = T[:3, :3] @ np.diag([-1.0, -1.0, 1.0])
    assert len(robot.follow(T[None], robot.q_home, 3.0)) == 0
