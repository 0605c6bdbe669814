"""MuJoCo Warp says what MuJoCo says. On the CPU: its kernels are compiled on the first run, which takes a minute."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
import warp as wp

from syngrasp.errors import MissingExtra, SyngraspError
from syngrasp.objects.catalog import write_catalog, write_object
from syngrasp.physics.execution import Motion, Recording, Trial, execute, lift_world
from syngrasp.physics.lift import LiftLimits, judge
from syngrasp.physics.warp_lift import WarpLift
from syngrasp.records import ObjectModel, Plan, Rollout
from syngrasp.robots import RobotConfig, make_robot
from syngrasp.stage import Rejected
from syngrasp.stages.context import StageContext
from syngrasp.stages.lift import LiftConfig, LiftStage
from tests.physics.plans import scene_of, straight_plan
from tests.physics.shapes import box, cylinder

ROBOT = make_robot(RobotConfig())
BOX, CAN, BAR = box(0.05, 0.04, 0.08), cylinder(0.03, 0.1), box(0.12, 0.03, 0.04, uid="bar")
BOTTLE, REED = cylinder(0.03, 0.14, uid="bottle"), cylinder(0.012, 0.22, uid="reed")
OBJECTS = 3  # most in a scene here
SWEPT = [(0.55, 0.0), (0.4, 0.0)]
SPOTS = [(0.5, 0.0), (0.45, 0.2), (0.6, -0.2)]
HULL = BAR.hulls[0]
TEE = replace(BAR, entry=replace(BAR.entry, uid="tee"), hulls=(HULL, HULL * [0.25, 1.0, 1.0] + [0.0, 0.0, 0.03]))
ROW = replace(BAR, hulls=tuple(HULL * [0.2, 1.0, 1.0] + [x, 0.0, 0.0] for x in np.linspace(-0.05, 0.05, 6)))


def case(
    models: list[ObjectModel], mass: float = 0.15, friction: float = 1.0, table: float = 0.05, spots=SPOTS, **plan
) -> Plan:
    scene = scene_of(ROBOT, models, spots[: len(models)], table, mass, friction)
    return straight_plan(ROBOT, scene, models[0].grasps.width[0], **plan)


CASES: dict[str, tuple[list[ObjectModel], Plan]] = {
    "box": ([BOX], case([BOX])),
    "can and others": ([CAN, TEE, BOX], case([CAN, TEE, BOX], mass=0.5, table=-0.05)),
    "of two parts": ([TEE, CAN], case([TEE, CAN])),
    "like ice": ([BOX], case([BOX], mass=0.5, friction=0.02)),
    "missed": ([BOX], case([BOX], grasp_offset=(0.0, 0.12, 0.0))),
    "short": ([BOX], case([BOX], rise=0.06)),
    "sweep": ([BOX, BOTTLE], case([BOX, BOTTLE], spots=SWEPT, start_offset=(-0.24, 0.0, 0.02))),
    "into the table": ([BOX], case([BOX], grasp_offset=(0.0, 0.1, -0.09))),
}


@pytest.fixture(scope="module")
def engine() -> WarpLift:
    pytest.importorskip("mujoco_warp", reason="MuJoCo Warp is not installed: pip install 'syngrasp[gpu]'")
    return WarpLift(ROBOT, "cpu", objects=OBJECTS)


def trial_of(models: list[ObjectModel], plan: Plan) -> Trial:
    return Trial(plan.scene, models, Motion(plan.q, plan.qd, plan.gripper, plan.dt), {"grip_force": 40.0})


def judged(plan: Plan, recording: Recording) -> tuple[str, float]:
    figures, failure = judge(recording, ROBOT.fk(plan.q), plan.phase, plan.grasp_width, 0, plan.dt, LiftLimits())
    return failure.reason if failure else "lifted", figures.lift_height


def same(a: Recording, b: Recording) -> None:
    for item in fields(Recording):
        np.testing.assert_array_equal(getattr(a, item.name), getattr(b, item.name), err_msg=item.name)


def hasty(behind: float, far: float) -> Plan:
    """A box is approached along x and stopped at, all in one frame, with a reed so far behind it [m]."""
    plan = case([BOX, REED], spots=[(0.5, 0.0), (0.5 + behind, 0.0)], start_offset=(-far, 0.0, 0.0))
    few = [0, 15, 16, 21, 28, 35, 39, 43]
    return replace(plan, dt=0.5, q=plan.q[few], qd=0 * plan.q[few], gripper=plan.gripper[few], phase=plan.phase[few])


def answers_of(tmp_path: Path, plans: list[Plan], **values) -> list[list[Rollout | Rejected]]:
    """Of the stage with MuJoCo, and with MuJoCo Warp."""
    pytest.importorskip("mujoco_warp", reason="MuJoCo Warp is not installed: pip install 'syngrasp[gpu]'")
    write_catalog(tmp_path, [write_object(tmp_path, model) for model in (BOX, CAN, BAR, TEE, BOTTLE, REED)])
    answers = []
    for config in (LiftConfig(**values), LiftConfig(kind="mjwarp", device="cpu", **values)):
        stage = LiftStage(config, StageContext(0, RobotConfig(), str(tmp_path), OBJECTS))
        stage.setup()
        answers.append(stage.process(plans))
        stage.close()
    return answers


def test_the_stage_answers_alike_on_both_engines(tmp_path: Path) -> None:
    answers = answers_of(tmp_path, [plan for _, plan in CASES.values()], verify_replay="never")
    reasons = set()
    for name, expected, found in zip(CASES, *answers, strict=True):
        assert type(expected) is type(found), name
        if isinstance(expected, Rejected):
            assert isinstance(found, Rejected)
            assert found.reason == expected.reason, name
            reasons.add(found.reason)
        else:
            assert isinstance(found, Rollout)
            assert found.physics == expected.physics
            assert found.object_pose.shape == expected.object_pose.shape
            np.testing.assert_allclose(found.object_pose, expected.object_pose, atol=2e-3)
            np.testing.assert_allclose(found.joint_position, expected.joint_position, atol=2e-3)
            np.testing.assert_allclose(found.joint_velocity, expected.joint_velocity, atol=0.1)
            np.testing.assert_allclose(found.gripper_width, expected.gripper_width, atol=2e-3)
            np.testing.assert_array_equal(
                found.object_pose[:, 1:], found.object_pose[:1, 1:].repeat(len(found.phase), 0)
            )
    assert len(reasons) >= 3


def test_stored_actions_are_verified_alike_on_both_engines(tmp_path: Path) -> None:
    """Two hasty plans lift, but not their actions: made smooth between frames, the one overshoots and fells the reed,
    the other turns joints too far in a frame."""
    plans = [CASES["box"][1], hasty(0.065, 0.15), hasty(0.08, 0.19), CASES["missed"][1]]
    for answers in answers_of(tmp_path, plans[:3], verify_replay="never"):
        assert all(isinstance(answer, Rollout) for answer in answers), answers
    for good, *bad in answers_of(tmp_path, plans, verify_replay="always"):
        assert isinstance(good, Rollout)
        found = [(a.reason, a.detail.partition(":")[0]) for a in bad if isinstance(a, Rejected)]
        assert found[:2] == [("replay_failed", "scene_disturbed"), ("replay_failed", "unreachable")]
        assert found[2][0] == "grasp_missed"


def test_a_plan_is_executed_the_same_in_any_company_and_after_any_history() -> None:
    """To the last bit: a box's lift from beginning to end, alone and then among scenes of more objects and parts."""
    pytest.importorskip("mujoco_warp", reason="MuJoCo Warp is not installed: pip install 'syngrasp[gpu]'")
    fresh = WarpLift(ROBOT, "cpu", objects=OBJECTS)
    box, can, row = (trial_of(*of) for of in (CASES["box"], CASES["can and others"], ([ROW, CAN], case([ROW, CAN]))))
    (alone,) = fresh.execute([box])
    company = fresh.execute([can, row, box])
    (later,) = fresh.execute([can])
    assert judged(CASES["box"][1], alone)[0] == "lifted"
    same(company[2], alone)
    same(company[0], later)


