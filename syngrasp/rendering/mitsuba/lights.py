"""Lamps and environments as Mitsuba's emitters."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false, reportOperatorIssue=false
# (what Mitsuba's and Dr.Jit's names mean depends on the variant that runs)

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.rendering.blackbody import blackbody
from syngrasp.rendering.look import LEAST_RADIUS, LightLook, Look, workspace_centre

F32 = NDArray[np.float32]

SUN = 60.0
"""Distance of the balls that stand for suns: far against the room, near enough for float32 [m]."""

SPOTS = 12
"""Hard spot lights that together make a soft one: Mitsuba has no ball with a cone."""

SLOTS = 16
"""Emitters of a scene, or twice as many, and so on: a kernel is compiled for their number."""


def emitters(look: Look, table_height: float, environment: F32) -> dict[str, Any]:
    """All that shines under a look; `environment` is a map of environment/maps.py."""
    out = {"environment": _dome(environment, look), **_lights(look.lights, table_height)}
    slots = SLOTS
    while slots < len(out):
        slots *= 2
    import mitsuba as mi

    dark = mi.load_dict(unlit())
    return out | {f"unlit{k}": dark for k in range(slots - len(out))}


def unlit() -> dict[str, Any]:
    """A spot that is never asked and gives no light."""
    import mitsuba as mi

    return {
        "type": "spot", "intensity": {"type": "rgb", "value": [0.0, 0.0, 0.0]}, "sampling_weight": 0.0,
        "to_world": mi.ScalarTransform4f().look_at([0.0, 0.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]),
        "cutoff_angle": 30.0, "beam_width": 20.0,
    }  # fmt: skip


def _dome(environment: F32, look: Look) -> dict[str, Any]:
    """Mitsuba looks an environment up at u = atan2(x, −z) / 2π about its y axis: azimuth mirrored, z up."""
    import mitsuba as mi

    to_world = np.eye(4)
    to_world[:3, :3] = [[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    return {
        "type": "envmap",
        "bitmap": mi.Bitmap(np.ascontiguousarray(environment[:, ::-1])),
        "to_world": mi.ScalarTransform4f(to_world),
        "sampling_weight": 0.3 + look.environment.intensity,
    }


def _lights(lights: Sequence[LightLook], table_height: float) -> dict[str, Any]:
    """Balls for lamps and suns, a bundle of spots for a spot. A lamp's intensity holds at the workspace's centre."""
    import mitsuba as mi

    out: dict[str, Any] = {}
    for i, light in enumerate(lights):
        irradiance = np.pi * light.intensity * blackbody(light.temperature)
        place, weight = np.array(light.position), 0.1 + light.intensity
        away = place - workspace_centre(table_height)
        distance_sq = float(away @ away)
        if light.kind == "spot":
            color = {"type": "rgb", "value": (irradiance * distance_sq / SPOTS).tolist()}
            for j, origin in enumerate(_disc(place, np.array(light.direction), light.radius)):
                pointing = mi.ScalarTransform4f().look_at(
                    origin.tolist(), (origin + light.direction).tolist(), _across(light.direction).tolist()
                )
                out[f"light{i}_{j}"] = {
                    "type": "spot", "intensity": color, "to_world": pointing, "sampling_weight": weight / SPOTS,
                    "cutoff_angle": float(np.degrees(light.cone)), "beam_width": float(np.degrees(0.7 * light.cone)),
                }  # fmt: skip
            continue
        radius = max(light.radius, LEAST_RADIUS)
        if light.kind == "directional":
            place, radius, distance_sq = -SUN * np.array(light.direction), SUN * radius, SUN**2
        radiance = irradiance * distance_sq / (np.pi * radius**2)
        out[f"light{i}"] = {
            "type": "sphere", "center": place.tolist(), "radius": float(radius),
            "emitter": {
                "type": "area", "radiance": {"type": "rgb", "value": radiance.tolist()}, "sampling_weight": weight,
            },
        }  # fmt: skip
    return out


def _disc(centre: NDArray[np.float64], axis: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """SPOTS places (SPOTS, 3) spread evenly over a disc (a sunflower's)."""
    x = _across(axis)
    y = np.cross(axis, x)
    k = np.arange(SPOTS)
    r, turn = radius * np.sqrt((k + 0.5) / SPOTS), k * np.pi * (3.0 - np.sqrt(5.0))
    return centre + (r * np.cos(turn))[:, None] * x + (r * np.sin(turn))[:, None] * y


def _across(axis: Any) -> NDArray[np.float64]:
    """A unit vector at right angles to an axis."""
    other = np.cross(axis, [1.0, 0.0, 0.0] if abs(axis[0]) < 0.7 else [0.0, 1.0, 0.0])
    return other / np.linalg.norm(other)
