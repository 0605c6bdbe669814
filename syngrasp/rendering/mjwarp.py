"""`mjwarp`: the scene's MuJoCo kinematics ray-traced by Warp kernels, on a CPU core or on CUDA."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.records import ObjectModel, Rollout
from syngrasp.errors import SyngraspError, UnknownName
from syngrasp.rendering import packing, tracer, tracer_types
from syngrasp.rendering.annotate import FIRST_OBJECT, MAX_OBJECTS, ROBOT
from syngrasp.rendering.furniture import floor_height, furniture
from syngrasp.rendering.look import Look, MaterialLook
from syngrasp.rendering.packing import PlacedShape
from syngrasp.rendering.shapes import SRGB_TO_LINEAR, RobotShapes, Shape, mip_chain, object_shape
from syngrasp.rendering.textures import make_texture
from syngrasp.robots.base import Robot

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_CACHED_OBJECTS = 64
_TEXTURE_SIZE = {"table_material": 512, "floor_material": 512}


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """What the cameras saw: F frames, C cameras."""

    images: NDArray[np.uint8]  # (F, C, H, W, 3)
    masks: NDArray[np.uint8]  # (F, C, H, W)
    depth: NDArray[np.uint16]  # (F, C, H, W) [mm] along the optical axis


@dataclass(frozen=True, slots=True)
class TraceOptions:
    """Quality against time."""

    still_grid: int = 2  # samples per pixel and axis of what stands still
    sky_rays: int = 2  # per such sample, for the shade in corners and under things
    smooth: bool = True  # more samples on the outlines of what moves
    batch: int = 8  # frames at a time; any number gives the same pixels


class MjWarpRenderer:
    """Renders rollouts. Keeps the robot's and the last objects' meshes; no state that changes a picture."""

    def __init__(
        self, robot: Robot, width: int, height: int, options: TraceOptions | None = None, device: str = "cpu"
    ) -> None:
        _start_warp(device)
        self.device = device
        self.width, self.height, self.options = width, height, options or TraceOptions()
        self._robot = RobotShapes(robot, self.device)
        self._objects: OrderedDict[str, Shape] = OrderedDict()
        self._srgb = wp.array(SRGB_TO_LINEAR, dtype=float, device=self.device)

    def render(self, rollout: Rollout, models: Sequence[ObjectModel], look: Look) -> Pictures:
        """All frames of a rollout from all cameras of a look; `models[i]` belongs to object i of the scene."""
        if len(models) > MAX_OBJECTS:
            raise ValueError(f"{len(models)} objects; a mask has room for {MAX_OBJECTS}")
        parts = self._parts(rollout, models, look)
        moving = [part for part in parts if part.moves()]
        still = [part for part in parts if not part.moves()]
        world = self._world(rollout, look, still, moving)
        cameras = [camera.T_base_camera() for camera in look.cameras]
        intrinsics = [camera.intrinsics(self.width, self.height) for camera in look.cameras]
        rows = packing.camera_rows(cameras, intrinsics)
        rows_still = self._array(packing.instance_rows(still, slice(0, 1)), tracer_types.Instance)
        layer = self._layer(len(cameras), len(look.lights))
        pixels = self.width * self.height
        wp.launch(
            tracer.trace_still,
            dim=(len(cameras), pixels),
            inputs=[
                world,
                rows_still,
                self._array(rows, tracer_types.Camera),
                self.width,
                self.options.still_grid,
                self.options.sky_rays,
                layer,
            ],
            device=self.device,
        )
        rows["gain"] = packing.exposure_gain(layer.ambient.numpy(), layer.light.numpy(), look.exposure)
        windows = packing.windows(moving, cameras, intrinsics, self.width, self.height)
        return self._frames(world, rows_still, moving, windows, self._array(rows, tracer_types.Camera), layer, look)

    def _frames(
        self,
        world: Any,
        still: wp.array,
        moving: list[PlacedShape],
        windows: NDArray[np.int32],
        cameras: wp.array,
        layer: Any,
        look: Look,
    ) -> Pictures:
        frames, count, pixels = len(windows), len(look.cameras), self.width * self.height
        images = np.empty((frames, count, pixels, 3), np.uint8)
        masks = np.empty((frames, count, pixels), np.uint8)
        depth = np.empty((frames, count, pixels), np.uint16)
        size = min(self.options.batch, frames)
        hits = wp.empty((size, count, pixels), dtype=tracer_types.Hit, device=self.device)
        out_images = wp.empty((size, count, pixels, 3), dtype=wp.uint8, device=self.device)
        out_masks = wp.empty((size, count, pixels), dtype=wp.uint8, device=self.device)
        out_depth = wp.empty((size, count, pixels), dtype=wp.uint16, device=self.device)
        grade = wp.vec3(look.contrast, look.saturation, look.sensor_noise)
        for first in range(0, frames, size):
            span = slice(first, min(first + size, frames))
            number = span.stop - span.start
            placed = self._array(packing.instance_rows(moving, span), tracer_types.Instance)
            window = wp.array(windows[span], dtype=wp.vec4i, device=self.device)
            wp.launch(
                tracer.find_moving,
                dim=(number, count, pixels),
                inputs=[world, placed, window, cameras, self.width, layer, hits, out_masks, out_depth],
                device=self.device,
            )
            wp.launch(
                tracer.shade_frame,
                dim=(number, count, pixels),
                inputs=[
                    world,
                    still,
                    placed,
                    cameras,
                    self.width,
                    self.height,
                    int(self.options.smooth),
                    first,
                    look.seed,
                    grade,
                    layer,
                    hits,
                    out_images,
                ],
                device=self.device,
            )
            images[span] = out_images.numpy()[:number]
            masks[span] = out_masks.numpy()[:number]
            depth[span] = out_depth.numpy()[:number]
        shape = (frames, count, self.height, self.width)
        return Pictures(images.reshape(*shape, 3), masks.reshape(shape), depth.reshape(shape))

    def _parts(self, rollout: Rollout, models: Sequence[ObjectModel], look: Look) -> list[PlacedShape]:
        R, p = self._robot.poses(rollout.joint_position, rollout.gripper_width)
        robot = look.robot
        parts = [
            PlacedShape(shape, R[:, b], p[:, b], 1.0, ROBOT, robot.tint, robot.roughness, robot.metallic)
            for b, shape in enumerate(self._robot.shapes)
        ]
        T = se3.matrix_from_pose7(rollout.object_pose)
        for i, (model, placed) in enumerate(zip(models, rollout.scene.objects, strict=True)):
            shape = self._object(model)
            rough, white = float(np.clip(shape.roughness * look.object_roughness, 0.05, 1.0)), (1.0, 1.0, 1.0)
            R_i, p_i = T[:, i, :3, :3], T[:, i, :3, 3]
            parts.append(PlacedShape(shape, R_i, p_i, placed.scale, FIRST_OBJECT + i, white, rough, shape.metallic))
        return parts

    def _object(self, model: ObjectModel) -> Shape:
        key = model.entry.uid + model.entry.content_hash
        if key not in self._objects:
            self._objects[key] = object_shape(model.visual, self.device)
            if len(self._objects) > _CACHED_OBJECTS:
                self._objects.popitem(last=False)
        self._objects.move_to_end(key)
        return self._objects[key]

    def _world(self, rollout: Rollout, look: Look, still: list[PlacedShape], moving: list[PlacedShape]) -> Any:
        """Everything the kernels read that does not depend on the frame."""
        scene, room = rollout.scene, look.room
        looks: list[MaterialLook] = [getattr(look, name) for name in packing.MATERIALS]
        surfaces = [
            mip_chain(make_texture(m.family, m.seed, _TEXTURE_SIZE.get(name, 256)))
            for name, m in zip(packing.MATERIALS, looks, strict=True)
        ]
        parts = still + moving
        rows, chains = packing.part_rows(parts, len(surfaces))
        textures, texels = packing.texture_rows(surfaces + chains)
        table_color = SRGB_TO_LINEAR[surfaces[0][-1]].reshape(3)
        zenith, horizon = np.array(look.sky.zenith), np.array(look.sky.horizon)
        floor = floor_height(scene, look)

        world = tracer_types.World()
        world.still = self._array(rows[: len(still)], tracer_types.Part)
        world.moving = self._array(rows[len(still) :], tracer_types.Part)
        world.corner_normal = self._array(np.concatenate([part.shape.corner_normal for part in parts]), wp.vec3)
        world.corner_uv = self._array(np.concatenate([part.shape.corner_uv for part in parts]), wp.vec2)
        world.face_color = self._array(np.concatenate([part.shape.face_color for part in parts]), wp.vec3)
        world.textures = self._array(textures, tracer_types.Texture)
        world.texels = self._array(texels, wp.uint8)
        world.srgb = self._srgb
        world.materials = self._array(
            np.array([packing.material_row(m, i) for i, m in enumerate(looks)]), tracer_types.Material
        )
        world.boxes = self._array(packing.box_rows(furniture(scene, look)), tracer_types.Box)
        world.lights = self._array(packing.light_rows(look.lights, scene.table_height), tracer_types.Light)
        world.room_lower = wp.vec3(room.lower[0], room.lower[1], floor)
        world.room_upper = wp.vec3(room.upper[0], room.upper[1], floor + room.height)
        world.walls = int(room.walls)
        world.floor_material = packing.MATERIALS.index("floor_material")
        world.wall_material = packing.MATERIALS.index("wall_material")
        world.zenith = wp.vec3(*(zenith * look.sky.intensity))
        world.horizon = wp.vec3(*(horizon * look.sky.intensity))
        world.ground = wp.vec3(*(0.6 * table_color * zenith * look.sky.intensity))
        world.pixel = 2.0 * float(np.tan(0.5 * look.cameras[0].fovy)) / self.height
        return world

    def _layer(self, cameras: int, lights: int) -> Any:
        pixels = self.width * self.height
        layer = tracer.StillLayer()
        layer.t = wp.empty((cameras, pixels), dtype=float, device=self.device)
        layer.label = wp.empty((cameras, pixels), dtype=wp.uint8, device=self.device)
        layer.normal = wp.empty((cameras, pixels), dtype=wp.vec3, device=self.device)
        layer.ambient = wp.empty((cameras, pixels), dtype=wp.vec3, device=self.device)
        layer.light = wp.zeros((cameras, pixels, lights), dtype=wp.vec3, device=self.device)
        return layer

    def _array(self, values: NDArray[Any], dtype: Any) -> wp.array:
        return wp.array(values, dtype=dtype, device=self.device)


def _start_warp(device: str) -> None:
    """Starts Warp without its banner. Its kernel cache may be shared by processes: it renames finished folders."""
    wp.config.log_level = max(wp.config.log_level, wp.LOG_WARNING)
    wp.init()
    if device not in ("cpu", "cuda"):
        raise UnknownName("device", device, ("cpu", "cuda"))
    if device == "cuda" and not wp.is_cuda_available():
        raise SyngraspError("render.device cuda: no CUDA device found; valid here: cpu")
