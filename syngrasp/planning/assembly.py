"""From the corners of a way to one timed motion: reach without a stop, close, lift straight up, hold.

Whoever finds the way (`motion.plan_motion`, cuRobo) hands its corners in here, so that every planner's motions are
smoothed, timed and checked alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from syngrasp.planning import kernels
from syngrasp.planning.arrays import robot_arrays
from syngrasp.planning.collision import SceneField
from syngrasp.planning.options import MotionOptions, NoPlan, lift_pace, reach_pace
from syngrasp.planning.retime import Motion, interpolate, retime
from syngrasp.planning.smoothing import path_length, smooth
from syngrasp.planning.straight import straight_line, tcp_positions
from syngrasp.records import ObjectModel, Phase, Plan, SceneGrasps
from syngrasp.robots.base import Robot

F64 = NDArray[np.float64]
LINE_STEP = 0.01  # between points of a straight line [m]
SLACK = 1e-4  # between a margin asked for and the one that is known to hold [m]
RESTING = 0.001  # by which what is near already may come nearer still, in the lift and in a rounded approach [m]
EXPLORED = 0.008  # kept by the polyline on top of the clearance, for the smoothing to use up [m]
SHORT = 8  # knot spacings that the shortest way has at least, so that the end of its approach stays straight
LOOK_TIME = 0.05  # of a motion at speed 1 between two looks for collisions [s]
ROUNDINGS = (1.0, 0.5, 0.25, 0.12)  # of the spline's knot spacing, until it is free


class Candidate(NamedTuple):
    """A goal that can be approached and lifted from."""

    goal: int
    approach: F64  # (A, dof) from before the grasp to the grasp
    approach_margin: float  # kept on it [m]
    lift: F64  # (L, dof) from the grasp upwards


class Segment(NamedTuple):
    """A part of a motion: samples at the control rate, the last of which is the next part's first."""

    motion: Motion
    gripper: float  # +1 open, −1 close
    phase: Phase


class Fields(NamedTuple):
    """A scene as planners see it."""

    everything: SceneField
    others: SceneField  # without the target

    @classmethod
    def build(cls, grasps: SceneGrasps, models: Sequence[ObjectModel]) -> Fields:
        """The fields of a scene whose objects have the given models, in order."""
        everything = SceneField.build(grasps.scene, models)
        return cls(everything, everything.without(grasps.scene.target))


