"""`Look`: everything about an episode's pictures that physics did not decide. Plain, JSON-able, recorded.

A renderer needs a rollout and a look, nothing else: textures, environments and props are functions of the names and
seeds that stand here, or of files that a recipe's folders hold. Positions in base [m], colours linear RGB, directions
unit.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, is_dataclass
from types import GenericAlias
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.errors import UnknownName

F64 = NDArray[np.float64]
Vec3 = tuple[float, float, float]


def workspace_centre(table_height: float) -> Vec3:
    """The workspace's centre in base [m]: there a lamp's intensity holds."""
    return 0.5, 0.0, table_height


LEAST_RADIUS = 0.004
"""Of a lamp's ball for renderers to whom it must have one [m]."""


@dataclass(frozen=True, slots=True)
class CameraLook:
    """A pinhole camera: OpenCV axes (x right, y down, z forward), square pixels, no distortion."""

    name: str
    pose: tuple[float, ...]  # (7,) pose7 of the camera in base
    fovy: float  # vertical field of view of the stored image [rad]

    def T_base_camera(self) -> F64:
        """(4, 4)."""
        return se3.matrix_from_pose7(np.array(self.pose))

    def intrinsics(self, width: int, height: int) -> F64:
        """(3, 3) [px]. A point projects to pixel-edge coordinates: pixel i covers [i, i + 1)."""
        focal = 0.5 * height / np.tan(0.5 * self.fovy)
        return np.array([[focal, 0.0, 0.5 * width], [0.0, focal, 0.5 * height], [0.0, 0.0, 1.0]])


@dataclass(frozen=True, slots=True)
class LightLook:
    """A lamp or a sun."""

    kind: str  # point (a ball), spot (a ball with a cone), directional (a distant disc)
    position: Vec3  # of a point or spot light
    direction: Vec3  # the way the light travels, of a spot or directional light
    radius: float  # of the ball [m]; of a directional light: tangent of its angular radius
    temperature: float  # of its colour [K]
    intensity: float  # irradiance / π at the workspace's centre on a surface that faces it
    cone: float  # half angle of a spot [rad]


@dataclass(frozen=True, slots=True)
class EnvironmentLook:
    """The dome: light from everywhere, also seen in reflections and where nothing else is. See environment/maps.py."""

    kind: str  # gradient (zenith to horizon), sky (clear, with the sun among the lights), studio (generated), file
    seed: int  # of a studio
    file: str  # its name in the recipe's folder of environments; empty for the other kinds
    rotation: float  # about z [rad]
    intensity: float  # irradiance / π that a surface facing up gets from it where nothing stands in its way
    zenith: Vec3  # colours of a gradient
    horizon: Vec3
    sun: Vec3  # towards a sky's sun
    turbidity: float  # of a sky: 2 clear, 10 hazy


@dataclass(frozen=True, slots=True)
class MaterialLook:
    """A texture and how light meets it. Family and seed decide every texel of a generated one."""

    name: str  # what refers to it: table, support, floor, wall, pedestal, a prop's
    family: str  # of texture/families.py, or "file"
    seed: int
    file: str  # its name in the recipe's folder of textures; empty for the other families
    tile: float  # edge of the square that one repetition covers [m]
    angle: float  # rotation of the pattern in the surface [rad]
    offset: tuple[float, float]  # of the pattern [tiles]
    tint: Vec3  # factor on its colours
    roughness: float
    metallic: float
    bump: float  # height of its relief [m]


@dataclass(frozen=True, slots=True)
class RoomLook:
    """What stands around the scene: a floor, and walls on some of its sides. There is no ceiling."""

    floor_drop: float  # floor below the table's top [m]
    lower: tuple[float, float]  # x y of the walls [m]
    upper: tuple[float, float]
    height: float  # of the walls over the floor [m]
    walls: tuple[str, ...]  # sides that have one: -x, +x, -y, +y


@dataclass(frozen=True, slots=True)
class TableLook:
    """What physics leaves open of the table: its top is a slab of `thickness` on `support`."""

    shape: str  # rectangle, rounded (corners), round (an ellipse around the workspace)
    margin: tuple[float, float, float, float]  # beyond physics' table at −x, −y, +x, +y [m]
    thickness: float  # [m]
    support: str  # legs, block, trestle, column
    leg: float  # width of a leg [m]
    inset: float  # of the support from the top's edges [m]


@dataclass(frozen=True, slots=True)
class PropLook:
    """Something that only cameras see: a distractor, a picture on a wall, a piece of furniture. See props.py."""

    kind: str
    seed: int  # of its shape
    position: Vec3  # of its base's centre [m]
    yaw: float  # about z [rad]
    size: Vec3  # of its box, before it is turned [m]
    material: str  # name of one of the look's


@dataclass(frozen=True, slots=True)
class ObjectLook:
    """How an object's own material is changed."""

    tint: Vec3  # factor on its colours
    roughness: float  # factor on its own
    metallic: float  # at least this
    transmission: float  # share of the light that goes through it, 0 opaque … 1 clear glass
    ior: float  # refractive index of what transmits


@dataclass(frozen=True, slots=True)
class RobotLook:
    """Tint of the robot's own colours and the finish of its shell."""

    tint: Vec3
    roughness: float
    metallic: float


@dataclass(frozen=True, slots=True)
class SensorLook:
    """What happens between the light and the stored bytes, in this order. See sensor.py."""

    blur: float  # standard deviation of the lens's blur [px of the stored image at 256 px height]
    vignette: float  # share of the light that is lost in the corners
    exposure: float  # beyond the automatic exposure [EV]
    white_balance: Vec3  # factor on linear colours
    contrast: float  # exponent around mid-grey
    saturation: float  # 1 leaves colours
    noise: float  # standard deviation at mid-grey [8-bit levels]
    seed: int  # of the noise


@dataclass(frozen=True, slots=True)
class Look:
    """One draw of everything that varies."""

    cameras: tuple[CameraLook, ...]
    lights: tuple[LightLook, ...]
    environment: EnvironmentLook
    room: RoomLook
    table: TableLook
    materials: tuple[MaterialLook, ...]
    props: tuple[PropLook, ...]
    robot: RobotLook
    objects: tuple[ObjectLook, ...]  # by the scene's objects
    sensor: SensorLook

    def material(self, name: str) -> MaterialLook:
        """The material of a name. Raises `UnknownName`."""
        for material in self.materials:
            if material.name == name:
                return material
        raise UnknownName("material of a look", name, [material.name for material in self.materials])

    def to_json(self) -> dict[str, Any]:
        """JSON values only."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Look:
        """The inverse of `to_json`."""
        return _built(cls, value)


def _built(kind: Any, value: Any) -> Any:
    """A value of a dataclass, a tuple of them or a plain type, from JSON values."""
    if is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{field.name: _built(hints[field.name], value[field.name]) for field in fields(kind)})  # type: ignore[operator]
    if isinstance(kind, GenericAlias) or get_origin(kind) is tuple:
        return tuple(_built(get_args(kind)[0], item) for item in value)
    return value
