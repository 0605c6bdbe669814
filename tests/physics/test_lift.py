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
from syngrasp.physics.replay import integrate, replay
from syngrasp.records import ObjectModel, Phase, Plan
from syngrasp.robots import RobotConfig, make_robot
from tests.physics.plans import scene_of, straight_plan
from tests.physics.shapes import box, cylinder

ROBOT = make_robot(RobotConfig())
LIMITS = LiftLimits()
BOX = box(0.05, 0.04, 0.08)


def run(plan: Plan, models: list[ObjectModel], **physics: float) -> tuple[Recording, Figures, Failure | None]:
    world = lift_world(plan.scene, models, ROBOT, physics)
    recording = execute(world, ROBOT, Motion(plan.q, plan.qd, plan.gripper, plan.dt))
    figures, failure = judge(
        recording, ROBOT.fk(plan.q), plan.phase, plan.grasp_width, plan.scene.target, plan.dt, LIMITS
    )
    return recording, figures, failure


@pytest.mark.parametrize("model", [BOX, cylinder(0.03, 0.1), box(0.12, 0.03, 0.04)], ids=["box", "can", "long"])
@pytest.mark.parametrize("mass", [0.05, 0.5])
def test_a_straight_grasp_lifts(model: ObjectModel, mass: float) -> None:
    scene = scene_of(ROBOT, [model, BOX], [(0.5, 0.0), (0.5, 0.2)], mass=mass)
    recording, figures, failure = run(straight_plan(ROBOT, scene, model.grasps.width[0]), [model, BOX])
    assert failure is None
    assert figures.lift_height == pytest.approx(0.15, abs=0.01)
    assert figures.slip < 5e-3
    assert figures.disturbance < 1e-9
    assert figures.deviation < 5e-3
    assert recording.gripper_width[-1] == pytest.approx(model.grasps.width[0], abs=3e-3)


def test_the_arm_follows_its_command() -> None:
    scene = scene_of(ROBOT, [BOX], [(0.5, 0.0)])
    plan = straight_plan(ROBOT, scene, 0.04)
    recording, _, _ = run(plan, [BOX])
    reach = plan.phase == Phase.REACH
    off = recording.T_base_tcp[reach, :3, 3] - ROBOT.fk(plan.q)[reach, :3, 3]
    assert np.linalg.norm(off, axis=1).max() < 2e-3


def test_a_grasp_beside_the_object_is_missed() -> None:
    scene = scene_of(ROBOT, [BOX], [(0.5, 0.0)])
    _, _, failure = run(straight_plan(ROBOT, scene, 0.04, grasp_offset=(0.0, 0.12, 0.0)), [BOX])
    assert failure is not None
    assert failure.reason == "grasp_missed"


def test_an_object_like_ice_is_not_lifted() -> None:
    scene = scene_of(ROBOT, [BOX], [(0.5, 0.0)], mass=0.5, friction=0.02)
    _, figures, failure = run(straight_plan(ROBOT, scene, 0.04), [BOX])
    assert failure is not None
    assert failure.reason in {"not_lifted", "dropped", "grasp_missed"}
    assert figures.lift_height < 0.05


def test_a_short_lift_is_no_lift() -> None:
    scene = scene_of(ROBOT, [BOX], [(0.5, 0.0)])
    _, figures, failure = run(straight_plan(ROBOT, scene, 0.04, rise=0.06), [BOX])
    assert failure is not None
    assert failure.reason == "dropped"
    assert figures.lift_height == pytest.approx(0.06, abs=0.01)


def test_a_hand_that_runs_into_the_table_collides() -> None:
    scene = scene_of(ROBOT, [BOX], [(0.5, 0.0)])
    _, _, failure = run(straight_plan(ROBOT, scene, 0.04, grasp_offset=(0.0, 0.1, -0.09)), [BOX])
    assert failure is not None
    assert failure.reason == "collided"


def test_a_sweep_through_another_object_disturbs_the_scene() -> None:
    bottle = cylinder(0.03, 0.14)
    scene = scene_of(ROBOT, [BOX, bottle], [(0.55, 0.0), (0.4, 0.0)])
    _, figures, failure = run(straight_plan(ROBOT, scene, 0.04, start_offset=(-0.24, 0.0, 0.02)), [BOX, bottle])
    assert failure is not None
    assert figures.disturbance > 0.05
    assert failure.reason in {"scene_disturbed", "grasp_missed", "collided", "not_lifted"}


def test_executing_twice_gives_the_same_bits() -> None:
    models = [BOX, cylinder(0.03, 0.1)]
    plan = straight_plan(ROBOT, scene_of(ROBOT, models, [(0.5, 0.0), (0.45, 0.15)]), 0.04)
    first, again = (run(plan, models, grip_force=50.0)[0] for _ in range(2))
    np.testing.assert_array_equal(first.joint_position, again.joint_position)
    np.testing.assert_array_equal(first.object_pose, again.object_pose)


def test_untouched_objects_do_not_move() -> None:
    models = [BOX, cylinder(0.03, 0.1), box(0.04, 0.04, 0.04)]
    plan = straight_plan(ROBOT, scene_of(ROBOT, models, [(0.5, 0.0), (0.45, 0.2), (0.6, -0.2)]), 0.04)
    recording, _, _ = run(plan, models)
    np.testing.assert_array_equal(recording.object_pose[:, 1:], recording.object_pose[:1, 1:].repeat(len(plan.q), 0))


