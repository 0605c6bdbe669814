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
from syngrasp.records import ObjectModel, Rollout, Slot
from syngrasp.rendering.look import Look
from syngrasp.rendering.randomize import draw_look
from syngrasp.robots import make_robot
from syngrasp.robots.base import Robot
from syngrasp.seeding import rng
from tests.benchmarks.bench_motion import follow, stages_of


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
        self._stages = stages_of(self.recipe, catalog)

    def __iter__(self) -> Iterator[Pictured]:
        for episode in range(100_000):
            rollout = follow(self._stages, Slot(0, episode), Counter(), Counter())
            if isinstance(rollout, Rollout):
                models = tuple(self._catalog.load(placed.uid) for placed in rollout.scene.objects)
                yield Pictured(rollout, models, self.look(rollout))

    def look(self, rollout: Rollout) -> Look:
        """The look of an episode."""
        slot, render = rollout.scene.slot, self.recipe.render
        stream = rng(0, "render", slot.shard, slot.episode, slot.attempt)
        return draw_look(rollout.scene, render.randomize, render.cameras, stream)


def frames_of(rollout: Rollout, frames: list[int]) -> Rollout:
    """Some of a rollout's frames, in the given order."""
    per_frame = (
        *("joint_position", "joint_velocity", "gripper_width", "ee_pose"),
        *("action", "goal_pose", "object_pose", "phase"),
    )
    return replace(rollout, **{name: np.ascontiguousarray(getattr(rollout, name)[frames]) for name in per_frame})
