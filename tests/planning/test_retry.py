"""Motions that miss at first keep the planner's contract in every part, and the miss touches nothing."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import groupby

import numpy as np

from syngrasp import se3
from syngrasp.planning import motion
from syngrasp.planning.options import MotionOptions, NoPlan
from syngrasp.planning.retime import Motion, extremes, interpolate
from syngrasp.records import Phase, Plan, SceneGrasps
from syngrasp.stages.plan import PlanConfig
from tests.planning import clutter
from tests.planning.mujoco_check import Contacts

CONFIG = PlanConfig()
OPTIONS = CONFIG.options()
SCENES = range(12)
ORDER = [Phase.REACH, Phase.CLOSE, Phase.RETREAT, Phase.REACH, Phase.CLOSE, Phase.LIFT, Phase.HOLD]


@cache
def _grasps(seed: int) -> SceneGrasps:
    return clutter.scene_grasps(np.random.default_rng(seed))


def _plan(seed: int, options: MotionOptions = OPTIONS, *, retry: bool = True) -> Plan | NoPlan:
    grasps = _grasps(seed)
    models = clutter.models_of(grasps.scene)
    return motion.plan_motion(clutter.robot(), grasps, models, options, np.random.default_rng(seed), retry=retry)


@cache
def _planned() -> tuple[Plan, ...]:
    plans = [_plan(seed) for seed in SCENES]
    return tuple(p for p in plans if isinstance(p, Plan))


def _parts(plan: Plan) -> list[tuple[Phase, Motion]]:
    """The phases of a plan in turn, each with the sample that it ends at."""
    parts, first = [], 0
    for phase, run in groupby(plan.phase):
        end = first + len(list(run))
        parts.append((Phase(phase), Motion(plan.q[first : end + 1], plan.qd[first : end + 1])))
        first = end
    return parts


def _miss(plan: Plan) -> np.ndarray:
    """From the grasp to where the hand closed on nothing (3,), in the grasp's frame [m]."""
    missed = int(np.argmax(plan.phase == Phase.CLOSE))
    return (se3.invert(plan.T_base_grasp) @ clutter.robot().fk(plan.q[missed]))[:3, 3]


def test_as_many_scenes_are_solved_as_without_a_miss() -> None:
    plain = sum(isinstance(_plan(seed, retry=False), Plan) for seed in SCENES)
    assert len(_planned()) >= plain - 1


def test_it_goes_through_both_attempts_and_stands_still_between_them_only() -> None:
    arm = clutter.robot()
    for plan in _planned():
        parts = _parts(plan)
        assert [phase for phase, _ in parts] == ORDER
        closed = np.isin(plan.phase, [Phase.CLOSE, Phase.LIFT, Phase.HOLD])
        np.testing.assert_array_equal(plan.gripper, np.where(closed, -1.0, 1.0))
        np.testing.assert_array_equal(plan.q[0], plan.scene.q_start)
        for phase, part in parts:
            assert not part.qd[[0, -1]].any()
            if phase == Phase.REACH:
                q = interpolate(part.q, part.qd, plan.dt, 20)
                speed = np.linalg.norm(np.diff(q, axis=0), axis=1)
                assert np.abs(np.diff((speed > 0.07 * speed.max()).astype(int))).sum() <= 2
        error = se3.invert(plan.T_base_grasp) @ arm.fk(parts[3][1].q[-1])
        np.testing.assert_allclose(error, np.eye(4), atol=1e-6)


def test_every_limit_is_kept() -> None:
    arm = clutter.robot()
    for plan in _planned():
        for _, part in _parts(plan):
            if len(part.q) > 2:
                velocity, acceleration, jerk = extremes(part, plan.dt)
                assert np.all(velocity <= OPTIONS.velocity * arm.limits.velocity * (1 + 1e-9))
                assert np.all(acceleration <= OPTIONS.acceleration * arm.limits.acceleration * (1 + 1e-9))
                assert np.all(jerk <= OPTIONS.jerk * arm.limits.jerk * (1 + 1e-9))


def test_the_miss_lies_beside_or_before_the_grasp_within_its_range() -> None:
    offsets = np.array([_miss(plan) for plan in _planned()])
    length = np.linalg.norm(offsets, axis=1)
    assert np.all((length >= OPTIONS.retry_offset[0] - 1e-6) & (length <= OPTIONS.retry_offset[1] + 1e-6))
    assert np.all(offsets[:, 2] <= 1e-6)
    assert np.ptp(offsets[:, :2], axis=0).min() > 0.02  # to all sides
    for plan in _planned():
        retreat = next(part for phase, part in _parts(plan) if phase == Phase.RETREAT)
        end = (se3.invert(plan.T_base_grasp) @ clutter.robot().fk(retreat.q[-1]))[:3, 3]
        assert OPTIONS.retry_distance[0] - 1e-4 <= -end[2] <= OPTIONS.retry_distance[1] + 1e-4


def test_the_missed_grasp_touches_nothing_by_mujocos_check() -> None:
    """At any width of the fingers, while they close and while the hand backs off; and on both ways there."""
    arm = clutter.robot()
    widths = np.linspace(0.0, arm.gripper.max_width, 9)
    for plan in _planned():
        contacts = Contacts(plan.scene)
        for phase, part in _parts(plan)[:4]:
            q = interpolate(part.q, part.qd, plan.dt, 3) if phase != Phase.CLOSE else part.q[:1]
            every = [arm.gripper.max_width] if phase == Phase.REACH else widths
            deepest = max(contacts.penetration(row, width) for row in q for width in every)
            assert deepest < (0.003 if phase == Phase.REACH else 1e-9)


def test_the_second_approach_is_straight_at_its_end() -> None:
    for plan in _planned():
        part = _parts(plan)[3][1]
        tcp = se3.invert(plan.T_base_grasp) @ clutter.robot().fk(interpolate(part.q, part.qd, plan.dt, 10))
        last = tcp[np.linalg.norm(tcp[:, :3, 3], axis=1) < 0.035, :3, 3]
        assert np.abs(last[:, :2]).max() < 0.003
        assert np.all(np.diff(last[:, 2]) > -1e-5)


def test_the_same_stream_gives_the_same_bytes() -> None:
    for plan, again in zip(_planned(), (p for p in map(_plan, SCENES) if isinstance(p, Plan)), strict=True):
        assert plan.q.tobytes() == again.q.tobytes()


def test_where_no_miss_is_possible_it_says_so() -> None:
    """Fingers that close at the grasp itself touch the target."""
    answers = [_plan(seed, replace(OPTIONS, retry_offset=(0.0, 0.001), max_goals=4)) for seed in range(3)]
    reasons = {answer.reason for answer in answers if isinstance(answer, NoPlan)}
    assert not any(isinstance(answer, Plan) for answer in answers)
    assert "no_retry" in reasons
