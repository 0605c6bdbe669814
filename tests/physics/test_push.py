"""What is held well stays in the hand when pushed; what is held badly does not."""

from __future__ import annotations

import numpy as np
import pytest

from syngrasp.physics.execution import Motion, Recording, execute, lift_world
from syngrasp.physics.push import DIRECTIONS, PushResult, push
from syngrasp.physics.world import World
from syngrasp.robots import RobotConfig, make_robot
from tests.physics.plans import scene_of, straight_plan
from tests.physics.shapes import box

ROBOT = make_robot(RobotConfig())
BOX = box(0.05, 0.04, 0.08)


def lifted(grip_force: float, offset: float = 0.0) -> tuple[World, Recording, Motion]:
    scene = scene_of(ROBOT, [BOX], [(0.5, 0.0)])
    plan = straight_plan(ROBOT, scene, 0.04, grasp_offset=(0.0, 0.0, offset))
    motion = Motion(plan.q, plan.qd, plan.gripper, plan.dt)
    world = lift_world(scene, [BOX], ROBOT, {"grip_force": grip_force})
    return world, execute(world, ROBOT, motion), motion


def test_a_firm_grasp_stands_six_pushes() -> None:
    world, recording, _ = lifted(50.0)
    assert recording.object_pose[-1, 0, 2] - recording.object_pose[0, 0, 2] > 0.1
    result = push(world, ROBOT, 0, 5.0, 0.1)
    assert 0.0 < result.slip < 0.005
    assert result.direction in DIRECTIONS


def test_a_weak_grasp_loses_what_is_pushed_hard() -> None:
    world, recording, _ = lifted(5.0)
    assert recording.object_pose[-1, 0, 2] - recording.object_pose[0, 0, 2] > 0.1, "it must hold before it is pushed"
    assert push(world, ROBOT, 0, 25.0, 0.1).slip > 0.02


@pytest.mark.parametrize("force", [2.0, 8.0])
def test_a_push_is_felt_more_the_harder_it_is(force: float) -> None:
    slips = [push(lifted(40.0)[0], ROBOT, 0, f, 0.1).slip for f in (force / 4, force)]
    assert slips[0] < slips[1]


def test_pushing_leaves_no_trace_in_the_next_run() -> None:
    world, first, motion = lifted(40.0)
    pushed = push(world, ROBOT, 0, 5.0, 0.1)
    again = execute(world, ROBOT, motion)
    np.testing.assert_array_equal(again.object_pose, first.object_pose)
    np.testing.assert_array_equal(again.joint_velocity, first.joint_velocity)
    assert push(world, ROBOT, 0, 5.0, 0.1) == pushed == PushResult(pushed.slip, pushed.direction)
