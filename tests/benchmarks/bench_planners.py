"""The planner beside OMPL's RRT-Connect, on the same problems with the same collision checker.

    python -m tests.benchmarks.bench_planners [--problems 500] [--json]

Two sets of problems. "as planned": from a scene's start to the set of configurations before the approach, as the plan
stage asks. "blocked": from before a grasp at one object to before a grasp at another, of those with no free straight
edge. Ours tries straight edges first, then RRT-Connect and shortcuts, as `planning.motion` does. OMPL searches with
RRTConnect and simplifies with its defaults, in two forms. "states": its own motion validator asks us, through Python,
for every configuration along an edge. "edges": it asks us for a whole edge at once. CPU time of one thread.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from syngrasp.planning import kernels, motion, rrt
from syngrasp.planning.arrays import RobotArrays, robot_arrays
from syngrasp.robots.base import Robot
from tests.benchmarks.peers import run_with_peers
from tests.benchmarks.problems import Problem, Scenes

F64 = NDArray[np.float64]
TIME_LIMIT = 2.0  # of OMPL's search [s]
RESOLUTION = 0.01  # between the configurations that OMPL asks for along an edge, of the norm of all joints [rad]
WARM = 10  # problems solved before the clock counts
TARGET_TIME, TARGET_LENGTH = 20.0, 1.1


class Answer(NamedTuple):
    """One solver's answer to one problem."""

    path: F64 | None  # (N, dof) [rad]; None where it found none
    microseconds: float  # CPU time
    calls: int = 0  # configurations or edges that it asked for through Python


class Ours:
    """Straight edges, RRT-Connect, shortcuts."""

    def __init__(self, robot: Robot) -> None:
        self._arrays = robot_arrays(robot)

    def __call__(self, problem: Problem, seed: int) -> Answer:
        begin = time.process_time_ns()
        path = self._solve(problem, np.uint64(2 * seed), np.uint64(2 * seed + 1))
        return Answer(path, (time.process_time_ns() - begin) / 1e3)

    def _solve(self, problem: Problem, search_seed: np.uint64, shortcut_seed: np.uint64) -> F64 | None:
        scene, width, start = (self._arrays, problem.field.arrays), problem.width, problem.q_start
        for goal, margin in zip(problem.goals, problem.margins, strict=True):
            if rrt.is_free(*scene, start, goal, width, margin):
                return np.stack([start, goal])
        limits = motion.ITERATIONS, motion.SPREAD
        path, index = rrt.connect(*scene, start, problem.goals, width, problem.margin, search_seed, *limits)
        if index < 0:
            return None
        return rrt.shortcut(*scene, path, width, problem.margin, shortcut_seed, motion.SHORTCUTS)


class Ompl:
    """OMPL's RRTConnect and its simplification, with our collision checker behind Python callbacks."""

    def __init__(self, robot: Robot, whole_edges: bool) -> None:
        from ompl import base, util

        util.setLogLevel(util.LOG_NONE)
        util.RNG.setSeed(1)
        self.arrays, self._whole_edges, self.dof = robot_arrays(robot), whole_edges, robot.dof
        self.space = base.RealVectorStateSpace(robot.dof)
        bounds = base.RealVectorBounds(robot.dof)
        for joint in range(robot.dof):
            bounds.setLow(joint, float(robot.limits.q_lower[joint]))
            bounds.setHigh(joint, float(robot.limits.q_upper[joint]))
        self.space.setBounds(bounds)

    def __call__(self, problem: Problem, seed: int) -> Answer:
        from ompl import base, geometric

        setup, calls = self.setup(problem)
        info = setup.getSpaceInformation()
        goals = base.GoalStates(info)
        for goal in problem.goals:
            goals.addState(self.state(goal))
        setup.addStartState(self.state(problem.q_start))
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

    def setup(self, problem: Problem) -> tuple[Any, list[int]]:
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
        if self._whole_edges:
            info.setMotionValidator(Edges(info))
        else:
            info.setStateValidityCheckingResolution(RESOLUTION / self.space.getMaximumExtent())
        return setup, calls

    def state(self, q: F64) -> Any:
        """A configuration (dof,) as OMPL holds it."""
        state = self.space.allocState()
        for joint in range(self.dof):
            state[joint] = float(q[joint])
        return state

    def _path(self, path: Any) -> F64:
        return np.array([[state[joint] for joint in range(self.dof)] for state in path.getStates()])


