"""The cuRobo planner: a batch of scenes at once on a GPU, each with all its grasps as one goal set.

cuRobo finds the way to before one of the grasps, where the straight approach begins; the rest is the pipeline's own,
as for every planner: approach and lift as straight lines, one smooth motion through all of it, its timing and the
check that it is free. cuRobo's `plan_grasp` would give approach, grasp and lift as motions that stop in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from syngrasp.planning.assembly import LINE_STEP, Assembler, Fields
from syngrasp.planning.curobo_scene import GoalSet, World, build_world, goal_set
from syngrasp.planning.motion import PROGRESS, hopeless, order
from syngrasp.planning.options import MotionOptions, NoPlan
from syngrasp.planning.planner import Problem
from syngrasp.planning.retry import assembler_of
from syngrasp.planning.straight import MAX_STEP
from syngrasp.records import Plan
from syngrasp.robots.base import Robot

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CuroboOptions:
    """How cuRobo searches; `stages.plan.CuroboConfig` says what each means."""

    batch: int
    goals: int
    parts: int
    buffer: float
    ik_seeds: int
    trajectory_seeds: int
    attempts: int
    cuda_graph: bool


class WayProblem(NamedTuple):
    """A way to find: from a configuration to any of some TCP poses."""

    world: World
    q_start: F64  # (dof,) [rad]
    goals: GoalSet


class Way(NamedTuple):
    """A way found."""

    goal: int  # row of the goal set
    path: F64  # (N, dof) [rad], the last within tolerance of that goal


class WaySolver(Protocol):
    """Finds the ways of a batch: `curobo_solver.CuroboSolver`."""

    def solve(self, problems: Sequence[WayProblem]) -> list[Way | None]:
        """One answer for each of at most `CuroboOptions.batch` problems, in order."""
        ...

    def close(self) -> None:
        """Gives back the GPU's memory."""
        ...


class CuroboPlanner:
    """Plans scenes in batches of `options.batch`, the ways found by a solver."""

    def __init__(self, robot: Robot, motion: MotionOptions, options: CuroboOptions, solver: WaySolver) -> None:
        self._robot, self._motion, self._options, self._solver = robot, motion, options, solver

    def plan(self, problems: Sequence[Problem]) -> list[Plan | NoPlan]:
        size = self._options.batch
        batches = [problems[i : i + size] for i in range(0, len(problems), size)]
        return [answer for batch in batches for answer in self._plan(batch)]

    def close(self) -> None:
        self._solver.close()

    def _plan(self, batch: Sequence[Problem]) -> list[Plan | NoPlan]:
        answers: dict[int, Plan | NoPlan] = {}
        asked: list[tuple[int, Assembler, WayProblem]] = []
        for i, problem in enumerate(batch):
            fields = Fields.build(problem.grasps, problem.models)
            stream = problem.rng if problem.retry else None
            assembler = assembler_of(self._robot, fields, problem.grasps, self._motion, stream)
            goals = self._goals(assembler, problem)
            if isinstance(goals, NoPlan):
                answers[i] = goals
                continue
            world = build_world(problem.grasps.scene, problem.models, self._options.parts, prefix=f"{i}/")
            asked.append((i, assembler, WayProblem(world, assembler.q_start, goals)))
        ways = self._solver.solve([way_problem for _, _, way_problem in asked]) if asked else []
        for (i, assembler, way_problem), way in zip(asked, ways, strict=True):
            if way is None:
                answers[i] = NoPlan("no_path", f"none to {len(set(way_problem.goals.grasp.tolist()))} grasps")
            else:
                answers[i] = self._join(assembler, batch[i], int(way_problem.goals.grasp[way.goal]), way.path)
        return [answers[i] for i in range(len(batch))]

    def _goals(self, assembler: Assembler, problem: Problem) -> GoalSet | NoPlan:
        """The grasps that can be approached and lifted from by some configuration, the most promising first."""
        if (why := hopeless(assembler, problem.models)) is not None:
            return why
        chosen: list[int] = []
        failures: list[NoPlan] = []
        for goal in order(problem.grasps, self._motion)[: self._motion.max_goals]:
            grasp = int(problem.grasps.grasp_of_goal[goal])
            if grasp in chosen:
                continue
            candidate = assembler.candidate(int(goal))
            if isinstance(candidate, NoPlan):
                failures.append(candidate)
                continue
            chosen.append(grasp)
            if len(chosen) == self._options.goals:
                break
        if not chosen:
            return max(failures, key=lambda f: PROGRESS.index(f.reason), default=NoPlan("no_approach", "no goals"))
        return goal_set(problem.grasps, chosen, self._motion.approach_length, self._options.goals)

    def _join(self, assembler: Assembler, problem: Problem, grasp: int, path: F64) -> Plan | NoPlan:
        """The whole motion through a way (N, dof) that ends near the begin of a grasp's approach.

        The way's end decides how the arm stands at the grasp; it is then bent a little to meet the approach exactly.
        """
        length, T = self._motion.approach_length, problem.grasps.T_base_tcp[grasp]
        count = int(np.ceil(length / LINE_STEP - 1e-9)) + 1
        line = np.repeat(T[None], count, axis=0)
        line[:, :3, 3] += np.linspace(-length, 0.0, count)[:, None] * T[:3, 2]
        q = self._robot.ik_along(line, path[-1], MAX_STEP)
        if len(q) < count:
            return NoPlan("no_approach", f"grasp {grasp}: out of reach from the way's end")
        only = replace(problem.grasps, q_goal=q[-1:], grasp_of_goal=np.array([grasp], dtype=np.int32))
        stream = problem.rng if problem.retry else None
        assembler = assembler_of(self._robot, assembler.fields, only, self._motion, stream)
        candidate = assembler.candidate(0)
        if isinstance(candidate, NoPlan):
            return candidate
        return assembler.finish(candidate, bent(path, assembler.q_start, candidate.approach[0]))


def bent(path: F64, start: F64, end: F64) -> F64:
    """A polyline (N, dof) moved to begin and end where asked, in between in proportion to the way passed."""
    steps = np.linalg.norm(np.diff(path, axis=0), axis=1)
    path = path[np.concatenate([[True], steps > 1e-9])]
    along = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
    if len(path) < 2:
        return np.stack([start, end])
    part = (along / along[-1])[:, None]
    moved = path + (1.0 - part) * (start - path[0]) + part * (end - path[-1])
    moved[0], moved[-1] = start, end
    return moved
