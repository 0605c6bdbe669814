"""The planner beside OMPL's RRT-Connect, on the same problems with the same collision checker.

    python -m tests.benchmarks.bench_planners [--problems 500] [--json]

Two sets of problems. "as planned": from a scene's start to the set of configurations before the approach, as the plan
stage asks; nearly all are one straight edge that needs no search, so they say little of search. "blocked": from before
a grasp at one object to before a grasp at another, of those with no free straight edge: these need a search.

Ours tries straight edges first, then RRT-Connect and shortcuts, as `planning.motion` does. OMPL searches with
RRTConnect and simplifies, both with their defaults, and asks our checker through a Python callback: for configurations
at a resolution along an edge ("states"), or for whole edges at once ("edges", the very check that ours makes).

The resolution decides OMPL's time, and whether its paths can be used. MuJoCo's collision check, which shares nothing
with ours but the shapes, looks at all paths densely: of the resolutions, "as free" is the coarsest whose paths are free
by MuJoCo as often as ours, "as far off" the coarsest whose paths keep the clearance that both are asked for as often as
ours, by our check of whole edges and but for 2.5 mm. Targets are for these two and for "edges"; the other rows are for
the reader. CPU time of one thread.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from syngrasp.planning import kernels, motion, rrt
from syngrasp.planning.arrays import robot_arrays
from syngrasp.robots.base import Robot
from tests.benchmarks.ompl_peer import Answer, Ompl
from tests.benchmarks.peers import run_with_peers
from tests.benchmarks.problems import Problem, Scenes
from tests.planning.mujoco_check import Contacts

F64 = NDArray[np.float64]
RESOLUTIONS = (0.005, 0.01, 0.02, 0.05, 0.0)  # of OMPL's rows [rad], see `Ompl`; 0 is its default
LOOK = 0.003  # between the configurations that MuJoCo looks at [rad]
LOST = 0.5 * kernels.MIN_ADVANCE  # of the clearance asked for, which our check of edges may lose [m]
WARM = 10  # problems solved before the clock counts
TARGET_TIME, TARGET_LENGTH = 20.0, 1.1
COLUMNS = ("solved", "free", "worst", "kept", "median", "90 %", "length", "calls", "time/ours", "ours/it")
Rows = dict[str, dict[str, float]]  # solver → column → figure


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


Solver = Callable[[Problem, int], Answer]


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
            start, goals, margins = near.goals[0], goal[None], np.array([margin])
            return Problem(far.field, start, goals, margins, far.width, far.scene, far.models)
    return None


def run(solve: Solver, problems: list[Problem]) -> list[Answer]:
    """Every problem once, after a few to warm up."""
    for seed, problem in enumerate(problems[:WARM]):
        solve(problem, seed)
    return [solve(problem, seed) for seed, problem in enumerate(problems)]


def depths(robot: Robot, problems: list[Problem], answers: dict[str, list[Answer]]) -> dict[str, F64]:
    """How deep [m] each solver's path goes into anything by MuJoCo (problems,), NaN where it has none."""
    found = {solver: np.full(len(problems), np.nan) for solver in answers}
    for k, problem in enumerate(problems):
        contacts = Contacts(problem.scene, robot, problem.models)
        for solver, given in answers.items():
            path = given[k].path
            if path is not None:
                found[solver][k] = max(contacts.penetration(q, problem.width) for q in _dense(path))
    return found


def _dense(path: F64) -> F64:
    """A polyline (N, dof) at steps of at most `LOOK`."""
    parts = [path[:1]]
    for a, b in pairwise(path):
        count = max(int(np.ceil(np.linalg.norm(b - a) / LOOK)), 1)
        parts.append(a + (np.arange(1, count + 1) / count)[:, None] * (b - a))
    return np.concatenate(parts)


