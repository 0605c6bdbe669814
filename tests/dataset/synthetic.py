"""Episodes made with numpy alone, consistent as real ones are: actions integrate to poses, boxes fit masks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from syngrasp import se3
from syngrasp.records import Episode, Phase, PlacedObject, Rollout, Scene, Slot
from syngrasp.seeding import rng

CATEGORIES = ("mug", "bowl", "banana", "hammer")
CAMERAS = ("front", "side")
DT = 0.1
HOME = np.array([0.0, -0.785, 0.0, -2.356, 0.0, 1.571, 0.785])  # the Panda's


def make_scene(slot: Slot, objects: int = 3) -> Scene:
    """A table with some objects side by side; the first but one is the target."""
    random = rng(1, "scene", slot.shard, slot.episode, slot.attempt)
    table_height = random.uniform(-0.1, 0.2)
    placed = []
    for k in range(objects):
        T = se3.make(se3.random_rotation(random), [0.45, -0.2 + 0.4 * (k + 0.5) / objects, table_height + 0.05])
        kind = random.integers(len(CATEGORIES))
        placed.append(
            PlacedObject(
                f"{CATEGORIES[kind]}-{random.integers(9)}",
                random.uniform(0.8, 1.2),
                random.uniform(0.05, 0.5),
                0.9,
                se3.pose7_from_matrix(T),
            )
        )
    target = min(1, objects - 1)
    category = placed[target].uid.rpartition("-")[0]
    q_start = HOME + random.normal(0.0, 0.1, 7)
    return Scene(
        slot, "panda", tuple(placed), target, category, f"pick up the {category}", table_height,
        (0.6, 0.0), (0.75, 1.2), q_start,
    )  # fmt: skip


def make_rollout(slot: Slot, frames: int = 12, objects: int = 3) -> Rollout:
    """A smooth reach to the target, a close, a lift that carries it, a hold; at least 4 frames."""
    random = rng(1, "rollout", slot.shard, slot.episode, slot.attempt)
    scene = make_scene(slot, objects)
    target = scene.objects[scene.target].pose
    phase = np.repeat([Phase.REACH, Phase.CLOSE, Phase.LIFT, Phase.HOLD], _split(frames)).astype(np.uint8)
    T_start = se3.make(se3.matrix_from_rpy([np.pi, 0.0, random.normal(0.0, 0.3)]), [0.36, 0.0, 0.5])
    poses, T = [], T_start
    reach = max(1, int((phase == Phase.REACH).sum()))
    for p in phase:
        step = (target[:3] - T_start[:3, 3]) / reach if p == Phase.REACH else [0.0, 0.0, 0.03 * (p == Phase.LIFT)]
        poses.append(T)
        T = se3.apply_delta(T, [*step, 0.0, 0.0, 0.02 * (p == Phase.REACH)])
    T_tcp = se3.matrix_from_pose7(se3.pose7_from_matrix(np.array(poses)).astype(np.float32))
    gripper = np.where(phase == Phase.REACH, 1.0, -1.0)
    motion = np.concatenate([se3.delta(T_tcp[:-1], T_tcp[1:]), np.zeros((1, 6))])
    grasp = int(np.argmax(phase != Phase.REACH))
    object_pose = np.repeat(np.array([o.pose for o in scene.objects])[None], frames, 0)
    rise = (T_tcp[:, 2, 3] - T_tcp[grasp, 2, 3]) * (phase >= Phase.LIFT)
    object_pose[:, scene.target, 2] += rise
    goal = se3.pose7_from_matrix(np.where((gripper > 0)[:, None, None], T_tcp[grasp], np.roll(T_tcp, -1, 0)))
    goal[-1] = se3.pose7_from_matrix(T_tcp[-1])
    velocity = rng(2, "velocity", slot.shard, slot.episode, 0).uniform(-0.5, 0.5, 7) * min(1.0, 10.0 / frames)
    joints = scene.q_start + np.arange(frames)[:, None] * DT * velocity
    f32 = np.float32
    return Rollout(
        scene=scene, T_base_grasp=T_tcp[grasp], grasp_width=0.04, grasp_quality=random.uniform(0.1, 0.9), dt=DT,
        joint_position=joints.astype(f32), joint_velocity=np.tile(velocity, (frames, 1)).astype(f32),
        gripper_width=np.where(gripper > 0, 0.08, 0.04).astype(f32),
        ee_pose=se3.pose7_from_matrix(T_tcp).astype(f32),
        action=np.concatenate([motion, gripper[:, None]], 1).astype(f32), goal_pose=goal.astype(f32),
        object_pose=object_pose.astype(f32), phase=phase, lift_height=float(rise[-1]),
        slip=random.uniform(0.0, 0.005), disturbance=random.uniform(0.0, 0.02), physics={"friction": 0.9, "grip": 40.0},
    )  # fmt: skip


def make_episode(
    slot: Slot, frames: int = 12, objects: int = 3, *, size: int = 32, pictures: bool = True, extras: bool = True
) -> Episode:
    """A rollout with pictures of coloured discs, the object's boxes cut from their masks."""
    rollout = make_rollout(slot, frames, objects)
    texts = {
        o.uid: {"category": o.uid.rpartition("-")[0], "license": "CC BY 4.0", "attribution": f'A. "Au" Thor, {o.uid}'}
        for o in rollout.scene.objects
    }
    if not pictures:
        return Episode(rollout, (), None, None, None, None, None, None, {}, texts)
    images, masks, depth = _draw(rollout, size)
    bbox = np.full((frames, len(CAMERAS), objects, 4), np.nan, np.float32)
    for f, c, k in np.ndindex(bbox.shape[:3]):
        y, x = np.nonzero(masks[f, c] == 3 + k)
        if len(y):
            bbox[f, c, k] = x.min(), y.min(), x.max() + 1, y.max() + 1
    # Discs are whole where a full box says so: it is the disc's, drawn alone.
    full, occlusion = _extents(rollout, masks, size)
    outside = (full[..., :2] < 0).any(-1) | (full[..., 2:] > size).any(-1)
    K = _intrinsics(size)
    look: dict[str, Any] = {"lights": [{"kind": "dome", "power": 0.7}], "table": "oak"}
    return Episode(
        rollout, CAMERAS, images, masks if extras else None, depth if extras else None, bbox,
        np.stack([K, K]).astype(np.float32), np.stack([_camera(0), _camera(1)]).astype(np.float32), look, texts,
        bbox_full=full, occlusion=occlusion, truncated=outside.astype(np.uint8),
        visibility={name: {"share": 1.0, "least": 9} for name in CAMERAS},
        picture={name: {"brightness": 0.4, "hue": 0.1, "saturation": 0.3} for name in CAMERAS},
        renderer={"kind": "synthetic"},
    )  # fmt: skip


