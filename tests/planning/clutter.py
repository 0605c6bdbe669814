"""Cluttered tables with grasps of a target, made without the other stages: boxes, cans and mugs that stand upright."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.geometry.sdf import build_sdf
from syngrasp.planning.collision import SceneField
from syngrasp.records import (
    GraspSet,
    ObjectEntry,
    ObjectModel,
    PlacedObject,
    Scene,
    SceneGrasps,
    Slot,
    VisualMesh,
)  # fmt: skip
from syngrasp.robots import RobotConfig, make_robot
from syngrasp.robots.base import Robot

F64 = NDArray[np.float64]
TABLE_HEIGHT = 0.05
LOOSE = 6  # of the models are strewn about; the last is a wall


def robot() -> Robot:
    """The default arm."""
    return make_robot(RobotConfig())


@cache
def models() -> tuple[ObjectModel, ...]:
    """A few objects, each with its grid; the first three are narrow enough to grasp anyhow."""
    return (
        model_of("box", [_box((0.05, 0.04, 0.10))]),
        model_of("can", [_prism(0.028, 0.11)]),
        model_of("bar", [_box((0.14, 0.035, 0.04))]),
        model_of("mug", [_prism(0.036, 0.09), _box((0.03, 0.012, 0.06)) + np.array([0.05, 0.0, 0.0])]),
        model_of("carton", [_box((0.07, 0.09, 0.18))]),
        model_of("bottle", [_prism(0.03, 0.14), _prism(0.014, 0.22) + np.array([0.0, 0.0, 0.04])]),
        model_of("wall", [_box((0.30, 0.03, 0.30))]),
    )


def scene_grasps(
    rng: np.random.Generator, objects: int = 6, slot: Slot | None = None, arm: Robot | None = None
) -> SceneGrasps:
    """A random scene, its target's grasps from above and from the sides, and the free configurations at them."""
    arm, library = arm or robot(), models()
    chosen = [int(rng.integers(3)), *(int(rng.integers(LOOSE)) for _ in range(objects - 1))]
    placed, radii = [], []
    for index in chosen:
        corners = np.concatenate(library[index].hulls)
        radius = float(np.linalg.norm(corners[:, :2], axis=1).max())
        for _ in range(200):
            spot = rng.uniform((0.32, -0.25), (0.68, 0.25))
            near = [np.linalg.norm(spot - o.pose[:2]) < radius + r + 0.02 for o, r in zip(placed, radii, strict=True)]
            if not any(near):
                break
        else:
            continue
        yaw = rng.uniform(-np.pi, np.pi)
        pose = np.array([*spot, TABLE_HEIGHT - corners[:, 2].min(), np.cos(yaw / 2), 0.0, 0.0, np.sin(yaw / 2)])
        placed.append(PlacedObject(library[index].entry.uid, 1.0, 0.2, 1.0, pose))
        radii.append(radius)
    start = _start(rng, arm)
    scene = Scene(
        slot or Slot(0, 0), arm.kind, tuple(placed), 0, "box", "pick up the box",
        TABLE_HEIGHT, (0.62, 0.0), (0.8, 1.2), start,
    )  # fmt: skip
    T, width = _grasps(rng, placed[0], models_of(scene)[0])
    goals, owner = [np.zeros((0, arm.dof))], []
    field = SceneField.build(scene, models_of(scene))
    for grasp, pose in enumerate(T):
        q = arm.ik(pose, 8)
        q = q[field.configuration_clearance(arm, q, np.full(len(q), arm.gripper.max_width)) > 0.0]
        goals.append(q)
        owner += [grasp] * len(q)
    return SceneGrasps(scene, T, width, np.linspace(1.0, 0.5, len(T)), np.concatenate(goals), np.array(owner, np.int32))


def models_of(scene: Scene) -> list[ObjectModel]:
    """The models of a scene's objects."""
    known = {m.entry.uid: m for m in models()}
    return [known[o.uid] for o in scene.objects]


