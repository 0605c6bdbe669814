"""What physics says of motions that lift, miss, drop and run into things."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from syngrasp import se3
from syngrasp.physics import execution
from syngrasp.physics.execution import Motion, Recording, execute, hermite, lift_world
from syngrasp.physics.lift import Failure, Figures, LiftLimits, goal_poses, judge, rollout_of
from syngrasp.physics.replay import integrate, phases_of, replay
from syngrasp.records import ObjectModel, Phase, Plan
from syngrasp.robots import RobotConfig, make_robot, robot_kinds
from syngrasp.robots.base import Robot
from tests.physics.plans import scene_of, straight_plan
from tests.physics.shapes import box, cylinder

LIMITS = LiftLimits()
BOX = box(0.05, 0.04, 0.08)


@pytest.fixture(params=robot_kinds())
def robot(request: pytest.FixtureRequest) -> Robot:
    return make_robot(RobotConfig(kind=request.param))


def run(
    robot: Robot, plan: Plan, models: list[ObjectModel], **physics: float
) -> tuple[Recording, Figures, Failure | None]:
    world = lift_world(plan.scene, models, robot, physics)
    recording = execute(world, robot, Motion(plan.q, plan.qd, plan.gripper, plan.dt))
    figures, failure = judge(
        recording, robot.fk(plan.q), plan.phase, plan.grasp_width, plan.scene.target, plan.dt, LIMITS
    )
    return recording, figures, failure


@pytest.mark.parametrize("model", [BOX, cylinder(0.03, 0.06), box(0.12, 0.03, 0.04)], ids=["box", "can", "long"])
@pytest.mark.parametrize("mass", [0.05, 0.5])
def test_a_straight_grasp_lifts(robot: Robot, model: ObjectModel, mass: float) -> None:
    scene = scene_of(robot, [model, BOX], [(0.5, 0.0), (0.5, 0.2)], mass=mass)
    recording, figures, failure = run(robot, straight_plan(robot, scene, model.grasps.width[0]), [model, BOX])
    assert failure is None
    assert figures.lift_height == pytest.approx(0.15, abs=0.01)
    assert figures.slip < 5e-3
    assert figures.disturbance < 1e-9
    assert figures.deviation < 5e-3
    assert recording.gripper_width[-1] == pytest.approx(model.grasps.width[0], abs=3e-3)


def test_the_arm_follows_its_command(robot: Robot) -> None:
    scene = scene_of(robot, [BOX], [(0.5, 0.0)])
    plan = straight_plan(robot, scene, 0.04)
    recording, _, _ = run(robot, plan, [BOX])
    reach = plan.phase == Phase.REACH
    off = recording.T_base_tcp[reach, :3, 3] - robot.fk(plan.q)[reach, :3, 3]
    assert np.linalg.norm(off, axis=1).max() < 2e-3


def test_a_grasp_beside_the_object_is_missed(robot: Robot) -> None:
    scene = scene_of(robot, [BOX], [(0.5, 0.0)])
    _, _, failure = run(robot, straight_plan(robot, scene, 0.04, grasp_offset=(0.0, 0.12, 0.0)), [BOX])
    assert failure is not None
    assert failure.reason == "grasp_missed"


def test_an_object_like_ice_is_not_lifted(robot: Robot) -> None:
    scene = scene_of(robot, [BOX], [(0.5, 0.0)], mass=0.5, friction=0.02)
    _, figures, failure = run(robot, straight_plan(robot, scene, 0.04), [BOX])
    assert failure is not None
    assert failure.reason in {"not_lifted", "dropped", "grasp_missed"}
    assert figures.lift_height < 0.05


def test_a_short_lift_is_no_lift(robot: Robot) -> None:
    scene = scene_of(robot, [BOX], [(0.5, 0.0)])
    _, figures, failure = run(robot, straight_plan(robot, scene, 0.04, rise=0.06), [BOX])
    assert failure is not None
    assert failure.reason == "dropped"
    assert figures.lift_height == pytest.approx(0.06, abs=0.01)


def test_a_hand_that_runs_into_the_table_collides(robot: Robot) -> None:
    scene = scene_of(robot, [BOX], [(0.5, 0.0)])
    _, _, failure = run(robot, straight_plan(robot, scene, 0.04, grasp_offset=(0.0, 0.1, -0.09)), [BOX])
    assert failure is not None
    assert failure.reason == "collided"


def test_a_sweep_through_another_object_disturbs_the_scene(robot: Robot) -> None:
    bottle = cylinder(0.03, 0.14)
    scene = scene_of(robot, [BOX, bottle], [(0.55, 0.0), (0.4, 0.0)])
    _, figures, failure = run(robot, straight_plan(robot, scene, 0.04, start_offset=(-0.24, 0.0, 0.02)), [BOX, bottle])
    assert failure is not None
    assert figures.disturbance > 0.05
    assert failure.reason in {"scene_disturbed", "grasp_missed", "collided", "not_lifted"}


def test_executing_twice_gives_the_same_bits(robot: Robot) -> None:
    models = [BOX, cylinder(0.03, 0.1)]
    plan = straight_plan(robot, scene_of(robot, models, [(0.5, 0.0), (0.45, 0.15)]), 0.04)
    first, again = (run(robot, plan, models, grip_force=50.0)[0] for _ in range(2))
    np.testing.assert_array_equal(first.joint_position, again.joint_position)
    np.testing.assert_array_equal(first.object_pose, again.object_pose)


def test_untouched_objects_do_not_move(robot: Robot) -> None:
    models = [BOX, cylinder(0.03, 0.1), box(0.04, 0.04, 0.04)]
    plan = straight_plan(robot, scene_of(robot, models, [(0.5, 0.0), (0.45, 0.2), (0.6, -0.2)]), 0.04)
    recording, _, _ = run(robot, plan, models)
    np.testing.assert_array_equal(recording.object_pose[:, 1:], recording.object_pose[:1, 1:].repeat(len(plan.q), 0))


def test_a_rollout_s_actions_and_goals_follow_its_poses(robot: Robot) -> None:
    plan = straight_plan(robot, scene_of(robot, [BOX], [(0.5, 0.0)]), 0.04)
    recording, figures, _ = run(robot, plan, [BOX])
    rollout = rollout_of(plan, recording, figures, {})
    way = integrate(se3.matrix_from_pose7(rollout.ee_pose[0]), rollout.action.astype(np.float64))
    np.testing.assert_allclose(way, se3.matrix_from_pose7(rollout.ee_pose), atol=1e-5)
    assert np.all(rollout.action[-1, :6] == 0.0)
    close = int(np.argmax(plan.gripper < 0))
    grasp = se3.pose7_from_matrix(plan.T_base_grasp)
    np.testing.assert_allclose(rollout.goal_pose[:close], np.broadcast_to(grasp, (close, 7)), atol=1e-6)
    np.testing.assert_array_equal(rollout.goal_pose[close:-1], rollout.ee_pose[close + 1 :])


def test_stored_actions_lift_again(robot: Robot) -> None:
    models = [BOX, cylinder(0.03, 0.1)]
    plan = straight_plan(robot, scene_of(robot, models, [(0.5, 0.0), (0.45, 0.15)]), 0.04)
    physics = {"grip_force": 35.0, "servo_gain": 0.9}
    recording, figures, _ = run(robot, plan, models, **physics)
    stored = rollout_of(plan, recording, figures, physics)
    again = replay(
        stored.scene, models, robot, stored.joint_position[0], stored.ee_pose, stored.action, stored.dt, LIMITS, physics
    )
    assert again.lifted, again
    assert again.deviation < 5e-3
    stay = stored.action.copy()
    stay[:, :6] = 0.0
    still = replay(
        stored.scene, models, robot, stored.joint_position[0], stored.ee_pose, stay, stored.dt, LIMITS, physics
    )
    assert not still.lifted


def test_a_jolt_in_free_air_dies_away(robot: Robot) -> None:
    """A command that jumps drives the servos to their greatest force, where long steps would shake the arm for ever."""
    q = np.repeat(robot.q_home[None], 40, 0)
    q[10:, 0] += 0.1
    q[10:, 2] -= 0.1
    world = lift_world(scene_of(robot, [BOX], [(0.5, 0.0)]), [BOX], robot, {})
    recording = execute(world, robot, Motion(q, np.zeros_like(q), np.ones(len(q)), 0.1))
    off = np.linalg.norm(recording.T_base_tcp[:, :3, 3] - robot.fk(q)[:, :3, 3], axis=1)
    assert off[10] > 1e-4
    assert off[25:].max() < 1e-6


def test_hermite_reproduces_cubics() -> None:
    generator = np.random.default_rng(0)
    polynomial = [np.polynomial.Polynomial(generator.standard_normal(4)) for _ in range(3)]
    times = np.arange(5) * 0.1
    q = np.stack([p(times) for p in polynomial], -1)
    qd = np.stack([p.deriv()(times) for p in polynomial], -1)
    position, velocity = hermite(q, qd, 0.1, 8)
    fine = times[:-1, None] + np.arange(8) / 80
    np.testing.assert_allclose(position, np.stack([p(fine) for p in polynomial], -1), atol=1e-12)
    np.testing.assert_allclose(velocity, np.stack([p.deriv()(fine) for p in polynomial], -1), atol=1e-10)


def test_goals_are_the_grasp_until_the_gripper_closes() -> None:
    poses = np.zeros((5, 7), np.float32)
    poses[:, 0], poses[:, 3] = np.arange(5), 1.0
    goal = goal_poses(poses, se3.make(np.eye(3), [9.0, 0.0, 0.0]), np.array([1.0, 1.0, -1.0, -1.0, -1.0]))
    np.testing.assert_array_equal(goal[:, 0], [9.0, 9.0, 3.0, 4.0, 4.0])


def test_a_touch_on_the_way_is_resolved_by_short_steps(robot: Robot) -> None:
    """What touches before the hand closes gets the very states that short steps alone give from that frame on."""
    bottle = cylinder(0.03, 0.14)
    scene = scene_of(robot, [BOX, bottle], [(0.55, 0.0), (0.4, 0.0)])
    plan = straight_plan(robot, scene, 0.04, start_offset=(-0.24, 0.0, 0.02))
    motion = Motion(plan.q, plan.qd, plan.gripper, plan.dt)
    world = lift_world(scene, [BOX, bottle], robot, {})
    recording, touched = execution._run(world, robot, motion, execution.last_closing(plan.gripper))
    assert touched is not None
    assert len(recording.joint_position) <= touched + 2
    whole, again = execution._run(world, robot, motion, touched)
    assert again is None
    assert len(whole.joint_position) == len(plan.q)
    np.testing.assert_array_equal(execute(world, robot, motion).object_pose, whole.object_pose)


def test_long_steps_in_free_air_are_as_good_as_short_ones(robot: Robot) -> None:
    scene = scene_of(robot, [BOX], [(0.5, 0.0)])
    plan = straight_plan(robot, scene, 0.04)
    motion = Motion(plan.q, plan.qd, plan.gripper, plan.dt)
    world, reach = lift_world(scene, [BOX], robot, {}), plan.phase == Phase.REACH
    fine, _ = execution._run(world, robot, motion, 0)
    coarse = execute(world, robot, motion)
    off = np.linalg.norm(fine.T_base_tcp[reach, :3, 3] - coarse.T_base_tcp[reach, :3, 3], axis=1)
    assert 0.0 < off.max() < 5e-4
    np.testing.assert_array_equal(coarse.object_pose[reach], fine.object_pose[reach])


def test_divergence_is_rejected_and_stays_off_stderr(
    robot: Robot, capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Contacts a thousand times too stiff for the step, and commands that are no numbers."""
    monkeypatch.chdir(tmp_path)
    scene = scene_of(robot, [BOX], [(0.5, 0.0)])
    plan = straight_plan(robot, scene, 0.04)
    wild = lift_world(scene, [BOX], robot, {})
    wild.model.dof_armature[:] = 0.0
    wild.model.body_inertia[-1] = 1e-12
    wild.model.body_mass[-1] = 1e-9
    blind = replace(plan, q=np.where(np.arange(len(plan.q))[:, None] > 5, np.nan, plan.q))
    for world, told in ((wild, plan), (lift_world(scene, [BOX], robot, {}), blind)):
        recording = execute(world, robot, Motion(told.q, told.qd, told.gripper, told.dt))
        _, failure = judge(recording, robot.fk(plan.q), plan.phase, 0.04, 0, plan.dt, LIMITS)
        assert failure is not None
        assert failure.reason == "diverged"
    assert capfd.readouterr().err == ""
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rate", [1.0, 15.0, 34.0, 100.0])
def test_any_control_rate_is_executed_with_steps_that_are_no_longer_than_asked(rate: float) -> None:
    for longest in (execution.FREE_STEP, 1.0 / 300.0):
        steps = execution.steps_in(1.0 / rate, longest)
        assert steps >= 1
        assert 1.0 / rate / steps <= longest * (1 + 1e-6)
        assert steps == 1 or 1.0 / rate / (steps - 1) > longest
    assert (execution.steps_in(0.1, execution.FREE_STEP), execution.steps_in(0.1, 1.0 / 300.0)) == (5, 30)


