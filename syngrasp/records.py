"""What flows between the stages, and what an object is. Plain frozen data; numpy arrays only.

Frames: *base* is the robot's base, z up. *object* has its origin at the object's centre of mass.
*TCP* lies between the finger tips: z forward (approach), y along the closing direction.
Lengths in metres, angles in radians, time in seconds, mass in kilograms.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
U8 = NDArray[np.uint8]
U16 = NDArray[np.uint16]


class Phase(IntEnum):
    """What the arm is doing in a frame."""

    REACH = 0
    CLOSE = 1
    LIFT = 2
    HOLD = 3
    RETREAT = 4  # opening and backing off after a grasp that missed


# --- objects -----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ObjectEntry:
    """One line of a catalog: what is known of an object without loading its arrays."""

    uid: str
    name: str  # the file's or the source's
    category: str  # in words, as an instruction says it: "coffee mug"
    license: str
    source: str  # builtin, folder, objaverse
    attribution: str  # author and address, may be empty
    faces: int  # of the visual mesh
    watertight: bool  # of the raw mesh
    hulls: int
    grasps: int
    extents: tuple[float, float, float]  # of the axis-aligned box at scale 1 [m]
    scale_range: tuple[float, float]  # allowed scales, relative to scale 1
    density: float  # [kg/m³]
    upright_only: bool  # categories that are laid down in resting poses, such as cups
    content_hash: str  # of the raw mesh and the build options


@dataclass(frozen=True, slots=True, eq=False)
class VisualMesh:
    """What a camera sees, in the object frame at scale 1."""

    vertices: F32  # (V, 3) [m]
    normals: F32  # (V, 3), unit
    faces: I32  # (T, 3), counter-clockwise seen from outside
    uv: F32 | None  # (V, 2), v up; None without texture
    texture: U8 | None  # (H, W, 3) sRGB, row 0 at v = 1; None: `face_color` rules
    face_color: F32  # (T, 3) linear base colour in [0, 1]; white under a texture
    roughness: float
    metallic: float


@dataclass(frozen=True, slots=True, eq=False)
class SdfGrid:
    """Signed distance to the union of an object's convex parts, positive outside, at scale 1."""

    values: F32  # (X, Y, Z) [m], at origin + spacing · (i, j, k)
    origin: F64  # (3,) [m]
    spacing: float  # [m]


@dataclass(frozen=True, slots=True, eq=False)
class GraspSet:
    """Antipodal grasps in the object frame at scale 1, best first. At scale s the positions and widths
    grow by s, the rotations stay."""

    T_object_tcp: F64  # (G, 4, 4), TCP at the midpoint of the contacts
    width: F64  # (G,) distance of the contacts [m]
    quality: F64  # (G,) soft-finger wrench-space quality, larger is better
    contact_normals: F64  # (G, 2, 3) outward surface normals at the −y and the +y contact


@dataclass(frozen=True, slots=True, eq=False)
class ObjectModel:
    """All that is known of an object, in the object frame at scale 1."""

    entry: ObjectEntry
    visual: VisualMesh
    hulls: tuple[F64, ...]  # convex parts: vertices (Hᵢ, 3) [m]
    sdf: SdfGrid
    volume: float  # [m³] of the union of the parts
    inertia: F64  # (3, 3) about the origin for density 1 [m⁵]
    stable_poses: F64  # (K, 4, 4) T_table_object, the lowest point at z = 0, likeliest first
    stable_probability: F64  # (K,)
    grasps: GraspSet


# --- the way of an episode ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """A place in the dataset and the number of the attempt at filling it."""

    shard: int
    episode: int
    attempt: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class PlacedObject:
    """An object as it lies in a scene."""

    uid: str
    scale: float  # of the catalog's object
    mass: float  # [kg]
    friction: float  # sliding coefficient
    pose: F64  # (7,) pose7 in base, settled


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """A settled table scene and the task in it."""

    slot: Slot
    robot: str  # kind
    objects: tuple[PlacedObject, ...]
    target: int  # index into objects
    category: str  # of the target
    instruction: str
    table_height: float  # z of the table's top in base [m]
    table_center: tuple[float, float]  # x y of the table in base [m]
    table_size: tuple[float, float]  # along x and y [m]
    q_start: F64  # (dof,) [rad]


