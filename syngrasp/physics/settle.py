"""Lets dropped objects come to rest.

A fall is worth nothing but its end, so it runs with soft contacts and in thick air: both take energy away and
neither moves an equilibrium. The last moments run with the contacts and the empty air that the grasp will meet,
so that the poses handed on are at rest there too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import mujoco
import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.physics.world import Body, ContactOptions, Table, World, build_world, diverged

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SettleOptions:
    """How long and how thickly objects fall."""

    max_time: float = 3.0  # of the fall [s]
    finish_time: float = 1.0  # longest time to come to rest under the true contacts [s]
    time_constant: float = 0.02  # of contacts during the fall [s]
    timestep: float = 0.005  # during the fall [s]
    linear_drag: float = 0.5  # time in which air stops a motion during the fall [s]
    angular_drag: float = 0.1  # time in which air stops a rotation during the fall [s]


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """How a fall ended."""

    poses: F64  # (N, 7) pose7 in base
    at_rest: bool
    diverged: bool
    time: float  # simulated [s]


_CHUNK = 10  # steps between two looks at whether all sleep


def settle(
    bodies: Sequence[Body],
    poses: F64,
    table: Table,
    contacts: ContactOptions | None = None,
    options: SettleOptions | None = None,
) -> Settled:
    """Drops bodies from poses (N, 7) in base onto a table and waits until all of them are at rest."""
    contacts, options = contacts or ContactOptions(), options or SettleOptions()
    falling = replace(contacts, time_constant=options.time_constant, timestep=options.timestep)
    world = build_world(bodies, table, options=falling)
    _thicken_air(world, options)
    data = mujoco.MjData(world.model)
    data.qpos[world.object_q] = poses
    fallen, time = _until_asleep(world.model, data, options.max_time)
    if not fallen:
        return _outcome(world, data, False, time)

    _clear_air(world, contacts)
    finished = mujoco.MjData(world.model)
    finished.qpos[:] = data.qpos
    at_rest, finish_time = _until_asleep(world.model, finished, options.finish_time)
    return _outcome(world, finished, at_rest, time + finish_time)


def _thicken_air(world: World, options: SettleOptions) -> None:
    model = world.model
    for dofs in world.object_v:
        body = model.dof_bodyid[dofs[0]]
        model.dof_damping[dofs[:3]] = model.body_mass[body] / options.linear_drag
        model.dof_damping[dofs[3:]] = model.body_inertia[body].max() / options.angular_drag


def _clear_air(world: World, contacts: ContactOptions) -> None:
    model = world.model
    model.dof_damping[world.object_v] = 0.0
    model.opt.timestep = contacts.timestep
    model.geom_solref[model.geom_bodyid > 0, 0] = contacts.time_constant


def _until_asleep(model: mujoco.MjModel, data: mujoco.MjData, max_time: float) -> tuple[bool, float]:
    """Steps until every object sleeps; whether they do, and the time it took [s]."""
    while data.time < max_time:
        mujoco.mj_step(model, data, nstep=_CHUNK)
        if diverged(data):
            return False, data.time
        if data.ntree_awake == 0:
            return True, data.time
    return False, data.time


def _outcome(world: World, data: mujoco.MjData, at_rest: bool, time: float) -> Settled:
    bad = diverged(data)
    poses = world.object_poses(np.asarray(data.qpos))
    if not bad:
        poses = se3.pose7_from_matrix(se3.matrix_from_pose7(poses))
    return Settled(poses, at_rest and not bad, bad, time)
