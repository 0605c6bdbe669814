# type: ignore  (Warp compiles these functions; their types are its, not Python's)
"""Warp kernels that feed motions to many worlds, keep untouched objects asleep, and write down states.

MuJoCo lets objects sleep until something awake touches them, and some rest only because of it: a ring on its edge would
roll away. MuJoCo Warp has a sleep of its own, of ten times as many kernels a step; here sleepers are put back instead.
"""

from __future__ import annotations

import warp as wp

from syngrasp.physics.execution import OFF_COURSE

RUNAWAY = wp.constant(1e3)  # a velocity beyond it has diverged [m/s, rad/s]
SHAKEN = wp.constant(OFF_COURSE)  # of a joint from its command in free air [rad]

wp.set_module_options({"enable_backward": False})


@wp.struct
class Commands:
    """Motions of W worlds, padded to F frames, and how far each has come."""

    q: wp.array3d(dtype=float)  # (W, F, dof)
    qd: wp.array3d(dtype=float)  # (W, F, dof)
    grip: wp.array2d(dtype=float)  # (W, F) wanted gripper width [m]
    lead: wp.array(dtype=float)  # (dof,) of the servos [s]
    joint: wp.array(dtype=int)  # (dof,) into qpos
    actuator: wp.array(dtype=int)  # (dof,) into ctrl
    gripper: int  # into ctrl
    dt: wp.array(dtype=float)  # (W,) between frames [s]
    last: wp.array(dtype=int)  # (W,) frame, at which the motion ends
    coarse: wp.array(dtype=int)  # (W,) steps from a frame to the next in free air
    fine: wp.array(dtype=int)  # (W,) and after it
    fine_from: wp.array(dtype=int)  # (W,) frame
    frame: wp.array(dtype=int)  # (W,) reached
    part: wp.array(dtype=int)  # (W,) steps done since
    bad: wp.array(dtype=int)  # (W,) 1: diverged


@wp.func
def steps_of(c: Commands, w: int) -> int:
    """Steps of the interval that a world is in; 0 when its motion has ended."""
    n = c.fine[w]
    if c.frame[w] < c.fine_from[w]:
        n = c.coarse[w]
    if c.frame[w] >= c.last[w]:
        n = 0
    return n


@wp.func
def off_course(c: Commands, w: int, qpos: wp.array2d(dtype=float)) -> bool:
    """Whether the arm is far from its command in a frame that it reaches with this step. What is not a number is
    not far."""
    n = steps_of(c, w)
    if n == 0 or c.part[w] + 1 < n:
        return False
    for j in range(c.joint.shape[0]):  # noqa: SIM110 (Warp knows no generators)
        if wp.abs(qpos[w, c.joint[j]] - c.q[w, c.frame[w] + 1, j]) > SHAKEN:
            return True
    return False


@wp.struct
class Sleepers:
    """Who is awake in W worlds of K slots; the arm counts as slot K and is always awake."""

    slot: wp.array(dtype=int)  # (geoms,) whose they are; −1 for the table
    q: wp.array(dtype=int)  # (K,) where a slot's seven coordinates begin in qpos
    v: wp.array(dtype=int)  # (K,) where its six begin in qvel
    awake: wp.array2d(dtype=int)  # (W, K + 1) 1: awake before this step
    roused: wp.array2d(dtype=int)  # (W, K + 1) 1: awake after it
    touched: wp.array(dtype=int)  # (W,) 1: the arm has touched something


@wp.kernel
def rouse(
    s: Sleepers,
    contacts: wp.array(dtype=int),
    world: wp.array(dtype=int),
    geoms: wp.array(dtype=wp.vec2i),
):
    """Wakes what something awake touched in this step, and notes what touched the arm."""
    i = wp.tid()
    if i >= contacts[0]:
        return
    w = world[i]
    a = s.slot[geoms[i][0]]
    b = s.slot[geoms[i][1]]
    arm = s.q.shape[0]
    if a == arm or b == arm:
        s.touched[w] = 1
    if a >= 0 and b >= 0:
        if s.awake[w, a] != 0:
            s.roused[w, b] = 1
        if s.awake[w, b] != 0:
            s.roused[w, a] = 1