def callback_overhead(ompl: Ompl, problem: Problem, edges: int = 200) -> tuple[float, float]:
    """µs that a configuration's check takes inside our kernel, and what Python and the crossings add to that.

    On the same configurations: those that OMPL asks for along edges around the start.
    """
    rng = np.random.default_rng(0)
    setup, calls = ompl.setup(problem)
    info, start = setup.getSpaceInformation(), ompl.state(problem.q_start)
    ends = problem.q_start + rng.uniform(-0.1, 0.1, (edges, ompl.dof))
    states = [ompl.state(end) for end in ends]
    begin = time.process_time_ns()
    for state in states:
        info.checkMotion(start, state)
    whole = (time.process_time_ns() - begin) / 1e3 / calls[0]
    along = np.linspace(0.0, 1.0, max(calls[0] // edges, 2))[:, None, None]
    q = np.ascontiguousarray((problem.q_start + along * (ends - problem.q_start)).reshape(-1, ompl.dof))
    width = np.full(len(q), problem.width)
    begin = time.process_time_ns()
    kernels.clearances(ompl.arrays, problem.field.arrays, q, width, problem.margin)
    inside = (time.process_time_ns() - begin) / 1e3 / len(q)
    return inside, max(whole - inside, 0.0)


def problem_sets(count: int) -> tuple[Robot, dict[str, list[Problem]]]:
    """`count` problems of both kinds, at most one of each from a scene."""
    scenes = Scenes()
    planned: list[Problem] = []
    blocked: list[Problem] = []
    for scene in scenes:
        by_target = (scenes.problem(scene, (scene.target + k) % len(scene.objects)) for k in range(len(scene.objects)))
        first = next(by_target)
        if len(planned) < count and first is not None:
            planned.append(first)
        if len(blocked) < count and first is not None:
            found = (_blocked(scenes.robot, first, other) for other in by_target if other is not None)
            blocked += [p for p in found if p is not None][:1]
        if len(planned) == len(blocked) == count:
            break
    return scenes.robot, {"as planned": planned, "blocked": blocked}


def _blocked(robot: Robot, near: Problem, far: Problem) -> Problem | None:
    """From one target's first goal to a goal of another's that no free straight edge leads to; None if all do."""
    arrays = robot_arrays(robot)
    for goal, goal_margin in zip(far.goals, far.margins, strict=True):
        margin = min(goal_margin, near.margins[0])
        if not rrt.is_free(arrays, far.field.arrays, near.goals[0], goal, far.width, margin):
            return Problem(far.field, near.goals[0], goal[None], np.array([margin]), far.width)
    return None


def run(solve: Callable[[Problem, int], Answer], problems: list[Problem]) -> list[Answer]:
    """Every problem once, after a few to warm up."""
    for seed, problem in enumerate(problems[:WARM]):
        solve(problem, seed)
    return [solve(problem, seed) for seed, problem in enumerate(problems)]


def summary(answers: list[Answer], problems: list[Problem], arrays: RobotArrays) -> dict[str, float]:
    """Success, CPU time [µs], joint path length [rad] and how many edges our exact check accepts."""
    spent = [a.microseconds for a in answers]
    held = [_is_free(arrays, p, a.path) for p, a in zip(problems, answers, strict=True) if a.path is not None]
    return {
        "problems": len(answers),
        "solved": float(np.mean([a.path is not None for a in answers])),
        "free": float(np.mean(held)) if held else np.nan,
        "median": float(np.median(spent)),
        "90 %": float(np.quantile(spent, 0.9)),
        "length": float(np.median([_length(a.path) for a in answers if a.path is not None])) if held else np.nan,
        "calls": float(np.median([a.calls for a in answers])),
    }


def _is_free(arrays: RobotArrays, problem: Problem, path: F64) -> bool:
    scene, margin = (arrays, problem.field.arrays), problem.margin - 1e-6
    return all(rrt.is_free(*scene, a, b, problem.width, margin) for a, b in pairwise(path))


def _length(path: F64) -> float:
    return float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())


def compare(robot: Robot, name: str, problems: list[Problem], peers: bool) -> dict[str, float]:
    """All solvers' figures on a set of problems, and the ratios."""
    arrays = robot_arrays(robot)
    solvers: dict[str, Any] = {"ours": Ours(robot)}
    if peers:
        solvers |= {"ompl, states": Ompl(robot, False), "ompl, edges": Ompl(robot, True)}
    answers = {solver: run(solve, problems) for solver, solve in solvers.items()}
    rows = {solver: summary(given, problems, arrays) for solver, given in answers.items()}
    figures = {f"{name}: {solver}: {what}": value for solver, row in rows.items() for what, value in row.items()}
    direct = [a.path is not None and len(a.path) == 2 for a in answers["ours"]]
    figures[f"{name}: straight edge is enough"] = float(np.mean(direct))
    for solver in list(solvers)[1:]:
        both = [(a.path, b.path) for a, b in zip(answers["ours"], answers[solver], strict=True)]
        lengths = [_length(a) / _length(b) for a, b in both if a is not None and b is not None]
        figures[f"{name}: times faster than {solver}"] = rows[solver]["median"] / rows["ours"]["median"]
        figures[f"{name}: length over that of {solver}"] = float(np.median(lengths)) if lengths else np.nan
        figures[f"{name}: solved, less {solver}"] = rows["ours"]["solved"] - rows[solver]["solved"]
    if peers:
        inside, added = callback_overhead(solvers["ompl, states"], problems[0])
        net = [a.microseconds - a.calls * added for a in answers["ompl, states"]]
        checks = [a.calls * inside for a in answers["ompl, states"]]
        figures |= {
            f"{name}: µs of a check inside our kernel": inside,
            f"{name}: µs that Python adds to a check": added,
            f"{name}: ompl, states: median inside our kernel": float(np.median(checks)),
            f"{name}: ompl, states: median without Python": float(np.median(net)),
            f"{name}: times faster than ompl, states, without Python": float(np.median(net)) / rows["ours"]["median"],
        }
    return figures


def report(figures: dict[str, float], names: list[str], solvers: list[str]) -> None:
    """Prints a table for each set of problems, then the ratios with their targets."""
    columns = ("problems", "solved", "free", "median", "90 %", "length", "calls")
    for name in names:
        print(f"{name} (a straight edge is enough for {figures[f'{name}: straight edge is enough']:.1%})")
        print(f"  {'':14s}" + "".join(f"{c:>10s}" for c in columns))
        for solver in solvers:
            values = [figures[f"{name}: {solver}: {column}"] for column in columns]
            shown = "{:10.0f}{:10.1%}{:10.1%}{:7.0f} µs{:7.0f} µs{:6.2f} rad{:10.0f}".format(*values)
            print(f"  {solver:14s}{shown}")
        for what, value in figures.items():
            if what.startswith((f"{name}: ompl, states: median ", f"{name}: µs")):
                print(f"  {what.removeprefix(f'{name}: '):50s} {value:9.2f}{'' if 'µs' in what else ' µs'}")
        print()


def verdicts(figures: dict[str, float], names: list[str]) -> None:
    """Prints each ratio, and what is wanted of those to OMPL with its own motion validator."""
    for name in names:
        for what, value in figures.items():
            short = what.removeprefix(f"{name}: ")
            if not what.startswith(name) or "ompl" not in short or ": " in short:
                continue
            if short.startswith("times"):
                wanted, good = f"at least {TARGET_TIME:.0f}", value >= TARGET_TIME
            elif short.startswith("length"):
                wanted, good = f"at most {TARGET_LENGTH}", value <= TARGET_LENGTH
            else:
                wanted, good = "at least 0", value >= 0.0
            verdict = f"{wanted:12s} {'PASS' if good else 'FAIL'}" if short.endswith("states") else ""
            print(f"{name}: {short:48s} {value:8.3f}  {verdict}".rstrip())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=500, help="of each set")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    code = run_with_peers("tests.benchmarks.bench_planners", sys.argv[1:])
    if code is not None:
        return code
    peers = find_spec("ompl") is not None
    robot, sets = problem_sets(arguments.problems)
    figures: dict[str, float] = {}
    for name, problems in sets.items():
        figures |= compare(robot, name, problems, peers)
    if arguments.json:
        print(json.dumps({name: round(value, 4) for name, value in figures.items()}))
        return 0
    report(figures, list(sets), ["ours", *(["ompl, states", "ompl, edges"] if peers else [])])
    verdicts(figures, list(sets))
    return 0


if __name__ == "__main__":
    sys.exit(main())
