"""MuJoCo's own verdict on configurations: what the arm touches in a scene built from meshes and convex parts."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np
from numpy.typing import NDArray

from syngrasp.physics.world import bodies_of, build_world, table_of
from syngrasp.records import ObjectModel, Scene
from syngrasp.robots.base import Robot
from tests.planning import clutter

F64 = NDArray[np.float64]


class Contacts:
    """Deepest penetrations of an arm and a held target in a scene; without models, in one of `clutter`."""

    def __init__(self, scene: Scene, arm: Robot | None = None, models: Sequence[ObjectModel] | None = None) -> None:
        self.scene, self.arm = scene, arm or clutter.robot()
        bodies = bodies_of(scene, clutter.models_of(scene) if models is None else models)
        self.world = build_world(bodies, table_of(scene), self.arm)
        self.data = mujoco.MjData(self.world.model)
        model = self.world.model
        names = [model.geom(i).name for i in range(model.ngeom)]
        self._of_arm = np.array([name.startswith("robot/") for name in names])
        self._of_target = np.array([name.startswith(f"object{scene.target}/") for name in names])

    def penetration(self, q: F64, width: float, *, held: float = 0.0, ignore_target: bool = False) -> float:
        """How deep [m] the arm, and the target raised by `held` [m], go into anything else; 0 if nowhere."""
        world, data = self.world, self.data
        assert world.robot is not None
        data.qpos[world.robot.q] = q
        data.qpos[world.robot.finger_q] = self.arm.finger_positions(width)
        poses = np.stack([o.pose for o in self.scene.objects])
        poses[self.scene.target, 2] += held
        data.qpos[world.object_q] = poses
        mujoco.mj_kinematics(world.model, data)
        mujoco.mj_comPos(world.model, data)
        mujoco.mj_collision(world.model, data)
        pairs = data.contact.geom
        arm, aim = self._of_arm[pairs].any(1), self._of_target[pairs].any(1)
        counts = (arm & ~(aim & ignore_target)) | (aim & (held > 0.0) & ~arm)
        return max(0.0, -float(data.contact.dist[counts].min(initial=0.0)))