class Assembler:
    """Makes the motions of one scene."""

    def __init__(self, robot: Robot, fields: Fields, grasps: SceneGrasps, options: MotionOptions) -> None:
        self.robot, self.arrays, self.fields = robot, robot_arrays(robot), fields
        self.grasps, self.options = grasps, options
        self.opened = robot.gripper.max_width
        self.q_start = np.ascontiguousarray(grasps.scene.q_start, dtype=np.float64)
        self.start_clearance = self.clearance(self.q_start)
        self.reach_pace = reach_pace(robot.limits, options)
        self.lift_pace = lift_pace(robot.limits, options)
        # between two samples, so that what is checked and what is executed differ by less than a tenth of a millimetre
        self.looks = max(2, int(np.ceil(options.speed * self.reach_pace.dt / LOOK_TIME - 1e-9)))

    def clearance(self, q: F64, width: float | None = None, field: SceneField | None = None) -> float:
        """Clearance [m] of a configuration (dof,), at most a decimetre; by default with the gripper open, to all."""
        field, width = field or self.fields.everything, self.opened if width is None else width
        return float(kernels.clearances(self.arrays, field.arrays, q[None], np.array([width]), 0.1)[0])

    def margin(self, q: F64) -> float:
        """What a polyline from the start to a configuration can keep [m]."""
        wanted = self.options.clearance + EXPLORED
        return min(wanted, self.start_clearance, self.clearance(q)) - SLACK

    def candidate(self, goal: int) -> Candidate | NoPlan:
        """Moves back from a goal's grasp and up from it."""
        options, grasp = self.options, int(self.grasps.grasp_of_goal[goal])
        q = np.ascontiguousarray(self.grasps.q_goal[goal], dtype=np.float64)
        at_grasp = self.clearance(q)
        if at_grasp < options.grasp_clearance:
            return NoPlan("no_approach", f"goal {goal}: clearance {at_grasp * 1000:.1f} mm at the grasp")
        margin = min(options.clearance, at_grasp) - SLACK
        back = -options.approach_length * self.grasps.T_base_tcp[grasp, :3, 2]
        line, outcome = self.line(self.fields.everything, q, back, self.opened, margin)
        if outcome:
            return NoPlan("no_approach", f"goal {goal}: {('', 'out of reach', 'collides')[outcome]}")
        width = float(self.grasps.width[grasp])
        held = self.clearance(q, width, self.fields.others)
        up = np.array([0.0, 0.0, options.lift_height])
        lift, outcome = self.line(self.fields.others, q, up, width, min(options.clearance, held) - SLACK)
        if outcome:
            return NoPlan("no_lift_path", f"goal {goal}: {('', 'out of reach', 'collides')[outcome]}")
        return Candidate(goal, np.ascontiguousarray(line[::-1]), margin, lift)

    def line(self, field: SceneField, q: F64, motion: F64, width: float, margin: float) -> tuple[F64, int]:
        """`straight_line` along a motion (3,) in base [m], in steps of at most LINE_STEP."""
        points = int(np.ceil(np.linalg.norm(motion) / LINE_STEP - 1e-9)) + 1
        return straight_line(self.arrays, field.arrays, q, motion, points, width, margin)

    def finish(self, candidate: Candidate, path: F64) -> Plan | NoPlan:
        """The whole motion along a polyline (N, dof) from the start to the begin of a candidate's approach."""
        options = self.options
        direct = np.linalg.norm(path[-1] - path[0])
        detour = np.linalg.norm(np.diff(path, axis=0), axis=1).sum() / max(direct, 0.5)
        if options.prefer_smooth and detour > options.max_detour:
            return NoPlan("not_smooth", f"goal {candidate.goal}: {detour:.1f} times the straight path")
        reaching = self.reaching(candidate, path)
        if isinstance(reaching, NoPlan):
            return reaching
        return self.plan(candidate, [*reaching, *self.lifting(candidate)])

    def reaching(self, candidate: Candidate, path: F64) -> list[Segment] | NoPlan:
        """What comes before the hand closes on the target: one reach along a polyline (N, dof) to the approach."""
        reach = self.reach(candidate, np.concatenate([path, candidate.approach[1:]]))
        if reach is None:
            return NoPlan("spline_collides", f"goal {candidate.goal}")
        return [Segment(reach, 1.0, Phase.REACH)]

    def reach(self, candidate: Candidate, path: F64) -> Motion | None:
        """A free motion near a polyline (N, dof) that ends in the approach; None if it is free at no rounding."""
        length = path_length(path, tcp_positions(self.arrays, path))
        margin = min(self.options.clearance, self.margin(candidate.approach[0]))
        spacing = min(self.options.rounding, length[-1] / SHORT)
        near, near_margin = self.options.approach_length, candidate.approach_margin
        near_margin = max(near_margin - RESTING, min(near_margin, 0.0))
        for rounding in ROUNDINGS:
            motion = retime(self.arrays, smooth(path, length, rounding * spacing), self.reach_pace)
            dense = interpolate(motion.q, motion.qd, self.reach_pace.dt, self.looks)
            tcp = tcp_positions(self.arrays, dense)
            approaching = np.linalg.norm(tcp[:-1] - tcp[-1], axis=1) < near
            margins = np.where(approaching, min(near_margin, margin), margin)
            inside = np.all((dense >= self.arrays.q_lower) & (dense <= self.arrays.q_upper))
            field = self.fields.everything.arrays
            if inside and kernels.first_collision(self.arrays, field, dense, self.opened, margins) < 0:
                return motion
        return None

    def lifting(self, candidate: Candidate) -> list[Segment]:
        """Close, lift and hold at the end of a candidate's approach."""
        options, lift = self.options, candidate.lift
        width = float(self.grasps.width[int(self.grasps.grasp_of_goal[candidate.goal])])
        spline = smooth(lift, path_length(lift, tcp_positions(self.arrays, lift)), options.rounding)
        up = retime(self.arrays, spline, self.lift_pace)
        return [
            Segment(self.still(lift[0], self.closing_time(width)), -1.0, Phase.CLOSE),
            Segment(up, -1.0, Phase.LIFT),
            Segment(self.still(lift[-1], options.hold_time), -1.0, Phase.HOLD),
        ]

    def closing_time(self, width: float) -> float:
        """How long the open fingers are given to close to a width [m], in s."""
        return max(self.options.close_time, (self.opened - width) / self.robot.gripper.speed + 0.2)

    def still(self, q: F64, time: float) -> Motion:
        """Stands at a configuration (dof,) for at least a time [s]."""
        count = int(np.ceil(time / self.reach_pace.dt - 1e-9)) + 1
        return Motion(np.repeat(q[None], count, 0), np.zeros((count, len(q))))

    def plan(self, candidate: Candidate, segments: Sequence[Segment]) -> Plan:
        """The plan that runs through segments one after the other and lifts at a candidate's grasp."""
        grasp = int(self.grasps.grasp_of_goal[candidate.goal])
        last = len(segments) - 1
        counts = [len(s.motion.q) - (i < last) for i, s in enumerate(segments)]
        return Plan(
            scene=self.grasps.scene,
            T_base_grasp=self.grasps.T_base_tcp[grasp],
            grasp_width=float(self.grasps.width[grasp]),
            grasp_quality=float(self.grasps.quality[grasp]),
            dt=self.reach_pace.dt,
            q=np.concatenate([s.motion.q[:n] for s, n in zip(segments, counts, strict=True)]),
            qd=np.concatenate([s.motion.qd[:n] for s, n in zip(segments, counts, strict=True)]),
            gripper=np.repeat([s.gripper for s in segments], counts),
            phase=np.repeat(np.array([s.phase for s in segments], np.uint8), counts),
        )
