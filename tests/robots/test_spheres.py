"""The collision spheres cover the robot's meshes and do not stand out far."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh

from syngrasp import se3
from syngrasp.robots import RobotConfig, kinematics, make_robot
from syngrasp.robots.description import panda_description
from syngrasp.robots.panda import FINGER_Z, hand_frame

LINKS = [*(f"link{i}" for i in range(8)), "hand"]


@pytest.fixture(scope="module")
def robot():
    return make_robot(RobotConfig())


def spheres_of(robot, name):
    """Centres in the mesh's frame and radii of a mesh's spheres, without the fingers'."""
    s = robot.spheres
    index = 6 if name == "hand" else int(name[4:]) - 1
    keep = (s.link == index) & (s.finger == 0.0)
    center = se3.transform(se3.invert(hand_frame()), s.center[keep]) if name == "hand" else s.center[keep]
    return center, s.radius[keep]


@pytest.mark.parametrize("name", LINKS)
def test_spheres_cover_the_mesh(robot, name):
    mesh = trimesh.load_mesh(panda_description() / "meshes" / "collision" / f"{name}.stl")
    points, _ = trimesh.sample.sample_surface(mesh, 4000, seed=1)
    center, radius = spheres_of(robot, name)
    gap = (np.linalg.norm(points[:, None] - center[None], axis=-1) - radius).min(axis=1)
    assert gap.max() < 0.010
    assert np.quantile(gap, 0.99) < 0.005


@pytest.mark.parametrize("name", LINKS)
def test_spheres_do_not_stand_out(robot, name):
    """Of the spheres of a mesh; link 7's and the hand's share a link, so each must fit one of the two."""
    folder = panda_description() / "meshes" / "collision"
    meshes = [trimesh.load_mesh(folder / f"{name}.stl")]
    center, radius = spheres_of(robot, name)
    if name in ("link7", "hand"):
        other = "hand" if name == "link7" else "link7"
        T = hand_frame() if name == "link7" else se3.invert(hand_frame())
        meshes.append(trimesh.load_mesh(folder / f"{other}.stl").apply_transform(T))
    inside = np.max([trimesh.proximity.signed_distance(m, center) for m in meshes], axis=0)
    assert np.max(radius - inside) < (0.031 if name == "link0" else 0.0211)


@pytest.mark.parametrize("extension", [0.0, 0.02, 0.05])
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_finger_spheres_follow_the_pads(extension, side):
    """They reach the tip, leave the space between the pads free, and lie behind the pad's face along its length."""
    robot = make_robot(RobotConfig(finger_extension=extension))
    s = robot.spheres
    keep = s.finger == side
    center = se3.transform(se3.invert(robot.chain.T_flange_tcp), s.center[keep])
    assert s.radius[keep].max() <= 0.011
    assert np.all(side * center[:, 1] - s.radius[keep] > -0.001)
    tip = (center[:, 2] + s.radius[keep]).max()
    assert robot.gripper.pad_depth <= tip < robot.gripper.pad_depth + 0.002
    # the finger's middle line, from the mount to the tip
    z = np.linspace(0.010, 0.0538 + extension - 0.002, 60)
    y = np.interp(z, [0.010, 0.019, 0.036, 1.0], [0.0185, 0.0195, 0.0095, 0.0075])
    line = np.stack([np.zeros(60), side * y, FINGER_Z + z - 0.1034 - extension], -1)
    gap = (np.linalg.norm(line[:, None] - center[None], axis=-1) - s.radius[keep]).min(axis=1)
    assert gap.max() < 0.0


def test_spheres_are_ordered_and_move_with_the_robot(robot):
    s = robot.spheres
    assert np.all(np.diff(s.link) >= 0)
    assert s.link.min() == -1
    assert s.link.max() == 6
    rng = np.random.default_rng(0)
    q = rng.uniform(robot.limits.q_lower, robot.limits.q_upper, size=(20, 7))
    width = rng.uniform(0.0, robot.gripper.max_width, 20)
    got = robot.sphere_centers(q, width)
    links = np.empty((7, 4, 4))
    for m in range(20):
        kinematics.fk_links(robot.chain.T_joint, q[m], links)
        frames = np.concatenate([np.eye(4)[None], links])[s.link + 1]
        local = s.center + 0.5 * width[m] * s.finger[:, None] * robot.chain.T_flange_tcp[:3, 1]
        want = np.einsum("sij,sj->si", frames[:, :3, :3], local) + frames[:, :3, 3]
        assert np.allclose(got[m], want, atol=1e-14)


def test_opening_moves_fingers_apart(robot):
    closed, opened = robot.sphere_centers(np.stack([robot.q_home] * 2), np.array([0.0, 0.08]))
    moved = np.linalg.norm(opened - closed, axis=1)
    assert np.allclose(moved, np.where(robot.spheres.finger == 0.0, 0.0, 0.04))


def test_self_pairs_are_free_at_home_and_caught_when_folded(robot):
    s = robot.spheres

    def clearance(q):
        centers = robot.sphere_centers(np.asarray(q)[None], 0.08)[0]
        return kinematics.self_clearance(centers, s.radius, s.link, robot.self_pairs)

    assert clearance(robot.q_home) > 0.005
    folded = robot.q_home.copy()
    folded[5] = 0.0  # the hand lies back against the forearm
    assert clearance(folded) < 0.0
