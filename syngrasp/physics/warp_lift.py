"""Executes many motions in many scenes at once on MuJoCo Warp: the counterpart of `lift.execute` for a GPU.

A world steps through its motion at its own step sizes, as `execute` would: coarse in free air, fine near the grasp.
Commands are interpolated and states recorded on the device, so that nothing is waited for between two steps; on CUDA
a step is one graph.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from syngrasp.errors import MissingExtra
from syngrasp.physics.lift import COARSE_STEP, Motion, Recording, interval_is_far
from syngrasp.physics.warp_shapes import ObjectShapes
from syngrasp.physics.warp_worlds import Slots, Trial, Worlds, build_worlds, structure
from syngrasp.robots.base import Robot
from syngrasp.warp_device import start_warp

F64 = NDArray[np.float64]

CONTACTS, ROWS = 96, 384  # room for a world at first: contacts (shared by all worlds) and constraint rows
GROWTH, TRIES = 2, 4  # of the room, when it was too small
RUNAWAY = wp.constant(1e3)  # a velocity beyond it has diverged [m/s, rad/s]

wp.set_module_options({"enable_backward": False})


@wp.struct
class Commands:
    """Motions of W worlds, padded to F frames, and how far each has come."""

    q: wp.array3d(dtype=float)  # (W, F, dof)
    qd: wp.array3d(dtype=float)  # (W, F, dof)
    grip: wp.array2d(dtype=float)  # (W, F) wanted gripper width [m]
    lead: wp.array(dtype=float)  # (dof,) of the servos [s]
    actuator: wp.array(dtype=int)  # (dof,) into ctrl
    gripper: int  # into ctrl
    dt: wp.array(dtype=float)  # (W,) between frames [s]
    parts: wp.array2d(dtype=int)  # (W, F) steps in the interval that begins at a frame; 0 where the motion has ended
    frame: wp.array(dtype=int)  # (W,) reached
    part: wp.array(dtype=int)  # (W,) steps done since
    bad: wp.array(dtype=int)  # (W,) 1: diverged


@wp.kernel
def command(c: Commands, ctrl: wp.array2d(dtype=float), timestep: wp.array(dtype=float)):  # type: ignore
    """Controls and step size of the next step: cubic Hermite interpolation, led by the servos' lag."""
    w, j = wp.tid()
    f = c.frame[w]
    n = c.parts[w, f]
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
    qpos0: wp.array2d(dtype=float),  # type: ignore
    qpos: wp.array2d(dtype=float),  # type: ignore
    qvel: wp.array2d(dtype=float),  # type: ignore
    warmstart: wp.array2d(dtype=float),  # type: ignore
    qpos_out: wp.array3d(dtype=float),  # type: ignore
    qvel_out: wp.array3d(dtype=float),  # type: ignore
):
    """Writes down the states of worlds that have reached a frame. A world that has diverged is put back to the start
    and kept there, so that what it holds are numbers and its contacts few."""
    w = wp.tid()
    f = c.frame[w]
    n = c.parts[w, f]
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


@dataclass(frozen=True, slots=True, eq=False)
class _Run:
    """What came of a batch, padded to F frames."""

    qpos: F64  # (W, F, nq)
    qvel: F64  # (W, F, nv)
    frame: NDArray[np.int32]  # (W,) reached
    bad: NDArray[np.bool_]  # (W,)
    overflow: bool


