"""`syngrasp render`: the rollouts of a dataset in other pictures; nothing else changes, nothing is planned again."""

from __future__ import annotations

import shutil
import signal
import time
from collections import Counter
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from syngrasp import dataset
from syngrasp.cli import run as command
from syngrasp.errors import DatasetError, RecipeError, UnknownName
from syngrasp.generate import execute
from syngrasp.generate.again import change_recipe
from syngrasp.generate.jobs import STAGES
from syngrasp.records import Slot
from tests.dataset.datasets import create
from tests.dataset.synthetic import make_episode
from tests.fake_run import content, make, prepare_again, recipe, start
from tests.fake_stages import Break, FakeStages

EARLIER = STAGES[:-1]
OTHER_LOOK = FakeStages(seed=4, reject=0.25)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shards of five slots, of which some are empty. Read only."""
    path = tmp_path_factory.mktemp("source") / "data"
    make(recipe(shards=3, max_attempts=2), path, FakeStages(reject=0.25))
    return path


def again(source: Path, out: Path, stages: FakeStages, executor: Any = "local", **options: Any) -> dict[int, Any]:
    execute(prepare_again(source, out, stages, **options), lambda event: None, executor)
    return content(out)


def slots(path: Path) -> set[Slot]:
    return {view.scene().slot for view in dataset.open(path).episodes()}


def test_a_rollout_is_read_back_exactly(tmp_path: Path) -> None:
    episode = make_episode(Slot(0, 0), objects=2)
    create(tmp_path, shards=1)
    with dataset.ShardWriter(tmp_path, 0, max_objects=4) as writer:
        writer.append(episode)
        dataset.commit_shard(tmp_path, writer.finish(), stages={})
    view = dataset.open(tmp_path).episode(0)
    found, stored = dataset.rollout_from(view.line, view), episode.rollout
    for name in (field.name for field in fields(stored) if field.name != "scene"):
        before, after = getattr(stored, name), getattr(found, name)
        if isinstance(before, np.ndarray):
            assert (before.dtype, before.shape, before.tobytes()) == (after.dtype, after.shape, after.tobytes()), name
        else:
            assert before == after, name
    np.testing.assert_array_equal(found.scene.q_start, stored.scene.q_start)
    assert [o.uid for o in found.scene.objects] == [o.uid for o in stored.scene.objects]


def test_the_same_settings_give_the_same_bytes(source: Path, tmp_path: Path) -> None:
    made = again(source, tmp_path / "new", FakeStages(reject=0.25))
    before = content(source)
    assert any(values[2] for values in before.values()), "the test needs an empty slot"
    for shard, (files, stages, empty, frames, rejections) in before.items():
        assert (made[shard][0], made[shard][2], made[shard][3]) == (files, empty, frames)
        told = {stage: made[shard][1][stage] for stage in EARLIER}
        assert told == {stage: stages[stage] for stage in EARLIER}
        assert made[shard][1]["render"] == {"passed": 5 - len(empty), "rejected": {}}
        assert made[shard][4] == [row for row in rejections if row["stage"] != "render"]
    assert dataset.verify_dataset(tmp_path / "new").ok
    assert dataset.open_info(tmp_path / "new").source == {
        "url": str(source),
        "recipe_hash": dataset.open_info(source).recipe_hash,
    }


def test_what_new_cameras_do_not_see_is_left_out_and_nothing_is_planned(source: Path, tmp_path: Path) -> None:
    other = FakeStages(seed=4, reject=0.25, notes=str(tmp_path))
    made = again(source, tmp_path / "new", other, settings=["render.look=4"])
    calls = [line.split() for line in (tmp_path / "calls.txt").read_text().splitlines()]
    assert {call[0] for call in calls} == {"render"}
    assert Counter(tuple(call[1:3]) for call in calls).most_common(1)[0][1] == 1
    left_out = slots(source) - slots(tmp_path / "new")
    assert left_out
    assert slots(tmp_path / "new") < slots(source)
    before = content(source)
    for shard, values in made.items():
        assert {stage: values[1][stage] for stage in EARLIER} == {stage: before[shard][1][stage] for stage in EARLIER}
        gone = sum(slot.shard == shard for slot in left_out)
        assert values[1]["render"] == {"passed": 5 - len(values[2]), "rejected": {"unseen": gone} if gone else {}}
        assert set(before[shard][2]) <= set(values[2])
    stored = {view.scene().slot: view for view in dataset.open(source).episodes()}
    for view in dataset.open(tmp_path / "new").episodes():
        for name in dataset.STATES:
            assert view[name].tobytes() == stored[view.scene().slot][name].tobytes()
        assert not np.array_equal(view["images"], stored[view.scene().slot]["images"])
    assert dataset.verify_dataset(tmp_path / "new").ok


def test_a_killed_run_goes_on_to_the_same_shards(source: Path, tmp_path: Path) -> None:
    whole = again(source, tmp_path / "whole", OTHER_LOOK)
    out, stages = tmp_path / "killed", {"seed": 4, "reject": 0.25, "render_seconds": 0.2}
    process = start(out, stages, str(source), name="render")
    deadline = time.monotonic() + 60
    while not (out / "commits/00000.json").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = dataset.committed_shards(out)
    assert 0 < len(done) < 3
    kept = [commit.attempt_id for commit in dataset.read_commits(out)]
    assert again(source, out, OTHER_LOOK) == whole
    assert [commit.attempt_id for commit in dataset.read_commits(out) if commit.shard in done] == kept


def test_an_episode_that_breaks_the_renderer_is_quarantined_and_can_be_retried(source: Path, tmp_path: Path) -> None:
    whole = again(source, tmp_path / "whole", OTHER_LOOK)
    shard, episode = next((s.shard, s.episode) for s in sorted(slots(tmp_path / "whole")))
    broken = FakeStages(seed=4, reject=0.25, breaks=(Break("render", shard, episode, "raise"),))
    assert episode in again(source, tmp_path / "new", broken)[shard][2]
    assert [(item["shard"], item["episode"]) for item in dataset.list_quarantine(tmp_path / "new")] == [
        (shard, episode)
    ]
    assert command(["retry", str(tmp_path / "new"), "--withdraw"]) == 0
    assert again(source, tmp_path / "new", OTHER_LOOK) == whole


def test_ray_renders_the_same_with_render_actors_alone(source: Path, tmp_path: Path) -> None:
    pytest.importorskip("ray", reason="Ray is not installed")
    whole = again(source, tmp_path / "local", OTHER_LOOK)
    settings = ["execution.render.actors=2"]
    assert again(source, tmp_path / "ray", OTHER_LOOK, "ray", settings=settings) == whole


def test_part_of_a_dataset_is_rendered_when_asked_for_and_the_rest_later(source: Path, tmp_path: Path) -> None:
    whole = again(source, tmp_path / "whole", OTHER_LOOK)
    growing = tmp_path / "growing"
    shutil.copytree(source, growing)
    (growing / "commits/00001.json").rename(tmp_path / "later.json")
    with pytest.raises(DatasetError, match="only 2 of its 3 shards are committed; --partial"):
        prepare_again(growing, tmp_path / "new", OTHER_LOOK)
    assert not (tmp_path / "new").exists()
    assert set(again(growing, tmp_path / "new", OTHER_LOOK, partial=True)) == {0, 2}
    (tmp_path / "later.json").rename(growing / "commits/00001.json")
    assert again(growing, tmp_path / "new", OTHER_LOOK) == whole


def test_counts_stand_where_the_record_of_rejections_is_lost(source: Path, tmp_path: Path) -> None:
    lost = tmp_path / "lost"
    shutil.copytree(source, lost)
    shutil.rmtree(lost / "rejected")
    made, before = again(lost, tmp_path / "new", FakeStages(reject=0.25)), content(source)
    for shard, values in made.items():
        assert {stage: values[1][stage] for stage in EARLIER} == {stage: before[shard][1][stage] for stage in EARLIER}


def test_what_cannot_be_rendered_again_is_refused(source: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    for setting in ("layout.objects=[1,2]", "seed=3", "shards=9", "dataset.max_objects=9", "renderer=x"):
        with pytest.raises(RecipeError, match=r"changes more than pictures; valid: render\.…, execution\.…"):
            prepare_again(source, new, OTHER_LOOK, [setting])
    with pytest.raises(UnknownName, match=r"did you mean 'render\.width'"):
        prepare_again(source, new, OTHER_LOOK, ["render.widht=3"])
    with pytest.raises(DatasetError, match="cannot be rendered onto itself"):
        prepare_again(source, source.parent / "." / source.name, OTHER_LOOK)
    with pytest.raises(DatasetError, match="there is no dataset here"):
        prepare_again(tmp_path / "none", new, OTHER_LOOK)
    assert not new.exists()


def test_another_dataset_is_not_continued(source: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    again(source, new, OTHER_LOOK, settings=["render.look=4"])
    with pytest.raises(DatasetError, match=r"render\.look: 4 → 5"):
        prepare_again(source, new, OTHER_LOOK, ["render.look=5"])
    copied = tmp_path / "copy"
    shutil.copytree(source, copied)
    with pytest.raises(DatasetError, match=r"rendered from: .* → "):
        prepare_again(copied, new, OTHER_LOOK, ["render.look=4"])
    with pytest.raises(DatasetError, match=r"rendered from: .* → its own rollouts"):
        make(recipe(shards=3, max_attempts=2, render={"look": 4}), new, OTHER_LOOK)
    with pytest.raises(DatasetError, match="rendered from: its own rollouts → "):
        prepare_again(new, copied, OTHER_LOOK, ["render.look=0"])


def test_cameras_add_to_those_of_the_dataset() -> None:
    values = recipe().model_dump(mode="json")
    values["render"]["cameras"].pop("side")
    setting = "render.cameras.top={position: [0.5, 0, 1.2], target: [0.5, 0, 0]}"
    changed = change_recipe(values, [setting, "render.cameras.front.position=[1.0, 0, 0.5]"])
    assert list(changed.render.cameras) == ["front", "top"]
    assert changed.render.cameras["front"].position == (1.0, 0.0, 0.5)
    assert list(change_recipe(values, [setting, "render.cameras.front=null"]).render.cameras) == ["top"]
