"""Shards: what was written is what is read, by us and by plain zarr; memory stays flat; nothing half-made counts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
import zarr

import syngrasp.dataset.jpeg_codec  # noqa: F401 (registers the codec where the package is not installed)
from syngrasp import dataset
from syngrasp.dataset import jpeg
from syngrasp.errors import StorageError
from syngrasp.records import Slot
from tests.dataset.datasets import commit, create, make_dataset, write_shard
from tests.dataset.synthetic import at_slot, make_episode


def assert_zarr_reads_the_same(root: Path) -> None:
    ds = dataset.open(root)
    for shard in map(ds.shard, range(len(ds.commits))):
        for consolidated in (True, False):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                path = root / shard.commit.folder / "frames.zarr"
                group = zarr.open_group(path, mode="r", use_consolidated=consolidated)
            assert set(group.array_keys()) == set(shard.arrays)
            for name, array in shard.arrays.items():
                theirs, ours = np.asarray(group[name]), array.rows(0, len(array))
                assert (theirs.dtype, theirs.shape) == (ours.dtype, ours.shape), name
                assert theirs.tobytes() == ours.tobytes(), name


def test_zarr_reads_the_same_bits(small: Path) -> None:
    assert_zarr_reads_the_same(small)


def test_zarr_reads_the_same_bits_over_many_chunks(tmp_path: Path) -> None:
    create(tmp_path)
    with dataset.ShardWriter(tmp_path, 0, max_objects=3) as writer:
        for k, frames in enumerate((700, 513, 4)):
            writer.append(make_episode(Slot(0, k), frames=frames, pictures=False))
        summary = writer.finish()
    assert commit(tmp_path, summary)
    assert_zarr_reads_the_same(tmp_path)
    array = dataset.open(tmp_path).shard(0).arrays["action"]
    assert array.meta.chunks == 3
    assert dataset.verify_dataset(tmp_path).ok


def test_what_is_written_is_read(small: Path) -> None:
    ds = dataset.open(small)
    for i, view in enumerate(ds.episodes()):
        line = view.line
        slot = Slot(line["shard"], line["episode"], line["attempt"])
        episode = make_episode(slot, frames=8 + 3 * slot.episode, objects=2 + slot.episode % 3)
        rollout, n = episode.rollout, len(episode.rollout.scene.objects)
        assert view.index == i
        for name in ("joint_position", "joint_velocity", "gripper_width", "ee_pose", "action", "goal_pose", "phase"):
            np.testing.assert_array_equal(view[name], getattr(rollout, name))
        np.testing.assert_array_equal(view["object_pose"][:, :n], rollout.object_pose)
        np.testing.assert_array_equal(view["bbox"][:, :, :n], episode.bbox)
        for name in ("masks", "depth", "camera_intrinsics", "T_base_camera"):
            np.testing.assert_array_equal(view[name], getattr(episode, name))
        assert episode.images is not None
        decoded = np.stack([jpeg.decode(jpeg.encode(p), p.shape) for p in episode.images])
        np.testing.assert_array_equal(view["images"], decoded)


def test_the_same_episodes_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = write_shard(tmp_path, 0), write_shard(tmp_path, 0)
    assert first.attempt_id != second.attempt_id
    assert first.files == second.files
    for path, record in first.files.items():
        assert (tmp_path / "shards/00000" / first.attempt_id / path).stat().st_size == record.bytes


def test_an_empty_shard_is_a_shard(tmp_path: Path) -> None:
    create(tmp_path)
    assert commit(tmp_path, write_shard(tmp_path, 0, episodes=0))
    assert commit(tmp_path, write_shard(tmp_path, 1, episodes=1))
    ds = dataset.open(tmp_path)
    assert (len(ds), ds.num_episodes) == (8, 1)
    assert dataset.verify_dataset(tmp_path).ok
    assert dataset.dataset_stats(tmp_path)["empty_slots"] == 2


def test_without_pictures_there_are_no_picture_arrays(tmp_path: Path) -> None:
    make_dataset(tmp_path, pictures=False)
    ds = dataset.open(tmp_path)
    assert not {"images", "masks", "depth", "bbox", "camera_intrinsics", "T_base_camera"} & set(ds.names)
    assert ds.cameras == ()
    assert dataset.verify_dataset(tmp_path).ok
    assert_zarr_reads_the_same(tmp_path)


def test_memory_does_not_grow_with_the_shard(tmp_path: Path) -> None:
    episode = make_episode(Slot(0, 0), frames=20, size=64)

    def peak(count: int) -> int:
        with dataset.ShardWriter(tmp_path, 0, max_objects=4) as writer:
            tracemalloc.start()
            for k in range(count):
                writer.append(at_slot(episode, Slot(0, k)))
            writer.finish()
            size = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
        return size

    peak(1)
    assert peak(24) < peak(2) + 200_000  # 24 episodes are 30 MB of pixels and over 1 MB of files


def test_an_attempt_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with dataset.ShardWriter(tmp_path, 0, max_objects=4) as writer:
            writer.append(make_episode(Slot(0, 0)))
            raise KeyError("a fault")

    with pytest.raises(KeyError, match="a fault"):
        fail()
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]


FILL = """
import sys
from syngrasp import dataset
from syngrasp.errors import StorageError
from syngrasp.records import Slot
from tests.dataset.datasets import commit, create, write_shard
from tests.dataset.synthetic import at_slot, make_episode
root = sys.argv[1]
{limit}
create(root)
assert commit(root, write_shard(root, 0))
episode = make_episode(Slot(1, 0), frames=20, size=64)
try:
    with dataset.ShardWriter(root, 1, max_objects=4) as writer:
        for k in range(400):
            writer.append(at_slot(episode, Slot(1, k)))
        commit(root, writer.finish())
