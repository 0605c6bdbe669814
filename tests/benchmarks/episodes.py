"""Rollouts as the project's own stages make them, with the look of each, for benchmarks of pictures."""

from __future__ import annotations

import tests.benchmarks.one_core  # noqa: F401  # isort: skip
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from syngrasp.config import Recipe, load_recipe
from syngrasp.objects.catalog import Catalog
from syngrasp.records import ObjectModel, Rollout, Scene, Slot
from syngrasp.rendering.look import Look
from syngrasp.rendering.parts import RobotMeshes, rollout_boxes
from syngrasp.rendering.pictures import Renderer
from syngrasp.rendering.randomize import draw_look
from syngrasp.robots import make_robot
from syngrasp.robots.base import Robot
from syngrasp.seeding import rng
from syngrasp.stages.render import make_renderer
from tests.benchmarks.bench_motion import follow, stages_of

RENDERERS = ("mjwarp", "mitsuba")


@dataclass(frozen=True, slots=True, eq=False)
class Pictured:
    """What a renderer takes."""

    rollout: Rollout
    models: tuple[ObjectModel, ...]
    look: Look


class Episodes:
    """Validated episodes of a recipe on a catalog, with the looks that `generate` would give them."""

    def __init__(self, catalog: Path, sets: tuple[str, ...] = ()) -> None:
        self.recipe: Recipe = load_recipe("tabletop", list(sets))
        self.robot: Robot = make_robot(self.recipe.robot)
        self._catalog = Catalog.open(str(catalog))
        self._meshes = RobotMeshes(self.robot)
        self.stages = stages_of(self.recipe, catalog)

    def __iter__(self) -> Iterator[Pictured]:
        for episode in range(100_000):
            rollout = follow(self.stages, Slot(0, episode), Counter(), Counter())
            if isinstance(rollout, Rollout):
                yield self.pictured(rollout)

    def renderer(self, kind: str, size: int) -> Renderer:
        """A renderer of pictures of size × size. Raises SyngraspError where it cannot run here."""
        asked = {"kind": kind, "width": size, "height": size}
        return make_renderer(self.recipe.render.model_copy(update=asked), self.robot)

    def pictured(self, rollout: Rollout) -> Pictured:
        """A rollout with its objects and its look."""
        models = tuple(self._catalog.load(placed.uid) for placed in rollout.scene.objects)
        slot, render = rollout.scene.slot, self.recipe.render
        stream = rng(0, "render", slot.shard, slot.episode, slot.attempt)
        occupied = rollout_boxes(rollout, models, self._meshes)
        look = draw_look(rollout.scene, render.randomize, render.cameras, stream, occupied)
        return Pictured(rollout, models, look)


def frames_of(rollout: Rollout, frames: list[int]) -> Rollout:
    """Some of a rollout's frames, in the given order."""
    per_frame = (
        *("joint_position", "joint_velocity", "gripper_width", "ee_pose"),
        *("action", "goal_pose", "object_pose", "phase"),
    )
    return replace(rollout, **{name: np.ascontiguousarray(getattr(rollout, name)[frames]) for name in per_frame})


def at_rest(scene: Scene) -> Rollout:
    """One frame: the arm at its start, the hand open, objects where they settled."""
    zeros = np.zeros((1, 7), np.float32)
    return Rollout(
        scene=scene, T_base_grasp=np.eye(4), grasp_width=0.0, grasp_quality=0.0, dt=0.1,
        joint_position=scene.q_start[None].astype(np.float32), joint_velocity=zeros,
        gripper_width=np.array([0.08], np.float32), ee_pose=zeros, action=zeros, goal_pose=zeros,
        object_pose=np.stack([placed.pose for placed in scene.objects])[None].astype(np.float32),
        phase=np.zeros(1, np.uint8), lift_height=0.0, slip=0.0, disturbance=0.0,
    )  # fmt: skip
