"""The schema: the table is DESIGN's, and nothing that breaks it is written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from syngrasp import dataset
from syngrasp.dataset.schema import episode_arrays
from syngrasp.records import Episode, Slot
from tests.dataset.synthetic import make_episode

TABLE = {
    "images": "F C H W 3 uint8",
    "masks": "F C H W uint8",
    "depth": "F C H W uint16",
    "joint_position": "F D float32",
    "joint_velocity": "F D float32",
    "gripper_width": "F float32",
    "ee_pose": "F 7 float32",
    "action": "F 7 float32",
    "goal_pose": "F 7 float32",
    "object_pose": "F N 7 float32",
    "bbox": "F C N 4 float32",
    "bbox_full": "F C N 4 float32",
    "occlusion": "F C N float32",
    "truncated": "F C N uint8",
    "phase": "F uint8",
    "camera_intrinsics": "E C 3 3 float32",
    "T_base_camera": "E C 4 4 float32",
    "episode_ends": "E int64",
}


def test_the_table_is_the_designs() -> None:
    assert {s.name: " ".join(map(str, (*s.shape, s.dtype))) for s in dataset.ARRAYS} == TABLE


def test_objects_are_padded_with_nan() -> None:
    episode = make_episode(Slot(0, 0), objects=2)
    arrays = episode_arrays(episode, 5)
    assert arrays["object_pose"].shape[1] == arrays["bbox"].shape[2] == 5
    np.testing.assert_array_equal(arrays["object_pose"][:, :2], episode.rollout.object_pose)
    assert np.isnan(arrays["object_pose"][:, 2:]).all()
    assert np.isnan(arrays["bbox"][:, :, 2:]).all()
    assert np.isnan(arrays["bbox_full"][:, :, 2:]).all()
    assert np.isnan(arrays["occlusion"][:, :, 2:]).all()
    assert not arrays["truncated"][:, :, 2:].any()


def with_state(name: str, change: Callable[[Any], Any]) -> Callable[[Episode], Episode]:
    def apply(episode: Episode) -> Episode:
        rollout = episode.rollout
        return replace(episode, rollout=replace(rollout, **{name: change(getattr(rollout, name).copy())}))

    return apply


def put(place: Any, value: float) -> Callable[[Any], Any]:
    def apply(array: Any) -> Any:
        array[place] = value
        return array

    return apply


BROKEN: dict[str, tuple[Callable[[Episode], Episode], str]] = {
    "nan": (with_state("ee_pose", put((2, 1), np.nan)), "ee_pose has a value that is not finite"),
    "infinite": (with_state("action", put((0, 0), np.inf)), "action has a value that is not finite"),
    "nan object": (with_state("object_pose", put((0, 0, 0), np.nan)), "object_pose has a value"),
    "double": (with_state("joint_position", lambda a: a.astype(np.float64)), "joint_position is float64"),
    "short": (with_state("action", lambda a: a[:-1]), r"action has shape \(11, 7\)"),
    "no frames": (with_state("phase", lambda a: a[:0]), "no frames"),
    "wrong width": (with_state("goal_pose", lambda a: a[:, :6]), "goal_pose has shape"),
    "half a box": (lambda e: replace(e, bbox=put((0, 0, 0, 2), np.nan)(e.bbox)), "neither finite nor all NaN"),
    "half a full box": (lambda e: replace(e, bbox_full=put((0, 0, 0, 2), np.nan)(e.bbox_full)), "bbox_full has a box"),
    "infinite share": (lambda e: replace(e, occlusion=put((0, 0, 0), np.inf)(e.occlusion)), "occlusion has a value"),
    "no shares": (lambda e: replace(e, occlusion=None), "lacks occlusion"),
    "no boxes": (lambda e: replace(e, bbox=None), "lacks bbox"),
    "lost images": (lambda e: replace(e, images=None), "without images has T_base_camera, bbox, bbox_full"),
    "cameras": (lambda e: replace(e, cameras=("front",)), r"images has shape .* not \(12, 1"),
    "small masks": (lambda e: replace(e, masks=e.masks[..., :-1]), "masks has shape"),
    "look": (lambda e: replace(e, look={"light": float("nan")}), "cannot be written as JSON"),
    "shard": (lambda e: replace(e, rollout=make_episode(Slot(1, 0)).rollout), "does not belong to shard 0"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_episode_is_refused_and_leaves_no_trace(tmp_path: Path, kind: str) -> None:
    breaks, message = BROKEN[kind]
    good = make_episode(Slot(0, 0))
    with dataset.ShardWriter(tmp_path, 0, max_objects=4) as writer:
        with pytest.raises(ValueError, match=message):
            writer.append(breaks(make_episode(Slot(0, 0))))
        writer.append(good)
        with_one = writer.finish()
    with dataset.ShardWriter(tmp_path, 0, max_objects=4) as writer:
        writer.append(good)
        assert writer.finish().files == with_one.files


def test_too_many_objects_are_refused(tmp_path: Path) -> None:
    with (
        dataset.ShardWriter(tmp_path, 0, max_objects=2) as writer,
        pytest.raises(ValueError, match="3 objects in an episode, but the dataset holds at most 2"),
    ):
        writer.append(make_episode(Slot(0, 0), objects=3))
    assert not list(tmp_path.glob("shards/*/*"))


def test_episodes_of_a_shard_are_alike_and_in_order(tmp_path: Path) -> None:
    with dataset.ShardWriter(tmp_path, 0, max_objects=4) as writer:
        writer.append(make_episode(Slot(0, 3)))
        for other, message in [
            (make_episode(Slot(0, 3)), "comes after episode 3"),
            (make_episode(Slot(0, 1)), "comes after episode 3"),
            (make_episode(Slot(0, 4), extras=False), "depth, masks"),
            (make_episode(Slot(0, 4), pictures=False), "images"),
            (make_episode(Slot(0, 4), size=48), "rows of shape"),
            (replace(make_episode(Slot(0, 4)), cameras=("front", "wrist")), "cameras"),
        ]:
            with pytest.raises(ValueError, match=message):
                writer.append(other)
        writer.append(make_episode(Slot(0, 7)))
        assert writer.finish().episodes == (3, 7)
