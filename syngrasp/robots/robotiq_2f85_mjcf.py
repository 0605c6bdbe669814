"""The Robotiq 2F-85 in MuJoCo: the real linkage.

Cranks, bars and fingers are hinges that joint equalities keep alike, so the pads move on their arcs and stay parallel.
A spatial tendon from pad to pad is the width; its force is the grip force and its damping sets the closing speed.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import mujoco
import numpy as np

from syngrasp.robots import robotiq_2f85 as model
from syngrasp.robots.mjcf import Box, Capsule, Inertia, Shape, add_link, add_shapes, set_position_law

STIFFNESS = 10000.0  # of the width: full force when it is a few millimetres short [N/m]
FINGER_MASS = 0.2  # finger and its share of the drive, as felt at the pad [kg]
BEHIND = 0.02  # of the tendon's ends behind the pads' faces: it must never have length 0 [m]
_COUPLING = {"solref": [0.005, 1.0], "solimp": [0.99, 0.999, 0.001, 0.5, 2.0]}

_CRANK = Inertia(0.04, (0.0, 0.010, 0.030), (2e-5, 2e-5, 1e-5, 0.0, 0.0, 0.0))
_FINGER = Inertia(0.04, (0.0, -0.012, 0.012), (1e-5, 1e-5, 5e-6, 0.0, 0.0, 0.0))
_BAR = Inertia(0.02, (0.0, 0.0, 0.028), (6e-6, 6e-6, 1e-6, 0.0, 0.0, 0.0))
_BODY = Inertia(model.MASS - 0.2, (0.0, 0.0, 0.038), (5.5e-4, 5.0e-4, 4.5e-4, 0.0, 0.0, 0.0))
_BODY_SHAPES = (Capsule((0.0, 0.0, 0.015), (0.0, 0.0, 0.030), 0.0375), Box((0.0, 0.0, 0.0690), (0.018, 0.035, 0.0110)))


class GripperNames(NamedTuple):
    """What `add_gripper` put into a model."""

    actuator: str
    fingers: tuple[str, str]  # bodies with the pads, +y first
    body: str


class _Side(NamedTuple):
    name: str
    sign: float  # of y
    bodies: dict[str, mujoco.MjsBody]  # crank, finger, bar


def add_gripper(spec: mujoco.MjSpec, flange: mujoco.MjsBody, T: np.ndarray, *, visual: bool, collision: bool,
                servos: bool) -> GripperNames:  # fmt: skip
    """Adds the gripper at T (4, 4) in the body that carries it."""
    body = add_link(flange, "robot/gripper", T, _BODY)
    sides = [_add_side(body, name, sign) for name, sign in (("left", 1.0), ("right", -1.0))]
    if collision:
        add_shapes(body, "robot/gripper/collision", _BODY_SHAPES)
        for side in sides:
            for link, shapes in _shapes(side.sign).items():
                add_shapes(side.bodies[link], f"{side.bodies[link].name}/collision", shapes)
    if visual:
        from syngrasp.robots.robotiq_2f85_visual import add_visuals

        add_visuals(spec, body, {side.sign: side.bodies for side in sides})
    _couple(spec)
    return GripperNames(
        actuator=_add_servo(spec, sides) if servos else "",
        fingers=(sides[0].bodies["finger"].name, sides[1].bodies["finger"].name),
        body=body.name,
    )


def _add_side(body: mujoco.MjsBody, name: str, sign: float) -> _Side:
    """Crank, finger and bar of one side, closed at 0; every joint counts the opening."""
    y, z = model.FINGER_PIVOT[0] - model.OUTER_PIVOT[0], model.FINGER_PIVOT[1] - model.OUTER_PIVOT[1]
    crank = _add_hinge(body, f"robot/crank_{name}", sign, -1.0, model.OUTER_PIVOT, _CRANK, FINGER_MASS * model.CRANK**2)
    finger = _add_hinge(crank, f"robot/finger_{name}", sign, 1.0, (y, z), _FINGER, 5e-4)
    bar = _add_hinge(body, f"robot/bar_{name}", sign, -1.0, model.INNER_PIVOT, _BAR, 1e-4)
    return _Side(name, sign, {"crank": crank, "finger": finger, "bar": bar})


def _add_hinge(
    parent: mujoco.MjsBody,
    name: str,
    sign: float,
    turn: float,
    at: tuple[float, float],
    inertia: Inertia,
    armature: float,
) -> mujoco.MjsBody:
    """A link on a hinge along x at y z in its parent, mirrored by `sign`."""
    T = np.eye(4)
    T[1:3, 3] = sign * at[0], at[1]
    x, y, z = inertia.center
    body = add_link(parent, name, T, Inertia(inertia.mass, (x, sign * y, z), inertia.full))
    body.add_joint(
        name=name,
        type=mujoco.mjtJoint.mjJNT_HINGE,
        axis=[sign * turn, 0.0, 0.0],
        range=[0.0, model.OPEN - model.CLOSED],
        armature=armature,
    )
    return body


def _shapes(sign: float) -> dict[str, tuple[Shape, ...]]:
    """What the links of a side touch with, each in its own frame, closed."""
    y, z = model.FINGER_PIVOT[0] - model.OUTER_PIVOT[0], model.FINGER_PIVOT[1] - model.OUTER_PIVOT[1]
    tip, face = model.HEIGHT - model.FINGER_PIVOT[1], -model.FINGER_PIVOT[0]
    half, thick = 0.5 * model.PAD_LENGTH, 0.5 * model.FINGER_THICKNESS
    return {
        "crank": (
            _bar((0.0, 0.0), model.KNUCKLE, sign, 0.0125, 0.007),
            _bar(model.KNUCKLE, (y, z), sign, 0.0115, 0.006),
        ),
        "finger": (
            Box((0.0, sign * (face + thick), tip - half), (model.PAD_HALF_WIDTH, thick, half)),
            Box((0.0, sign * -0.003, 0.001), (0.0125, 0.010, 0.008)),
        ),
        "bar": (_bar((0.0, 0.0), (y, z), sign, 0.0125, 0.005),),
    }


def _bar(a: tuple[float, float], b: tuple[float, float], sign: float, half_x: float, half: float) -> Box:
    """A box from y z of a to y z of b."""
    length = math.hypot(b[0] - a[0], b[1] - a[1])
    tilt = math.atan2(-(b[0] - a[0]), b[1] - a[1])
    return Box((0.0, sign * 0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1])), (half_x, half, 0.5 * length), sign * tilt)


def _couple(spec: mujoco.MjSpec) -> None:
    """All joints open alike: the fingers stay parallel, and both move."""
    first = model.JOINTS[0]
    leaders = {
        f"robot/{link}_{side}": f"robot/crank_{side}" for link in ("finger", "bar") for side in ("left", "right")
    }
    for joint in model.JOINTS[1:]:
        spec.add_equality(
            name=f"{joint}/coupled",
            type=mujoco.mjtEq.mjEQ_JOINT,
            objtype=mujoco.mjtObj.mjOBJ_JOINT,
            name1=joint,
            name2=leaders.get(joint, first),
            data=[0.0, 1.0] + [0.0] * 10,
            **_COUPLING,
        )


def _add_servo(spec: mujoco.MjSpec, sides: list[_Side]) -> str:
    """A position servo of the width. The tendon's ends lie at the height of the fingers' pivots: it turns the cranks
    alone, and its strong damping cannot set the fingers swinging against them."""
    tendon = spec.add_tendon(name="robot/width", damping=[model.GRIPPER.force / model.GRIPPER.speed, 0.0, 0.0])
    for side in sides:
        site = f"robot/pad_{side.name}"
        side.bodies["finger"].add_site(name=site, pos=[0.0, side.sign * (BEHIND - model.FINGER_PIVOT[0]), 0.0], group=5)
        tendon.wrap_site(site)
    actuator = spec.add_actuator(
        name="robot/gripper",
        trntype=mujoco.mjtTrn.mjTRN_TENDON,
        target="robot/width",
        ctrlrange=[0.0, model.MAX_WIDTH],
        forcerange=[-model.GRIPPER.force, model.GRIPPER.force],
    )
    set_position_law(actuator, STIFFNESS, 0.0)
    bias = np.array(actuator.biasprm)
    bias[0] = STIFFNESS * 2 * BEHIND
    actuator.biasprm = bias
    return "robot/gripper"
