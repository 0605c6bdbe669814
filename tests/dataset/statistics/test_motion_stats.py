"""Figures of motions against profiles and poses made by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from syngrasp import dataset, se3
from syngrasp.dataset.statistics.motion_stats import ROLLS, MotionStats
from syngrasp.records import Episode, Phase, Slot
from tests.dataset.datasets import commit, create
from tests.dataset.statistics.literal import (
    approach_bin,
    joint_jerk,
    pose_figures,
    reaches,
    roll_bin,
    slowest_inside,
    smoothness,
    tcp_speed,
)
from tests.dataset.synthetic import make_episode

DOWN = np.diag([1.0, -1.0, -1.0])


def minimum_jerk(frames: int) -> np.ndarray:
    """Speeds (frames,) at the middles of equal steps of a minimum-jerk motion over 1 m in 1 s."""
    s = (np.arange(frames) + 0.5) / frames
    return 30.0 * s**2 * (1.0 - s) ** 2


def retried(episode: Episode) -> Episode:
    """The same episode, its phases and the hand's commands those of a first grasp that missed."""
    phase, action = episode.rollout.phase.copy(), episode.rollout.action.copy()
    phase[1:5] = [Phase.CLOSE, Phase.RETREAT, Phase.RETREAT, Phase.REACH]
    action[1, 6] = -1.0
    goal = episode.rollout.goal_pose.copy()
    goal[1] = episode.rollout.ee_pose[2]
    return replace(episode, rollout=replace(episode.rollout, phase=phase, action=action, goal_pose=goal))


def test_jerk_is_the_velocitys_second_difference() -> None:
    t = 0.1 * np.arange(20)
    velocity = np.stack([3.0 * t**2, np.sin(t)], -1)
    jerk = joint_jerk(velocity, 0.1)
    np.testing.assert_allclose(jerk[:, 0], 6.0)
    np.testing.assert_allclose(jerk[:, 1], -np.sin(t[1:-1]), atol=1e-3)


def test_smoothness_is_that_of_minimum_jerk_and_has_no_unit() -> None:
    speed = minimum_jerk(2000)
    assert smoothness(speed, 1 / 2000) == pytest.approx(-np.log(720 / 1.875**2), abs=0.01)
    assert smoothness(3.0 * speed, 0.02) == pytest.approx(smoothness(speed, 1 / 2000))
    shaken = speed * (1.0 + 0.1 * np.sin(np.linspace(0.0, 60.0, len(speed))))
    assert smoothness(shaken, 1 / 2000) < smoothness(speed, 1 / 2000) - 1.0
    with pytest.raises(ValueError, match="never moves"):
        smoothness(np.zeros(5), 0.1)


def test_only_slowing_between_two_faster_stretches_is_hesitation() -> None:
    one = minimum_jerk(40)
    assert slowest_inside(one) == 1.0
    assert slowest_inside(np.concatenate([[0.0, 0.01, 0.0], one])) == 1.0  # a tremble at the start
    half = 0.5 * one
    assert slowest_inside(np.concatenate([one, half])) == pytest.approx(half[0] / one.max(), abs=1e-3)
    dipped = one.copy()
    dipped[18] = 0.6 * one.max()
    assert slowest_inside(dipped) == pytest.approx(0.6)


def test_reaches_end_where_the_next_phase_begins() -> None:
    phase = np.array([0, 0, 1, 4, 0, 0, 0, 1, 2, 3], np.uint8)
    assert [(s.start, s.stop) for s in reaches(phase)] == [(0, 3), (4, 8)]
    assert [(s.start, s.stop) for s in reaches(np.zeros(4, np.uint8))] == [(0, 4)]
    assert not list(reaches(np.full(4, 3, np.uint8)))
    np.testing.assert_allclose(tcp_speed(np.array([[0, 0, 0], [0.3, 0.4, 0.0]]), 0.5), [1.0])


