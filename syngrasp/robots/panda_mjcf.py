"""The Franka Panda as a MuJoCo model: mass properties of its URDF, primitives to touch with, meshes to look at."""

from __future__ import annotations

import math
from functools import lru_cache

import mujoco
import numpy as np
import yaml

from syngrasp.resources import resource
from syngrasp.robots.base import Robot, RobotNames
from syngrasp.robots.description import panda_description
from syngrasp.robots.mjcf import (
    Box,
    Capsule,
    Inertia,
    Servo,
    Shape,
    add_arm,
    add_link,
    add_servos,
    add_shapes,
    set_frame,
    set_position_law,
    urdf_inertias,
)
from syngrasp.robots.panda import FINGER_TIP_Z, FINGER_Z, PAD_START_Z, hand_frame

# Stiffness for errors under 1 mrad at the arm's accelerations, near critical damping for the inertia each joint moves.
_SERVOS = (
    *(Servo(16000.0, 400.0, 87.0, 0.2, 1.0) for _ in range(4)),
    *(Servo(6000.0, 100.0, 12.0, 0.1, 0.5) for _ in range(3)),
)
FINGER_MASS = 0.2  # finger and its share of the drive [kg]
FINGER_STIFFNESS = 10000.0  # of the width: full force when it is a few millimetres short [N/m]

_BASE_SHAPES = (Box((-0.041, 0.0, 0.07), (0.11, 0.09, 0.07)),)  # nothing can come near its corners
_HAND_SHAPES = (Box((0.0, 0.0, 0.034), (0.026, 0.1, 0.032)), Box((0.0, 0.0, 0.0), (0.018, 0.06, 0.02)))


@lru_cache(maxsize=1)
def _capsules() -> dict[str, tuple[Shape, ...]]:
    """Capsules that fit the collision meshes of the URDF package, by link."""
    data = yaml.safe_load(resource("assets/robots/panda_capsules.yaml").read_text(encoding="utf-8"))
    return {link: tuple(Capsule(tuple(r[:3]), tuple(r[3:6]), r[6]) for r in rows) for link, rows in data.items()}


def _finger_shapes(side: float, extension: float) -> tuple[Shape, ...]:
    """A finger (side ±1 along y): its pad from PAD_START_Z to the tip, and the strut and mount behind it."""
    half_length = 0.5 * (FINGER_TIP_Z + extension - PAD_START_Z)
    return (
        Box((0, side * 0.007, PAD_START_Z + half_length), (0.00875, 0.007, half_length)),
        Box((0, side * 0.0159, 0.02835), (0.00875, 0.0035, 0.01175), side * math.pi / 6),
        Box((0, side * 0.0185, 0.011), (0.0105, 0.0075, 0.01)),
    )


def add_panda(
    spec: mujoco.MjSpec, robot: Robot, *, extension: float, visual: bool, collision: bool, servos: bool
) -> RobotNames:
    """Adds the Panda at the world's origin; the contract is `Robot.add_to`'s."""
    spec.compiler.degree = False
    inertias = urdf_inertias(panda_description() / "urdf" / "panda.urdf")
    base = add_link(spec.worldbody, "robot/link0", np.eye(4), inertias["panda_link0"])
    links = [inertias[f"panda_link{i}"] for i in range(1, robot.dof + 1)]
    bodies = [base, *add_arm(base, robot.chain, robot.limits, links, _SERVOS)]
    bodies[-1].add_site(name="robot/tcp", group=5)
    set_frame(bodies[-1].sites[-1], robot.chain.T_flange_tcp)
    hand = add_link(bodies[-1], "robot/hand", hand_frame(), inertias["panda_hand"])
    fingers = [_add_finger(hand, name, side, robot) for name, side in (("left", 1.0), ("right", -1.0))]
    if collision:
        add_shapes(base, "robot/link0/collision", _BASE_SHAPES)
        for link, shapes in _capsules().items():
            add_shapes(bodies[int(link.removeprefix("link"))], f"robot/{link}/collision", shapes)
        add_shapes(hand, "robot/hand/collision", _HAND_SHAPES)
        for body, side in zip(fingers, (1.0, -1.0), strict=True):
            add_shapes(body, f"{body.name}/collision", _finger_shapes(side, extension))
    if visual:
        from syngrasp.robots.panda_visual import add_visuals

        add_visuals(spec, bodies, hand, fingers, extension)
    _couple_fingers(spec)
    return RobotNames(
        joints=tuple(f"robot/joint{i + 1}" for i in range(robot.dof)),
        actuators=add_servos(spec, _SERVOS) if servos else (),
        finger_joints=("robot/finger_left", "robot/finger_right"),
        gripper_actuator=_add_gripper_servo(spec, robot) if servos else "",
        tcp_site="robot/tcp",
        finger_bodies=tuple(f.name for f in fingers),
    )


def _add_finger(hand: mujoco.MjsBody, name: str, side: float, robot: Robot) -> mujoco.MjsBody:
    """A finger on a slide. Its damping is what sets the closing speed: the grip force drives it at that speed."""
    T = np.eye(4)
    T[2, 3] = FINGER_Z
    body = add_link(hand, f"robot/finger_{name}", T, Inertia(0.03, (0, side * 0.01, 0.03), (2e-5, 2e-5, 5e-6, 0, 0, 0)))
    body.add_joint(
        name=f"robot/finger_{name}",
        type=mujoco.mjtJoint.mjJNT_SLIDE,
        axis=[0, side, 0],
        range=[0.0, 0.5 * robot.gripper.max_width],
        armature=FINGER_MASS - 0.03,
        damping=robot.gripper.force / (0.5 * robot.gripper.speed),
    )
    return body


def _couple_fingers(spec: mujoco.MjSpec) -> None:
    """Both fingers move alike, and a tendon's length is the gripper's width."""
    width = spec.add_tendon(name="robot/width")
    width.wrap_joint("robot/finger_left", 1.0)
    width.wrap_joint("robot/finger_right", 1.0)
    spec.add_equality(
        name="robot/fingers",
        type=mujoco.mjtEq.mjEQ_JOINT,
        objtype=mujoco.mjtObj.mjOBJ_JOINT,
        name1="robot/finger_left",
        name2="robot/finger_right",
        data=[0.0, 1.0] + [0.0] * 10,
        solref=[0.005, 1.0],
    )


def _add_gripper_servo(spec: mujoco.MjSpec, robot: Robot) -> str:
    """A position servo of the width. Its force acts on each finger: it is the grip force."""
    name = "robot/gripper"
    actuator = spec.add_actuator(
        name=name,
        trntype=mujoco.mjtTrn.mjTRN_TENDON,
        target="robot/width",
        ctrlrange=[0.0, robot.gripper.max_width],
        forcerange=[-robot.gripper.force, robot.gripper.force],
    )
    set_position_law(actuator, FINGER_STIFFNESS, 0.0)
    return name
