"""Scenes and plans written by hand: straight down, close, straight up."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from syngrasp import se3
from syngrasp.records import ObjectModel, Phase, PlacedObject, Plan, Scene, Slot
from syngrasp.robots.base import Robot

F64 = NDArray[np.float64]

DT = 0.1
REACH, CLOSE, LIFT, HOLD = 16, 6, 14, 8  # frames


def scene_of(
    robot: Robot,
    models: Sequence[ObjectModel],
    spots: Sequence[tuple[float, float]],
    table_height: float = 0.05,
    mass: float = 0.15,
    friction: float = 1.0,
) -> Scene:
    """Objects standing upright at spots on the table; the first is the target."""
    objects = tuple(
        PlacedObject(
            m.entry.uid, 1.0, mass, friction, np.array([x, y, table_height + m.stable_poses[0, 2, 3], 1, 0, 0, 0])
        )
        for m, (x, y) in zip(models, spots, strict=True)
    )
    return Scene(
        Slot(0, 0), robot.kind, objects, 0, models[0].entry.category, "pick up the box", table_height, (0.65, 0.0),
        (0.86, 1.2), robot.q_home,
    )  # fmt: skip


def straight_plan(
    robot: Robot,
    scene: Scene,
    width: float,
    grasp_offset: tuple[float, float, float] = (0.0, 0.0, 0.0),
    start_offset: tuple[float, float, float] = (0.0, 0.0, 0.12),
    rise: float = 0.15,
) -> Plan:
    """From an offset of the grasp to the grasp, close, lift and hold; the hand points down, its fingers closing
    along y. The grasp is at the target's centre of mass, moved by an offset [m]."""
    R = np.diag([1.0, -1.0, -1.0])
    grasp = scene.objects[scene.target].pose[:3] + grasp_offset
    share = np.concatenate([_minimum_jerk(REACH), np.ones(CLOSE)])
    down = grasp + np.outer(1.0 - share, start_offset)
    up = grasp + np.outer(np.concatenate([_minimum_jerk(LIFT), np.ones(HOLD)]), [0.0, 0.0, rise])
    T = se3.make(np.broadcast_to(R, (len(down) + len(up), 3, 3)), np.concatenate([down, up]))
    q = [_nearest(robot, T[0])]
    for pose in T[1:]:
        following = robot.ik_near(pose, q[-1])
        assert following is not None
        q.append(following)
    times = np.arange(len(q)) * DT
    phase = np.repeat([Phase.REACH, Phase.CLOSE, Phase.LIFT, Phase.HOLD], [REACH, CLOSE, LIFT, HOLD]).astype(np.uint8)
    return Plan(
        scene=scene,
        T_base_grasp=se3.make(R, grasp),
        grasp_width=width,
        grasp_quality=1.0,
        dt=DT,
        q=np.stack(q),
        qd=CubicSpline(times, np.stack(q), bc_type="clamped")(times, 1),
        gripper=np.where(phase == Phase.REACH, 1.0, -1.0),
        phase=phase,
    )


def _minimum_jerk(frames: int) -> F64:
    s = np.linspace(0.0, 1.0, frames)
    return s**3 * (10 - 15 * s + 6 * s * s)


def _nearest(robot: Robot, T: F64) -> F64:
    q = robot.ik(T, 32)
    return q[np.abs(q - robot.q_home).max(1).argmin()]
