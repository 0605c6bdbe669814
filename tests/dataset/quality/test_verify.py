"""`verify`: a whole dataset passes; one byte changed anywhere in it, or one implausible value, is found."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from syngrasp import dataset
from syngrasp.dataset.documents import seal, unseal
from syngrasp.dataset.quality.problems import Finding
from syngrasp.dataset.quality.states import check_states
from syngrasp.dataset.schema import ARRAYS
from syngrasp.errors import DatasetError
from syngrasp.records import Episode, Phase, Slot
from tests.dataset.datasets import commit, create, make_dataset
from tests.dataset.synthetic import make_episode


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("tiny")
    create(root, shards=1)
    with dataset.ShardWriter(root, 0, max_objects=3) as writer:
        writer.append(make_episode(Slot(0, 0), frames=6, size=16))
        assert commit(root, writer.finish())
    dataset.update_catalog(root)
    dataset.write_rejections(root, 0, [])
    dataset.quarantine_slot(root, Slot(0, 3, 0), {"deaths": 3})
    return root


def test_a_whole_dataset_passes(small: Path) -> None:
    seen: list[tuple[int, int]] = []
    report = dataset.verify_dataset(small, on_shard=lambda done, total: seen.append((done, total)))
    assert report.ok
    assert report.problems == ()
    assert (report.shards, report.episodes, report.frames) == (2, 6, 66)
    assert seen == [(1, 2), (2, 2)]
    assert report.as_json()["ok"] is True


def test_the_number_of_threads_changes_nothing(small: Path) -> None:
    assert dataset.verify_dataset(small, workers=1) == dataset.verify_dataset(small, workers=4)


def test_a_flipped_byte_is_found_in_every_file(tiny: Path) -> None:
    files = [p for p in tiny.rglob("*") if p.is_file()]
    assert {"dataset.json", "entries.json", "attribution.csv", "episodes.jsonl", "zarr.json"} <= {p.name for p in files}
    assert len(files) == 2 * 18 + 1 + 1 + 1 + 1 + 2 + 2
    rng = np.random.default_rng(0)
    for path in files:
        whole = path.read_bytes()
        for place in {0, len(whole) - 1, *rng.integers(len(whole), size=3).tolist()}:
            path.write_bytes(whole[:place] + bytes([whole[place] ^ int(rng.integers(1, 256))]) + whole[place + 1 :])
            assert not dataset.verify_dataset(tiny, decode=False).ok, f"byte {place} of {path}"
        path.write_bytes(whole)
    assert dataset.verify_dataset(tiny).ok


def test_a_cut_or_missing_file_is_found(tiny: Path) -> None:
    optional = ("rejected", "quarantine", "commits")
    for path in [p for p in tiny.rglob("*") if p.is_file() and p.name != "dataset.json"]:
        whole = path.read_bytes()
        for change in ("cut", "grown", "missing"):
            if change == "missing":
                path.unlink()
            else:
                path.write_bytes(whole[:-1] if change == "cut" else whole + b"\0")
            gone = change == "missing" and (path.parent.name in optional)
            assert dataset.verify_dataset(tiny).ok == gone, f"{change} {path}"
            path.write_bytes(whole)
    assert dataset.verify_dataset(tiny).ok


def state(name: str, change: Callable[[Any], None]) -> Callable[[Episode], Episode]:
    def apply(episode: Episode) -> Episode:
        array = getattr(episode.rollout, name).copy()
        change(array)
        return replace(episode, rollout=replace(episode.rollout, **{name: array}))

    return apply


def picture(name: str, change: Callable[[Any], None]) -> Callable[[Episode], Episode]:
    def apply(episode: Episode) -> Episode:
        array = getattr(episode, name).copy()
        change(array)
        return replace(episode, **{name: array})

    return apply


def put(place: Any, value: float) -> Callable[[Any], None]:
    def apply(array: Any) -> None:
        array[place] = value

    return apply


def add(place: Any, value: float) -> Callable[[Any], None]:
    def apply(array: Any) -> None:
        array[place] += value

    return apply


PLANTED: dict[str, tuple[Callable[[Episode], Episode], str, str]] = {
    "quaternion": (state("ee_pose", add((4, 3), 0.5)), "ee_pose", "quaternion of length"),
    "goal quaternion": (state("goal_pose", add((4, 5), 0.9)), "goal_pose", "quaternion of length"),
    "object quaternion": (state("object_pose", put((4, 1, slice(3, 7)), 0.0)), "object_pose", "quaternion of length"),
    "joint jump": (state("joint_position", add((slice(5, None), 2), 0.8)), "joint_position", "jumps by 0.8"),
    "action": (state("action", add((3, 0), 0.001)), "action", "leads 0.001 m away"),
    "action rotation": (state("action", add((3, 5), 0.01)), "action", "leads 0.01 rad away"),
    "teleport": (state("ee_pose", add((slice(6, None), 1), 0.02)), "action", "leads 0.02 m away"),
    "last action": (state("action", put((-1, 2), 0.01)), "action", "moves in the last frame"),
    "gripper command": (state("action", put((3, 6), 0.5)), "action", "neither 1 nor -1"),
    "gripper opens": (state("action", put((-1, 6), 1.0)), "action", "tells the hand to open in HOLD, frame 8"),
    "gripper closes": (state("action", put((2, 6), -1.0)), "action", "tells the hand to close in REACH, frame 2"),
    "phase back": (state("phase", put(-1, 0)), "phase", "REACH comes after LIFT in frame 8"),
    "phase unknown": (state("phase", put(slice(-2, None), 7)), "phase", "7 is none of 0…4, in frame 7"),
    "width": (state("gripper_width", put(2, -0.03)), "gripper_width", "-0.030 m"),
    "box outside": (picture("bbox", put((2, 0, 0, 2), 33.0)), "bbox", "reaches out of the image"),
    "box empty": (picture("bbox", put((2, 0, 0, slice(None)), 4.0)), "bbox", "is empty"),
    "box off": (picture("bbox", add((2, 1, 0, 0), -2.0)), "bbox", "2.0 px away from the extent"),
    "box lost": (picture("bbox", put((2, 1, 0, slice(None)), np.nan)), "bbox", "a mask without a box"),
    "full box narrow": (picture("bbox_full", add((2, 1, 0, 2), -4.0)), "bbox_full", "does not hold the visible box"),
    "full box empty": (picture("bbox_full", put((2, 0, 0, slice(None)), 4.0)), "bbox_full", "is empty"),
    "full box lost": (picture("bbox_full", put((3, 1, 0, slice(None)), np.nan)), "truncated", "in frame 3"),
    "truncated": (picture("truncated", put((4, 0, 1), 1)), "truncated", "leaves the image in frame 4"),
    "share": (picture("occlusion", put((4, 0, 1), 1.5)), "occlusion", "is not within 0 and 1 in frame 4"),
    "share lost": (picture("occlusion", put((4, 0, 1), np.nan)), "occlusion", "says that nothing is visible"),
    "share of one": (picture("occlusion", put((4, 0, 1), 1.0)), "occlusion", "says that nothing is visible"),
    "unknown label": (picture("masks", put((1, 0, 0, 0), 9)), "masks", "labels beyond the scene's 3 objects"),
    "black image": (picture("images", put((5, 1), 0.0)), "images", "all of one colour"),
    "focal length": (picture("camera_intrinsics", put((0, 0, 0), -1.0)), "camera_intrinsics", "pinhole"),
    "camera scaled": (picture("T_base_camera", put((1, 0, 0), 3.0)), "T_base_camera", "rigid"),
    "camera projective": (picture("T_base_camera", put((1, 3, 0), 1.0)), "T_base_camera", "rigid"),
    "no instruction": (
        lambda e: replace(e, rollout=replace(e.rollout, scene=replace(e.rollout.scene, instruction=""))),
        "episodes.jsonl",
        "empty",
    ),
}


@pytest.mark.parametrize("kind", PLANTED)
def test_an_implausible_value_is_found_where_it_is(tmp_path: Path, kind: str) -> None:
    plant, array, what = PLANTED[kind]
    create(tmp_path)
    with dataset.ShardWriter(tmp_path, 1, max_objects=4) as writer:
        writer.append(make_episode(Slot(1, 0), frames=9))
        writer.append(plant(make_episode(Slot(1, 1), frames=9)))
        assert commit(tmp_path, writer.finish())
    problems = dataset.verify_dataset(tmp_path).problems
    assert any(p.array == array and what in p.what for p in problems), problems
    assert {(p.shard, p.episode) for p in problems} == {(1, 1)}
    assert str(problems[0]).startswith("shard 1, episode 1, ")


def phase_problems(phase: list[int], attempts: int = 1) -> list[Finding]:
    """What `check_states` says of an otherwise sound episode with these phases, whose hand does as they say."""
    episode = make_episode(Slot(0, 0), frames=len(phase), pictures=False)
    states = {spec.name: getattr(episode.rollout, spec.name) for spec in ARRAYS if hasattr(episode.rollout, spec.name)}
    action = states["action"].copy()
    action[:, 6] = np.where(np.isin(phase, [Phase.REACH, Phase.RETREAT]), 1.0, -1.0)
    states |= {"phase": np.array(phase, np.uint8), "action": action}
    line = {"objects": episode.rollout.scene.objects, "dt": episode.rollout.dt, "grasp_attempts": attempts}
    return list(check_states(states, line))


@pytest.mark.parametrize(
    ("phase", "attempts"),
    [([0, 1, 2, 3], 1), ([0, 0, 1, 1, 2, 2], 1), ([0, 1, 4, 0, 1, 2, 3], 2), ([0, 1, 4, 0, 1, 4, 4, 0, 1, 2], 3)],
)
def test_phases_that_lead_to_a_lift_pass(phase: list[int], attempts: int) -> None:
    assert phase_problems(phase, attempts) == []


@pytest.mark.parametrize(
    ("phase", "attempts", "what"),
    [
        ([0, 0, 1, 4], 2, "ends with RETREAT, not LIFT or HOLD"),
        ([0, 1, 4, 4, 0, 0], 2, "ends with REACH, not LIFT or HOLD"),
        ([0, 0, 0, 0], 1, "ends with REACH, not LIFT or HOLD"),
        ([2, 2, 2, 2], 1, "begins with LIFT, not REACH"),
        ([0, 1, 4, 0, 2, 2, 3], 2, "LIFT comes after REACH in frame 4"),
        ([0, 1, 4, 1, 2, 3], 2, "CLOSE comes after RETREAT in frame 3"),
        ([0, 4, 0, 1, 2, 3], 2, "RETREAT comes after REACH in frame 1"),
        ([0, 1, 3, 3], 1, "HOLD comes after CLOSE in frame 2"),
        ([0, 1, 2, 1, 2, 3], 1, "CLOSE comes after LIFT in frame 3"),
        ([0, 1, 4, 0, 1, 2, 3], 1, "grasp_attempts is 1, but the phases hold 2"),
        ([0, 1, 2, 3], 2, "grasp_attempts is 2, but the phases hold 1"),
    ],
)
def test_phases_that_lead_to_none_are_found(phase: list[int], attempts: int, what: str) -> None:
    assert what in [told for _, _, told in phase_problems(phase, attempts)]


def recommitted(root: Path, **changes: Any) -> None:
    """The commit record of shard 0 with other contents and a right checksum."""
    path = root / "commits/00000.json"
    path.write_bytes(seal(unseal(path.read_bytes()) | changes))


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"frames": 34}, "33 rows, not 34"),
        ({"episodes": 2}, "3 lines for 2 episodes"),
        ({"empty_slots": [2]}, "both filled and empty"),
        ({"empty_slots": [3, 4, 5]}, "3 episodes and 3 empty slots in a shard of 4 slots"),
        ({"shard": 1}, "is of shard 1, not 0"),
        ({"attempt_id": "elsewhere"}, "the file cannot be read"),
        ({"unknown": 1}, "unexpected keyword"),
    ],
)
def test_a_false_commit_record_is_found(tmp_path: Path, changes: dict[str, Any], what: str) -> None:
    make_dataset(tmp_path, shards=1)
    recommitted(tmp_path, **changes)
    problems = dataset.verify_dataset(tmp_path).problems
    assert any(what in p.what for p in problems), problems


def test_a_lost_object_is_found_and_made_again(tmp_path: Path) -> None:
    make_dataset(tmp_path, shards=1)
    path = tmp_path / "catalog/entries.json"
    document = unseal(path.read_bytes())
    before = path.read_bytes()
    uid = document["objects"].popitem()[0]
    path.write_bytes(seal(document))
    assert [p.what for p in dataset.verify_dataset(tmp_path).problems] == [f"object {uid!r} of the shard is not listed"]
    shutil.rmtree(tmp_path / "catalog")
    assert dataset.verify_dataset(tmp_path).ok
    dataset.update_catalog(tmp_path)
    assert path.read_bytes() == before


def test_the_catalog_folder_does_not_depend_on_the_order(tmp_path: Path) -> None:
    contents = []
    for name, orders in {"forth": ([0], [1, 2]), "back": ([2, 1], [0]), "at once": ([1, 0, 2],)}.items():
        root = tmp_path / name
        create(root, shards=3)
        for shards in orders:
            for shard in shards:
                with dataset.ShardWriter(root, shard, max_objects=3) as writer:
                    writer.append(make_episode(Slot(shard, 0), frames=6, size=16))
                    assert commit(root, writer.finish())
            assert dataset.update_catalog(root) > 0
        files = sorted((root / "catalog").iterdir())
        assert [p.name for p in files] == ["attribution.csv", "entries.json"]
        contents.append([p.read_bytes() for p in files])
    assert contents[0] == contents[1] == contents[2]
    header, *rows = contents[0][0].decode().splitlines()
    assert header == "uid,category,license,attribution"
    assert rows == sorted(rows)
    assert '"A. ""Au"" Thor, ' in rows[0]


def test_a_folder_that_is_no_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there is no dataset here"):
        dataset.verify_dataset(tmp_path)
