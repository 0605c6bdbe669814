"""What is measured of an episode's recorded look, and which range of the recipe each figure was drawn from.

Plain JSON in, numbers and names out: the layout is that of the line's `look`, ranges are those of the recipe's
`render.randomize`. Angles in degrees, lengths in metres.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp import se3

Json = Mapping[str, Any]
F64 = NDArray[np.float64]

PARTS = ("cameras", "lights", "environment", "room", "table", "materials", "props", "robot", "objects", "sensor")
"""Members of a look."""

WORKSPACE = (0.5, 0.0)
"""x y of the point on the table's top that lamps are placed around [m]."""

COLOURED = 0.15
"""A robot whose tint is more saturated than this has got another colour."""


@dataclass(frozen=True, slots=True)
class Number:
    """A figure of which an episode has none, one or several."""

    unit: str
    of: Callable[[Json, Json], Iterable[float]]  # from an episode's line and the recipe's `render`
    limits: str = ""  # the key of its range in the recipe; empty where none bounds it
    spread: str = "range"  # range: the key holds [a, b]; ball: r stands for 0 … r; both: r stands for −r … r
    whole: bool = False  # drawn from whole numbers


@dataclass(frozen=True, slots=True)
class Choice:
    """A name of which an episode has none, one or several."""

    of: Callable[[Json], Iterable[str]]  # from a look
    names: str = ""  # the key of the names to draw from in the recipe, by weight; empty where none lists them


def _look(of: Callable[[Json], Iterable[float]]) -> Callable[[Json, Json], Iterable[float]]:
    return lambda line, render: of(line["look"])


def _sensor(name: str) -> Callable[[Json, Json], Iterable[float]]:
    return _look(lambda look: [look["sensor"][name]])


def _lights(of: Callable[[Json], float], *kinds: str) -> Callable[[Json, Json], Iterable[float]]:
    return _look(lambda look: [of(light) for light in look["lights"] if not kinds or light["kind"] in kinds])


def _families(name: str) -> Callable[[Json], Iterable[str]]:
    return lambda look: [m["family"] for m in look["materials"] if m["name"] == name]


def _from_workspace(line: Json) -> Iterator[tuple[str, F64]]:
    """Kind of each light, and the vector to it from the workspace's centre [m]; a unit one where it is a sun."""
    centre = np.array([*WORKSPACE, line["table"]["height"]])
    for light in line["look"]["lights"]:
        sun = light["kind"] == "directional"
        yield light["kind"], -np.array(light["direction"]) if sun else np.array(light["position"]) - centre


def _elevations(line: Json, render: Json) -> list[float]:
    return [float(np.degrees(np.arcsin(v[2] / np.linalg.norm(v)))) for _, v in _from_workspace(line)]


def _distances(line: Json, render: Json) -> list[float]:
    return [float(np.linalg.norm(v)) for kind, v in _from_workspace(line) if kind != "directional"]


def _displacements(line: Json, render: Json) -> Iterator[tuple[F64, F64]]:
    """Of each camera from its nominal place: shift [m] and turns about its own axes x, y, z [deg]."""
    for camera in line["look"]["cameras"]:
        nominal = render["cameras"][camera["name"]]
        T = se3.invert(se3.look_at(nominal["position"], nominal["target"])) @ se3.matrix_from_pose7(camera["pose"])
        yield T[:3, 3], np.degrees(se3.rpy_from_matrix(T[:3, :3]))


def _shifts(line: Json, render: Json) -> list[float]:
    return [float(np.linalg.norm(shift)) for shift, _ in _displacements(line, render)]


def _turns(line: Json, render: Json) -> list[float]:
    return [float(turn) for _, turns in _displacements(line, render) for turn in turns]


def tint_saturation(tint: Iterable[float]) -> float:
    """Of a colour: 0 grey … 1 pure."""
    values = list(tint)
    return (max(values) - min(values)) / max(*values, 1e-9)


def _finish(placed: Json) -> str:
    if placed["transmission"] > 0.0:
        return "transparent"
    return "metallic" if placed["metallic"] > 0.0 else "glossy" if placed["roughness"] < 0.5 else "own"


NUMBERS: dict[str, Number] = {
    "lights": Number("", _look(lambda look: [len(look["lights"])]), "lights", whole=True),
    "light temperature": Number("K", _lights(lambda light: light["temperature"]), "light_temperature"),
    "light elevation": Number("°", _elevations, "light_elevation"),
    "lamp distance": Number("m", _distances, "light_distance"),
    "lamp radius": Number("m", _lights(lambda light: light["radius"], "point", "spot"), "light_radius"),
    "light intensity": Number("", _lights(lambda light: light["intensity"])),
    "all lights": Number("", _look(lambda look: [sum(light["intensity"] for light in look["lights"])])),
    "environment intensity": Number("", _look(lambda look: [look["environment"]["intensity"]]), "ambient"),
    "camera shift": Number("m", _shifts, "camera_radius", "ball"),
    "camera turn": Number("°", _turns, "camera_angle", "both"),
    "field of view": Number("°", _look(lambda look: [float(np.degrees(c["fovy"])) for c in look["cameras"]]), "fovy"),
    "props": Number("", _look(lambda look: [len(look["props"])])),
    "walls": Number("", _look(lambda look: [len(look["room"]["walls"])])),
    "floor below table": Number("m", _look(lambda look: [look["room"]["floor_drop"]])),
    "tabletop thickness": Number("m", _look(lambda look: [look["table"]["thickness"]])),
    "table roughness": Number(
        "", _look(lambda look: [m["roughness"] for m in look["materials"] if m["name"] == "table"])
    ),
    "robot tint saturation": Number("", _look(lambda look: [tint_saturation(look["robot"]["tint"])])),
    "robot roughness": Number("", _look(lambda look: [look["robot"]["roughness"]])),
    "object roughness factor": Number("", _look(lambda look: [o["roughness"] for o in look["objects"]])),
    "exposure": Number("EV", _sensor("exposure"), "exposure"),
    "white balance, red": Number("", _look(lambda look: [look["sensor"]["white_balance"][0]])),
    "white balance, blue": Number("", _look(lambda look: [look["sensor"]["white_balance"][2]])),
    "contrast": Number("", _sensor("contrast"), "contrast"),
    "saturation": Number("", _sensor("saturation"), "saturation"),
    "noise": Number("levels", _sensor("noise"), "sensor_noise"),
    "blur": Number("px", _sensor("blur")),
    "vignette": Number("", _sensor("vignette")),
}

CHOICES: dict[str, Choice] = {
    "light kind": Choice(lambda look: [light["kind"] for light in look["lights"]], "light_kinds"),
    "environment": Choice(lambda look: [look["environment"]["kind"]]),
    "table texture": Choice(_families("table"), "table_families"),
    "floor texture": Choice(_families("floor"), "floor_families"),
    "wall texture": Choice(_families("wall"), "wall_families"),
    "support texture": Choice(_families("support")),
    "table shape": Choice(lambda look: [look["table"]["shape"]]),
    "table support": Choice(lambda look: [look["table"]["support"]]),
    "prop": Choice(lambda look: [prop["kind"] for prop in look["props"]]),
    "robot": Choice(
        lambda look: ["another colour" if tint_saturation(look["robot"]["tint"]) > COLOURED else "its own colours"]
    ),
    "object finish": Choice(lambda look: [_finish(placed) for placed in look["objects"]]),
}
