"""What holds for the UR5e with its 2F-85: published lengths, the UR5's description, the linkage, the recipe."""

from __future__ import annotations

from typing import get_args
from xml.etree import ElementTree

import mujoco
import numpy as np
import pytest
import yaml

from syngrasp import se3
from syngrasp.config import load_recipe, parse_recipe
from syngrasp.errors import RecipeError
from syngrasp.resources import resource
from syngrasp.robots import RobotConfig, RobotKind, make_robot, robot_kinds, robotiq_2f85, ur5e_meshes
from syngrasp.robots.description import robot_folder
from syngrasp.robots.fit_collision import even_inertia
from syngrasp.robots.ur5e import flange_frame


@pytest.fixture(scope="module")
def robot():
    return make_robot(RobotConfig(kind="ur5e_2f85"))


def dh_frames(q):
    """Π Rz(θ) Tz(d) Tx(a) Rx(α) (6, 4, 4) of the published parameters, in the controller's base, half a turn from
    ROS's."""
    d = (0.1625, 0.0, 0.0, 0.1333, 0.0997, 0.0996)
    a = (0.0, -0.425, -0.3922, 0.0, 0.0, 0.0)
    alpha = np.array([1.0, 0.0, 0.0, 1.0, -1.0, 0.0]) * np.pi / 2
    out = [se3.make(np.diag([-1.0, -1.0, 1.0]), np.zeros(3))]
    for i in range(6):
        T = out[-1] @ se3.make(se3.matrix_from_rpy([0.0, 0.0, q[i]]), [0.0, 0.0, d[i]])
        out.append(T @ se3.make(se3.matrix_from_rpy([alpha[i], 0.0, 0.0]), [a[i], 0.0, 0.0]))
    return np.stack(out[1:])


def test_published_dh_parameters_give_the_same_flange(robot):
    for q in np.random.default_rng(0).uniform(robot.limits.q_lower, robot.limits.q_upper, (20, 6)):
        flange = dh_frames(q)[-1]
        assert np.allclose(flange @ se3.make(np.eye(3), [0.0, 0.0, robotiq_2f85.TCP_Z]), robot.fk(q), atol=1e-12)


def test_masses_lie_where_they_are_published(robot):
    """In the model, at any configuration: the centre of every link is where the table puts it in its DH frame."""
    spec = mujoco.MjSpec()
    names = robot.add_to(spec, visual=False, collision=False)
    model = spec.compile()
    data = mujoco.MjData(model)
    addresses = [model.joint(name).qposadr[0] for name in names.joints]
    for q in np.random.default_rng(1).uniform(robot.limits.q_lower, robot.limits.q_upper, (20, 6)):
        data.qpos[addresses] = q
        mujoco.mj_kinematics(model, data)
        for i, (T, link) in enumerate(zip(dh_frames(q), ur5e_meshes.LINKS[1:], strict=True)):
            body = model.body(f"robot/link{i + 1}").id
            published = se3.transform(T, np.array([ur5e_meshes.DH_CENTERS[link]]))[0]
            assert np.abs(data.xipos[body] - published).max() < 2e-5  # the file keeps five digits
            assert model.body_mass[body] == pytest.approx(ur5e_meshes.MASSES[link])


def test_inertias_are_those_of_the_filled_meshes_about_the_published_centres():
    data = yaml.safe_load(resource("assets/robots/ur5e_inertias.yaml").read_text(encoding="utf-8"))
    for name, mass in ur5e_meshes.MASSES.items():
        mesh = ur5e_meshes.collision_mesh(name)
        assert data[name] == pytest.approx(even_inertia(mesh, mass, ur5e_meshes.center(name)), abs=1e-6)


