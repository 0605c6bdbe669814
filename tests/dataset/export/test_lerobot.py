"""LeRobot's format: whole by its own description, equal to the source, and read by LeRobot where it is installed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("pyarrow", reason="pyarrow is not installed: pip install 'syngrasp[export]'")
pytest.importorskip("av", reason="PyAV is not installed: pip install 'syngrasp[export]'")

from syngrasp import dataset, se3
from syngrasp.cli import run
from syngrasp.dataset.export.lerobot import UNSEEN
from syngrasp.errors import SyngraspError
from syngrasp.resources import cache_folder
from tests.dataset.datasets import commit, create, make_dataset, write_shard
from tests.dataset.export.conftest import export, files_of
from tests.dataset.export.lerobot_check import LeRobot

PYTHON = cache_folder() / "bench-envs" / "lerobot" / "bin" / "python"


@pytest.fixture(scope="module")
def exported(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("lerobot") / "out"
    export(source, out, "lerobot")
    return out


def test_it_is_whole_by_its_own_description(exported: Path) -> None:
    LeRobot(exported).check()


@pytest.mark.parametrize("codec", ["av1", "h264"])
def test_it_is_the_source(source: Path, tmp_path: Path, codec: str) -> None:
    export(source, tmp_path / "out", "lerobot", video=codec)
    there, ds = LeRobot(tmp_path / "out"), dataset.open(source)
    assert there.info["features"]["observation.images.front"]["info"]["video.codec"] == codec
    assert len(there.episodes) == ds.num_episodes
    for episode, view in zip(there.episodes, ds.episodes(), strict=True):
        columns, line = there.columns(episode), view.line
        assert episode["tasks"] == [line["instruction"]]
        assert (episode["syngrasp/category"], episode["syngrasp/target_uid"]) == (line["category"], line["target_uid"])
        assert episode["syngrasp/license"] == line["objects"][line["target"]]["license"]
        for name, stored in (("observation.ee_pose", "ee_pose"), ("action", "action"), ("goal_pose", "goal_pose"),
                             ("observation.joint_position", "joint_position"), ("phase", "phase"),
                             ("observation.gripper_width", "gripper_width")):  # fmt: skip
            np.testing.assert_array_equal(columns[name], view[stored], err_msg=name)
        T = se3.matrix_from_pose7(view["goal_pose"])
        np.testing.assert_allclose(se3.matrix_from_rpy(columns["goal"][:, 3:]), T[:, :3, :3], atol=1e-6)
        np.testing.assert_allclose(columns["observation.state"][:, :3], view["ee_pose"][:, :3])
        for c, camera in enumerate(ds.cameras):
            box = view["bbox"][:, c, line["target"]]
            np.testing.assert_array_equal(columns[f"observation.bbox.{camera}"], np.where(np.isnan(box), UNSEEN, box))
            K = np.reshape(episode[f"syngrasp/camera_intrinsics.{camera}"], (3, 3))
            np.testing.assert_allclose(K, view["camera_intrinsics"][c], rtol=1e-6)
            error = there.pictures(episode, f"observation.images.{camera}").astype(float) - view["images"][:, c]
            assert 10 * np.log10(255**2 / (error**2).mean()) > 25.0


def test_a_choice_of_episodes_is_numbered_anew(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(source, out, "lerobot", [1, 4, 5])
    there, ds = LeRobot(out), dataset.open(source)
    there.check()
    for episode, number in zip(there.episodes, (1, 4, 5), strict=True):
        np.testing.assert_array_equal(there.columns(episode)["action"], ds.episode(number)["action"])
    export(source, out, "lerobot", [1, 2])
    LeRobot(out).check()
    assert len(LeRobot(out).episodes) == 2


def test_processes_and_resuming_give_the_same_files(source: Path, exported: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    export(source, out, "lerobot", list(range(6)), jobs=2)
    events = export(source, out, "lerobot", jobs=2)
    assert [e["there"] for e in events if e["event"] == "start"] in ([0], [6])
    assert files_of(out) == files_of(exported)
    next(out.glob("videos/*/chunk-000/file-001.mp4")).unlink()
    (out / "meta/info.json").unlink()
    events = export(source, out, "lerobot")
    assert [e["shard"] for e in events if e["event"] == "unit"] == [1]
    assert files_of(out) == files_of(exported)


def test_a_killed_export_goes_on(tmp_path: Path) -> None:
    root, out = tmp_path / "dataset", tmp_path / "out"
    make_dataset(root, shards=4, size=64)
    export(root, tmp_path / "whole", "lerobot")
    command = [sys.executable, "-m", "syngrasp", "export", str(root), "--format", "lerobot", "--out", str(out)]
    for seen in (0, 1, 2):
        with subprocess.Popen([*command, "--video", "h264"], stdout=subprocess.DEVNULL) as process:
            deadline = time.monotonic() + 60
            while (
                len(list(out.glob(".export/*.json"))) <= seen and process.poll() is None and time.monotonic() < deadline
            ):
                time.sleep(0.001)
            process.send_signal(signal.SIGKILL)
    torn = out / "data/chunk-000/.0123456789ab.file-003.parquet"
    torn.write_bytes(b"torn")
    events = export(root, out, "lerobot")
    assert len([e for e in events if e["event"] == "unit"]) < 4
    assert files_of(out) == files_of(tmp_path / "whole")


def test_a_dataset_that_grows_is_exported_further(tmp_path: Path) -> None:
    root, out = tmp_path / "dataset", tmp_path / "out"
    make_dataset(root, shards=1, size=64)
    export(root, out, "lerobot")
    create(root, shards=2)
    assert commit(root, write_shard(root, 1, size=64))
    dataset.update_catalog(root)
    export(root, out, "lerobot")
    LeRobot(out).check()
    assert len(LeRobot(out).episodes) == 6
    assert (out / "attribution.csv").read_bytes() == (root / "catalog/attribution.csv").read_bytes()


def test_what_cannot_be_exported_is_one_line(
    source: Path, exported: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = tmp_path / "plain"
    make_dataset(plain, shards=1, pictures=False)
    assert run(["export", str(plain), "--format", "lerobot", "--out", str(tmp_path / "a")]) == 2
    assert "it has no pictures" in capsys.readouterr().err
    assert run(["export", str(source), "--format", "lerobot", "--out", str(exported), "--video", "av1"]) == 2
    assert "video h264, asked for av1" in capsys.readouterr().err
    full = tmp_path / "full"
    full.mkdir()
    (full / "thesis.txt").write_text("mine")
    assert run(["export", str(source), "--format", "lerobot", "--out", str(full)]) == 2
    assert "is not empty and holds no export" in capsys.readouterr().err
    assert run(["export", str(source), "--format", "lerobots", "--out", str(tmp_path / "b")]) == 2
    assert "did you mean 'lerobot'" in capsys.readouterr().err
    with pytest.raises(SyngraspError, match="no episode is chosen"):
        export(source, tmp_path / "c", "lerobot", [])


def test_splits_are_exported_by_the_command(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ds = dataset.open(source)
    chosen = ds.select(split=dataset.Split("train", fraction=0.2)).episode_numbers
    arguments = [
        "export",
        str(source),
        "--format",
        "lerobot",
        "--out",
        str(tmp_path / "out"),
        "--json",
        "--video",
        "h264",
    ]
    assert run([*arguments, "--split", "train", "--split-fraction", "0.2"]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[-1]["written"] == len(chosen) < ds.num_episodes
    there = LeRobot(tmp_path / "out")
    assert [e["syngrasp/target_uid"] for e in there.episodes] == [ds.episode(int(i)).line["target_uid"] for i in chosen]


@pytest.mark.skipif(not PYTHON.exists(), reason="lerobot is not installed: make lerobot puts it where this test looks")
def test_lerobot_reads_it(source: Path, exported: Path, tmp_path: Path) -> None:
    code = (
        "import sys, json, numpy as np\n"
        "from lerobot.datasets.lerobot_dataset import LeRobotDataset\n"
        "ds = LeRobotDataset('syngrasp/test', root=sys.argv[1], video_backend='pyav',\n"
        "    delta_timestamps={'action': [0.0, 0.1, 0.2, 0.3]})\n"
        "out = {}\n"
        "for i in range(0, len(ds), 7):\n"
        "    x = ds[i]\n"
        "    out[f'image{i}'] = x['observation.images.front'].numpy()\n"
        "    out[f'action{i}'] = x['action'].numpy()\n"
        "    out[f'pad{i}'] = x['action_is_pad'].numpy()\n"
        "    out[f'task{i}'] = np.array(x['task'])\n"
        "mean = np.asarray(ds.meta.stats['action']['mean'])\n"
        "np.savez(sys.argv[2], count=len(ds), episodes=ds.num_episodes, mean=mean, **out)\n"
    )
    result = tmp_path / "read.npz"
    subprocess.run(
        [str(PYTHON), "-c", code, str(exported), str(result)],
        check=True,
        env=os.environ | {"HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)},
        timeout=200,
    )
    ds = dataset.open(source)
    with np.load(result) as read:
        assert (int(read["count"]), int(read["episodes"])) == (len(ds), ds.num_episodes)
        for i in range(0, len(ds), 7):
            item = ds.window(i, dataset.Window(future=4))
            np.testing.assert_array_equal(read[f"pad{i}"], item["action_is_pad"])
            np.testing.assert_array_equal(read[f"action{i}"], item["action"])
            error = 255.0 * read[f"image{i}"].transpose(1, 2, 0) - item["images"][0]
            assert 10 * np.log10(255**2 / (error**2).mean()) > 25.0
            assert str(read[f"task{i}"]) == ds.field([i], "instruction")[0]
        np.testing.assert_allclose(read["mean"], ds.read(range(len(ds)))["action"].mean(0), atol=1e-6)
