"""The scene as meshes: one list of rigid parts for every renderer, from a rollout and a look.

Boxes of furniture.py (floor, walls, a rectangular table, its support) are not among the parts.
"""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.records import ObjectModel, Rollout, VisualMesh
from syngrasp.rendering.labels import FIRST_OBJECT, ROBOT
from syngrasp.rendering.look import Look, ObjectLook
from syngrasp.rendering.props import prop_parts
from syngrasp.rendering.surfaces import Finish, ScenePart, SurfaceMesh, occupied_boxes
from syngrasp.rendering.texture.families import TextureFolder
from syngrasp.robots.base import Robot

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]


class RobotMeshes:
    """A robot's visible links and where they are in a configuration: one mesh per moving body."""

    def __init__(self, robot: Robot) -> None:
        spec = mujoco.MjSpec()
        names = robot.add_to(spec, visual=True, collision=False, servos=False)
        self._robot = robot
        self._model = model = spec.compile()
        self._data = mujoco.MjData(model)
        self._arm = [int(model.joint(name).qposadr[0]) for name in names.joints]
        self._fingers = [int(model.joint(name).qposadr[0]) for name in names.finger_joints]
        weld = model.body_weldid[model.geom_bodyid]
        self._bodies = np.unique(weld[model.geom_type == mujoco.mjtGeom.mjGEOM_MESH])
        mujoco.mj_kinematics(model, self._data)
        self.names = tuple(f"robot/{model.body(int(body)).name}" for body in self._bodies)
        links = zip(self.names, self._bodies, strict=True)
        self.meshes = tuple(self._link(name, int(body), np.flatnonzero(weld == body)) for name, body in links)

    def _link(self, name: str, body: int, geoms: NDArray[np.int64]) -> SurfaceMesh:
        """The merged mesh geoms of a body and of all that is welded to it, in the body's frame."""
        model, data = self._model, self._data
        R_body, p_body = data.xmat[body].reshape(3, 3), data.xpos[body]
        vertices, faces, normals, colors, count = [], [], [], [], 0
        for geom in geoms:
            if model.geom_type[geom] != mujoco.mjtGeom.mjGEOM_MESH:
                continue
            mesh, material = int(model.geom_dataid[geom]), int(model.geom_matid[geom])
            R = R_body.T @ data.geom_xmat[geom].reshape(3, 3)
            p = R_body.T @ (data.geom_xpos[geom] - p_body)
            span = slice(model.mesh_vertadr[mesh], model.mesh_vertadr[mesh] + model.mesh_vertnum[mesh])
            rows = slice(model.mesh_faceadr[mesh], model.mesh_faceadr[mesh] + model.mesh_facenum[mesh])
            normal = model.mesh_normal[model.mesh_normaladr[mesh] + model.mesh_facenormal[rows].ravel()]
            rgba = model.mat_rgba[material] if material >= 0 else model.geom_rgba[geom]
            vertices.append(model.mesh_vert[span] @ R.T + p)
            faces.append(model.mesh_face[rows] + count)
            normals.append(normal @ R.T)
            colors.append(np.tile(rgba[:3], (model.mesh_facenum[mesh], 1)))
            count += model.mesh_vertnum[mesh]
        return SurfaceMesh(
            key=name,
            vertices=np.concatenate(vertices).astype(np.float32),
            faces=np.concatenate(faces).astype(np.int32),
            corner_normal=np.concatenate(normals).astype(np.float32),
            face_color=np.concatenate(colors).astype(np.float32),
        )

    def poses(self, joint_position: F32, gripper_width: F32) -> tuple[F64, F64]:
        """Rotations (F, B, 3, 3) and positions (F, B, 3) in base of the meshes over F frames."""
        frames, bodies = len(joint_position), len(self._bodies)
        R, p = np.empty((frames, bodies, 3, 3)), np.empty((frames, bodies, 3))
        fingers = self._robot.finger_positions(gripper_width)
        for f in range(frames):
            self._data.qpos[self._arm] = joint_position[f]
            self._data.qpos[self._fingers] = fingers[f]
            mujoco.mj_kinematics(self._model, self._data)
            R[f] = self._data.xmat[self._bodies].reshape(-1, 3, 3)
            p[f] = self._data.xpos[self._bodies]
        return R, p


def scene_parts(
    rollout: Rollout,
    models: Sequence[ObjectModel],
    look: Look,
    robot: RobotMeshes,
    textures: TextureFolder | None = None,
) -> list[ScenePart]:
    """Everything that is a mesh: the robot's links, the objects, props, a table that is no box. F frames each.

    `models[i]` belongs to object i of the scene. `textures` holds the files that the look's materials name.
    """
    finish = Finish(look.robot.tint, look.robot.roughness, look.robot.metallic)
    finishes = [_object_finish(model.visual, look.objects[i]) for i, model in enumerate(models)]
    parts = _moved_by_physics(rollout, models, robot, finish, finishes)
    return parts + prop_parts(rollout.scene, look, len(rollout.joint_position), textures)


def rollout_boxes(rollout: Rollout, models: Sequence[ObjectModel], robot: RobotMeshes) -> F64:
    """Boxes (K, 2, 3) in base [m] where the robot and the objects are at some time: what `draw_look` keeps free."""
    plain = Finish((1.0, 1.0, 1.0), 1.0, 0.0)
    return occupied_boxes(_moved_by_physics(rollout, models, robot, plain, [plain] * len(models)))


def _moved_by_physics(
    rollout: Rollout, models: Sequence[ObjectModel], robot: RobotMeshes, shell: Finish, finishes: Sequence[Finish]
) -> list[ScenePart]:
    """The robot's links and the objects."""
    R, p = robot.poses(rollout.joint_position, rollout.gripper_width)
    links = enumerate(zip(robot.names, robot.meshes, strict=True))
    parts = [ScenePart(name, mesh, R[:, b], p[:, b], 1.0, ROBOT, shell) for b, (name, mesh) in links]
    T = se3.matrix_from_pose7(rollout.object_pose)
    for i, (model, placed) in enumerate(zip(models, rollout.scene.objects, strict=True)):
        parts.append(
            ScenePart(
                name=f"object{i}",
                mesh=object_mesh(model),
                R=T[:, i, :3, :3],
                p=T[:, i, :3, 3],
                scale=placed.scale,
                label=FIRST_OBJECT + i,
                finish=finishes[i],
            )
        )
    return parts


def object_mesh(model: ObjectModel) -> SurfaceMesh:
    """An object's mesh in the object frame at scale 1."""
    visual = model.visual
    corners = visual.faces.ravel()
    return SurfaceMesh(
        key=model.entry.uid + model.entry.content_hash,
        vertices=visual.vertices,
        faces=visual.faces,
        corner_normal=visual.normals[corners],
        face_color=visual.face_color,
        corner_uv=None if visual.uv is None else visual.uv[corners],
        texture=visual.texture,
    )


def _object_finish(own: VisualMesh, look: ObjectLook) -> Finish:
    roughness = float(np.clip(own.roughness * look.roughness, 0.05, 1.0))
    return Finish(look.tint, roughness, max(own.metallic, look.metallic), look.transmission, look.ior)
