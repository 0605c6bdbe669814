"""Statistics: the same as a plain count, however the shards are shared out, of whatever is stored."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syngrasp import dataset, se3
from syngrasp.cli import run
from syngrasp.dataset.statistics import stats as module
from syngrasp.dataset.statistics.motion_stats import ARRAYS, MotionStats, joint_jerks, reach_figures
from syngrasp.dataset.statistics.spread import Spread
from syngrasp.records import Phase
from tests.dataset.datasets import commit, create, make_dataset, write_shard
from tests.dataset.statistics import literal


@st.composite
def motions(draw: st.DrawFn) -> tuple[dict[str, Any], np.ndarray, np.ndarray]:
    """Episodes of any lengths and phases, their arrays one behind the other, with ends and time steps."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    lengths = draw(st.lists(st.integers(1, 30), min_size=1, max_size=6))
    total = sum(lengths)
    phase = np.repeat(random.integers(0, 3, total), random.integers(1, 6, total))[:total].astype(np.uint8)
    position = random.normal(0.0, 0.05, (total, 3)).cumsum(0) * random.choice([0.0, 1.0], (total, 1), p=[0.2, 0.8])
    pose = np.concatenate([position, se3.quat_from_matrix(se3.random_rotation(random, (total,)))], 1)
    goal = np.concatenate([position, se3.quat_from_matrix(se3.random_rotation(random, (total,)))], 1)
    arrays = {
        "joint_velocity": random.normal(size=(total, 7)).astype(np.float32),
        "ee_pose": pose.astype(np.float32),
        "goal_pose": goal.astype(np.float32),
        "phase": phase,
    }
    return arrays, np.cumsum(lengths), random.choice([0.1, 0.05], len(lengths))


@given(motions())
@settings(max_examples=150, deadline=None)
def test_figures_of_many_episodes_are_those_of_each(made: tuple[dict[str, Any], np.ndarray, np.ndarray]) -> None:
    arrays, ends, dt = made
    starts = np.concatenate([[0], ends[:-1]])
    rms, peak, smooth, slowest = [], [], [], []
    for start, end, step in zip(starts, ends, dt, strict=True):
        jerk = literal.joint_jerk(arrays["joint_velocity"][start:end].astype(float), step)
        if jerk.size:
            rms.append(np.sqrt((jerk**2).mean()))
            peak.append(np.abs(jerk).max())
        for frames in literal.reaches(arrays["phase"][start:end]):
            speed = literal.tcp_speed(arrays["ee_pose"][start:end][frames, :3].astype(float), step)
            if speed.max(initial=0.0) > 0.0:
                smooth.append(literal.smoothness(speed, step))
                slowest.append(literal.slowest_inside(speed))
    found = joint_jerks(arrays["joint_velocity"].astype(float), starts, ends, dt)
    np.testing.assert_allclose(found[0], rms, rtol=1e-6)
    np.testing.assert_allclose(found[1], peak, rtol=1e-9)
    found = reach_figures(arrays["phase"], arrays["ee_pose"][:, :3].astype(float), starts, ends, dt)
    np.testing.assert_allclose(found[0], smooth, atol=1e-5)
    np.testing.assert_allclose(found[1], slowest, atol=1e-9)
    stats = MotionStats()
    stats.add(arrays, ends, dt)
    T = se3.matrix_from_pose7(arrays["goal_pose"][starts])
    bins = Counter(place for t in T if (place := literal.approach_bin(t)) is not None)
    assert {place: int(n) for place, n in np.ndenumerate(stats.approaches) if n} == bins
    assert stats.upward == len(T) - bins.total()
    np.testing.assert_array_equal(stats.rolls, np.bincount([literal.roll_bin(t) for t in T], minlength=12))
    retried = [(arrays["phase"][a:b] == Phase.RETREAT).any() for a, b in zip(starts, ends, strict=True)]
    assert (stats.retries, stats.episodes) == (sum(retried), len(ends))


@given(st.lists(st.lists(st.floats(-1e6, 1e6), max_size=30), min_size=1, max_size=6))
@settings(max_examples=100, deadline=None)
def test_spreads_merge(parts: list[list[float]]) -> None:
    whole, merged = Spread(), Spread()
    for part in parts:
        other = Spread()
        other.add(np.array(part))
        whole.add(np.array(part))
        merged.merge(other)
    a, b = whole.as_json(), merged.as_json()
    assert a.keys() == b.keys()
    for key, value in a.items():
        if key != "histogram":
            assert b[key] == pytest.approx(value, rel=1e-9, abs=1e-9)
    assert a.get("histogram") == b.get("histogram")


