"""Inverse kinematics beside mink and Pinocchio, on the same grasp poses.

    python -m tests.benchmarks.bench_ik [--problems 500] [--json]

Three tasks. "reach": any configuration at a grasp of a scene's target, from no more than the home configuration; the
grasp may be out of reach, so what counts is the share of the poses that any solver reaches. "track": the configuration
a centimetre back along the approach, from that at the grasp. "line": eight such steps, one after the other.

Ours solves in closed form (`ik`: all solutions over 16 values of joint 7, one pose in a call or all in one batch as the
grasp stage asks; `ik_near`; `ik_along`), and by the differential kernel of the planner's way back from a grasp
(`straight_line`, here in an empty scene). mink: a differential step by quadratic programming (daqp) with joint limits,
on the MuJoCo model of our robot. pin: Pinocchio's closed loop with damped least squares and steps cut at the joint
limits, on our chain. Both end at 0.1 mm and 1 mrad, or after 200 steps. CPU time of one thread.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from syngrasp.planning.arrays import robot_arrays
from syngrasp.planning.collision import SceneField
from syngrasp.planning.straight import straight_line
from syngrasp.records import Scene, Slot
from syngrasp.robots.base import Robot
from tests.benchmarks.peers import run_with_peers
from tests.benchmarks.problems import Scenes

F64 = NDArray[np.float64]
Solver = Callable[[F64, F64], F64]  # poses (N, 4, 4), configuration (dof,) to begin with → configurations (K ≤ N, dof)
METRES, RADIANS, STEPS = 1e-4, 1e-3, 200
BACK, POINTS = 0.01, 8  # of a tracking step [m]; of the line
MAX_STEP = 0.7  # of a joint in a tracking step [rad]
DAMPING = 1e-6
WARM = 10
EMPTY = Scene(Slot(0, 0), "", (), 0, "", "", -10.0, (0.0, 0.0), (1.0, 1.0), np.zeros(0))
TARGET_TIME = 30.0


def all_solutions(robot: Robot) -> Solver:
    """Our closed form; of all configurations the first, as the time does not depend on which is taken."""
    return lambda T, q: robot.ik(T[0])[:1]


def continued(robot: Robot) -> Solver:
    """Our closed form at the joint 7 that needs the least motion; `ik_near` is this for one pose."""
    return lambda T, q: robot.ik_along(T, q, MAX_STEP)


class Mink:
    """mink's `solve_ik` in a loop of full steps."""

    def __init__(self, robot: Robot) -> None:
        import mink
        import mujoco

        spec = mujoco.MjSpec()
        spec.compiler.degree = False
        names = robot.add_to(spec, visual=False, collision=False, servos=False)
        self._model = spec.compile()
        self._q = np.array([self._model.joint(name).qposadr[0] for name in names.joints])
        self._configuration = mink.Configuration(self._model)
        self._task = mink.FrameTask(names.tcp_site, "site", position_cost=1.0, orientation_cost=1.0)
        self._limits = [mink.ConfigurationLimit(self._model)]

    def __call__(self, T: F64, q: F64) -> F64 | None:
        import mink

        start = np.zeros(self._model.nq)
        start[self._q] = q
        self._configuration.update(start)
        self._task.set_target(mink.SE3.from_matrix(T))
        for _ in range(STEPS):
            error = self._task.compute_error(self._configuration)
            if np.linalg.norm(error[:3]) < METRES and np.linalg.norm(error[3:]) < RADIANS:
                return self._configuration.q[self._q].copy()
            velocity = mink.solve_ik(
                self._configuration, [self._task], 1.0, "daqp", damping=DAMPING, limits=self._limits
            )
            self._configuration.integrate_inplace(velocity, 1.0)
        return None


class Pin:
    """Pinocchio's closed-loop inverse kinematics."""

    def __init__(self, robot: Robot) -> None:
        import pinocchio as pin

        model = pin.Model()
        parent = 0
        for joint, T in enumerate(robot.chain.T_joint):
            parent = model.addJoint(parent, pin.JointModelRZ(), pin.SE3(T), f"joint{joint}")
        T_tcp = pin.SE3(robot.chain.T_flange_tcp)
        self._frame = model.addFrame(pin.Frame("tcp", parent, T_tcp, pin.FrameType.OP_FRAME))
        self._model, self._data, self._limits = model, model.createData(), robot.limits

    def __call__(self, T: F64, q: F64) -> F64 | None:
        import pinocchio as pin

        goal, q, damping = pin.SE3(T), q.copy(), DAMPING * np.eye(6)
        for _ in range(STEPS):
            pin.framesForwardKinematics(self._model, self._data, q)
            T_tcp_goal = self._data.oMf[self._frame].actInv(goal)
            error = pin.log6(T_tcp_goal).vector
            if np.linalg.norm(error[:3]) < METRES and np.linalg.norm(error[3:]) < RADIANS:
                return q
            J = pin.computeFrameJacobian(self._model, self._data, q, self._frame, pin.ReferenceFrame.LOCAL)
            J = -pin.Jlog6(T_tcp_goal.inverse()) @ J
            q = pin.integrate(self._model, q, -J.T @ np.linalg.solve(J @ J.T + damping, error))
            np.clip(q, self._limits.q_lower, self._limits.q_upper, out=q)
        return None


