"""Robots and scenes as flat arrays: what the compiled kernels read."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from syngrasp.robots.base import Robot

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]


class RobotArrays(NamedTuple):
    """A serial chain and its collision spheres. Link 0 is the base, link i + 1 is behind joint i."""

    T_joint: F64  # (dof, 4, 4) frame of joint i at q = 0 in the link before it
    T_flange_tcp: F64  # (4, 4) TCP in the last link
    q_lower: F64  # (dof,) [rad]
    q_upper: F64  # (dof,) [rad]
    link: I32  # (S,) as in `Spheres`, one less than here: −1 the base; ascending
    center: F64  # (S, 3) in the link's frame, gripper closed [m]
    radius: F64  # (S,) [m]
    finger: F64  # (S,) 0 or ±1, as in `Spheres`
    first: I64  # (dof + 2,) first sphere of each link, then S
    bound_center: F64  # (dof + 1, 3) of a ball around a link's spheres, in the link's frame, gripper half open [m]
    bound_radius: F64  # (dof + 1,) for any gripper width [m]
    pairs: I64  # (P, 2) links that must keep apart


class FieldArrays(NamedTuple):
    """Signed distances of a scene: objects as grids, the table as a box without a floor."""

    address: I64  # (N,) memory address of each object's float32 grid
    shape: I64  # (N, 3)
    to_grid: F64  # (N, 3, 4) from base [m] to grid coordinates [cells]
    box: F64  # (N, 2, 3) lowest and highest corner of the object in grid coordinates [cells]
    cell: F64  # (N,) edge of a cell in the scene [m]
    scale: F64  # (N,) of the grid's values
    center: F64  # (N, 3) of a ball around the object, in base [m]
    radius: F64  # (N,) of that ball [m]
    table: F64  # (5,) centre x y, half size x y, top z [m]
    top: float  # highest point of any object, −inf without objects [m]


@lru_cache(maxsize=8)
def robot_arrays(robot: Robot) -> RobotArrays:
    """The arrays of a robot; made once for each robot object."""
    chain, spheres, width = robot.chain, robot.spheres, robot.gripper.max_width
    if np.any(np.diff(spheres.link) < 0):
        raise ValueError("collision spheres must be ordered by link")
    first = np.searchsorted(spheres.link, np.arange(-1, robot.dof + 1)).astype(np.int64)
    opened = spheres.center + 0.5 * width * spheres.finger[:, None] * chain.T_flange_tcp[:3, 1]
    bound_center, bound_radius = np.zeros((robot.dof + 1, 3)), np.zeros(robot.dof + 1)
    for link in range(robot.dof + 1):
        own = slice(first[link], first[link + 1])
        if own.start == own.stop:
            continue
        ends = np.concatenate([spheres.center[own], opened[own]])
        radii = np.tile(spheres.radius[own], 2)
        low, high = (ends - radii[:, None]).min(0), (ends + radii[:, None]).max(0)
        bound_center[link] = 0.5 * (low + high)
        bound_radius[link] = (np.linalg.norm(ends - bound_center[link], axis=1) + radii).max()
    return RobotArrays(
        T_joint=np.ascontiguousarray(chain.T_joint, dtype=np.float64),
        T_flange_tcp=np.ascontiguousarray(chain.T_flange_tcp, dtype=np.float64),
        q_lower=np.ascontiguousarray(robot.limits.q_lower, dtype=np.float64),
        q_upper=np.ascontiguousarray(robot.limits.q_upper, dtype=np.float64),
        link=np.ascontiguousarray(spheres.link, dtype=np.int32),
        center=np.ascontiguousarray(spheres.center, dtype=np.float64),
        radius=np.ascontiguousarray(spheres.radius, dtype=np.float64),
        finger=np.ascontiguousarray(spheres.finger, dtype=np.float64),
        first=first,
        bound_center=bound_center,
        bound_radius=bound_radius,
        pairs=np.ascontiguousarray(robot.self_pairs, dtype=np.int64).reshape(-1, 2) + 1,
    )
