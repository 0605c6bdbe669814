"""Selections and splits: exactly the episodes that match, and no leak between the sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from syngrasp import dataset
from syngrasp.dataset import Split
from syngrasp.errors import DatasetError, SyngraspError, UnknownName
from tests.dataset.datasets import commit, create, write_shard


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """60 short episodes without pictures, of 36 objects in four categories."""
    root = tmp_path_factory.mktemp("wide") / "dataset"
    create(root, shards=6, episodes_per_shard=12)
    for shard in range(6):
        assert commit(root, write_shard(root, shard, episodes=10, pictures=False))
    return root


def test_the_table_is_what_the_lines_say(wide: Path) -> None:
    ds = dataset.open(wide)
    table = ds.table
    assert len(table) == ds.num_episodes == 60
    for k, view in enumerate(ds.episodes()):
        assert (table.start[k], table.length[k]) == (view.frames.start, view.length)
        assert table.categories[table.category[k]] == view.line["category"]
        assert table.uids[table.target_uid[k]] == view.line["target_uid"]
        placed = table.object_uid[(table.object_ends[k - 1] if k else 0) : table.object_ends[k]]
        assert [table.uids[u] for u in placed] == [o["uid"] for o in view.line["objects"]]
        assert table.numbers["lift_height"][k] == view.line["lift"]["height"]


def test_selections_hold_what_matches(wide: Path) -> None:
    ds = dataset.open(wide)
    chosen = ds.select(categories=["mug", "bowl"], ranges={"length": (20, None)})
    expected = [v for v in ds.episodes() if v.line["category"] in ("mug", "bowl") and v.length >= 20]
    assert [v.index for v in chosen.episodes()] == [v.index for v in expected]
    frames = np.concatenate([np.array(v.frames) for v in expected])
    assert len(chosen) == len(frames)
    np.testing.assert_array_equal(chosen.locate(np.arange(len(chosen))), frames)
    np.testing.assert_array_equal(chosen[-1]["action"], ds[int(frames[-1])]["action"])
    np.testing.assert_array_equal(chosen.read([5, 0])["ee_pose"], ds.read(frames[[5, 0]])["ee_pose"])
    assert chosen.frames_by_shard().sum() == len(chosen)
    assert chosen.field([3], "category") == [expected[0].line["category"]]


@pytest.mark.parametrize("by", ["object", "category"])
@pytest.mark.parametrize("seed", range(4))
def test_no_split_leaks(wide: Path, by: str, seed: int) -> None:
    ds = dataset.open(wide)
    key = "uid" if by == "object" else "category"
    names: dict[str, list[set[str]]] = {}
    for part in ("train", "validation"):
        split = Split(part, by, 0.3, seed)  # type: ignore[arg-type]
        try:
            views = list(ds.select(split=split).episodes())
        except DatasetError:
            continue
        shown = {o[key] for v in views for o in v.line["objects"]}
        asked = {v.line["target_uid" if by == "object" else "category"] for v in views}
        names[part] = [shown, asked]
    if len(names) == 2:
        assert not names["train"][0] & names["validation"][1]
    for name in names.get("validation", [set(), set()])[1]:
        assert Split("train", by, 0.3, seed).holds_out(name)  # type: ignore[arg-type]


def test_a_split_holds_out_its_fraction_and_depends_on_the_name_alone() -> None:
    split = Split("train", fraction=0.25)
    share = np.mean([split.holds_out(f"object-{k}") for k in range(4000)])
    assert 0.22 < share < 0.28
    larger = Split("train", fraction=0.5)
    assert all(larger.holds_out(f"object-{k}") for k in range(200) if split.holds_out(f"object-{k}"))


def test_what_cannot_be_selected_is_said(wide: Path) -> None:
    ds = dataset.open(wide)
    with pytest.raises(UnknownName, match=r"unknown category 'mugg' .did you mean 'mug'"):
        ds.select(categories="mugg")
    with pytest.raises(UnknownName, match="unknown object"):
        ds.select(objects=["nothing"])
    with pytest.raises(UnknownName, match="lift_height"):
        ds.select(ranges={"lift": (0.0, 1.0)})
    with pytest.raises(DatasetError, match="none of its 60 episodes matches"):
        ds.select(ranges={"length": (1000, None)})
    with pytest.raises(SyngraspError, match=r"fraction 1\.5"):
        Split("train", fraction=1.5)
    with pytest.raises(SyngraspError, match="valid: train, validation"):
        Split("test")  # type: ignore[arg-type]


def test_large_tables_are_remembered(wide: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYNGRASP_CACHE", str(tmp_path))
    monkeypatch.setattr("syngrasp.dataset.loading.episode_table.REMEMBERED", 10)
    first = dataset.open(wide).table
    (path,) = (tmp_path / "episodes").iterdir()
    monkeypatch.setattr("syngrasp.dataset.reader.Dataset.stored_lines", lambda *_: pytest.fail("read again"))
    again = dataset.open(wide).table
    np.testing.assert_array_equal(first.object_uid, again.object_uid)
    assert (first.uids, first.categories) == (again.uids, again.categories)
    monkeypatch.undo()
    monkeypatch.setenv("SYNGRASP_CACHE", str(tmp_path))
    monkeypatch.setattr("syngrasp.dataset.loading.episode_table.REMEMBERED", 10)
    path.write_bytes(path.read_bytes()[:-9])
    np.testing.assert_array_equal(dataset.open(wide).table.start, first.start)