def test_bins_of_approaches_are_of_equal_area() -> None:
    random = np.random.default_rng(0)
    counts: dict[tuple[int, int] | None, int] = {}
    for R in se3.random_rotation(random, (14_400,)):
        place = approach_bin(se3.make(R, np.zeros(3)))
        counts[place] = counts.get(place, 0) + 1
    upward = counts.pop(None)
    assert upward == pytest.approx(7200, rel=0.05)
    assert len(counts) == 72
    assert all(60 < count < 140 for count in counts.values())
    assert approach_bin(se3.make(DOWN, np.zeros(3))) == (5, 0)


def test_rolls_are_those_of_a_line_about_the_approach() -> None:
    random = np.random.default_rng(1)
    half_turn = np.diag([-1.0, -1.0, 1.0])
    for R in se3.random_rotation(random, (200,)):
        assert roll_bin(se3.make(R, np.zeros(3))) == roll_bin(se3.make(R @ half_turn, np.zeros(3)))
    for k in range(ROLLS):  # straight down the closing direction of DOWN is −y, a quarter turn from x
        turn = se3.matrix_from_rpy([0.0, 0.0, (k + 0.5) * np.pi / ROLLS - np.pi / 2])
        assert roll_bin(se3.make(turn @ DOWN, np.zeros(3))) == k


def test_starts_are_given_by_place_heading_and_tilt() -> None:
    R = se3.matrix_from_rpy([0.0, 0.3, 0.0]) @ se3.matrix_from_rpy([0.0, 0.0, 0.7]) @ DOWN
    x, y, z, yaw, tilt = pose_figures(se3.make(R, [0.4, -0.1, 0.5]))
    assert (x, y, z) == (0.4, -0.1, 0.5)
    assert yaw == pytest.approx(0.7, abs=1e-9)
    assert tilt == pytest.approx(0.3)
    assert np.isfinite(pose_figures(np.eye(4))).all()  # straight up


def test_a_dataset_s_figures_are_its_episodes(tmp_path: Path) -> None:
    create(tmp_path, shards=1)
    episodes = [make_episode(Slot(0, k), frames=18, pictures=False) for k in range(3)]
    episodes[1] = retried(episodes[1])
    with dataset.ShardWriter(tmp_path, 0, max_objects=4) as writer:
        for episode in episodes:
            writer.append(episode)
        assert commit(tmp_path, writer.finish())
    assert dataset.verify_dataset(tmp_path).problems == ()
    stats = json.loads(json.dumps(dataset.dataset_stats(tmp_path), allow_nan=False))
    motion = stats["motion"]
    assert (motion["retry_episodes"], motion["retry_share"]) == (1, pytest.approx(1 / 3))
    assert (stats["grasp_attempts"]["min"], stats["grasp_attempts"]["max"]) == (1, 2)
    assert stats["phases"]["retreat"] == 2
    assert motion["reaches"] == 4
    assert motion["joint_jerk_rms"]["count"] == 3
    starts = [episode.rollout.ee_pose[0] for episode in episodes]
    assert motion["start"]["x"]["min"] == pytest.approx(min(p[0] for p in starts))
    assert motion["start"]["tilt"]["max"] < 1e-3
    assert sum(map(sum, motion["approach_directions"]["counts"])) == sum(motion["rolls"]["counts"]) == 3
    assert MotionStats().as_json()["retry_share"] is None


def test_a_retreat_comes_after_closing_only(tmp_path: Path) -> None:
    create(tmp_path, shards=1)
    episode = make_episode(Slot(0, 0), frames=18, pictures=False)
    phase = episode.rollout.phase.copy()
    phase[3] = Phase.RETREAT
    with dataset.ShardWriter(tmp_path, 0, max_objects=4) as writer:
        writer.append(replace(episode, rollout=replace(episode.rollout, phase=phase)))
        assert commit(tmp_path, writer.finish())
    assert "in frame 3" in dataset.verify_dataset(tmp_path).problems[0].what
