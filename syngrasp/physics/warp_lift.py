"""Executes many motions in many scenes at once on MuJoCo Warp: the counterpart of `execution.execute` for a GPU.

A world steps through its motion at its own step sizes, as `execute` would: coarse in free air, fine from the grasp on.
Commands are interpolated and states recorded on the device, so that nothing is waited for between two steps; on CUDA
a step is one graph.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from syngrasp.errors import MissingExtra
from syngrasp.physics.execution import FREE_STEP, Motion, Recording, Trial, last_closing, steps_in
from syngrasp.physics.warp_kernels import Commands, Sleepers, command, record, rouse
from syngrasp.physics.warp_shapes import ObjectShapes
from syngrasp.physics.warp_worlds import Slots, Worlds, build_worlds, structure
from syngrasp.robots.base import Robot
from syngrasp.warp_device import start_warp

F64 = NDArray[np.float64]

OBJECTS = 8  # places in a world: the most that a layout holds
CONTACTS, ROWS = 96, 384  # room for a world at first: contacts (shared by all worlds) and constraint rows
GROWTH, TRIES = 2, 4  # of the room, when it was too small


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

    Every world has places for `objects` objects, filled or not, so that it computes the same numbers in any company:
    on a CPU a recording depends on its trial alone, to the last bit. On a GPU that does not hold: MuJoCo Warp adds up
    the contacts of all worlds in strides of one list, so that the order of a world's sums shifts with the contacts of
    those before it. `deterministic` keeps that order from run to run, at a cost: the same batch then gives the same
    bits again. `contacts` and `rows` of constraints are the room for a world at first; it grows when it was too small.
    Raises MissingExtra without MuJoCo Warp, SyngraspError without the device.
    """

    def __init__(
        self,
        robot: Robot,
        device: str,
        deterministic: bool = True,
        objects: int = OBJECTS,
        contacts: int = CONTACTS,
        rows: int = ROWS,
    ) -> None:
        try:
            import mujoco_warp
        except ImportError:
            raise MissingExtra("GPU physics (lift.kind mjwarp)", "gpu") from None
        start_warp(device, "lift.device")
        self._mjw: Any = mujoco_warp
        self._robot = robot
        self._device = wp.get_device(device)
        self._ordered = deterministic and self._device.is_cuda  # on a CPU Warp runs one thread
        self._shapes = ObjectShapes()
        self._objects = objects
        self._contacts, self._rows = contacts, rows

    def execute(self, trials: Sequence[Trial]) -> list[Recording]:
        """A recording for each trial, in order; the verdict is `lift.judge`'s. Raises SyngraspError for a scene of
        too many objects."""
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
        worlds = build_worlds(trials, self._robot, self._shapes, Slots.of(counts, self._objects))
        run = self._run(worlds, trials)
        for _ in range(TRIES - 1):
            if not run.overflow:
                break
            self._contacts, self._rows = GROWTH * self._contacts, GROWTH * self._rows
            run = self._run(worlds, trials)
        return [self._recording(worlds, run, w, trial.motion) for w, trial in enumerate(trials)]

    def _run(self, worlds: Worlds, trials: Sequence[Trial]) -> _Run:
        with wp.ScopedDevice(self._device):
            model, data = self._on_device(worlds, len(trials))
            commands = _commands(worlds, self._robot, [trial.motion for trial in trials])
            frames, width = commands.q.shape[1], commands.q.shape[2] + 1
            sleepers, start = _sleepers(worlds, len(trials)), wp.clone(data.qpos)
            contact = data.contact
            qpos_out = wp.array(np.repeat(worlds.qpos[:, None], frames, 1), dtype=float)
            qvel_out = wp.zeros((len(trials), frames, worlds.template.model.nv), dtype=float)

            def step() -> None:
                wp.launch(command, (len(trials), width), [commands, data.ctrl, model.opt.timestep])
                self._mjw.step(model, data)
                states = [data.qpos, data.qvel, data.qacc_warmstart]
                wp.launch(rouse, data.naconmax, [sleepers, data.nacon, contact.worldid, contact.geom])
                wp.launch(record, len(trials), [commands, sleepers, start, *states, qpos_out, qvel_out])

            repeat = _repeater(step, self._device)
            while steps := _steps_left(commands):
                repeat(steps)
            overflow = self._mjw.OverflowType
            full = overflow.NEFC | overflow.BROADPHASE | overflow.NARROWPHASE | overflow.CCD
            qpos, qvel = qpos_out.numpy().astype(np.float64), qvel_out.numpy().astype(np.float64)
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
        model.opt.broadphase = mjw.BroadphaseType.NXN  # keeps the order of contacts, however many parts others have
        model.opt.deterministic = self._ordered
        model.opt.graph_conditional = not self._device.is_cuda or wp.is_conditional_graph_supported()
        model.opt.timestep = wp.full(count, compiled.opt.timestep, dtype=float)
        for name, values in worlds.fields.items():
            # A lone world stands twice: with one row MuJoCo Warp does not look for absent meshes.
            _assign(getattr(model, name), values if count > 1 else np.repeat(values, 2, 0))
        for name, values in worlds.meshes.items():
            setattr(model, name, wp.array(values, dtype=getattr(model, name).dtype))
        data = mjw.make_data(compiled, nworld=count, nconmax=self._contacts, njmax=self._rows)
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
            self._robot.width_of(qpos[:, index.finger_q]),
            self._robot.fk(q),
            world.object_poses(qpos)[:, worlds.slot[w]],
            bool(run.bad[w]),
        )