def at_slot(episode: Episode, slot: Slot) -> Episode:
    """The same episode at another slot."""
    rollout = episode.rollout
    return replace(episode, rollout=replace(rollout, scene=replace(rollout.scene, slot=slot)))


def _split(frames: int) -> list[int]:
    rest = max(1, frames // 6)
    return [frames - 3 * rest, rest, rest, rest]


PLACES = ((1.35, 0.0, 0.55), (1.3, 0.25, 0.6))


def _camera(c: int) -> Any:
    return se3.look_at(PLACES[c], (0.45, 0.0, 0.1))


def _intrinsics(size: int) -> Any:
    return np.array([[size * 1.5, 0, size / 2], [0, size * 1.5, size / 2], [0, 0, 1]])


def _disc(rollout: Rollout, f: int, c: int, k: int, size: int) -> tuple[float, float, float]:
    """Centre and radius [px], pixels counted at their corners, of object k as camera c sees it."""
    objects = rollout.object_pose.shape[1]
    position = rollout.object_pose[f, k, :3].astype(float)
    x, y, z = _intrinsics(size) @ se3.transform(se3.invert(_camera(c)), position[None])[0]
    return x / z - 0.5, y / z - 0.5, 0.3 * size / max(3, objects)


def _extents(rollout: Rollout, masks: Any, size: int) -> tuple[Any, Any]:
    frames, objects = rollout.object_pose.shape[:2]
    full = np.empty((frames, len(CAMERAS), objects, 4), np.float32)
    occlusion = np.full(full.shape[:3], np.nan, np.float32)
    v, u = np.mgrid[:size, :size]
    for f, c, k in np.ndindex(full.shape[:3]):
        x, y, radius = _disc(rollout, f, c, k, size)
        full[f, c, k] = x + 0.5 - radius, y + 0.5 - radius, x + 0.5 + radius, y + 0.5 + radius
        alone = (u - x) ** 2 + (v - y) ** 2 < radius**2
        if alone.any():
            occlusion[f, c, k] = (masks[f, c][alone] != 3 + k).mean()
    return full, occlusion


def _draw(rollout: Rollout, size: int) -> tuple[Any, Any, Any]:
    random = rng(3, "draw", rollout.scene.slot.shard, rollout.scene.slot.episode, 0)
    frames, objects = rollout.object_pose.shape[:2]
    colours = random.integers(40, 255, (objects + 3, 3))
    v, u = np.mgrid[:size, :size]
    masks = np.zeros((frames, len(CAMERAS), size, size), np.uint8)
    masks[:, :, size // 2 :] = 2
    for f, c in np.ndindex(frames, len(CAMERAS)):
        arm = int(size * (0.2 + 0.5 * f / frames))
        masks[f, c, :arm, 2 + c : 2 + c + size // 6] = 1
        for k in range(objects):
            x, y, radius = _disc(rollout, f, c, k, size)
            masks[f, c][(u - x) ** 2 + (v - y) ** 2 < radius**2] = 3 + k
    shade = 0.6 + 0.4 * (u + v) / (2 * size)
    noise = random.normal(0.0, 2.0, (size, size, 1))
    images = (colours[masks] * shade[..., None] + noise).clip(0, 255).astype(np.uint8)
    depth = np.where(masks == 0, 0, 800 + 40 * masks.astype(np.int64) + 3 * v).astype(np.uint16)
    return images, masks, depth
