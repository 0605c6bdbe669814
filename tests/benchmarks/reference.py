"""What cameras must see, found twice without any of the renderers' code: MuJoCo moves the meshes, Embree casts rays
through pixel centres; and MuJoCo's own OpenGL draws the same model.

Every mesh has all its triangles. Boxes of furniture and meshes of props come from the lists that renderers get.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
import trimesh
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from numpy.typing import NDArray

from syngrasp.records import Rollout
from syngrasp.rendering.furniture import furniture
from syngrasp.rendering.look import CameraLook
from syngrasp.rendering.props import prop_parts
from syngrasp.robots.base import Robot
from tests.benchmarks.episodes import Pictured

U8 = NDArray[np.uint8]
F64 = NDArray[np.float64]
ROBOT, FIRST_OBJECT = 1, 3


@dataclass(frozen=True, slots=True, eq=False)
class View:
    """What one camera sees in one frame."""

    mask: U8  # (H, W)
    depth: F64  # (H, W) along the optical axis [m], inf where nothing is


class ReferenceWorld:
    """An episode's scene as a MuJoCo model: mesh and box geoms, each with its label."""

    def __init__(self, pictured: Pictured, robot: Robot, size: int) -> None:
        self._pictured, self._robot, self._size = pictured, robot, size
        spec = mujoco.MjSpec()
        spec.compiler.degree = False
        self._names = robot.add_to(spec, visual=True, collision=False, servos=False)
        labels: dict[str, int] = {}
        for i, (model, placed) in enumerate(zip(pictured.models, pictured.rollout.scene.objects, strict=True)):
            body = spec.worldbody.add_body(name=f"object{i}", mocap=True)
            vertices = placed.scale * model.visual.vertices.astype(np.float64)
            self._add_mesh(spec, body, f"object{i}", vertices, model.visual.faces)
            labels[f"object{i}"] = FIRST_OBJECT + i
        for part in prop_parts(pictured.rollout.scene, pictured.look, 1):
            vertices = part.p[0] + part.scale * part.mesh.vertices.astype(np.float64) @ part.R[0].T
            self._add_mesh(spec, spec.worldbody, part.name, vertices, part.mesh.faces)
            labels[part.name] = part.label
        for k, block in enumerate(furniture(pictured.rollout.scene, pictured.look)):
            lower, upper = np.array(block.lower), np.array(block.upper)
            box = mujoco.mjtGeom.mjGEOM_BOX
            spec.worldbody.add_geom(name=f"box{k}", type=box, size=0.5 * (upper - lower), pos=0.5 * (lower + upper))
            labels[f"box{k}"] = block.label
        spec.worldbody.add_camera(name="eye")
        spec.visual.global_.offwidth = spec.visual.global_.offheight = size
        spec.visual.map.znear, spec.visual.map.zfar = 0.01, 60.0
        spec.visual.quality.offsamples = 0
        spec.stat.extent, spec.stat.center = 1.0, [0.0, 0.0, 0.0]
        self.model = spec.compile()
        self.data = mujoco.MjData(self.model)
        names = [self.model.geom(g).name for g in range(self.model.ngeom)]
        self.labels = np.array([labels.get(name, ROBOT) for name in names], np.uint8)
        self._gl: Any = None

    @staticmethod
    def _add_mesh(spec: Any, body: Any, name: str, vertices: F64, faces: Any) -> None:
        shell = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL  # scans are not closed
        spec.add_mesh(name=name, uservert=vertices.ravel(), userface=np.asarray(faces).ravel(), inertia=shell)
        body.add_geom(name=name, type=mujoco.mjtGeom.mjGEOM_MESH, meshname=name, contype=0, conaffinity=0)

    def set_frame(self, rollout: Rollout, frame: int) -> None:
        """Moves everything to where it is in a frame of the episode."""
        model, data = self.model, self.data
        for name, q in zip(self._names.joints, rollout.joint_position[frame], strict=True):
            data.qpos[model.joint(name).qposadr[0]] = q
        fingers = self._robot.finger_positions(rollout.gripper_width[frame])
        for name, q in zip(self._names.finger_joints, fingers, strict=True):
            data.qpos[model.joint(name).qposadr[0]] = q
        for i, pose in enumerate(rollout.object_pose[frame].astype(np.float64)):
            mocap = model.body(f"object{i}").mocapid[0]
            data.mocap_pos[mocap], data.mocap_quat[mocap] = pose[:3], pose[3:] / np.linalg.norm(pose[3:])
        mujoco.mj_kinematics(model, data)

    def cast(self, cameras: tuple[CameraLook, ...]) -> list[View]:
        """What each camera sees, by one ray through the centre of every pixel."""
        vertices, faces, labels, count = [], [], [], 0
        for geom in range(self.model.ngeom):
            corners, triangles = self._triangles(geom)
            vertices.append(corners @ self.data.geom_xmat[geom].reshape(3, 3).T + self.data.geom_xpos[geom])
            faces.append(triangles + count)
            labels.append(np.full(len(triangles), self.labels[geom], np.uint8))
            count += len(corners)
        scene = EmbreeScene(robust=True)
        TriangleMesh(scene, np.concatenate(vertices).astype(np.float32), np.concatenate(faces).astype(np.int32))
        return [self._cast(scene, camera, np.concatenate(labels)) for camera in cameras]

    def _cast(self, scene: EmbreeScene, camera: CameraLook, labels: U8) -> View:
        size = self._size
        edge = np.tan(0.5 * camera.fovy) * ((np.arange(size) + 0.5) / (0.5 * size) - 1.0)
        x, y = np.meshgrid(edge, edge)
        T = camera.T_base_camera()
        directions = np.stack([x, y, np.ones_like(x)], -1).reshape(-1, 3) @ T[:3, :3].T  # 1 m of depth long
        origins = np.tile(T[:3, 3], (size * size, 1))
        hits = scene.run(origins.astype(np.float32), directions.astype(np.float32), query="INTERSECT", output=1)
        face, depth = hits["primID"], hits["tfar"].astype(np.float64)
        mask = np.where(face >= 0, labels[face], 0).astype(np.uint8)
        return View(mask.reshape(size, size), np.where(face >= 0, depth, np.inf).reshape(size, size))

    def _triangles(self, geom: int) -> tuple[F64, NDArray[np.int64]]:
        model = self.model
        if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_BOX:
            box = trimesh.creation.box(2.0 * model.geom_size[geom])
            return np.asarray(box.vertices), np.asarray(box.faces)
        mesh = model.geom_dataid[geom]
        rows = slice(model.mesh_vertadr[mesh], model.mesh_vertadr[mesh] + model.mesh_vertnum[mesh])
        triangles = slice(model.mesh_faceadr[mesh], model.mesh_faceadr[mesh] + model.mesh_facenum[mesh])
        return model.mesh_vert[rows].astype(np.float64), model.mesh_face[triangles].astype(np.int64)

    def draw(self, cameras: tuple[CameraLook, ...]) -> list[View]:
        """What each camera sees in MuJoCo's OpenGL. Raises RuntimeError where there is none."""
        try:
            self._gl = self._gl or mujoco.Renderer(self.model, self._size, self._size)
        except Exception as error:  # whatever the machine's OpenGL says when it cannot start
            raise RuntimeError(f"MuJoCo's OpenGL does not start here: {error}") from error
        return [self._draw(camera) for camera in cameras]

    def _draw(self, camera: CameraLook) -> View:
        T = camera.T_base_camera()
        eye = self.model.camera("eye").id
        self.model.cam_fovy[eye] = np.degrees(camera.fovy)
        self.data.cam_xpos[eye] = T[:3, 3]
        self.data.cam_xmat[eye] = (T[:3, :3] * [1.0, -1.0, -1.0]).ravel()  # OpenCV axes to OpenGL's
        option = mujoco.MjvOption()
        option.geomgroup[:] = 1
        self._gl.enable_segmentation_rendering()
        self._gl.update_scene(self.data, eye, option)
        ids = self._gl.render()
        self._gl.disable_segmentation_rendering()
        self._gl.enable_depth_rendering()
        self._gl.update_scene(self.data, eye, option)
        depth = self._gl.render().astype(np.float64)
        self._gl.disable_depth_rendering()
        geom = np.where(ids[..., 1] == mujoco.mjtObj.mjOBJ_GEOM, ids[..., 0], -1)
        return View(np.where(geom >= 0, self.labels[geom], 0).astype(np.uint8), np.where(geom >= 0, depth, np.inf))

    def close(self) -> None:
        """Frees OpenGL's buffers."""
        if self._gl is not None:
            self._gl.close()
            self._gl = None
