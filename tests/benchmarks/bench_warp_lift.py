"""Whether MuJoCo Warp says what MuJoCo says, and how fast: python -m tests.benchmarks.bench_warp_lift.

Plans of the real stages, each in a scene of its own; every second one is spoilt, so that lifts fail in all ways: its
target moved aside, made slippery and heavy, or held weakly. Prints the share of equal verdicts and the table of both
engines' verdicts. With `--device cuda` also trajectories a second at several batch sizes, none larger than the number
of plans, and their ratio to MuJoCo on one core; `--plans 4096` measures all sizes, and plans for some minutes first.
Both rates are of execution and verdict, from plans to answers.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np

from syngrasp.cli.catalogs import catalog_or_builtin
from syngrasp.errors import SyngraspError
from syngrasp.objects.catalog import Catalog
from syngrasp.physics.execution import Motion, Recording, Trial, execute, lift_world
from syngrasp.physics.lift import LiftLimits, judge
from syngrasp.physics.warp_lift import WarpLift
from syngrasp.records import Plan, Slot
from syngrasp.robots import RobotConfig, make_robot
from syngrasp.robots.base import Robot
from syngrasp.seeding import rng
from syngrasp.stage import Rejected
from syngrasp.stages.context import StageContext

BATCHES = (64, 256, 1024, 4096)


def planned(catalog: str, count: int) -> list[Plan]:
    """Plans of the layout, grasp and plan stages with their defaults."""
    from syngrasp.stages.grasp import GraspConfig, GraspStage
    from syngrasp.stages.layout import LayoutConfig, LayoutStage
    from syngrasp.stages.plan import PlanConfig, PlanStage

    context = StageContext(0, RobotConfig(), catalog)
    stages: list[Any] = [
        LayoutStage(LayoutConfig(), context),
        GraspStage(GraspConfig(), context),
        PlanStage(PlanConfig(), context),
    ]
    for stage in stages:
        stage.setup()
    plans: list[Plan] = []
    episode = 0
    while len(plans) < count:
        item: Any = Slot(0, episode)
        episode += 1
        for stage in stages:
            (item,) = stage.process([item])
            if isinstance(item, Rejected):
                break
        else:
            plans.append(item)
    return plans


def trial_of(plan: Plan, catalog: Catalog, index: int) -> Trial:
    """A plan as it is, or, if its index is odd, spoilt."""
    generator = rng(1, "spoil", 0, index, 0)
    scene, target = plan.scene, plan.scene.objects[plan.scene.target]
    physics = {"grip_force": float(generator.uniform(30, 60)), "servo_gain": float(generator.uniform(0.9, 1.1))}
    if index % 2:
        way = generator.integers(3)
        if way == 0:
            angle, far = generator.uniform(0, 2 * np.pi), generator.uniform(0.01, 0.06)
            pose = target.pose.copy()
            pose[:2] += far * np.array([np.cos(angle), np.sin(angle)])
            target = replace(target, pose=pose)
        elif way == 1:
            target = replace(target, friction=float(generator.uniform(0.03, 0.3)), mass=target.mass * 2)
        else:
            physics["grip_force"] = float(generator.uniform(1, 6))
            target = replace(target, friction=0.4)
        objects = tuple(target if i == scene.target else o for i, o in enumerate(scene.objects))
        scene = replace(scene, objects=objects)
    models = [catalog.load(o.uid) for o in scene.objects]
    return Trial(scene, models, Motion(plan.q, plan.qd, plan.gripper, plan.dt), physics)


def verdict(plan: Plan, recording: Recording, robot: Robot) -> str:
    """ "lifted", or the reason why not."""
    target, width = plan.scene.target, plan.grasp_width
    _, failure = judge(recording, robot.fk(plan.q), plan.phase, width, target, plan.dt, LiftLimits())
    return failure.reason if failure else "lifted"


def table(pairs: Counter[tuple[str, str]]) -> str:
    """Verdicts of MuJoCo down, of MuJoCo Warp across."""
    names = sorted({name for pair in pairs for name in pair})
    width = max(map(len, names)) + 2
    lines = [" " * width + "".join(name.rjust(width) for name in names)]
    lines += [a.ljust(width) + "".join(str(pairs[a, b] or ".").rjust(width) for b in names) for a in names]
    return "\n".join(lines)


def verdicts_of_mujoco(plans: list[Plan], trials: list[Trial], robot: Robot) -> list[str]:
    """Each trial on its own, as the default engine runs it."""
    worlds = ((plan, t, lift_world(t.scene, t.models, robot, t.physics)) for plan, t in zip(plans, trials, strict=True))
    return [verdict(plan, execute(world, robot, t.motion), robot) for plan, t, world in worlds]


def verdicts_of_warp(plans: list[Plan], trials: list[Trial], robot: Robot, engine: WarpLift, batch: int) -> list[str]:
    """The trials in batches."""
    recordings = [r for i in range(0, len(trials), batch) for r in engine.execute(trials[i : i + batch])]
    return [verdict(plan, recording, robot) for plan, recording in zip(plans, recordings, strict=True)]


def compare(plans: list[Plan], trials: list[Trial], robot: Robot, engine: WarpLift, batch: int) -> float:
    """Prints how far verdicts agree. Returns MuJoCo's trajectories a second on one core."""
    start = time.process_time()
    expected = verdicts_of_mujoco(plans, trials, robot)
    rate = len(trials) / (time.process_time() - start)
    start = time.perf_counter()
    found = verdicts_of_warp(plans, trials, robot, engine, batch)
    print(f"{len(trials)} scenes. MuJoCo {rate:.1f} trajectories/s on one core; MuJoCo Warp, batches of {batch}, "
          f"compilation included: {len(trials) / (time.perf_counter() - start):.1f}/s")  # fmt: skip
    pairs = Counter(zip(expected, found, strict=True))
    alike = sum(n for (a, b), n in pairs.items() if (a == "lifted") == (b == "lifted"))
    same = sum(n for (a, b), n in pairs.items() if a == b)
    unspoilt = list(zip(expected[::2], found[::2], strict=True))
    alike_unspoilt = sum((a == "lifted") == (b == "lifted") for a, b in unspoilt)
    print(f"lifted or not: {alike} of {len(trials)} alike ({100 * alike / len(trials):.1f} %), "
          f"of the unspoilt {alike_unspoilt} of {len(unspoilt)}; same reason too: {same}")  # fmt: skip
    print(table(pairs))
    return rate


