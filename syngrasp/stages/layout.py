"""Slot → Scene: draws objects, table, start and task, drops the objects and lets them come to rest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from syngrasp import se3
from syngrasp.errors import CatalogError
from syngrasp.records import ObjectEntry, ObjectModel, PlacedObject, Scene, Slot
from syngrasp.seeding import rng
from syngrasp.stage import Rejected
from syngrasp.stages.context import StageContext

if TYPE_CHECKING:
    from syngrasp.physics.settle import Settled
    from syngrasp.physics.world import Body, Table

F64 = NDArray[np.float64]
Range = tuple[float, float]

SPOT_TRIES = 10  # at finding room for all objects
START_TRIES = 12
TABLETOPS = 32  # kept in a process: groups that are worked on at a time
START_REACH = 1.3  # largest joint distance of a start from home [rad]: keeps the elbow up
INSTRUCTIONS = ("pick up the {}", "pick up {}", "grasp the {}", "grab the {}", "lift the {}", "take the {}")


class LayoutConfig(BaseModel):
    """What lies on the table and how it got there. Positions are in the robot's base frame."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["drop"] = Field("drop", description="how scenes are made: objects are dropped and settle")
    objects: tuple[int, int] = Field((4, 8), description="range of the number of objects, 1 to 8")
    episodes_per_scene: int = Field(
        1, ge=1, le=10_000, description="slots that share objects and poses, each with its own target, start and grasp"
    )
    area_x: Range = Field((0.30, 0.70), description="where objects lie, along x [m]")
    area_y: Range = Field((-0.25, 0.25), description="where objects lie, along y [m]")
    margin: float = Field(0.03, ge=0.0, le=0.2, description="how far beyond the area an object may come to rest [m]")
    gap: float = Field(0.02, ge=0.0, le=0.2, description="least distance between objects when dropped [m]")
    table_height: Range = Field((-0.1, 0.2), description="z of the table's top [m], within [-0.4, 0.5]")
    table_front: float = Field(0.22, ge=0.15, le=0.4, description="x of the table's edge before the robot [m]")
    table_depth: Range = Field((0.75, 1.05), description="size of the table along x [m]")
    table_width: Range = Field((1.1, 1.7), description="size of the table along y [m]")
    random_pose_fraction: float = Field(
        0.5, ge=0.0, le=1.0, description="share of objects dropped in any orientation; the rest in resting poses"
    )
    drop_height: float = Field(0.005, ge=0.0, le=0.2, description="of an object's lowest point over the table [m]")
    mass: Range = Field(
        (0.05, 0.5), description="bounds of an object's mass, which is density times volume times a factor [kg]"
    )
    mass_factor: Range = Field((0.8, 1.25), description="range of the factor on an object's mass, 0.1 to 10")
    friction: Range = Field((0.8, 1.2), description="range of the objects' sliding friction")
    max_settle_time: float = Field(3.0, gt=0.0, le=30.0, description="longest fall, simulated [s]")
    start_x: Range = Field((0.30, 0.50), description="of the TCP at the start [m]")
    start_y: Range = Field((-0.20, 0.20), description="of the TCP at the start [m]")
    start_z: Range = Field((0.40, 0.60), description="of the TCP at the start [m]")
    start_yaw: float = Field(0.8, ge=0.0, le=3.1, description="largest turn about z from the home pose [rad]")
    start_tilt: float = Field(0.25, ge=0.0, le=1.0, description="largest tilt from pointing down [rad]")
    start_clearance: float = Field(0.01, ge=0.0, le=0.2, description="of the arm at the start from all else [m]")

    @model_validator(mode="after")
    def _check_ranges(self) -> Self:
        bounds: dict[str, Range] = {
            "objects": (1, 8), "area_x": (0.15, 0.85), "area_y": (-0.6, 0.6), "table_height": (-0.4, 0.5),
            "table_depth": (0.3, 3.0), "table_width": (0.3, 4.0), "mass": (0.005, 5.0),
            "mass_factor": (0.1, 10.0), "friction": (0.05, 3.0),
            "start_x": (0.0, 0.8), "start_y": (-0.7, 0.7), "start_z": (-0.2, 1.1),
        }  # fmt: skip
        for name, (low, high) in bounds.items():
            first, last = getattr(self, name)
            if not low <= first <= last <= high:
                raise ValueError(f"{name}: [{first}, {last}] is not an ascending range within [{low}, {high}]")
        return self


