"""The environment and the lamps: what lights a scene.

The workspace sees every lamp: none stands behind a wall or a thing, and a sun comes over the walls that there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from syngrasp.rendering.files import ENVIRONMENT_FILES, files_of
from syngrasp.rendering.free_space import Space
from syngrasp.rendering.look import EnvironmentLook, LightLook, RoomLook
from syngrasp.rendering.ranges import Count, Kelvin, Range, Ranges, Rng, Share, count, vec

F64 = NDArray[np.float64]
_TRIES = 60


_Cone = Annotated[float, Field(ge=1, le=89)]
_Elevation = Annotated[float, Field(ge=0, le=90)]
_Turbidity = Annotated[float, Field(ge=1.7, le=10)]


class LightRanges(Ranges):
    """Lamps, suns and the dome. The paper names point, directional and dome lights and states no ranges."""

    lights: Count = Field((0, 4), description="number of lamps and suns; with none the environment alone is the light")
    light_kinds: tuple[Literal["point", "directional", "spot"], ...] = Field(
        ("point", "directional", "spot"), min_length=1, description="kinds to draw from, by weight"
    )
    light_distance: Range = Field((1.0, 2.4), description="of a lamp from the workspace's centre [m]")
    light_elevation: tuple[_Elevation, _Elevation] = Field(
        (25.0, 85.0), description="of lamps and suns over the horizon [deg]"
    )
    light_temperature: tuple[Kelvin, Kelvin] = Field((2700.0, 8000.0), description="colour temperature [K]")
    light_radius: Range = Field((0.01, 0.15), description="of a lamp, for soft shadows [m]")
    light_intensity: Range = Field(
        (0.7, 1.0), description="of the strongest lamp: irradiance / π that it gives the workspace"
    )
    light_second: Range = Field((0.15, 0.7), description="of every other lamp, likewise")
    light_cone: tuple[_Cone, _Cone] = Field((28.0, 60.0), description="half angle of a spot [deg]")
    environments: tuple[Literal["gradient", "studio", "sky"], ...] = Field(
        ("gradient", "studio", "studio", "sky"), min_length=1, description="kinds of environment, by weight"
    )
    ambient: Range = Field((0.25, 0.9), description="irradiance / π that a surface facing up gets from the environment")
    ambient_alone: Range = Field((0.7, 1.2), description="the same where there is no lamp")
    horizon: Range = Field((0.45, 1.0), description="a gradient's brightness at the horizon, of that at the zenith")
    turbidity: tuple[_Turbidity, _Turbidity] = Field((2.0, 9.0), description="haze of a sky: 2 clear, 10 hazy")
    environment_folder: str | None = Field(None, description="folder of .hdr and .exr pictures of environments")
    environment_folder_share: Share = Field(0.7, description="probability of one of them, where there is a folder")


@dataclass(frozen=True, slots=True, eq=False)
class _Surroundings:
    centre: F64  # (3,) of the workspace
    room: RoomLook
    top: float  # z of the walls' top [m]
    space: Space  # what stands in the way


def draw_light(
    centre: F64, room: RoomLook, top: float, space: Space, config: LightRanges, rng: Rng
) -> tuple[EnvironmentLook, tuple[LightLook, ...]]:
    """An environment and the lamps in it. `centre` (3,) of the workspace in base, `top` z of the walls' top [m]."""
    around = _Surroundings(centre, room, top, space)
    kind, file = str(rng.choice(config.environments)), ""
    if config.environment_folder is not None and rng.uniform() < config.environment_folder_share:
        folder = Path(config.environment_folder)
        kind, file = "file", str(rng.choice(files_of(folder, ENVIRONMENT_FILES, "render.randomize.environment_folder")))
    number = count(rng, config.lights)
    turbidity = float(rng.uniform(*config.turbidity))
    sun = number > 0 and kind == "sky" and "directional" in config.light_kinds
    lamps = [_lamp(around, config, rng, first=i == 0, sunny=sun and i == 0) for i in range(number)]
    alone = float(rng.uniform(*(config.ambient if lamps else config.ambient_alone)))
    toward = -np.array(lamps[0].direction) if sun else _direction(config, rng)
    if sun:
        alone = lamps[0].intensity / sun_to_sky(float(np.arcsin(toward[2])), turbidity)
    warmth, tint = rng.uniform(-0.08, 0.08), rng.uniform(-0.06, 0.06, 2)
    zenith = np.array([1 + warmth, 1.0, 1 - warmth])
    horizon = zenith * rng.uniform(*config.horizon) * np.array([1 + tint[0], 1.0, 1 + tint[1]])
    environment = EnvironmentLook(
        kind=kind,
        seed=int(rng.integers(2**31)),
        file=file,
        rotation=float(rng.uniform(0.0, 2 * np.pi)) if kind in ("studio", "file") else 0.0,
        intensity=alone,
        zenith=vec(zenith),
        horizon=vec(horizon),
        sun=vec(toward),
        turbidity=turbidity,
    )
    return environment, tuple(lamps)


