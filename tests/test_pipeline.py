"""The whole pipeline on real scanned meshes: from an Objaverse cache to a dataset that plain zarr reads."""

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

from syngrasp.cli import run
from syngrasp.dataset.schema import ARRAYS
from tests.fake_run import content

SMALL = ("--set", "render.width=96", "--set", "render.height=96", "--set", "layout.objects=[1,4]")
FIRST_OBJECT = 3  # masks: 0 background, 1 robot, 2 table, 3+i object i


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory, objaverse_cache: Path) -> Path:
    catalog = tmp_path_factory.mktemp("scanned") / "objects"
    build = ["assets", "build", "--source", "objaverse", "--cache", str(objaverse_cache), "--out", str(catalog)]
    assert run([*build, "--categories", "carton,knife,flashlight,apple,box"]) == 0
    return catalog


def command(catalog: Path, out: Path) -> list[str]:
    shape = ["--shards", "2", "--episodes-per-shard", "1", "--executor", "local"]
    return ["generate", "tabletop", "--catalog", str(catalog), "--out", str(out), *SMALL, *shape]


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory, scanned: Path) -> Path:
    out = tmp_path_factory.mktemp("dataset") / "data"
    assert run(command(scanned, out)) == 0
    return out


def test_scanned_objects_make_episodes_that_verify_and_lift_again(dataset: Path, scanned: Path) -> None:
    assert run(["verify", str(dataset)]) == 0
    assert run(["replay", str(dataset), "--all", "--catalog", str(scanned)]) == 0


def test_plain_zarr_reads_a_shard_and_boxes_are_the_masks_extents(dataset: Path, tmp_path: Path) -> None:
    """In a process that imports nothing of ours: zarr finds the codec by its entry point."""
    commit = json.loads((dataset / "commits" / "00000.json").read_text())
    shard = dataset / "shards" / "00000" / commit["attempt_id"]
    code = (
        "import sys, numpy, zarr\n"
        "group = zarr.open_group(sys.argv[1], mode='r')\n"
        "numpy.savez(sys.argv[2], **{name: array[:] for name, array in group.arrays()})\n"
        "assert 'syngrasp.cli' not in sys.modules and 'mujoco' not in sys.modules\n"
    )
    arguments = [sys.executable, "-c", code, str(shard / "frames.zarr"), str(tmp_path / "arrays.npz")]
    subprocess.run(arguments, check=True, cwd=tmp_path, timeout=120)
    arrays = np.load(tmp_path / "arrays.npz")
    assert set(arrays.files) <= {array.name for array in ARRAYS}
    assert {"images", "masks", "bbox", "action", "goal_pose", "episode_ends"} <= set(arrays.files)

    episode = json.loads((shard / "episodes.jsonl").read_text().splitlines()[0])
    target = episode["target"]
    masks, boxes = arrays["masks"], arrays["bbox"][:, :, target]
    assert len(masks) == arrays["episode_ends"][-1]
    for frame, camera in np.ndindex(masks.shape[:2]):
        rows, columns = np.nonzero(masks[frame, camera] == FIRST_OBJECT + target)
        if len(rows) == 0:
            assert np.isnan(boxes[frame, camera]).all()
            continue
        extent = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        np.testing.assert_allclose(boxes[frame, camera], extent, atol=1.0)
    assert not np.isnan(boxes[0]).any()  # both cameras see the target at the start


def test_killed_while_it_renders_and_run_again_the_arrays_are_the_same(
    dataset: Path, scanned: Path, tmp_path: Path
) -> None:
    out = tmp_path / "data"
    arguments = [sys.executable, "-m", "syngrasp", *command(scanned, out)]
    for kill_after in (1.0, 4.0):  # seconds after the dataset appears: while planning, while rendering
        process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, env=dict(os.environ))
        deadline = time.monotonic() + 120.0
        while not (out / "dataset.json").exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(kill_after)
        process.send_signal(signal.SIGKILL)
        process.wait(timeout=60)
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL, timeout=240)
    assert content(out) == content(dataset)
