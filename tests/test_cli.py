"""The command line: what it answers, with which exit code, and the whole pipeline through it."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from syngrasp import __version__, dataset
from syngrasp.cli import app, run
from syngrasp.config import DEFAULT_RECIPE
from syngrasp.objects.catalog import Catalog, write_catalog, write_object
from tests.fake_run import content, make, recipe, start
from tests.fake_stages import FakeStages

REPOSITORY = Path(__file__).resolve().parents[1]
TINY = ("--set", "render.width=64", "--set", "render.height=64", "--set", "render.min_target_pixels=0")
HEAVY = ("mujoco", "mujoco_warp", "warp", "ray", "numba", "scipy", "trimesh", "zarr", "matplotlib", "numpy", "pydantic")


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a command refuses its input with."""
    assert run(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("error: ")
    assert told.err.count("\n") == 1
    return told.err


# --- help ---


def test_help_loads_nothing_heavy() -> None:
    code = f"import sys; from syngrasp.cli import run; run(['--help']); print([m for m in {HEAVY} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert result.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    "command",
    [
        *(command.name or command.callback.__name__ for command in app.registered_commands if command.callback),
        *("assets build", "assets list", "assets show"),
    ],
)
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*command.split(), "--help"]) == 0
    told = capsys.readouterr().out
    assert f"syngrasp {command}" in told.partition("Example:")[2]


def test_version_and_no_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out.strip() == __version__
    assert run([]) == 0
    assert "generate" in capsys.readouterr().out


def test_the_default_recipe_is_named_once() -> None:
    from syngrasp.cli.generate import generate

    assert inspect.signature(generate).parameters["recipe"].default == DEFAULT_RECIPE


# --- what a user gets wrong ---


def test_wrong_commands_and_options_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert "generat" in refused(capsys, "generat")
    assert "--out" in refused(capsys, "generate")
    assert "--shards" in refused(capsys, "generate", "--out", "x", "--shards", "many")
    assert "--excutor" in refused(capsys, "generate", "--out", "x", "--excutor", "ray")
    assert "local" in refused(capsys, "generate", "--out", "x", "--executor", "spark")


def test_wrong_recipes_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "data")
    assert "did you mean 'tabletop'" in refused(capsys, "generate", "tabeltop", "--out", out)
    assert "did you mean 'layout.objects'" in refused(capsys, "generate", "--out", out, "--set", "layout.object=3")
    assert "≥ 1" in refused(capsys, "generate", "--out", out, "--shards", "0")
    assert not (tmp_path / "data").exists()


def test_missing_and_empty_catalogs_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = str(tmp_path / "data")
    assert "nowhere" in refused(capsys, "generate", "--out", out, "--catalog", str(tmp_path / "nowhere"))
    write_catalog(tmp_path / "empty", [])
    assert "has no objects" in refused(capsys, "generate", "--out", out, "--catalog", str(tmp_path / "empty"))
    assert "nowhere" in refused(capsys, "assets", "list", str(tmp_path / "nowhere"))
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize("command", ["status", "stats", "verify", "show", "gc", "retry"])
def test_a_missing_dataset_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert "there is no dataset here" in refused(capsys, command, str(tmp_path / "none"))


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    process = start(tmp_path / "file" / "data", {})
    out, told = process.communicate(timeout=60)
    assert process.returncode == 2
    assert told.startswith("error: ")
    assert told.count("\n") == 1
    assert out == ""


def test_the_address_of_a_cluster_is_for_ray(tmp_path: Path) -> None:
    process = start(tmp_path, {}, "--address", "127.0.0.1:1")
    assert "--address is for --executor ray" in process.communicate(timeout=60)[1]
    assert process.returncode == 2


# --- looking at a dataset ---


@pytest.fixture(scope="module")
def fake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("fake")
    make(recipe(), path, FakeStages())
    return path