def summary(robot: Robot, problems: list[Problem], answers: list[Answer], depth: F64) -> dict[str, float]:
    """Solved and free by MuJoCo as shares of all problems, worst depth [mm], share that keeps the margin by our check
    of whole edges, CPU time [µs] and joint path length [rad]."""
    spent = [a.microseconds for a in answers]
    kept = [a.path is not None and _keeps_margin(robot, p, a.path) for p, a in zip(problems, answers, strict=True)]
    lengths = [_length(a.path) for a in answers if a.path is not None]
    return {
        "solved": float(np.mean([a.path is not None for a in answers])),
        "free": float(np.mean(depth == 0.0)),
        "worst": 1e3 * float(np.nanmax(depth, initial=0.0)),
        "kept": float(np.mean(kept)),
        "median": float(np.median(spent)),
        "90 %": float(np.quantile(spent, 0.9)),
        "length": float(np.median(lengths)) if lengths else np.nan,
        "calls": float(np.median([a.calls for a in answers])),
    }


def _keeps_margin(robot: Robot, problem: Problem, path: F64) -> bool:
    scene, margin = (robot_arrays(robot), problem.field.arrays), problem.margin - LOST
    return all(rrt.is_free(*scene, a, b, problem.width, margin) for a, b in pairwise(path))


def _length(path: F64) -> float:
    return float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())


def length_ratio(ours: list[Answer], others: list[Answer]) -> float:
    """Median ratio of path lengths where both have one."""
    both = [(a.path, b.path) for a, b in zip(ours, others, strict=True)]
    ratios = [_length(a) / _length(b) for a, b in both if a is not None and b is not None]
    return float(np.median(ratios)) if ratios else np.nan


def fastest_tcp(robot: Robot, problems: list[Problem]) -> float:
    """How far the TCP moves at most where the norm of all joints moves by one [m/rad], at starts and goals."""
    nudge, most = 1e-5 * np.eye(robot.dof), 0.0
    for q in (q for p in problems for q in (p.q_start, p.goals[0])):
        J = (robot.fk(q + nudge)[:, :3, 3] - robot.fk(q - nudge)[:, :3, 3]).T / 2e-5
        most = max(most, float(np.linalg.norm(J, 2)))
    return most


def coarsest(tables: dict[str, Rows], column: str, resolutions: dict[str, float]) -> list[str]:
    """The coarsest resolution's row that is as good as ours by a column in every set, if any is."""
    enough = [s for s in resolutions if all(rows[s][column] >= rows["ours"][column] for rows in tables.values())]
    return sorted(enough, key=lambda s: resolutions[s])[-1:]


def report_resolutions(
    robot: Robot, problems: list[Problem], resolutions: dict[str, float], headline: dict[str, str]
) -> None:
    """Prints what a resolution means for this arm, and which are compared with."""
    speed, margins = fastest_tcp(robot, problems), np.array([p.margin for p in problems])
    low, usual = float(margins.min()), float(np.median(margins))
    print(
        f"Where the norm of all joints moves by 1 rad the TCP moves by up to {speed:.2f} m at these problems. Paths are"
    )
    print(
        f"to keep {1e3 * usual:.1f} mm off everything (median; least {1e3 * low:.1f} mm). A point between two looks is"
    )
    print("nearer to one of them than half of what it moves. So looks guarantee")
    print(
        f"  no contact: every {2 * usual / speed:.3f} rad for the median clearance, {2 * low / speed:.3f} for the least"
    )
    print(f"  at most {1e3 * LOST:.1f} mm of it lost, as our check of edges does: every {2 * LOST / speed:.3f} rad")
    print("What the paths turned out to be, see the tables:")
    for solver, resolution in resolutions.items():
        notes = ", ".join(note for note, chosen in headline.items() if chosen == solver)
        moves = f"a look every {resolution:.3f} rad, {1e3 * resolution * speed:4.0f} mm at most"
        print(f"  {solver:22s} {moves}{f'  ← {notes}' if notes else ''}")
    print()