def straight(robot: Robot) -> Solver:
    """The planner's straight line, which here has only itself to collide with."""
    arrays = robot_arrays(robot)
    field = SceneField.build(EMPTY, []).arrays

    def solve(T: F64, q: F64) -> F64:
        motion = T[-1, :3, 3] - robot.fk(q)[:3, 3]
        line, outcome = straight_line(arrays, field, q, motion, len(T) + 1, 0.0, -1.0)
        return line[1:] if outcome == 0 else line[:0]

    return solve


def step_by_step(solve: Callable[[F64, F64], F64 | None]) -> Solver:
    """A solver of single poses, each from the answer to the one before."""

    def solve_all(T: F64, q: F64) -> F64:
        found = []
        for pose in T:
            q_next = solve(pose, q)
            if q_next is None:
                break
            found.append(q := q_next)
        return np.array(found)

    return solve_all


def is_solution(robot: Robot, T: F64, q: F64) -> bool:
    """Whether configurations (K, dof) are within limits and at all of the poses (N, 4, 4)."""
    if len(q) < len(T) or np.any(q < robot.limits.q_lower) or np.any(q > robot.limits.q_upper):
        return False
    error = np.linalg.inv(T) @ robot.fk(q)
    turn = np.arccos(np.clip(0.5 * (np.trace(error[:, :3, :3], axis1=1, axis2=2) - 1.0), -1.0, 1.0))
    return bool(np.linalg.norm(error[:, :3, 3], axis=1).max() < 1.05 * METRES and turn.max() < 1.05 * RADIANS)


def poses(scenes: Scenes, count: int) -> list[F64]:
    """`count` grasps, one of each scene's target."""
    rng = np.random.default_rng(0)
    found: list[F64] = []
    for scene in scenes:
        T = scenes.grasp_pose(scene, rng)
        found += [T] if T is not None else []
        if len(found) == count:
            break
    return found


def back_from(robot: Robot, T_base_tcp: list[F64]) -> tuple[list[F64], list[F64]]:
    """Lines (POINTS, 4, 4) back from those grasps that can be reached, and configurations (dof,) at the grasps."""
    lines, starts = [], []
    for T in T_base_tcp:
        q = robot.ik(T)
        if len(q):
            starts.append(q[np.argmin(np.linalg.norm(q - robot.q_home, axis=1))])
            line = np.repeat(T[None], POINTS, axis=0)
            line[:, :3, 3] -= BACK * np.arange(1, POINTS + 1)[:, None] * T[:3, 2]
            lines.append(line)
    return lines, starts


def run(robot: Robot, solve: Solver, T: list[F64], starts: list[F64]) -> tuple[list[bool], list[float]]:
    """Which tasks (N, 4, 4) a solver fulfils, and its CPU time [µs] for each, after a few to warm up."""
    reached, spent = [], []
    for goal, q in zip(T[:WARM], starts, strict=False):
        solve(goal, q)
    for goal, q in zip(T, starts, strict=True):
        begin = time.process_time_ns()
        found = solve(goal, q)
        spent.append((time.process_time_ns() - begin) / 1e3)
        reached.append(is_solution(robot, goal, found))
    return reached, spent


def batch(robot: Robot, T_base_tcp: list[F64]) -> dict[str, float]:
    """All solutions of all poses in one call, as the grasp stage asks: µs for a pose and for a configuration."""
    T = np.stack(T_base_tcp)
    robot.ik_batch(T)
    begin = time.process_time_ns()
    q, _ = robot.ik_batch(T)
    spent = (time.process_time_ns() - begin) / 1e3
    return {
        "reach: ours, in one batch: µs a pose": spent / len(T),
        "reach: ours, in one batch: configurations a pose": len(q) / len(T),
        "reach: ours, in one batch: µs a configuration": spent / max(len(q), 1),
    }


