"""`mjwarp`: the scene's MuJoCo kinematics ray-traced by Warp kernels, on a CPU core or on CUDA."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from syngrasp.records import ObjectModel, Rollout
from syngrasp.rendering import (
    packing,
    tracer_compose,
    tracer_cull,
    tracer_frame,
    tracer_shadow,
    tracer_still,
    tracer_types,
)
from syngrasp.rendering.annotate import MAX_OBJECTS
from syngrasp.rendering.furniture import furniture
from syngrasp.rendering.look import Look
from syngrasp.rendering.packing import PlacedShape
from syngrasp.rendering.parts import RobotMeshes, scene_parts
from syngrasp.rendering.pictures import Accept, Pictures
from syngrasp.rendering.shapes import SRGB_TO_LINEAR, Shape, make_shape, mip_chain
from syngrasp.rendering.surfaces import SurfaceMesh
from syngrasp.rendering.textures import TextureFolder, material_image
from syngrasp.rendering.tracer_cull import TILE
from syngrasp.robots.base import Robot
from syngrasp.warp_device import start_warp

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

_CACHED_SHAPES = 96
_TEXTURE_SIZE = {"table": 512, "floor": 512}


@dataclass(frozen=True, slots=True)
class TraceOptions:
    """Quality against time."""

    still_grid: int = 2  # samples per pixel and axis on the outlines of what stands still
    still_rays: int = 2  # per pixel of it to the sky and to each lamp, before they are evened out
    smooth: bool = True  # more samples on the outlines of what moves
    batch: int = 8  # frames at a time; any number gives the same pixels


@dataclass(frozen=True, slots=True, eq=False)
class _Stage:
    """What the kernels of every frame read."""

    world: Any  # tracer_types.World
    still: wp.array  # (1, K) Instance
    cameras: wp.array  # (C,) Camera
    layer: Any  # tracer_types.StillLayer


class MjWarpRenderer:
    """Renders rollouts. Keeps the robot's and the last objects' meshes; no state that changes a picture."""

    def __init__(
        self,
        robot: Robot,
        width: int,
        height: int,
        options: TraceOptions | None = None,
        device: str = "cpu",
        textures: TextureFolder | None = None,
    ) -> None:
        start_warp(device, "render.device")
        for module in (tracer_still, tracer_compose, tracer_cull, tracer_shadow, tracer_frame):
            wp.load_module(module, device=device)
        self.device = device
        self.width, self.height, self.options = width, height, options or TraceOptions()
        self._robot = RobotMeshes(robot)
        self._shapes: OrderedDict[str, Shape] = OrderedDict()
        self._textures = textures
        self._normal = wp.array(packing.normal_quantiles(), dtype=float, device=self.device)
        self._srgb = wp.array(SRGB_TO_LINEAR, dtype=float, device=self.device)

    def render(
        self, rollout: Rollout, models: Sequence[ObjectModel], look: Look, accept: Accept | None = None
    ) -> Pictures | None:
        """All frames of a rollout from all cameras of a look; `models[i]` belongs to object i of the scene.

        `accept` is shown the masks (C, H, W) of the first frame before anything is shaded; None when it says no.
        """
        if len(models) > MAX_OBJECTS:
            raise ValueError(f"{len(models)} objects; a mask has room for {MAX_OBJECTS}")
        parts = self._parts(rollout, models, look)
        moving = [placed for placed in parts if placed.part.moves()]
        still = [placed for placed in parts if not placed.part.moves()]
        poses = [camera.T_base_camera() for camera in look.cameras]
        intrinsics = [camera.intrinsics(self.width, self.height) for camera in look.cameras]
        rows = packing.camera_rows(poses, intrinsics)
        layer = self._layer(len(poses), len(look.lights))
        world = self._world(rollout, look, still, moving)
        stage = _Stage(
            world=self._one(world, tracer_types.World),
            still=self._array(packing.instance_rows(still, slice(0, 1)), tracer_types.Instance),
            cameras=self._array(rows, tracer_types.Camera),
            layer=self._one(layer, tracer_types.StillLayer),
        )
        dim, options = (len(poses), self.width * self.height), self.options
        hits = self._empty(dim, tracer_types.Hit)
        common = (stage.world, stage.still, stage.cameras, self.width)
        self._launch(tracer_still.find_still, dim, *common, stage.layer, hits)
        quality = (options.still_grid, options.still_rays)
        self._launch(tracer_still.trace_still, dim, *common, self.height, *quality, hits, stage.layer)
        self._launch(tracer_compose.compose_still, dim, stage.world, self.width, self.height, stage.layer)
        light, ambient = layer.light.numpy(), layer.ambient.numpy()
        rows["gain"] = packing.exposure_gain(ambient, light, look)
        stage = replace(stage, cameras=self._array(rows, tracer_types.Camera))
        frames = len(rollout.joint_position)
        windows = packing.windows(moving, poses, intrinsics, frames, self.width, self.height)
        return self._frames(stage, moving, windows, look, accept)

    def _frames(
        self, stage: _Stage, moving: list[PlacedShape], windows: NDArray[np.int32], look: Look, accept: Accept | None
    ) -> Pictures | None:
        (frames, count), pixels, lights = windows.shape[:2], self.width * self.height, len(look.lights)
        shape = (frames, count, self.height, self.width)
        pictures = Pictures(np.empty((*shape, 3), np.uint8), np.empty(shape, np.uint8), np.empty(shape, np.uint16))
        size = min(self.options.batch, frames)
        tiles = -(-self.width // TILE) * -(-self.height // TILE)
        hits = self._empty((size, count, pixels), tracer_types.Hit)
        images = self._empty((size, count, pixels, 3), wp.uint8)
        masks = self._empty((size, count, pixels), wp.uint8)
        depth = self._empty((size, count, pixels), wp.uint16)
        views = self._empty((size, count, tiles), wp.uint64)
        tile_masks = self._empty((size, count, tiles, lights), wp.uint64)
        part_masks = self._empty((size, len(moving), lights), wp.uint64)
        grid = ((self.width + 1) // 2) * ((self.height + 1) // 2)
        shares = self._empty((size, count, grid, lights), float)
        smoothed = self._empty((size, count, grid, lights), float)
        balls = self._empty((count, tiles), wp.vec4)
        curve = self._array(packing.tone_curve(look.sensor.contrast), float)
        world, still, cameras, layer = stage.world, stage.still, stage.cameras, stage.layer
        self._launch(tracer_cull.bound_tiles, (count, tiles), cameras, self.width, self.height, layer, balls)
        for first in range(0, frames, size):
            span = slice(first, min(first + size, frames))
            n = span.stop - span.start
            placed = self._array(packing.instance_rows(moving, span), tracer_types.Instance)
            window = self._array(windows[span], wp.vec4i)
            found = (hits, masks, depth)
            self._launch(tracer_cull.view_tiles, (n, count, tiles), window, self.width, views)
            self._launch(
                tracer_frame.find_moving, (n, count, pixels), world, placed, views, cameras, self.width, layer, *found
            )
            if first == 0 and accept is not None and not accept(masks.numpy()[0].reshape(shape[1:])):
                return None
            self._launch(tracer_cull.cull_tiles, (n, count, tiles), world, placed, balls, tile_masks)
            self._launch(tracer_cull.cull_parts, (n, len(moving)), world, still, placed, part_masks)
            self._launch(
                tracer_shadow.shadow_grid,
                (n, count, grid),
                *(world, still, placed, cameras, self.width, layer, tile_masks, part_masks, hits, shares),
            )
            size_of = (self.width, self.height)
            for source, out in ((shares, smoothed), (smoothed, shares)):
                self._launch(
                    tracer_shadow.smooth_shares, (n, count, grid), world, *size_of, tile_masks, hits, source, out
                )
            self._launch(
                tracer_frame.shade_frame,
                (n, count, pixels),
                *(
                    world,
                    still,
                    placed,
                    cameras,
                    self.width,
                    self.height,
                    int(self.options.smooth),
                    first,
                    look.sensor.seed,
                ),
                *(
                    look.sensor.saturation,
                    look.sensor.noise,
                    layer,
                    views,
                    tile_masks,
                    part_masks,
                    hits,
                    shares,
                    curve,
                    self._normal,
                    images,
                ),
            )
            pictures.images[span] = images.numpy()[:n].reshape(n, *shape[1:], 3)
            pictures.masks[span] = masks.numpy()[:n].reshape(n, *shape[1:])
            pictures.depth[span] = depth.numpy()[:n].reshape(n, *shape[1:])
        return pictures

    def describe(self) -> dict[str, Any]:
        """What makes the pictures."""
        return {"kind": "mjwarp", "device": self.device}

    def close(self) -> None:
        """Frees the meshes."""
        self._shapes.clear()

    def _parts(self, rollout: Rollout, models: Sequence[ObjectModel], look: Look) -> list[PlacedShape]:
        parts = scene_parts(rollout, models, look, self._robot, self._textures)
        return [PlacedShape(part, self._shape(part.mesh)) for part in parts]

    def _shape(self, mesh: SurfaceMesh) -> Shape:
        if mesh.key not in self._shapes:
            self._shapes[mesh.key] = make_shape(mesh, self.device)
            if len(self._shapes) > _CACHED_SHAPES:
                self._shapes.popitem(last=False)
        self._shapes.move_to_end(mesh.key)
        return self._shapes[mesh.key]

    def _world(self, rollout: Rollout, look: Look, still: list[PlacedShape], moving: list[PlacedShape]) -> Any:
        """Everything the kernels read that does not depend on the frame."""
        scene = rollout.scene
        names = [material.name for material in look.materials]
        sizes = [_TEXTURE_SIZE.get(name, 256) for name in names]
        images = [material_image(m, s, self._textures) for m, s in zip(look.materials, sizes, strict=True)]
        surfaces = [mip_chain(image) for image in images]
        parts = still + moving
        rows, chains = packing.part_rows(parts, len(surfaces))
        textures, texels = packing.texture_rows(surfaces + chains)
        dome, table_color = look.environment, SRGB_TO_LINEAR[surfaces[names.index("table")][-1]].reshape(3)
        zenith, horizon = np.array(dome.zenith), np.array(dome.horizon)

        world = tracer_types.World()
        world.still = self._array(rows[: len(still)], tracer_types.Part)
        world.moving = self._array(rows[len(still) :], tracer_types.Part)
        world.corner_normal = self._array(np.concatenate([placed.shape.corner_normal for placed in parts]), wp.vec3)
        world.corner_uv = self._array(np.concatenate([placed.shape.corner_uv for placed in parts]), wp.vec2)
        world.face_color = self._array(np.concatenate([placed.shape.face_color for placed in parts]), wp.vec3)
        world.textures = self._array(textures, tracer_types.Texture)
        world.texels = self._array(texels, wp.uint8)
        world.srgb = self._srgb
        world.materials = self._array(
            np.array([packing.material_row(m, i) for i, m in enumerate(look.materials)]), tracer_types.Material
        )
        world.boxes = self._array(packing.box_rows(furniture(scene, look), names), tracer_types.Box)
        world.lights = self._array(packing.light_rows(look.lights, scene.table_height), tracer_types.Light)
        world.zenith = wp.vec3(*(zenith * dome.intensity))
        world.horizon = wp.vec3(*(horizon * dome.intensity))
        world.ground = wp.vec3(*(0.6 * table_color * zenith * dome.intensity))
        world.pixel = 2.0 * float(np.tan(0.5 * look.cameras[0].fovy)) / self.height
        return world

    def _layer(self, cameras: int, lights: int) -> Any:
        pixels = self.width * self.height
        layer = tracer_types.StillLayer()
        layer.t = self._zeros((cameras, pixels), float)
        layer.label = self._zeros((cameras, pixels), wp.uint8)
        layer.normal = self._zeros((cameras, pixels), wp.vec3)
        layer.ambient = self._zeros((cameras, pixels), wp.vec3)
        layer.open = self._zeros((cameras, pixels), float)
        layer.light = self._zeros((cameras, pixels, lights), wp.vec3)
        layer.seen = self._zeros((cameras, pixels, lights), float)
        return layer

    def _launch(self, kernel: Any, dim: tuple[int, ...], *inputs: Any) -> None:
        wp.launch(kernel, dim=dim, inputs=list(inputs), device=self.device)

    def _empty(self, shape: tuple[int, ...], dtype: Any) -> wp.array:
        return wp.empty(shape, dtype=dtype, device=self.device)

    def _zeros(self, shape: tuple[int, ...], dtype: Any) -> wp.array:
        return wp.zeros(shape, dtype=dtype, device=self.device)

    def _one(self, value: Any, dtype: Any) -> wp.array:
        """An array of one struct: kernels read it in place, where an argument would be copied for every thread."""
        return wp.array([value], dtype=dtype, device=self.device)

    def _array(self, values: NDArray[Any], dtype: Any) -> wp.array:
        return wp.array(values, dtype=dtype, device=self.device)
