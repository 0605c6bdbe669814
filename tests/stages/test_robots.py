"""Every robot goes through the same stages, on the same tables, with its own recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from syngrasp.config import Recipe, load_recipe
from syngrasp.records import Rollout, Slot
from syngrasp.robots import make_robot, robot_kinds
from syngrasp.stage import Rejected
from syngrasp.stages.context import StageContext
from syngrasp.stages.grasp import GraspStage
from syngrasp.stages.layout import LayoutStage
from syngrasp.stages.lift import LiftStage
from syngrasp.stages.plan import PlanStage
from tests.stages.catalogs import small_catalog

SLOTS = 12


def _outcomes(recipe: Recipe, catalog: str) -> list[Rollout | Rejected]:
    context = StageContext(recipe.seed, recipe.robot, catalog)
    sections = (recipe.layout, recipe.grasp, recipe.plan, recipe.lift)
    classes: tuple[Any, ...] = (LayoutStage, GraspStage, PlanStage, LiftStage)
    stages = [stage(section, context) for stage, section in zip(classes, sections, strict=True)]
    for stage in stages:
        stage.setup()
    out = []
    for episode in range(SLOTS):
        item: Any = Slot(0, episode)
        for stage in stages:
            (item,) = stage.process([item])
            if isinstance(item, Rejected):
                break
        out.append(item)
    return out


@pytest.mark.parametrize("kind", robot_kinds())
def test_a_robot_lifts_what_it_plans_to(kind: str, tmp_path: Path) -> None:
    recipe = load_recipe(overrides=[f"robot.kind={kind}", "layout.objects=[2, 4]"])
    robot = make_robot(recipe.robot)
    outcomes = _outcomes(recipe, small_catalog(tmp_path))
    lifted = [item for item in outcomes if isinstance(item, Rollout)]
    failed = [item for item in outcomes if isinstance(item, Rejected) and item.stage == "lift"]
    assert len(lifted) >= SLOTS // 3, outcomes  # each object of the catalog has one grasp only
    assert len(failed) <= 0.2 * (len(lifted) + len(failed)), failed
    for rollout in lifted:
        assert rollout.scene.robot == kind
        assert rollout.joint_position.shape[1] == robot.dof
        assert rollout.gripper_width[0] == pytest.approx(robot.gripper.max_width, abs=1e-4)
        assert 0.0 < rollout.gripper_width[-1] < robot.gripper.max_width - 0.01
        start = robot.fk(rollout.scene.q_start)
        for axis, (low, high) in enumerate((recipe.layout.start_x, recipe.layout.start_y, recipe.layout.start_z)):
            assert low - 1e-6 <= start[axis, 3] <= high + 1e-6
        closed = np.flatnonzero(rollout.phase >= 2)
        assert np.allclose(rollout.ee_pose[:, :3], robot.fk(rollout.joint_position)[:, :3, 3], atol=1e-5)
        assert (
            rollout.object_pose[closed[-1], rollout.scene.target, 2] > rollout.object_pose[0, rollout.scene.target, 2]
        )
