"""The collision spheres cover the robots' meshes and grippers, and do not stand out far."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest
import trimesh
import yaml

from syngrasp import se3
from syngrasp.resources import resource
from syngrasp.robots import RobotConfig, kinematics, make_robot, robot_kinds
from syngrasp.robots.fit_collision import FITS
from syngrasp.robots.panda import FINGER_Z, hand_frame

MESHES = [(kind, name) for kind in robot_kinds() for name in FITS[kind].bloat]


def fitted(kind, name):
    """Centres in the mesh's frame and radii of the spheres that were fitted to a mesh."""
    file = resource(f"assets/robots/{FITS[kind].prefix}_spheres.yaml")
    rows = np.array(yaml.safe_load(file.read_text(encoding="utf-8"))[name])
    return rows[:, :3], rows[:, 3]


@pytest.mark.parametrize(("kind", "name"), MESHES)
def test_spheres_cover_the_mesh(kind, name):
    points, _ = trimesh.sample.sample_surface(FITS[kind].mesh(name), 4000, seed=1)
    center, radius = fitted(kind, name)
    gap = (np.linalg.norm(points[:, None] - center[None], axis=-1) - radius).min(axis=1)
    assert gap.max() < 0.010
    assert np.quantile(gap, 0.99) < 0.005


@pytest.mark.parametrize(("kind", "name"), MESHES)
def test_spheres_do_not_stand_out(kind, name):
    center, radius = fitted(kind, name)
    inside = trimesh.proximity.signed_distance(FITS[kind].mesh(name), center)
    assert np.max(radius - inside) < FITS[kind].bloat[name] + 0.0011


def test_the_robot_has_its_fitted_spheres(robot):
    """Every one of them on its link, −1 the base, in the order of the files."""
    s, last = robot.spheres, robot.dof - 1
    for index, name in enumerate(FITS[robot.kind].bloat):
        center, radius = fitted(robot.kind, name)
        center = se3.transform(hand_frame(), center) if name == "hand" else center
        own = s.link == min(index - 1, last)
        distance = np.linalg.norm(s.center[own][None] - center[:, None], axis=-1)
        distance += np.abs(s.radius[own][None] - radius[:, None])
        assert distance.min(axis=1).max() < 1e-9


def test_finger_spheres_cover_what_touches_at_every_width(robot):
    """The collision shapes of all that moves with the fingers, to within 6 mm at the edges, 3.5 mm for nine tenths."""
    spec = mujoco.MjSpec()
    names = robot.add_to(spec, visual=False, collision=True)
    model = spec.compile()
    data = mujoco.MjData(model)
    data.qpos[[model.joint(j).qposadr[0] for j in names.joints]] = robot.q_home
    grid = np.stack(np.meshgrid(*[np.linspace(-1.0, 1.0, 9)] * 3), -1).reshape(-1, 3)
    surface = grid[np.abs(grid).max(axis=1) == 1.0]
    bodies = {int(model.joint(j).bodyid[0]) for j in names.finger_joints}
    geoms = [g for g in range(model.ngeom) if int(model.geom_bodyid[g]) in bodies]
    assert len(geoms) >= 4
    for width in np.linspace(0.0, robot.gripper.max_width, 6):
        data.qpos[[model.joint(j).qposadr[0] for j in names.finger_joints]] = robot.finger_positions(width)
        mujoco.mj_kinematics(model, data)
        centers = robot.sphere_centers(robot.q_home[None], width)[0]
        for geom in geoms:
            points = surface * model.geom_size[geom] @ data.geom_xmat[geom].reshape(3, 3).T + data.geom_xpos[geom]
            gap = (np.linalg.norm(points[:, None] - centers, axis=-1) - robot.spheres.radius).min(axis=1)
            assert gap.max() < 0.0061, model.geom(geom).name
            assert np.quantile(gap, 0.9) < 0.0035, model.geom(geom).name


def test_pad_spheres_reach_the_tips_and_leave_the_space_between_free(robot):
    s = robot.spheres
    for side in (1.0, -1.0):
        keep = s.finger == side
        center = se3.transform(se3.invert(robot.chain.T_flange_tcp), s.center[keep])
        assert np.all(side * center[:, 1] - s.radius[keep] > -0.001)
        tip = (center[:, 2] + s.radius[keep]).max()
        assert robot.gripper.pad_depth <= tip < robot.gripper.pad_depth + 0.002


@pytest.mark.parametrize("extension", [0.0, 0.02, 0.05])
@pytest.mark.parametrize("side", [1.0, -1.0])
def test_the_pandas_finger_spheres_follow_its_pads(extension, side):
    """They lie behind the pad's face along its length, however long the finger is."""
    robot = make_robot(RobotConfig(finger_extension=extension))
    s = robot.spheres
    keep = s.finger == side
    center = se3.transform(se3.invert(robot.chain.T_flange_tcp), s.center[keep])
    assert s.radius[keep].max() <= 0.011
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
    assert s.link.max() == robot.dof - 1
    rng = np.random.default_rng(0)
    q = rng.uniform(robot.limits.q_lower, robot.limits.q_upper, size=(20, robot.dof))
    width = rng.uniform(0.0, robot.gripper.max_width, 20)
    got = robot.sphere_centers(q, width)
    links = np.empty((robot.dof, 4, 4))
    for m in range(20):
        kinematics.fk_links(robot.chain.T_joint, q[m], links)
        frames = np.concatenate([np.eye(4)[None], links])[s.link + 1]
        local = s.center + 0.5 * width[m] * s.finger[:, None] * robot.chain.T_flange_tcp[:3, 1]
        want = np.einsum("sij,sj->si", frames[:, :3, :3], local) + frames[:, :3, 3]
        assert np.allclose(got[m], want, atol=1e-14)


def test_opening_moves_fingers_apart(robot):
    width = robot.gripper.max_width
    closed, opened = robot.sphere_centers(np.stack([robot.q_home] * 2), np.array([0.0, width]))
    moved = np.linalg.norm(opened - closed, axis=1)
    assert np.allclose(moved, 0.5 * width * np.abs(robot.spheres.finger))
    assert np.abs(robot.spheres.finger).max() == 1.0


FOLDED = {"panda": (5, 0.0), "ur5e_2f85": (2, 2.9)}  # a joint and where it takes an arm at home into itself [rad]


def test_self_pairs_are_free_at_home_and_caught_when_folded(robot):
    s = robot.spheres

    def clearance(q):
        centers = robot.sphere_centers(np.asarray(q)[None], robot.gripper.max_width)[0]
        return kinematics.self_clearance(centers, s.radius, s.link, robot.self_pairs)

    assert clearance(robot.q_home) > 0.005
    folded = robot.q_home.copy()
    joint, angle = FOLDED[robot.kind]
    folded[joint] = angle
    assert clearance(folded) < 0.0
