"""Schema versions: earlier ones are read for ever, later ones refused in one line."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from syngrasp import dataset
from syngrasp.cli import run
from syngrasp.dataset.commits import commit_path
from syngrasp.dataset.documents import seal, unseal
from syngrasp.dataset.migrations import STEPS, upgrade
from syngrasp.dataset.schema import SCHEMA_VERSION
from syngrasp.errors import DatasetError
from syngrasp.records import Slot
from tests.dataset.datasets import STAGES, create, make_dataset, write_shard
from tests.dataset.synthetic import make_episode

DATA = Path(__file__).parent / "data"


@pytest.fixture
def v1(tmp_path: Path) -> Path:
    """A dataset of version 1, as that release wrote it: two episodes of the tests' makers."""
    with tarfile.open(DATA / "v1.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "v1"


def test_there_is_a_step_from_every_version() -> None:
    assert sorted(STEPS) == list(range(1, SCHEMA_VERSION))
    assert upgrade({"schema_version": 1, "x": 2}, "info", "here") == {"schema_version": SCHEMA_VERSION, "x": 2}


def test_version_1_reads(v1: Path) -> None:
    assert json.loads((v1 / "dataset.json").read_text())["schema_version"] == 1
    ds = dataset.open(v1)
    assert ds.num_episodes == 2
    made_then = [make_episode(Slot(0, k, k % 2), frames=8 + 3 * k, objects=2 + k % 3, size=16) for k in range(2)]
    for view, made in zip(ds.episodes(), made_then, strict=True):
        np.testing.assert_array_equal(view["ee_pose"], made.rollout.ee_pose)
        np.testing.assert_array_equal(view["masks"], made.masks)
        assert view.line["instruction"] == made.rollout.scene.instruction
    assert dataset.verify_dataset(v1).ok
    assert dataset.dataset_stats(v1)["frames"] == len(ds)
    assert ds.select(ranges={"length": (9, None)}).num_episodes == 1


def test_version_1_is_gone_on_with(v1: Path) -> None:
    create(v1, shards=2, episodes_per_shard=3)
    summary = write_shard(v1, 1, episodes=2, size=16)
    assert dataset.commit_shard(v1, summary, stages=STAGES)
    commits = [unseal((v1 / commit_path(shard)).read_bytes())["schema_version"] for shard in (0, 1)]
    assert commits == [1, SCHEMA_VERSION]
    assert dataset.open(v1).num_episodes == 4
    assert dataset.verify_dataset(v1).ok


@pytest.mark.parametrize("path", ["dataset.json", "commits/00000.json"])
def test_a_later_version_is_one_line(tmp_path: Path, path: str, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "dataset"
    make_dataset(root, shards=1)
    document = unseal((root / path).read_bytes()) | {"schema_version": SCHEMA_VERSION + 1, "unheard_of": 1}
    (root / path).write_bytes(seal(document))
    told = f"schema version {SCHEMA_VERSION + 1}, but this syngrasp reads versions 1 to {SCHEMA_VERSION}"
    with pytest.raises(DatasetError, match=told):
        dataset.open(root)
    for command in (
        ["status"],
        ["stats"],
        ["show"],
        ["verify"],
        ["export", "--format", "webdataset", "--out", str(tmp_path / "o")],
    ):
        assert run([command[0], str(root), *command[1:]]) == 2
        captured = capsys.readouterr()
        assert told in captured.err
        assert "Traceback" not in captured.err


def test_a_version_that_is_none_is_one_line(tmp_path: Path) -> None:
    create(tmp_path)
    path = tmp_path / "dataset.json"
    for version in (0, "two", None):
        path.write_bytes(seal(unseal(path.read_bytes()) | {"schema_version": version}))
        with pytest.raises(DatasetError, match="which is none"):
            dataset.open(tmp_path)
