"""What cuRobo itself makes of what it is told: its own loader, collision checker and tensors. No GPU is needed, only an
installed cuRobo with its torch: these parts of it run on a CPU."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

from syngrasp import se3
from syngrasp.planning import curobo_robot
from syngrasp.planning.collision import SceneField
from syngrasp.planning.curobo_scene import build_world
from syngrasp.robots import RobotConfig, make_robot
from tests.planning import clutter

if importlib.util.find_spec("curobo") is None or importlib.util.find_spec("torch") is None:
    pytest.skip("cuRobo is not installed: `syngrasp doctor` says how to get it", allow_module_level=True)

ROBOTS = get_args(RobotConfig.model_fields["kind"].annotation)
PADDING, RADIUS = 0.01, 0.005  # [m]


def _cpu() -> Any:
    from curobo.types import DeviceCfg

    return DeviceCfg(device="cpu")


def _links(kinematics: Any, q: np.ndarray) -> list[np.ndarray]:
    """Poses of cuRobo's links by the tensors that its kernels read: a fixed transform, then a turn about z."""
    fixed, parents = kinematics.fixed_transforms.numpy(), kinematics.link_map.numpy()
    joints, poses = kinematics.joint_map.numpy(), []
    for i, own in enumerate(fixed):
        turn = se3.matrix_from_rpy([0.0, 0.0, q[joints[i]] if joints[i] >= 0 else 0.0])
        T = np.vstack([own[:3], [0.0, 0.0, 0.0, 1.0]]) @ se3.make(turn, np.zeros(3))
        poses.append(T if i == 0 else poses[parents[i]] @ T)
    return poses


@pytest.mark.parametrize("kind", ROBOTS)
def test_its_robot_has_our_kinematics_spheres_and_limits(kind: str, tmp_path: Path):
    from curobo._src.types.robot import RobotCfg

    robot = make_robot(RobotConfig.model_validate({"kind": kind}))
    (tmp_path / "robot.urdf").write_text(curobo_robot.urdf(robot))
    told = curobo_robot.robot_config(robot, tmp_path / "robot.urdf", PADDING)
    kinematics = RobotCfg.create(told, _cpu(), num_envs=2).kinematics.kinematics_config
    assert kinematics.joint_names == curobo_robot.joint_names(robot)
    assert kinematics.joint_limits.position.numpy() == pytest.approx(
        np.stack([robot.limits.q_lower, robot.limits.q_upper])
    )
    assert kinematics.joint_limits.velocity[1].numpy() == pytest.approx(robot.limits.velocity)
    spheres, link = kinematics.link_spheres[0].numpy(), kinematics.link_sphere_idx_map.numpy()
    assert spheres[:, 3] == pytest.approx(robot.spheres.radius + PADDING)
    for q in np.random.default_rng(0).uniform(robot.limits.q_lower, robot.limits.q_upper, (10, robot.dof)):
        poses = _links(kinematics, q)
        assert np.allclose(poses[kinematics.link_name_to_idx_map[curobo_robot.TCP]], robot.fk(q), atol=1e-6)
        centers = [se3.transform(poses[i], center[None])[0] for i, center in zip(link, spheres[:, :3], strict=True)]
        assert np.allclose(centers, robot.sphere_centers(q[None], robot.gripper.max_width)[0], atol=1e-6)


def test_its_collision_checker_agrees_with_ours_in_every_environment():
    """Three scenes at once, loaded twice: the meshes of the first time are gone, and each answers for itself."""
    torch = importlib.import_module("torch")
    from curobo._src.geom.collision.buffer_collision import CollisionBuffer
    from curobo._src.geom.collision.collision_scene import (
        SceneCollision,
        SceneCollisionCfg,
    )
    from curobo.scene import Scene

    from syngrasp.planning.curobo_solver import scene_of

    empty = [Scene.create({}) for _ in range(3)]  # as the solver makes its planner
    cfg = SceneCollisionCfg(device_cfg=_cpu(), scene_model=empty, cache={"cuboid": 1, "mesh": 64})
    checker = SceneCollision.from_config(cfg)
    points = np.random.default_rng(1).uniform((0.3, -0.3, 0.0), (0.75, 0.3, 0.35), (500, 3))
    balls = torch.zeros((3, 1, len(points), 4))
    balls[..., :3], balls[..., 3] = torch.as_tensor(points), RADIUS
    for first in (0, 3):
        scenes = [clutter.scene_grasps(np.random.default_rng(first + i)).scene for i in range(3)]
        checker.clear_cache()
        checker.data.meshes.clear(clear_warp_cache=True)
        for i, scene in enumerate(scenes):
            world = build_world(scene, clutter.models_of(scene), 64, prefix=f"{i}/")
            checker.load_collision_model(scene_of(world), env_idx=i)
        cost = checker.get_sphere_distance_raw(
            balls, CollisionBuffer.from_shape(balls.shape, _cpu()), torch.ones(1), torch.zeros(1),
            env_query_idx=torch.arange(3, dtype=torch.int32),
        )  # fmt: skip
        for hit, scene in zip(cost[:, 0].numpy() > 0.0, scenes, strict=True):
            field = SceneField.build(scene, clutter.models_of(scene))
            clearance = field.sphere_clearance(points[:, None], np.array([RADIUS]))
            clear = np.abs(clearance) > 0.004  # where the grid's spacing cannot matter
            assert clear.sum() > 400
            assert np.array_equal(hit[clear], clearance[clear] < 0.0)
