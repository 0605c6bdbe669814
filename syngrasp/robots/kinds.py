"""The robots there are: what each is made by, what it can be told, and the recipe values that suit it.

Plain data, so that a recipe can be read without a robot's kinematics.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from syngrasp.robots.base import Robot


@dataclass(frozen=True, slots=True)
class Kind:
    """A robot by name."""

    module: str
    robot: str  # class in it, which takes the options
    options: Mapping[str, Any] = field(default_factory=dict)  # of its own, with their defaults
    # Recipe values by section that differ from the recipe's own defaults, which are the paper's and suit a Panda.
    recipe: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def make(self, options: Mapping[str, Any]) -> Robot:
        """A new robot."""
        return getattr(import_module(self.module), self.robot)(**options)


KINDS = {
    "panda": Kind("syngrasp.robots.panda", "Panda", options={"finger_extension": 0.02}),
    "ur5e_2f85": Kind(
        "syngrasp.robots.ur5e",
        "UR5e2F85",
        recipe={
            "layout": {"start_x": (0.32, 0.52), "start_z": (0.38, 0.55)},
            "render": {
                "cameras": {
                    "front": {"position": (1.40, 0.0, 0.60), "target": (0.2, 0.0, 0.05)},
                    "side": {"position": (0.5, 0.72, 0.52), "target": (0.48, 0.0, 0.1)},
                }
            },
        },
    ),
}
