"""Pushes what a hand holds from six sides: a grasp that keeps it holds by more than luck."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.physics.world import World, diverged
from syngrasp.robots.base import Robot

F64 = NDArray[np.float64]

DIRECTIONS = ("+x", "-x", "+y", "-y", "+z", "-z")  # of the base frame
LOOK = 10  # physics steps between two looks at the held object


@dataclass(frozen=True, slots=True)
class PushResult:
    """How an object stood six pushes."""

    slip: float  # largest motion in the hand from before the first push on [m]; ∞ when the simulation diverged
    direction: str  # of the push under which it was that large


def push(world: World, robot: Robot, target: int, force: float, time: float) -> PushResult:
    """Pushes the target with a force [N] along ±x, ±y and ±z of the base, one after the other.

    Each push acts at the target's centre of mass for a time [s] and is followed by as long without. It goes on from
    the end of the run that the world has just made, the arm and the gripper being told what they were told last.
    """
    model, data = world.model, world.data
    steps = max(1, round(time / model.opt.timestep))
    body = model.body(f"object{target}").id
    before = _in_hand(world, robot, target)
    worst = PushResult(0.0, DIRECTIONS[0])
    for index, name in enumerate(DIRECTIONS):
        for pushing in (True, False):
            data.xfrc_applied[body, index // 2] = pushing * force * (1.0 if index % 2 == 0 else -1.0)
            for first in range(0, steps, LOOK):
                mujoco.mj_step(model, data, nstep=min(LOOK, steps - first))
                if diverged(data):
                    return PushResult(np.inf, name)
                moved = float(np.linalg.norm(_in_hand(world, robot, target) - before))
                if moved > worst.slip:
                    worst = PushResult(moved, name)
    return worst


def _in_hand(world: World, robot: Robot, target: int) -> F64:
    """The target's position (3,) in the TCP frame [m]."""
    assert world.robot is not None
    qpos = np.asarray(world.data.qpos)
    T_tcp_base = se3.invert(robot.fk(qpos[world.robot.q]))
    return se3.transform(T_tcp_base, world.object_poses(qpos)[target, None, :3])[0]
