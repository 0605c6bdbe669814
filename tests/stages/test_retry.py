"""Episodes that miss at first, through all stages: they lift, lift again when replayed, and are labelled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from syngrasp import se3
from syngrasp.config import load_recipe
from syngrasp.physics.execution import Recording
from syngrasp.physics.lift import judge
from syngrasp.physics.replay import phases_of
from syngrasp.records import Phase, Plan, Rollout, SceneGrasps, Slot
from syngrasp.robots import RobotConfig, make_robot, robot_kinds
from syngrasp.stages.context import StageContext
from syngrasp.stages.grasp import GraspConfig, GraspStage
from syngrasp.stages.layout import LayoutStage
from syngrasp.stages.lift import LiftConfig, LiftStage
from syngrasp.stages.plan import PlanConfig, PlanStage
from tests.stages.catalogs import small_catalog

SLOTS = [Slot(0, i) for i in range(10)]


@pytest.fixture(scope="module", params=robot_kinds())
def context(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> StageContext:
    """With every robot there is: what a test says of it is a law for all."""
    return StageContext(0, RobotConfig(kind=request.param), small_catalog(tmp_path_factory.mktemp("catalog")))


@pytest.fixture(scope="module")
def grasps(context: StageContext) -> list[SceneGrasps]:
    asked = [f"robot.kind={context.robot.kind}", "layout.objects=[2, 4]", "layout.random_pose_fraction=0.0"]
    layout = LayoutStage(load_recipe(overrides=asked).layout, context)
    grasp = GraspStage(GraspConfig(), context)
    layout.setup()
    grasp.setup()
    scenes = [scene for scene in layout.process(SLOTS) if not hasattr(scene, "reason")]
    return [answer for answer in grasp.process(scenes) if isinstance(answer, SceneGrasps)]  # type: ignore[arg-type]


def plan_stage(context: StageContext, fraction: float) -> PlanStage:
    stage = PlanStage(PlanConfig(retry_fraction=fraction), context)
    stage.setup()
    return stage


@pytest.fixture(scope="module")
def plans(context: StageContext, grasps: list[SceneGrasps]) -> list[Plan]:
    return [plan for plan in plan_stage(context, 1.0).process(grasps) if isinstance(plan, Plan)]


@pytest.fixture(scope="module")
def rollouts(context: StageContext, plans: list[Plan]) -> list[Rollout]:
    """Every one of them lifts again from its stored actions, or it would not be here."""
    lift = LiftStage(LiftConfig(verify_replay="always"), context)
    lift.setup()
    return [answer for answer in lift.process(plans) if isinstance(answer, Rollout)]


def last_opening(rollout: Rollout) -> int:
    """The last frame in which the gripper is told to be open."""
    return int(np.flatnonzero(rollout.action[:, 6] > 0)[-1])


def test_most_of_them_lift_and_are_counted(plans: list[Plan], rollouts: list[Rollout]) -> None:
    assert len(rollouts) >= 0.8 * len(plans) >= 4
    assert all(rollout.grasp_attempts == 2 for rollout in rollouts)


def test_nothing_moves_before_the_grasp_that_holds(rollouts: list[Rollout]) -> None:
    for rollout in rollouts:
        before = rollout.object_pose[: last_opening(rollout) + 1]
        np.testing.assert_allclose(before, np.broadcast_to(before[0], before.shape), atol=1e-5)


def test_the_fingers_close_on_nothing_and_open_again(context: StageContext, rollouts: list[Rollout]) -> None:
    width = make_robot(context.robot).gripper.max_width
    for rollout in rollouts:
        retreat = np.flatnonzero(rollout.phase == Phase.RETREAT)
        assert rollout.gripper_width[retreat[0]] < 1e-3
        assert rollout.gripper_width[retreat[-1]] == pytest.approx(width, abs=1e-3)
        assert rollout.gripper_width[-1] > 0.01


def test_what_is_before_the_last_retreat_is_the_missed_attempt(rollouts: list[Rollout]) -> None:
    """Frames of the miss are told from phases alone: dropping them leaves an ordinary episode with a recovery."""
    for rollout in rollouts:
        first = int(np.argmax(rollout.phase == Phase.RETREAT))
        assert set(rollout.phase[:first].tolist()) == {Phase.REACH, Phase.CLOSE}
        assert np.count_nonzero(np.diff(np.sign(rollout.action[first:, 6]))) == 1


def test_the_goal_is_the_grasp_while_open_and_the_next_pose_while_closed(rollouts: list[Rollout]) -> None:
    for rollout in rollouts:
        grasp = se3.pose7_from_matrix(rollout.T_base_grasp)
        opened = rollout.action[:, 6] > 0
        np.testing.assert_allclose(rollout.goal_pose[opened], np.broadcast_to(grasp, (opened.sum(), 7)), atol=1e-6)
        closed = np.flatnonzero(~opened[:-1])
        np.testing.assert_array_equal(rollout.goal_pose[closed], rollout.ee_pose[closed + 1])


def test_a_target_that_the_miss_moved_is_no_lift(
    context: StageContext, rollouts: list[Rollout], plans: list[Plan]
) -> None:
    rollout = rollouts[0]
    plan = next(plan for plan in plans if plan.scene.slot == rollout.scene.slot)
    poses = rollout.object_pose.astype(np.float64)
    poses[np.argmax(plan.phase == Phase.RETREAT) :, plan.scene.target, 0] += 0.006
    T = se3.matrix_from_pose7(rollout.ee_pose.astype(np.float64))
    recording = Recording(
        rollout.joint_position.astype(np.float64), rollout.joint_velocity.astype(np.float64),
        rollout.gripper_width.astype(np.float64), T, poses, diverged=False,
    )  # fmt: skip
    limits = LiftConfig().limits()
    told = (make_robot(context.robot).fk(plan.q), plan.phase, plan.grasp_width, plan.scene.target, plan.dt, limits)
    _, failure = judge(recording, *told)
    assert failure is not None
    assert failure.reason == "disturbed_by_miss"
    undisturbed = replace(recording, object_pose=rollout.object_pose.astype(np.float64))
    assert judge(undisturbed, *told)[1] is None


def test_phases_are_read_from_the_actions_of_a_retry() -> None:
    action = np.zeros((9, 7))
    action[:, 6] = [1, -1, 1, 1, -1, -1, -1, -1, -1]
    action[[0, 1, 2, 3, 6, 7], 2] = 0.01  # the hand may move a little while it closes on nothing
    assert phases_of(action).tolist() == [0, 1, 0, 0, 1, 1, 2, 2, 2]


def test_the_share_of_slots_is_the_one_asked_for_whatever_the_attempt(context: StageContext) -> None:
    stage = plan_stage(context, 0.3)
    chosen = [stage._retries(Slot(2, i)) for i in range(400)]
    assert np.mean(chosen) == pytest.approx(0.3, abs=0.07)
    assert chosen == [stage._retries(Slot(2, i, attempt=3)) for i in range(400)]
    assert not any(plan_stage(context, 0.0)._retries(Slot(2, i)) for i in range(100))


def test_a_plan_does_not_depend_on_its_company(context: StageContext, grasps: list[SceneGrasps]) -> None:
    stage = plan_stage(context, 0.5)
    together = stage.process(grasps)
    alone = [stage.process([one])[0] for one in reversed(grasps)][::-1]
    made = [(a, b) for a, b in zip(together, alone, strict=True) if isinstance(a, Plan) and isinstance(b, Plan)]
    assert len(made) >= 4
    assert all(a.q.tobytes() == b.q.tobytes() for a, b in made)
    misses = {bool(np.any(a.phase == Phase.RETREAT)) for a, _ in made}
    assert misses == {True, False}


@pytest.mark.parametrize(
    "wrong", [{"retry_offset": (0.05, 0.01)}, {"retry_distance": (0.0, 0.1)}, {"retry_distance": (0.05, 0.1)}]
)
def test_ranges_that_make_no_sense_are_refused_by_name(wrong: dict[str, tuple[float, float]]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PlanConfig(**wrong)  # type: ignore[arg-type]
