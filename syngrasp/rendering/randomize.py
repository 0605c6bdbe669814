"""What varies from episode to episode: drawn from one random stream into a recorded `Look`.

The paper's values (arXiv 2505.03233, supplement) are the defaults where it states them: the two cameras, the 15 cm
ball and ±5° of their displacement. It names point, directional and dome lights, textures, backgrounds and robot
materials without ranges; those ranges are ours.
"""

from __future__ import annotations

import colorsys
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from syngrasp import se3
from syngrasp.records import Scene
from syngrasp.rendering.cameras import displace
from syngrasp.rendering.look import (
    CameraLook,
    EnvironmentLook,
    LightLook,
    Look,
    MaterialLook,
    ObjectLook,
    RobotLook,
    RoomLook,
    SensorLook,
    TableLook,
    Vec3,
)

Rng = np.random.Generator
Range = Annotated[tuple[float, float], Field(description="lower and upper bound")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    @model_validator(mode="after")
    def _ordered(self) -> _Section:
        for name, field in type(self).model_fields.items():
            value = getattr(self, name)
            if field.annotation == tuple[float, float] and value[0] > value[1]:
                raise ValueError(f"{name}: lower bound {value[0]} above upper bound {value[1]}")
        return self


class CameraConfig(_Section):
    """One camera's nominal place."""

    position: tuple[float, float, float] = Field(description="in base [m]")
    target: tuple[float, float, float] = Field(description="point it looks at, in base [m]")


PAPER_CAMERAS = {
    "front": CameraConfig(position=(1.35, 0.0, 0.54), target=(0.2, 0.0, 0.0)),
    "side": CameraConfig(position=(0.5, 0.69, 0.50), target=(0.5, 0.0, 0.1)),
}


class RandomizeConfig(_Section):
    """Ranges of what varies. A range of equal bounds fixes a value."""

    camera_radius: float = Field(0.15, ge=0, le=0.5, description="cameras move within this ball [m] (paper: 0.15)")
    camera_angle: float = Field(
        5.0, ge=0, le=30, description="and turn by up to ± this about each axis [deg] (paper: 5)"
    )
    fovy: Range = Field((43.0, 43.0), description="vertical field of view [deg] (D435, square crop: 43)")
    lights: tuple[int, int] = Field((1, 4), description="number of lamps and suns")
    light_kinds: tuple[str, ...] = Field(("point", "directional", "spot"), description="kinds to draw from")
    light_distance: Range = Field((1.0, 2.4), description="of a lamp from the workspace's centre [m]")
    light_elevation: Range = Field((25.0, 85.0), description="over the horizon [deg]")
    light_temperature: Range = Field((2700.0, 8000.0), description="colour temperature [K]")
    light_radius: Range = Field((0.01, 0.15), description="of a lamp, for soft shadows [m]")
    ambient: Range = Field((0.25, 0.9), description="dome light's share, relative to the strongest lamp")
    table_families: tuple[str, ...] = Field(
        ("wood", "wood", "wood", "marble", "granite", "concrete", "plain", "plain", "fabric", "tiles", "checker",
         "terrazzo", "metal", "paper", "leather", "noise", "stripes"),
        min_length=1,
        description="textures of the table's top, by weight",
    )  # fmt: skip
    floor_families: tuple[str, ...] = Field(
        ("wood", "wood", "tiles", "tiles", "concrete", "terrazzo", "marble", "granite", "fabric", "checker", "plain"),
        min_length=1,
        description="textures of the floor, by weight",
    )
    wall_families: tuple[str, ...] = Field(
        ("plain", "plain", "plain", "paper", "concrete", "brick", "tiles", "stripes", "wood", "noise"),
        min_length=1,
        description="textures of the walls, by weight",
    )
    walls: float = Field(0.85, ge=0, le=1, description="probability of walls; else the floor ends under the sky")
    robot_tint: float = Field(0.12, ge=0, le=1, description="the robot's colours vary by up to this factor")
    robot_recolor: float = Field(0.15, ge=0, le=1, description="probability that the robot has another colour")
    exposure: Range = Field((-0.5, 0.6), description="beyond the automatic exposure [EV]")
    contrast: Range = Field((0.92, 1.12), description="exponent around mid-grey")
    saturation: Range = Field((0.85, 1.15), description="1 leaves colours as they are")
    sensor_noise: Range = Field((0.0, 1.5), description="standard deviation at mid-grey [8-bit levels]")


def draw_look(scene: Scene, config: RandomizeConfig, cameras: dict[str, CameraConfig], rng: Rng) -> Look:
    """One look for a scene. Every group of things has its own child stream, so that a change of one leaves others."""
    names = ("camera", "light", "room", "table", "robot", "sensor", "objects")
    rngs = dict(zip(names, rng.spawn(len(names)), strict=True))
    environment, lights = _lights(scene, config, rngs["light"])
    room, table = rngs["room"], rngs["table"]
    return Look(
        cameras=tuple(_camera(name, camera, config, rngs["camera"]) for name, camera in cameras.items()),
        lights=lights,
        environment=environment,
        room=_room(config, room),
        table=TableLook(
            shape="rectangle",
            margin=(0.0, 0.0, 0.0, 0.0),
            thickness=float(table.uniform(0.018, 0.06)),
            support=str(table.choice(["legs", "legs", "block", "trestle"])),
            leg=float(table.uniform(0.03, 0.08)),
            inset=float(table.uniform(0.01, 0.1)),
        ),
        materials=(
            _material("table", config.table_families, (0.4, 1.3), table),
            _material("support", ("wood", "metal", "plain"), (0.3, 1.0), table),
            _material("floor", config.floor_families, (0.7, 2.5), room),
            _material("wall", config.wall_families, (0.8, 3.0), room, upright=True),
            _material("pedestal", ("metal", "plain", "concrete", "wood"), (0.3, 1.0), room),
        ),
        props=(),
        robot=_robot(config, rngs["robot"]),
        objects=tuple(_object(rngs["objects"]) for _ in scene.objects),
        sensor=_sensor(config, rngs["sensor"]),
    )


def _object(rng: Rng) -> ObjectLook:
    return ObjectLook((1.0, 1.0, 1.0), float(np.exp(rng.uniform(-0.35, 0.35))), 0.0, 0.0, 1.5)


def _sensor(config: RandomizeConfig, rng: Rng) -> SensorLook:
    return SensorLook(
        blur=0.0,
        vignette=0.0,
        exposure=float(rng.uniform(*config.exposure)),
        white_balance=(1.0, 1.0, 1.0),
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


def _lights(scene: Scene, config: RandomizeConfig, rng: Rng) -> tuple[EnvironmentLook, tuple[LightLook, ...]]:
    centre = np.array([0.5, 0.0, scene.table_height])
    count = int(rng.integers(config.lights[0], config.lights[1] + 1))
    lights = []
    for index in range(count):
        azimuth, elevation = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(*config.light_elevation))
        up = np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
        aim = -up + 0.15 * rng.standard_normal(3)
        kind = str(rng.choice(config.light_kinds))
        radius = float(rng.uniform(*config.light_radius))
        lights.append(
            LightLook(
                kind=kind,
                position=_vec(centre + up * rng.uniform(*config.light_distance)),
                direction=_vec(
                    (-up if kind == "directional" else aim) / np.linalg.norm(up if kind == "directional" else aim)
                ),
                radius=0.25 * radius if kind == "directional" else radius,
                temperature=float(rng.uniform(*config.light_temperature)),
                intensity=float(rng.uniform(0.7, 1.0) if index == 0 else rng.uniform(0.15, 0.7)),
                cone=float(np.deg2rad(rng.uniform(28, 60))),
            )
        )
    warmth = rng.uniform(-0.08, 0.08)
    zenith = np.array([1 + warmth, 1.0, 1 - warmth])
    horizon = (
        zenith * rng.uniform(0.45, 1.0) * np.array([1 + rng.uniform(-0.06, 0.06), 1.0, 1 + rng.uniform(-0.06, 0.06)])
    )
    environment = EnvironmentLook(
        kind="gradient",
        seed=0,
        file="",
        rotation=0.0,
        intensity=float(rng.uniform(*config.ambient)),
        zenith=_vec(zenith),
        horizon=_vec(horizon),
        sun=(0.0, 0.0, 1.0),
        turbidity=3.0,
    )
    return environment, tuple(lights)


def _room(config: RandomizeConfig, rng: Rng) -> RoomLook:
    return RoomLook(
        floor_drop=float(rng.uniform(0.6, 0.9)),
        lower=(float(-rng.uniform(0.7, 2.5)), float(-rng.uniform(1.2, 3.0))),
        upper=(float(rng.uniform(2.2, 4.0)), float(rng.uniform(1.8, 3.5))),
        height=float(rng.uniform(2.0, 3.0)),
        walls=("-x", "-y") if rng.uniform() < config.walls else (),
    )


def _material(
    name: str, families: tuple[str, ...], tile: tuple[float, float], rng: Rng, upright: bool = False
) -> MaterialLook:
    family = str(rng.choice(families))
    glossy = {"marble": 0.6, "metal": 0.9, "tiles": 0.6, "granite": 0.5, "terrazzo": 0.5, "wood": 0.3, "plain": 0.3}
    polished = rng.uniform() < glossy.get(family, 0.0)
    return MaterialLook(
        name=name,
        family=family,
        seed=int(rng.integers(2**31)),
        file="",
        tile=float(rng.uniform(*tile)),
        angle=float(rng.choice([0.0, 0.5 * np.pi]) + rng.normal(0.0, 0.03)) * (not upright),
        offset=(float(rng.uniform()), float(rng.uniform())),
        roughness=float(rng.uniform(0.18, 0.45) if polished else rng.uniform(0.5, 0.95)),
        metallic=float(rng.uniform(0.7, 1.0)) if family == "metal" else 0.0,
        tint=(1.0, 1.0, 1.0),
        bump=0.0,
    )


def _robot(config: RandomizeConfig, rng: Rng) -> RobotLook:
    tint = 1.0 - config.robot_tint * rng.uniform(0, 1) + 0.25 * config.robot_tint * rng.uniform(-1, 1, 3)
    hue = colorsys.hsv_to_rgb(rng.uniform(), rng.uniform(0.2, 0.85), rng.uniform(0.25, 0.95))
    recolor = rng.uniform() < config.robot_recolor
    return RobotLook(
        tint=_vec(np.array(hue) if recolor else np.clip(tint, 0.0, 1.0)),
        roughness=float(rng.uniform(0.2, 0.6)),
        metallic=float(rng.uniform(0.0, 0.6)) if recolor else 0.0,
    )


def _vec(x: Any) -> Vec3:
    a, b, c = (float(v) for v in x)
    return a, b, c
