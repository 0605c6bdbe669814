"""The reader: frames and episodes of what is committed, from a folder and from a bucket."""

from __future__ import annotations

import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from syngrasp import dataset
from syngrasp.dataset.storage import open_storage
from syngrasp.errors import DatasetError, StorageError, UnknownName
from syngrasp.records import Slot
from tests.dataset.datasets import commit, create, make_dataset, write_shard
from tests.dataset.synthetic import make_episode, make_rollout


def assert_same_frame(a: dataset.Dataset, b: dataset.Dataset, i: int) -> None:
    ours, theirs = a[i], b[i]
    assert list(ours) == list(theirs)
    for name, value in ours.items():
        np.testing.assert_array_equal(value, theirs[name], err_msg=name)


def test_frames_are_the_episodes_one_after_the_other(small: Path) -> None:
    ds = dataset.open(small)
    assert (len(ds), ds.num_episodes) == (66, 6)
    assert ds.names == tuple(s.name for s in dataset.ARRAYS)
    assert ds.cameras == ("front", "side")
    i = 0
    for view in ds.episodes():
        assert view.frames == range(i, i + view.length)
        whole = dict(view)
        for k in range(view.length):
            for name, value in ds[i + k].items():
                row = whole[name][k] if dataset.SPECS[name].per_frame else whole[name]
                np.testing.assert_array_equal(value, row)
        i += view.length
    assert i == len(ds)


def test_values_have_the_schemas_types(small: Path) -> None:
    sizes = {"C": 2, "H": 32, "W": 32, "N": 4, "D": 7}
    for name, value in dataset.open(small)[5].items():
        assert value.shape == dataset.SPECS[name].row_shape(sizes), name
        assert value.dtype == dataset.SPECS[name].dtype, name


def test_a_frame_is_typed_by_the_schema() -> None:
    assert tuple(dataset.Frame.__annotations__) == tuple(spec.name for spec in dataset.ARRAYS)


def test_negative_and_outside_numbers(small: Path) -> None:
    ds = dataset.open(small)
    assert_same_frame(ds, ds, -1)
    np.testing.assert_array_equal(ds[-1]["images"], ds[65]["images"])
    assert ds.episode(-1).index == 5
    for i in (66, -67):
        with pytest.raises(IndexError, match="of a dataset of 66"):
            ds[i]
        with pytest.raises(IndexError, match="episode"):
            ds.episode(i)


def test_frames_are_the_callers_own(small: Path) -> None:
    ds = dataset.open(small)
    frame = ds[0]
    before = frame["action"].copy()
    for value in frame.values():
        if value.ndim:
            value[...] = 0
    np.testing.assert_array_equal(ds[0]["action"], before)


def test_some_arrays_alone(small: Path) -> None:
    ds = dataset.open(small, arrays=["action", "phase"])
    assert list(ds[3]) == list(ds.episode(0)) == ["action", "phase"]
    with pytest.raises(UnknownName, match=r"unknown array 'actions' \(did you mean 'action'"):
        dataset.open(small, arrays=["actions"])


def test_an_array_that_was_not_written_is_one_line(tmp_path: Path) -> None:
    make_dataset(tmp_path, extras=False)
    with pytest.raises(DatasetError, match="it has no array 'masks'; it has: images, joint_position"):
        dataset.open(tmp_path, arrays=["masks"])[0]


def test_an_episode_knows_its_scene(small: Path) -> None:
    view = dataset.open(small).episode(4)
    scene = view.scene()
    assert scene.slot == Slot(1, 1, 1)
    assert scene.instruction == view.line["instruction"]
    assert view.shape("images") == view["images"].shape == (11, 2, 32, 32, 3)


def test_a_dataset_may_travel_and_be_shared(small: Path) -> None:
    ds = dataset.open(small, open_shards=1)
    assert_same_frame(ds, pickle.loads(pickle.dumps(ds)), 40)
    order = np.random.default_rng(0).permutation(len(ds)).tolist()
    with ThreadPoolExecutor(4) as pool:
        frames = list(pool.map(ds.__getitem__, order))
    one_by_one = dataset.open(small)
    for i, frame in zip(order, frames, strict=True):
        for name, value in one_by_one[i].items():
            np.testing.assert_array_equal(frame[name], value)


def test_only_commits_count(tmp_path: Path) -> None:
    create(tmp_path)
    summary = write_shard(tmp_path, 0)
    assert len(dataset.open(tmp_path)) == 0
    assert list(dataset.open(tmp_path).episodes()) == []
    assert commit(tmp_path, summary)
    write_shard(tmp_path, 1)
    assert len(dataset.open(tmp_path)) == 33


