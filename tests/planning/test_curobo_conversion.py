"""What cuRobo is told, held against what the pipeline itself knows. Runs without cuRobo."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree

import mujoco
import numpy as np
import pytest

from syngrasp import se3
from syngrasp.planning import curobo_robot
from syngrasp.planning.collision import SceneField
from syngrasp.planning.curobo_scene import build_world, goal_set
from syngrasp.robots import RobotConfig, make_robot
from syngrasp.robots.base import Chain, Robot
from tests.planning import clutter
from tests.planning.cpu_ways import field_of

ROBOTS = get_args(RobotConfig.model_fields["kind"].annotation)
SIDEWAYS = np.array([[0.0, 0.0, 1.0, 0.1], [0.0, 1.0, 0.0, 0.2], [-1.0, 0.0, 0.0, 0.3], [0.0, 0.0, 0.0, 1.0]])


def _robot(kind: str) -> Robot:
    return make_robot(RobotConfig.model_validate({"kind": kind}))


def _scene(seed: int = 0):
    return clutter.scene_grasps(np.random.default_rng(seed))


def _configurations(robot: Robot, count: int = 20) -> np.ndarray:
    return np.random.default_rng(0).uniform(robot.limits.q_lower, robot.limits.q_upper, (count, robot.dof))


def _mujoco_of(text: str) -> tuple[mujoco.MjModel, mujoco.MjData]:
    """The URDF as MuJoCo reads it. Its links get masses first: MuJoCo wants them, cuRobo does not."""
    root = ElementTree.fromstring(text)
    for link in root.findall("link"):
        inertial = ElementTree.SubElement(link, "inertial")
        ElementTree.SubElement(inertial, "mass", value="1")
        ElementTree.SubElement(inertial, "inertia", ixx="1", iyy="1", izz="1", ixy="0", ixz="0", iyz="0")
    extension = ElementTree.SubElement(root, "mujoco")
    ElementTree.SubElement(extension, "compiler", fusestatic="false")
    model = mujoco.MjSpec.from_string(ElementTree.tostring(root, encoding="unicode")).compile()
    return model, mujoco.MjData(model)


def _body_pose(data: mujoco.MjData, name: str) -> np.ndarray:
    return se3.make(data.body(name).xmat.reshape(3, 3), data.body(name).xpos)


@pytest.mark.parametrize("kind", ROBOTS)
def test_mujoco_reads_the_chain_and_limits_from_the_urdf(kind: str):
    robot = _robot(kind)
    model, data = _mujoco_of(curobo_robot.urdf(robot))
    joints = curobo_robot.joint_names(robot)
    assert [model.joint(i).name for i in range(model.njnt)] == joints
    assert model.jnt_range == pytest.approx(np.c_[robot.limits.q_lower, robot.limits.q_upper])
    for q in _configurations(robot):
        data.qpos[:] = q
        mujoco.mj_kinematics(model, data)
        assert np.allclose(_body_pose(data, curobo_robot.TCP), robot.fk(q), atol=1e-9)


def test_a_frame_pitched_by_a_right_angle_keeps_its_rotation():
    """Roll and yaw turn about one axis there; UR arms have such frames."""
    arm = clutter.robot()
    tilted = type(arm)()
    tilted.chain = Chain(np.concatenate([SIDEWAYS[None], arm.chain.T_joint[1:]]), arm.chain.T_flange_tcp)
    model, data = _mujoco_of(curobo_robot.urdf(tilted))
    for q in _configurations(tilted, 5):
        data.qpos[:] = q
        mujoco.mj_kinematics(model, data)
        assert np.allclose(_body_pose(data, curobo_robot.TCP), tilted.fk(q), atol=1e-9)


@pytest.mark.parametrize("kind", ROBOTS)
def test_spheres_are_the_robots_own_with_the_gripper_open(kind: str):
    robot = _robot(kind)
    config = curobo_robot.robot_config(robot, Path("robot.urdf"), 0.01)
    kinematics = config["robot_cfg"]["kinematics"]
    model, data = _mujoco_of(curobo_robot.urdf(robot))
    for q in _configurations(robot, 5):
        data.qpos[:] = q
        mujoco.mj_kinematics(model, data)
        found = []
        for link in kinematics["collision_link_names"]:
            T = _body_pose(data, link) if link != curobo_robot.BASE else np.eye(4)
            centers = [sphere["center"] for sphere in kinematics["collision_spheres"][link]]
            found.append(se3.transform(T, np.array(centers)))
        ours = robot.sphere_centers(q[None], robot.gripper.max_width)[0]
        assert np.allclose(np.concatenate(found), ours, atol=1e-9)
    radii = [s["radius"] for link in kinematics["collision_link_names"] for s in kinematics["collision_spheres"][link]]
    assert radii == robot.spheres.radius.tolist()


@pytest.mark.parametrize("kind", ROBOTS)
def test_links_keep_apart_that_must_and_no_others(kind: str):
    robot = _robot(kind)
    names, ignored = curobo_robot.link_names(robot), curobo_robot.ignored_pairs(robot)
    present = list(curobo_robot.open_spheres(robot))
    apart = {frozenset((a, b)) for a in present for b in present if a != b}
    apart -= {frozenset((a, b)) for a, others in ignored.items() for b in others}
    have = {frozenset((names[a + 1], names[b + 1])) for a, b in robot.self_pairs}
    assert apart == {pair for pair in have if pair <= set(present)}


def test_padding_is_kept_from_obstacles_and_once_between_links():
    kinematics = curobo_robot.robot_config(clutter.robot(), Path("robot.urdf"), 0.01)["robot_cfg"]["kinematics"]
    padding, back = kinematics["collision_sphere_buffer"], kinematics["self_collision_buffer"]
    assert isinstance(padding, float)  # cuRobo takes anything else for a table by link
    assert {2 * (padding + value) for value in back.values()} == {0.01}
    assert back.keys() == kinematics["collision_spheres"].keys()


@pytest.mark.parametrize("seed", range(3))
def test_a_world_is_the_scene(seed: int):
    """Distances to the scene and to a scene made of the world's table and parts alone are the same."""
    scene = _scene(seed).scene
    models = clutter.models_of(scene)
    world = build_world(scene, models, 128)
    points = np.random.default_rng(1).uniform((0.25, -0.3, -0.02), (0.75, 0.3, 0.35), (3000, 1, 3))
    ours = SceneField.build(scene, models)
    theirs = field_of(world, scene.q_start)
    a, b = (field.sphere_clearance(points, np.zeros(1)) for field in (ours, theirs))
    near = np.minimum(a, b) < 0.01
    assert near.sum() > 100
    assert np.abs(a - b)[near].max() < 0.006  # two grids of different spacing


