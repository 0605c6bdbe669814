"""What planning costs, step by step, beside MuJoCo's collision check and toppra in the same run.

    python -m tests.benchmarks.bench_planning [--scenes 40] [--json]

CPU time of one thread; compare the ratios, not the milliseconds of different machines.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

import mujoco
import numpy as np

from syngrasp.planning import kernels, motion, retime, rrt, smoothing
from syngrasp.planning.arrays import robot_arrays
from syngrasp.planning.collision import SceneField
from syngrasp.planning.options import NoPlan, reach_pace
from syngrasp.planning.straight import straight_line, tcp_positions
from syngrasp.records import Plan, SceneGrasps
from syngrasp.stages.plan import PlanConfig
from tests.planning import clutter
from tests.planning.mujoco_check import Contacts

OBJECTS = 6


def cpu(work: Callable[[], object], repeats: int = 5, calls: int = 1) -> float:
    """Least CPU time [µs] of a call, after one that warms up."""
    work()
    best = np.inf
    for _ in range(repeats):
        begin = time.process_time_ns()
        for _ in range(calls):
            work()
        best = min(best, time.process_time_ns() - begin)
    return best / calls / 1e3


def bench_kernels(grasps: SceneGrasps) -> dict[str, float]:
    """µs of each step in one scene."""
    arm = clutter.robot()
    arrays, models = robot_arrays(arm), clutter.models_of(grasps.scene)
    field = SceneField.build(grasps.scene, models)
    rng = np.random.default_rng(0)
    goals = grasps.q_goal[rng.integers(len(grasps.q_goal), size=1000)]
    q = np.ascontiguousarray(grasps.scene.q_start + rng.uniform(0.0, 1.0, (1000, 1)) * (goals - grasps.scene.q_start))
    width = np.full(len(q), arm.gripper.max_width)
    contacts = Contacts(grasps.scene)
    home, away = grasps.scene.q_start, np.ascontiguousarray(goals[0])
    up = np.array([0.0, 0.0, 0.08])
    path = np.stack([home, 0.5 * (home + away) + 0.2, away])
    spline = smoothing.smooth(path, smoothing.path_length(path, tcp_positions(arrays, path)), 0.15)
    timing = reach_pace(arm.limits, PlanConfig().options())
    return {
        "field": cpu(lambda: SceneField.build(grasps.scene, models), calls=10),
        "configuration": cpu(lambda: kernels.clearances(arrays, field.arrays, q, width, 0.1)) / len(q),
        "configuration by mujoco": cpu(lambda: [_mujoco(contacts, row) for row in q]) / len(q),
        "edge": cpu(lambda: rrt.is_free(arrays, field.arrays, home, away, 0.08, 0.004), calls=20),
        "straight line": cpu(lambda: straight_line(arrays, field.arrays, away, up, 9, 0.0, -1.0), calls=20),
        "search": cpu(
            lambda: rrt.connect(
                arrays, field.arrays, home, goals[:4].copy(), 0.08, -0.001, np.uint64(0), motion.ITERATIONS, 0.8
            ),
            calls=5,
        ),
        "speed profile": cpu(lambda: _profile(spline, timing), calls=10),
        "speed profile by toppra": cpu(partial(_toppra, spline, timing), repeats=3),
        "retime": cpu(lambda: retime.retime(arrays, spline, timing), calls=10),
    }


def bench_plans(scenes: int) -> dict[str, float]:
    """Yield, frames and µs of whole plans."""
    arm, options = clutter.robot(), PlanConfig().options()
    problems = [clutter.scene_grasps(np.random.default_rng(i), OBJECTS) for i in range(scenes)]
    problems = [p for p in problems if len(p.q_goal)]
    spent, frames, outcome = [], [], Counter()
    for repeat in range(2):
        for index, grasps in enumerate(problems):
            models, rng = clutter.models_of(grasps.scene), np.random.default_rng(index)
            begin = time.process_time_ns()
            plan = motion.plan_motion(arm, grasps, models, options, rng)
            if repeat:
                spent.append((time.process_time_ns() - begin) / 1e3)
                outcome[plan.reason if isinstance(plan, NoPlan) else "planned"] += 1
                frames += [len(plan.q)] if isinstance(plan, Plan) else []
    share = {f"share {reason}": count / len(problems) for reason, count in outcome.most_common()}
    return {
        "plan, median": float(np.median(spent)), "plan, 90 %": float(np.quantile(spent, 0.9)),
        "frames, median": float(np.median(frames)), **share,
    }  # fmt: skip


def _mujoco(contacts: Contacts, q: np.ndarray) -> None:
    world, data = contacts.world, contacts.data
    assert world.robot is not None
    data.qpos[world.robot.q] = q
    mujoco.mj_kinematics(world.model, data)
    mujoco.mj_collision(world.model, data)


def _profile(spline: smoothing.Spline, pace: retime.Pace) -> None:
    s = np.linspace(0.0, spline.knots[-1], 101)
    derivatives = smoothing.evaluate(spline, s)
    cap = (pace.velocity / np.maximum(np.abs(derivatives[1]), 1e-9)).min(1) ** 2
    retime.speed_profile(s, derivatives, pace.acceleration, cap)


def _toppra(spline: smoothing.Spline, pace: retime.Pace) -> None:
    import toppra as ta

    ta.setup_logging("ERROR")
    s = np.linspace(0.0, spline.knots[-1], 101)
    path = ta.SplineInterpolator(s, smoothing.evaluate(spline, s)[0])
    bounds = [
        ta.constraint.JointVelocityConstraint(np.stack([-pace.velocity, pace.velocity], -1)),
        ta.constraint.JointAccelerationConstraint(np.stack([-pace.acceleration, pace.acceleration], -1)),
    ]
    ta.algorithm.TOPPRA(bounds, path, gridpoints=s).compute_parameterization(0.0, 0.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--scenes", type=int, default=40, help="cluttered scenes to plan in")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    arguments = parser.parse_args()
    grasps = next(
        g for i in range(1000) if len((g := clutter.scene_grasps(np.random.default_rng(i), OBJECTS)).q_goal) > 20
    )
    figures = bench_kernels(grasps)
    figures |= bench_plans(arguments.scenes)
    figures["times faster than mujoco"] = figures["configuration by mujoco"] / figures["configuration"]
    figures["times faster than toppra"] = figures["speed profile by toppra"] / figures["speed profile"]
    if arguments.json:
        print(json.dumps({name: round(value, 3) for name, value in figures.items()}))
        return
    for name, value in figures.items():
        plain = name.startswith(("share", "frames", "times"))
        print(f"{name:28s} {value:10.2f}{'' if plain else ' µs'}")


if __name__ == "__main__":
    main()
