"""The render stage: what it puts into an episode, what it refuses, what it does not import."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from syngrasp.objects.catalog import write_catalog, write_object
from syngrasp.records import Episode, Rollout, Slot
from syngrasp.rendering.labels import FIRST_OBJECT
from syngrasp.rendering.randomize import PAPER_CAMERAS, CameraConfig
from syngrasp.robots import RobotConfig, make_robot
from syngrasp.stage import Rejected
from syngrasp.stages.context import StageContext
from syngrasp.stages.render import RenderConfig, RenderStage
from tests.rendering import scenes

SMALL = {"width": 64, "height": 64, "min_target_pixels": 4}


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> StageContext:
    path = tmp_path_factory.mktemp("catalog")
    (path / "objects").mkdir()
    write_catalog(path, [write_object(path, model) for model in scenes.household()])
    return StageContext(seed=5, robot=RobotConfig(), catalog=str(path))


@pytest.fixture(scope="module")
def rollout() -> Rollout:
    q = make_robot(RobotConfig()).q_home
    return scenes.rollout(scenes.scene(scenes.household()), q, q + 0.1, 4)


@pytest.fixture(scope="module")
def stage(context: StageContext) -> RenderStage:
    stage = RenderStage(RenderConfig(**SMALL, depth=True), context)
    stage.setup()
    return stage


def test_an_episode_is_whole(stage: RenderStage, rollout: Rollout) -> None:
    (episode,) = stage.process([rollout])
    assert isinstance(episode, Episode)
    assert episode.cameras == ("front", "side")
    assert episode.images is not None
    assert episode.masks is not None
    assert episode.bbox is not None
    assert episode.depth is not None
    assert episode.images.shape == (4, 2, 64, 64, 3)
    assert episode.masks.shape == episode.depth.shape == (4, 2, 64, 64)
    assert episode.images.std() > 20
    assert set(episode.attribution) == {"box", "can", "ball", "card"}
    assert episode.attribution["box"]["license"] == "CC0-1.0"
    for f, c, i in np.ndindex(4, 2, 4):
        y, x = np.nonzero(episode.masks[f, c] == FIRST_OBJECT + i)
        expected = [x.min(), y.min(), x.max() + 1, y.max() + 1] if len(x) else [np.nan] * 4
        np.testing.assert_array_equal(episode.bbox[f, c, i], expected)
    assert episode.bbox_full is not None
    assert episode.occlusion is not None
    assert episode.truncated is not None
    assert episode.bbox_full.shape == (4, 2, 4, 4)
    assert episode.occlusion.shape == episode.truncated.shape == (4, 2, 4)
    assert set(episode.visibility) == set(episode.picture) == {"front", "side"}
    assert set(episode.picture["front"]) == {"brightness", "hue", "saturation"}
    assert (episode.renderer["kind"], episode.renderer["device"]) == ("mjwarp", "cpu")
    assert episode.camera_intrinsics is not None
    assert episode.T_base_camera is not None
    assert episode.camera_intrinsics.shape == (2, 3, 3)
    assert episode.T_base_camera.shape == (2, 4, 4)


def test_a_slot_has_its_look_whoever_renders_it(stage: RenderStage, rollout: Rollout) -> None:
    other = replace(rollout, scene=replace(rollout.scene, slot=Slot(0, 1)))
    one, two = stage.process([rollout, other])
    (alone,) = stage.process([other])
    assert isinstance(one, Episode)
    assert isinstance(two, Episode)
    assert isinstance(alone, Episode)
    assert one.look != two.look
    assert alone.look == two.look
    np.testing.assert_array_equal(alone.images, two.images)


def test_a_hidden_target_is_refused(stage: RenderStage, rollout: Rollout) -> None:
    poses = rollout.object_pose.copy()
    poses[:, 0, 2] -= 0.2  # inside the table
    (answer,) = stage.process([replace(rollout, object_pose=poses)])
    assert isinstance(answer, Rejected)
    assert (answer.stage, answer.reason) == ("render", "target_hidden")
    assert "front 0, side 0" in answer.detail
    assert "wanted in one" in answer.detail


def test_a_target_that_one_camera_sees_is_enough_unless_all_must(context: StageContext, rollout: Rollout) -> None:
    """A third camera looks away from the table."""
    away = CameraConfig(position=(1.0, 0.0, 0.5), target=(3.0, 0.0, 0.5))
    cameras = {"front": PAPER_CAMERAS["front"], "away": away}
    answers = {}
    for wanted in ("any", "all"):
        stage = RenderStage(RenderConfig(**SMALL, cameras=cameras, require_target=wanted), context)
        stage.setup()
        (answers[wanted],) = stage.process([rollout])
    episode, refused = answers["any"], answers["all"]
    assert isinstance(episode, Episode)
    assert episode.visibility["away"] == {"share": 0.0, "least": 0}
    assert episode.visibility["front"]["share"] == 1.0
    assert isinstance(refused, Rejected)
    assert "away 0; 4 wanted in each" in refused.detail


def test_another_number_draws_another_look_of_the_same_slot(context: StageContext, rollout: Rollout) -> None:
    looks = []
    for number in (0, 1, 2, 1):
        stage = RenderStage(RenderConfig(**SMALL, look=number), context)
        stage.setup()
        (episode,) = stage.process([rollout])
        assert isinstance(episode, Episode)
        looks.append(episode.look)
    assert looks[1] == looks[3]
    assert looks[0] != looks[1] != looks[2] != looks[0]


def test_without_pictures_nothing_heavy_is_imported(context: StageContext, rollout: Rollout) -> None:
    stage = RenderStage(RenderConfig(kind="none"), context)
    stage.setup()
    (episode,) = stage.process([rollout])
    assert isinstance(episode, Episode)
    assert episode.images is episode.masks is episode.bbox is episode.camera_intrinsics is None
    assert episode.attribution["can"]["category"] == "can"
    code = (
        "import sys; from syngrasp.stages.render import *; from syngrasp.robots import RobotConfig;"
        f"s = RenderStage(RenderConfig(kind='none'), StageContext(0, RobotConfig(), {context.catalog!r})); s.setup();"
        "print([m for m in ('warp', 'mujoco', 'numba', 'scipy', 'trimesh') if m in sys.modules])"
    )
    repository = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=repository, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert done.stderr == ""