def told_json(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> Any:
    assert run([*arguments, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_programs_can_read_the_answers(fake: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = told_json(capsys, "status", str(fake))
    assert (status["shards"], status["committed"], status["episodes"], status["complete"]) == (2, 2, 10, True)
    stats = told_json(capsys, "stats", str(fake))
    assert stats["episodes"] == 10
    assert stats["yield"]["render"]["passed"] == 10
    assert told_json(capsys, "verify", str(fake))["ok"]
    assert told_json(capsys, "gc", str(fake)) == {"removed": [], "bytes": 0, "dry_run": False}
    assert told_json(capsys, "retry", str(fake)) == {"reopened": [], "withdrawn": [], "kept": 0}
    assert told_json(capsys, "doctor")["syngrasp"] == __version__


@pytest.mark.parametrize("command", ["status", "stats", "verify", "gc", "retry"])
def test_people_can_read_the_answers(fake: Path, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert run([command, str(fake)]) == 0
    assert capsys.readouterr().out.strip()


def test_a_flipped_byte_is_found_and_the_exit_code_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(recipe(shards=1), tmp_path, FakeStages())
    image = next(path for path in tmp_path.glob("shards/*/*/frames.zarr/images/c/**/*") if path.is_file())
    data = bytearray(image.read_bytes())
    data[len(data) // 2] ^= 1
    image.write_bytes(data)
    assert run(["verify", str(tmp_path)]) == 1
    assert "images" in capsys.readouterr().out


def test_a_contact_sheet_is_written(fake: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", str(fake), "--episode", "1", "--out", str(tmp_path / "a" / "strip.png")]) == 0
    assert (tmp_path / "a" / "strip.png").read_bytes().startswith(b"\x89PNG")
    capsys.readouterr()
    assert "valid: 0 … 9" in refused(capsys, "show", str(fake), "--episode", "10")


def test_quarantined_slots_can_be_tried_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from tests.fake_stages import Break

    whole, _ = make(recipe(), tmp_path / "whole", FakeStages())
    out = tmp_path / "data"
    make(recipe(), out, FakeStages(breaks=(Break("lift", 0, 1, "raise"),)))
    kept = told_json(capsys, "retry", str(out))
    assert kept == {"reopened": [], "withdrawn": [], "kept": 1}
    assert told_json(capsys, "retry", str(out), "--withdraw")["withdrawn"] == [0]
    assert make(recipe(), out, FakeStages())[0] == whole


# --- the whole pipeline ---


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("catalog") / "objects"
    assert run(["assets", "build", "--source", "builtin", "--out", str(path), "--count", "4", "--workers", "1"]) == 0
    return path


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory, catalog: Path) -> Path:
    path = tmp_path_factory.mktemp("real") / "data"
    assert run(["generate", "smoke", "--catalog", str(catalog), "--out", str(path), *TINY, "--executor", "local"]) == 0
    return path


def test_objects_are_listed_and_shown(catalog: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entries = told_json(capsys, "assets", "list", str(catalog))
    assert len(entries) == 4
    assert all({"uid", "name", "category", "license"} <= set(entry) for entry in entries)
    shown = told_json(capsys, "assets", "show", str(catalog), entries[0]["uid"])
    assert shown["mass_kg"] > 0
    assert run(["assets", "list", str(catalog)]) == 0
    assert entries[0]["uid"] in capsys.readouterr().out
    assert "no object 'none'" in refused(capsys, "assets", "show", str(catalog), "none")


def test_what_is_generated_verifies_and_lifts_again(
    generated: Path, catalog: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert told_json(capsys, "verify", str(generated))["ok"]
    result = told_json(capsys, "replay", str(generated), "--all", "--catalog", str(catalog))
    assert result["episodes"] == result["lifted"] == told_json(capsys, "status", str(generated))["episodes"] > 0
    assert run(["replay", str(generated), "--episode", "0", "--catalog", str(catalog)]) == 0
    assert "lifts" in capsys.readouterr().out
    assert "say which" in refused(capsys, "replay", str(generated), "--catalog", str(catalog))


def test_episodes_made_again_from_their_seeds_are_equal_bit_for_bit(
    generated: Path, catalog: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = told_json(capsys, "replay", str(generated), "--all", "--from-seed", "--catalog", str(catalog))
    assert result["equal"] == result["episodes"] > 0, result["results"]


def test_real_episodes_are_rendered_again_with_nothing_else_changed(
    generated: Path, catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def again(name: str, *settings: str) -> Path:
        command = ["render", str(generated), "--out", str(tmp_path / name), "--catalog", str(catalog)]
        assert run([*command, "--executor", "local", *settings]) == 0
        capsys.readouterr()
        return tmp_path / name

    before = content(generated)
    assert {shard: values[0] for shard, values in content(again("same")).items()} == {
        shard: values[0] for shard, values in before.items()
    }
    other = again("other", "--set", "render.look=1", "--set", "render.cameras.side=null", "--set", "render.width=80")
    assert told_json(capsys, "verify", str(other))["ok"]
    assert told_json(capsys, "status", str(other))["source"] == str(generated)
    assert told_json(capsys, "stats", str(other))["occlusion"] is not None
    old, new = dataset.open(generated), dataset.open(other)
    assert new.num_episodes == old.num_episodes
    for mine, theirs in zip(old.episodes(), new.episodes(), strict=True):
        for name in dataset.STATES:
            assert mine[name].tobytes() == theirs[name].tobytes(), name
        assert theirs["images"].shape == (mine.length, 1, 64, 80, 3)
        assert mine.line["look"] != theirs.line["look"]
    command = ("render", str(generated), "--out", str(tmp_path / "new"), "--executor", "local", "--catalog")
    wrong = tmp_path / "wrong"
    (wrong / "objects").mkdir(parents=True)
    some = Catalog.open(catalog)
    write_catalog(wrong, [write_object(wrong, some.load(some.entries[0].uid))])
    assert "was made from another catalog" in refused(capsys, *command, str(wrong))
    assert "cannot be rendered onto itself" in refused(
        capsys, "render", str(generated), "--out", str(generated), "--catalog", str(catalog), "--executor", "local"
    )
    assert "changes more than pictures" in refused(capsys, *command, str(catalog), "--set", "lift.hold_time=0.1")
    assert not (tmp_path / "new").exists()


def test_a_dataset_is_not_continued_with_another_recipe(
    generated: Path, catalog: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["generate", "smoke", "--catalog", str(catalog), "--out", str(generated), "--executor", "local"]
    assert "render.width: 64 → 256" in refused(capsys, *command, "--json").replace("error: ", "", 1)


def test_ray_makes_the_same_arrays_as_one_process(tmp_path: Path, generated: Path, catalog: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    command = ["generate", "smoke", "--catalog", str(catalog), "--out", str(tmp_path / "data"), *TINY]
    command += ["--executor", "ray", "--set", "execution.render.actors=1"]
    result = subprocess.run(
        [sys.executable, "-m", "syngrasp", *command], cwd=REPOSITORY, capture_output=True, text=True, timeout=240
    )
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert events[0]["executor"] == "ray"
    assert events[-1]["event"] == "done"
    assert content(tmp_path / "data") == content(generated)


def test_replays_are_drawn_at_random_and_pictured(
    generated: Path, catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["replay", str(generated), "--sample", "1", "--catalog", str(catalog)]
    result = told_json(capsys, *command, "--pictures", str(tmp_path))
    assert result["episodes"] == result["lifted"] == 1
    assert told_json(capsys, *command)["results"][0]["episode"] == result["results"][0]["episode"]
    picture = np.asarray(Image.open(result["results"][0]["picture"]))
    assert picture.shape[1] == 10 * picture.shape[0]
    first, last = picture[:, : picture.shape[0]], picture[:, -picture.shape[0] :]
    assert np.abs(first.astype(int) - last).mean() > 2, "the arm has moved"
    assert "--pictures" in refused(capsys, *command, "--from-seed", "--pictures", str(tmp_path))


def test_a_recipe_that_is_impossible_here_leaves_no_dataset_behind(
    catalog: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "data"
    command = ["generate", "smoke", "--catalog", str(catalog), "--out", str(out), *TINY, "--executor", "local"]
    assert run([*command, "--set", "plan.kind=curobo"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert "cuRobo" in told[0]
    assert run([*command, "--set", "render.kind=none"]) == 0, "the mended recipe is not refused as another one"
    capsys.readouterr()
    assert told_json(capsys, "status", str(out))["episodes"] > 0