def measure(plans: list[Plan], trials: list[Trial], robot: Robot, engine: WarpLift, rate: float) -> None:
    """Prints trajectories a second of batches of distinct scenes, each after a first run that compiles."""
    for batch in sorted({*(size for size in BATCHES if size < len(trials)), min(len(trials), BATCHES[-1])}):
        some = plans[:batch], trials[:batch], robot, engine, batch
        verdicts_of_warp(*some)
        start = time.perf_counter()
        verdicts_of_warp(*some)
        measured = batch / (time.perf_counter() - start)
        print(f"{batch} worlds, as many scenes: {measured:.0f} trajectories/s, {measured / rate:.1f} times MuJoCo "
              "on one core")  # fmt: skip


def main() -> None:
    """Compares, and measures where there is a GPU."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--plans", type=int, help="each in its own scene; 16 without, on cuda 1024")
    parser.add_argument("--batch", type=int, default=64, help="worlds stepped at once for the comparison")
    parser.add_argument("--catalog", help="folder of a catalog; without it the built-in one")
    arguments = parser.parse_args()
    robot = make_robot(RobotConfig())
    try:
        engine = WarpLift(robot, arguments.device)
    except SyngraspError as error:
        print(f"skipped: {error}")
        return
    path = arguments.catalog or str(catalog_or_builtin(None, lambda event: None))
    catalog = Catalog.open(path)
    plans = planned(path, arguments.plans or (1024 if arguments.device == "cuda" else 16))
    trials = [trial_of(plan, catalog, i) for i, plan in enumerate(plans)]
    rate = compare(plans, trials, robot, engine, arguments.batch)
    if arguments.device == "cuda":
        measure(plans, trials, robot, engine, rate)


if __name__ == "__main__":
    main()
