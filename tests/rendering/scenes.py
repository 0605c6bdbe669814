"""Small scenes with real meshes for the rendering tests: no physics, poses are given."""

from __future__ import annotations

import numpy as np
import trimesh

from syngrasp import se3
from syngrasp.records import GraspSet, ObjectEntry, ObjectModel, PlacedObject, Rollout, Scene, SdfGrid, Slot, VisualMesh


def object_model(uid: str, mesh: trimesh.Trimesh, color: tuple[float, float, float], **visual: object) -> ObjectModel:
    """An ObjectModel of which only the visual mesh matters."""
    corners = mesh.faces.ravel()
    fields = {
        "vertices": mesh.vertices[corners].astype(np.float32),
        "normals": np.repeat(mesh.face_normals, 3, axis=0).astype(np.float32),
        "faces": np.arange(len(corners), dtype=np.int32).reshape(-1, 3),
        "uv": None,
        "texture": None,
        "face_color": np.tile(np.array(color, np.float32), (len(mesh.faces), 1)),
        "roughness": 0.5,
        "metallic": 0.0,
    }
    entry = ObjectEntry(
        uid=uid, name=uid, category=uid, license="CC0-1.0", source="test", attribution="", faces=len(mesh.faces),
        watertight=True, hulls=1, grasps=0, extents=tuple(mesh.extents), scale_range=(0.5, 2.0), density=500.0,
        upright_only=False, content_hash=uid,
    )  # fmt: skip
    empty = np.zeros((0, 4, 4))
    return ObjectModel(
        entry=entry, visual=VisualMesh(**{**fields, **visual}), hulls=(mesh.vertices,),
        sdf=SdfGrid(np.zeros((2, 2, 2), np.float32), np.zeros(3), 1.0), volume=float(mesh.volume), inertia=np.eye(3),
        stable_poses=empty, stable_probability=np.zeros(0),
        grasps=GraspSet(empty, np.zeros(0), np.zeros(0), np.zeros((0, 2, 3))),
    )  # fmt: skip


def household() -> list[ObjectModel]:
    """Four objects: a box, a can, a ball, and a box whose texture has a red top half and a blue lower half."""
    texture = np.zeros((64, 64, 3), np.uint8)
    texture[:32], texture[32:] = (200, 20, 20), (20, 20, 200)
    sided = trimesh.creation.box((0.06, 0.04, 0.10))
    vertices = sided.vertices[sided.faces.ravel()]
    uv = np.stack([vertices[:, 0] / 0.06 + 0.5, vertices[:, 2] / 0.10 + 0.5], -1).astype(np.float32)
    uv = 0.02 + 0.96 * uv
    return [
        object_model("box", trimesh.creation.box((0.06, 0.05, 0.08)), (0.8, 0.25, 0.1)),
        object_model("can", trimesh.creation.cylinder(0.03, 0.11, sections=48), (0.1, 0.45, 0.25)),
        object_model("ball", trimesh.creation.icosphere(4, 0.035), (0.75, 0.7, 0.1)),
        object_model("card", sided, (1.0, 1.0, 1.0), uv=uv, texture=texture),
    ]


def scene(models: list[ObjectModel], table_height: float = 0.0) -> Scene:
    """The objects stand on the table in two rows."""
    spots = [(0.45, -0.12), (0.55, 0.1), (0.62, -0.05), (0.4, 0.12)]
    objects = []
    for model, (x, y) in zip(models, spots, strict=False):
        bottom = float(model.visual.vertices[:, 2].min())
        pose = np.array([x, y, table_height - bottom, 1.0, 0.0, 0.0, 0.0])
        objects.append(PlacedObject(uid=model.entry.uid, scale=1.0, mass=0.1, friction=1.0, pose=pose))
    return Scene(
        slot=Slot(0, 0), robot="panda", objects=tuple(objects), target=0, category="box", instruction="pick up the box",
        table_height=table_height, table_center=(0.6, 0.0), table_size=(0.76, 1.1), q_start=np.zeros(7),
    )  # fmt: skip


def rollout(scene: Scene, q_from: np.ndarray, q_to: np.ndarray, frames: int, lift: float = 0.0) -> Rollout:
    """The arm moves evenly; in the second half object 0 rises by `lift` [m]."""
    s = np.linspace(0.0, 1.0, frames)
    q = (q_from + s[:, None] * (q_to - q_from)).astype(np.float32)
    poses = np.tile(np.stack([o.pose for o in scene.objects]), (frames, 1, 1))
    poses[:, 0, 2] += lift * np.clip(2 * s - 1, 0, 1)
    zeros = np.zeros((frames, 7), np.float32)
    return Rollout(
        scene=scene, T_base_grasp=np.eye(4), grasp_width=0.05, grasp_quality=1.0, dt=0.1, joint_position=q,
        joint_velocity=zeros, gripper_width=np.full(frames, 0.08, np.float32), ee_pose=zeros, action=zeros,
        goal_pose=zeros, object_pose=poses.astype(np.float32), phase=np.zeros(frames, np.uint8), lift_height=lift,
        slip=0.0, disturbance=0.0,
    )  # fmt: skip


def unit_pose(position: tuple[float, float, float]) -> np.ndarray:
    """Pose7 without rotation."""
    return se3.pose7_from_matrix(se3.make(np.eye(3), position))
