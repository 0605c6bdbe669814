"""Making the stages of a recipe, and asking them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from syngrasp.config import Recipe
from syngrasp.generate.jobs import Cost
from syngrasp.stage import Stage
from syngrasp.stages.context import StageContext

StageFactory = Callable[[str], Stage[Any, Any]]
"""Makes the stage of a name. It travels to other processes, so it holds plain values only."""


@dataclass(frozen=True, slots=True)
class RecipeStages:
    """The stages that a recipe names."""

    recipe: Recipe
    catalog: str  # path

    def __call__(self, name: str) -> Stage[Any, Any]:
        recipe = self.recipe
        context = StageContext(recipe.seed, recipe.robot, self.catalog, recipe.layout.objects[1])
        if name == "layout":
            from syngrasp.stages.layout import LayoutStage

            return LayoutStage(self.recipe.layout, context)
        if name == "grasp":
            from syngrasp.stages.grasp import GraspStage

            return GraspStage(self.recipe.grasp, context)
        if name == "plan":
            from syngrasp.stages.plan import PlanStage

            return PlanStage(self.recipe.plan, context)
        if name == "lift":
            from syngrasp.stages.lift import LiftStage

            return LiftStage(self.recipe.lift, context)
        from syngrasp.stages.render import RenderStage

        return RenderStage(self.recipe.render, context)


def ask(stage: Stage[Any, Any], inputs: Sequence[Any]) -> tuple[list[Any], Cost]:
    """A stage's answers to a batch, and what each cost on average."""
    cpu, wall = time.process_time(), time.perf_counter()
    outputs = stage.process(inputs)
    if len(outputs) != len(inputs):
        raise RuntimeError(f"stage {stage.name} gave {len(outputs)} answers to {len(inputs)} inputs")
    count = len(inputs)
    return outputs, Cost((time.process_time() - cpu) / count, (time.perf_counter() - wall) / count)
