"""What is measured of an episode's recorded look, and which values of the recipe it was drawn from.

Plain JSON in, numbers and names out: the layout is that of the line's `look`, ranges are those of the recipe's
`render.randomize`. Angles in degrees, lengths in metres.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp import se3

Json = Mapping[str, Any]
F64 = NDArray[np.float64]
Figure = Callable[[Sequence["Json"], "Json"], Iterable[float]]
Limits = Callable[[Json], tuple[float, float]]  # from `randomize`; KeyError where the recipe has no such key
Weights = Callable[[Json], dict[str, float]]

PARTS = ("cameras", "lights", "environment", "room", "table", "materials", "props", "robot", "objects", "sensor")
"""Members of a look."""

WORKSPACE = (0.5, 0.0)
"""x y of the point on the table's top that lamps are placed around [m]."""

FIXED = ("table", "support", "floor", "wall", "pedestal")
"""Names of the materials that every look has; the others are props'."""

FURNITURE = ("chair", "cupboard", "shelf")
COLOURED, SHINY = 0.15, 0.35
"""A robot whose tint is more saturated has another colour; an object whose factor on roughness is lower shines."""


@dataclass(frozen=True, slots=True)
class Number:
    """A figure of which an episode has none, one or several."""

    unit: str
    of: Figure  # from episodes' lines and the recipe's `render`
    limits: Limits | None = None  # where the recipe bounds it
    whole: bool = False  # drawn from whole numbers
    central: bool = False  # drawn in a ball: rarely near its least value, 0


@dataclass(frozen=True, slots=True)
class Choice:
    """A name of which an episode has none, one or several."""

    of: Callable[[Json], Iterable[str]]  # from a look
    weights: Weights | None = None  # what the recipe draws from
    exact: bool = True  # whether nothing but the weights decides


def between(key: str) -> Limits:
    """A range of the recipe."""
    return lambda randomize: (float(randomize[key][0]), float(randomize[key][1]))


def hull(*keys: str) -> Limits:
    """The least range that holds several."""
    return lambda randomize: (min(randomize[k][0] for k in keys), max(randomize[k][1] for k in keys))


def span(key: str, of: Callable[[float], tuple[float, float]]) -> Limits:
    """A range that one number r of the recipe stands for."""
    return lambda randomize: of(float(randomize[key]))


def around(r: float) -> tuple[float, float]:
    """−r … r."""
    return -r, r


def up_to(r: float) -> tuple[float, float]:
    """0 … r."""
    return 0.0, r


def reduced(r: float) -> tuple[float, float]:
    """1 − r … 1."""
    return 1.0 - r, 1.0


def factor(r: float) -> tuple[float, float]:
    """e^−r … e^r."""
    return float(np.exp(-r)), float(np.exp(r))


def names(*keys: str, folder: str = "", others: tuple[str, ...] = ()) -> Weights:
    """Names that lists of the recipe hold, by how often; "file" too where there is a folder of files."""

    def weights(randomize: Json) -> dict[str, float]:
        listed = Counter([*(name for key in keys for name in randomize[key]), *others])
        files = randomize[f"{folder}_share"] if folder and randomize[folder] is not None else 0.0
        out = {name: (1.0 - files) * n / listed.total() for name, n in listed.items()}
        return out | ({"file": files} if files else {})

    return weights


def recolouring(randomize: Json) -> dict[str, float]:
    """Of the robot's colours."""
    share = randomize["robot_recolor"]
    return {"its own colours": 1.0 - share, "another colour": share}


def finishes(randomize: Json) -> dict[str, float]:
    """Of objects: glass first, then metal, then shine."""
    glass, metal, gloss = randomize["transparent"], randomize["object_metallic"], randomize["glossy"]
    solid = 1.0 - glass
    return {
        "transparent": glass,
        "metallic": solid * metal,
        "glossy": solid * (1.0 - metal) * gloss,
        "own": solid * (1.0 - metal) * (1.0 - gloss),
    }


def sunny(look: Json) -> bool:
    """Whether the first light is the sun of the sky that is the environment."""
    return look["environment"]["kind"] == "sky" and bool(look["lights"]) and look["lights"][0]["kind"] == "directional"


def lamps(look: Json) -> list[Json]:
    """Lights without such a sun."""
    return look["lights"][1:] if sunny(look) else look["lights"]


def saturation(tint: Iterable[float]) -> float:
    """Of a colour: 0 grey … 1 pure."""
    values = list(tint)
    return (max(values) - min(values)) / max(*values, 1e-9)


def prop_sort(prop: Json) -> str:
    """furniture, picture, skirting (a box along a wall whose shape needs no seed) or prop."""
    if prop["kind"] in FURNITURE:
        return "furniture"
    return "picture" if prop["kind"] == "picture" else "skirting" if prop["seed"] == 0 else "prop"


