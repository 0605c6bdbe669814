"""Many scenes as the worlds of one MuJoCo Warp model.

All worlds share one structure: the arm, the table, and slots for objects with slots for their convex parts. A world
fills them with its own objects, most parts first, so that the slots fit closely; what it leaves empty touches
nothing. Everything else that tells scenes apart is a field that Warp's model holds for each world.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import mujoco
import numpy as np
from numpy.typing import NDArray

from syngrasp.errors import SyngraspError
from syngrasp.physics.execution import Motion, Trial, lift_world, set_drives
from syngrasp.physics.warp_shapes import ObjectShape, ObjectShapes, join_tables
from syngrasp.physics.world import World
from syngrasp.records import PlacedObject, Scene
from syngrasp.robots.base import Robot

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

MAX_DOFS = 60  # of a world: MuJoCo Warp's limit for dense Jacobians
_ABSENT = -1  # as the mesh of a geom: the world has no such geom
_EMPTY_MASS, _EMPTY_INERTIA = 1.0, 1e-3  # of an empty slot [kg, kg m²]
_EMPTY_DEPTH = 10.0  # below the base [m]

_DRIVES = ("actuator_forcerange", "actuator_gainprm", "actuator_biasprm", "dof_damping", "tendon_damping")
BATCHED = (
    *("body_pos", "body_quat", "body_iquat", "body_inertia", "body_mass", "body_subtreemass", "body_invweight0"),
    *("geom_dataid", "geom_pos", "geom_quat", "geom_size", "geom_rbound", "geom_aabb", "geom_friction"),
    *("dof_invweight0", *_DRIVES),
)


@dataclass(frozen=True, slots=True)
class Slots:
    """Room for objects: the number of parts of each slot, descending."""

    parts: tuple[int, ...]

    @staticmethod
    def of(counts: Sequence[Sequence[int]], slots: int) -> Slots:
        """So many slots, with the least room for scenes, given the numbers of their objects' parts.

        Raises SyngraspError for a scene of more objects.
        """
        most = max(len(row) for row in counts)
        if most > slots:
            raise SyngraspError(f"a scene of {most} objects for an engine of {slots}; valid: up to {slots}")
        padded = np.array([sorted(row, reverse=True) + [0] * (slots - len(row)) for row in counts])
        return Slots(tuple(int(n) for n in padded.max(0)))


@dataclass(frozen=True, slots=True, eq=False)
class Worlds:
    """Scenes as worlds: the structure they share, and their fields. W worlds, K slots."""

    template: World
    fields: dict[str, NDArray]  # of MuJoCo Warp's model, by name, each (W, …)
    meshes: dict[str, NDArray]  # tables shared by all worlds
    slot: list[I32]  # of each object of each scene
    qpos: F64  # (W, nq) at the start
    table_position: F64  # (W, table geoms, 3) of the geoms named `table_geoms`
    table_geoms: I32


def build_worlds(trials: Sequence[Trial], robot: Robot, shapes: ObjectShapes, slots: Slots) -> Worlds:
    """Puts scenes into the slots. All trials share time step and solver: `structure` tells which may stand together.

    Raises SyngraspError for scenes that need more than MAX_DOFS degrees of freedom.
    """
    template = _template(trials[0], robot, slots)
    model = template.model
    if model.nv > MAX_DOFS:
        raise SyngraspError(f"{len(slots.parts)} objects need {model.nv} degrees of freedom; valid: up to {MAX_DOFS}")
    kept = [shapes.of(m) for t in trials for m in t.models]
    scales = [o.scale for t in trials for o in t.scene.objects]
    first_mesh, unique = _distinct(kept, scales)
    fields = {name: _repeated(model, name, len(trials)) for name in BATCHED}
    qpos = np.repeat(model.qpos0[None], len(trials), 0)
    table_geoms = np.array([model.geom(name).id for name in ("table", "table/slab")], dtype=np.int32)
    table_position = np.repeat(model.geom_pos[None, table_geoms], len(trials), 0)
    slot, at = [], 0
    for w, trial in enumerate(trials):
        stop = at + len(trial.models)
        mine = kept[at:stop]
        order = np.argsort([-s.parts for s in mine], kind="stable")
        world = _World({name: values[w] for name, values in fields.items()}, qpos[w], template, slots)
        for k in range(len(slots.parts)):
            if k < len(order):
                i = int(order[k])
                world.fill(k, trial.scene.objects[i], mine[i], first_mesh[at + i])
            else:
                world.leave_empty(k)
        world.drive(robot, trial.physics)
        world.place_table(trial.scene, table_geoms, table_position[w])
        _start(qpos[w], template, robot, trial.motion)
        slot.append(np.argsort(order).astype(np.int32))
        at = stop
    return Worlds(template, fields, join_tables(unique), slot, qpos, table_position, table_geoms)


def structure(trial: Trial) -> tuple[float, ...]:
    """What trials must have in common to be stepped together."""
    return tuple(float(trial.physics.get(name, 0.0)) for name in ("timestep", "noslip_iterations"))


@dataclass(frozen=True, slots=True, eq=False)
class _World:
    """Rows of one world in the fields of all."""

    rows: dict[str, NDArray]
    qpos: F64
    template: World
    slots: Slots

    def fill(self, k: int, placed: PlacedObject, shape: ObjectShape, first_mesh: int) -> None:
        """Puts an object, whose parts' meshes begin at `first_mesh`, into slot k."""
        rows, scale, (body, geoms) = self.rows, placed.scale, self._place(k)
        used = slice(geoms.start, geoms.start + shape.parts)
        rows["geom_dataid"][geoms] = _ABSENT
        rows["geom_dataid"][used] = first_mesh + np.arange(shape.parts)
        rows["geom_pos"][used] = shape.position * scale
        rows["geom_quat"][used] = shape.quaternion
        rows["geom_size"][used] = shape.size * scale
        rows["geom_rbound"][used] = shape.radius * scale
        rows["geom_aabb"][used] = shape.box * scale
        rows["geom_friction"][geoms, 0] = placed.friction
        rows["body_iquat"][body] = shape.inertia_frame
        self._set_mass(k, placed.mass, shape.inertia * (placed.mass * scale**2))
        self._set_pose(k, placed.pose)

    def leave_empty(self, k: int) -> None:
        """Leaves slot k without an object: it lies apart and touches nothing."""
        self.rows["geom_dataid"][self._place(k)[1]] = _ABSENT
        self._set_mass(k, _EMPTY_MASS, np.full(3, _EMPTY_INERTIA))
        self._set_pose(k, _aside(k))

    def drive(self, robot: Robot, physics: Mapping[str, float]) -> None:
        """Gives the arm the grip force and the servo gain of a run."""
        model = self.template.model
        compiled = {name: np.array(getattr(model, name)) for name in _DRIVES}
        set_drives(self.template, robot, physics)
        for name, values in compiled.items():
            self.rows[name][:] = getattr(model, name)
            getattr(model, name)[:] = values

    def place_table(self, scene: Scene, geoms: I32, position: F64) -> None:
        """Moves the table's top and slab, and gives them their size. `position` (geoms, 3) is written."""
        size = self.rows["geom_size"]
        position[:, :2] = scene.table_center
        position[:, 2] += scene.table_height - position[0, 2]
        size[geoms, :2] = np.asarray(scene.table_size) / 2
        slab = geoms[1]
        self.rows["geom_pos"][geoms] = position
        self.rows["geom_rbound"][slab] = np.linalg.norm(size[slab])
        self.rows["geom_aabb"][slab, 3:] = size[slab]

    def _place(self, k: int) -> tuple[int, slice]:
        model = self.template.model
        body = int(model.body(f"object{k}").id)
        first = int(model.body_geomadr[body])
        return body, slice(first, first + self.slots.parts[k])

    def _set_mass(self, k: int, mass: float, inertia: F64) -> None:
        """Mass and principal moments, and what MuJoCo derives of them for a free body."""
        rows, (body, _) = self.rows, self._place(k)
        rows["body_subtreemass"][0] += mass - rows["body_mass"][body]
        rows["body_mass"][body] = rows["body_subtreemass"][body] = mass
        rows["body_inertia"][body] = inertia
        weight = np.array([1.0 / mass, np.mean(1.0 / inertia)])
        rows["body_invweight0"][body] = weight
        rows["dof_invweight0"][self.template.object_v[k]] = np.repeat(weight, 3)

    def _set_pose(self, k: int, pose: F64) -> None:
        body, _ = self._place(k)
        self.rows["body_pos"][body], self.rows["body_quat"][body] = pose[:3], pose[3:]
        self.qpos[self.template.object_q[k]] = pose


