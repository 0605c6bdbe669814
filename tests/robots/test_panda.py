"""What holds for the Panda alone: Franka's description, the reset pose, and the free joint 7."""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np
import pytest

from syngrasp import se3
from syngrasp.robots import RobotConfig, make_robot, panda_ik
from syngrasp.robots.description import panda_description


@pytest.fixture(scope="module")
def robot():
    return make_robot(RobotConfig(kind="panda"))


def test_urdf_has_the_same_kinematics(robot):
    """Joint origins of Franka's URDF, read from the package, against the chain."""
    root = ElementTree.parse(panda_description() / "urdf" / "panda.urdf").getroot()
    joints = {joint.get("name"): joint for joint in root.iter("joint")}

    def origin(name):
        element = joints[name].find("origin")
        xyz = [float(v) for v in element.get("xyz").split()]
        return se3.make(se3.matrix_from_rpy([float(v) for v in element.get("rpy").split()]), np.array(xyz))

    for i, T in enumerate(robot.chain.T_joint):
        joint = joints[f"panda_joint{i + 1}"]
        limit = joint.find("limit")
        assert np.allclose(T, origin(joint.get("name")), atol=1e-12)
        assert float(limit.get("lower")) == pytest.approx(robot.limits.q_lower[i])
        assert float(limit.get("upper")) == pytest.approx(robot.limits.q_upper[i])
        assert float(limit.get("velocity")) == pytest.approx(robot.limits.velocity[i])
    plain = make_robot(RobotConfig(finger_extension=0.0))
    tcp = origin("panda_joint8") @ origin("panda_hand_joint") @ origin("panda_hand_tcp_joint")
    assert np.allclose(plain.chain.T_flange_tcp, tcp, atol=1e-12)
    assert robot.chain.T_flange_tcp[2, 3] == pytest.approx(tcp[2, 3] + 0.02)


def test_home_is_the_reset_pose(robot):
    T = robot.fk(robot.q_home)
    assert np.allclose(T[:3, 3], [0.363, 0.0, 0.489], atol=1e-12)
    assert np.allclose(T[:3, 2], [0.0, 0.0, -1.0], atol=1e-12)
    assert np.allclose(se3.rpy_from_matrix(T[:3, :3])[2], np.pi / 4, atol=1e-12)
    middle, span = (robot.limits.q_lower + robot.limits.q_upper) / 2, robot.limits.q_upper - robot.limits.q_lower
    assert np.all(np.abs(robot.q_home - middle) < 0.25 * span)


def test_ik_at_the_true_q7_finds_the_true_configuration(robot):
    """FK then IK is the identity, over the whole joint space."""
    lower, upper = robot.limits.q_lower, robot.limits.q_upper
    T_tcp_flange = se3.invert(robot.chain.T_flange_tcp)
    out = np.empty((panda_ik.MAX_PER_Q7, 7))
    q = np.random.default_rng(0).uniform(lower, upper, size=(5000, 7))
    for target, T in zip(q, robot.fk(q) @ T_tcp_flange, strict=True):
        count = panda_ik.ik_at_q7(T, target[6], np.cos(target[6]), np.sin(target[6]), lower, upper, out, 0)
        assert np.abs(out[:count] - target).max(axis=1).min() < 1e-6