@wp.kernel
def command(c: Commands, ctrl: wp.array2d(dtype=float), timestep: wp.array(dtype=float)):
    """Controls and step size of the next step: cubic Hermite interpolation, led by the servos' lag."""
    w, j = wp.tid()
    f = c.frame[w]
    n = steps_of(c, w)
    if n == 0:
        if j < c.q.shape[2]:
            ctrl[w, c.actuator[j]] = c.q[w, f, j]
        return
    dt = c.dt[w]
    if j == c.q.shape[2]:
        ctrl[w, c.gripper] = c.grip[w, f]
        timestep[w] = dt / float(n)
        return
    s = float(c.part[w]) / float(n)
    v0 = c.qd[w, f, j] * dt
    v1 = c.qd[w, f + 1, j] * dt
    jump = c.q[w, f + 1, j] - c.q[w, f, j]
    bend = 3.0 * jump - 2.0 * v0 - v1
    twist = v0 + v1 - 2.0 * jump
    position = c.q[w, f, j] + s * (v0 + s * (bend + s * twist))
    velocity = (v0 + s * (2.0 * bend + 3.0 * s * twist)) / dt
    ctrl[w, c.actuator[j]] = position + c.lead[j] * velocity


@wp.kernel
def record(
    c: Commands,
    s: Sleepers,
    qpos0: wp.array2d(dtype=float),
    qpos: wp.array2d(dtype=float),
    qvel: wp.array2d(dtype=float),
    warmstart: wp.array2d(dtype=float),
    qpos_out: wp.array3d(dtype=float),
    qvel_out: wp.array3d(dtype=float),
):
    """Puts sleepers back, and writes down the states of worlds that have reached a frame.

    Contacts are only ever resolved by fine steps: where the arm touches something in free air, or leaves its course
    there, the world goes back a frame and on with fine steps. A world that has diverged is put back to the start and
    kept there, so that what it holds are numbers and its contacts few.
    """
    w = wp.tid()
    f = c.frame[w]
    if f < c.fine_from[w] and (s.touched[w] != 0 or off_course(c, w, qpos)):
        go = wp.max(f - 1, 0)
        c.fine_from[w] = go
        c.frame[w] = go
        c.part[w] = 0
        for k in range(s.q.shape[0]):
            s.roused[w, k] = 0
        for i in range(qpos.shape[1]):
            qpos[w, i] = qpos_out[w, go, i]
        for i in range(qvel.shape[1]):
            qvel[w, i] = qvel_out[w, go, i]
            warmstart[w, i] = 0.0
        return
    for k in range(s.q.shape[0]):
        s.awake[w, k] = s.roused[w, k]
        if s.roused[w, k] == 0:
            for i in range(7):
                qpos[w, s.q[k] + i] = qpos0[w, s.q[k] + i]
            for i in range(6):
                qvel[w, s.v[k] + i] = 0.0
                warmstart[w, s.v[k] + i] = 0.0
    n = steps_of(c, w)
    wrong = c.bad[w]
    for i in range(qvel.shape[1]):
        if not (wp.abs(qvel[w, i]) < RUNAWAY):
            wrong = 1
    for i in range(qpos.shape[1]):
        if not wp.isfinite(qpos[w, i]):
            wrong = 1
    if wrong != 0:
        if n > 0:
            c.bad[w] = 1
        for i in range(qpos.shape[1]):
            qpos[w, i] = qpos0[w, i]
        for i in range(qvel.shape[1]):
            qvel[w, i] = 0.0
            warmstart[w, i] = 0.0
        return
    if n == 0:
        return
    c.part[w] = c.part[w] + 1
    if c.part[w] == n:
        c.part[w] = 0
        c.frame[w] = f + 1
        for i in range(qpos.shape[1]):
            qpos_out[w, f + 1, i] = qpos[w, i]
        for i in range(qvel.shape[1]):
            qvel_out[w, f + 1, i] = qvel[w, i]
