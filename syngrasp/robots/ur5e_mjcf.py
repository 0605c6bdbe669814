"""The UR5e as a MuJoCo model: published masses spread over its meshes, capsules to touch with, meshes to look at."""

from __future__ import annotations

from functools import lru_cache

import mujoco
import numpy as np
import yaml

from syngrasp.resources import resource
from syngrasp.robots import robotiq_2f85
from syngrasp.robots.base import Robot, RobotNames
from syngrasp.robots.mjcf import Capsule, Inertia, Servo, Shape, add_arm, add_link, add_servos, add_shapes, set_frame
from syngrasp.robots.robotiq_2f85_mjcf import add_gripper
from syngrasp.robots.ur5e import flange_frame
from syngrasp.robots.ur5e_meshes import LINKS

# Torques: UR5e technical details. Stiffness for errors under 1 mrad at the arm's accelerations, near critical damping.
_SERVOS = (
    *(Servo(20000.0, 600.0, 150.0, 0.3, 1.0) for _ in range(3)),
    *(Servo(6000.0, 100.0, 28.0, 0.1, 0.5) for _ in range(3)),
)
_UPRIGHT = (0.0, -0.5 * np.pi, 0.0, -0.5 * np.pi, 0.0, 0.0)


@lru_cache(maxsize=1)
def _capsules() -> dict[str, tuple[Shape, ...]]:
    """Capsules that fit the collision meshes, by link."""
    data = yaml.safe_load(resource("assets/robots/ur5e_capsules.yaml").read_text(encoding="utf-8"))
    return {link: tuple(Capsule(tuple(r[:3]), tuple(r[3:6]), r[6]) for r in rows) for link, rows in data.items()}


@lru_cache(maxsize=1)
def _inertias() -> dict[str, Inertia]:
    data = yaml.safe_load(resource("assets/robots/ur5e_inertias.yaml").read_text(encoding="utf-8"))
    return {link: Inertia(row[0], tuple(row[1:4]), tuple(row[4:10])) for link, row in data.items()}


def add_ur5e(spec: mujoco.MjSpec, robot: Robot, *, visual: bool, collision: bool, servos: bool) -> RobotNames:
    """Adds the UR5e with its gripper at the world's origin; the contract is `Robot.add_to`'s."""
    spec.compiler.degree = False
    inertias = _inertias()
    base = add_link(spec.worldbody, "robot/link0", np.eye(4), inertias["base"])
    links = [inertias[name] for name in LINKS[1:]]
    bodies = [base, *add_arm(base, robot.chain, robot.limits, links, _SERVOS, _UPRIGHT)]
    bodies[-1].add_site(name="robot/tcp", group=5)
    set_frame(bodies[-1].sites[-1], robot.chain.T_flange_tcp)
    if collision:
        for body, name in zip(bodies, LINKS, strict=True):
            add_shapes(body, f"{body.name}/collision", _capsules()[name])
    if visual:
        from syngrasp.robots.ur5e_meshes import visual_parts
        from syngrasp.robots.visual_geoms import add_parts

        for body, name in zip(bodies, LINKS, strict=True):
            add_parts(spec, body, body.name, visual_parts()[name])
    actuators = add_servos(spec, _SERVOS) if servos else ()
    gripper = add_gripper(spec, bodies[-1], flange_frame(), visual=visual, collision=collision, servos=servos)
    return RobotNames(
        joints=tuple(f"robot/joint{i + 1}" for i in range(robot.dof)),
        actuators=actuators,
        finger_joints=robotiq_2f85.JOINTS,
        gripper_actuator=gripper.actuator,
        tcp_site="robot/tcp",
        finger_bodies=gripper.fingers,
    )
