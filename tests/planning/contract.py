"""What every planner's motions keep, whatever found their ways and whatever the arm: a law each, on the plans made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pytest

from syngrasp import se3
from syngrasp.planning.arrays import robot_arrays
from syngrasp.planning.options import MotionOptions, lift_pace, reach_pace
from syngrasp.planning.retime import Motion, extremes, interpolate
from syngrasp.planning.straight import tcp_positions
from syngrasp.records import Phase, Plan
from syngrasp.robots.base import Robot
from tests.planning.mujoco_check import Contacts


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """What a planner made, as it was asked to."""

    robot: Robot
    options: MotionOptions
    asked: int  # scenes, each with a way
    plans: Sequence[Plan]


def span(plan: Plan, phase: Phase) -> Motion:
    """The samples of a phase and the one after it."""
    index = np.flatnonzero(plan.phase == phase)
    index = np.append(index, min(index[-1] + 1, len(plan.q) - 1))
    return Motion(plan.q[index], plan.qd[index])


def most_scenes_are_solved(made: Planned) -> None:
    assert len(made.plans) >= 0.8 * made.asked


def reach_touches_nothing_by_mujocos_check(made: Planned) -> None:
    """The balls cover the hand's edges to within 3 mm: a goal that is free by them may graze by MuJoCo's meshes."""
    grazing = 0
    for plan in made.plans:
        contacts, reach = Contacts(plan.scene, made.robot), span(plan, Phase.REACH)
        q = interpolate(reach.q, reach.qd, plan.dt, 5)
        depth = np.array([contacts.penetration(row, made.robot.gripper.max_width) for row in q])
        distance = np.linalg.norm(made.robot.fk(q)[:, :3, 3] - plan.T_base_grasp[:3, 3], axis=1)
        assert depth[distance > made.options.approach_length].max() == 0.0
        assert depth.max() < 0.003
        grazing += bool(depth.max() > 0.0)
    assert grazing <= max(0.1 * len(made.plans), 1)


def lift_touches_nothing_but_the_target_by_mujocos_check(made: Planned) -> None:
    for plan in made.plans:
        contacts, lift = Contacts(plan.scene, made.robot), span(plan, Phase.LIFT)
        q = interpolate(lift.q, lift.qd, plan.dt, 5)
        rise = tcp_positions(robot_arrays(made.robot), q)[:, 2]
        at_rest = contacts.penetration(q[0], plan.grasp_width, held=1e-6, ignore_target=True)
        for configuration, height in zip(q, rise - rise[0], strict=True):
            depth = contacts.penetration(configuration, plan.grasp_width, held=height, ignore_target=True)
            assert depth <= max(at_rest, 0.0005)


def motion_begins_at_the_start_and_ends_at_the_grasp(made: Planned) -> None:
    for plan in made.plans:
        assert np.array_equal(plan.q[0], plan.scene.q_start)
        closing = np.flatnonzero(plan.phase == Phase.CLOSE)[0]
        error = se3.invert(plan.T_base_grasp) @ made.robot.fk(plan.q[closing])
        assert np.linalg.norm(error[:3, 3]) < 1e-6
        assert se3.rotation_angle(error[:3, :3]) < 1e-6
        assert np.all(plan.gripper[:closing] == 1.0)
        assert np.all(plan.gripper[closing:] == -1.0)
        assert np.all(np.diff(plan.phase.astype(int)) >= 0)
        assert not plan.qd[[0, closing, -1]].any()


def every_limit_is_kept(made: Planned) -> None:
    options, limits, arrays = made.options, made.robot.limits, robot_arrays(made.robot)
    for plan in made.plans:
        for phase, pace in ((Phase.REACH, reach_pace(limits, options)), (Phase.LIFT, lift_pace(limits, options))):
            motion = span(plan, phase)
            velocity, acceleration, jerk = extremes(motion, plan.dt)
            assert np.all(velocity <= pace.velocity * (1 + 1e-9))
            assert np.all(acceleration <= pace.acceleration * (1 + 1e-9))
            assert np.all(jerk <= pace.jerk * (1 + 1e-9))
            tcp = tcp_positions(arrays, interpolate(motion.q, motion.qd, plan.dt, 20))
            fastest = np.linalg.norm(np.diff(tcp, axis=0), axis=1).max() * 20 / plan.dt
            assert fastest <= 1.02 * pace.tcp_speed
            assert np.all(pace.velocity <= limits.velocity)
        q = interpolate(plan.q, plan.qd, plan.dt, 10)
        assert np.all((q >= limits.q_lower) & (q <= limits.q_upper))


def there_is_no_stop_before_the_grasp(made: Planned) -> None:
    """Joint speed goes above 7 % of its peak once and below it once."""
    for plan in made.plans:
        reach = span(plan, Phase.REACH)
        q = interpolate(reach.q, reach.qd, plan.dt, 20)
        speed = np.linalg.norm(np.diff(q, axis=0), axis=1)
        assert np.abs(np.diff((speed > 0.07 * speed.max()).astype(int))).sum() <= 2


def the_approach_is_straight(made: Planned) -> None:
    arrays = robot_arrays(made.robot)
    for plan in made.plans:
        reach = span(plan, Phase.REACH)
        tcp = tcp_positions(arrays, interpolate(reach.q, reach.qd, plan.dt, 10))
        tcp = se3.transform(se3.invert(plan.T_base_grasp), tcp)
        last = tcp[np.linalg.norm(tcp, axis=1) < 0.035]
        assert np.abs(last[:, :2]).max() < 0.003
        assert np.all(np.diff(last[:, 2]) > -1e-5)


def the_lift_is_straight_up(made: Planned) -> None:
    arrays = robot_arrays(made.robot)
    for plan in made.plans:
        lift = span(plan, Phase.LIFT)
        up = tcp_positions(arrays, interpolate(lift.q, lift.qd, plan.dt, 10))
        assert np.abs(up - up[0])[:, :2].max() < 0.001
        assert np.all(np.diff(up[:, 2]) > -1e-5)
        assert up[-1, 2] - up[0, 2] == pytest.approx(made.options.lift_height, abs=1e-4)


LAWS = (
    most_scenes_are_solved,
    reach_touches_nothing_by_mujocos_check,
    lift_touches_nothing_but_the_target_by_mujocos_check,
    motion_begins_at_the_start_and_ends_at_the_grasp,
    every_limit_is_kept,
    there_is_no_stop_before_the_grasp,
    the_approach_is_straight,
    the_lift_is_straight_up,
)
