"""A renderer and a scene that the rendering tests share."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from syngrasp.records import ObjectModel, Rollout
from syngrasp.rendering.look import Look
from syngrasp.rendering.mjwarp.renderer import MjWarpRenderer, TraceOptions
from syngrasp.rendering.pictures import Pictures
from syngrasp.rendering.randomize import PAPER_CAMERAS, RandomizeConfig, draw_look
from syngrasp.robots import RobotConfig, make_robot
from syngrasp.robots.base import Robot
from syngrasp.seeding import named_rng
from tests.rendering import scenes

SIZE = 128


@dataclass(frozen=True)
class Shot:
    """A rollout, what it was rendered with, and the pictures."""

    rollout: Rollout
    models: list[ObjectModel]
    look: Look
    pictures: Pictures


@pytest.fixture(scope="session")
def robot() -> Robot:
    return make_robot(RobotConfig())


@pytest.fixture(scope="session")
def renderer(robot: Robot) -> MjWarpRenderer:
    return MjWarpRenderer(robot, SIZE, SIZE, TraceOptions(batch=3))


@pytest.fixture(scope="session")
def look() -> Look:
    """Cameras at the paper's places, three lamps, walls."""
    fixed = {"camera_radius": 0.0, "camera_angle": 0.0, "fovy": (43.0, 43.0), "exposure": (0.0, 0.0)}
    plain = {"blur": (0.0, 0.0), "vignette": (0.0, 0.0), "white_balance": 0.0, "bump": (0.0, 0.0), "transparent": 0.0}
    bare = {"props": (0, 0), "furniture": (0, 0), "pictures": (0, 0), "skirting": 0.0, "table_shapes": ("rectangle",)}
    light = {"lights": (3, 3), "environments": ("gradient",), "walls": 1.0}
    config = RandomizeConfig.model_validate(fixed | plain | bare | light)
    scene = scenes.scene(scenes.household())
    return draw_look(scene, config, PAPER_CAMERAS, named_rng(4, "look"))


@pytest.fixture(scope="session")
def shot(robot: Robot, renderer: MjWarpRenderer, look: Look) -> Shot:
    """The arm folded away from the table; object 0 is raised by 6 cm in the last frames."""
    models = scenes.household()
    q = robot.q_home.copy()
    q[1] -= 0.5
    rollout = scenes.rollout(scenes.scene(models), q, q + 0.02, 5, lift=0.06)
    pictures = renderer.render(rollout, models, look)
    assert pictures is not None
    return Shot(rollout, models, look, pictures)
