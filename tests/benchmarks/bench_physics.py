"""What physics costs: python -m tests.benchmarks.bench_physics [--catalog CATALOG] [--episodes N].

Without a catalog: six hand-made objects and a straight grasp. With one: the whole chain from slot to rollout, warm.
CPU time of this process; prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from typing import Any

import numpy as np

from syngrasp.cli.catalogs import catalog_or_builtin
from syngrasp.physics.execution import Motion, execute, lift_world
from syngrasp.physics.lift import LiftLimits, judge
from syngrasp.physics.settle import settle
from syngrasp.physics.world import Body, Table
from syngrasp.records import Slot
from syngrasp.robots import RobotConfig, make_robot
from syngrasp.stage import Rejected
from syngrasp.stages.context import StageContext
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


def bench_chain(catalog: str, episodes: int, objects: int = 6) -> dict[str, Any]:
    """Milliseconds per call of each stage, yields, and validated trajectories per CPU second."""
    from syngrasp.stages.grasp import GraspConfig, GraspStage
    from syngrasp.stages.layout import LayoutConfig, LayoutStage
    from syngrasp.stages.lift import LiftConfig, LiftStage
    from syngrasp.stages.plan import PlanConfig, PlanStage

    context = StageContext(0, RobotConfig(), catalog)
    stages: list[Any] = [
        LayoutStage(LayoutConfig(objects=(objects, objects)), context),
        GraspStage(GraspConfig(), context),
        PlanStage(PlanConfig(), context),
        LiftStage(LiftConfig(), context),
    ]
    for stage in stages:
        stage.setup()
    spent: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for shard, count in ((0, episodes), (1, episodes)):  # the first pass warms caches
        spent.clear(), calls.clear(), outcomes.clear()
        for episode in range(count):
            item: Any = Slot(shard, episode)
            for stage in stages:
                start = time.process_time()
                (item,) = stage.process([item])
                spent[stage.name] += time.process_time() - start
                calls[stage.name] += 1
                if isinstance(item, Rejected):
                    break
            outcomes["ok" if not isinstance(item, Rejected) else f"{item.stage}/{item.reason}"] += 1
    return {
        "ms_per_call": {name: round(1e3 * spent[name] / calls[name], 2) for name in calls},
        "calls": dict(calls),
        "outcomes": dict(outcomes.most_common()),
        "validated_per_second": round(outcomes["ok"] / sum(spent.values()), 2),
        "lifted_share": round(outcomes["ok"] / max(calls["lift"], 1), 3),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--catalog", help="folder of a catalog; without it the chain is not run")
    parser.add_argument("--builtin", action="store_true", help="the built-in catalog, made if there is none")
    parser.add_argument("--episodes", type=int, default=100)
    arguments = parser.parse_args()
    report: dict[str, Any] = {name: round(value, 2) for name, value in bench_parts().items()}
    catalog = catalog_or_builtin(None, lambda event: None) if arguments.builtin else arguments.catalog
    if catalog:
        report["chain"] = bench_chain(str(catalog), arguments.episodes)
    print(json.dumps(report, indent=1))