def test_joints_are_those_of_the_ur5s_urdf_but_for_the_lengths(robot):
    root = ElementTree.parse(robot_folder("ur_description") / "urdf" / "ur5_robot.urdf").getroot()
    names = ("shoulder_pan", "shoulder_lift", "elbow", "wrist_1", "wrist_2", "wrist_3")
    joints = [next(j for j in root.iter("joint") if j.get("name") == f"{name}_joint") for name in names]
    turned = np.eye(3)  # from the URDF's link frames, whose axes are y or z, to ours, which are z
    for joint, T in zip(joints, robot.chain.T_joint, strict=True):
        origin = joint.find("origin")
        R = se3.matrix_from_rpy([float(v) for v in origin.get("rpy").split()])
        axis = np.array([float(v) for v in joint.find("axis").get("xyz").split()])
        ours = turned @ T[:3, :3]
        assert np.allclose(R @ axis, ours[:, 2], atol=1e-9)
        shift = turned @ T[:3, 3] - [float(v) for v in origin.get("xyz").split()]
        assert np.linalg.norm(shift) < 0.074
        turned = R.T @ ours


def test_ik_finds_every_configuration(robot):
    """FK then IK is the identity, over the whole joint space, whole turns included."""
    q = np.random.default_rng(0).uniform(robot.limits.q_lower, robot.limits.q_upper, (3000, 6))
    q = q[np.abs(np.sin(q[:, 4])) > 1e-3]
    answers, index = robot.ik_batch(robot.fk(q))
    distance = np.abs(answers - q[index]).max(axis=1)
    nearest = np.full(len(q), np.inf)
    np.minimum.at(nearest, index, distance)
    assert nearest.max() < 1e-6
    assert np.bincount(index).max() <= 32


def test_the_linkage_has_the_manuals_heights(robot):
    """162.8 mm closed and about 149 mm open over the flange, with a stroke of 85 mm."""
    tip = robotiq_2f85.TCP_Z + robot.pad_reach([0.0, robot.gripper.max_width])
    assert tip[0] == pytest.approx(0.1628)
    assert tip[1] == pytest.approx(0.149, abs=5e-4)
    assert robot.gripper.max_width == 0.085
    assert np.allclose(flange_frame()[:3, 3], [0.0, 0.0, 0.0996])


def test_recipe_takes_the_robots_own_values_where_none_are_given():
    panda, ur5e = load_recipe(), load_recipe(overrides=["robot.kind=ur5e_2f85"])
    assert panda.layout.start_x == (0.30, 0.50)
    assert ur5e.layout.start_x != panda.layout.start_x
    assert ur5e.layout.area_x == panda.layout.area_x
    assert ur5e.render.cameras != panda.render.cameras
    assert ur5e.layout == load_recipe("ur5e").layout
    given = load_recipe(overrides=["robot.kind=ur5e_2f85", "layout.start_x=[0.4, 0.5]"])
    assert given.layout.start_x == (0.4, 0.5)
    assert given.layout.start_z == ur5e.layout.start_z
    assert parse_recipe(ur5e.model_dump(mode="json")) == ur5e


def test_every_kind_can_be_named():
    assert get_args(RobotKind) == tuple(robot_kinds())
    for kind in robot_kinds():
        assert make_robot(RobotConfig(kind=kind)).kind == kind


def test_the_pandas_recipe_says_what_it_always_said():
    assert load_recipe().content()["robot"] == {"kind": "panda", "finger_extension": 0.02}


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (["robot.kind=ur10"], "robot.kind=\"ur10\": should be 'panda' or 'ur5e_2f85'"),
        (["robot.kind=[1]"], "robot.kind=[1]: should be 'panda' or 'ur5e_2f85'"),
        (
            ["robot.kind=ur5e_2f85", "robot.finger_extension=0.01"],
            "finger_extension is no option of ur5e_2f85, leave it out; valid options: none",
        ),
        (["robot.finger_extension=0.2"], "robot.finger_extension=0.2: should be less than or equal to 0.05"),
    ],
)
def test_a_wrong_robot_is_told_in_one_line(overrides, told):
    with pytest.raises(RecipeError) as caught:
        load_recipe(overrides=overrides)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