def test_a_dense_motion_lifts_as_a_coarse_one(robot: Robot) -> None:
    """100 samples a second, more than there are long steps."""
    scene = scene_of(robot, [BOX], [(0.5, 0.0)])
    plan = straight_plan(robot, scene, 0.04)
    q, _ = hermite(plan.q, plan.qd, plan.dt, 10)
    q = np.concatenate([q.reshape(-1, robot.dof), plan.q[-1:]])
    motion = Motion(q, np.gradient(q, 0.01, axis=0), np.append(np.repeat(plan.gripper[:-1], 10), -1.0), 0.01)
    recording = execute(lift_world(scene, [BOX], robot, {}), robot, motion)
    phase = np.append(np.repeat(plan.phase[:-1], 10), plan.phase[-1])
    _, failure = judge(recording, robot.fk(q), phase, 0.04, 0, 0.01, LIMITS)
    assert failure is None
    np.testing.assert_array_equal(phases_of(np.column_stack([np.zeros((5, 6)), [1, 1, -1, -1, -1]])), [0, 0, 1, 1, 1])
    slow = np.column_stack([np.full((40, 6), 1e-4), np.where(np.arange(40) < 5, 1.0, -1.0)])
    assert np.flatnonzero(phases_of(slow) == Phase.LIFT)[0] in range(5, 20), "a lift is seen however slow it is"