def test_shards_may_be_shared_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_dataset(tmp_path, shards=5)
    alone = dataset.dataset_stats(tmp_path, workers=1)
    monkeypatch.setattr(module, "ALONE", 0)
    shared = dataset.dataset_stats(tmp_path, workers=2)
    assert_alike(alone, shared)


def assert_alike(a: Any, b: Any) -> None:
    """JSON values that are equal but for the order in which floats were added."""
    if isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            assert_alike(a[key], b[key])
    elif isinstance(a, list):
        assert len(a) == len(b)
        for left, right in zip(a, b, strict=True):
            assert_alike(left, right)
    else:
        assert b == pytest.approx(a, rel=1e-9) if isinstance(a, float) else a == b


def test_counts_are_those_of_the_episodes(small: Path) -> None:
    ds, stats = dataset.open(small), dataset.dataset_stats(small)
    views = list(ds.episodes())
    by_category = Counter(v.line["category"] for v in views)
    assert stats["categories"] == dict(sorted(by_category.items(), key=lambda i: (-i[1], i[0])))
    for name, told in stats["by_category"].items():
        mine = [v for v in views if v.line["category"] == name]
        assert (told["episodes"], told["frames"]) == (len(mine), sum(v.length for v in mine))
        assert told["lift_height"] == pytest.approx(np.mean([v.line["lift"]["height"] for v in mine]))
        share = np.mean([np.nanmean(v["occlusion"][:, :, v.line["target"]]) for v in mine])
        assert told["occlusion"] == pytest.approx(share, rel=1e-5)
    placed = Counter(o["uid"] for v in views for o in v.line["objects"])
    assert stats["by_object"]["placed"] == stats["objects"] == len(placed)
    action = np.concatenate([v["action"] for v in views])
    for k, spread in enumerate(stats["actions"].values()):
        assert spread["count"] == len(action)
        assert spread["mean"] == pytest.approx(action[:, k].mean(), abs=1e-6)
    tcp = np.concatenate([v["ee_pose"] for v in views])
    xy = stats["workspace"]["xy"]
    assert np.sum(xy["tcp"]) + xy["outside"]["tcp"] == len(tcp)
    assert np.sum(xy["target"]) + xy["outside"]["target"] == len(views)
    row = int((tcp[0, 0] - xy["x"][0]) / 0.02)
    assert xy["tcp"][row][int((tcp[0, 1] - xy["y"][0]) / 0.02)] >= 1
    assert stats["cost"]["seconds"] == pytest.approx(6.0)
    last = stats["throughput"]["points"][-1]
    assert (last["episodes"], last["frames"]) == (6, 66)
    assert stats["missing"] == []


def test_pictures_are_decoded_when_asked_for(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "images" not in dataset.dataset_stats(small)
    told = dataset.dataset_stats(small, images=1000)["images"]
    pictures = np.concatenate([v["images"][:, 1] for v in dataset.open(small).episodes()]) / 255.0
    assert told["frames"] == 66
    np.testing.assert_allclose(told["cameras"]["side"]["mean"], pictures.mean((0, 1, 2)))
    np.testing.assert_allclose(told["cameras"]["side"]["std"], pictures.std((0, 1, 2)))
    assert run(["stats", str(small), "--images", "5", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["images"]["frames"] == 5


def test_without_pictures_and_empty(tmp_path: Path) -> None:
    create(tmp_path / "empty")
    stats = dataset.dataset_stats(tmp_path / "empty")
    assert (stats["episodes"], stats["frames"], stats["missing"]) == (0, 0, [])
    create(tmp_path / "plain", shards=1)
    assert commit(tmp_path / "plain", write_shard(tmp_path / "plain", 0, pictures=False))
    stats = json.loads(json.dumps(dataset.dataset_stats(tmp_path / "plain"), allow_nan=False))
    assert stats["missing"] == ["occlusion", "truncated"]
    assert stats["by_category"][next(iter(stats["by_category"]))]["occlusion"] is None
    assert set(ARRAYS) & set(stats["missing"]) == set()
