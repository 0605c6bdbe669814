from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest

from syngrasp import se3
from syngrasp.planning import motion, rrt
from syngrasp.planning.arrays import robot_arrays
from syngrasp.planning.collision import SceneField
from syngrasp.planning.options import MotionOptions, NoPlan
from syngrasp.planning.straight import straight_line
from syngrasp.records import Phase, PlacedObject, Plan, SceneGrasps
from syngrasp.stages.plan import PlanConfig
from tests.planning import clutter

OPTIONS = PlanConfig().options()
SCENES = range(12)


@cache
def _grasps(seed: int) -> SceneGrasps:
    return clutter.scene_grasps(np.random.default_rng(seed))


def _plan(grasps: SceneGrasps, options: MotionOptions = OPTIONS, seed: int = 0) -> Plan | NoPlan:
    models = clutter.models_of(grasps.scene)
    return motion.plan_motion(clutter.robot(), grasps, models, options, np.random.default_rng(seed))


@cache
def _planned() -> tuple[Plan, ...]:
    plans = [_plan(_grasps(seed)) for seed in SCENES]
    return tuple(p for p in plans if isinstance(p, Plan))


def test_most_scenes_are_solved():
    assert len(_planned()) >= len(SCENES) - 2


def test_episodes_have_a_sensible_length():
    frames = [len(p.q) for p in _planned()]
    assert 90 <= np.median(frames) <= 115
    for slower in (replace(OPTIONS, speed=0.5), replace(OPTIONS, reach_speed=0.5 * OPTIONS.reach_speed)):
        plan = _plan(_grasps(0), slower)
        assert isinstance(plan, Plan)
        reaches = [int((p.phase == Phase.REACH).sum()) for p in (plan, _planned()[0])]
        assert reaches[0] == pytest.approx(2.0 * reaches[1], rel=0.05)


def test_the_same_stream_gives_the_same_bytes():
    first, second = _plan(_grasps(3), seed=5), _plan(_grasps(3), seed=5)
    assert isinstance(first, Plan)
    assert isinstance(second, Plan)
    assert first.q.tobytes() == second.q.tobytes()
    assert first.qd.tobytes() == second.qd.tobytes()


def test_search_finds_a_way_round_a_wall():
    """Two free configurations with a wall between them, too high to be passed by the straight edge."""
    arm, arrays = clutter.robot(), robot_arrays(clutter.robot())
    scene = replace(_grasps(0).scene, objects=())
    wall = clutter.upright("wall", (0.55, 0.0), height=0.05)
    scene = replace(scene, objects=(wall,))
    field = SceneField.build(scene, clutter.models_of(scene)).arrays
    sides = []
    for y in (-0.2, 0.2):
        T = arm.fk(arm.q_home)
        T[:3, 3] = (0.55, y, 0.2)
        q = arm.ik(T, 16)
        sides.append(q[np.argmin(np.linalg.norm(q - arm.q_home, axis=1))])
    assert not rrt.is_free(arrays, field, *sides, 0.08, 0.005)
    goals = np.stack([sides[1], sides[1]])
    path, goal = rrt.connect(arrays, field, sides[0], goals, 0.08, 0.005, np.uint64(1), 3000, 0.8)
    assert goal in (0, 1)
    assert np.array_equal(path[0], sides[0])
    assert np.array_equal(path[-1], sides[1])
    shorter = rrt.shortcut(arrays, field, path, 0.08, 0.005, np.uint64(2), 60)
    length = [np.linalg.norm(np.diff(p, axis=0), axis=1).sum() for p in (shorter, path)]
    assert length[0] <= length[1]
    assert all(rrt.is_free(arrays, field, a, b, 0.08, 0.004) for a, b in pairwise(shorter))


def test_a_straight_line_keeps_its_direction_and_rotation():
    arm, arrays = clutter.robot(), robot_arrays(clutter.robot())
    scene = replace(_grasps(0).scene, objects=())
    field = SceneField.build(scene, ()).arrays
    q, outcome = straight_line(arrays, field, arm.q_home, np.array([0.0, 0.1, -0.1]), 12, 0.08, 0.0)
    assert outcome == 0
    T = arm.fk(q)
    assert np.allclose(T[:, :3, 3] - T[0, :3, 3], np.linspace(0.0, 1.0, 12)[:, None] * [0.0, 0.1, -0.1], atol=2e-5)
    assert se3.rotation_angle(T[:, :3, :3] @ T[0, :3, :3].T).max() < 2e-5
    _, outcome = straight_line(arrays, field, arm.q_home, np.array([0.0, 0.0, -0.6]), 61, 0.08, 0.0)
    assert outcome == 2  # the table
    _, outcome = straight_line(arrays, field, arm.q_home, np.array([2.0, 0.0, 0.0]), 100, 0.08, 0.0)
    assert outcome == 1  # out of reach


def test_a_covered_target_cannot_rise():
    scene = _grasps(0).scene
    target = scene.objects[0]
    models = clutter.models_of(scene)
    corners = np.concatenate(models[0].hulls)
    over = target.pose.copy()
    over[2] += np.ptp(corners[:, 2]) + 0.03
    covered = replace(scene, objects=(target, PlacedObject(target.uid, 1.0, 0.1, 1.0, over)))
    for objects, free in ((covered.objects, False), (covered.objects[:1], True)):
        part = replace(scene, objects=objects)
        field = SceneField.build(part, clutter.models_of(part), skip=(0,))
        assert motion.target_can_rise(field, target, models[0], 0.15) is free


def test_reasons_say_what_was_in_the_way():
    grasps = _grasps(0)
    none = replace(grasps, q_goal=np.zeros((0, grasps.q_goal.shape[1])), grasp_of_goal=np.zeros(0, np.int32))
    assert _plan(none).reason == "no_approach"  # type: ignore[union-attr]
    buried = replace(grasps, scene=replace(grasps.scene, table_height=0.6))
    assert _plan(buried).reason == "start_in_collision"  # type: ignore[union-attr]
    high = _plan(grasps, replace(OPTIONS, lift_height=0.5, clearance=0.05, approach_length=0.3, max_goals=3))
    assert isinstance(high, Plan) or high.reason in motion.PROGRESS