def compare(robot: Robot, task: str, solvers: dict[str, Solver], T: list[F64], starts: list[F64]) -> dict[str, float]:
    """Figures of one task, and ratios of the first solver to the peers."""
    runs = {name: run(robot, solve, T, starts) for name, solve in solvers.items()}
    any_reaches = np.any([reached for reached, _ in runs.values()], axis=0)
    figures = {f"{task}: count": float(len(T)), f"{task}: reached by any": float(any_reaches.mean())}
    for name, (reached, spent) in runs.items():
        figures[f"{task}: {name}: reached"] = float(np.sum(reached) / max(any_reaches.sum(), 1))
        figures[f"{task}: {name}: median"] = float(np.median(spent))
        figures[f"{task}: {name}: 90 %"] = float(np.quantile(spent, 0.9))
        kept = np.array(spent)[np.array(reached)]
        figures[f"{task}: {name}: median where reached"] = float(np.median(kept)) if len(kept) else np.nan
    ours, *others = runs
    for peer in (name for name in others if not name.startswith("ours")):
        for what in ("median", "median where reached"):
            ratio = figures[f"{task}: {peer}: {what}"] / figures[f"{task}: {ours}: {what}"]
            figures[f"{task}: times faster than {peer}, {what}"] = ratio
        less = figures[f"{task}: {ours}: reached"] - figures[f"{task}: {peer}: reached"]
        figures[f"{task}: reached, less {peer}"] = less
    return figures


def report(figures: dict[str, float], tasks: dict[str, dict[str, Solver]]) -> None:
    """Prints a table for each task, then the ratios with their targets."""
    columns = ("reached", "median", "90 %", "median where reached")
    print(
        "What is compared: mink and pin find one configuration. In `reach` ours finds all of a pose, over 16 values of"
    )
    print(
        "joint 7, in that time; in `track` and `line` the one to go on with. `a pose in a batch`: the time of a pose in"
    )
    print("our batch, with all its configurations, beside one call of the peer for one.\n")
    for task, solvers in tasks.items():
        count, share = figures[f"{task}: count"], figures[f"{task}: reached by any"]
        print(f"{task}: {count:.0f}, {share:.1%} reached by at least one solver; shares are of those")
        print(f"  {'':18s}" + "".join(f"{c:>22s}" for c in columns))
        for name in solvers:
            values = [figures[f"{task}: {name}: {column}"] for column in columns]
            print(f"  {name:18s}" + "{:22.1%}{:19.1f} µs{:19.1f} µs{:19.1f} µs".format(*values))
        for what, value in figures.items():
            if what.startswith(f"{task}: ours, in one batch"):
                print(f"  {what.removeprefix(f'{task}: '):50s} {value:8.2f}")
        print()
    for what, value in figures.items():
        short = what.partition(": ")[2]
        if short.startswith("times"):
            wanted, good = f"at least {TARGET_TIME:.0f}", value >= TARGET_TIME
        elif short.startswith("reached, less"):
            wanted, good = "at least 0", value >= 0.0
        else:
            continue
        print(f"{what:60s} {value:8.3f}  {wanted:12s} {'PASS' if good else 'FAIL'}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=500, help="grasp poses")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    code = run_with_peers("tests.benchmarks.bench_ik", sys.argv[1:])
    if code is not None:
        return code
    scenes = Scenes()
    robot, T = scenes.robot, poses(scenes, arguments.problems)
    peers: dict[str, Solver] = {}
    if find_spec("pinocchio") is not None and find_spec("mink") is not None:
        peers = {"mink": step_by_step(Mink(robot)), "pin": step_by_step(Pin(robot))}
    tasks = {
        "reach": {"ours": all_solutions(robot), **peers},
        "track": {"ours": continued(robot), **peers},
        "line": {"ours": straight(robot), "ours, closed form": continued(robot), **peers},
    }
    lines, starts = back_from(robot, T)
    figures = compare(robot, "reach", tasks["reach"], [pose[None] for pose in T], [robot.q_home] * len(T))
    figures |= batch(robot, T)
    for peer in peers:
        ratio = figures[f"reach: {peer}: median"] / figures["reach: ours, in one batch: µs a pose"]
        figures[f"reach: times faster than {peer}, a pose in a batch"] = ratio
    figures |= compare(robot, "track", tasks["track"], [line[:1] for line in lines], starts)
    figures |= compare(robot, "line", tasks["line"], lines, starts)
    if arguments.json:
        print(json.dumps({name: round(value, 4) for name, value in figures.items()}))
    else:
        report(figures, tasks)
    return 0


if __name__ == "__main__":
    sys.exit(main())