class WarpLift:
    """Executes trials in batches on a device, "cuda" or "cpu".

    Raises MissingExtra without MuJoCo Warp, SyngraspError without the device.
    """

    def __init__(self, robot: Robot, device: str) -> None:
        try:
            import mujoco_warp
        except ImportError:
            raise MissingExtra("GPU physics (lift.kind mjwarp)", "gpu") from None
        start_warp(device, "lift.device")
        self._mjw: Any = mujoco_warp
        self._robot = robot
        self._device = wp.get_device(device)
        self._shapes = ObjectShapes()
        self._slots = Slots((1,))
        self._room = 1

    def execute(self, trials: Sequence[Trial]) -> list[Recording]:
        """A recording for each trial, in order; the verdict is `lift.judge`'s."""
        out: list[Recording | None] = [None] * len(trials)
        alike: dict[tuple[float, ...], list[int]] = {}
        for i, trial in enumerate(trials):
            alike.setdefault(structure(trial), []).append(i)
        for members in alike.values():
            for i, recording in zip(members, self._execute([trials[i] for i in members]), strict=True):
                out[i] = recording
        return [recording for recording in out if recording is not None]

    def _execute(self, trials: Sequence[Trial]) -> list[Recording]:
        counts = [[self._shapes.of(m).parts for m in trial.models] for trial in trials]
        self._slots = self._slots.join(Slots.of(counts))  # grows only: a new structure costs a compilation
        worlds = build_worlds(trials, self._robot, self._shapes, self._slots)
        run = self._run(worlds, trials)
        for _ in range(TRIES - 1):
            if not run.overflow:
                break
            self._room *= GROWTH
            run = self._run(worlds, trials)
        return [self._recording(worlds, run, w, trial.motion) for w, trial in enumerate(trials)]

    def _run(self, worlds: Worlds, trials: Sequence[Trial]) -> _Run:
        with wp.ScopedDevice(self._device):
            model, data = self._on_device(worlds, len(trials))
            commands = _commands(worlds, self._robot, [trial.motion for trial in trials])
            frames, width = commands.q.shape[1], commands.q.shape[2] + 1
            start = wp.clone(data.qpos)
            qpos_out = wp.zeros((len(trials), frames, worlds.template.model.nq), dtype=float)
            qvel_out = wp.zeros((len(trials), frames, worlds.template.model.nv), dtype=float)

            def step() -> None:
                wp.launch(command, (len(trials), width), [commands, data.ctrl, model.opt.timestep])
                self._mjw.step(model, data)
                states = [data.qpos, data.qvel, data.qacc_warmstart]
                wp.launch(record, len(trials), [commands, start, *states, qpos_out, qvel_out])

            _repeat(step, int(commands.parts.numpy().sum(1).max()), self._device)
            overflow = self._mjw.OverflowType
            full = overflow.NEFC | overflow.BROADPHASE | overflow.NARROWPHASE | overflow.CCD
            qpos, qvel = qpos_out.numpy().astype(np.float64), qvel_out.numpy().astype(np.float64)
            qpos[:, 0] = worlds.qpos
            return _Run(
                qpos,
                qvel,
                commands.frame.numpy(),
                commands.bad.numpy() > 0,
                bool((data.overflow.numpy() & int(full)).any()),
            )

    def _on_device(self, worlds: Worlds, count: int) -> tuple[Any, Any]:
        """Model and data of Warp."""
        mjw, compiled = self._mjw, worlds.template.model
        model = mjw.put_model(compiled, batch_sizes={name: max(count, 2) for name in worlds.fields})
        model.opt.warn_overflow = 0
        model.opt.timestep = wp.full(count, compiled.opt.timestep, dtype=float)
        for name, values in worlds.fields.items():
            # A lone world stands twice: with one row MuJoCo Warp does not look for absent meshes.
            _assign(getattr(model, name), values if count > 1 else np.repeat(values, 2, 0))
        for name, values in worlds.meshes.items():
            setattr(model, name, wp.array(values, dtype=getattr(model, name).dtype))
        data = mjw.make_data(
            compiled, nworld=count, nconmax=self._room * CONTACTS, njmax=self._room * ROWS
        )
        _assign(data.qpos, worlds.qpos)
        position = data.geom_xpos.numpy()
        position[:, worlds.table_geoms] = worlds.table_position
        _assign(data.geom_xpos, position)
        return model, data

    def _recording(self, worlds: Worlds, run: _Run, w: int, motion: Motion) -> Recording:
        world, index = worlds.template, worlds.template.robot
        assert index is not None
        done = len(motion.q) if not run.bad[w] else int(run.frame[w]) + 1
        qpos, qvel = run.qpos[w, :done], run.qvel[w, :done]
        q = qpos[:, index.q]
        return Recording(
            q,
            qvel[:, index.v],
            qpos[:, index.finger_q].sum(1),
            self._robot.fk(q),
            world.object_poses(qpos)[:, worlds.slot[w]],
            bool(run.bad[w]),
        )


def steps_per_interval(robot: Robot, motion: Motion, timestep: float) -> NDArray[np.int32]:
    """Physics steps (F − 1,) in the intervals between a motion's frames."""
    far = interval_is_far(robot, motion)
    coarse, fine = (round(motion.dt / step) for step in (max(timestep, COARSE_STEP), timestep))
    return np.where(far, coarse, fine).astype(np.int32)


def _commands(worlds: Worlds, robot: Robot, motions: Sequence[Motion]) -> Commands:
    model, index = worlds.template.model, worlds.template.robot
    assert index is not None
    frames = max(len(motion.q) for motion in motions)
    count, dof = len(motions), motions[0].q.shape[1]
    q, qd = np.empty((count, frames, dof)), np.zeros((count, frames, dof))
    grip, parts = np.empty((count, frames)), np.zeros((count, frames), dtype=np.int32)
    for w, motion in enumerate(motions):
        last = len(motion.q) - 1
        q[w], grip[w] = motion.q[-1], robot.gripper.max_width * float(motion.gripper[-1] > 0)
        q[w, : last + 1], qd[w, : last + 1] = motion.q, motion.qd
        grip[w, : last + 1] = robot.gripper.max_width * (motion.gripper > 0)
        parts[w, :last] = steps_per_interval(robot, motion, model.opt.timestep)
    c: Any = Commands()
    c.q, c.qd, c.grip = (wp.array(values, dtype=float) for values in (q, qd, grip))
    lead = -model.actuator_biasprm[index.actuators, 2] / model.actuator_gainprm[index.actuators, 0]
    c.lead, c.actuator = wp.array(lead, dtype=float), wp.array(index.actuators, dtype=int)
    c.gripper, c.dt = index.gripper, wp.array([motion.dt for motion in motions], dtype=float)
    c.parts = wp.array(parts, dtype=int)
    c.frame, c.part, c.bad = (wp.zeros(count, dtype=int) for _ in range(3))
    return c


def _repeat(step: Any, times: int, device: Any) -> None:
    """Runs a step many times; on CUDA as one graph, recorded in the second step, when all kernels are loaded."""
    if not device.is_cuda:
        for _ in range(times):
            step()
        return
    step()
    with wp.ScopedCapture() as capture:
        step()
    for _ in range(times - 1):
        wp.capture_launch(capture.graph)


def _assign(array: Any, values: NDArray) -> None:
    """Copies numbers into an array of Warp of as many."""
    array.assign(np.ascontiguousarray(values).reshape(*array.shape, *getattr(array.dtype, "_shape_", ())))