@dataclass(frozen=True, slots=True, eq=False)
class SceneGrasps:
    """Grasps of the target that are free and within reach, best first."""

    scene: Scene
    T_base_tcp: F64  # (G, 4, 4)
    width: F64  # (G,) [m]
    quality: F64  # (G,)
    q_goal: F64  # (M, dof) [rad], collision-free arm configurations at grasps
    grasp_of_goal: I32  # (M,) which grasp each goal reaches


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """One motion sampled at the control rate: reach (no stop before the grasp), close, lift, hold; before it, where
    the first grasp is to miss: reach, close, retreat."""

    scene: Scene
    T_base_grasp: F64  # (4, 4) TCP at the grasp
    grasp_width: float  # [m]
    grasp_quality: float
    dt: float  # control period [s]
    q: F64  # (F, dof) [rad] commanded
    qd: F64  # (F, dof) [rad/s] commanded
    gripper: F64  # (F,) commanded: +1 open, −1 close
    phase: U8  # (F,) Phase


@dataclass(frozen=True, slots=True, eq=False)
class Rollout:
    """A plan as physics executed it, and the verdict's figures. Frame i is the state at time i·dt."""

    scene: Scene
    T_base_grasp: F64  # (4, 4)
    grasp_width: float  # [m]
    grasp_quality: float
    dt: float  # [s]
    joint_position: F32  # (F, dof) [rad]
    joint_velocity: F32  # (F, dof) [rad/s]
    gripper_width: F32  # (F,) [m]
    ee_pose: F32  # (F, 7) TCP in base
    action: F32  # (F, 7) Δxyz [m], Δrpy [rad] to the next frame, gripper ±1; the last frame moves 0
    goal_pose: F32  # (F, 7)
    object_pose: F32  # (F, N, 7) in base
    phase: U8  # (F,)
    lift_height: float  # least rise of the target over the hold [m]
    slip: float  # largest motion of the target in the hand from after the closing on [m]
    disturbance: float  # largest motion of any other object [m]
    physics: dict[str, float] = field(default_factory=dict)  # options drawn for this run, recorded

    @property
    def grasp_attempts(self) -> int:
        """How often the hand closes: once, and once more for each grasp that missed."""
        retreating = self.phase == Phase.RETREAT
        return 1 + int(np.count_nonzero(retreating[1:] & ~retreating[:-1]))


@dataclass(frozen=True, slots=True, eq=False)
class Episode:
    """A rollout and its pictures. C cameras; None in all picture fields when nothing was rendered."""

    rollout: Rollout
    cameras: tuple[str, ...]
    images: U8 | None  # (F, C, H, W, 3) RGB
    masks: U8 | None  # (F, C, H, W) 0 background, 1 robot, 2 table, 3+i object i
    depth: U16 | None  # (F, C, H, W) [mm] along the optical axis, 0 where nothing is hit
    bbox: F32 | None  # (F, C, N, 4) visible x0 y0 x1 y1 [px], pixel edges; NaN out of view
    camera_intrinsics: F32 | None  # (C, 3, 3) of the stored image [px]
    T_base_camera: F32 | None  # (C, 4, 4) OpenCV axes
    look: dict[str, Any]  # what was randomised, JSON values only
    attribution: dict[str, dict[str, str]]  # uid → category, license, attribution
    bbox_full: F32 | None = None  # (F, C, N, 4) of the whole object, not clipped; NaN where it reaches behind a camera
    occlusion: F32 | None = None  # (F, C, N) share of its silhouette in the image that is hidden; NaN without any
    truncated: U8 | None = None  # (F, C, N) 1 where the whole object is not within the image
    visibility: dict[str, dict[str, float]] = field(default_factory=dict)  # camera → share of frames, least pixels
    picture: dict[str, dict[str, float]] = field(default_factory=dict)  # camera → brightness, hue, saturation
    renderer: dict[str, Any] = field(default_factory=dict)  # what made the pictures, JSON values only
