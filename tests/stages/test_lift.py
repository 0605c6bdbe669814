"""The lift stage keeps what lifts, says why it drops the rest, and answers the same for the same plan."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from syngrasp.physics.lift import LiftLimits
from syngrasp.physics.replay import replay
from syngrasp.records import Phase, Plan, Rollout, Slot
from syngrasp.robots import RobotConfig, make_robot
from syngrasp.stage import Rejected
from syngrasp.stages.context import StageContext
from syngrasp.stages.lift import LiftConfig, LiftStage
from tests.physics.plans import scene_of, straight_plan
from tests.stages.catalogs import MODELS, small_catalog

ROBOT = make_robot(RobotConfig())


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> LiftStage:
    catalog = small_catalog(tmp_path_factory.mktemp("catalog"))
    stage = LiftStage(LiftConfig(verify_replay="always"), StageContext(0, RobotConfig(), catalog))
    stage.setup()
    return stage


def plan_of(slot: Slot = Slot(0, 0), offset: tuple[float, float, float] = (0.0, 0.0, 0.0)) -> Plan:  # noqa: B008
    models = [MODELS[0], MODELS[2]]
    scene = replace(scene_of(ROBOT, models, [(0.5, 0.0), (0.45, 0.15)]), slot=slot)
    return straight_plan(ROBOT, scene, 0.04, grasp_offset=offset)


def test_a_good_plan_becomes_a_rollout_of_its_frames(stage: LiftStage) -> None:
    plan = plan_of()
    (rollout,) = stage.process([plan])
    assert isinstance(rollout, Rollout), rollout
    frames = len(plan.q)
    assert rollout.joint_position.shape == rollout.joint_velocity.shape == (frames, ROBOT.dof)
    assert rollout.action.shape == rollout.ee_pose.shape == rollout.goal_pose.shape == (frames, 7)
    assert rollout.object_pose.shape == (frames, 2, 7)
    assert rollout.gripper_width[0] == pytest.approx(ROBOT.gripper.max_width)
    assert rollout.lift_height >= stage.config.lift_height
    assert rollout.slip <= stage.config.max_slip
    np.testing.assert_allclose(rollout.object_pose[0, 0], plan.scene.objects[0].pose, atol=1e-6)
    np.testing.assert_allclose(rollout.joint_position[0], plan.q[0], atol=1e-6)
    holding = rollout.phase == Phase.HOLD
    assert np.all(rollout.object_pose[holding, 0, 2] > plan.scene.objects[0].pose[2] + stage.config.lift_height)


def test_a_rollout_lifts_again_from_what_is_stored_of_it(stage: LiftStage) -> None:
    (rollout,) = stage.process([plan_of()])
    assert isinstance(rollout, Rollout)
    result = replay(
        rollout.scene, [MODELS[0], MODELS[2]], ROBOT, rollout.joint_position[0], rollout.ee_pose, rollout.action,
        rollout.dt, stage.config.limits(), rollout.physics,
    )  # fmt: skip
    assert result.lifted, result
    assert result.deviation < 2e-3


def test_answers_do_not_depend_on_company_or_history(stage: LiftStage) -> None:
    plans = [plan_of(), plan_of(offset=(0.0, 0.12, 0.0)), plan_of(Slot(0, 1))]
    together = stage.process(plans)
    alone = [stage.process([plan])[0] for plan in reversed(plans)][::-1]
    assert isinstance(together[1], Rejected)
    assert together[1] == alone[1]
    for a, b in ((together[0], alone[0]), (together[2], alone[2])):
        assert isinstance(a, Rollout)
        assert isinstance(b, Rollout)
        assert a.physics == b.physics
        for name in ("joint_position", "gripper_width", "ee_pose", "action", "object_pose"):
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name))
    assert together[0].physics != together[2].physics  # type: ignore[union-attr]


def test_a_miss_is_rejected_with_its_reason(stage: LiftStage) -> None:
    (missed,) = stage.process([plan_of(offset=(0.0, 0.12, 0.0))])
    assert isinstance(missed, Rejected)
    assert (missed.stage, missed.reason) == ("lift", "grasp_missed")


def test_a_higher_demand_rejects_the_same_plan(tmp_path: Path) -> None:
    demanding = LiftStage(LiftConfig(lift_height=0.3), StageContext(0, RobotConfig(), small_catalog(tmp_path)))
    demanding.setup()
    (answer,) = demanding.process([plan_of()])
    assert isinstance(answer, Rejected)
    assert answer.reason == "dropped"


def test_the_limits_are_the_ones_of_the_config() -> None:
    assert LiftConfig().limits() == LiftLimits()


@pytest.mark.parametrize("wrong", [{"grip_force": (0.0, 10.0)}, {"servo_gain": (1.2, 0.8)}, {"timestep": 0.1}])
def test_values_out_of_bounds_are_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        LiftConfig(**wrong)  # type: ignore[arg-type]
