"""What varies from episode to episode: drawn from one random stream into a recorded `Look`.

The paper's values (arXiv 2505.03233, supplement) are the defaults where it states them: the two cameras, the 15 cm
ball and ±5° of their displacement. It names point, directional and dome lights, textures, backgrounds and robot
materials without ranges; those ranges are ours.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, model_validator

from syngrasp import se3
from syngrasp.records import Scene
from syngrasp.rendering.cameras import displace
from syngrasp.rendering.draw.lights import LightRanges, draw_light
from syngrasp.rendering.draw.props import PropRanges, Site, draw_props, workspace
from syngrasp.rendering.draw.room import RoomRanges, draw_room, draw_table
from syngrasp.rendering.draw.surfaces import SurfaceRanges, draw_material, draw_object, draw_robot
from syngrasp.rendering.free_space import Space
from syngrasp.rendering.furniture import block_boxes, floor_height, furniture, table_extent
from syngrasp.rendering.look import CameraLook, EnvironmentLook, Look, MaterialLook, SensorLook, workspace_centre
from syngrasp.rendering.ranges import Range, Ranges, Rng, Share, Signed, vec

ROBOT_REACH = ((-0.5, -0.6, -0.3), (0.95, 0.6, 1.3))
"""Where a robot may be, for want of better knowledge: lower, then upper corner in base [m]."""


class CameraConfig(Ranges):
    """One camera's nominal place."""

    position: tuple[float, float, float] = Field(description="in base [m]")
    target: tuple[float, float, float] = Field(description="point it looks at, in base [m]")

    @model_validator(mode="after")
    def _looks_somewhere(self) -> CameraConfig:
        if np.linalg.norm(np.subtract(self.target, self.position)) < 1e-3:
            raise ValueError(f"target {self.target} is the position itself")
        return self


PAPER_CAMERAS = {
    "front": CameraConfig(position=(1.35, 0.0, 0.54), target=(0.2, 0.0, 0.0)),
    "side": CameraConfig(position=(0.5, 0.69, 0.50), target=(0.5, 0.0, 0.1)),
}


_Fovy = Annotated[float, Field(ge=1, le=150)]


class CameraRanges(Ranges):
    """How cameras are displaced. The paper's are RealSense D435 whose pictures of 640 × 480 are cropped to the middle
    480² and scaled: that keeps the vertical field of view, about 43°, which differs by half a degree among devices."""

    camera_radius: float = Field(0.15, ge=0, le=0.5, description="cameras move within this ball [m] (paper: 0.15)")
    camera_angle: float = Field(
        5.0, ge=0, le=30, description="and turn by up to ± this about each axis [deg] (paper: 5)"
    )
    fovy: tuple[_Fovy, _Fovy] = Field((42.5, 43.5), description="vertical field of view [deg] (D435, square crop: 43)")


class SensorRanges(Ranges):
    """Lens, exposure and colours of the camera."""

    blur: Range = Field((0.0, 0.6), description="standard deviation of the lens's blur [px at 256 px height]")
    vignette: tuple[Share, Share] = Field((0.0, 0.3), description="share of the light that is lost in the corners")
    exposure: Signed = Field((-0.8, 0.9), description="beyond the automatic exposure [EV]")
    white_balance: Share = Field(0.06, description="factor on red and on blue is e to the ± up to this")
    contrast: Range = Field((0.92, 1.12), description="exponent around mid-grey")
    saturation: Range = Field((0.85, 1.15), description="1 leaves colours as they are")
    sensor_noise: Range = Field((0.0, 1.5), description="standard deviation at mid-grey [8-bit levels]")


class RandomizeConfig(CameraRanges, LightRanges, RoomRanges, SurfaceRanges, PropRanges, SensorRanges):
    """Ranges of what varies. A range of equal bounds fixes a value."""