def _look(of: Callable[[Json], Iterable[float]]) -> Figure:
    return lambda lines, render: [value for line in lines for value in of(line["look"])]


def _part(part: str, name: str) -> Figure:
    return lambda lines, render: [line["look"][part][name] for line in lines]


def _lights(name: str, *kinds: str) -> Figure:
    return _look(lambda look: [light[name] for light in look["lights"] if not kinds or light["kind"] in kinds])


def _materials(name: str, *families: str) -> Figure:
    return _look(
        lambda look: [
            m[name] for m in look["materials"] if m["name"] in FIXED and (not families or m["family"] in families)
        ]
    )


def _ambient(alone: bool) -> Figure:
    return _look(
        lambda look: [] if sunny(look) or bool(look["lights"]) == alone else [look["environment"]["intensity"]]
    )


def _count(sort: str) -> Figure:
    return _look(lambda look: [sum(prop_sort(prop) == sort for prop in look["props"])])


def _family(name: str) -> Callable[[Json], Iterable[str]]:
    return lambda look: [m["family"] for m in look["materials"] if m["name"] == name]


def _solids(look: Json) -> list[Json]:
    return [placed for placed in look["objects"] if placed["transmission"] == 0.0]


def _from_workspace(lines: Sequence[Json]) -> Iterator[tuple[str, tuple[float, float, float]]]:
    """Kind of each light, and the vector to it from the workspace's centre [m]; a unit one where it is a sun."""
    for line in lines:
        for light in line["look"]["lights"]:
            if light["kind"] == "directional":
                x, y, z = light["direction"]
                yield light["kind"], (-x, -y, -z)
            else:
                x, y, z = light["position"]
                yield light["kind"], (x - WORKSPACE[0], y - WORKSPACE[1], z - line["table"]["height"])


def _elevations(lines: Sequence[Json], render: Json) -> list[float]:
    return [math.degrees(math.asin(z / math.hypot(x, y, z))) for _, (x, y, z) in _from_workspace(lines)]


def _distances(lines: Sequence[Json], render: Json) -> list[float]:
    return [math.hypot(*v) for kind, v in _from_workspace(lines) if kind != "directional"]


def _displacements(lines: Sequence[Json], render: Json) -> Iterator[tuple[F64, F64]]:
    """Of each camera's K places from its nominal one: shifts (K, 3) [m], turns about its own axes (K, 3) [deg]."""
    poses: dict[str, list[Any]] = {}
    for line in lines:
        for camera in line["look"]["cameras"]:
            poses.setdefault(camera["name"], []).append(camera["pose"])
    for name, found in poses.items():
        nominal = render["cameras"][name]
        T = se3.invert(se3.look_at(nominal["position"], nominal["target"])) @ se3.matrix_from_pose7(found)
        yield T[:, :3, 3], np.degrees(se3.rpy_from_matrix(T[:, :3, :3]))


def _shifts(lines: Sequence[Json], render: Json) -> list[float]:
    return [v for shifts, _ in _displacements(lines, render) for v in np.linalg.norm(shifts, axis=1).tolist()]


def _turns(lines: Sequence[Json], render: Json) -> list[float]:
    return [v for _, turns in _displacements(lines, render) for v in turns.ravel().tolist()]


def _finish(placed: Json) -> str:
    if placed["transmission"] > 0.0:
        return "transparent"
    return "metallic" if placed["metallic"] > 0.0 else "glossy" if placed["roughness"] < SHINY else "own"


def _horizon(look: Json) -> list[float]:
    environment = look["environment"]
    return [environment["horizon"][1] / environment["zenith"][1]] if environment["kind"] == "gradient" else []


def _roughness(look: Json) -> list[float]:
    return [placed["roughness"] for placed in look["objects"] if _finish(placed) == "own"]