def _commands(worlds: Worlds, robot: Robot, motions: Sequence[Motion]) -> Any:
    model, index = worlds.template.model, worlds.template.robot
    assert index is not None
    frames = max(len(motion.q) for motion in motions)
    count, dof = len(motions), motions[0].q.shape[1]
    q, qd = np.empty((count, frames, dof)), np.zeros((count, frames, dof))
    grip = np.empty((count, frames))
    for w, motion in enumerate(motions):
        last = len(motion.q) - 1
        q[w], grip[w] = motion.q[-1], robot.gripper.max_width * float(motion.gripper[-1] > 0)
        q[w, : last + 1], qd[w, : last + 1] = motion.q, motion.qd
        grip[w, : last + 1] = robot.gripper.max_width * (motion.gripper > 0)
    c: Any = Commands()
    c.q, c.qd, c.grip = (wp.array(values, dtype=float) for values in (q, qd, grip))
    lead = -model.actuator_biasprm[index.actuators, 2] / model.actuator_gainprm[index.actuators, 0]
    c.lead, c.actuator = wp.array(lead, dtype=float), wp.array(index.actuators, dtype=int)
    c.joint = wp.array(index.q, dtype=int)
    c.gripper, c.dt = index.gripper, wp.array([motion.dt for motion in motions], dtype=float)
    c.last = wp.array([len(motion.q) - 1 for motion in motions], dtype=int)
    timestep = model.opt.timestep
    c.coarse = wp.array([steps_in(motion.dt, max(timestep, FREE_STEP)) for motion in motions], dtype=int)
    c.fine = wp.array([steps_in(motion.dt, timestep) for motion in motions], dtype=int)
    c.fine_from = wp.array([last_closing(motion.gripper) for motion in motions], dtype=int)
    c.frame, c.part = wp.zeros(count, dtype=int), wp.zeros(count, dtype=int)
    finite = np.isfinite(q).all((1, 2)) & np.isfinite(qd).all((1, 2))  # forces are clamped: they would hide it
    c.bad = wp.array(np.where(finite, 0, 1), dtype=int)
    return c


def _sleepers(worlds: Worlds, count: int) -> Any:
    """All objects asleep, the arm awake."""
    world, model = worlds.template, worlds.template.model
    slots = len(world.object_q)
    of_body = np.where(model.body_weldid > 0, slots, -1)
    for k in range(slots):
        of_body[model.body(f"object{k}").id] = k
    awake = np.zeros((count, slots + 1))
    awake[:, slots] = 1
    s: Any = Sleepers()
    s.slot = wp.array(of_body[model.geom_bodyid], dtype=int)
    s.q, s.v = wp.array(world.object_q[:, 0], dtype=int), wp.array(world.object_v[:, 0], dtype=int)
    s.awake, s.roused = wp.array(awake, dtype=int), wp.array(awake, dtype=int)
    s.touched = wp.zeros(count, dtype=int)
    return s


def _steps_left(c: Any) -> int:
    """Most steps that a world has before it, if its arm touches nothing too early."""
    frame, last, fine_from = c.frame.numpy(), c.last.numpy(), c.fine_from.numpy()
    coarse = np.maximum(np.minimum(fine_from, last) - frame, 0)
    left = coarse * c.coarse.numpy() + (last - frame - coarse) * c.fine.numpy() - c.part.numpy()
    return int(np.where(c.bad.numpy() > 0, 0, left).max())


def _repeater(step: Callable[[], None], device: Any) -> Callable[[int], None]:
    """Runs a step a number of times; on CUDA as one graph, recorded in the second step, when all kernels are loaded."""
    graph: Any = None

    def repeat(times: int) -> None:
        nonlocal graph
        if device.is_cuda and graph is None:
            step()
            times -= 1
            with wp.ScopedCapture() as capture:
                step()
            graph = capture.graph
        for _ in range(times):
            wp.capture_launch(graph) if graph is not None else step()

    return repeat


def _assign(array: Any, values: NDArray) -> None:
    """Copies numbers into an array of Warp of as many."""
    array.assign(np.ascontiguousarray(values).reshape(*array.shape, *getattr(array.dtype, "_shape_", ())))
