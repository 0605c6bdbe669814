"""From grasps of a target to one motion: reach without a stop, close, lift straight up, hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.planning import distance, kernels, rrt
from syngrasp.planning.arrays import robot_arrays
from syngrasp.planning.collision import SceneField
from syngrasp.planning.retime import Motion, Pace, interpolate, retime
from syngrasp.planning.smoothing import path_length, smooth
from syngrasp.planning.straight import straight_line, tcp_positions
from syngrasp.records import ObjectModel, Phase, PlacedObject, Plan, SceneGrasps
from syngrasp.robots.base import Limits, Robot

F64 = NDArray[np.float64]
LINE_STEP = 0.01  # between points of a straight line [m]
SLACK = 1e-4  # between a margin asked for and the one that is known to hold [m]
RESTING = 0.001  # by which what is near already may come nearer still, in the lift and in a rounded approach [m]
EXPLORED = 0.008  # kept by the polyline on top of the clearance, for the smoothing to use up [m]
ITERATIONS = 1500  # of RRT-Connect
SPREAD = 0.8  # of its samples around start and goals [rad]
SHORTCUTS = 60
MAX_CANDIDATES = 6  # goals that a search is started for
PROGRESS = ("no_approach", "no_lift_path", "no_path", "not_smooth", "spline_collides")
ROUNDINGS = (1.0, 0.5, 0.25, 0.12)  # of the spline's knot spacing, until it is free


@dataclass(frozen=True, slots=True)
class MotionOptions:
    """How motions are to be; `stages.plan.PlanConfig` says what each means."""

    control_rate: float
    clearance: float
    grasp_clearance: float
    approach_length: float
    lift_height: float
    close_time: float
    hold_time: float
    velocity: float
    acceleration: float
    jerk: float
    tcp_speed: float
    lift_speed: float
    speed: float
    smoothing_time: float
    rounding: float
    prefer_smooth: bool
    max_detour: float
    max_goals: int
    quality_weight: float


@dataclass(frozen=True, slots=True)
class NoPlan:
    """Why there is no motion."""

    reason: str  # start_in_collision, no_approach, no_lift_path, no_path, not_smooth, spline_collides
    detail: str


class _Candidate(NamedTuple):
    """A goal that can be approached and lifted from."""

    goal: int
    approach: F64  # (A, dof) from before the grasp to the grasp
    approach_margin: float  # kept on it [m]
    lift: F64  # (L, dof) from the grasp upwards


class _Fields(NamedTuple):
    everything: SceneField
    others: SceneField  # without the target


def plan_motion(
    robot: Robot,
    grasps: SceneGrasps,
    models: Sequence[ObjectModel],
    options: MotionOptions,
    rng: np.random.Generator,
) -> Plan | NoPlan:
    """Plans the motion to the grasp that is best to reach, or says what stood against the furthest try.

    Goals are tried in the order of joint travel and grasp quality. The first whose start can be reached by a
    straight edge wins; if none can, RRT-Connect searches a way to all that can be approached and lifted from.
    """
    scene = grasps.scene
    everything = SceneField.build(scene, models)
    fields = _Fields(everything, everything.without(scene.target))
    arrays = robot_arrays(robot)
    opened = robot.gripper.max_width
    q_start = np.ascontiguousarray(scene.q_start, dtype=np.float64)
    start = _clearance(robot, fields.everything, q_start, opened)
    if start < 0.0:
        return NoPlan("start_in_collision", f"clearance {start * 1000:.1f} mm")
    if not target_can_rise(fields.others, scene.objects[scene.target], models[scene.target], options.lift_height):
        return NoPlan("no_lift_path", "another object lies over the target")
    planner = _Planner(robot, fields, grasps, options, start)
    failures: list[NoPlan] = []
    candidates: list[_Candidate] = []
    seed = rng.integers(0, 2**63, size=2, dtype=np.uint64)
    for goal in planner.order()[: options.max_goals]:
        candidate = planner.candidate(int(goal))
        if isinstance(candidate, NoPlan):
            failures.append(candidate)
            continue
        before = candidate.approach[0]
        if rrt.is_free(arrays, everything.arrays, q_start, before, opened, planner.margin(before)):
            plan = planner.finish(candidate, np.stack([q_start, before]))
            if isinstance(plan, Plan):
                return plan
            failures.append(plan)
        candidates.append(candidate)
        if len(candidates) == MAX_CANDIDATES:
            break
    while candidates:
        path, index = planner.search(candidates, seed)
        if index < 0:
            failures.append(NoPlan("no_path", f"none to {len(candidates)} goals"))
            break
        plan = planner.finish(candidates.pop(index), path)
        if isinstance(plan, Plan):
            return plan
        failures.append(plan)
    return max(failures, key=lambda f: PROGRESS.index(f.reason), default=NoPlan("no_approach", "no goals"))


def target_can_rise(others: SceneField, target: PlacedObject, model: ObjectModel, height: float) -> bool:
    """Whether the target, moved straight up by `height` [m], touches nothing that it does not touch already.

    The target is sampled by the corners of its convex parts and the middles between them.
    """
    T = se3.matrix_from_pose7(target.pose)
    points = [target.scale * hull for hull in model.hulls]
    points += [0.5 * (hull + np.roll(hull, 1, axis=0)) for hull in points]
    cloud = np.ascontiguousarray(se3.transform(T, np.concatenate(points)))
    return bool(distance.can_rise(others.arrays, cloud, height, 0.002, RESTING))


def _clearance(robot: Robot, field: SceneField, q: F64, width: float) -> float:
    """Clearance [m] of a configuration (dof,), at most a decimetre."""
    return float(kernels.clearances(robot_arrays(robot), field.arrays, q[None], np.array([width]), 0.1)[0])


class _Planner:
    """One scene's search; holds no state that changes."""

    def __init__(
        self, robot: Robot, fields: _Fields, grasps: SceneGrasps, options: MotionOptions, start_clearance: float
    ) -> None:
        self.robot, self.arrays, self.fields = robot, robot_arrays(robot), fields
        self.grasps, self.options, self.start_clearance = grasps, options, start_clearance
        self.opened = robot.gripper.max_width
        self.reach_pace = pace(robot.limits, options, options.tcp_speed)
        self.lift_pace = pace(robot.limits, options, options.lift_speed)

    def order(self) -> NDArray[np.int64]:
        """Goals, the most promising first: little joint travel [rad], and a grasp high on the list."""
        travel = np.linalg.norm(self.grasps.q_goal - self.grasps.scene.q_start, axis=1)
        rank = self.grasps.grasp_of_goal / max(len(self.grasps.width), 1)
        return np.argsort(travel + self.options.quality_weight * rank, kind="stable")

    def clearance(self, q: F64) -> float:
        """Clearance [m] with the gripper open, at most a decimetre."""
        return _clearance(self.robot, self.fields.everything, q, self.opened)

    def margin(self, q: F64) -> float:
        """What a polyline from the start to a configuration can keep."""
        wanted = self.options.clearance + EXPLORED
        return min(wanted, self.start_clearance, self.clearance(q)) - SLACK

    def candidate(self, goal: int) -> _Candidate | NoPlan:
        """Moves back from a goal's grasp and up from it."""
        options, grasp = self.options, int(self.grasps.grasp_of_goal[goal])
        q = np.ascontiguousarray(self.grasps.q_goal[goal], dtype=np.float64)
        at_grasp = self.clearance(q)
        if at_grasp < options.grasp_clearance:
            return NoPlan("no_approach", f"goal {goal}: clearance {at_grasp * 1000:.1f} mm at the grasp")
        margin = min(options.clearance, at_grasp) - SLACK
        back = -options.approach_length * self.grasps.T_base_tcp[grasp, :3, 2]
        line, outcome = self._line(self.fields.everything, q, back, self.opened, margin)
        if outcome:
            return NoPlan("no_approach", f"goal {goal}: {('', 'out of reach', 'collides')[outcome]}")
        width = float(self.grasps.width[grasp])
        held = _clearance(self.robot, self.fields.others, q, width)
        up = np.array([0.0, 0.0, options.lift_height])
        lift, outcome = self._line(self.fields.others, q, up, width, min(options.clearance, held) - SLACK)
        if outcome:
            return NoPlan("no_lift_path", f"goal {goal}: {('', 'out of reach', 'collides')[outcome]}")
        return _Candidate(goal, np.ascontiguousarray(line[::-1]), margin, lift)

    def _line(self, field: SceneField, q: F64, motion: F64, width: float, margin: float) -> tuple[F64, int]:
        points = int(np.ceil(np.linalg.norm(motion) / LINE_STEP - 1e-9)) + 1
        return straight_line(self.arrays, field.arrays, q, motion, points, width, margin)

    def search(self, candidates: Sequence[_Candidate], seed: NDArray[np.uint64]) -> tuple[F64, int]:
        """A short polyline from the start to one of the candidates' approaches, and which; −1 if none is found."""
        q_start = np.ascontiguousarray(self.grasps.scene.q_start, dtype=np.float64)
        goals = np.stack([c.approach[0] for c in candidates])
        margin = min(self.margin(q) for q in goals)
        scene = self.arrays, self.fields.everything.arrays
        path, index = rrt.connect(*scene, q_start, goals, self.opened, margin, seed[0], ITERATIONS, SPREAD)
        if index < 0:
            return path, index
        return rrt.shortcut(*scene, path, self.opened, margin, seed[1], SHORTCUTS), index

    def finish(self, candidate: _Candidate, path: F64) -> Plan | NoPlan:
        """The whole motion along a polyline to a candidate's approach."""
        options = self.options
        direct = np.linalg.norm(path[-1] - path[0])
        detour = np.linalg.norm(np.diff(path, axis=0), axis=1).sum() / max(direct, 0.5)
        if options.prefer_smooth and detour > options.max_detour:
            return NoPlan("not_smooth", f"goal {candidate.goal}: {detour:.1f} times the straight path")
        reach = self._reach(candidate, np.concatenate([path, candidate.approach[1:]]))
        if reach is None:
            return NoPlan("spline_collides", f"goal {candidate.goal}")
        tcp = tcp_positions(self.arrays, candidate.lift)
        spline = smooth(candidate.lift, path_length(candidate.lift, tcp), options.rounding)
        return self._assemble(candidate, reach, retime(self.arrays, spline, self.lift_pace))

    def _reach(self, candidate: _Candidate, path: F64) -> Motion | None:
        """A free motion near a polyline that ends in the approach; None if it is not free at any rounding."""
        length = path_length(path, tcp_positions(self.arrays, path))
        margin = min(self.options.clearance, self.margin(candidate.approach[0]))
        near, near_margin = self.options.approach_length, candidate.approach_margin
        near_margin = max(near_margin - RESTING, min(near_margin, 0.0))
        for rounding in ROUNDINGS:
            motion = retime(self.arrays, smooth(path, length, rounding * self.options.rounding), self.reach_pace)
            dense = interpolate(motion.q, motion.qd, self.reach_pace.dt, 2)
            tcp = tcp_positions(self.arrays, dense)
            approaching = np.linalg.norm(tcp[:-1] - tcp[-1], axis=1) < near
            margins = np.where(approaching, min(near_margin, margin), margin)
            inside = np.all((dense >= self.arrays.q_lower) & (dense <= self.arrays.q_upper))
            field = self.fields.everything.arrays
            if inside and kernels.first_collision(self.arrays, field, dense, self.opened, margins) < 0:
                return motion
        return None

    def _assemble(self, candidate: _Candidate, reach: Motion, lift: Motion) -> Plan:
        options, grasp = self.options, int(self.grasps.grasp_of_goal[candidate.goal])
        dt, width = self.reach_pace.dt, float(self.grasps.width[grasp])
        closing = (self.opened - width) / self.robot.gripper.speed + 0.2
        close = int(np.ceil(max(options.close_time, closing) / dt - 1e-9))
        hold = int(np.ceil(options.hold_time / dt - 1e-9))
        counts = (len(reach.q) - 1, close, len(lift.q) - 1, hold + 1)
        q = (reach.q[:-1], np.repeat(reach.q[-1:], close, 0), lift.q[:-1], np.repeat(lift.q[-1:], hold + 1, 0))
        still = np.zeros((1, self.robot.dof))
        qd = (reach.qd[:-1], np.repeat(still, close, 0), lift.qd[:-1], np.repeat(still, hold + 1, 0))
        phase = np.repeat(np.array([Phase.REACH, Phase.CLOSE, Phase.LIFT, Phase.HOLD], np.uint8), counts)
        return Plan(
            scene=self.grasps.scene,
            T_base_grasp=self.grasps.T_base_tcp[grasp],
            grasp_width=width,
            grasp_quality=float(self.grasps.quality[grasp]),
            dt=dt,
            q=np.concatenate(q),
            qd=np.concatenate(qd),
            gripper=np.where(phase == Phase.REACH, 1.0, -1.0),
            phase=phase,
        )


def pace(limits: Limits, options: MotionOptions, tcp_speed: float) -> Pace:
    """The pace that the options ask for. `speed` stretches time: the n-th derivative grows by its n-th power, but
    never past the robot's own limit."""
    k = options.speed
    return Pace(
        velocity=min(options.velocity * k, 1.0) * limits.velocity,
        acceleration=min(options.acceleration * k**2, 1.0) * limits.acceleration,
        jerk=min(options.jerk * k**3, 1.0) * limits.jerk,
        tcp_speed=tcp_speed * k,
        smoothing_time=options.smoothing_time / k,
        dt=1.0 / options.control_rate,
    )
