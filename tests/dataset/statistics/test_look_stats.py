"""Statistics of looks against looks that were drawn, and against looks made by hand; sheets of many episodes."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from syngrasp import cli, dataset, se3
from syngrasp.dataset.show import SEAM
from syngrasp.dataset.statistics.look_stats import HUES, LookStats
from syngrasp.errors import DatasetError, UnknownName
from syngrasp.records import Phase, Slot
from syngrasp.rendering.randomize import PAPER_CAMERAS, RandomizeConfig, draw_look
from syngrasp.seeding import named_rng
from tests.dataset.datasets import commit, create
from tests.dataset.synthetic import make_episode, make_scene

EPISODES = 300
RECIPE = {
    "render": {
        "randomize": RandomizeConfig().model_dump(mode="json"),
        "cameras": {name: camera.model_dump(mode="json") for name, camera in PAPER_CAMERAS.items()},
    }
}
Line = dict[str, Any]


def drawn(seed: int) -> Line:
    """What statistics read of an episode's line."""
    scene = make_scene(Slot(0, seed))
    look = draw_look(scene, RandomizeConfig(), PAPER_CAMERAS, named_rng(seed, "look"))
    return {"look": json.loads(json.dumps(look.to_json())), "table": {"height": scene.table_height}}


@pytest.fixture(scope="module")
def lines() -> list[Line]:
    return [drawn(seed) for seed in range(EPISODES)]


def stats_of(lines: list[Line], recipe: dict[str, Any] = RECIPE) -> dict[str, Any]:
    stats = LookStats(recipe)
    for line in lines:
        stats.add([line])
    return json.loads(json.dumps(stats.as_json(), allow_nan=False))


def test_what_is_drawn_lies_in_the_recipes_ranges_fills_them_and_never_repeats(lines: list[Line]) -> None:
    stats = stats_of(lines)
    assert (stats["episodes"], stats["same_look"], stats["outside"]) == (EPISODES, 0, [])
    ranged = {name: number for name, number in stats["numbers"].items() if number["range"]}
    assert len(ranged) >= 30
    for name, number in ranged.items():
        low, high = number["range"]
        assert number["count"] >= 40, name
        assert low - 1e-5 <= number["min"] <= number["max"] <= high + 1e-5, name
        assert number["covered"] > 0.85, name
    weighed = {name: choice for name, choice in stats["choices"].items() if choice["weights"] and choice["exact"]}
    assert {"table texture", "floor texture", "wall texture", "lamp", "environment", "object finish"} <= set(weighed)
    for name, choice in weighed.items():
        assert choice["missing"] == [], name
        total = sum(choice["counts"].values())
        for value, weight in choice["weights"].items():
            off = abs(choice["counts"][value] - total * weight)
            assert off < 4.5 * np.sqrt(total * weight * (1 - weight)) + 1e-9, f"{name}: {value}"


def test_what_lies_outside_is_named(lines: list[Line]) -> None:
    few = deepcopy(lines[:20])
    few[3]["look"]["sensor"]["exposure"] = 9.0
    few[4]["look"]["materials"][0] |= {"name": "table", "family": "lava"}
    stats = stats_of(few)
    assert len(stats["outside"]) == 2
    assert "exposure: 1 of 20 values outside" in stats["outside"][0]
    assert "table texture: lava is not in the recipe" in stats["outside"][1]
    narrow = deepcopy(RECIPE)
    narrow["render"]["randomize"] |= {"camera_radius": 0.01, "camera_angle": 0.5}
    told = " ".join(stats_of(lines[:20], narrow)["outside"])
    assert "camera shift" in told
    assert "camera turn" in told


def test_looks_that_are_alike_are_counted(lines: list[Line]) -> None:
    again = json.loads(json.dumps(lines[0]))
    again["look"] = dict(reversed(again["look"].items()))
    assert stats_of([*lines[:5], again])["same_look"] == 1


def test_a_cameras_shift_and_turns_are_those_it_was_given(lines: list[Line]) -> None:
    line = deepcopy(lines[0])
    look, turn = line["look"], np.radians([3.0, -2.0, 1.0])
    for camera in look["cameras"]:
        nominal = PAPER_CAMERAS[camera["name"]]
        T = se3.look_at(nominal.position, nominal.target)
        moved = se3.make(T[:3, :3] @ se3.matrix_from_rpy(turn), T[:3, 3] + [0.03, -0.04, 0.12])
        camera["pose"] = se3.pose7_from_matrix(moved).tolist()
    numbers = stats_of([line])["numbers"]
    assert numbers["camera shift"]["mean"] == pytest.approx(0.13)
    assert numbers["camera turn"]["min"] == pytest.approx(-2.0)
    assert numbers["camera turn"]["max"] == pytest.approx(3.0)
    assert numbers["camera turn"]["mean"] == pytest.approx(2.0 / 3.0)