def test_parts_are_closed_and_face_outwards():
    scene = _scene().scene
    for part in build_world(scene, clutter.models_of(scene), 128).parts:
        edges = np.concatenate([part.faces[:, [0, 1]], part.faces[:, [1, 2]], part.faces[:, [2, 0]]])
        assert {tuple(e) for e in edges} == {tuple(e[::-1]) for e in edges}
        a, b, c = (part.vertices[part.faces[:, k]] - part.vertices.mean(0) for k in range(3))
        assert np.all(np.einsum("ti,ti->t", a, np.cross(b, c)) > 0.0)


def test_scaled_objects_and_left_out_ones():
    full = _scene().scene
    models = clutter.models_of(full)
    scene = replace(full, objects=(replace(full.objects[0], scale=1.5), *full.objects[1:]))
    world = build_world(scene, models, 128, prefix="3/")
    own = [part for part in world.parts if part.name.startswith("3/object0/")]
    corners = np.concatenate([part.vertices for part in own])
    assert np.ptp(corners, axis=0) == pytest.approx(1.5 * np.ptp(np.concatenate(models[0].hulls), axis=0))
    assert len({part.name for part in world.parts}) == len(world.parts)
    rest = build_world(scene, models, 128, skip=(0,), prefix="3/")
    assert [part.name for part in rest.parts] == [part.name for part in world.parts if part not in own]


def test_too_many_parts_become_hulls_that_hold_them():
    scene = _scene(0).scene
    models = clutter.models_of(scene)
    exact = build_world(scene, models, 128)
    assert len(exact.parts) > len(models)
    coarse = build_world(scene, models, len(models))
    assert len(coarse.parts) == len(models)
    points = np.random.default_rng(1).uniform((0.25, -0.3, 0.06), (0.75, 0.3, 0.35), (3000, 1, 3))
    a, b = (field_of(world, scene.q_start).sphere_clearance(points, np.zeros(1)) for world in (exact, coarse))
    assert np.all(b[a < -0.004] < 0.0)


def test_goal_sets_are_full_and_stand_before_the_grasps():
    grasps = _scene()
    goals = goal_set(grasps, [4, 2], 0.08, 5)
    assert goals.grasp.tolist() == [4, 2, 4, 2, 4]
    T = se3.make(se3.matrix_from_quat(goals.quaternion), goals.position)
    moved = se3.invert(grasps.T_base_tcp[goals.grasp]) @ T
    assert np.allclose(moved, se3.make(np.eye(3), np.array([0.0, 0.0, -0.08])), atol=1e-12)
    assert goal_set(grasps, range(20), 0.08, 5).grasp.tolist() == [0, 1, 2, 3, 4]
