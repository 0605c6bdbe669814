"""The MuJoCo model is the same robot: kinematics, servos, gripper, geoms."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from syngrasp import se3
from syngrasp.robots import RobotConfig, make_robot

DT = 0.0025


@pytest.fixture(scope="module")
def robot():
    return make_robot(RobotConfig())


def build(robot, **options):
    spec = mujoco.MjSpec()
    names = robot.add_to(spec, **{"visual": False, "collision": True, **options})
    model = spec.compile()
    model.opt.timestep = DT
    model.opt.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    model.opt.jacobian = mujoco.mjtJacobian.mjJAC_DENSE
    return model, mujoco.MjData(model), names


@pytest.mark.parametrize("extension", [0.0, 0.02])
def test_same_kinematics(extension):
    robot = make_robot(RobotConfig(finger_extension=extension))
    model, data, names = build(robot)
    rng = np.random.default_rng(0)
    for q in rng.uniform(robot.limits.q_lower, robot.limits.q_upper, size=(100, 7)):
        data.qpos[:7] = q
        mujoco.mj_kinematics(model, data)
        site = data.site(names.tcp_site)
        assert np.abs(se3.make(site.xmat.reshape(3, 3), site.xpos) - robot.fk(q)).max() < 1e-9


def test_every_name_is_there_and_limits_are_radians(robot):
    model, _, names = build(robot)
    assert len(names.joints) == len(names.actuators) == robot.dof
    for i, joint in enumerate(names.joints):
        assert model.joint(joint).qposadr[0] == i
        assert np.allclose(model.joint(joint).range, [robot.limits.q_lower[i], robot.limits.q_upper[i]])
    for finger in names.finger_joints:
        assert np.allclose(model.joint(finger).range, [0.0, robot.gripper.max_width / 2])
    for body in names.finger_bodies:
        model.body(body)
    assert model.actuator(names.gripper_actuator).ctrlrange[1] == robot.gripper.max_width
    assert all(model.geom(g).name.startswith("robot/") for g in range(model.ngeom))


def test_stands_still_against_gravity_without_servos(robot):
    model, data, _ = build(robot, servos=False)
    assert model.nu == 0
    data.qpos[:7] = robot.q_home
    for _ in range(200):
        mujoco.mj_step(model, data)
    assert np.abs(data.qpos[:7] - robot.q_home).max() < 1e-6


def test_servos_follow_a_smooth_motion(robot):
    """A 2 s minimum-jerk motion of every joint, commanded with the velocity lead of `Servo`."""
    model, data, _names = build(robot)
    start = robot.q_home
    goal = start + np.array([0.8, 0.5, -0.6, 0.5, 0.6, 0.8, -0.8])
    lead = -model.actuator_biasprm[:7, 2] / model.actuator_gainprm[:7, 0]
    data.qpos[:7], data.qpos[7:9] = start, 0.04
    data.ctrl[7] = robot.gripper.max_width
    worst = 0.0
    for k in range(1, 801):
        s = k * DT / 2.0
        wanted = start + (goal - start) * (10 * s**3 - 15 * s**4 + 6 * s**5)
        velocity = (goal - start) * (30 * s**2 - 60 * s**3 + 30 * s**4) / 2.0
        data.ctrl[:7] = wanted + lead * velocity
        mujoco.mj_step(model, data)
        worst = max(worst, np.abs(data.qpos[:7] - wanted).max())
    assert worst < 3e-3
    assert np.abs(data.qpos[:7] - goal).max() < 1e-4


def test_gripper_closes_at_its_speed_and_pushes_with_its_force(robot):
    """On a rigid 3 cm block between the pads, both pads press with the gripper's force."""
    spec = mujoco.MjSpec()
    names = robot.add_to(spec, visual=False, collision=True)
    T = robot.fk(robot.q_home)
    spec.worldbody.add_geom(
        type=mujoco.mjtGeom.mjGEOM_BOX,
        size=[0.015] * 3,
        pos=T[:3, 3],
        quat=se3.quat_from_matrix(T[:3, :3]),
        contype=1,
        conaffinity=2,
        solref=[0.005, 1.0],
    )
    model = spec.compile()
    model.opt.timestep, model.opt.integrator = DT, mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    data = mujoco.MjData(model)
    data.qpos[:7], data.qpos[7:9] = robot.q_home, 0.04
    data.ctrl[:7], data.ctrl[7] = robot.q_home, 0.0
    widths = []
    for _ in range(400):
        mujoco.mj_step(model, data)
        widths.append(data.qpos[7:9].sum())
    speed = -np.diff(widths)[20:60] / DT
    assert np.allclose(speed, robot.gripper.speed, rtol=0.05)
    assert widths[-1] == pytest.approx(0.03, abs=1e-3)
    force = np.zeros(6)
    pressing = dict.fromkeys(names.finger_bodies, 0.0)
    for c in range(data.ncon):
        mujoco.mj_contactForce(model, data, c, force)
        for geom in data.contact[c].geom:
            body = model.body(model.geom_bodyid[geom]).name
            if body in pressing:
                pressing[body] += force[0]
    assert list(pressing.values()) == pytest.approx([robot.gripper.force] * 2, rel=0.05)


def test_arm_does_not_touch_itself(robot):
    model, data, _ = build(robot)
    rng = np.random.default_rng(1)
    for q in rng.uniform(robot.limits.q_lower, robot.limits.q_upper, size=(50, 7)):
        data.qpos[:7] = q
        mujoco.mj_forward(model, data)
        assert data.ncon == 0


def test_visual_geoms_are_coloured_meshes_that_touch_nothing(robot):
    model, _, _ = build(robot, visual=True, collision=False, servos=False)
    assert 25_000 < sum(model.mesh_facenum[model.geom_dataid]) < 36_000
    assert set(model.geom_group) == {2}
    assert not model.geom_contype.any()
    assert not model.geom_conaffinity.any()
    assert np.all(model.geom_matid >= 0)
    assert len(np.unique(model.mat_rgba, axis=0)) >= 5
    assert np.allclose(np.linalg.norm(model.mesh_normal, axis=1), 1.0, atol=1e-5)


@pytest.mark.parametrize("extension", [0.0, 0.02])
def test_visual_fingers_end_where_the_collision_fingers_end(extension):
    robot = make_robot(RobotConfig(finger_extension=extension))
    model, data, names = build(robot, visual=True, collision=True)
    data.qpos[:7], data.qpos[7:9] = robot.q_home, 0.02
    mujoco.mj_kinematics(model, data)
    R, p = data.site(names.tcp_site).xmat.reshape(3, 3), data.site(names.tcp_site).xpos
    for body, side in zip(names.finger_bodies, (1.0, -1.0), strict=True):
        tips, pads = [], []
        for geom in np.flatnonzero(model.geom_bodyid == model.body(body).id):
            if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_MESH:
                mesh = model.geom_dataid[geom]
                first = model.mesh_vertadr[mesh]
                points = model.mesh_vert[first : first + model.mesh_vertnum[mesh]]
            else:
                points = model.geom_size[geom] * (np.stack(np.meshgrid(*[[-1, 1]] * 3), -1).reshape(-1, 3))
            in_tcp = (points @ data.geom_xmat[geom].reshape(3, 3).T + data.geom_xpos[geom] - p) @ R
            tips.append(in_tcp[:, 2].max())
            pads.append((side * in_tcp[:, 1]).min())
        assert max(tips) == pytest.approx(robot.gripper.pad_depth, abs=1e-3)
        assert min(pads) == pytest.approx(0.02, abs=1e-3)
