"""Pictures of replayed motions, seen from the side: what a replay did, whether or not the dataset has images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL.Image import Image

    from syngrasp.objects.catalog import Catalog
    from syngrasp.physics.execution import Recording
    from syngrasp.records import Rollout, Scene
    from syngrasp.rendering.look import Look
    from syngrasp.robots.base import Robot

TILE = 224  # edge of a picture [px]
NEAR = 0.28  # of the TCP to the target's first place: from here on there is something to see [m]
CLOSE_UP = 33.0  # vertical field of view [deg]
ASIDE = (0.12, 0.72, 0.18)  # of the camera from the target [m]


class Camera:
    """Renders recordings from beside the target, with objects of the catalog that they were made from."""

    def __init__(self, catalog: Catalog, robot: Robot) -> None:
        from syngrasp.rendering.mjwarp.renderer import MjWarpRenderer, TraceOptions

        self._catalog = catalog
        self._renderer = MjWarpRenderer(robot, TILE, TILE, TraceOptions(), "cpu")

    def strip(self, scene: Scene, recording: Recording, dt: float, columns: int) -> Image:
        """`columns` states of a recording side by side, TILE pixels each, evenly spaced from where the hand comes near.

        Raises CatalogError where the catalog lacks an object of the scene.
        """
        from PIL import Image

        away = np.linalg.norm(recording.T_base_tcp[:, :3, 3] - scene.objects[scene.target].pose[:3], axis=1)
        first, last = int(np.argmax(away <= max(NEAR, away.min()))), len(away) - 1
        frames = np.unique(np.linspace(first, last, columns).round().astype(int))
        models = [self._catalog.load(placed.uid) for placed in scene.objects]
        pictures = self._renderer.render(_states(scene, recording, frames, dt), models, _look(scene))
        assert pictures is not None  # no condition was given
        sheet = Image.new("RGB", (TILE * len(frames), TILE))
        for column, picture in enumerate(pictures.images[:, 0]):
            sheet.paste(Image.fromarray(picture), (TILE * column, 0))
        return sheet


def _look(scene: Scene) -> Look:
    """How a scene looks from beside its target: the same whenever it is asked for."""
    from syngrasp.rendering.randomize import CameraConfig, RandomizeConfig, draw_look
    from syngrasp.seeding import named_rng

    x, y, z = (float(v) for v in scene.objects[scene.target].pose[:3])
    side = CameraConfig(position=(x + ASIDE[0], y + ASIDE[1], z + ASIDE[2]), target=(x, y, z + 0.07))
    still = {"camera_radius": 0.0, "camera_angle": 0.0, "fovy": (CLOSE_UP, CLOSE_UP)}
    plain = {"props": (0, 0), "transparent": 0.0}  # nothing that hides what the hand does
    ranges = RandomizeConfig.model_validate(still | plain)
    stream = named_rng(0, "film", scene.slot.shard, scene.slot.episode, scene.slot.attempt)
    return draw_look(scene, ranges, {"side": side}, stream)


def _states(scene: Scene, recording: Recording, frames: NDArray[np.integer], dt: float) -> Rollout:
    """Some frames of a recording as what a renderer takes; it looks at states only."""
    from syngrasp import se3
    from syngrasp.records import Rollout

    ee_pose = se3.pose7_from_matrix(recording.T_base_tcp[frames]).astype(np.float32)
    return Rollout(
        scene=scene,
        T_base_grasp=recording.T_base_tcp[0],
        grasp_width=0.0,
        grasp_quality=0.0,
        dt=dt,
        joint_position=recording.joint_position[frames].astype(np.float32),
        joint_velocity=recording.joint_velocity[frames].astype(np.float32),
        gripper_width=recording.gripper_width[frames].astype(np.float32),
        ee_pose=ee_pose,
        action=np.zeros_like(ee_pose),
        goal_pose=ee_pose,
        object_pose=recording.object_pose[frames].astype(np.float32),
        phase=np.zeros(len(frames), np.uint8),
        lift_height=0.0,
        slip=0.0,
        disturbance=0.0,
    )
