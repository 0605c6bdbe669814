"""What the parts of physics cost on six hand-made objects, and what long steps in free air spare on planned motions:
python -m tests.benchmarks.bench_physics.

CPU time of this process; prints one JSON object. `bench_motion` has the whole chain on real objects.
"""

from __future__ import annotations

import tests.benchmarks.one_core  # noqa: F401  # isort: skip

import json
import time
from typing import Any

import numpy as np

from syngrasp.cli.catalogs import catalog_or_builtin
from syngrasp.config import load_recipe
from syngrasp.objects.catalog import Catalog
from syngrasp.physics import execution
from syngrasp.physics.execution import Motion, execute, lift_world
from syngrasp.physics.lift import LiftLimits, judge
from syngrasp.physics.settle import settle
from syngrasp.physics.world import Body, Table
from syngrasp.records import Phase, Slot
from syngrasp.robots import RobotConfig, make_robot
from syngrasp.stage import Rejected
from tests.benchmarks.bench_motion import stages_of
from tests.physics.plans import scene_of, straight_plan
from tests.physics.shapes import box, cylinder

MODELS = [
    box(0.05, 0.04, 0.08), cylinder(0.03, 0.1), cylinder(0.07, 0.02), box(0.16, 0.02, 0.02), box(0.15, 0.05, 0.03),
    cylinder(0.02, 0.035, 12),
]  # fmt: skip
SPOTS = [(0.5, 0.0), (0.4, 0.2), (0.6, 0.2), (0.5, -0.15), (0.66, -0.1), (0.35, -0.1)]


def bench_parts(repeats: int = 5) -> dict[str, float]:
    """Milliseconds of compiling, settling and executing, and microseconds of a physics step; best of some runs."""
    robot = make_robot(RobotConfig())
    scene = scene_of(robot, MODELS, SPOTS)
    plan = straight_plan(robot, scene, 0.04)
    motion = Motion(plan.q, plan.qd, plan.gripper, plan.dt)
    bodies = [Body(m, 1.0, 0.15, 1.0) for m in MODELS]
    poses = np.stack([o.pose for o in scene.objects])
    poses[:, 2] += 0.005
    times: dict[str, list[float]] = {"compile_ms": [], "settle_ms": [], "execute_ms": []}
    for _ in range(repeats):
        start = time.process_time()
        world = lift_world(scene, MODELS, robot, {})
        times["compile_ms"].append(time.process_time() - start)
        start = time.process_time()
        recording = execute(world, robot, motion)
        times["execute_ms"].append(time.process_time() - start)
        start = time.process_time()
        settle(bodies, poses, Table(scene.table_height, scene.table_center, scene.table_size))
        times["settle_ms"].append(time.process_time() - start)
        failure = judge(recording, robot.fk(plan.q), plan.phase, 0.04, 0, plan.dt, LiftLimits())[1]
        assert failure is None, failure
    out = {name: 1e3 * min(values) for name, values in times.items()}
    return {**out, "execute_ms_per_frame": out["execute_ms"] / (len(plan.q) - 1)}


def bench_free_air(slots: int = 40) -> dict[str, float]:
    """What long steps in free air spare: the same planned motions executed with them and with short steps alone."""
    recipe = load_recipe("tabletop", ["layout.objects=[6,6]"])
    catalog = catalog_or_builtin(None, lambda event: None)
    robot, models = make_robot(recipe.robot), Catalog.open(catalog)
    *planning, _ = stages_of(recipe, catalog)
    spent, off, same, plans = {True: 0.0, False: 0.0}, [], 0, 0
    for episode in range(slots):
        plan: Any = Slot(0, episode)
        for stage in planning:
            (plan,) = stage.process([plan])
            if isinstance(plan, Rejected):
                break
        else:
            world = lift_world(plan.scene, [models.load(o.uid) for o in plan.scene.objects], robot, {})
            motion, found = Motion(plan.q, plan.qd, plan.gripper, plan.dt), {}
            for long in (True, False):
                execution.FREE_STEP, kept = (execution.FREE_STEP if long else 0.0), execution.FREE_STEP
                start = time.process_time()
                found[long] = execute(world, robot, motion)
                spent[long] += time.process_time() - start
                execution.FREE_STEP = kept
            verdict = [
                judge(r, robot.fk(plan.q), plan.phase, plan.grasp_width, plan.scene.target, plan.dt, LiftLimits())[1]
                for r in found.values()
            ]
            reach = plan.phase == Phase.REACH
            tcp = [r.T_base_tcp[reach, :3, 3] for r in found.values()]
            off.append(1e3 * np.linalg.norm(tcp[0] - tcp[1], axis=1).max())
            same, plans = same + ((verdict[0] is None) == (verdict[1] is None)), plans + 1
    return {
        "free_air_plans": plans,
        "free_air_times_faster": spent[False] / spent[True],
        "free_air_same_verdict_share": same / plans,
        "free_air_tcp_off_mm_median": float(np.median(off)),
        "free_air_tcp_off_mm_max": float(np.max(off)),
    }


if __name__ == "__main__":
    print(json.dumps({name: round(value, 3) for name, value in (bench_parts() | bench_free_air()).items()}, indent=1))
