"""MuJoCo's own verdict on configurations: what the arm touches in a scene built from meshes and convex parts."""

from __future__ import annotations

import mujoco
import numpy as np
from numpy.typing import NDArray

from syngrasp.physics.world import bodies_of, build_world, table_of
from syngrasp.records import Scene
from tests.planning import clutter

F64 = NDArray[np.float64]


class Contacts:
    """Deepest penetrations of an arm and a held target in a scene."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.world = build_world(bodies_of(scene, clutter.models_of(scene)), table_of(scene), clutter.robot())
        self.data = mujoco.MjData(self.world.model)
        model = self.world.model
        self.names = [model.geom(i).name for i in range(model.ngeom)]

    def penetration(self, q: F64, width: float, *, held: float = 0.0, ignore_target: bool = False) -> float:
        """How deep [m] the arm, and the target raised by `held` [m], go into anything else; 0 if nowhere."""
        world, data, target = self.world, self.data, f"object{self.scene.target}/"
        assert world.robot is not None
        data.qpos[world.robot.q] = q
        data.qpos[world.robot.finger_q] = clutter.robot().finger_positions(width)[: len(world.robot.finger_q)]
        poses = np.stack([o.pose for o in self.scene.objects])
        poses[self.scene.target, 2] += held
        data.qpos[world.object_q] = poses
        mujoco.mj_kinematics(world.model, data)
        mujoco.mj_comPos(world.model, data)
        mujoco.mj_collision(world.model, data)
        deepest = 0.0
        for contact in data.contact:
            pair = [self.names[contact.geom1], self.names[contact.geom2]]
            arm = any(name.startswith("robot/") for name in pair)
            aim = any(name.startswith(target) for name in pair)
            if (arm and not (aim and ignore_target)) or (aim and held > 0.0 and not arm):
                deepest = max(deepest, -float(contact.dist))
        return deepest
