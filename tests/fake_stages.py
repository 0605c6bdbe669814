"""Small real stages of numpy alone, for tests of the executors: they draw from the slots' streams, reject some of
their inputs, and can be told to break at a slot in the ways that processes break."""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from syngrasp import se3
from syngrasp.records import Episode, PlacedObject, Plan, Rollout, Scene, SceneGrasps, Slot
from syngrasp.seeding import rng
from syngrasp.stage import Rejected

HOME = np.array([0.0, -0.785, 0.0, -2.356, 0.0, 1.571, 0.785])  # the Panda's
FAR = se3.make(np.eye(3), [0.0, 0.0, -20.0])  # a camera that sees all objects near its centre

FRAMES, OBJECTS, PIXELS = 6, 2, 16
REASONS = {"layout": "unsettled", "grasp": "none_free", "plan": "blocked", "lift": "dropped", "render": "unseen"}


@dataclass(frozen=True)
class Break:
    """How to break at a slot: exit, segv, raise, hang, or slow; the first `times` times (counted in a folder)."""

    stage: str
    shard: int
    episode: int
    how: str
    times: int = 10**9
    attempt: int | None = None


@dataclass(frozen=True)
class FakeStages:
    """Makes the stages; travels to other processes."""

    seed: int = 0
    reject: float = 0.2
    seconds: float = 0.0  # that a stage sleeps for each input
    render_seconds: float = 0.0
    breaks: tuple[Break, ...] = ()
    notes: str = ""  # folder that counts calls

    def __call__(self, name: str) -> FakeStage:
        return FakeStage(name, self)


@dataclass
class FakeStage:
    """One stage."""

    name: str
    plan: FakeStages
    ready: bool = field(default=False)

    def setup(self) -> None:
        self.ready = True

    def close(self) -> None:
        self.ready = False

    def process(self, batch: Sequence[Any]) -> list[Any]:
        assert self.ready, "process before setup"
        return [self._one(item) for item in batch]

    def _one(self, item: Any) -> Any:
        slot = item if isinstance(item, Slot) else getattr(item, "scene", item).slot
        self._note(slot)
        for entry in self.plan.breaks:
            if (entry.stage, entry.shard, entry.episode) == (self.name, slot.shard, slot.episode):
                self._break(entry, slot)
        time.sleep(self.plan.render_seconds if self.name == "render" else self.plan.seconds)
        draw = rng(self.plan.seed, self.name, slot.shard, slot.episode, slot.attempt)
        if draw.random() < self.plan.reject:
            return Rejected(self.name, REASONS[self.name], "drawn")
        return _MAKE[self.name](item, draw)

    def _note(self, slot: Slot) -> None:
        if self.plan.notes:
            with open(Path(self.plan.notes) / "calls.txt", "a") as file:
                file.write(f"{self.name} {slot.shard} {slot.episode} {slot.attempt} {os.getpid()}\n")

    def _break(self, entry: Break, slot: Slot) -> None:
        if entry.attempt is not None and entry.attempt != slot.attempt:
            return
        if self.plan.notes:
            marks = Path(self.plan.notes) / f"broken-{entry.stage}-{entry.shard}-{entry.episode}"
            seen = len(marks.read_text()) if marks.exists() else 0
            if seen >= entry.times:
                return
            with open(marks, "a") as file:
                file.write("x")
        if entry.how == "exit":
            os._exit(1)
        if entry.how == "segv":
            ctypes.string_at(0)
        if entry.how == "hang":
            time.sleep(600)
        if entry.how == "raise":
            raise RuntimeError(f"broken on purpose at {slot}")


def _layout(slot: Slot, draw: np.random.Generator) -> Scene:
    def pose() -> Any:
        return se3.pose7_from_matrix(se3.make(se3.random_rotation(draw), draw.uniform(0.3, 0.6, 3)))

    objects = tuple(
        PlacedObject(f"object-{i}", 1.0, float(draw.uniform(0.1, 0.5)), 1.0, pose())
        for i in range(int(draw.integers(1, OBJECTS + 1)))
    )
    return Scene(slot, "panda", objects, 0, "mug", "pick up the mug", 0.1, (0.6, 0.0), (0.7, 1.0),
                 HOME + draw.uniform(-0.1, 0.1, 7))  # fmt: skip


