"""Triangle meshes made ready for the ray tracer, and the robot's links among them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import mujoco
import numpy as np
import warp as wp
from numpy.typing import NDArray

from syngrasp.records import VisualMesh
from syngrasp.robots.base import Robot

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
U8 = NDArray[np.uint8]

MAX_TEXTURE = 512
"""Textures of objects are halved until no edge is longer; an object covers fewer pixels than that."""

SRGB_TO_LINEAR = np.where(
    np.arange(256) <= 0.04045 * 255, np.arange(256) / 255 / 12.92, ((np.arange(256) / 255 + 0.055) / 1.055) ** 2.4
).astype(np.float32)
"""(256,) linear value of each sRGB byte (IEC 61966-2-1)."""


def linear_to_srgb_values(linear: NDArray[Any]) -> NDArray[Any]:
    """sRGB values in [0, 1] of linear values in [0, 1]."""
    x = np.clip(linear, 0.0, 1.0)
    return np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.power(np.maximum(x, 1e-8), 1 / 2.4) - 0.055)


_LINEAR_TO_BYTE = (linear_to_srgb_values(np.linspace(0.0, 1.0, 4096)) * 255.0 + 0.5).astype(np.uint8)


def linear_to_srgb(linear: F32) -> U8:
    """sRGB bytes of linear values in [0, 1], by a table of 4096 steps: off by at most one."""
    return _LINEAR_TO_BYTE[(linear * np.float32(4095.0) + np.float32(0.5)).astype(np.int16)]


def mip_chain(texture: U8) -> list[U8]:
    """A texture (H, W, 3) and its halvings down to 1 × 1, averaged in linear light."""
    levels = [np.ascontiguousarray(texture)]
    linear = SRGB_TO_LINEAR[texture]
    while max(linear.shape[:2]) > 1:
        for axis in (0, 1):
            half = linear.shape[axis] // 2
            if half:
                even, odd = (linear[i : 2 * half : 2] if axis == 0 else linear[:, i : 2 * half : 2] for i in (0, 1))
                linear = np.float32(0.5) * (even + odd)
        levels.append(linear_to_srgb(linear))
    return levels


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """A rigid mesh in its own frame, with the acceleration structure on the device."""

    mesh: wp.Mesh
    lower: F64  # (3,) of the box around it [m]
    upper: F64
    corner_normal: F32  # (3 T, 3)
    corner_uv: F32  # (3 T, 2), v up
    face_color: F32  # (T, 3) linear
    texture: list[U8] | None  # mip chain
    density: float  # texels per metre
    roughness: float
    metallic: float


def make_shape(
    vertices: F32,
    faces: NDArray[np.int32],
    corner_normal: F32,
    face_color: F32,
    device: str,
    *,
    corner_uv: F32 | None = None,
    texture: U8 | None = None,
    roughness: float = 0.5,
    metallic: float = 0.0,
) -> Shape:
    """A shape from vertices (V, 3), faces (T, 3), normals per corner (3 T, 3) and colours per face (T, 3)."""
    points = wp.array(np.ascontiguousarray(vertices, np.float32), dtype=wp.vec3, device=device)
    indices = wp.array(np.ascontiguousarray(faces, np.int32).ravel(), dtype=wp.int32, device=device)
    chain, density = None, 0.0
    if texture is not None and corner_uv is not None:
        chain = mip_chain(texture)
        while max(chain[0].shape[:2]) > MAX_TEXTURE:
            chain = chain[1:]
        density = _texel_density(vertices[faces], corner_uv.reshape(-1, 3, 2), chain[0].shape[:2])
    return Shape(
        mesh=wp.Mesh(points, indices, bvh_constructor="sah"),
        lower=vertices.min(axis=0).astype(np.float64),
        upper=vertices.max(axis=0).astype(np.float64),
        corner_normal=np.ascontiguousarray(corner_normal, np.float32),
        corner_uv=np.zeros((3 * len(faces), 2), np.float32) if corner_uv is None else corner_uv.astype(np.float32),
        face_color=np.ascontiguousarray(face_color, np.float32),
        texture=chain,
        density=density,
        roughness=float(roughness),
        metallic=float(metallic),
    )


def _texel_density(corners: F32, uv: F32, size: tuple[int, int]) -> float:
    """Texels per metre: the root of the mesh's area in the texture over its area in space."""
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum()
    a, b = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    texels = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum() * size[0] * size[1]
    return float(np.sqrt(texels / max(area, 1e-12)))


def object_shape(visual: VisualMesh, device: str) -> Shape:
    """An object's shape in the object frame at scale 1."""
    corners = visual.faces.ravel()
    return make_shape(
        visual.vertices,
        visual.faces,
        visual.normals[corners],
        visual.face_color,
        device,
        corner_uv=None if visual.uv is None else visual.uv[corners],
        texture=visual.texture,
        roughness=visual.roughness,
        metallic=visual.metallic,
    )


class RobotShapes:
    """A robot's visible links and where they are in a configuration: one shape per moving body."""

    def __init__(self, robot: Robot, device: str) -> None:
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
        self.shapes = tuple(self._link(int(body), np.flatnonzero(weld == body), device) for body in self._bodies)

    def _link(self, body: int, geoms: NDArray[np.int64], device: str) -> Shape:
        """The merged mesh geoms of a body and of all that is welded to it, in the body's frame."""
        model, data = self._model, self._data
        R_body, p_body = data.xmat[body].reshape(3, 3), data.xpos[body]
        vertices, faces, normals, colors, finish, count = [], [], [], [], [], 0
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
            if material >= 0:
                finish.append((model.mat_roughness[material], model.mat_metallic[material]))
        rough, metal = (max(x) for x in zip(*finish, strict=True)) if finish else (0.0, 0.0)
        return make_shape(
            np.concatenate(vertices).astype(np.float32),
            np.concatenate(faces).astype(np.int32),
            np.concatenate(normals).astype(np.float32),
            np.concatenate(colors).astype(np.float32),
            device,
            roughness=rough,
            metallic=max(metal, 0.0),
        )

    def poses(self, joint_position: F32, gripper_width: F32) -> tuple[F64, F64]:
        """Rotations (F, B, 3, 3) and positions (F, B, 3) in base of the shapes over F frames."""
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
