"""Mutations: one thing is wrong in an otherwise healthy dataset, checksums made to fit it, and `verify` says what."""

# ruff: noqa: E501 (one mutation a line)

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from syngrasp import dataset, se3
from syngrasp.cli import run
from syngrasp.dataset.commits import commit_path
from syngrasp.dataset.documents import checksum, seal, unseal
from syngrasp.dataset.packing import pack
from syngrasp.dataset.quality.problems import KINDS
from syngrasp.dataset.quality.states import RobotLimits
from syngrasp.dataset.schema import SPECS
from syngrasp.dataset.zarr_format import ArrayMeta, pack_index
from syngrasp.errors import DatasetError
from syngrasp.records import Slot
from tests.dataset.datasets import commit, create
from tests.dataset.synthetic import make_episode

SHARD, SLOT = 0, 1  # where the damage is done
LIMITS = {"panda": RobotLimits(np.full(7, -3.0), np.full(7, 3.0), np.full(7, 2.5), 0.08)}


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two shards of two episodes of 12 frames."""
    root = tmp_path_factory.mktemp("healthy") / "dataset"
    create(root, recipe={"render": {"require_target": "all"}})
    for shard in range(2):
        with dataset.ShardWriter(root, shard, max_objects=4) as writer:
            for slot in range(2):
                writer.append(make_episode(Slot(shard, slot, 0), frames=12, objects=3))
            assert commit(root, writer.finish())
    dataset.update_catalog(root)
    return root


class Patient:
    """A copy of the healthy dataset, to be damaged in shard 0, episode 1."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.commit = unseal((root / commit_path(SHARD)).read_bytes())
        self.folder = root / "shards" / f"{SHARD:05d}" / self.commit["attempt_id"]
        self.shard = dataset.open(root).shard(0)
        self.frames = slice(*self.shard.bounds(SLOT))

    def reseal(self, path: str) -> None:
        """The commit says of a file what it is now."""
        data = (self.folder / path).read_bytes()
        self.commit["files"][path] = {"bytes": len(data), "checksum": checksum(data)}
        self.write_commit()

    def write_commit(self) -> None:
        (self.root / commit_path(SHARD)).write_bytes(seal(self.commit))

    def array(self, name: str, change: Callable[[Any, Patient], None]) -> None:
        """Changes all rows of an array and writes its shard file anew."""
        stored = self.shard.arrays[name]
        values = stored.rows(0, len(stored))
        change(values, self)
        spec, meta = SPECS[name], stored.meta
        chunks = [pack(spec.packing, row) for row in values] if spec.packing != "raw" else None
        if chunks is None:
            pad = np.full((meta.chunks * meta.chunk_rows - len(values), *values.shape[1:]), spec.fill, spec.dtype)
            whole = np.concatenate([values, pad])
            chunks = [pack("raw", whole[k : k + meta.chunk_rows]) for k in range(0, len(whole), meta.chunk_rows)]
        self.write_chunks(name, meta, chunks)

    def write_chunks(self, name: str, meta: ArrayMeta, chunks: list[bytes]) -> None:
        lengths = np.array([len(chunk) for chunk in chunks], np.uint64)
        path = f"frames.zarr/{name}/{meta.key}"
        (self.folder / path).write_bytes(b"".join(chunks) + pack_index(np.cumsum(lengths) - lengths, lengths))
        self.reseal(path)

    def line(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Changes the line of the episode."""
        path = self.folder / "episodes.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        change(lines[SLOT])
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
        self.reseal("episodes.jsonl")

    def chunk(self, name: str, change: Callable[[list[bytes]], None]) -> None:
        """Changes the stored bytes of pictures."""
        stored = self.shard.arrays[name]
        chunks = [bytes(stored.chunk(k)) for k in range(stored.meta.chunks)]
        change(chunks)
        self.write_chunks(name, stored.meta, chunks)


Damage = Callable[[Patient], None]


def rows(name: str, place: Any, value: Any, how: str = "put") -> Damage:
    """Puts, adds or multiplies a value at a place of the episode's rows, frames first."""

    def damage(patient: Patient) -> None:
        def change(values: Any, p: Patient) -> None:
            mine = values[p.frames] if SPECS[name].per_frame else values[SLOT : SLOT + 1]
            if how == "put":
                mine[place] = value
            elif how == "add":
                mine[place] += np.asarray(value, mine.dtype)
            else:
                mine[place] = mine[place] * value

        patient.array(name, change)

    return damage


def line(**changes: Any) -> Damage:
    return lambda patient: patient.line(lambda told: told.update(changes))


def in_line(change: Callable[[dict[str, Any]], None]) -> Damage:
    return lambda patient: patient.line(change)


def commit_record(**changes: Any) -> Damage:
    def damage(patient: Patient) -> None:
        patient.commit.update(changes)
        patient.write_commit()

    return damage


def bytes_of(path: str, change: Callable[[bytes], bytes]) -> Damage:
    def damage(patient: Patient) -> None:
        file = next(f for f in patient.folder.glob(path) if f.is_file())
        file.write_bytes(change(file.read_bytes()))

    return damage


def second_episode_again(patient: Patient) -> None:
    """The first episode's hand does what the second's does."""
    for name in ("ee_pose", "action"):
        patient.array(name, lambda values, p: values.__setitem__(slice(0, 12), values[p.frames]))


def first_picture_again(chunks: list[bytes]) -> None:
    chunks[12] = chunks[0]


def same_pictures(chunks: list[bytes]) -> None:
    chunks[13:20] = [chunks[12]] * 7


def drift(patient: Patient) -> None:
    """Every action a little wrong, each by less than what is noticed between two frames."""
    patient.array("action", lambda values, p: values.__setitem__((slice(12, 23), 2), values[12:23, 2] + 9.5e-5))


def turned_camera(patient: Patient) -> None:
    """A camera that looks elsewhere, its matrix still rigid."""

    def turn(values: Any, _: Patient) -> None:
        R = se3.matrix_from_rpy([0.0, 0.35, 0.0])
        values[SLOT, 1, :3, :3] = values[SLOT, 1, :3, :3] @ R

    patient.array("T_base_camera", turn)


MUTATIONS: dict[str, tuple[Damage, str, str | None]] = {
    # what is done: damage, the kind that is found, in which array or file
    "a byte of a picture": (bytes_of("frames.zarr/images/c/**/0", lambda d: d[:99] + b"?" + d[100:]), "checksum", "images"),
    "a byte of states": (bytes_of("frames.zarr/action/c/0/0", lambda d: d[:40] + b"?" + d[41:]), "checksum", "action"),
    "a byte of lines": (bytes_of("episodes.jsonl", lambda d: d.replace(b"pick", b"Pick", 1)), "checksum", "episodes.jsonl"),
    "a cut file": (bytes_of("frames.zarr/phase/c/0", lambda d: d[:-3]), "file", "phase"),
    "a lost file": (lambda p: next(f for f in p.folder.glob("frames.zarr/bbox/c/**/0") if f.is_file()).unlink(), "file", "bbox"),
    "a lost array": (lambda p: _forget(p, "goal_pose"), "schema", "goal_pose"),
    "more slots than there are": (commit_record(empty_slots=[2, 3, 5, 6]), "count", None),
    "a stage that passed too few": (commit_record(stages={"render": {"passed": 1, "rejected": {}}}), "count", None),
    "a torn commit": (lambda p: (p.root / commit_path(SHARD)).write_bytes(b"{"), "record", "commits/00000.json"),
    "lines out of order": (in_line(lambda told: told.update(episode=0)), "schema", "episodes.jsonl"),
    "a wrong start": (line(start=3), "line", "episodes.jsonl"),
    "a target that is not there": (line(target=7), "line", "episodes.jsonl"),
    "another target's name": (line(target_uid="nobody"), "line", "episodes.jsonl"),
    "another category": (line(category="teapot"), "line", "episodes.jsonl"),
    "no instruction": (line(instruction=""), "line", "episodes.jsonl"),
    "a field of the wrong type": (line(robot=7), "line", "episodes.jsonl"),
    "a lost field": (in_line(lambda told: told.pop("physics")), "line", "episodes.jsonl"),
    "a mass below zero": (in_line(lambda told: told["objects"][0].update(mass=-1.0)), "line", "episodes.jsonl"),
    "a settled pose that is none": (in_line(lambda told: told["objects"][2].update(pose=[0.0] * 7)), "line", "episodes.jsonl"),
    "not a number in a pose": (rows("ee_pose", (3, 1), np.nan), "not_finite", "ee_pose"),
    "infinity in a velocity": (rows("joint_velocity", (3, 1), np.inf), "not_finite", "joint_velocity"),
    "an object that is not there": (rows("object_pose", (slice(None), 3), 0.5), "not_finite", "object_pose"),
    "half a box": (rows("bbox", (4, 0, 1, 2), np.nan), "not_finite", "bbox"),
    "a quaternion of length two": (rows("ee_pose", (5, slice(3, 7)), 2.0, "times"), "quaternion", "ee_pose"),
    "a goal that is no rotation": (rows("goal_pose", (5, slice(3, 7)), 0.1), "quaternion", "goal_pose"),
    "a joint beyond its limit": (rows("joint_position", (slice(None), 3), 3.4), "joint_limit", "joint_position"),
    "a joint that jumps": (rows("joint_position", (slice(6, None), 2), 0.9, "add"), "teleport", "joint_position"),
    "a joint faster than it can be": (rows("joint_velocity", (5, 2), 4.0), "joint_velocity", "joint_velocity"),
    "velocities of other positions": (rows("joint_velocity", (slice(None), 1), 1.5, "add"), "joint_velocity", "joint_velocity"),
    "a hand that jumps": (rows("ee_pose", (slice(6, None), 0), 0.8, "add"), "teleport", "ee_pose"),
    "an object that jumps": (rows("object_pose", (slice(9, None), 0, 0), 0.9, "add"), "teleport", "object_pose"),
    "an object that was elsewhere": (rows("object_pose", (slice(None), 2, 0), 0.05, "add"), "teleport", "object_pose"),
    "a gripper wider than it is": (rows("gripper_width", 2, 0.2), "gripper_width", "gripper_width"),
    "a gripper below nothing": (rows("gripper_width", 2, -0.05), "gripper_width", "gripper_width"),
    "an action too long": (rows("action", (3, 1), 0.002, "add"), "action", "action"),
    "an action that turns": (rows("action", (3, 5), 0.02, "add"), "action", "action"),
    "a motion at the end": (rows("action", (-1, 2), 0.02), "action", "action"),
    "half a gripper command": (rows("action", (2, 6), 0.3), "action", "action"),
    "actions that drift": (drift, "action_drift", "action"),
    "a phase back": (rows("phase", -1, 0), "phase", "phase"),
    "a phase of nothing": (rows("phase", 4, 9), "phase", "phase"),
    "a hand that opens in the lift": (rows("action", (-1, 6), 1.0), "phase", "action"),
    "a second attempt": (line(grasp_attempts=2), "phase", "episodes.jsonl"),
    "a goal elsewhere": (rows("goal_pose", (slice(0, 3), 2), 0.03, "add"), "goal", "goal_pose"),
    "a goal that is not the next pose": (rows("goal_pose", (9, 0), 0.02, "add"), "goal", "goal_pose"),
    "an object that moves too early": (rows("object_pose", (slice(2, None), 0, 1), 0.03, "add"), "early_motion", "object_pose"),
    "an object in the table": (lambda p: _sink(p), "penetration", "object_pose"),
    "a target that stays": (lambda p: _stay(p), "lift", "object_pose"),
    "a lift that was not": (in_line(lambda told: told["lift"].update(height=0.5)), "lift", "episodes.jsonl"),
    "no focal length": (rows("camera_intrinsics", (0, 0, 0, 0), 0.0), "calibration", "camera_intrinsics"),
    "a mirrored camera": (rows("T_base_camera", (0, 1, slice(0, 3), 0), -1.0, "times"), "calibration", "T_base_camera"),
    "a camera that looks elsewhere": (turned_camera, "projection", "bbox_full"),
    "a broken picture": (lambda p: p.chunk("images", lambda c: c.__setitem__(14, c[14][:12] + bytes(len(c[14]) - 12))), "decode", "images"),
    "a grey picture": (rows("images", (5, 1), 128), "image", "images"),
    "a black picture": (rows("images", (5, 0), np.random.default_rng(0).integers(0, 4, (32, 32, 3))), "image", "images"),
    "a white picture": (rows("images", (5, 0), np.random.default_rng(0).integers(252, 256, (32, 32, 3))), "image", "images"),
    "one camera twice": (lambda p: p.array("images", lambda v, q: v[q.frames].__setitem__((4, 1), v[q.frames][4, 0])), "image_repeat", "images"),
    "pictures that stand still": (lambda p: p.chunk("images", same_pictures), "frozen", "images"),
    "a hidden target": (lambda p: _hide(p), "hidden_target", "bbox"),
    "a box outside": (rows("bbox", (4, 0, 0, 2), 90.0), "box", "bbox"),
    "a box beside its mask": (rows("bbox", (4, 1, 0, 0), -2.0, "add"), "box_mask", "bbox"),
    "a box without a mask": (rows("bbox", (4, 1, 0), np.nan), "box_mask", "bbox"),
    "a full box too small": (rows("bbox_full", (4, 1, 0, 2), -6.0, "add"), "box_full", "bbox_full"),
    "a share of two": (rows("occlusion", (4, 0, 1), 2.0), "occlusion", "occlusion"),
    "nothing visible in a box": (rows("occlusion", (4, 0, 1), 1.0), "occlusion", "occlusion"),
    "a whole object cut off": (rows("truncated", (4, 0, 1), 1), "truncated", "truncated"),
    "a label of nothing": (rows("masks", (4, 0, 0, 0), 40), "mask", "masks"),
    "an object without depth": (rows("depth", (4, 1), 0), "depth", "depth"),
    "a depth of a mile": (rows("depth", (4, 1, 20, 20), 60_000), "depth", "depth"),
    "an episode twice": (second_episode_again, "duplicate", None),
    "a first picture twice": (lambda p: p.chunk("images", first_picture_again), "duplicate", None),
    "one object in two categories": (lambda p: _recategorize(p), "split_leak", "episodes.jsonl"),
    "a catalog that lacks an object": (lambda p: _unlist(p), "catalog", "catalog/entries.json"),
    "a torn catalog": (lambda p: (p.root / "catalog/entries.json").write_bytes(b"{}"), "record", "catalog/entries.json"),
}  # fmt: skip


def _forget(patient: Patient, name: str) -> None:
    path = patient.folder / "frames.zarr/zarr.json"
    group = json.loads(path.read_text())
    del group["consolidated_metadata"]["metadata"][name]
    path.write_text(json.dumps(group))
    patient.reseal("frames.zarr/zarr.json")


def _sink(patient: Patient) -> None:
    patient.array("object_pose", lambda values, p: values[p.frames].__setitem__((slice(None), 0, 2), -5.0))
    patient.line(lambda told: told["objects"][0]["pose"].__setitem__(2, -5.0))


def _stay(patient: Patient) -> None:
    patient.array(
        "object_pose", lambda values, p: values[p.frames].__setitem__((slice(None), 1), values[p.frames][0, 1])
    )
    patient.line(lambda told: told["lift"].update(height=0.0))


def _hide(patient: Patient) -> None:
    """The target's box and mask are gone from the first frame of one camera."""
    patient.array("bbox", lambda values, p: values[p.frames].__setitem__((0, 1, 1), np.nan))
    patient.array("occlusion", lambda values, p: values[p.frames].__setitem__((0, 1, 1), 1.0))

    def repaint(values: Any, p: Patient) -> None:
        mask = values[p.frames][0, 1]
        mask[mask == 4] = 2

    patient.array("masks", repaint)


def _recategorize(patient: Patient) -> None:
    other = json.loads((patient.folder / "episodes.jsonl").read_text().splitlines()[0])["objects"][0]

    def change(told: dict[str, Any]) -> None:
        told["objects"][0].update(uid=other["uid"], category="something else")

    patient.line(change)


def _unlist(patient: Patient) -> None:
    path = patient.root / "catalog/entries.json"
    document = unseal(path.read_bytes())
    mine = json.loads((patient.folder / "episodes.jsonl").read_text().splitlines()[SLOT])
    del document["objects"][mine["target_uid"]]
    path.write_bytes(seal(document))


def test_the_healthy_dataset_is(healthy: Path) -> None:
    report = dataset.verify_dataset(healthy, limits=LIMITS)
    assert report.problems == ()
    assert report.offenders == ()


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_mutation_is_found(healthy: Path, tmp_path: Path, name: str) -> None:
    damage, kind, array = MUTATIONS[name]
    shutil.copytree(healthy, tmp_path / "patient")
    damage(Patient(tmp_path / "patient"))
    report = dataset.verify_dataset(tmp_path / "patient", limits=LIMITS)
    found = [p for p in report.problems if p.kind == kind and (array is None or (p.array and array in p.array))]
    assert found, report.problems
    assert {p.shard for p in report.problems} <= {SHARD, None}
    assert report.kinds[kind] >= 1
    assert sum(report.kinds.values()) == report.problem_count
    if found[0].episode is not None:
        assert (SHARD, SLOT) in report.offenders


def test_there_are_enough_kinds() -> None:
    kinds = {kind for _, kind, _ in MUTATIONS.values()}
    assert len(MUTATIONS) >= 70
    assert kinds | {"overlap", "replay", "fault"} == set(KINDS)


def test_episodes_and_objects_of_another_dataset_are_found(healthy: Path, tmp_path: Path) -> None:
    create(tmp_path, seed=8, shards=1)
    with dataset.ShardWriter(tmp_path, 0, max_objects=4) as writer:
        writer.append(make_episode(Slot(0, 0, 0), frames=12, objects=3))
        assert commit(tmp_path, writer.finish())
    report = dataset.verify_dataset(healthy, against=[str(tmp_path)])
    assert set(report.kinds) == {"overlap"}
    told = [str(p) for p in report.problems]
    assert any("shard 0, episode 0: is shard 0, episode 0 of" in t for t in told)
    assert any("object" in t and "is in" in t for t in told)


def test_parts_of_a_dataset(healthy: Path) -> None:
    assert dataset.verify_dataset(healthy, shards=[1]).episodes == 2
    assert dataset.verify_dataset(healthy, sample=1).shards == 1
    with pytest.raises(DatasetError, match="shard 9 is not committed; committed are 2 shards"):
        dataset.verify_dataset(healthy, shards=[1, 9])


def test_the_command_counts_and_names(healthy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(healthy, tmp_path / "patient")
    rows("gripper_width", 2, 0.5)(Patient(tmp_path / "patient"))
    assert run(["verify", str(tmp_path / "patient")]) == 1
    out = capsys.readouterr().out
    assert "shard 0, episode 1, gripper_width: 0.500 m in frame 2" in out
    assert "offending episodes: 0/1" in out
    assert run(["verify", str(tmp_path / "patient"), "--json", "--no-decode"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["kinds"]["gripper_width"] == 1
    assert {"shard": 0, "slot": 1} in told["offenders"]
    assert run(["verify", str(tmp_path / "patient"), "--shards", "x"]) == 2
    assert "--shards 'x'" in capsys.readouterr().err
