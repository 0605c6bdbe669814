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
from syngrasp.planning.retime import Motion, extremes, interpolate
from syngrasp.planning.straight import straight_line, tcp_positions
from syngrasp.records import Phase, PlacedObject, Plan, SceneGrasps
from syngrasp.stages.plan import PlanConfig
from tests.planning import clutter
from tests.planning.mujoco_check import Contacts

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


def _span(plan: Plan, phase: Phase) -> Motion:
    """The samples of a phase and the one after it."""
    index = np.flatnonzero(plan.phase == phase)
    index = np.append(index, min(index[-1] + 1, len(plan.q) - 1))
    return Motion(plan.q[index], plan.qd[index])


def test_most_scenes_are_solved():
    assert len(_planned()) >= len(SCENES) - 2


def test_reach_touches_nothing_by_mujocos_check():
    """The balls cover the hand's edges to within 3 mm: a goal that is free by them may graze by MuJoCo's meshes."""
    arm, grazing = clutter.robot(), 0
    for plan in _planned():
        contacts, reach = Contacts(plan.scene), _span(plan, Phase.REACH)
        q = interpolate(reach.q, reach.qd, plan.dt, 5)
        depth = np.array([contacts.penetration(row, arm.gripper.max_width) for row in q])
        away = np.linalg.norm(arm.fk(q)[:, :3, 3] - plan.T_base_grasp[:3, 3], axis=1) > OPTIONS.approach_length
        assert depth[away].max() == 0.0
        assert depth.max() < 0.003
        grazing += bool(depth.max() > 0.0)
    assert grazing <= 0.1 * len(_planned())


def test_lift_touches_nothing_but_the_target_by_mujocos_check():
    for plan in _planned():
        contacts, lift = Contacts(plan.scene), _span(plan, Phase.LIFT)
        q = interpolate(lift.q, lift.qd, plan.dt, 5)
        rise = tcp_positions(robot_arrays(clutter.robot()), q)[:, 2]
        at_rest = contacts.penetration(q[0], plan.grasp_width, held=1e-6, ignore_target=True)
        for configuration, height in zip(q, rise - rise[0], strict=True):
            depth = contacts.penetration(configuration, plan.grasp_width, held=height, ignore_target=True)
            assert depth <= max(at_rest, 0.0005)


def test_motion_begins_at_the_start_and_ends_at_the_grasp():
    arm = clutter.robot()
    for plan in _planned():
        assert np.array_equal(plan.q[0], plan.scene.q_start)
        closing = np.flatnonzero(plan.phase == Phase.CLOSE)[0]
        error = se3.invert(plan.T_base_grasp) @ arm.fk(plan.q[closing])
        assert np.linalg.norm(error[:3, 3]) < 1e-6
        assert se3.rotation_angle(error[:3, :3]) < 1e-6
        assert np.all(plan.gripper[:closing] == 1.0)
        assert np.all(plan.gripper[closing:] == -1.0)
        assert np.all(np.diff(plan.phase.astype(int)) >= 0)
        assert not plan.qd[[0, closing, -1]].any()


def test_every_limit_is_kept():
    arm = clutter.robot()
    for plan in _planned():
        for phase in (Phase.REACH, Phase.LIFT):
            velocity, acceleration, jerk = extremes(_span(plan, phase), plan.dt)
            assert np.all(velocity <= OPTIONS.velocity * arm.limits.velocity * (1 + 1e-9))
            assert np.all(acceleration <= OPTIONS.acceleration * arm.limits.acceleration * (1 + 1e-9))
            assert np.all(jerk <= OPTIONS.jerk * arm.limits.jerk * (1 + 1e-9))
        q = interpolate(plan.q, plan.qd, plan.dt, 10)
        assert np.all((q >= arm.limits.q_lower) & (q <= arm.limits.q_upper))


def test_there_is_no_stop_before_the_grasp():
    """Joint speed goes above 7 % of its peak once and below it once; so does the TCP's."""
    for plan in _planned():
        reach = _span(plan, Phase.REACH)
        q = interpolate(reach.q, reach.qd, plan.dt, 20)
        speed = np.linalg.norm(np.diff(q, axis=0), axis=1)
        assert np.abs(np.diff((speed > 0.07 * speed.max()).astype(int))).sum() <= 2


def test_approach_and_lift_are_straight():
    arrays = robot_arrays(clutter.robot())
    for plan in _planned():
        reach, lift = (_span(plan, phase) for phase in (Phase.REACH, Phase.LIFT))
        tcp = se3.transform(
            se3.invert(plan.T_base_grasp), tcp_positions(arrays, interpolate(reach.q, reach.qd, plan.dt, 10))
        )
        last = tcp[np.linalg.norm(tcp, axis=1) < 0.035]
        assert np.abs(last[:, :2]).max() < 0.003
        assert np.all(np.diff(last[:, 2]) > -1e-5)
        up = tcp_positions(arrays, interpolate(lift.q, lift.qd, plan.dt, 10))
        assert np.abs(up - up[0])[:, :2].max() < 0.001
        assert np.all(np.diff(up[:, 2]) > -1e-5)
        assert up[-1, 2] - up[0, 2] == pytest.approx(OPTIONS.lift_height, abs=1e-4)


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
