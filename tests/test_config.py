"""Recipes: reading, overriding, explaining what is wrong, and what makes two recipes the same dataset."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from syngrasp.config import DEFAULT_RECIPE, Recipe, difference, load_recipe, parse_recipe, recipe_hash, recipe_names
from syngrasp.errors import RecipeError, SyngraspError, UnknownName
from syngrasp.rendering.randomize import CameraConfig
from syngrasp.robots import RobotKind, robot_kinds


@pytest.mark.parametrize("name", recipe_names())
def test_every_recipe_of_the_project_loads_and_says_its_name(name: str) -> None:
    assert load_recipe(name).name == name


def test_the_default_recipe_exists() -> None:
    assert DEFAULT_RECIPE in recipe_names()
    assert load_recipe() == load_recipe(DEFAULT_RECIPE)


def test_the_paper_recipe_asks_for_ten_million_trajectories() -> None:
    recipe = load_recipe("syngrasp_1b")
    assert recipe.shards * recipe.episodes_per_shard == 10_000_000
    assert recipe.layout.table_height == (-0.1, 0.2)


def test_overrides_are_yaml_and_reach_nested_values() -> None:
    recipe = load_recipe(overrides=["seed=7", "layout.objects=[2, 3]", "execution.plan.batch=9", "name=x"])
    assert (recipe.seed, recipe.layout.objects, recipe.execution.plan.batch, recipe.name) == (7, (2, 3), 9, "x")


def test_a_later_override_wins() -> None:
    assert load_recipe(overrides=["seed=1", "seed=2"]).seed == 2


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("layuot.objects=[1,2]", "did you mean 'layout'"),
        ("layout.object=[1,2]", "did you mean 'layout.objects'"),
        ("execution.plan.bach=1", "did you mean 'execution.plan.batch'"),
        ("shards=0", "shards=0: should be greater than or equal to 1; valid: ≥ 1 and ≤ 10000000"),
        ("execution.lift.batch=many", 'execution.lift.batch="many"'),
        ("layout.objects=[3, 99]", "[3, 99] is not an ascending range within [1, 8]"),
        ("layout=3", "layout=3"),
        ("dataset.max_objects=2", "dataset.max_objects=2 has no place for"),
        ("render.randomize.prop_kinds=[ballon]", """prop_kinds.0="ballon": should be 'ball', 'books'"""),
        ("render.randomize.light_kinds=[sun]", "should be 'point', 'directional' or 'spot'"),
        ("render.randomize.table_supports=[leggs]", "should be 'legs', 'block', 'trestle' or 'column'"),
        ("render.randomize.wall_families=[wod]", "should be 'brick', 'checker'"),
        ("render.randomize.environments=[skyy]", "should be 'gradient', 'studio' or 'sky'"),
        ("render.randomize.fovy=[0, 43]", "fovy.0=0: should be greater than or equal to 1"),
        ("render.randomize.light_temperature=[800, 4000]", "should be greater than or equal to 1667"),
        ("render.randomize.exposure=[.nan, 1.0]", "should be a finite number"),
        ("render.randomize.texture_scale=[0, 1]", "should be greater than 0"),
        ("render.randomize.glass_ior=[-1, 1.5]", "should be greater than or equal to 1"),
        ("render.cameras.front.target=[1.35, 0.0, 0.54]", "is the position itself"),
        ("render.cameras.a-b={position: [1, 0, 1], target: [0, 0, 0]}", "a-b"),
        ("seed", "must read key=value"),
        ("seed=[", "not YAML"),
        ("seed.more=1", "seed"),
    ],
)
def test_a_wrong_value_is_told_in_one_line(override: str, told: str) -> None:
    with pytest.raises(SyngraspError) as caught:
        load_recipe(overrides=[override])
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


CAMERA = "{position: [0.4, 0.1, 1.5], target: [0.4, 0.0, 0.0]}"


@pytest.mark.parametrize("kind", robot_kinds())
def test_a_camera_is_moved_added_or_left_out_by_name(kind: str) -> None:
    def cameras(*overrides: str) -> dict[str, CameraConfig]:
        return load_recipe(overrides=[f"robot.kind={kind}", *overrides]).render.cameras

    own = cameras()
    assert list(own) == ["front", "side"]
    moved = cameras("render.cameras.side.position=[0.5, 0.8, 0.5]")
    assert moved == own | {"side": CameraConfig(position=(0.5, 0.8, 0.5), target=own["side"].target)}
    top = CameraConfig(position=(0.4, 0.1, 1.5), target=(0.4, 0.0, 0.0))
    assert cameras(f"render.cameras.top={CAMERA}") == own | {"top": top}
    assert cameras("render.cameras.front=null") == {"side": own["side"]}
    assert cameras("render.cameras.front=null", "render.cameras.side=null", f"render.cameras.top={CAMERA}") == {
        "top": top
    }


@pytest.mark.parametrize("kind", robot_kinds())
def test_a_recipe_of_one_camera_stays_one_when_it_is_read_back(kind: str) -> None:
    recipe = load_recipe(overrides=[f"robot.kind={kind}", "render.cameras.front=null"])
    assert parse_recipe(recipe.model_dump(mode="json")) == recipe


@pytest.mark.parametrize("kind", robot_kinds())
@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("layout=null", "layout=null: should be a valid dictionary"),
        ("render=null", "render=null: should be a valid dictionary"),
        ("render.cameras=null", "render.cameras=null: should be a valid dictionary"),
        ("render.cameras={front: null, side: null}", "should have at least 1 item"),
        ("render.cameras.sied=null", "render.cameras.sied=null: should be a valid dictionary"),
        ("render.cameras.side.positon=[0, 0, 1]", "did you mean 'render.cameras.side.position'"),
        ("render.cameras.top.position=[0, 0, 1]", "render.cameras.top.target"),
        ("layout=3", "layout=3"),
    ],
)
def test_what_is_no_section_or_camera_is_refused_for_every_robot(kind: str, override: str, told: str) -> None:
    with pytest.raises(SyngraspError) as caught:
        load_recipe(overrides=[f"robot.kind={kind}", override])
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_wrong_recipe_name_names_the_valid_ones() -> None:
    with pytest.raises(UnknownName, match="did you mean 'tabletop'"):
        load_recipe("tabeltop")


@pytest.mark.parametrize(
    ("text", "told"), [("- a\n- b\n", "must hold sections"), ("a: [", "not YAML"), ("\tx", "not YAML")]
)
def test_a_file_that_is_no_recipe_is_told(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=told) as caught:
        load_recipe(path)
    assert "\n" not in str(caught.value)


def test_a_missing_and_an_unreadable_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="no recipe file"):
        load_recipe(tmp_path / "none.yaml")
    binary = tmp_path / "binary.yaml"
    binary.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(binary)


def test_an_empty_file_is_the_recipe_of_defaults(tmp_path: Path) -> None:
    path = tmp_path / "empty.yaml"
    path.write_text("")
    assert load_recipe(path) == Recipe()


def test_the_hash_covers_what_a_shard_holds_and_nothing_else() -> None:
    base = Recipe()
    same = [{"shards": 99}, {"name": "other"}, {"execution": {"queue": 3}}, {"execution": {"plan": {"batch": 1}}}]
    other = [{"seed": 1}, {"episodes_per_shard": 3}, {"max_attempts": 3}, {"layout": {"gap": 0.05}},
             {"robot": {"finger_extension": 0.0}}, {"dataset": {"max_objects": 9}}]  # fmt: skip
    assert {recipe_hash(parse_recipe(values)) for values in same} == {recipe_hash(base)}
    hashes = [recipe_hash(parse_recipe(values)) for values in other]
    assert len({recipe_hash(base), *hashes}) == len(other) + 1


def test_the_hash_survives_a_round_trip_through_json() -> None:
    recipe = load_recipe(overrides=["layout.gap=0.03"])
    assert recipe_hash(Recipe.model_validate_json(recipe.model_dump_json())) == recipe_hash(recipe)


def test_a_difference_names_each_changed_value() -> None:
    old, new = Recipe(), parse_recipe({"layout": {"gap": 0.05}, "seed": 3})
    told = difference(old.content(), new.content())
    assert told == ["layout.gap: 0.02 → 0.05", "seed: 0 → 3"]
    assert difference(old.content(), old.content()) == []


def test_a_difference_names_what_is_only_in_one() -> None:
    assert difference({"a": {"b": 1}}, {"a": {"c": 2}}) == ["a.b: 1 → absent", "a.c: absent → 2"]


def test_every_value_is_described() -> None:
    def undescribed(model: type, path: str) -> list[str]:
        out = []
        for name, field in model.model_fields.items():  # type: ignore[attr-defined]
            inner = field.annotation
            if hasattr(inner, "model_fields"):
                out += undescribed(inner, f"{path}{name}.")
            elif not field.description:
                out.append(path + name)
        return out

    assert undescribed(Recipe, "") == []


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["lift.hold_time=1.5"], "lift.hold_time=1.5 is longer than what plan.hold_time=0.5 holds"),
        (["plan.lift_height=0.08"], "lift.lift_height=0.1 is no less than plan.lift_height=0.08"),
        (["layout.episodes_per_scene=64"], "layout.episodes_per_scene=64 is more than episodes_per_shard=16"),
        (["grasp.retreats=[5.0]"], "grasp.retreats.0=5.0: should be less than or equal to 0.02"),
        (["plan.retry_offset=[0.0,0.0]"], "retry_offset"),
    ],
)
def test_sections_that_cannot_go_together_are_refused(overrides: list[str], told: str) -> None:
    with pytest.raises(RecipeError, match=re.escape(told)):
        load_recipe("tabletop", overrides)


@pytest.mark.parametrize("name", recipe_names())
@pytest.mark.parametrize("kind", get_args(RobotKind))
def test_every_recipe_takes_every_robot(name: str, kind: str) -> None:
    assert load_recipe(name, [f"robot.kind={kind}"]).robot.kind == kind


def test_the_gpu_recipe_fills_the_batches_of_its_physics() -> None:
    recipe = load_recipe("gpu")
    execution, batch = recipe.execution, recipe.execution.lift.batch
    assert (recipe.lift.kind, recipe.lift.device, recipe.render.device) == ("mjwarp", "cuda", "cuda")
    assert recipe.episodes_per_shard >= batch
    assert execution.queue >= 2 * batch
    assert (1 + execution.shards_ahead) * recipe.episodes_per_shard >= 2 * batch
    assert execution.lift.num_gpus is not None
    assert execution.render.num_gpus is not None
    assert execution.lift.num_gpus + execution.render.num_gpus == 1.0