def draw_look(
    scene: Scene,
    config: RandomizeConfig,
    cameras: dict[str, CameraConfig],
    rng: Rng,
    occupied: ArrayLike | None = None,
) -> Look:
    """One look for a scene. Every group of things has its own child stream, so that a change of one leaves others.

    No prop is put into `occupied`: boxes (K, 2, 3) in base [m] where the robot and the objects are at some time, see
    `rollout_boxes`. None keeps all free that an arm of a metre could reach.
    """
    names = ("camera", "light", "room", "table", "robot", "sensor", "objects", "props")
    rngs = dict(zip(names, rng.spawn(len(names)), strict=True))
    look = Look(
        cameras=tuple(_camera(name, camera, config, rngs["camera"]) for name, camera in cameras.items()),
        lights=(),
        environment=EnvironmentLook(
            "gradient", 0, "", 0.0, 1.0, (1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (0.0, 0.0, 1.0), 3.0
        ),
        room=draw_room(config, rngs["room"]),
        table=draw_table(scene, config, rngs["table"]),
        materials=_materials(config, rngs["room"], rngs["table"]),
        props=(),
        robot=draw_robot(config, rngs["robot"]),
        objects=tuple(draw_object(config, rngs["objects"]) for _ in scene.objects),
        sensor=_sensor(config, rngs["sensor"]),
    )
    return _furnished(scene, look, config, rngs["props"], rngs["light"], occupied)


def _furnished(
    scene: Scene, look: Look, config: RandomizeConfig, props: Rng, light: Rng, occupied: ArrayLike | None
) -> Look:
    """A look with its props and, past them, its lamps."""
    centre = np.array(workspace_centre(scene.table_height))
    kept = np.array([ROBOT_REACH]) if occupied is None else np.asarray(occupied, np.float64).reshape(-1, 2, 3)
    space = Space(
        solid=block_boxes(furniture(scene, look)),
        kept=np.concatenate([kept, workspace(scene)[None]]),
        cameras=look.cameras,
        centre=centre,
    )
    floor, (lower, upper) = floor_height(scene, look), table_extent(scene, look)
    if look.table.shape != "rectangle":
        space.take([(*lower, scene.table_height - look.table.thickness), (*upper, scene.table_height)])
    placed, materials = draw_props(
        Site(scene, look.room, floor, look.table, lower, upper, space), config, config, props
    )
    environment, lamps = draw_light(centre, look.room, floor + look.room.height, space, config, light)
    return replace(look, props=placed, materials=look.materials + materials, environment=environment, lights=lamps)


def _materials(config: RandomizeConfig, room: Rng, table: Rng) -> tuple[MaterialLook, ...]:
    return (
        draw_material("table", config.table_families, (0.5, 1.1), config, table, own=True),
        draw_material("support", ("wood", "metal", "plain"), (0.4, 0.8), config, table),
        draw_material("floor", config.floor_families, (0.9, 2.0), config, room, own=True),
        draw_material("wall", config.wall_families, (1.0, 2.4), config, room, upright=True, own=True),
        draw_material("pedestal", ("metal", "plain", "concrete", "wood"), (0.4, 0.8), config, room),
    )


def _sensor(config: RandomizeConfig, rng: Rng) -> SensorLook:
    balance = np.exp(config.white_balance * rng.uniform(-1, 1, 2))
    return SensorLook(
        blur=float(rng.uniform(*config.blur)),
        vignette=float(rng.uniform(*config.vignette)),
        exposure=float(rng.uniform(*config.exposure)),
        white_balance=vec((balance[0], 1.0, balance[1])),
        contrast=float(rng.uniform(*config.contrast)),
        saturation=float(rng.uniform(*config.saturation)),
        noise=float(rng.uniform(*config.sensor_noise)),
        seed=int(rng.integers(2**31)),
    )


def _camera(name: str, camera: CameraConfig, config: RandomizeConfig, rng: Rng) -> CameraLook:
    nominal = se3.look_at(camera.position, camera.target)
    T = displace(nominal, config.camera_radius, float(np.deg2rad(config.camera_angle)), rng)
    pose = tuple(float(x) for x in se3.pose7_from_matrix(T))
    return CameraLook(name=name, pose=pose, fovy=float(np.deg2rad(rng.uniform(*config.fovy))))