def test_a_damaged_index_is_an_error_never_a_frame(tmp_path: Path) -> None:
    make_dataset(tmp_path, shards=1)
    path = next(tmp_path.glob("shards/*/*/frames.zarr/action/c/0/0"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-10] + b"\1" + whole[-9:])
    with pytest.raises(ValueError, match=r"action/c/0/0: the checksum of the shard index is wrong"):
        dataset.open(tmp_path)[0]


def test_a_bucket_holds_the_same_dataset(bucket: str, small: Path) -> None:
    root = f"{bucket}/deep/dataset"
    make_dataset(root)
    there, here = dataset.open(root), dataset.open(small)
    assert (len(there), there.num_episodes) == (len(here), here.num_episodes)
    for i in (0, 7, 40, 65):
        assert_same_frame(there, here, i)
    for name, values in there.episode(3).items():
        np.testing.assert_array_equal(values, here.episode(3)[name])
    assert [c.files for c in there.commits] == [c.files for c in here.commits]
    assert_same_frame(pickle.loads(pickle.dumps(there)), here, 8)
    report = dataset.verify_dataset(root)
    assert report.ok, report.problems
    assert report == dataset.verify_dataset(small)
    figures = dataset.dataset_stats(root)
    other = {"dataset": "", "throughput": {}}
    assert figures | other == dataset.dataset_stats(small) | other
    storage = open_storage(root)
    for name in ("entries.json", "attribution.csv"):
        assert storage.read(f"catalog/{name}") == (small / "catalog" / name).read_bytes()


def test_in_a_bucket_one_commit_wins(bucket: str) -> None:
    root = f"{bucket}/race"
    create(root)
    summaries = [write_shard(root, 0, episodes=1) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(lambda s: commit(root, s), summaries))
    assert sum(won) == 1
    record = dataset.read_commit(root, 0)
    assert record is not None
    assert record.attempt_id == summaries[won.index(True)].attempt_id
    assert commit(root, summaries[won.index(True)])  # a retry after a lost answer
    assert create(root, shards=3).shards == 3
    with pytest.raises(DatasetError, match="seed: 7 → 9"):
        create(root, seed=9)


def test_a_bucket_is_cleaned_and_staged_in(bucket: str) -> None:
    root = f"{bucket}/staged"
    create(root)
    rollout = make_rollout(Slot(0, 2))
    dataset.save_slot(root, 0, 2, dataset.StagedSlot(rollout, {"n": 1}))
    staged = dataset.load_slot(root, 0, 2)
    assert staged is not None
    assert staged.rollout is not None
    np.testing.assert_array_equal(staged.rollout.action, rollout.action)
    assert dataset.staged_episodes(root, 0) == [2]
    loser, winner = write_shard(root, 0, episodes=1), write_shard(root, 0, episodes=1)
    assert commit(root, winner)
    dataset.clear_staging(root, 0)
    assert dataset.load_slot(root, 0, 2) is None
    assert dataset.collect_garbage(root).removed == ()
    assert dataset.collect_garbage(root, everything=True).removed == (f"shards/00000/{loser.attempt_id}",)
    assert dataset.verify_dataset(root).ok


def test_a_damaged_object_is_found(bucket: str) -> None:
    root = f"{bucket}/damaged"
    make_dataset(root, shards=1)
    storage = open_storage(root)
    path = next(f.path for f in storage.list("shards") if "/depth/c/" in f.path)
    data = bytearray(storage.read(path))
    data[len(data) // 2] ^= 4
    storage.write(path, bytes(data))
    assert any(p.array == "frames.zarr/depth/c/0/0/0/0" for p in dataset.verify_dataset(root).problems)


def test_large_files_go_up_in_parts(bucket: str) -> None:
    storage = open_storage(f"{bucket}/parts")
    parts = [os.urandom(3 << 20) for _ in range(6)]
    sink = storage.sink("large", 5 << 20)
    for part in parts:
        sink.write(part)
    assert not storage.exists("large")
    sink.close()
    assert storage.read("large") == b"".join(parts)
    assert bytes(storage.read_range("large", (4 << 20) - 3, 10)) == b"".join(parts)[(4 << 20) - 3 : (4 << 20) + 7]
    assert bytes(storage.read_range("large", -5, 5)) == parts[-1][-5:]


def test_a_bucket_that_is_not_there_is_one_line(bucket: str) -> None:
    with pytest.raises(StorageError, match="cannot write s3://no-such-bucket-here"):
        create("s3://no-such-bucket-here/dataset")
    with pytest.raises(DatasetError):
        dataset.open("s3://no-such-bucket-here/dataset")
    with pytest.raises(StorageError, match="not an address"):
        dataset.open("nonsense://a/b")
    assert make_episode(Slot(0, 0)).cameras