def upright(uid: str, spot: tuple[float, float], height: float = TABLE_HEIGHT) -> PlacedObject:
    """An object that stands at a spot on a table of some height."""
    lowest = min(float(h[:, 2].min()) for m in models() if m.entry.uid == uid for h in m.hulls)
    return PlacedObject(uid, 1.0, 0.2, 1.0, np.array([*spot, height - lowest, 1.0, 0.0, 0.0, 0.0]))


def _start(rng: np.random.Generator, arm: Robot) -> F64:
    """An arm configuration above the table, near home."""
    T = arm.fk(arm.q_home)
    while True:
        T_start = T.copy()
        T_start[:3, 3] = rng.uniform((0.30, -0.2, 0.40), (0.50, 0.2, 0.55))
        T_start[:3, :3] = se3.matrix_from_rpy(rng.uniform((-0.2, -0.2, -0.8), (0.2, 0.2, 0.8))) @ T[:3, :3]
        q = arm.ik(T_start, 16)
        if len(q):
            return q[np.argmin(np.linalg.norm(q - arm.q_home, axis=1))]


def _grasps(rng: np.random.Generator, target: PlacedObject, model: ObjectModel, count: int = 24) -> tuple[F64, F64]:
    """Grasps across the target's y (boxes: their narrow side), approaching at up to 80° from straight down."""
    T_object = se3.matrix_from_pose7(target.pose)
    corners = model.hulls[0]
    half = np.ptp(corners, axis=0) / 2
    round_target = len(corners) > 8
    T = []
    for _ in range(count):
        turn = rng.uniform(-np.pi, np.pi) if round_target else rng.integers(2) * np.pi
        closing = np.array([-np.sin(turn), np.cos(turn), 0.0])
        tilt = rng.uniform(-1.4, 1.4)
        side = np.array([np.cos(turn), np.sin(turn), 0.0])
        approach = np.cos(tilt) * np.array([0.0, 0.0, -1.0]) + np.sin(tilt) * side
        depth = rng.uniform(0.0, max(half[2] - 0.03, 0.0))
        R = np.stack([np.cross(closing, approach), closing, approach], -1)
        T.append(T_object @ se3.make(R, np.array([0.0, 0.0, depth])))
    return np.stack(T), np.full(count, 2 * half[1])


def _box(size: tuple[float, float, float]) -> F64:
    return np.array([[i, j, k] for i in (-0.5, 0.5) for j in (-0.5, 0.5) for k in (-0.5, 0.5)]) * np.array(size)


def _prism(radius: float, height: float, sides: int = 20) -> F64:
    angle = np.linspace(0.0, 2.0 * np.pi, sides, endpoint=False)
    ring = radius * np.stack([np.cos(angle), np.sin(angle)], -1)
    return np.concatenate([np.c_[ring, np.full(sides, z)] for z in (-height / 2, height / 2)])


def model_of(uid: str, hulls: list[F64]) -> ObjectModel:
    """An object of the given convex parts, in its own frame."""
    corners = np.concatenate(hulls)
    entry = ObjectEntry(
        uid, uid, uid, "CC0-1.0", "test", "", 12, True, len(hulls), 0, tuple(np.ptp(corners, axis=0)), (0.9, 1.1),
        400.0, True, uid,
    )  # fmt: skip
    no_faces = np.zeros((0, 3), np.int32)
    visual = VisualMesh(
        corners.astype(np.float32), corners.astype(np.float32), no_faces, None, None, np.zeros((0, 3), np.float32),
        0.5, 0.0,
    )  # fmt: skip
    none = GraspSet(np.zeros((0, 4, 4)), np.zeros(0), np.zeros(0), np.zeros((0, 2, 3)))
    sdf = build_sdf(hulls)
    return ObjectModel(entry, visual, tuple(hulls), sdf, 1e-4, np.eye(3) * 1e-7, np.eye(4)[None], np.ones(1), none)