@dataclass(frozen=True, slots=True, eq=False)
class Tabletop:
    """Objects at rest on a table: what the slots of a group share."""

    bodies: tuple[Body, ...]
    poses: F64  # (N, 7) in base, settled
    table: Table
    main: int  # the body that the others were drawn around: it can be grasped, and no other has its category


class LayoutStage:
    """Makes settled scenes. See `syngrasp.physics.settle`."""

    name = "layout"

    def __init__(self, config: LayoutConfig, context: StageContext) -> None:
        self.config = config
        self.context = context

    def setup(self) -> None:
        """Opens the catalog and makes the robot."""
        from syngrasp.objects.catalog import Catalog
        from syngrasp.robots import make_robot

        self._catalog = Catalog.open(self.context.catalog)
        self._robot = make_robot(self.context.robot)
        self._by_category: dict[str, list[ObjectEntry]] = {}
        for entry in sorted(self._catalog.entries, key=lambda e: e.uid):
            self._by_category.setdefault(entry.category, []).append(entry)
        # What is kept can be made again from its key alone: forgetting it changes no answer.
        self._tabletop = lru_cache(maxsize=TABLETOPS)(self._settle)
        if not any(entry.grasps for entry in self._catalog.entries):
            raise CatalogError(self.context.catalog, "none of its objects has a grasp")

    def process(self, batch: Sequence[Slot]) -> list[Scene | Rejected]:
        """A settled scene for each slot, unless its objects came to rest badly."""
        return [self._make(slot) for slot in batch]

    def close(self) -> None:
        """Nothing to give back."""

    def _make(self, slot: Slot) -> Scene | Rejected:
        """A slot's own task on the table that its group shares, at the same attempt."""
        group = slot.episode // self.config.episodes_per_scene
        tabletop = self._tabletop(slot.shard, group, slot.attempt)
        return tabletop if isinstance(tabletop, Rejected) else self._scene(slot, tabletop)

    def _settle(self, shard: int, group: int, attempt: int) -> Tabletop | Rejected:
        """Drops the objects of a group of slots. The stream is that of the group's first slot."""
        from syngrasp.physics.settle import SettleOptions, settle

        generator = rng(self.context.seed, self.name, shard, group * self.config.episodes_per_scene, attempt)
        table = self._draw_table(generator)
        entries = self._draw_entries(generator)
        bodies = [self._draw_body(generator, entry) for entry in entries]
        placed = self._drop(generator, bodies, table)
        if placed is None:
            return Rejected(self.name, "no_room", f"{len(bodies)} objects do not fit into the area")
        bodies, poses = placed
        settled = settle(bodies, poses, table, options=SettleOptions(max_time=self.config.max_settle_time))
        if (problem := self._problem(settled, bodies, table)) is not None:
            return problem
        order = generator.permutation(len(bodies))
        return Tabletop(
            tuple(bodies[i] for i in order), settled.poses[order], table, int(np.flatnonzero(order == 0)[0])
        )

    def _draw_table(self, generator: np.random.Generator) -> Table:
        from syngrasp.physics.world import Table

        config = self.config
        height = generator.uniform(*config.table_height)
        depth, width = generator.uniform(*config.table_depth), generator.uniform(*config.table_width)
        return Table(float(height), (float(config.table_front + depth / 2), 0.0), (float(depth), float(width)))

    def _draw_entries(self, generator: np.random.Generator) -> list[ObjectEntry]:
        """The target first, uniform over categories; no other object shares its category."""
        categories = self._by_category
        graspable = [c for c, entries in categories.items() if any(e.grasps for e in entries)]
        category = graspable[generator.integers(len(graspable))]
        targets = [e for e in categories[category] if e.grasps]
        chosen = [targets[generator.integers(len(targets))]]
        count = int(generator.integers(self.config.objects[0], self.config.objects[1] + 1))
        others = [c for c in categories if c != category]
        while others and len(chosen) < count:
            drawn = generator.choice(len(others), size=min(len(others), count - len(chosen)), replace=False)
            for c in drawn:
                entries = categories[others[c]]
                chosen.append(entries[generator.integers(len(entries))])
        return chosen

    def _draw_body(self, generator: np.random.Generator, entry: ObjectEntry) -> Body:
        from syngrasp.physics.world import Body

        model = self._catalog.load(entry.uid)
        scale = float(generator.uniform(*entry.scale_range))
        factor = generator.uniform(*self.config.mass_factor)
        mass = float(np.clip(factor * entry.density * model.volume * scale**3, *self.config.mass))
        return Body(model, scale, mass, float(generator.uniform(*self.config.friction)))

    def _drop(self, generator: np.random.Generator, bodies: list[Body], table: Table) -> tuple[list[Body], F64] | None:
        """The objects that find room and their poses (N, 7) in base before the fall. One without room is left
        out, as long as it is not the target and enough objects remain; None otherwise."""
        config = self.config
        rotations = [self._draw_rotation(generator, body.model) for body in bodies]
        points = [_points(body) @ R.T for body, R in zip(bodies, rotations, strict=True)]
        spots: list[F64 | None] = []
        kept: list[int] = []
        for _ in range(SPOT_TRIES):
            spots = self._spots(generator, points)
            kept = [i for i, spot in enumerate(spots) if spot is not None]
            if len(kept) == len(bodies):
                break
        if 0 not in kept or len(kept) < min(config.objects[0], len(bodies)):
            return None
        low = np.array([points[i][:, 2].min() for i in kept])
        positions = np.column_stack([np.array([spots[i] for i in kept]), table.height + config.drop_height - low])
        poses = se3.pose7_from_matrix(se3.make(np.stack([rotations[i] for i in kept]), positions))
        return [bodies[i] for i in kept], poses

    def _draw_rotation(self, generator: np.random.Generator, model: ObjectModel) -> F64:
        if not model.entry.upright_only and generator.random() < self.config.random_pose_fraction:
            return se3.random_rotation(generator)
        share = model.stable_probability / model.stable_probability.sum()
        pose = model.stable_poses[generator.choice(len(share), p=share)]
        return se3.matrix_from_rpy([0.0, 0.0, generator.uniform(-np.pi, np.pi)]) @ pose[:3, :3]

    def _problem(self, settled: Settled, bodies: Sequence[Body], table: Table) -> Rejected | None:
        """What is wrong with how the objects came to rest, None if nothing is."""
        config = self.config
        if settled.diverged:
            return Rejected(self.name, "diverged", "the simulation left the finite numbers")
        if not settled.at_rest:
            return Rejected(self.name, "unsettled", f"objects still move after {settled.time:.1f} s")
        low, high = np.transpose([config.area_x, config.area_y])
        beyond = np.maximum(low - settled.poses[:, :2], settled.poses[:, :2] - high).max(axis=1)
        if beyond[farthest := int(beyond.argmax())] > config.margin:
            uid = bodies[farthest].model.entry.uid
            return Rejected(self.name, "left_area", f"{uid} lies {beyond[farthest] * 100:.0f} cm outside")
        for body, T in zip(bodies, se3.matrix_from_pose7(settled.poses), strict=True):
            flat = _points(body) @ T[:2, :3].T + T[:2, 3]
            if np.any(np.abs(flat - table.center) > np.array(table.size) / 2):
                return Rejected(self.name, "off_table", f"{body.model.entry.uid} sticks out over the table's edge")
        return None

    def _draw_start(self, generator: np.random.Generator, scene: Scene, models: Sequence[ObjectModel]) -> F64 | None:
        """A start configuration (dof,) clear of everything, None when `START_TRIES` draws find none."""
        from syngrasp.planning.collision import SceneField

        config, robot = self.config, self._robot
        field = SceneField.build(scene, models)
        R_home = robot.fk(robot.q_home)[:3, :3]
        for _ in range(START_TRIES):
            position = [generator.uniform(*r) for r in (config.start_x, config.start_y, config.start_z)]
            tilt, way = config.start_tilt * np.sqrt(generator.random()), generator.uniform(-np.pi, np.pi)
            yaw = generator.uniform(-config.start_yaw, config.start_yaw)
            R = se3.matrix_from_rpy([tilt * np.cos(way), tilt * np.sin(way), yaw]) @ R_home
            q = robot.ik(se3.make(R, position))
            q = q[np.abs(q - robot.q_home).max(axis=1, initial=0.0) < START_REACH]
            if not len(q):
                continue
            q = q[generator.integers(len(q))]
            if (
                field.configuration_clearance(robot, q[None], np.array([robot.gripper.max_width]))[0]
                > config.start_clearance
            ):
                return q
        return None

    def _scene(self, slot: Slot, tabletop: Tabletop) -> Scene | Rejected:
        """The scene of a slot: target, instruction and start are drawn from the slot's own stream."""
        generator = rng(self.context.seed, "task", slot.shard, slot.episode, slot.attempt)
        target = self._draw_target(generator, slot, tabletop)
        category, table = tabletop.bodies[target].model.entry.category, tabletop.table
        scene = Scene(
            slot=slot,
            robot=self._robot.kind,
            objects=tuple(
                PlacedObject(b.model.entry.uid, b.scale, b.mass, b.friction, pose)
                for b, pose in zip(tabletop.bodies, tabletop.poses, strict=True)
            ),
            target=target,
            category=category,
            instruction=str(generator.choice(INSTRUCTIONS)).format(category),
            table_height=table.height,
            table_center=table.center,
            table_size=table.size,
            q_start=self._robot.q_home,
        )
        q_start = self._draw_start(generator, scene, [body.model for body in tabletop.bodies])
        if q_start is None:
            return Rejected(self.name, "no_start", f"no free start configuration in {START_TRIES} draws")
        return replace(scene, q_start=q_start)

    def _draw_target(self, generator: np.random.Generator, slot: Slot, tabletop: Tabletop) -> int:
        """The object that the objects were drawn around for the first slot of a group; for the others any that has
        grasps and whose category no other object shares."""
        if slot.episode % self.config.episodes_per_scene == 0:
            return tabletop.main
        entries = [body.model.entry for body in tabletop.bodies]
        categories = [entry.category for entry in entries]
        able = [i for i, entry in enumerate(entries) if entry.grasps and categories.count(entry.category) == 1]
        return able[generator.integers(len(able))]

    def _spots(self, generator: np.random.Generator, points: Sequence[F64]) -> list[F64 | None]:
        """Spots (2,) in the area [m] for objects with turned corners (P, 3); None for one that finds no room or
        would stick out over the table's edge before the robot."""
        from syngrasp.geometry.placement import drop_positions

        config = self.config
        low, high = np.transpose([config.area_x, config.area_y])
        radii = np.array([np.linalg.norm(p[:, :2], axis=1).max() for p in points])
        order = np.argsort(-radii, kind="stable")  # large ones first, while there is room
        spots: list[F64 | None] = [None] * len(points)
        for i, spot in zip(order, drop_positions(generator, radii[order].tolist(), low, high, config.gap), strict=True):
            if spot is not None and spot[0] + points[i][:, 0].min() > config.table_front:
                spots[i] = spot
        return spots


def _points(body: Body) -> F64:
    """Corners (P, 3) of a body's convex parts in the object frame [m]."""
    from syngrasp.physics.world import corners

    return body.scale * corners(body.model)
