"""Lets dropped objects come to rest.

A fall is worth nothing but its end, so it runs with soft contacts and in thick air: both take energy away and
neither moves an equilibrium. The last moments run in empty air with the contacts that a grasp meets by default,
so that the poses handed on are at rest there too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import mujoco
import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.physics.world import Body, ContactOptions, Table, World, build_world, corners, diverged

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SettleOptions:
    """How long and how thickly objects fall."""

    max_time: float = 3.0  # of the fall [s]
    finish_time: float = 1.5  # longest time to come to rest under the true contacts [s]
    time_constant: float = 0.02  # of contacts during the fall [s]
    timestep: float = 0.005  # during the fall [s]
    linear_drag: float = 0.5  # time in which air stops a motion during the fall [s]
    angular_drag: float = 0.1  # time in which air stops a rotation during the fall [s]
    window: float = 0.05  # an object is at rest when nothing of it moves further than `still`… [s]
    still: float = 2e-4  # …from one window to the next, twice in a row [m]


@dataclass(frozen=True, slots=True, eq=False)
class Settled:
    """How a fall ended."""

    poses: F64  # (N, 7) pose7 in base
    at_rest: bool
    diverged: bool
    time: float  # simulated [s]


def settle(
    bodies: Sequence[Body],
    poses: F64,
    table: Table,
    contacts: ContactOptions | None = None,
    options: SettleOptions | None = None,
) -> Settled:
    """Drops bodies from poses (N, 7) in base onto a table and waits until all of them are at rest.

    At rest means that poses stay, not that velocities vanish: which corners of a mesh are found to touch flickers,
    and an object on many corners trembles by micrometres for ever.
    """
    contacts, options = contacts or ContactOptions(), options or SettleOptions()
    falling = replace(contacts, time_constant=options.time_constant, timestep=options.timestep)
    world = build_world(bodies, table, options=falling)
    _thicken_air(world, options)
    reach = np.array([body.scale * np.sqrt((corners(body.model) ** 2).sum(1).max()) for body in bodies])
    data = world.fresh_data()
    data.qpos[world.object_q] = poses
    fallen, time = _until_still(world, data, reach, options, options.max_time)
    if not fallen:
        return _outcome(world, data, False, time)

    _clear_air(world, contacts)
    fallen_to = data.qpos.copy()
    data = world.fresh_data()
    data.qpos[:] = fallen_to
    at_rest, finish_time = _until_still(world, data, reach, options, options.finish_time)
    return _outcome(world, data, at_rest, time + finish_time)


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


def _until_still(
    world: World, data: mujoco.MjData, reach: F64, options: SettleOptions, max_time: float
) -> tuple[bool, float]:
    """Steps until every object is at rest; whether they are, and the time it took [s].

    `reach` (N,) is how far an object's farthest point lies from its origin [m].
    """
    steps = max(1, round(options.window / world.model.opt.timestep))
    before, calm = world.object_poses(np.asarray(data.qpos)), 0
    while data.time < max_time and calm < 2:
        mujoco.mj_step(world.model, data, nstep=steps)
        if diverged(data):
            return False, data.time
        now = world.object_poses(np.asarray(data.qpos))
        calm = calm + 1 if _motion(before, now, reach).max(initial=0.0) < options.still else 0
        before = now
    return calm == 2, data.time


def _motion(before: F64, now: F64, reach: F64) -> F64:
    """How far (N,) [m] any point of an object moved at most between poses (N, 7)."""
    chord = np.minimum(
        np.linalg.norm(now[:, 3:] - before[:, 3:], axis=1), np.linalg.norm(now[:, 3:] + before[:, 3:], axis=1)
    )
    return np.linalg.norm(now[:, :3] - before[:, :3], axis=1) + 2.0 * reach * chord


def _outcome(world: World, data: mujoco.MjData, at_rest: bool, time: float) -> Settled:
    bad = diverged(data)
    poses = world.object_poses(np.asarray(data.qpos))
    if not bad:
        poses = se3.pose7_from_matrix(se3.matrix_from_pose7(poses))
    return Settled(poses, at_rest and not bad, bad, time)