def test_a_broken_world_harms_no_other(engine: WarpLift) -> None:
    models, plan = CASES["of two parts"]
    few = slice(0, 8)
    short = Trial(plan.scene, models, Motion(plan.q[few], plan.qd[few], plan.gripper[few], plan.dt), {})
    heavy = tuple(replace(o, mass=float("nan")) for o in plan.scene.objects)
    broken = replace(short, scene=replace(plan.scene, objects=heavy))
    lost = replace(short, motion=replace(short.motion, qd=short.motion.qd * np.nan))
    found = engine.execute([broken, lost, short])
    (alone,) = engine.execute([short])
    assert [r.diverged for r in found] == [True, True, False]
    same(found[2], alone)
    assert judged(plan, found[0])[0] == "diverged"


def test_a_jolt_in_free_air_dies_away(engine: WarpLift) -> None:
    """As in MuJoCo: where a jump of the command would shake the arm for ever, steps are short from there on."""
    q = np.repeat(ROBOT.q_home[None], 40, 0)
    q[10:, 0] += 0.1
    q[10:, 2] -= 0.1
    trial = Trial(scene_of(ROBOT, [BOX], [(0.5, 0.0)]), [BOX], Motion(q, np.zeros_like(q), np.ones(len(q)), 0.1), {})
    (recording,) = engine.execute([trial])
    off = np.linalg.norm(recording.T_base_tcp[:, :3, 3] - ROBOT.fk(q)[:, :3, 3], axis=1)
    assert off[10] > 1e-4
    assert off[25:].max() < 1e-5
    expected = execute(lift_world(trial.scene, trial.models, ROBOT, {}), ROBOT, trial.motion)
    np.testing.assert_allclose(recording.joint_position, expected.joint_position, atol=1e-3)


