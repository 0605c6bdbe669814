"""Scenes obey their recipe, whatever is drawn, and are the same whenever their slot is asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from syngrasp import se3
from syngrasp.errors import CatalogError
from syngrasp.records import Scene, Slot
from syngrasp.robots import RobotConfig
from syngrasp.stage import Rejected
from syngrasp.stages.context import StageContext
from syngrasp.stages.layout import LayoutConfig, LayoutStage
from tests.stages.catalogs import MODELS, small_catalog

CONFIG = LayoutConfig(objects=(2, 4))
BY_UID = {m.entry.uid: m for m in MODELS}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_catalog(tmp_path_factory.mktemp("catalog"))


def stage_of(catalog: str, config: LayoutConfig = CONFIG, seed: int = 0) -> LayoutStage:
    stage = LayoutStage(config, StageContext(seed, RobotConfig(), catalog))
    stage.setup()
    return stage


@pytest.fixture(scope="module")
def outcomes(catalog: str) -> list[Scene | Rejected]:
    return stage_of(catalog).process([Slot(0, i) for i in range(30)])


@pytest.fixture(scope="module")
def scenes(outcomes: list[Scene | Rejected]) -> list[Scene]:
    scenes = [o for o in outcomes if isinstance(o, Scene)]
    assert len(scenes) >= 20, [o for o in outcomes if isinstance(o, Rejected)]
    return scenes


def test_objects_lie_on_the_table_inside_the_area(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert 2 <= len(scene.objects) <= 4
        for placed in scene.objects:
            x, y, _ = placed.pose[:3]
            assert CONFIG.area_x[0] - CONFIG.margin <= x <= CONFIG.area_x[1] + CONFIG.margin
            assert CONFIG.area_y[0] - CONFIG.margin <= y <= CONFIG.area_y[1] + CONFIG.margin
            corners = se3.transform(se3.matrix_from_pose7(placed.pose), placed.scale * BY_UID[placed.uid].hulls[0])
            assert corners[:, 2].min() == pytest.approx(scene.table_height, abs=1e-3)
            beyond = np.abs(corners[:, :2] - scene.table_center) - np.array(scene.table_size) / 2
            assert beyond.max() <= 0.0


def test_the_instruction_names_one_object_only(scenes: list[Scene]) -> None:
    for scene in scenes:
        categories = [BY_UID[o.uid].entry.category for o in scene.objects]
        assert categories[scene.target] == scene.category
        assert categories.count(scene.category) == 1
        assert scene.category in scene.instruction


def test_drawn_values_keep_their_ranges(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert CONFIG.table_height[0] <= scene.table_height <= CONFIG.table_height[1]
        assert scene.table_center[0] - scene.table_size[0] / 2 == pytest.approx(CONFIG.table_front)
        for placed in scene.objects:
            low, high = BY_UID[placed.uid].entry.scale_range
            assert low <= placed.scale <= high
            assert CONFIG.mass[0] <= placed.mass <= CONFIG.mass[1]
            assert CONFIG.friction[0] <= placed.friction <= CONFIG.friction[1]
    assert len({scene.category for scene in scenes}) == 4
    assert len({scene.instruction for scene in scenes}) > 4


def test_starts_vary_within_their_box_and_within_limits(catalog: str, scenes: list[Scene]) -> None:
    robot = stage_of(catalog)._robot
    tcp = robot.fk(np.stack([scene.q_start for scene in scenes]))
    for axis, bounds in enumerate((CONFIG.start_x, CONFIG.start_y, CONFIG.start_z)):
        assert tcp[:, axis, 3].min() >= bounds[0] - 1e-9
        assert tcp[:, axis, 3].max() <= bounds[1] + 1e-9
        assert np.ptp(tcp[:, axis, 3]) > 0.5 * (bounds[1] - bounds[0])
    assert np.all(tcp[:, 2, 2] < -np.cos(CONFIG.start_tilt) + 1e-9)
    for scene in scenes:
        assert np.all((scene.q_start >= robot.limits.q_lower) & (scene.q_start <= robot.limits.q_upper))


def test_a_slot_s_scene_does_not_depend_on_its_company(catalog: str, outcomes: list[Scene | Rejected]) -> None:
    stage = stage_of(catalog)
    for i in (7, 3):
        (alone,) = stage.process([Slot(0, i)])
        together = outcomes[i]
        if isinstance(alone, Rejected) or isinstance(together, Rejected):
            assert alone == together
            continue
        np.testing.assert_array_equal(alone.q_start, together.q_start)
        assert alone.instruction == together.instruction
        for a, b in zip(alone.objects, together.objects, strict=True):
            assert (a.uid, a.scale, a.mass, a.friction) == (b.uid, b.scale, b.mass, b.friction)
            np.testing.assert_array_equal(a.pose, b.pose)


def test_another_attempt_and_another_seed_give_other_scenes(catalog: str) -> None:
    stage = stage_of(catalog)
    heights = {s.table_height for s in stage.process([Slot(0, 0, a) for a in range(6)]) if isinstance(s, Scene)}
    heights |= {s.table_height for s in stage_of(catalog, seed=1).process([Slot(0, 0)]) if isinstance(s, Scene)}
    assert len(heights) >= 4


def tables(scenes: list[Scene]) -> set[bytes]:
    """What lies where, of each scene; equal bytes are equal tables."""
    return {
        repr([(o.uid, o.scale, o.mass, o.friction) for o in scene.objects]).encode()
        + np.stack([o.pose for o in scene.objects]).tobytes()
        + repr((scene.table_height, scene.table_center, scene.table_size)).encode()
        for scene in scenes
    }


def test_slots_of_a_group_share_the_table_and_nothing_else(catalog: str) -> None:
    config = LayoutConfig(objects=(3, 4), random_pose_fraction=0.0, episodes_per_scene=4)
    answers = stage_of(catalog, config).process([Slot(0, i) for i in range(16)])
    groups = [[s for s in answers[i : i + 4] if isinstance(s, Scene)] for i in range(0, 16, 4)]
    groups = [group for group in groups if group]
    assert sum(map(len, groups)) >= 8
    assert all(len(tables(group)) == 1 for group in groups)
    assert len(tables([scene for group in groups for scene in group])) == len(groups)
    scenes = [scene for group in groups for scene in group]
    assert len({scene.q_start.tobytes() for scene in scenes}) == len(scenes)
    assert any(len({scene.target for scene in group}) > 1 for group in groups)
    for scene in scenes:
        categories = [BY_UID[o.uid].entry.category for o in scene.objects]
        assert categories.count(categories[scene.target]) == 1
        assert scene.category == categories[scene.target]


def test_a_slot_of_a_group_can_be_made_again_alone(catalog: str) -> None:
    config = LayoutConfig(objects=(2, 4), random_pose_fraction=0.0, episodes_per_scene=3)
    together = stage_of(catalog, config).process([Slot(0, i, 1) for i in range(9)])
    for i in (8, 1, 5):
        (alone,) = stage_of(catalog, config).process([Slot(0, i, 1)])
        one = together[i]
        if isinstance(alone, Rejected) or isinstance(one, Rejected):
            assert alone == one
            continue
        assert tables([alone]) == tables([one])
        assert (alone.target, alone.instruction) == (one.target, one.instruction)
        np.testing.assert_array_equal(alone.q_start, one.q_start)


def test_the_first_slot_of_a_group_has_the_scene_it_would_have_alone(catalog: str) -> None:
    shared = stage_of(catalog, LayoutConfig(objects=(2, 4), episodes_per_scene=5)).process([Slot(0, i) for i in (0, 5)])
    alone = stage_of(catalog).process([Slot(0, i) for i in (0, 5)])
    for a, b in zip(shared, alone, strict=True):
        if isinstance(a, Rejected) or isinstance(b, Rejected):
            assert a == b
            continue
        assert tables([a]) == tables([b])
        assert (a.target, a.instruction) == (b.target, b.instruction)


def test_one_object_is_enough(catalog: str) -> None:
    config = LayoutConfig(objects=(1, 1), random_pose_fraction=0.0)
    scenes = [s for s in stage_of(catalog, config).process([Slot(0, i) for i in range(5)]) if isinstance(s, Scene)]
    assert scenes
    assert all(len(scene.objects) == 1 and scene.target == 0 for scene in scenes)


@pytest.mark.parametrize(
    "wrong", [{"objects": (0, 3)}, {"objects": (5, 4)}, {"table_height": (0.2, 0.9)}, {"friction": (2.0, 1.0)}]
)
def test_ranges_out_of_bounds_are_refused_by_name(wrong: dict[str, tuple[float, float]]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        LayoutConfig(**wrong)


def test_a_missing_catalog_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="no catalog here"):
        stage_of(str(tmp_path))
