"""From grasps of a target to one motion: the search on a CPU."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.planning import distance, rrt
from syngrasp.planning.assembly import RESTING, Assembler, Candidate, Fields
from syngrasp.planning.collision import SceneField
from syngrasp.planning.options import MotionOptions, NoPlan
from syngrasp.planning.retry import assembler_of
from syngrasp.records import ObjectModel, PlacedObject, Plan, SceneGrasps
from syngrasp.robots.base import Robot

F64 = NDArray[np.float64]
ITERATIONS = 1500  # of RRT-Connect
SPREAD = 0.8  # of its samples around start and goals [rad]
SHORTCUTS = 60
MAX_CANDIDATES = 6  # goals that a search is started for
PROGRESS = ("no_approach", "no_lift_path", "no_path", "not_smooth", "spline_collides", "no_retry")


def plan_motion(
    robot: Robot,
    grasps: SceneGrasps,
    models: Sequence[ObjectModel],
    options: MotionOptions,
    rng: np.random.Generator,
    *,
    retry: bool = False,
) -> Plan | NoPlan:
    """Plans the motion to the grasp that is best to reach, or says what stood against the furthest try.

    Goals are tried in the order of joint travel and grasp quality. The first whose start can be reached by a
    straight edge wins; if none can, RRT-Connect searches a way to all that can be approached and lifted from.
    With `retry` the hand misses at first, see `planning.retry`.
    """
    assembler = assembler_of(robot, Fields.build(grasps, models), grasps, options, rng if retry else None)
    if (problem := hopeless(assembler, models)) is not None:
        return problem
    failures: list[NoPlan] = []
    candidates: list[Candidate] = []
    seed = rng.integers(0, 2**63, size=2, dtype=np.uint64)
    scene = assembler.arrays, assembler.fields.everything.arrays
    for goal in order(grasps, options)[: options.max_goals]:
        candidate = assembler.candidate(int(goal))
        if isinstance(candidate, NoPlan):
            failures.append(candidate)
            continue
        before = candidate.approach[0]
        if rrt.is_free(*scene, assembler.q_start, before, assembler.opened, assembler.margin(before)):
            plan = assembler.finish(candidate, np.stack([assembler.q_start, before]))
            if isinstance(plan, Plan):
                return plan
            failures.append(plan)
        candidates.append(candidate)
        if len(candidates) == MAX_CANDIDATES:
            break
    while candidates:
        path, index = _search(assembler, candidates, seed)
        if index < 0:
            failures.append(NoPlan("no_path", f"none to {len(candidates)} goals"))
            break
        plan = assembler.finish(candidates.pop(index), path)
        if isinstance(plan, Plan):
            return plan
        failures.append(plan)
    return max(failures, key=lambda f: PROGRESS.index(f.reason), default=NoPlan("no_approach", "no goals"))


def hopeless(assembler: Assembler, models: Sequence[ObjectModel]) -> NoPlan | None:
    """Why no motion is possible in a scene whatever the grasp, None where one may be."""
    if assembler.start_clearance < 0.0:
        return NoPlan("start_in_collision", f"clearance {assembler.start_clearance * 1000:.1f} mm")
    scene = assembler.grasps.scene
    target, model = scene.objects[scene.target], models[scene.target]
    if not target_can_rise(assembler.fields.others, target, model, assembler.options.lift_height):
        return NoPlan("no_lift_path", "another object lies over the target")
    return None


def target_can_rise(others: SceneField, target: PlacedObject, model: ObjectModel, height: float) -> bool:
    """Whether the target, moved straight up by `height` [m], touches nothing that it does not touch already.

    The target is sampled by the corners of its convex parts and the middles between them.
    """
    T = se3.matrix_from_pose7(target.pose)
    points = [target.scale * hull for hull in model.hulls]
    points += [0.5 * (hull + np.roll(hull, 1, axis=0)) for hull in points]
    cloud = np.ascontiguousarray(se3.transform(T, np.concatenate(points)))
    return bool(distance.can_rise(others.arrays, cloud, height, 0.002, RESTING))


def order(grasps: SceneGrasps, options: MotionOptions) -> NDArray[np.int64]:
    """Goals, the most promising first: little joint travel [rad], and a grasp high on the list."""
    travel = np.linalg.norm(grasps.q_goal - grasps.scene.q_start, axis=1)
    rank = grasps.grasp_of_goal / max(len(grasps.width), 1)
    return np.argsort(travel + options.quality_weight * rank, kind="stable")


def _search(assembler: Assembler, candidates: Sequence[Candidate], seed: NDArray[np.uint64]) -> tuple[F64, int]:
    """A short polyline from the start to one of the candidates' approaches, and which; −1 if none is found."""
    goals = np.stack([c.approach[0] for c in candidates])
    margin = min(assembler.margin(q) for q in goals)
    scene, opened = (assembler.arrays, assembler.fields.everything.arrays), assembler.opened
    path, index = rrt.connect(*scene, assembler.q_start, goals, opened, margin, seed[0], ITERATIONS, SPREAD)
    if index < 0:
        return path, index
    return rrt.shortcut(*scene, path, opened, margin, seed[1], SHORTCUTS), index
