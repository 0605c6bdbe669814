"""`Look`: everything about an episode's pictures that physics did not decide. Plain, JSON-able, recorded.

A renderer needs a rollout and a look, nothing else. Positions in base [m], colours linear RGB, directions unit.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp import se3

F64 = NDArray[np.float64]
Vec3 = tuple[float, float, float]


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
class SkyLook:
    """Light from everywhere: a vertical gradient, also seen in reflections and where no wall is."""

    zenith: Vec3
    horizon: Vec3
    intensity: float  # irradiance / π that a white zenith gives a surface facing up


@dataclass(frozen=True, slots=True)
class MaterialLook:
    """A generated texture and how light meets it. Family and seed decide every texel."""

    family: str
    seed: int
    tile: float  # edge of the square that one repetition covers [m]
    angle: float  # rotation of the pattern in the surface [rad]
    offset: tuple[float, float]  # of the pattern [tiles]
    roughness: float
    metallic: float


@dataclass(frozen=True, slots=True)
class RoomLook:
    """A box around the scene. Without walls the floor runs to its edges under the sky."""

    floor_drop: float  # floor below the table's top [m]
    lower: tuple[float, float]  # x y of the walls [m]
    upper: tuple[float, float]
    height: float  # of the ceiling over the floor [m]
    walls: bool


@dataclass(frozen=True, slots=True)
class TableLook:
    """What physics leaves open of the table: its top is a slab of `thickness` on `support`."""

    thickness: float  # [m]
    support: str  # legs, block, trestle
    leg: float  # width of a leg [m]
    inset: float  # of the support from the top's edges [m]


@dataclass(frozen=True, slots=True)
class RobotLook:
    """Tint of the robot's own colours and the finish of its shell."""

    tint: Vec3
    roughness: float
    metallic: float


@dataclass(frozen=True, slots=True)
class Look:
    """One draw of everything that varies."""

    cameras: tuple[CameraLook, ...]
    lights: tuple[LightLook, ...]
    sky: SkyLook
    room: RoomLook
    table: TableLook
    table_material: MaterialLook
    support_material: MaterialLook
    floor_material: MaterialLook
    wall_material: MaterialLook
    pedestal_material: MaterialLook
    robot: RobotLook
    object_roughness: float  # factor on the objects' own
    exposure: float  # beyond the automatic exposure [EV]
    contrast: float  # exponent around mid-grey
    saturation: float  # 1 leaves colours
    sensor_noise: float  # standard deviation at mid-grey [8-bit levels]
    seed: int  # of the sensor's noise

    def to_json(self) -> dict[str, Any]:
        """JSON values only."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Look:
        """The inverse of `to_json`."""
        material = {key: _make(MaterialLook, value[key]) for key in value if key.endswith("_material")}
        return cls(
            **{
                **value,
                **material,
                "cameras": tuple(_make(CameraLook, camera) for camera in value["cameras"]),
                "lights": tuple(_make(LightLook, light) for light in value["lights"]),
                "sky": _make(SkyLook, value["sky"]),
                "room": _make(RoomLook, value["room"]),
                "table": _make(TableLook, value["table"]),
                "robot": _make(RobotLook, value["robot"]),
            }
        )


def _make(kind: type, value: dict[str, Any]) -> Any:
    return kind(**{key: tuple(item) if isinstance(item, list) else item for key, item in value.items()})
