"""A look's lights and cameras as UsdLux and UsdGeom prims.

UsdLux gives radiance in nits; a look states irradiance / π, which is the radiance that a white matt surface sends back.
One unit of a look is NITS nits.
"""

# pyright: reportAttributeAccessIssue=false
# (what usd-core compiles has no type stubs)

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pxr import Gf, Sdf, Usd, UsdGeom, UsdLux

from syngrasp import se3
from syngrasp.rendering.blackbody import blackbody
from syngrasp.rendering.look import LEAST_RADIUS, CameraLook, LightLook, workspace_centre

F64 = NDArray[np.float64]

NITS = 1000.0
"""Radiance [nit] of one unit of a look: white paper under a bright lamp."""

APERTURE = 20.955  # horizontal [tenths of a unit], UsdGeom's fallback; only its ratio to the focal length counts

T_BASE_DOME = np.array([[0.0, 0.0, -1.0], [-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
"""Rotation that turns a UsdLux dome (pole +y) to base (pole +z) so that `dome_picture` shows each texel its way."""


def light_intensity(light: LightLook, table_height: float) -> float:
    """`inputs:intensity` of a light, so that a surface at the workspace's centre that faces it gets π · intensity ·
    NITS lux.

    A ball of radius r and radiance L gives irradiance π L r² / d² at distance d; a normalised distant light's intensity
    is its irradiance.
    """
    if light.kind == "directional":
        return float(np.pi * light.intensity * NITS)
    away = np.array(light.position) - workspace_centre(table_height)
    return float(light.intensity * (away @ away) / max(light.radius, LEAST_RADIUS) ** 2 * NITS)


def add_light(stage: Usd.Stage, path: str, light: LightLook, table_height: float) -> None:
    """Defines a light: a sphere, a sphere with a cone, or a distant disc. UsdLux lights shine along their −z."""
    if light.kind == "directional":
        prim = UsdLux.DistantLight.Define(stage, path)
        prim.CreateAngleAttr(float(np.rad2deg(2.0 * np.arctan(light.radius))))
        prim.CreateNormalizeAttr(True)
    else:
        prim = UsdLux.SphereLight.Define(stage, path)
        prim.CreateRadiusAttr(max(light.radius, LEAST_RADIUS))
        prim.CreateNormalizeAttr(False)
    if light.kind == "spot":
        shaping = UsdLux.ShapingAPI.Apply(prim.GetPrim())
        shaping.CreateShapingConeAngleAttr(float(np.rad2deg(light.cone)))
        shaping.CreateShapingConeSoftnessAttr(0.3)
    prim.CreateIntensityAttr(light_intensity(light, table_height))
    prim.CreateColorAttr(Gf.Vec3f(*map(float, blackbody(light.temperature))))
    position = (0.0, 0.0, 0.0) if light.kind == "directional" else light.position
    place(prim, se3.make(_frame_along(light.direction), position))


def add_dome(stage: Usd.Stage, path: str, file: str) -> None:
    """Defines the dome light of an environment map written as `dome_picture` lays it out."""
    dome = UsdLux.DomeLight.Define(stage, path)
    dome.CreateIntensityAttr(NITS)
    dome.CreateTextureFileAttr(Sdf.AssetPath(file))
    dome.CreateTextureFormatAttr(UsdLux.Tokens.latlong)
    place(dome, se3.make(T_BASE_DOME, np.zeros(3)))


def dome_picture(environment: NDArray[np.float32]) -> NDArray[np.float32]:
    """An environment map (H, 2H, 3) of environment/maps.py as UsdLux reads it: OpenEXR's latitude-longitude map, whose
    longitude falls from the left to the right."""
    return environment[:, ::-1]


def add_camera(stage: Usd.Stage, path: str, camera: CameraLook, width: int, height: int) -> None:
    """Defines a camera. UsdGeom cameras look along −z, y up; OpenCV's along +z, y down."""
    prim = UsdGeom.Camera.Define(stage, path)
    vertical = APERTURE * height / width
    prim.CreateHorizontalApertureAttr(APERTURE)
    prim.CreateVerticalApertureAttr(vertical)
    prim.CreateFocalLengthAttr(float(0.5 * vertical / np.tan(0.5 * camera.fovy)))
    prim.CreateClippingRangeAttr(Gf.Vec2f(0.01, 100.0))
    place(prim, camera.T_base_camera() @ np.diag([1.0, -1.0, -1.0, 1.0]))


def place(prim: UsdGeom.Xformable, T: F64) -> None:
    """Gives a prim a transform (4, 4) that does not change."""
    prim.AddTransformOp(UsdGeom.XformOp.PrecisionDouble).Set(Gf.Matrix4d(T.T.tolist()))


def _frame_along(direction: tuple[float, float, float]) -> F64:
    """A rotation (3, 3) whose −z is a unit direction."""
    z = -np.array(direction)
    side = np.array([0.0, 1.0, 0.0]) if abs(z[0]) > 0.7 else np.array([1.0, 0.0, 0.0])
    x = np.cross(side, z)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z], axis=-1)
