"""The MuJoCo model is the same robot: kinematics, servos, gripper, geoms."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from syngrasp import se3
from syngrasp.robots import RobotConfig, kinematics, make_robot
from syngrasp.robots.fit_collision import FITS
from syngrasp.robots.mjcf import COLLISION_GROUP, VISUAL_GROUP

DT = 0.0025
CONFIGS = [RobotConfig(finger_extension=0.0), RobotConfig(), RobotConfig(kind="ur5e_2f85")]


def build(robot, **options):
    spec = mujoco.MjSpec()
    names = robot.add_to(spec, **{"visual": False, "collision": True, **options})
    return _compiled(spec, names)


def _compiled(spec, names):
    model = spec.compile()
    model.opt.timestep = DT
    model.opt.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    model.opt.jacobian = mujoco.mjtJacobian.mjJAC_DENSE
    return model, mujoco.MjData(model), Where(model, names)


class Where:
    """Where a robot's parts lie in the arrays of a model."""

    def __init__(self, model, names):
        self.names = names
        self.q = np.array([model.joint(j).qposadr[0] for j in names.joints])
        self.fingers = np.array([model.joint(j).qposadr[0] for j in names.finger_joints])
        self.servos = np.array([model.actuator(a).id for a in names.actuators], dtype=int)
        self.gripper = model.actuator(names.gripper_actuator).id if names.gripper_actuator else -1


def test_same_kinematics(robot):
    model, data, at = build(robot)
    for q in np.random.default_rng(0).uniform(robot.limits.q_lower, robot.limits.q_upper, size=(100, robot.dof)):
        data.qpos[at.q] = q
        mujoco.mj_kinematics(model, data)
        site = data.site(at.names.tcp_site)
        assert np.abs(se3.make(site.xmat.reshape(3, 3), site.xpos) - robot.fk(q)).max() < 1e-9


def test_every_name_is_there_and_limits_are_radians(robot):
    model, _, at = build(robot)
    names = at.names
    assert len(names.joints) == len(names.actuators) == robot.dof
    for i, joint in enumerate(names.joints):
        assert np.allclose(model.joint(joint).range, [robot.limits.q_lower[i], robot.limits.q_upper[i]])
    open_and_closed = robot.finger_positions([0.0, robot.gripper.max_width])
    for joint, span in zip(names.finger_joints, open_and_closed.T, strict=True):
        assert np.allclose(model.joint(joint).range, span)
    assert len(names.finger_bodies) == 2
    for body in names.finger_bodies:
        model.body(body)
    assert model.actuator(names.gripper_actuator).ctrlrange[1] == robot.gripper.max_width
    assert all(model.geom(g).name.startswith("robot/") for g in range(model.ngeom))


def test_nothing_is_touched_where_the_model_is_compiled(robot):
    """What touches at compile time cannot be put to sleep: the arm stands clear of any table there."""
    model, data, _ = build(robot)
    mujoco.mj_kinematics(model, data)
    for geom in range(model.ngeom):
        if model.geom_bodyid[geom] > 3 and data.geom_xpos[geom, 0] > 0.2:
            assert data.geom_xpos[geom, 2] > 0.5


def test_stands_still_against_gravity_without_servos(robot):
    model, data, at = build(robot, servos=False)
    assert model.nu == 0
    data.qpos[at.q] = robot.q_home
    for _ in range(200):
        mujoco.mj_step(model, data)
    assert np.abs(data.qpos[at.q] - robot.q_home).max() < 1e-6


def test_servos_follow_a_smooth_motion(robot):
    """A 2 s minimum-jerk motion of every joint, commanded with the velocity lead of `Servo`."""
    model, data, at = build(robot)
    start = robot.q_home
    goal = start + np.array([0.8, 0.5, -0.6, 0.5, 0.6, 0.8, -0.8])[: robot.dof]
    lead = -model.actuator_biasprm[at.servos, 2] / model.actuator_gainprm[at.servos, 0]
    data.qpos[at.q], data.qpos[at.fingers] = start, robot.finger_positions(robot.gripper.max_width)
    data.ctrl[at.gripper] = robot.gripper.max_width
    worst = 0.0
    for k in range(1, 801):
        s = k * DT / 2.0
        wanted = start + (goal - start) * (10 * s**3 - 15 * s**4 + 6 * s**5)
        velocity = (goal - start) * (30 * s**2 - 60 * s**3 + 30 * s**4) / 2.0
        data.ctrl[at.servos] = wanted + lead * velocity
        mujoco.mj_step(model, data)
        worst = max(worst, np.abs(data.qpos[at.q] - wanted).max())
    assert worst < 3e-3
    assert np.abs(data.qpos[at.q] - goal).max() < 1e-4
    assert robot.width_of(data.qpos[at.fingers]) == pytest.approx(robot.gripper.max_width, abs=1e-4)


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
    model, data, at = _compiled(spec, names)
    data.qpos[at.q], data.qpos[at.fingers] = robot.q_home, robot.finger_positions(robot.gripper.max_width)
    data.ctrl[at.servos], data.ctrl[at.gripper] = robot.q_home, 0.0
    widths = []
    for _ in range(400):
        mujoco.mj_step(model, data)
        widths.append(robot.width_of(data.qpos[at.fingers]))
    speed = -np.diff(widths)[20:60] / DT
    assert np.allclose(speed, robot.gripper.speed, rtol=0.07)
    assert widths[-1] == pytest.approx(0.03, abs=1e-3)
    joints = robot.finger_positions(robot.width_of(data.qpos[at.fingers]))
    assert np.allclose(data.qpos[at.fingers], joints, atol=2e-3)
    force = np.zeros(6)
    pressing = dict.fromkeys(names.finger_bodies, 0.0)
    for c in range(data.ncon):
        mujoco.mj_contactForce(model, data, c, force)
        for geom in data.contact[c].geom:
            body = model.body(model.geom_bodyid[geom]).name
            if body in pressing:
                pressing[body] += force[0]
    assert list(pressing.values()) == pytest.approx([robot.gripper.force] * 2, rel=0.05)