def test_brightness_and_hue_are_read_from_the_lines_and_their_absence_is_told(lines: list[Line]) -> None:
    metered = [
        line | {"picture": {"front": {"brightness": 0.1 * k, "hue": hue, "saturation": saturation}}}
        for k, (line, hue, saturation) in enumerate(
            zip(lines, (0.98, 0.02, 1 / 3, 0.5), (0.4, 0.4, 0.4, 0.01), strict=False)
        )
    ]
    pictures = stats_of(metered)["pictures"]
    front = pictures["cameras"]["front"]
    assert pictures["episodes"] == 4
    assert front["brightness"]["max"] == pytest.approx(0.3)
    assert (front["hues"][0], front["hues"][HUES // 3], sum(front["hues"])) == (2, 1, 3)  # grey has no hue
    assert stats_of(lines[:3])["pictures"] == {"episodes": 0, "cameras": {}}


def test_episodes_without_a_look_or_with_another_layout_are_counted_apart(lines: list[Line]) -> None:
    stats = stats_of([lines[0], {"look": {}}, {"look": {"lights": 3}}])
    assert (stats["episodes"], stats["without_look"], stats["of_another_layout"]) == (1, 1, 1)


def test_a_recipe_without_ranges_bounds_nothing(lines: list[Line]) -> None:
    stats = stats_of(lines[:2], {"render": {"cameras": RECIPE["render"]["cameras"]}})
    assert stats["outside"] == []
    assert all(number["range"] is None for number in stats["numbers"].values())


@pytest.fixture(scope="module")
def varied(tmp_path_factory: pytest.TempPathFactory, lines: list[Line]) -> Path:
    """A dataset of one shard of five episodes with drawn looks."""
    root = tmp_path_factory.mktemp("looks") / "dataset"
    create(root, shards=1, recipe=RECIPE, episodes_per_shard=6)
    with dataset.ShardWriter(root, 0, max_objects=4) as writer:
        for k in range(5):
            writer.append(replace(make_episode(Slot(0, k), frames=8 + 3 * k), look=lines[k]["look"]))
        assert commit(root, writer.finish())
    return root


def test_the_command_prints_and_plots_looks(varied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["stats", str(varied), "--plots", str(tmp_path)]) == 0
    told = capsys.readouterr().out
    assert "outside the recipe's ranges  none" in told
    assert "episodes with the same look  0" in told
    assert "light temperature" in told
    for name in ("looks", "look_names", "pictures"):
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert len(picture.convert("RGB").getcolors(1 << 20) or []) > 10


def test_a_damaged_look_names_the_episode(tmp_path: Path, lines: list[Line]) -> None:
    create(tmp_path, shards=1, recipe=RECIPE)
    look = lines[0]["look"] | {"sensor": {}}
    with dataset.ShardWriter(tmp_path, 0, max_objects=4) as writer:
        writer.append(replace(make_episode(Slot(0, 2)), look=look))
        assert commit(tmp_path, writer.finish())
    with pytest.raises(DatasetError, match=r"shard 0, episode 2: its look cannot be read .*exposure"):
        dataset.dataset_stats(tmp_path)


def test_a_sheet_of_many_episodes_shows_one_frame_of_each(varied: Path) -> None:
    opened = dataset.open(varied)
    sheet = np.asarray(dataset.episodes_sheet(opened, 64, camera="side", tile=32))
    assert sheet.shape == (2 * 32 + SEAM, 3 * 32 + 2 * SEAM, 3)
    for k in range(5):  # as many as there are, in order, the stored size
        y, x = k // 3 * (32 + SEAM), k % 3 * (32 + SEAM)
        view = opened.episode(k)
        assert (sheet[y : y + 32, x : x + 32] == view["images"][view.length // 2, 1]).all()
    both = np.asarray(dataset.episodes_sheet(opened, 64, tile=32, moment="grasp"))
    view = opened.episode(0)
    frame = int(np.argmax(view["phase"] == Phase.CLOSE))
    assert (both[:32, :64] == np.concatenate(view["images"][frame], axis=1)).all()
    two = [np.asarray(dataset.episodes_sheet(opened, 2, tile=32, seed=seed)) for seed in (0, 0, 1, 2, 3)]
    assert (two[0] == two[1]).all()
    assert any((two[0] != other).any() for other in two[2:])


def test_a_sheet_that_cannot_be_is_one_line(varied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnknownName, match=r"camera 'top'; valid: both, front, side"):
        dataset.episodes_sheet(dataset.open(varied), 4, camera="top")
    create(tmp_path / "empty")
    with pytest.raises(DatasetError, match="no episodes yet"):
        dataset.episodes_sheet(dataset.open(tmp_path / "empty"), 4)
    assert cli.run(["show", str(varied), "--contact-sheet", "4", "--out", str(tmp_path / "sheet.txt")]) == 2
    assert "no picture; valid endings: .png, .jpg" in capsys.readouterr().err
    assert cli.run(["show", str(varied), "--contact-sheet", "4", "--out", str(tmp_path / "sheet.jpg")]) == 0
    with Image.open(tmp_path / "sheet.jpg") as sheet:
        assert sheet.size == (2 * 256 + SEAM, 2 * 128 + SEAM)