def test_a_rollout_s_actions_and_goals_follow_its_poses() -> None:
    plan = straight_plan(ROBOT, scene_of(ROBOT, [BOX], [(0.5, 0.0)]), 0.04)
    recording, figures, _ = run(plan, [BOX])
    rollout = rollout_of(plan, recording, figures, {})
    way = integrate(se3.matrix_from_pose7(rollout.ee_pose[0]), rollout.action.astype(np.float64))
    np.testing.assert_allclose(way, se3.matrix_from_pose7(rollout.ee_pose), atol=1e-5)
    assert np.all(rollout.action[-1, :6] == 0.0)
    close = int(np.argmax(plan.gripper < 0))
    grasp = se3.pose7_from_matrix(plan.T_base_grasp)
    np.testing.assert_allclose(rollout.goal_pose[:close], np.broadcast_to(grasp, (close, 7)), atol=1e-6)
    np.testing.assert_array_equal(rollout.goal_pose[close:-1], rollout.ee_pose[close + 1 :])


def test_stored_actions_lift_again() -> None:
    models = [BOX, cylinder(0.03, 0.1)]
    plan = straight_plan(ROBOT, scene_of(ROBOT, models, [(0.5, 0.0), (0.45, 0.15)]), 0.04)
    physics = {"grip_force": 35.0, "servo_gain": 0.9}
    recording, figures, _ = run(plan, models, **physics)
    stored = rollout_of(plan, recording, figures, physics)
    again = replay(
        stored.scene, models, ROBOT, stored.joint_position[0], stored.ee_pose, stored.action, stored.dt, LIMITS, physics
    )
    assert again.lifted, again
    assert again.deviation < 5e-3
    stay = stored.action.copy()
    stay[:, :6] = 0.0
    still = replay(
        stored.scene, models, ROBOT, stored.joint_position[0], stored.ee_pose, stay, stored.dt, LIMITS, physics
    )
    assert not still.lifted


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


def test_a_touch_on_the_way_is_resolved_by_short_steps() -> None:
    """What touches before the hand closes gets the very states that short steps alone give from that frame on."""
    bottle = cylinder(0.03, 0.14)
    scene = scene_of(ROBOT, [BOX, bottle], [(0.55, 0.0), (0.4, 0.0)])
    plan = straight_plan(ROBOT, scene, 0.04, start_offset=(-0.24, 0.0, 0.02))
    motion = Motion(plan.q, plan.qd, plan.gripper, plan.dt)
    world = lift_world(scene, [BOX, bottle], ROBOT, {})
    recording, touched = execution._run(world, ROBOT, motion, execution.last_closing(plan.gripper))
    assert touched is not None
    assert len(recording.joint_position) <= touched + 2
    whole, again = execution._run(world, ROBOT, motion, touched)
    assert again is None
    assert len(whole.joint_position) == len(plan.q)
    np.testing.assert_array_equal(execute(world, ROBOT, motion).object_pose, whole.object_pose)


def test_long_steps_in_free_air_are_as_good_as_short_ones() -> None:
    scene = scene_of(ROBOT, [BOX], [(0.5, 0.0)])
    plan = straight_plan(ROBOT, scene, 0.04)
    motion = Motion(plan.q, plan.qd, plan.gripper, plan.dt)
    world, reach = lift_world(scene, [BOX], ROBOT, {}), plan.phase == Phase.REACH
    fine, _ = execution._run(world, ROBOT, motion, 0)
    coarse = execute(world, ROBOT, motion)
    off = np.linalg.norm(fine.T_base_tcp[reach, :3, 3] - coarse.T_base_tcp[reach, :3, 3], axis=1)
    assert 0.0 < off.max() < 5e-4
    np.testing.assert_array_equal(coarse.object_pose[reach], fine.object_pose[reach])


def test_divergence_is_rejected_and_stays_off_stderr(
    capfd: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Contacts a thousand times too stiff for the step, and commands that are no numbers."""
    monkeypatch.chdir(tmp_path)
    scene = scene_of(ROBOT, [BOX], [(0.5, 0.0)])
    plan = straight_plan(ROBOT, scene, 0.04)
    wild = lift_world(scene, [BOX], ROBOT, {})
    wild.model.dof_armature[:] = 0.0
    wild.model.body_inertia[-1] = 1e-12
    wild.model.body_mass[-1] = 1e-9
    blind = replace(plan, q=np.where(np.arange(len(plan.q))[:, None] > 5, np.nan, plan.q))
    for world, told in ((wild, plan), (lift_world(scene, [BOX], ROBOT, {}), blind)):
        recording = execute(world, ROBOT, Motion(told.q, told.qd, told.gripper, told.dt))
        _, failure = judge(recording, ROBOT.fk(plan.q), plan.phase, 0.04, 0, plan.dt, LIMITS)
        assert failure is not None
        assert failure.reason == "diverged"
    assert capfd.readouterr().err == ""
    assert not list(tmp_path.iterdir())
