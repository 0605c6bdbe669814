from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError

from syngrasp.errors import CUROBO_INSTALL, SyngraspError
from syngrasp.records import Plan, SceneGrasps, Slot
from syngrasp.robots import RobotConfig
from syngrasp.stage import Rejected
from syngrasp.stages.context import StageContext
from syngrasp.stages.plan import PLANNERS, PlanConfig, PlanStage
from tests.planning import clutter


class _Shelf:
    """Stands where the catalog stands: it knows the test's objects."""

    def load(self, uid: str):
        return next(m for m in clutter.models() if m.entry.uid == uid)


@pytest.fixture(scope="module")
def stage() -> PlanStage:
    stage = PlanStage(PlanConfig(), StageContext(seed=7, robot=RobotConfig(), catalog=""))
    stage._catalog = _Shelf()  # type: ignore[assignment]
    stage._planner = PLANNERS["rrt"](PlanConfig(), clutter.robot(), 7)
    return stage


@pytest.fixture(scope="module")
def batch() -> list[SceneGrasps]:
    return [clutter.scene_grasps(np.random.default_rng(i), slot=Slot(0, i)) for i in range(6)]


def _bytes(answer: Plan | Rejected) -> bytes:
    return answer.q.tobytes() + answer.qd.tobytes() if isinstance(answer, Plan) else repr(answer).encode()


def test_answers_do_not_depend_on_the_batch(stage: PlanStage, batch: list[SceneGrasps]):
    together = stage.process(batch)
    alone = [stage.process([grasps])[0] for grasps in reversed(batch)][::-1]
    assert [_bytes(a) for a in together] == [_bytes(b) for b in alone]
    assert sum(isinstance(a, Plan) for a in together) >= 4


def test_a_plan_has_one_row_per_frame(stage: PlanStage, batch: list[SceneGrasps]):
    plan = next(a for a in stage.process(batch) if isinstance(a, Plan))
    frames = len(plan.phase)
    assert plan.q.shape == plan.qd.shape == (frames, 7)
    assert plan.gripper.shape == (frames,)
    assert plan.phase.dtype == np.uint8
    assert plan.dt == pytest.approx(0.1)


def test_a_scene_without_goals_is_rejected(stage: PlanStage, batch: list[SceneGrasps]):
    from dataclasses import replace

    empty = replace(batch[0], q_goal=np.zeros((0, 7)), grasp_of_goal=np.zeros(0, np.int32))
    (answer,) = stage.process([empty])
    assert isinstance(answer, Rejected)
    assert (answer.stage, answer.reason) == ("plan", "no_approach")


def test_a_missing_curobo_is_told_in_one_line_with_the_way_to_get_it():
    if importlib.util.find_spec("curobo"):
        pytest.skip("cuRobo is installed")
    stage = PlanStage(PlanConfig(kind="curobo"), StageContext(seed=7, robot=RobotConfig(), catalog=""))
    with pytest.raises(SyngraspError) as error:
        stage.setup()
    assert CUROBO_INSTALL in str(error.value)
    assert "\n" not in str(error.value)
    stage.close()


def test_config_has_units_and_bounds():
    for name, field in PlanConfig.model_fields.items():
        assert field.description, name
    with pytest.raises(ValidationError):
        PlanConfig(speed=0.0)
    with pytest.raises(ValidationError):
        PlanConfig.model_validate({"velocty": 0.5})


def test_the_config_alone_loads_nothing_heavy():
    code = "import sys, syngrasp.stages.plan; print([m for m in ('numba', 'mujoco', 'scipy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