def report(name: str, rows: Rows, straight: float) -> None:
    """Prints a set's table."""
    what = "straight edges that need no search" if straight > 0.5 else "a search is needed"
    print(f"{name}: {what} (a straight edge is enough for {straight:.1%})")
    print(
        "  free: by MuJoCo; worst: its deepest contact; kept: clearance by our check; time: medians; ours/it: lengths"
    )
    print(f"  {'':22s}" + "".join(f"{c:>10s}" for c in COLUMNS))
    for solver, row in rows.items():
        shown = "{:10.1%}{:10.1%}{:7.2f} mm{:10.1%}{:7.0f} µs{:7.0f} µs{:6.2f} rad{:10.0f}{:10.1f}{:10.3f}"
        print(f"  {solver:22s}" + shown.format(*(row[column] for column in COLUMNS)))
    print()


def report_verdicts(name: str, rows: Rows, headline: dict[str, str]) -> None:
    """Prints the ratios to the peers that there are targets for."""
    ours = rows["ours"]
    for note, solver in headline.items():
        row = rows[solver]
        for what, value, good, wanted in (
            ("times faster than", row["time/ours"], row["time/ours"] >= TARGET_TIME, f"at least {TARGET_TIME:.0f}"),
            ("length over", row["ours/it"], row["ours/it"] <= TARGET_LENGTH, f"at most {TARGET_LENGTH}"),
            ("solved, less", ours["solved"] - row["solved"], ours["solved"] >= row["solved"], "at least 0"),
            ("free, less", ours["free"] - row["free"], ours["free"] >= row["free"], "at least 0"),
        ):
            verdict = f"{value:8.3f}  {wanted:12s} {'PASS' if good else 'FAIL'}"
            print(f"{name}: {f'{what} {solver} ({note})':52s} {verdict}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=500, help="of each set")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    code = run_with_peers("tests.benchmarks.bench_planners", sys.argv[1:])
    if code is not None:
        return code
    robot, sets = problem_sets(arguments.problems)
    solvers: dict[str, Solver] = {"ours": Ours(robot)}
    resolutions: dict[str, float] = {}
    if find_spec("ompl") is not None:
        for asked in RESOLUTIONS:
            peer = Ompl(robot, asked)
            assert peer.resolution is not None
            solver = f"ompl, states {peer.resolution:.3f}" if asked else "ompl, default"
            solvers[solver], resolutions[solver] = peer, peer.resolution
        solvers["ompl, edges"] = Ompl(robot, None)
    tables: dict[str, Rows] = {}
    straight: dict[str, float] = {}
    for name, problems in sets.items():
        answers = {solver: run(solve, problems) for solver, solve in solvers.items()}
        depth = depths(robot, problems, answers)
        rows = {s: summary(robot, problems, given, depth[s]) for s, given in answers.items()}
        for solver, row in rows.items():
            row["time/ours"] = row["median"] / rows["ours"]["median"]
            row["ours/it"] = length_ratio(answers["ours"], answers[solver])
        tables[name] = rows
        straight[name] = float(np.mean([a.path is not None and len(a.path) == 2 for a in answers["ours"]]))
    if arguments.json:
        print(json.dumps({"rows": tables, "straight edge is enough": straight}))
        return 0
    print(f"planners: {arguments.problems} problems of each set\n")
    headline: dict[str, str] = {}
    if resolutions:
        for note, column in (("as free", "free"), ("as far off", "kept")):
            chosen = coarsest(tables, column, resolutions)
            if chosen:
                headline[note] = chosen[0]
            else:
                print(f"no resolution's paths are {note} as ours: no row and no target for that")
        report_resolutions(robot, [p for problems in sets.values() for p in problems], resolutions, headline)
        headline["same check"] = "ompl, edges"
    for name, rows in tables.items():
        report(name, rows, straight[name])
    for name, rows in tables.items():
        report_verdicts(name, rows, headline)
    return 0


if __name__ == "__main__":
    sys.exit(main())
