"""OMPL's RRT-Connect on the planner's problems, with our collision checker behind Python callbacks."""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from syngrasp.planning import kernels, rrt
from syngrasp.planning.arrays import robot_arrays
from syngrasp.robots.base import Robot
from tests.benchmarks.problems import Problem

F64 = NDArray[np.float64]
TIME_LIMIT = 2.0  # of OMPL's search [s]


class Answer(NamedTuple):
    """One solver's answer to one problem."""

    path: F64 | None  # (N, dof) [rad]; None where it found none
    microseconds: float  # CPU time
    calls: int = 0  # configurations or edges that it asked for through Python


class Ompl:
    """OMPL's RRTConnect and its simplification, with their defaults.

    `resolution` is how far apart the configurations lie that its motion validator asks for along an edge, by the norm
    of all joints [rad]: 0 leaves OMPL's default, None asks us for whole edges instead.
    """

    def __init__(self, robot: Robot, resolution: float | None) -> None:
        from ompl import base, util

        util.setLogLevel(util.LOG_NONE)
        util.RNG.setSeed(1)
        self.arrays, self.dof = robot_arrays(robot), robot.dof
        self.space = base.RealVectorStateSpace(robot.dof)
        bounds = base.RealVectorBounds(robot.dof)
        for joint in range(robot.dof):
            bounds.setLow(joint, float(robot.limits.q_lower[joint]))
            bounds.setHigh(joint, float(robot.limits.q_upper[joint]))
        self.space.setBounds(bounds)
        if resolution == 0.0:
            info = base.SpaceInformation(self.space)
            resolution = info.getStateValidityCheckingResolution() * self.space.getMaximumExtent()
        self.resolution = resolution

    def __call__(self, problem: Problem, seed: int) -> Answer:
        from ompl import base, geometric

        setup, calls = self._setup(problem)
        info = setup.getSpaceInformation()
        goals = base.GoalStates(info)
        for goal in problem.goals:
            goals.addState(self._state(goal))
        setup.addStartState(self._state(problem.q_start))
        setup.setGoal(goals)
        setup.setPlanner(geometric.RRTConnect(info))
        setup.setup()
        begin = time.process_time_ns()
        setup.solve(TIME_LIMIT)
        solved = setup.haveExactSolutionPath()
        if solved:
            setup.simplifySolution()
        spent = (time.process_time_ns() - begin) / 1e3
        return Answer(self._path(setup.getSolutionPath()) if solved else None, spent, calls[0])

    def _setup(self, problem: Problem) -> tuple[Any, list[int]]:
        """OMPL's set-up with the checker of a problem, and a list whose one entry counts what it is asked."""
        from ompl import base, geometric

        arrays, field = self.arrays, problem.field.arrays
        margin, q, width, calls = problem.margin, np.empty((1, self.dof)), np.array([problem.width]), [0]
        row, joints = q[0], range(self.dof)

        def is_valid(state: Any) -> bool:
            calls[0] += 1
            for joint in joints:
                row[joint] = state[joint]
            return bool(kernels.clearances(arrays, field, q, width, margin)[0] >= margin)

        class Edges(base.MotionValidator):
            def checkMotion(self, a: Any, b: Any) -> bool:
                calls[0] += 1
                q_from, q_to = np.array([a[j] for j in joints]), np.array([b[j] for j in joints])
                return rrt.is_free(arrays, field, q_from, q_to, width[0], margin)

        setup = geometric.SimpleSetup(self.space)
        info = setup.getSpaceInformation()
        setup.setStateValidityChecker(is_valid)
        if self.resolution is None:
            info.setMotionValidator(Edges(info))
        else:
            info.setStateValidityCheckingResolution(self.resolution / self.space.getMaximumExtent())
        return setup, calls

    def _state(self, q: F64) -> Any:
        state = self.space.allocState()
        for joint in range(self.dof):
            state[joint] = float(q[joint])
        return state

    def _path(self, path: Any) -> F64:
        return np.array([[state[joint] for joint in range(self.dof)] for state in path.getStates()])
