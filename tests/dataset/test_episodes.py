"""Lines, staged slots and failures: what is written is read again exactly, or not at all."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from syngrasp import dataset
from syngrasp.dataset.episodes import dump_line, episode_line
from syngrasp.dataset.staging import dump_slot, parse_slot, slot_path
from syngrasp.records import Slot
from syngrasp.stage import Rejected
from tests.dataset.synthetic import make_episode, make_rollout


def assert_identical(a: Any, b: Any) -> None:
    """Same types, same bits, all the way down."""
    assert type(a) is type(b)
    if dataclasses.is_dataclass(a):
        for field in dataclasses.fields(a):
            assert_identical(getattr(a, field.name), getattr(b, field.name))
    elif isinstance(a, tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            assert_identical(x, y)
    elif isinstance(a, np.ndarray):
        assert (a.dtype, a.shape) == (b.dtype, b.shape)
        assert a.tobytes() == b.tobytes()
    else:
        assert a == b


@pytest.mark.parametrize("objects", [1, 4])
def test_a_scene_comes_back_from_its_line(objects: int) -> None:
    episode = make_episode(Slot(2, 5, 3), objects=objects)
    line = json.loads(dump_line(episode_line(episode, 40)))
    assert_identical(dataset.scene_from_line(line), episode.rollout.scene)
    assert (line["shard"], line["episode"], line["attempt"], line["start"], line["length"]) == (2, 5, 3, 40, 12)
    assert line["objects"][line["target"]]["uid"] == line["target_uid"]
    assert {o["license"] for o in line["objects"]} == {"CC BY 4.0"}
    assert np.array(line["grasp"]["T_base_tcp"]).tobytes() == episode.rollout.T_base_grasp.tobytes()
    assert line["look"] == episode.look


def test_numpy_numbers_become_json() -> None:
    episode = make_episode(Slot(0, 0))
    rollout = dataclasses.replace(episode.rollout, lift_height=np.float32(0.125), grasp_quality=np.float64(0.5))
    line = json.loads(dump_line(episode_line(dataclasses.replace(episode, rollout=rollout), 0)))
    assert line["lift"]["height"] == 0.125


def test_a_staged_slot_comes_back_exactly(tmp_path: Path) -> None:
    rollout = make_rollout(Slot(1, 4, 2), frames=30)
    tally = {"plan": {"passed": 1, "rejected": {"no_path": 2}}}
    dataset.save_slot(tmp_path, 1, 4, dataset.StagedSlot(rollout, tally))
    dataset.save_slot(tmp_path, 1, 6, dataset.StagedSlot(None, {"layout": {"rejected": {"unsettled": 9}}}))
    staged = dataset.load_slot(tmp_path, 1, 4)
    assert staged is not None
    assert_identical(staged.rollout, rollout)
    assert staged.tally == tally
    empty = dataset.load_slot(tmp_path, 1, 6)
    assert empty is not None
    assert empty.rollout is None
    assert empty.tally["layout"]["rejected"]["unsettled"] == 9
    assert dataset.staged_episodes(tmp_path, 1) == [4, 6]
    assert dataset.load_slot(tmp_path, 1, 5) is None
    dataset.drop_slot(tmp_path, 1, 6)
    assert dataset.staged_episodes(tmp_path, 1) == [4]
    dataset.clear_staging(tmp_path, 1)
    assert dataset.staged_episodes(tmp_path, 1) == []
    dataset.clear_staging(tmp_path, 1)


def test_numpy_opens_a_staged_slot(tmp_path: Path) -> None:
    rollout = make_rollout(Slot(0, 0))
    dataset.save_slot(tmp_path, 0, 0, dataset.StagedSlot(rollout))
    with np.load(tmp_path / slot_path(0, 0)) as archive:
        np.testing.assert_array_equal(archive["ee_pose"], rollout.ee_pose)


def test_staging_is_deterministic() -> None:
    slots = [dataset.StagedSlot(make_rollout(Slot(0, 0)), {"a": 1}) for _ in range(2)]
    assert dump_slot(slots[0]) == dump_slot(slots[1])


def test_a_damaged_staged_slot_counts_as_absent(tmp_path: Path) -> None:
    dataset.save_slot(tmp_path, 0, 0, dataset.StagedSlot(make_rollout(Slot(0, 0), frames=6)))
    path = tmp_path / slot_path(0, 0)
    whole = path.read_bytes()
    assert parse_slot(whole).rollout is not None
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert dataset.load_slot(tmp_path, 0, 0) is None
    for length in (0, 1, 40, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        assert dataset.load_slot(tmp_path, 0, 0) is None


def test_rejections_and_quarantine_are_kept(tmp_path: Path) -> None:
    pairs = [(Slot(0, 2, 1), Rejected("lift", "slipped", "12 mm")), (Slot(0, 1, 0), Rejected("plan", "no_path"))]
    dataset.write_rejections(tmp_path, 0, pairs)
    rows = dataset.read_rejections(tmp_path, 0)
    assert [(r["episode"], r["attempt"], r["stage"], r["reason"], r["detail"]) for r in rows] == [
        (1, 0, "plan", "no_path", ""),
        (2, 1, "lift", "slipped", "12 mm"),
    ]
    assert dataset.read_rejections(tmp_path, 1) == []
    for shard in (0, 0, 3):
        dataset.quarantine_slot(tmp_path, Slot(shard, 7, 2), {"stage": "render", "deaths": 3})
    assert [(q["shard"], q["deaths"]) for q in dataset.list_quarantine(tmp_path)] == [(0, 3), (3, 3)]
    assert dataset.clear_quarantine(tmp_path, 3) == 1
    assert dataset.clear_quarantine(tmp_path) == 1
    assert dataset.list_quarantine(tmp_path) == []