def _touchable(robot):
    """A model whose parts all touch one another, the base as its mesh's hull; and the link each body moves with."""
    spec = mujoco.MjSpec()
    names = robot.add_to(spec, visual=False, collision=True)
    base, (name, *_) = spec.body("robot/link0"), FITS[robot.kind].bloat
    for geom in base.geoms:
        spec.delete(geom)  # the Panda's is a box about it
    spec.add_mesh(name="base", uservert=FITS[robot.kind].mesh(name).vertices.ravel())
    base.add_geom(name="robot/base", type=mujoco.mjtGeom.mjGEOM_MESH, meshname="base")
    for geom in spec.geoms:
        geom.contype = geom.conaffinity = 1
    model, data, at = _compiled(spec, names)
    link = np.zeros(model.nbody, dtype=int)
    for body in range(1, model.nbody):
        own = model.body(body).name.removeprefix("robot/link")
        link[body] = int(own) if own.isdigit() else robot.dof
    return model, data, at, link


def test_what_spheres_say_is_free_does_not_touch_itself(robot):
    """Anywhere in the joints' limits, links that are not neighbours."""
    model, data, at, link = _touchable(robot)
    s, width = robot.spheres, robot.gripper.max_width
    data.qpos[at.fingers] = robot.finger_positions(width)
    deepest = {True: [], False: []}
    for q in np.random.default_rng(1).uniform(robot.limits.q_lower, robot.limits.q_upper, size=(3000, robot.dof)):
        centers = robot.sphere_centers(q[None], width)[0]
        free = kinematics.self_clearance(centers, s.radius, s.link, robot.self_pairs) >= 0.0
        data.qpos[at.q] = q
        mujoco.mj_kinematics(model, data)
        mujoco.mj_comPos(model, data)
        mujoco.mj_collision(model, data)
        links = link[model.geom_bodyid[data.contact.geom]]
        apart = np.abs(links[:, 0] - links[:, 1]) > 1
        deepest[bool(free)].append(-data.contact.dist[apart].min(initial=0.0))
    assert len(deepest[True]) > 1500
    assert max(deepest[True]) < 0.001
    assert np.mean(np.array(deepest[False]) > 0.003) > 0.5  # spheres stand out, but not far


def test_visual_geoms_are_coloured_meshes_that_touch_nothing(robot):
    model, _, _ = build(robot, visual=True, collision=False, servos=False)
    assert 25_000 < sum(model.mesh_facenum[model.geom_dataid]) < 45_000
    assert set(model.geom_group) == {2}
    assert not model.geom_contype.any()
    assert not model.geom_conaffinity.any()
    assert np.all(model.geom_matid >= 0)
    assert len(np.unique(model.mat_rgba, axis=0)) >= 5
    assert np.allclose(np.linalg.norm(model.mesh_normal, axis=1), 1.0, atol=1e-5)


def _points(model, data, geom):
    """Corners of a mesh or box geom, in the world."""
    if model.geom_type[geom] == mujoco.mjtGeom.mjGEOM_MESH:
        mesh = model.geom_dataid[geom]
        first = model.mesh_vertadr[mesh]
        points = model.mesh_vert[first : first + model.mesh_vertnum[mesh]]
    else:
        points = model.geom_size[geom] * (np.stack(np.meshgrid(*[[-1, 1]] * 3), -1).reshape(-1, 3))
    return points @ data.geom_xmat[geom].reshape(3, 3).T + data.geom_xpos[geom]


@pytest.mark.parametrize("width", [0.0, 0.04, 0.079])
@pytest.mark.parametrize("config", CONFIGS, ids=str)
def test_pads_are_at_the_width_and_reach_as_far_as_the_robot_says(config, width):
    """Those that are seen and those that touch."""
    robot = make_robot(config)
    model, data, at = build(robot, visual=True, collision=True)
    data.qpos[at.q], data.qpos[at.fingers] = robot.q_home, robot.finger_positions(width)
    mujoco.mj_kinematics(model, data)
    site = data.site(at.names.tcp_site)
    R, p = site.xmat.reshape(3, 3), site.xpos
    for body, side in zip(at.names.finger_bodies, (1.0, -1.0), strict=True):
        for group in (VISUAL_GROUP, COLLISION_GROUP):
            geoms = np.flatnonzero((model.geom_bodyid == model.body(body).id) & (model.geom_group == group))
            in_tcp = (np.concatenate([_points(model, data, geom) for geom in geoms]) - p) @ R
            assert in_tcp[:, 2].max() == pytest.approx(robot.pad_reach(width), abs=1e-3)
            assert (side * in_tcp[:, 1]).min() == pytest.approx(0.5 * width, abs=1e-3)