def sun_to_sky(elevation: float, turbidity: float) -> float:
    """Illuminance that the sun gives a surface facing it over what the sky gives the ground, at an elevation [rad].

    The IESNA's model of daylight (Lighting Handbook, 8th ed., ch. 8) between its clear and its partly cloudy sky.
    """
    haze = np.clip((turbidity - 2.0) / 8.0, 0.0, 1.0)
    sine = max(float(np.sin(elevation)), 0.02)
    sun = 127.5 * np.exp(-(0.21 + 0.59 * haze) / sine)
    sky = (1 - haze) * (0.8 + 15.5 * np.sqrt(sine)) + haze * (0.3 + 45.0 * sine)
    return float(max(sun / sky, 0.5))


def sun_temperature(elevation: float) -> float:
    """Colour temperature of the sun at an elevation [rad]: 5700 K overhead, redder through more air [K]."""
    return float(np.clip(6100.0 - 420.0 / max(np.sin(elevation), 0.05), 2500.0, 5700.0))


def _lamp(around: _Surroundings, config: LightRanges, rng: Rng, first: bool, sunny: bool) -> LightLook:
    kind = "directional" if sunny else str(rng.choice(config.light_kinds))
    radius = float(rng.uniform(*config.light_radius))
    up, position = _place(around, config, rng, kind, radius)
    aim = -up if kind == "directional" else -up + 0.15 * rng.standard_normal(3)
    temperature = float(rng.uniform(*config.light_temperature))
    if sunny:
        temperature = float(np.clip(sun_temperature(float(np.arcsin(up[2]))), *config.light_temperature))
    return LightLook(
        kind=kind,
        position=vec(position),
        direction=vec(aim / np.linalg.norm(aim)),
        radius=0.0047 if sunny else 0.25 * radius if kind == "directional" else radius,
        temperature=temperature,
        intensity=float(rng.uniform(*(config.light_intensity if first else config.light_second))),
        cone=float(np.deg2rad(rng.uniform(*config.light_cone))),
    )


def _place(around: _Surroundings, config: LightRanges, rng: Rng, kind: str, radius: float) -> tuple[F64, F64]:
    """Direction (3,) towards a lamp and its position (3,): drawn again until the workspace sees it.

    Straight above the open side of the table where no draw does.
    """
    up, position = np.zeros(3), np.zeros(3)
    eye = around.centre + np.array([0.0, 0.0, 0.05])
    for _ in range(_TRIES):
        up = _direction(config, rng)
        position = around.centre + up * rng.uniform(*config.light_distance)
        reach = around.centre + 30.0 * up if kind == "directional" else position
        if around.space.crosses(eye, reach):
            continue
        if kind == "directional":
            if over_walls(up, around.centre, around.room, around.top):
                return up, position
        elif _inside(position, radius, around.room) and not around.space.seen(position, radius):
            return up, position
    high = np.deg2rad(max(config.light_elevation[1], 80.0))
    up = np.array([0.6 * np.cos(high), 0.8 * np.cos(high), np.sin(high)])
    return up, around.centre + up * config.light_distance[1]


def _direction(config: LightRanges, rng: Rng) -> F64:
    azimuth, elevation = rng.uniform(0, 2 * np.pi), np.deg2rad(rng.uniform(*config.light_elevation))
    return np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])


def over_walls(up: F64, centre: F64, room: RoomLook, top: float, reach: float = 0.35) -> bool:
    """Whether light from direction `up` (3,) comes over every wall to all that is within `reach` [m] of `centre`."""
    for axis, side in enumerate("xy"):
        for sign, bound in ((-1.0, room.lower), (1.0, room.upper)):
            if ("-" if sign < 0 else "+") + side in room.walls and sign * up[axis] > 0:
                distance = sign * (bound[axis] - centre[axis]) - reach
                if distance / (sign * up[axis]) * up[2] < top - centre[2]:
                    return False
    return True


def _inside(position: F64, radius: float, room: RoomLook) -> bool:
    """Whether a lamp stands clear of every wall, on the scene's side."""
    margin = radius + 0.05
    for side in room.walls:
        axis = "xy".index(side[1])
        if side[0] == "-" and position[axis] < room.lower[axis] + margin:
            return False
        if side[0] == "+" and position[axis] > room.upper[axis] - margin:
            return False
    return True
