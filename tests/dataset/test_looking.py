"""Statistics, plots and the contact sheet."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from syngrasp import cli, dataset
from syngrasp.dataset.show import BOX
from syngrasp.dataset.statistics.spread import Spread
from syngrasp.errors import DatasetError, StorageError
from tests.dataset.datasets import create, make_dataset


@pytest.mark.parametrize("scale", [1e-6, 1.0, 3e5])
def test_a_spread_agrees_with_numpy(scale: float) -> None:
    values = scale * np.random.default_rng(0).normal(0.4, 1.0, 5000)
    spread = Spread()
    for part in np.array_split(values, 7):
        spread.add(part.tolist())
    figures = spread.as_json()
    assert figures["count"] == 5000
    assert figures["mean"] == pytest.approx(values.mean())
    assert (figures["min"], figures["max"]) == (values.min(), values.max())
    for q in (5, 25, 50, 75, 95):
        assert figures[f"p{q:02d}"] == pytest.approx(np.quantile(values, q / 100), abs=0.02 * values.std())
    histogram = figures["histogram"]
    edges = histogram["start"] + histogram["width"] * np.arange(len(histogram["counts"]) + 1)
    np.testing.assert_array_equal(np.histogram(values, edges)[0], histogram["counts"])
    assert sum(histogram["counts"]) == 5000
    assert len(histogram["counts"]) <= 40


def test_the_order_of_the_numbers_is_of_no_matter() -> None:
    values = np.random.default_rng(1).exponential(2.0, 300).tolist()
    forth, back = Spread(), Spread()
    forth.add(values)
    for value in sorted(values):
        back.add([value])
    a, b = forth.as_json(), back.as_json()
    assert a.pop("mean") == pytest.approx(b.pop("mean"))
    assert a == b


def test_numbers_that_are_all_alike() -> None:
    spread = Spread()
    spread.add([8] * 5)
    figures = spread.as_json()
    assert (figures["min"], figures["p50"], figures["max"]) == (8, 8, 8)
    assert figures["histogram"]["counts"] == [5]
    assert Spread().as_json() == {"count": 0}


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_not_taken_in(value: float) -> None:
    spread = Spread()
    spread.add([1.0])
    with pytest.raises(ValueError, match="finite"):
        spread.add([2.0, value])
    assert spread.as_json()["count"] == 1


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("joint_velocity", np.nan, "joint_velocity is not finite"),
        ("goal_pose", np.inf, "goal_pose is not finite"),
        ("ee_pose", 0.0, "not every number is finite"),  # a quaternion of length 0
    ],
)
def test_statistics_of_damaged_states_name_the_episode(
    name: str, value: float, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_dataset(tmp_path, pictures=False)
    rows = dataset.open(tmp_path).episode(5)[name]
    (path,) = tmp_path.glob(f"shards/00001/*/frames.zarr/{name}/c/0/0")
    path.write_bytes(path.read_bytes().replace(rows.tobytes(), np.full_like(rows, value).tobytes()))
    assert cli.run(["stats", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert f"shard 1, episode 2: {told}; run syngrasp verify {tmp_path}" in line
    assert not dataset.verify_dataset(tmp_path).ok


def test_statistics_are_those_of_the_lines(small: Path) -> None:
    stats = json.loads(json.dumps(dataset.dataset_stats(small)))
    ds = dataset.open(small)
    lines = [view.line for view in ds.episodes()]
    assert (stats["episodes"], stats["frames"], stats["empty_slots"]) == (6, 66, 2)
    assert stats["shards"] == {"planned": 2, "committed": 2}
    assert stats["yield"]["lift"] == {"passed": 8, "rejected": {"slipped": 2}, "rate": 0.8}
    assert list(stats["yield"]) == ["plan", "lift", "render"]
    assert sum(stats["categories"].values()) == 6
    assert stats["licenses"] == {"CC BY 4.0": sum(len(line["objects"]) for line in lines)}
    assert stats["lift_height"]["mean"] == pytest.approx(np.mean([line["lift"]["height"] for line in lines]))
    assert stats["episode_length"]["max"] == 14
    assert sum(stats["phases"].values()) == 66
    assert stats["bytes"]["total"] == sum(p.stat().st_size for p in small.glob("shards/**/*") if p.is_file())
    assert stats["bytes"]["total"] == sum(stats["bytes"]["by_array"].values())
    assert stats["bytes"]["per_frame"] == stats["bytes"]["total"] / 66
    assert stats["timings"] == {"plan": 1.0, "render": 5.0}
    assert stats["hours"] == pytest.approx(66 * 0.1 / 3600)


def test_plots_are_pictures(small: Path, tmp_path: Path) -> None:
    paths = dataset.plot_stats(dataset.dataset_stats(small), tmp_path / "new" / "plots")
    assert {p.stem for p in paths} >= {"yield", "categories", "episode_length", "lift_height", "grasp_quality"}
    for path in paths:
        with Image.open(path) as picture:
            assert picture.width > 800
            assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 10
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        dataset.plot_stats(dataset.dataset_stats(small), tmp_path / "file")


def test_an_empty_dataset_can_be_looked_at(tmp_path: Path) -> None:
    create(tmp_path / "empty")
    stats = dataset.dataset_stats(tmp_path / "empty")
    assert (stats["episodes"], stats["bytes"]["per_frame"]) == (0, None)
    assert json.loads(json.dumps(stats, allow_nan=False)) == stats
    assert dataset.plot_stats(stats, tmp_path / "plots")
    with pytest.raises(DatasetError, match="there is no episode 0; it has none yet"):
        dataset.contact_sheet(dataset.open(tmp_path / "empty"), 0)


def test_a_contact_sheet_shows_both_cameras_and_the_target(small: Path) -> None:
    ds = dataset.open(small)
    sheet = dataset.contact_sheet(ds, 5, columns=5, tile=96)
    assert sheet.width > 5 * 96
    assert sheet.height > 2 * 96
    pixels = np.asarray(sheet)
    view = ds.episode(5)
    assert (pixels == BOX).all(-1).sum() > 5 * 2 * 20
    box = view["bbox"][0, 0, view.line["target"]] * 3
    y, x = np.nonzero((pixels == BOX).all(-1)[58 : 58 + 96, 16 : 16 + 96])
    assert np.abs([x.min() - box[0], y.min() - box[1], x.max() - box[2], y.max() - box[3]]).max() <= 3
    assert dataset.contact_sheet(ds, 0, columns=50, tile=32).width < 50 * 32  # it has only 8 frames


def test_what_cannot_be_shown_is_one_line(small: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="there is no episode 6; it has episodes 0…5"):
        dataset.contact_sheet(dataset.open(small), 6)
    make_dataset(tmp_path, shards=1, pictures=False)
    with pytest.raises(DatasetError, match=r"it has no images"):
        dataset.contact_sheet(dataset.open(tmp_path), 0)
