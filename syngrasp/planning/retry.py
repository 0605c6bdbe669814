"""Motions that miss at first: reach, close on nothing, open and back off, reach again, close, lift, hold.

A policy that has only seen grasps that work does not know what to do after one that did not. Here the hand goes
beside the target or stops short of it, by an offset drawn at random, where the closing fingers touch nothing: so the
target stays where it was, and the grasp that is labelled as the goal stays true throughout.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from syngrasp.planning import kernels, rrt
from syngrasp.planning.assembly import SLACK, Assembler, Candidate, Fields, Segment
from syngrasp.planning.options import MotionOptions, NoPlan
from syngrasp.planning.retime import retime
from syngrasp.planning.smoothing import path_length, smooth
from syngrasp.planning.straight import tcp_positions
from syngrasp.records import Phase, SceneGrasps
from syngrasp.robots.base import Robot

F64 = NDArray[np.float64]

TRIES = 32  # offsets drawn for a grasp
WIDTHS = 9  # of the fingers, from closed to open, at which they must be free
UNTOUCHED = 0.007  # kept from everything by the closing fingers: more than half their step, and the balls' error [m]


def assembler_of(
    robot: Robot,
    fields: Fields,
    grasps: SceneGrasps,
    options: MotionOptions,
    retry: np.random.Generator | None = None,
) -> Assembler:
    """What makes the motions of a scene: plain ones, or with a stream to draw from those that miss at first."""
    if retry is None:
        return Assembler(robot, fields, grasps, options)
    return RetryAssembler(robot, fields, grasps, options, retry)


class RetryAssembler(Assembler):
    """An assembler whose motions miss at first. Its draws depend on the order of its calls."""

    def __init__(
        self, robot: Robot, fields: Fields, grasps: SceneGrasps, options: MotionOptions, stream: np.random.Generator
    ) -> None:
        super().__init__(robot, fields, grasps, options)
        self.stream = stream
        self.widths = np.linspace(0.0, self.opened, WIDTHS)

    def reaching(self, candidate: Candidate, path: F64) -> list[Segment] | NoPlan:
        """A miss and the way from there to a candidate's grasp, with the first offset at which all of it is free."""
        for _ in range(TRIES):
            offset = self.draw_offset()
            away = self.stream.uniform(*self.options.retry_distance)
            segments = self._missing(candidate, path, offset, away + offset[2])
            if segments is not None:
                return segments
        return NoPlan("no_retry", f"goal {candidate.goal}: none of {TRIES} offsets is free")

    def draw_offset(self) -> F64:
        """From the grasp to a miss (3,) in the TCP's frame [m]: beside it or before it, never beyond."""
        length, turn = self.stream.uniform(*self.options.retry_offset), self.stream.uniform(-np.pi, np.pi)
        before = self.stream.uniform()
        beside = np.sqrt(1.0 - before**2)
        return length * np.array([beside * np.cos(turn), beside * np.sin(turn), -before])

    def _missing(self, candidate: Candidate, path: F64, offset: F64, back: float) -> list[Segment] | None:
        """The parts up to a candidate's grasp that miss it by an offset (3,) [m] and back off by a length [m]."""
        missed = self._missed(candidate, offset)
        if missed is None:
            return None
        retreat = self._retreat(candidate, missed.approach[-1], back)
        first = None if retreat is None else self._way(path, missed)
        if retreat is None or first is None or not self._edge_is_free(retreat[-1], candidate.approach[0]):
            return None
        reach = self.reach(missed, first)
        again = None if reach is None else self.reach(candidate, np.concatenate([retreat[-1:], candidate.approach]))
        if reach is None or again is None:
            return None
        spline = smooth(retreat, path_length(retreat, tcp_positions(self.arrays, retreat)), self.options.rounding)
        return [
            Segment(reach, 1.0, Phase.REACH),
            Segment(self.still(retreat[0], self.closing_time(0.0)), -1.0, Phase.CLOSE),
            Segment(retime(self.arrays, spline, self.lift_pace), 1.0, Phase.RETREAT),
            Segment(again, 1.0, Phase.REACH),
        ]

    def _missed(self, candidate: Candidate, offset: F64) -> Candidate | None:
        """A candidate moved by an offset (3,) in the TCP's frame, if the hand may open and close there and the
        approach is free."""
        T = self.grasps.T_base_tcp[int(self.grasps.grasp_of_goal[candidate.goal])].copy()
        T[:3, 3] += T[:3, :3] @ offset
        q = self.robot.ik_near(T, candidate.approach[-1])
        if q is None or self._least_clearance(q[None]) < UNTOUCHED:
            return None
        margin = min(self.options.clearance, self.clearance(q)) - SLACK
        back = -self.options.approach_length * T[:3, 2]
        line, outcome = self.line(self.fields.everything, q, back, self.opened, margin)
        return None if outcome else Candidate(candidate.goal, np.ascontiguousarray(line[::-1]), margin, candidate.lift)

    def _retreat(self, candidate: Candidate, q: F64, length: float) -> F64 | None:
        """A line (N, dof) back from a miss by a length [m], free at any width: the fingers open on the way."""
        approach = self.grasps.T_base_tcp[int(self.grasps.grasp_of_goal[candidate.goal]), :3, 2]
        line, outcome = self.line(self.fields.everything, q, -length * approach, self.opened, 0.0)
        return None if outcome or self._least_clearance(line) < UNTOUCHED else line

    def _least_clearance(self, q: F64) -> float:
        """Clearance [m] of configurations (N, dof) at all widths of the fingers."""
        every = np.repeat(q, WIDTHS, axis=0), np.tile(self.widths, len(q))
        return float(kernels.clearances(self.arrays, self.fields.everything.arrays, *every, 0.1).min())

    def _way(self, path: F64, missed: Candidate) -> F64 | None:
        """A polyline (N, dof) from the start to a miss: straight to its approach, or as `path` went to another's."""
        before = missed.approach[0]
        if self._edge_is_free(path[0], before):
            return np.concatenate([path[:1], missed.approach])
        if len(path) > 2 and self._edge_is_free(path[-2], before):
            return np.concatenate([path[:-1], missed.approach])
        return None

    def _edge_is_free(self, a: F64, b: F64) -> bool:
        field = self.fields.everything.arrays
        return bool(rrt.is_free(self.arrays, field, a, b, self.opened, min(self.margin(a), self.margin(b))))