except StorageError as error:
    print(error)
report = dataset.verify_dataset(root)
print(report.ok, report.shards, report.problem_count)
"""


@pytest.mark.skipif(not shutil.which("unshare"), reason="no `unshare` to mount a small disk with")
def test_a_full_disk_is_one_line_and_loses_nothing(tmp_path: Path) -> None:
    script = tmp_path / "fill.py"
    script.write_text(FILL.format(limit=""))
    shell = f'mount -t tmpfs -o size=1500k none "{tmp_path}/disk" && exec "{sys.executable}" {script} "{tmp_path}/disk"'
    (tmp_path / "disk").mkdir()
    probe = subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False)
    if probe.returncode:
        pytest.skip("this machine does not let users mount a small disk")
    result = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", shell], capture_output=True, text=True, check=False, env=_environment()
    )
    if "mount" in result.stderr and "permission" in result.stderr:
        pytest.skip("this machine does not let users mount a small disk")
    line, verdict = result.stdout.splitlines()
    assert line.startswith("cannot write ")
    assert line.endswith("no space left on the device")
    assert verdict == "True 1 0"


def test_a_file_size_limit_is_one_line_and_loses_nothing(tmp_path: Path) -> None:
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))"
    result = subprocess.run(
        [sys.executable, "-c", FILL.format(limit=limit), str(tmp_path)],
        capture_output=True, text=True, check=False, env=_environment(),
    )  # fmt: skip
    assert result.stdout.splitlines()[0].endswith("the file would grow past its size limit"), result.stderr
    assert result.stdout.splitlines()[1] == "True 1 0"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_forbidden_folder_is_one_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match=r"cannot write .*: permission denied"):
        create(tmp_path / "here")
    tmp_path.chmod(0o700)


def test_a_file_in_the_way_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StorageError, match=r"cannot write .*: a part of the path is a file"):
        create(tmp_path / "file" / "here")


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}


def test_metadata_tells_units(small: Path) -> None:
    path = next(small.glob("shards/00000/*/frames.zarr/gripper_width/zarr.json"))
    document = json.loads(path.read_text())
    assert document["attributes"]["unit"] == "m"
    assert document["dimension_names"] == ["frame"]