@pytest.mark.parametrize("rate", [100.0, 7.0])
def test_any_control_rate_is_executed(engine: WarpLift, rate: float) -> None:
    q = np.repeat(ROBOT.q_home[None], 6, 0) + np.linspace(0.0, 0.01, 6)[:, None]
    motion = Motion(q, np.full_like(q, 0.002 * rate), np.ones(len(q)), 1.0 / rate)
    trial = Trial(scene_of(ROBOT, [BOX], [(0.5, 0.0)]), [BOX], motion, {})
    (recording,) = engine.execute([trial])
    expected = execute(lift_world(trial.scene, trial.models, ROBOT, {}), ROBOT, motion)
    np.testing.assert_allclose(recording.joint_position, expected.joint_position, atol=1e-5)


def test_too_little_room_for_contacts_is_found_and_mended(engine: WarpLift) -> None:
    models, plan = CASES["can and others"]
    few = slice(14, 24)  # in which the hand closes
    trial = Trial(plan.scene, models, Motion(plan.q[few], plan.qd[few], plan.gripper[few], plan.dt), {})
    (expected,) = engine.execute([trial])
    cramped = WarpLift(ROBOT, "cpu", objects=OBJECTS, contacts=4, rows=32)
    (found,) = cramped.execute([trial])
    assert cramped._contacts > 4
    same(found, expected)


def test_a_scene_of_too_many_objects_is_refused_in_one_line() -> None:
    pytest.importorskip("mujoco_warp", reason="MuJoCo Warp is not installed: pip install 'syngrasp[gpu]'")
    with pytest.raises(SyngraspError, match=r"^a scene of 3 objects for an engine of 2; valid: up to 2$"):
        WarpLift(ROBOT, "cpu", objects=2).execute([trial_of(*CASES["can and others"])])


def test_a_machine_without_cuda_says_so_in_one_line() -> None:
    pytest.importorskip("mujoco_warp", reason="MuJoCo Warp is not installed: pip install 'syngrasp[gpu]'")
    wp.init()
    if wp.is_cuda_available():
        pytest.skip("this machine has a CUDA device")
    assert LiftConfig(kind="mjwarp").device == "cuda"
    with pytest.raises(SyngraspError, match=r"^lift\.device cuda: no CUDA device found; valid here: cpu$"):
        WarpLift(ROBOT, "cuda")


def test_without_mujoco_warp_the_install_line_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mujoco_warp", None)
    with pytest.raises(MissingExtra, match=r"pip install 'syngrasp\[gpu\]'"):
        WarpLift(ROBOT, "cpu")


def test_the_default_engine_does_not_load_warp() -> None:
    asked = "[m for m in ('warp', 'mujoco_warp') if m in sys.modules]"
    code = f"import sys, syngrasp.stages.lift, syngrasp.physics.lift; print({asked})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