NUMBERS: dict[str, Number] = {
    "lights": Number("", _look(lambda look: [len(look["lights"])]), between("lights"), whole=True),
    "light temperature": Number("K", _lights("temperature"), between("light_temperature")),
    "light elevation": Number("°", _elevations, between("light_elevation")),
    "lamp distance": Number("m", _distances, between("light_distance")),
    "lamp radius": Number("m", _lights("radius", "point", "spot"), between("light_radius")),
    "spot half angle": Number(
        "°", _look(lambda look: [math.degrees(k["cone"]) for k in look["lights"] if k["kind"] == "spot"]),
        between("light_cone"),
    ),
    "first lamp": Number("", _look(lambda look: [k["intensity"] for k in look["lights"][:1]]),
                         between("light_intensity")),
    "other lamps": Number("", _look(lambda look: [k["intensity"] for k in look["lights"][1:]]),
                          between("light_second")),
    "environment with lamps": Number("", _ambient(alone=False), between("ambient")),
    "environment alone": Number("", _ambient(alone=True), between("ambient_alone")),
    "sky beside its sun": Number("", _look(lambda look: [look["environment"]["intensity"]] if sunny(look) else [])),
    "haze of skies": Number(
        "", _look(lambda look: [look["environment"]["turbidity"]] if look["environment"]["kind"] == "sky" else []),
        between("turbidity"),
    ),
    "gradient at horizon": Number("", _look(_horizon), between("horizon")),
    "camera shift": Number("m", _shifts, span("camera_radius", up_to), central=True),
    "camera turn": Number("°", _turns, span("camera_angle", around)),
    "field of view": Number(
        "°", _look(lambda look: [math.degrees(c["fovy"]) for c in look["cameras"]]), between("fovy")
    ),
    "wall height": Number("m", _part("room", "height"), between("wall_height")),
    "wall behind": Number("m", _look(lambda look: [-look["room"]["lower"][0]]), between("wall_behind")),
    "wall beside": Number("m", _look(lambda look: [-look["room"]["lower"][1]]), between("wall_beside")),
    "floor below table": Number("m", _part("room", "floor_drop"), between("floor_drop")),
    "table margin": Number("m", _look(lambda look: look["table"]["margin"][1:]), between("table_margin")),
    "table thickness": Number("m", _part("table", "thickness"), between("table_thickness")),
    "table leg": Number("m", _part("table", "leg"), between("table_leg")),
    "props": Number("", _count("prop"), between("props"), whole=True),
    "furniture": Number("", _count("furniture"), between("furniture"), whole=True),
    "pictures": Number("", _count("picture"), between("pictures"), whole=True),
    "texture tint": Number(
        "", _look(lambda look: [c for m in look["materials"] for c in m["tint"]]), span("tint", reduced)
    ),
    "surface roughness": Number("", _materials("roughness"), hull("roughness_polished", "roughness_matt")),
    "metal surfaces": Number("", _materials("metallic", "metal"), between("metallic")),
    "relief": Number("mm", _look(lambda look: [1e3 * m["bump"] for m in look["materials"] if m["name"] in FIXED])),
    "robot tint saturation": Number("", _look(lambda look: [saturation(look["robot"]["tint"])])),
    "robot roughness": Number("", _part("robot", "roughness"), between("robot_roughness")),
    "object tint": Number(
        "", _look(lambda look: [c for placed in _solids(look) for c in placed["tint"]]), span("object_tint", reduced)
    ),
    "object roughness": Number("", _look(_roughness), span("object_roughness", factor)),
    "glass index": Number(
        "", _look(lambda look: [o["ior"] for o in look["objects"] if o["transmission"] > 0.0]), between("glass_ior")
    ),
    "exposure": Number("EV", _part("sensor", "exposure"), between("exposure")),
    "white balance": Number(
        "", _look(lambda look: [look["sensor"]["white_balance"][k] for k in (0, 2)]), span("white_balance", factor)
    ),
    "contrast": Number("", _part("sensor", "contrast"), between("contrast")),
    "saturation": Number("", _part("sensor", "saturation"), between("saturation")),
    "noise": Number("levels", _part("sensor", "noise"), between("sensor_noise")),
    "blur": Number("px", _part("sensor", "blur"), between("blur")),
    "vignette": Number("", _part("sensor", "vignette"), between("vignette")),
}  # fmt: skip

CHOICES: dict[str, Choice] = {
    "lamp": Choice(lambda look: [k["kind"] for k in lamps(look)], names("light_kinds")),
    "environment": Choice(
        lambda look: [look["environment"]["kind"]], names("environments", folder="environment_folder")
    ),
    "table texture": Choice(_family("table"), names("table_families", folder="texture_folder")),
    "floor texture": Choice(_family("floor"), names("floor_families", folder="texture_folder")),
    "wall texture": Choice(_family("wall"), names("wall_families", folder="texture_folder")),
    "walls": Choice(lambda look: [" ".join(look["room"]["walls"]) or "none"]),
    "table shape": Choice(lambda look: [look["table"]["shape"]], names("table_shapes"), exact=False),
    "table support": Choice(lambda look: [look["table"]["support"]], names("table_supports"), exact=False),
    "prop": Choice(
        lambda look: [prop["kind"] for prop in look["props"] if prop_sort(prop) == "prop"],
        names("prop_kinds"),
        exact=False,
    ),
    "at walls": Choice(
        lambda look: [p["kind"] for p in look["props"] if prop_sort(p) in ("furniture", "picture")],
        names("furniture_kinds", others=("picture",)),
        exact=False,
    ),
    "robot": Choice(
        lambda look: ["another colour" if saturation(look["robot"]["tint"]) > COLOURED else "its own colours"],
        recolouring,
    ),
    "object finish": Choice(lambda look: [_finish(placed) for placed in look["objects"]], finishes),
}
