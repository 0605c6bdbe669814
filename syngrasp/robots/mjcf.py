"""A serial arm as bodies, joints, geoms and servos of a MuJoCo spec."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import mujoco
import numpy as np
from numpy.typing import ArrayLike, NDArray

from syngrasp import se3
from syngrasp.robots.base import Chain, Limits

F64 = NDArray[np.float64]

VISUAL_GROUP, COLLISION_GROUP = 2, 3
# The arm meets what has bit 0 in its contype, never itself.
COLLISION_TYPE, COLLISION_AFFINITY = 2, 1


@dataclass(frozen=True, slots=True)
class Inertia:
    """Mass properties of a link in its own frame."""

    mass: float  # [kg]
    center: tuple[float, float, float]  # of mass [m]
    full: tuple[float, float, float, float, float, float]  # about it: xx yy zz xy xz yz [kg·m²]


@dataclass(frozen=True, slots=True)
class Servo:
    """A joint's position servo, torque = stiffness · (control − q) − damping · q̇, and its passive terms.

    A control of q* + (damping / stiffness) · q̇* makes it stiffness · (q* − q) + damping · (q̇* − q̇), which follows a
    moving command without lag.
    """

    stiffness: float  # [N·m/rad]
    damping: float  # [N·m·s/rad]
    torque: float  # limit [N·m]
    armature: float  # rotor's inertia behind the gear [kg·m²]
    friction: float  # viscous, of the joint itself [N·m·s/rad]


@dataclass(frozen=True, slots=True)
class Capsule:
    """A collision shape: everything within `radius` of a segment [m]."""

    start: tuple[float, float, float]
    end: tuple[float, float, float]
    radius: float


@dataclass(frozen=True, slots=True)
class Box:
    """A collision shape: half sizes about a centre [m], turned about x by `tilt` [rad]."""

    center: tuple[float, float, float]
    half: tuple[float, float, float]
    tilt: float = 0.0


Shape = Capsule | Box


@lru_cache(maxsize=8)
def urdf_inertias(path: Path) -> Mapping[str, Inertia]:
    """Mass properties of a URDF's links by name; massless links are left out.

    Raises:
        ValueError: an inertial frame is rotated, which these arms' descriptions never are.
    """
    out: dict[str, Inertia] = {}
    for link in ET.parse(path).getroot().iter("link"):
        inertial = link.find("inertial")
        if inertial is None:
            continue
        origin, mass, inertia = (inertial.find(tag) for tag in ("origin", "mass", "inertia"))
        if origin is None or mass is None or inertia is None or float(mass.get("value", "0")) <= 0.0:
            continue
        if any(float(a) != 0.0 for a in origin.get("rpy", "0 0 0").split()):
            raise ValueError(f"{path}: rotated inertial frame of link {link.get('name')}")
        x, y, z = (float(v) for v in origin.get("xyz", "0 0 0").split())
        xx, yy, zz, xy, xz, yz = (float(inertia.get(k, "0")) for k in ("ixx", "iyy", "izz", "ixy", "ixz", "iyz"))
        out[link.get("name", "")] = Inertia(float(mass.get("value", "0")), (x, y, z), (xx, yy, zz, xy, xz, yz))
    return out


def set_frame(element: mujoco.MjsBody | mujoco.MjsSite | mujoco.MjsGeom, T: ArrayLike) -> None:
    """Places a body, site or geom at a transform (4, 4) in its parent."""
    pose = se3.pose7_from_matrix(T)
    element.pos, element.quat = pose[:3], pose[3:]


def add_link(parent: mujoco.MjsBody, name: str, T: ArrayLike, inertia: Inertia | None) -> mujoco.MjsBody:
    """A body at T (4, 4) in its parent, held up against gravity."""
    body = parent.add_body(name=name, gravcomp=1.0)
    set_frame(body, T)
    if inertia is not None:
        body.explicitinertial = True
        body.mass, body.ipos, body.fullinertia = inertia.mass, inertia.center, inertia.full
    return body


def add_arm(
    base: mujoco.MjsBody,
    chain: Chain,
    limits: Limits,
    inertias: Sequence[Inertia],
    servos: Sequence[Servo],
    q_reference: Sequence[float] | None = None,
) -> list[mujoco.MjsBody]:
    """The chain's bodies "robot/link1" … with hinges "robot/joint1" …; returns the bodies.

    The model is compiled with the arm at `q_reference` (dof,) [rad], by default 0. There it must be clear of any table:
    what touches something at compile time cannot be put to sleep.
    """
    bodies, parent = [], base
    for i, T in enumerate(chain.T_joint):
        reference = 0.0 if q_reference is None else q_reference[i]
        turn = se3.make(se3.matrix_from_rpy([0.0, 0.0, reference]), np.zeros(3))
        parent = add_link(parent, f"robot/link{i + 1}", T @ turn, inertias[i])
        parent.add_joint(
            ref=reference,
            name=f"robot/joint{i + 1}",
            type=mujoco.mjtJoint.mjJNT_HINGE,
            axis=[0, 0, 1],
            range=[limits.q_lower[i], limits.q_upper[i]],
            armature=servos[i].armature,
            damping=servos[i].friction,
        )
        bodies.append(parent)
    return bodies


def add_servos(spec: mujoco.MjSpec, servos: Sequence[Servo]) -> tuple[str, ...]:
    """A position servo for each joint "robot/joint1" …; returns the actuators' names."""
    names = []
    for i, servo in enumerate(servos):
        joint = f"robot/joint{i + 1}"
        actuator = spec.add_actuator(
            name=joint, trntype=mujoco.mjtTrn.mjTRN_JOINT, target=joint, forcerange=[-servo.torque, servo.torque]
        )
        set_position_law(actuator, servo.stiffness, servo.damping)
        names.append(joint)
    return tuple(names)


def set_position_law(actuator: mujoco.MjsActuator, stiffness: float, damping: float) -> None:
    """force = stiffness · (control − position) − damping · velocity."""
    actuator.gaintype = mujoco.mjtGain.mjGAIN_FIXED
    actuator.biastype = mujoco.mjtBias.mjBIAS_AFFINE
    gain, bias = np.zeros(len(actuator.gainprm)), np.zeros(len(actuator.biasprm))
    gain[0], bias[1], bias[2] = stiffness, -stiffness, -damping
    actuator.gainprm, actuator.biasprm = gain, bias


def add_shapes(body: mujoco.MjsBody, prefix: str, shapes: Sequence[Shape], friction: float = 1.0) -> None:
    """Collision geoms "{prefix}/0" …; they carry no mass."""
    for i, shape in enumerate(shapes):
        geom = body.add_geom(
            name=f"{prefix}/{i}",
            group=COLLISION_GROUP,
            contype=COLLISION_TYPE,
            conaffinity=COLLISION_AFFINITY,
            condim=4,
            friction=[friction, 0.005, 0.0001],
            solref=[0.005, 1.0],
            mass=0.0,
            rgba=[0.6, 0.6, 0.65, 0.5],
        )
        if isinstance(shape, Capsule):
            geom.type = mujoco.mjtGeom.mjGEOM_CAPSULE
            geom.fromto = [*shape.start, *shape.end]
            geom.size = [shape.radius, 0.0, 0.0]
        else:
            geom.type = mujoco.mjtGeom.mjGEOM_BOX
            geom.pos, geom.size = shape.center, shape.half
            geom.quat = [np.cos(shape.tilt / 2), np.sin(shape.tilt / 2), 0.0, 0.0]
