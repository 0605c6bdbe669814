"""What the parts of physics cost on six hand-made objects: python -m tests.benchmarks.bench_physics.

CPU time of this process; prints one JSON object. `bench_motion` has the whole chain on real objects.
"""

from __future__ import annotations

import json
import time

import numpy as np

from syngrasp.physics.execution import Motion, execute, lift_world
from syngrasp.physics.lift import LiftLimits, judge
from syngrasp.physics.settle import settle
from syngrasp.physics.world import Body, Table
from syngrasp.robots import RobotConfig, make_robot
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


if __name__ == "__main__":
    print(json.dumps({name: round(value, 2) for name, value in bench_parts().items()}, indent=1))