def _template(trial: Trial, robot: Robot, slots: Slots) -> World:
    """The structure: a world with an object of small cubes in each slot."""
    cube = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * 0.05
    models = [replace(trial.models[0], hulls=(cube,) * n, inertia=np.eye(3), volume=1.0) for n in slots.parts]
    first = replace(trial.scene.objects[0], scale=1.0, mass=1.0, friction=1.0)
    objects = tuple(replace(first, pose=_aside(k)) for k in range(len(slots.parts)))
    scene = replace(trial.scene, objects=objects, target=0)
    options = {name: trial.physics[name] for name in ("timestep", "noslip_iterations") if name in trial.physics}
    world = lift_world(scene, models, robot, options)
    model = world.model
    # MuJoCo Warp knows neither trees that begin asleep nor a bit against resets, and it never resets.
    model.tree_sleep_policy[model.tree_sleep_policy == mujoco.mjtSleepPolicy.mjSLEEP_INIT] = (
        mujoco.mjtSleepPolicy.mjSLEEP_AUTO_ALLOWED
    )
    model.opt.enableflags &= ~int(mujoco.mjtEnableBit.mjENBL_SLEEP)
    model.opt.disableflags &= ~int(mujoco.mjtDisableBit.mjDSBL_AUTORESET)
    return world


def _aside(k: int) -> F64:
    """Where an empty slot k lies, apart from all else: pose7 in base."""
    return np.array([0.0, 0.0, -_EMPTY_DEPTH - k, 1.0, 0.0, 0.0, 0.0])


def _distinct(
    shapes: Sequence[ObjectShape], scales: Sequence[float]
) -> tuple[list[int], list[tuple[ObjectShape, float]]]:
    """For each object where its parts begin in the table of the distinct ones, and these."""
    first: dict[tuple[int, float], int] = {}
    unique: list[tuple[ObjectShape, float]] = []
    count = 0
    for shape, scale in zip(shapes, scales, strict=True):
        if (id(shape), scale) not in first:
            first[id(shape), scale] = count
            unique.append((shape, scale))
            count += shape.parts
    return [first[id(shape), scale] for shape, scale in zip(shapes, scales, strict=True)], unique


def _repeated(model: mujoco.MjModel, name: str, worlds: int) -> NDArray[Any]:
    return np.repeat(np.array(getattr(model, name))[None], worlds, 0)


def _start(qpos: F64, template: World, robot: Robot, motion: Motion) -> None:
    index = template.robot
    assert index is not None
    qpos[index.q] = motion.q[0]
    qpos[index.finger_q] = robot.finger_positions(robot.gripper.max_width)
