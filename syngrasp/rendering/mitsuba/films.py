"""Whole films by Mitsuba's own integrator: the way of the scalar variant, which cannot trace chosen samples at once."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false, reportOperatorIssue=false
# (what Mitsuba's and Dr.Jit's names mean depends on the variant that runs)

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.rendering.look import CameraLook
from syngrasp.rendering.mitsuba.paths import ROULETTE

F32 = NDArray[np.float32]


def film_light(
    scene: Any, camera: CameraLook, width: int, height: int, samples: int, depth: int, seed: int, limit: float
) -> tuple[F32, F32, F32]:
    """Noisy light, albedo and normal (H, W, 3) of a camera; light is cut off at `limit`."""
    import mitsuba as mi

    path = {"type": "path", "max_depth": depth, "rr_depth": ROULETTE}
    integrator = mi.load_dict({"type": "aov", "aovs": "albedo:albedo,normal:sh_normal", "own": path})
    image: Any = mi.render(scene, sensor=_sensor(camera, width, height), integrator=integrator, spp=samples, seed=seed)
    planes = np.nan_to_num(np.array(image, np.float32), posinf=0.0, neginf=0.0)
    return np.minimum(planes[..., :3], limit), np.clip(planes[..., -6:-3], 0.0, 1.0), planes[..., -3:]


def _sensor(camera: CameraLook, width: int, height: int) -> Any:
    """Mitsuba's cameras look along z with x to the left; the film has a box filter, or the denoiser does nothing."""
    import mitsuba as mi

    T = camera.T_base_camera() @ np.diag([-1.0, -1.0, 1.0, 1.0])
    film = {
        "type": "hdrfilm", "width": width, "height": height, "rfilter": {"type": "box"}, "pixel_format": "rgb",
        "component_format": "float32",
    }  # fmt: skip
    return mi.load_dict({
        "type": "perspective", "fov": float(np.degrees(camera.fovy)), "fov_axis": "y", "film": film,
        "near_clip": 0.01, "far_clip": 1000.0, "to_world": mi.ScalarTransform4f(T),
        "sampler": {"type": "independent"},
    })  # fmt: skip
