from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import get_args

import numpy as np
import pytest

from syngrasp.planning.curobo import CuroboOptions, CuroboPlanner, bent
from syngrasp.planning.options import NoPlan
from syngrasp.planning.planner import Planner, Problem
from syngrasp.records import Phase, Plan
from syngrasp.robots import RobotConfig, make_robot
from syngrasp.robots.base import Robot
from syngrasp.stages.plan import PLANNERS, PlanConfig
from tests.planning import clutter, contract
from tests.planning.cpu_ways import CpuWays

ROBOTS = get_args(RobotConfig.model_fields["kind"].annotation)
SCENES = range(8)
CONFIG = PlanConfig()


def cuda_is_missing() -> str:
    """Why cuRobo cannot run here, empty where it can."""
    if importlib.util.find_spec("curobo") is None or importlib.util.find_spec("torch") is None:
        return "cuRobo is not installed: `syngrasp doctor` says how to get it"
    import torch

    return "" if torch.cuda.is_available() else "cuRobo needs an NVIDIA GPU: torch finds no CUDA device"


def _joined(robot: Robot) -> Planner:
    """The cuRobo planner with its ways found on the CPU."""
    options = CuroboOptions(**CONFIG.curobo.model_dump() | {"batch": 3})
    return CuroboPlanner(robot, CONFIG.options(), options, CpuWays(robot, CONFIG.clearance + options.buffer))


PLANNER_OF: dict[str, Callable[[Robot], Planner]] = {
    "rrt": lambda robot: PLANNERS["rrt"](CONFIG, robot, 0),
    "curobo": lambda robot: PLANNERS["curobo"](CONFIG, robot, 0),
    "curobo with ways of the CPU": _joined,
}


@cache
def _problem(kind: str, seed: int) -> Problem:
    arm = make_robot(RobotConfig.model_validate({"kind": kind}))
    grasps = clutter.scene_grasps(np.random.default_rng(seed), arm=arm)
    return Problem(grasps, clutter.models_of(grasps.scene), np.random.default_rng(seed))


@cache
def _made(planner_kind: str, robot_kind: str) -> contract.Planned:
    robot = make_robot(RobotConfig.model_validate({"kind": robot_kind}))
    planner = PLANNER_OF[planner_kind](robot)
    try:
        answers = planner.plan([_problem(robot_kind, seed) for seed in SCENES])
    finally:
        planner.close()
    plans = [answer for answer in answers if isinstance(answer, Plan)]
    return contract.Planned(robot, CONFIG.options(), len(SCENES), plans)


@pytest.mark.parametrize("robot_kind", ROBOTS)
@pytest.mark.parametrize("planner_kind", PLANNER_OF)
@pytest.mark.parametrize("law", contract.LAWS, ids=lambda law: law.__name__)
def test_every_planner_keeps_the_contract(law, planner_kind: str, robot_kind: str):
    if planner_kind == "curobo" and (missing := cuda_is_missing()):
        pytest.skip(missing)
    law(_made(planner_kind, robot_kind))


def test_every_kind_of_planner_is_under_contract():
    assert set(PLANNERS) <= set(PLANNER_OF)
    assert tuple(PLANNERS) == get_args(PlanConfig.model_fields["kind"].annotation)


def test_scenes_are_handed_over_in_batches_and_answered_in_order():
    robot = clutter.robot()
    problems = [_problem("panda", seed) for seed in range(5)]
    empty = replace(problems[1].grasps, q_goal=np.zeros((0, robot.dof)), grasp_of_goal=np.zeros(0, np.int32))
    problems[1] = replace(problems[1], grasps=empty)
    planner = _joined(robot)
    answers = planner.plan(problems)
    assert planner._solver.sizes == [2, 2]  # type: ignore[attr-defined]  three and two, one of them without goals
    assert isinstance(answers[1], NoPlan)
    assert answers[1].reason == "no_approach"
    for problem, answer in zip(problems, answers, strict=True):
        assert isinstance(answer, NoPlan) or answer.scene is problem.grasps.scene
    planner.close()
    assert planner._solver.closed  # type: ignore[attr-defined]


def test_a_motion_may_miss_at_first_whoever_finds_its_way():
    made = []
    for seed in SCENES:
        problem = replace(_problem("panda", seed), retry=True, rng=np.random.default_rng(seed))
        made += [a for a in _joined(clutter.robot()).plan([problem]) if isinstance(a, Plan)]
    assert len(made) >= 4
    assert all((plan.phase == Phase.RETREAT).any() for plan in made)


def test_a_bent_way_meets_its_ends_and_keeps_its_shape():
    path = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 1.0]])
    start, end = np.array([0.1, 0.0]), np.array([1.0, 1.2])
    moved = bent(path, start, end)
    assert len(moved) == 3
    assert np.array_equal(moved[0], start)
    assert np.array_equal(moved[-1], end)
    assert moved[1] == pytest.approx([1.05, 0.1])
    assert np.array_equal(bent(path[1:3], start, end), [start, end])
