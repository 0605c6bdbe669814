"""Imports of LeRobot datasets: our own exports come back as they were, and others' by a mapping."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install 'syngrasp[export]'")
av = pytest.importorskip("av", reason="PyAV is not installed: pip install 'syngrasp[export]'")
import pyarrow.parquet as parquet  # noqa: E402

from syngrasp import dataset, se3  # noqa: E402
from syngrasp.cli import run  # noqa: E402
from syngrasp.dataset import Loader, Window  # noqa: E402
from syngrasp.dataset.importing.episode import goals, phases, pictures, target_of  # noqa: E402
from syngrasp.dataset.importing.mapping import ImportMapping, Reference  # noqa: E402
from syngrasp.errors import DatasetError  # noqa: E402
from syngrasp.generate.again import prepare_again_with  # noqa: E402
from syngrasp.records import Phase  # noqa: E402
from tests.dataset.datasets import make_dataset  # noqa: E402

FPS, SIZE = 15, 64
LENGTHS = (7, 12, 9, 5)


def picture(episode: int, frame: int, camera: int) -> np.ndarray:
    """A picture whose colours say where it belongs."""
    image = np.full((SIZE, SIZE, 3), 40 + 30 * episode, np.uint8)
    image[: 4 + 4 * frame, :20] = (220, 30 + 90 * camera, 60)
    return image


def make_lerobot(root: Path, **changes: Any) -> None:
    """A LeRobot dataset by another hand: two files of two episodes each, state and action in vectors of their own."""
    random = np.random.default_rng(0)
    features = {
        "observation.images.cam0": {
            "dtype": "video",
            "shape": [SIZE, SIZE, 3],
            "names": ["height", "width", "channels"],
        },
        "observation.images.cam1": {
            "dtype": "video",
            "shape": [SIZE, SIZE, 3],
            "names": ["height", "width", "channels"],
        },
        "observation.state": {"dtype": "float32", "shape": [8], "names": None},
        "action": {"dtype": "float32", "shape": [7], "names": None},
        "box0": {"dtype": "float32", "shape": [4], "names": None},
        "box1": {"dtype": "float32", "shape": [4], "names": None},
    }
    info = {
        "codebase_version": "v3.0", "robot_type": "franka", "total_episodes": 4, "total_frames": sum(LENGTHS),
        "total_tasks": 2, "chunks_size": 1, "fps": FPS, "splits": {"train": "0:4"},
        "data_path": "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet",
        "video_path": "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
        "features": features,
    } | changes  # fmt: skip
    (root / "meta/episodes/chunk-000").mkdir(parents=True)
    (root / "meta/info.json").write_text(json.dumps(info))
    rows: list[dict[str, Any]] = []
    for file in range(2):
        columns: dict[str, list[Any]] = {
            name: [] for name in ("observation.state", "action", "box0", "box1", "episode_index")
        }
        start = 0
        for episode in (2 * file, 2 * file + 1):
            length = LENGTHS[episode]
            close = length // 2
            angle = random.uniform(-1, 1, 3)
            for k in range(length):
                columns["observation.state"].append([0.4, 0.1, 0.3 + 0.02 * k, *angle, 0.04, 9.0])
                columns["action"].append([0.0, 0.0, 0.02, 0.0, 0.0, 0.0, 0.9 if k < close else 0.1])
                columns["box0"].append([4.0, 8.0, 20.0, 30.0])
                columns["box1"].append([-1.0] * 4 if k == 0 else [1.0, 2.0, 9.0, 10.0])
                columns["episode_index"].append(episode)
            task = "Pick up the red mug" if episode % 2 else "grasp a banana"
            row: dict[str, Any] = {
                "episode_index": episode, "length": length, "tasks": [task],
                "data/chunk_index": file, "data/file_index": 0, "stats/action/mean": [0.0] * 7,
            }  # fmt: skip
            for camera in range(2):
                key = f"videos/observation.images.cam{camera}"
                row |= {f"{key}/chunk_index": file, f"{key}/file_index": 0, f"{key}/from_timestamp": start / FPS,
                        f"{key}/to_timestamp": (start + length) / FPS}  # fmt: skip
            rows.append(row)
            start += length
        path = root / f"data/chunk-{file:03d}/file-000.parquet"
        path.parent.mkdir(parents=True)
        parquet.write_table(pa.table(columns), path)
        for camera in range(2):
            path = root / f"videos/observation.images.cam{camera}/chunk-{file:03d}/file-000.mp4"
            path.parent.mkdir(parents=True)
            with av.open(str(path), "w") as container:
                stream = container.add_stream("libx264", rate=FPS, options={"g": "4", "crf": "10"})
                stream.width = stream.height = SIZE
                stream.pix_fmt = "yuv420p"
                for episode in (2 * file, 2 * file + 1):
                    for k in range(LENGTHS[episode]):
                        container.mux(
                            stream.encode(av.VideoFrame.from_ndarray(picture(episode, k, camera), format="rgb24"))
                        )
                container.mux(stream.encode())
    parquet.write_table(pa.Table.from_pylist(rows), root / "meta/episodes/chunk-000/file-000.parquet")


SETTINGS = [
    "images={left: observation.images.cam0, right: observation.images.cam1}", "pose=observation.state[0:6]",
    "pose_form=xyz_rpy", "gripper_width=observation.state[6]", "gripper_open_above=0.5", "goal=from_close",
    "boxes={left: box0, right: box1}", "joint_position=", "joint_velocity=", "phase=", "category=", "target_uid=",
]  # fmt: skip


def arguments(source: Path, out: Path, *more: str) -> list[str]:
    return ["import", str(source), "--out", str(out), *more, *(part for s in SETTINGS for part in ("--set", s))]


def test_a_mapping_brings_anothers_dataset(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_lerobot(tmp_path / "source")
    assert run(arguments(tmp_path / "source", tmp_path / "out", "--episodes-per-shard", "3", "--json")) == 0
    ds = dataset.open(tmp_path / "out")
    assert (ds.num_episodes, len(ds), ds.cameras) == (4, sum(LENGTHS), ("left", "right"))
    assert [c.episodes for c in ds.commits] == [3, 1]
    for number, view in enumerate(ds.episodes()):
        line, length = view.line, LENGTHS[number]
        assert (line["dt"], view.length) == (1.0 / FPS, length)
        assert line["category"] == ("red mug" if number % 2 else "banana")
        assert set(view) == {
            "images",
            "ee_pose",
            "action",
            "phase",
            "goal_pose",
            "gripper_width",
            "bbox",
            "episode_ends",
        }
        np.testing.assert_allclose(view["ee_pose"][:, 2], 0.3 + 0.02 * np.arange(length), atol=1e-6)
        np.testing.assert_allclose(view["gripper_width"], 0.04)
        close = length // 2
        np.testing.assert_array_equal(view["action"][:, 6], np.where(np.arange(length) < close, 1, -1))
        np.testing.assert_array_equal(view["goal_pose"][:close], np.repeat(view["ee_pose"][[close]], close, 0))
        np.testing.assert_array_equal(view["goal_pose"][close:-1], view["ee_pose"][close + 1 :])
        np.testing.assert_array_equal(view["bbox"][:, 0, 0], np.tile([4, 8, 20, 30], (length, 1)))
        assert np.isnan(view["bbox"][0, 1]).all()
        for k in range(length):
            for c in range(2):
                assert np.abs(view["images"][k, c].astype(int) - picture(number, k, c)).mean() < 4.0
    loader = Loader(ds, 4, window=Window(4, 2, 3), fields=["instruction"], drop_last=False)
    assert sum(len(batch["frame"]) for batch in loader) == len(ds)
    assert dataset.verify_dataset(tmp_path / "out").problems == ()
    assert dataset.dataset_stats(tmp_path / "out")["frames"] == len(ds)
    capsys.readouterr()
    assert run(["status", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["complete"]


def test_our_own_export_comes_back(tmp_path: Path) -> None:
    make_dataset(tmp_path / "source", size=64)
    assert (
        run(["export", str(tmp_path / "source"), "--format", "lerobot", "--out", str(tmp_path / "lerobot"), "--json"])
        == 0
    )
    more = ("--jobs", "2", "--json", "--episodes-per-shard", "2")
    assert run(["import", str(tmp_path / "lerobot"), "--out", str(tmp_path / "back"), *more]) == 0
    before, after = dataset.open(tmp_path / "source"), dataset.open(tmp_path / "back")
    assert (len(after), after.num_episodes, after.cameras) == (len(before), before.num_episodes, before.cameras)
    for there, here in zip(before.episodes(), after.episodes(), strict=True):
        for name in ("ee_pose", "action", "goal_pose", "joint_position", "joint_velocity", "gripper_width", "phase"):
            np.testing.assert_array_equal(here[name], there[name], err_msg=name)
        np.testing.assert_array_equal(here["bbox"][:, :, 0], there["bbox"][:, :, there.line["target"]])
        for name in ("instruction", "category", "target_uid", "dt"):
            assert here.line[name] == pytest.approx(there.line[name])
        assert here.line["objects"][0]["license"] == there.line["objects"][there.line["target"]]["license"]
        error = here["images"].astype(float) - there["images"]
        assert 10 * np.log10(255**2 / (error**2).mean()) > 25.0
    table = (tmp_path / "back" / "catalog" / "attribution.csv").read_text()
    assert all(view.line["target_uid"] in table for view in before.episodes())
    assert dataset.verify_dataset(tmp_path / "back").problems == ()


def test_a_killed_import_goes_on(tmp_path: Path) -> None:
    make_lerobot(tmp_path / "source")
    more = ("--episodes-per-shard", "1", "--json")
    assert run(arguments(tmp_path / "source", tmp_path / "whole", *more)) == 0
    command = [sys.executable, "-m", "syngrasp", *arguments(tmp_path / "source", tmp_path / "out", *more)]
    commits = tmp_path / "out" / "commits"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 60
        while not (commits / "00000.json").exists() and time.monotonic() < deadline:
            time.sleep(0.005)
        process.send_signal(signal.SIGKILL)
    done = len(dataset.committed_shards(tmp_path / "out"))
    assert 1 <= done <= 4
    assert run(arguments(tmp_path / "source", tmp_path / "out", *more)) == 0
    whole, out = dataset.open(tmp_path / "whole"), dataset.open(tmp_path / "out")
    assert [c.files for c in whole.commits] == [c.files for c in out.commits]


def test_pictures_can_be_made_smaller(tmp_path: Path) -> None:
    make_lerobot(tmp_path / "source")
    assert run(arguments(tmp_path / "source", tmp_path / "out", "--size", "32", "--json")) == 0
    frame = dataset.open(tmp_path / "out")[1]
    assert frame["images"].shape == (2, 32, 32, 3)
    np.testing.assert_allclose(frame["bbox"][0, 0], [2, 4, 10, 15])


def test_what_cannot_be_imported_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    make_lerobot(source)

    def refused(*more: str, source: Path = source) -> str:
        assert run([*arguments(source, out), *more]) == 2
        captured = capsys.readouterr()
        assert captured.err.count("\n") == 1
        assert "Traceback" not in captured.err
        return captured.err

    assert "unknown feature 'observation.stat' (did you mean 'observation.state'?)" in refused(
        "--set", "pose=observation.stat"
    )
    assert "observation.state[0:8] of a feature of shape [8] is not 6" in refused("--set", "pose=observation.state")
    assert "videos: observation.images.cam0, observation.images.cam1" in refused("--set", "images.left=action")
    assert "is no feature" in refused("--set", "pose=a[b]")
    assert "valid names: images, pose" in refused("--set", "posse=action")
    assert "unknown preset 'nonsense'" in refused("--preset", "nonsense")
    assert "is no LeRobot dataset" in refused(source=tmp_path)
    assert not out.exists()
    make_lerobot(tmp_path / "old", codebase_version="v2.1")
    assert "is of LeRobot version v2.1, valid: v3.x" in refused(source=tmp_path / "old")
    path = source / "data/chunk-001/file-000.parquet"
    table = parquet.read_table(path)
    state = np.stack(table["observation.state"].to_pylist())
    state[3, 2] = np.nan
    parquet.write_table(table.set_column(0, "observation.state", [state.tolist()]), path)
    assert "episode 2: observation.state[0:6] is not finite in frame 3" in refused()
    parquet.write_table(table, path)
    (source / "videos/observation.images.cam1/chunk-001/file-000.mp4").unlink()
    assert "episode 2:" in refused()
    assert run(arguments(tmp_path / "source", out)) == 2
    capsys.readouterr()
    make_lerobot(tmp_path / "other", robot_type="another")
    assert "rendered from" in refused(source=tmp_path / "other") or "it was made differently" in capsys.readouterr().err


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:900])


def _edit_info(source: Path, **changes: Any) -> None:
    path = source / "meta/info.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def _drop(path: Path, name: str) -> None:
    parquet.write_table(parquet.read_table(path).drop_columns([name]), path)


EPISODES = "meta/episodes/chunk-000/file-000.parquet"
DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "info is a list": (lambda s: void((s / "meta/info.json").write_text("[1]")), "holds no JSON object"),
    "no features": (lambda s: _edit_info(s, features=None), "info.json has no features"),
    "no rate": (lambda s: _edit_info(s, fps=0), "info.json has no fps"),
    "no video path": (lambda s: _edit_info(s, video_path=None), "info.json has no video_path"),
    "cut video": (lambda s: _cut(s / "videos/observation.images.cam1/chunk-001/file-000.mp4"), "episode 2: "),
    "cut frames": (lambda s: _cut(s / "data/chunk-001/file-000.parquet"), "episode 2: "),
    "cut episodes": (lambda s: _cut(s / EPISODES), "file-000.parquet cannot be read"),
    "no tasks": (lambda s: _drop(s / EPISODES, "tasks"), "unknown column of meta/episodes 'tasks'"),
    "no column": (lambda s: _drop(s / "data/chunk-001/file-000.parquet", "box0"), "has no column 'box0'"),
}


def void(_: object) -> None:
    """Takes what a call answers."""


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_source_is_one_line(tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    damage, told = DAMAGE[kind]
    make_lerobot(tmp_path / "source")
    damage(tmp_path / "source")
    assert run(arguments(tmp_path / "source", tmp_path / "out", "--json")) == 2
    error = capsys.readouterr().err
    assert told in error
    assert "Traceback" not in error


def test_what_a_mapping_names_wrongly_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_lerobot(tmp_path / "source")
    base = arguments(tmp_path / "source", tmp_path / "out", "--json")
    assert run([*base, "--set", "category=kind"]) == 2
    assert "unknown column of meta/episodes 'kind'; valid: data/chunk_index" in capsys.readouterr().err
    assert run([*base, "--set", "phase=observation.state[7]"]) == 2
    assert "episode 0: observation.state[7] is 9 in frame 0, valid: 0 reach" in capsys.readouterr().err


def test_each_cameras_boxes_have_its_scale() -> None:
    class Source:
        def pictures(self, row: dict[str, Any], feature: str) -> list[np.ndarray]:
            return [np.zeros((*{"a": (64, 128), "b": (32, 32)}[feature], 3), np.uint8)]

    mapping = ImportMapping(images={"front": "a", "side": "b"}, pose="p")
    images, scales = pictures(Source(), mapping, {"length": 1}, 32)  # type: ignore[arg-type]
    assert images.shape == (1, 2, 32, 32, 3)
    np.testing.assert_array_equal(scales, [[0.25, 0.5], [1.0, 1.0]])


def test_imported_episodes_are_shown_and_not_rendered_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_lerobot(tmp_path / "source")
    assert run(arguments(tmp_path / "source", tmp_path / "out", "--json")) == 0
    assert run(["show", str(tmp_path / "out"), "--out", str(tmp_path / "strip.png")]) == 0
    assert (tmp_path / "strip.png").stat().st_size > 0
    with pytest.raises(DatasetError, match="was imported: it has no simulated rollouts"):
        prepare_again_with(tmp_path / "out", tmp_path / "again", "", lambda recipe: pytest.fail("no stages"))


def test_what_is_made_of_gripper_commands() -> None:
    is_open = np.array([1, 1, 1, 0, 0, 0, 1, 1, 0, 0], bool)
    pose = np.tile(np.array([0, 0, 0, 1, 0, 0, 0], np.float32), (10, 1))
    pose[:, 2] = [0, 0, 0, 0, 0, 0.1, 0.2, 0.3, 0.3, 0.4]
    R, C, L = Phase.REACH, Phase.CLOSE, Phase.LIFT
    np.testing.assert_array_equal(phases(is_open, pose), [R, R, R, C, C, L, R, R, C, L])
    found = goals(is_open, pose)[:, 2]
    np.testing.assert_allclose(found, np.array([0, 0, 0, 0, 0.1, 0.2, 0.3, 0.3, 0.4, 0.4], np.float32))


def test_targets_of_instructions() -> None:
    for text, target in (
        ("pick up the red mug", "red mug"),
        ("Grasp a banana.", "banana"),
        ("get cup", "cup"),
        ("wave", "wave"),
    ):
        assert target_of(text) == target


def test_references() -> None:
    assert Reference.parse("a.b[2:5]") == Reference("a.b", 2, 5)
    assert Reference.parse("a.b[4]") == Reference("a.b", 4, 5)
    assert Reference.parse("a.b") == Reference("a.b")


def test_rotations_are_those_of_the_source(tmp_path: Path) -> None:
    make_lerobot(tmp_path / "source")
    assert run(arguments(tmp_path / "source", tmp_path / "out", "--json")) == 0
    view = dataset.open(tmp_path / "out").episode(3)
    table = parquet.read_table(tmp_path / "source/data/chunk-001/file-000.parquet")
    state = np.stack(table["observation.state"].to_pylist())[LENGTHS[2] :]
    np.testing.assert_allclose(
        se3.matrix_from_pose7(view["ee_pose"])[:, :3, :3], se3.matrix_from_rpy(state[:, 3:6]), atol=1e-6
    )