def _grasp(scene: Scene, draw: np.random.Generator) -> SceneGrasps:
    T = se3.make(se3.random_rotation(draw, (3,)), draw.uniform(0.3, 0.6, (3, 3)))
    return SceneGrasps(scene, T, np.full(3, 0.05), np.linspace(1, 0.5, 3), HOME + draw.uniform(-0.3, 0.3, (3, 7)),
                       np.arange(3, dtype=np.int32))  # fmt: skip


def _plan(grasps: SceneGrasps, draw: np.random.Generator) -> Plan:
    steps = np.linspace(0, 1, FRAMES)[:, None]
    q = grasps.scene.q_start + steps * (grasps.q_goal[0] - grasps.scene.q_start)
    phase = np.array([0, 0, 1, 2, 3, 3], dtype=np.uint8)
    return Plan(grasps.scene, grasps.T_base_tcp[0], 0.05, 0.9, 0.1, q, np.gradient(q, 0.1, axis=0),
                np.where(phase == 0, 1.0, -1.0), phase)  # fmt: skip


def _lift(plan: Plan, draw: np.random.Generator) -> Rollout:
    T = se3.make(se3.random_rotation(draw, (FRAMES,)), draw.uniform(0.3, 0.6, (FRAMES, 3)))
    ee = se3.pose7_from_matrix(T).astype(np.float32)
    motion = np.concatenate([se3.delta(T[:-1], T[1:]), np.zeros((1, 6))])
    action = np.concatenate([motion, plan.gripper[:, None]], axis=1).astype(np.float32)
    poses = np.repeat(np.stack([item.pose for item in plan.scene.objects])[None], FRAMES, axis=0)
    lift_height = float(draw.uniform(0.1, 0.2))
    poses[:, plan.scene.target, 2] += lift_height * (plan.phase >= 2)
    goal = np.concatenate([ee[1:], ee[-1:]])
    goal[plan.gripper > 0] = se3.pose7_from_matrix(plan.T_base_grasp)
    return Rollout(
        scene=plan.scene,
        T_base_grasp=plan.T_base_grasp,
        grasp_width=plan.grasp_width,
        grasp_quality=plan.grasp_quality,
        dt=plan.dt,
        joint_position=plan.q.astype(np.float32),
        joint_velocity=plan.qd.astype(np.float32),
        gripper_width=np.linspace(0.08, 0.05, FRAMES, dtype=np.float32),
        ee_pose=ee,
        action=action,
        goal_pose=goal,
        object_pose=poses.astype(np.float32),
        phase=plan.phase,
        lift_height=lift_height,
        slip=0.001,
        disturbance=0.0,
        physics={"friction": 1.0},
    )


def _render(rollout: Rollout, draw: np.random.Generator) -> Episode:
    objects = len(rollout.scene.objects)
    images = draw.integers(0, 256, (FRAMES, 2, PIXELS, PIXELS, 3), dtype=np.uint8)
    return Episode(
        rollout=rollout,
        cameras=("front", "side"),
        images=images,
        masks=None,
        depth=None,
        bbox=np.tile(np.array([1, 2, 8, 9], np.float32), (FRAMES, 2, objects, 1)),
        camera_intrinsics=np.tile(np.array([[20, 0, 8], [0, 20, 8], [0, 0, 1]], np.float32), (2, 1, 1)),
        T_base_camera=np.tile(FAR.astype(np.float32), (2, 1, 1)),
        bbox_full=np.tile(np.array([1, 2, 8, 9], np.float32), (FRAMES, 2, objects, 1)),
        occlusion=np.zeros((FRAMES, 2, objects), np.float32),
        truncated=np.zeros((FRAMES, 2, objects), np.uint8),
        look={"light": float(draw.random())},
        attribution={f"object-{i}": {"category": "mug", "license": "CC0", "attribution": ""} for i in range(objects)},
    )


_MAKE: dict[str, Any] = {"layout": _layout, "grasp": _grasp, "plan": _plan, "lift": _lift, "render": _render}
