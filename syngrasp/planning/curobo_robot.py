"""A robot as cuRobo reads it: a URDF of its chain, and the dictionary of spheres, limits and self-collision pairs.

Made from `Robot` alone, so that every arm that the pipeline knows can be planned for. The gripper stands open: the
fingers' spheres are fixed to the last link where they are at the largest width. No cuRobo is needed here.
"""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from syngrasp.robots.base import Robot

F64 = NDArray[np.float64]
BASE, TCP = "base", "tcp"  # link names
EFFORT = 1000.0  # of a joint [N m]: URDF wants one, no kinematic planner reads it
MAX_JERK = 500.0  # that cuRobo's weights are made for [rad/s³]; its way gets its timing from `retime` anyhow


def link_names(robot: Robot) -> list[str]:
    """The base, then the link behind each joint: `Spheres.link` i is at i + 1."""
    return [BASE, *(f"link{i + 1}" for i in range(robot.dof))]


def joint_names(robot: Robot) -> list[str]:
    """The arm's joints, from the base."""
    return [f"joint{i + 1}" for i in range(robot.dof)]


def urdf(robot: Robot) -> str:
    """The chain from the base to the TCP as URDF: joints about z, no geometry and no masses."""
    root = ElementTree.Element("robot", name=robot.kind)
    links = link_names(robot)
    for name in (*links, TCP):
        ElementTree.SubElement(root, "link", name=name)
    limits = robot.limits
    for i, name in enumerate(joint_names(robot)):
        joint = _joint(root, name, "revolute", links[i], links[i + 1], robot.chain.T_joint[i])
        ElementTree.SubElement(joint, "axis", xyz="0 0 1")
        ElementTree.SubElement(
            joint,
            "limit",
            lower=repr(float(limits.q_lower[i])),
            upper=repr(float(limits.q_upper[i])),
            velocity=repr(float(limits.velocity[i])),
            effort=repr(EFFORT),
        )
    _joint(root, "flange_tcp", "fixed", links[-1], TCP, robot.chain.T_flange_tcp)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode")


def open_spheres(robot: Robot) -> dict[str, F64]:
    """Collision spheres of each link (S, 4): centre in the link's frame and radius [m], the gripper open."""
    spheres, half = robot.spheres, 0.5 * robot.gripper.max_width
    center = spheres.center + half * spheres.finger[:, None] * robot.chain.T_flange_tcp[:3, 1]
    table = np.c_[center, spheres.radius]
    found = {name: table[spheres.link == i - 1] for i, name in enumerate(link_names(robot))}
    return {name: own for name, own in found.items() if len(own)}


def ignored_pairs(robot: Robot) -> dict[str, list[str]]:
    """Links with spheres that need not keep apart, each pair under the link nearer to the base."""
    names = link_names(robot)
    apart = {frozenset((names[a + 1], names[b + 1])) for a, b in robot.self_pairs}
    ignored: dict[str, list[str]] = {}
    for a, b in combinations(open_spheres(robot), 2):
        if frozenset((a, b)) not in apart:
            ignored.setdefault(a, []).append(b)
    return ignored


def robot_config(robot: Robot, urdf_path: Path, padding: float) -> dict[str, Any]:
    """The robot configuration, format 2.0, with `padding` [m] kept from obstacles and between links.

    cuRobo adds the padding to every sphere; between two links that would make it twice as large, so that half of it
    is taken off each link again for self-collision.
    """
    spheres = open_spheres(robot)
    ones, limits = [1.0] * robot.dof, robot.limits
    kinematics: dict[str, Any] = {
        "format_version": 2.0,
        "urdf_path": str(urdf_path.resolve()),
        "base_link": BASE,
        "tool_frames": [TCP],
        "collision_link_names": list(spheres),
        "collision_spheres": {
            name: [{"center": row[:3].tolist(), "radius": float(row[3])} for row in own]
            for name, own in spheres.items()
        },
        "collision_sphere_buffer": float(padding),
        "self_collision_buffer": dict.fromkeys(spheres, -0.5 * float(padding)),
        "self_collision_ignore": ignored_pairs(robot),
        "cspace": {
            "joint_names": joint_names(robot),
            "default_joint_position": robot.q_home.tolist(),
            "cspace_distance_weight": list(ones),
            "null_space_weight": list(ones),
            "max_acceleration": limits.acceleration.tolist(),
            "max_jerk": np.minimum(limits.jerk, MAX_JERK).tolist(),
        },
    }
    return {"robot_cfg": {"kinematics": kinematics}}


def _joint(root: ElementTree.Element, name: str, kind: str, parent: str, child: str, T: F64) -> ElementTree.Element:
    joint = ElementTree.SubElement(root, "joint", name=name, type=kind)
    ElementTree.SubElement(joint, "parent", link=parent)
    ElementTree.SubElement(joint, "child", link=child)
    ElementTree.SubElement(joint, "origin", xyz=_text(T[:3, 3]), rpy=_text(_rpy(T[:3, :3])))
    return joint


def _rpy(R: F64) -> F64:
    """Roll, pitch, yaw [rad], R = Rz(yaw) Ry(pitch) Rx(roll); without roll where pitch is ±90°."""
    level = np.hypot(R[0, 0], R[1, 0])
    pitch = np.arctan2(-R[2, 0], level)
    if level < 1e-6:
        return np.array([0.0, pitch, np.arctan2(-R[0, 1], R[1, 1])])
    return np.array([np.arctan2(R[2, 1], R[2, 2]), pitch, np.arctan2(R[1, 0], R[0, 0])])


def _text(values: F64) -> str:
    return " ".join(repr(float(v)) for v in values)
