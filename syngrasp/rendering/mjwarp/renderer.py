"""`mjwarp`: the scene's MuJoCo kinematics ray-traced by Warp kernels, on a CPU core or on CUDA."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import isqrt
from pathlib import Path
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from syngrasp.records import ObjectModel, Rollout
from syngrasp.rendering import sensor_kernels
from syngrasp.rendering.labels import MAX_OBJECTS
from syngrasp.rendering.look import Look
from syngrasp.rendering.mjwarp import compose, cull, mirror, packing, shadow, still, types
from syngrasp.rendering.mjwarp import frame as shading
from syngrasp.rendering.mjwarp.cull import TILE
from syngrasp.rendering.mjwarp.packing import PlacedShape
from syngrasp.rendering.mjwarp.stage import Buffers, Found, Stage, empty_layer
from syngrasp.rendering.mjwarp.world import build_world
from syngrasp.rendering.parts import RobotMeshes, scene_parts
from syngrasp.rendering.pictures import Accept, Pictures
from syngrasp.rendering.sensor import Development, exposure_gain
from syngrasp.rendering.shapes import Shape, make_shape
from syngrasp.rendering.surfaces import SurfaceMesh
from syngrasp.rendering.texture.families import TextureFolder
from syngrasp.robots.base import Robot
from syngrasp.warp_device import start_warp

U8 = NDArray[np.uint8]
U16 = NDArray[np.uint16]

_CACHED_SHAPES = 96


@dataclass(frozen=True, slots=True)
class TraceOptions:
    """Quality against time."""

    still_grid: int = 2  # samples per pixel and axis on the outlines of what stands still
    still_rays: int = 2  # per pixel of it to the environment and to each lamp, before they are evened out
    smooth: bool = True  # more samples on the outlines of what moves, and on glass
    batch: int = 8  # frames at a time; any number gives the same pixels
    samples: int = 1  # per pixel everywhere, a square number: 4 traces twice the width and height


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
        environments: Path | None = None,
    ) -> None:
        start_warp(device, "render.device")
        modules = (
            still,
            compose,
            cull,
            shadow,
            mirror,
            shading,
            sensor_kernels,
        )
        for module in modules:
            wp.load_module(module, device=device)
        self.device = device
        self.width, self.height, self.options = width, height, options or TraceOptions()
        self._robot = RobotMeshes(robot)
        self._shapes: OrderedDict[str, Shape] = OrderedDict()
        self._textures, self._environments = textures, environments

    def render(
        self, rollout: Rollout, models: Sequence[ObjectModel], look: Look, accept: Accept | None = None
    ) -> Pictures | None:
        """All frames of a rollout from all cameras of a look; `models[i]` belongs to object i of the scene.

        `accept` is shown the masks (C, H, W) of the first frame before anything is shaded; None when it says no.
        """
        parts = self._parts(rollout, models, look)
        k = isqrt(self.options.samples)
        plain = None
        if accept is not None or k > 1:
            plain = self._stage(rollout, look, parts, self.width, self.height, shaded=False)
        if accept is not None and plain is not None:
            first, _ = self._labels(replace(plain, windows=plain.windows[:1]))
            if not accept(first[0]):
                return None
        stage = self._stage(rollout, look, parts, k * self.width, k * self.height)
        stage, development = self._light_still(stage, self._find_still(stage), look)
        shape = (len(rollout.joint_position), len(look.cameras), self.height, self.width)
        images, buffers = np.empty((*shape, 3), np.uint8), self._buffers(stage, shape[0])
        masks, depth = np.empty(shape, np.uint8), np.empty(shape, np.uint16)
        for found in self._found(stage):
            span, n = found.span, found.span.stop - found.span.start
            linear = self._shade(stage, found, buffers)
            development.develop(linear, buffers.scratch, span.start, n, buffers.images)
            images[span] = buffers.images.numpy()[:n].reshape(n, *shape[1:], 3)
            if k == 1:
                masks[span] = found.masks.numpy()[:n].reshape(n, *shape[1:])
                depth[span] = found.depth.numpy()[:n].reshape(n, *shape[1:])
        if k > 1 and plain is not None:
            masks, depth = self._labels(plain)
        return Pictures(images, masks, depth)

    def trace_labels(self, rollout: Rollout, models: Sequence[ObjectModel], look: Look) -> tuple[U8, U16]:
        """Masks and depth (F, C, H, W) as `render` gives them, without any light: a fraction of its time."""
        parts = self._parts(rollout, models, look)
        return self._labels(self._stage(rollout, look, parts, self.width, self.height, shaded=False))

    def describe(self) -> dict[str, Any]:
        """What makes the pictures."""
        return {"kind": "mjwarp", "device": self.device, "samples": self.options.samples}

    def close(self) -> None:
        """Frees the meshes."""
        self._shapes.clear()

    def _parts(self, rollout: Rollout, models: Sequence[ObjectModel], look: Look) -> list[PlacedShape]:
        if len(models) > MAX_OBJECTS:
            raise ValueError(f"{len(models)} objects; a mask has room for {MAX_OBJECTS}")
        parts = scene_parts(rollout, models, look, self._robot, self._textures)
        return [PlacedShape(part, self._shape(part.mesh)) for part in parts]

    def _shape(self, mesh: SurfaceMesh) -> Shape:
        if mesh.key not in self._shapes:
            self._shapes[mesh.key] = make_shape(mesh, self.device)
            if len(self._shapes) > _CACHED_SHAPES:
                self._shapes.popitem(last=False)
        self._shapes.move_to_end(mesh.key)
        return self._shapes[mesh.key]

    def _stage(
        self, rollout: Rollout, look: Look, parts: list[PlacedShape], width: int, height: int, shaded: bool = True
    ) -> Stage:
        """The scene at a picture's size. What light goes through counts as moving: the still layer knows no such."""
        loose = [p.part.moves() or p.part.finish.transmission > 0.0 for p in parts]
        moving = [placed for placed, free in zip(parts, loose, strict=True) if free]
        still = [placed for placed, free in zip(parts, loose, strict=True) if not free]
        poses = [camera.T_base_camera() for camera in look.cameras]
        intrinsics = [camera.intrinsics(width, height) for camera in look.cameras]
        rows = packing.camera_rows(poses, intrinsics)
        pixel = 2.0 * float(np.tan(0.5 * look.cameras[0].fovy)) / height
        files = (self._textures, self._environments)
        world = build_world(rollout.scene, look, still, moving, pixel, self.device, *files, shaded)
        light = empty_layer(len(poses), width * height, len(look.lights), self.device)
        return Stage(
            width=width,
            height=height,
            moving=moving,
            windows=packing.windows(moving, poses, intrinsics, len(rollout.joint_position), width, height),
            lights=len(look.lights),
            rows=rows,
            world=self._one(world, types.World),
            still=self._array(packing.instance_rows(still, slice(0, 1)), types.Instance),
            cameras=self._array(rows, types.Camera),
            light=light,
            layer=self._one(light, types.StillLayer),
            kept=world,
        )

    def _find_still(self, stage: Stage) -> wp.array:
        dim = (len(stage.rows), stage.width * stage.height)
        hits = self._empty(dim, types.Hit)
        self._launch(still.find_still, dim, stage.world, stage.still, stage.cameras, stage.width, stage.layer, hits)
        return hits

    def _light_still(self, stage: Stage, hits: wp.array, look: Look) -> tuple[Stage, Development]:
        """Lights the still layer, and meters it."""
        dim = (len(stage.rows), stage.width * stage.height)
        scene, size = (stage.world, stage.still, stage.cameras), (stage.width, stage.height)
        quality = (self.options.still_grid, self.options.still_rays)
        self._launch(still.trace_still, dim, *scene, *size, *quality, hits, stage.layer)
        self._launch(mirror.mirror_still, dim, *scene, stage.width, hits, stage.layer)
        shares = self._empty((*dim, len(look.lights)), float)
        self._launch(compose.compose_still, dim, stage.world, *size, stage.layer, shares)
        self._launch(compose.dim_still, shares.shape, stage.layer, shares)
        gain = exposure_gain(stage.light.total.numpy(), look)
        rows = stage.rows.copy()
        rows["gain"] = gain
        lit = replace(stage, rows=rows, cameras=self._array(rows, types.Camera))
        return lit, Development(look.sensor, gain, self.width, self.height, self.device)

    def _found(self, stage: Stage) -> Iterator[Found]:
        """Traces the moving parts, batch by batch."""
        (frames, count), pixels = stage.windows.shape[:2], stage.width * stage.height
        size = min(self.options.batch, frames)
        tiles = -(-stage.width // TILE) * -(-stage.height // TILE)
        views = self._empty((size, count, tiles), wp.uint64)
        hits = self._empty((size, count, pixels), types.Hit)
        masks = self._empty((size, count, pixels), wp.uint8)
        depth = self._empty((size, count, pixels), wp.uint16)
        for first in range(0, frames, size):
            span = slice(first, min(first + size, frames))
            n = span.stop - span.start
            placed = self._array(packing.instance_rows(stage.moving, span), types.Instance)
            window = self._array(stage.windows[span], wp.vec4i)
            self._launch(cull.view_tiles, (n, count, tiles), window, stage.width, views)
            scene = (stage.world, placed, views, stage.cameras, stage.width, stage.layer)
            self._launch(shading.find_moving, (n, count, pixels), *scene, hits, masks, depth)
            yield Found(span, placed, views, hits, masks, depth)

    def _labels(self, stage: Stage) -> tuple[U8, U16]:
        shape = (*stage.windows.shape[:2], stage.height, stage.width)
        masks, depth = np.empty(shape, np.uint8), np.empty(shape, np.uint16)
        self._find_still(stage)
        for found in self._found(stage):
            n = found.span.stop - found.span.start
            masks[found.span] = found.masks.numpy()[:n].reshape(n, *shape[1:])
            depth[found.span] = found.depth.numpy()[:n].reshape(n, *shape[1:])
        return masks, depth

    def _buffers(self, stage: Stage, frames: int) -> Buffers:
        size, count, pixels = min(self.options.batch, frames), len(stage.rows), stage.width * stage.height
        slots = stage.lights + 1  # the lamps and the environment
        tiles = -(-stage.width // TILE) * -(-stage.height // TILE)
        grid = ((stage.width + 1) // 2) * ((stage.height + 1) // 2)
        stored = self.width * self.height
        balls = self._empty((count, tiles), wp.vec4)
        self._launch(cull.bound_tiles, (count, tiles), stage.cameras, stage.width, stage.height, stage.layer, balls)
        most = (shading.FULL / stage.rows["gain"]).astype(np.float32)
        return Buffers(
            balls=balls,
            tile_masks=self._empty((size, count, tiles, slots), wp.uint64),
            part_masks=self._empty((size, len(stage.moving), slots), wp.uint64),
            shares=self._empty((size, count, grid, slots), float),
            smoothed=self._empty((size, count, grid, slots), float),
            reflected=self._empty((size, count, grid), types.MirrorRay),
            mirrors=self._empty((size, count, grid), wp.vec4),
            fine=self._empty((size, count, pixels), wp.vec3),
            linear=self._empty((size, count, stored), wp.vec3),
            scratch=self._empty((size, count, stored), wp.vec3),
            most=self._array(most, float),
            images=self._empty((size, count, stored, 3), wp.uint8),
        )

    def _shade(self, stage: Stage, found: Found, buffers: Buffers) -> wp.array:
        """Light (F, C, P) of a batch of frames at the stored size."""
        n, count = found.span.stop - found.span.start, len(stage.rows)
        tiles, grid = buffers.balls.shape[1], buffers.shares.shape[2]
        moved = (stage.world, stage.still, found.placed)
        masks = (buffers.tile_masks, buffers.part_masks)
        self._launch(cull.cull_tiles, (n, count, tiles), stage.world, found.placed, buffers.balls, buffers.tile_masks)
        self._launch(cull.cull_parts, (n, len(stage.moving)), *moved, buffers.part_masks)
        self._launch(
            shadow.shadow_grid,
            (n, count, grid),
            *(*moved, stage.cameras, stage.width, stage.layer, *masks, found.hits, buffers.shares),
        )
        for source, out in ((buffers.shares, buffers.smoothed), (buffers.smoothed, buffers.shares)):
            self._launch(
                shadow.smooth_shares,
                (n, count, grid),
                *(stage.world, stage.width, stage.height, buffers.tile_masks, found.hits, source, out),
            )
        at, size = (*moved, stage.cameras, stage.width), (stage.width, stage.height)
        self._launch(mirror.mirror_moving, (n, count, grid), *at, stage.layer, buffers.reflected)
        reflected = (stage.layer, buffers.reflected, buffers.mirrors)
        self._launch(mirror.spread_mirror, (n, count, grid), *size, *reflected)
        self._launch(
            shading.shade_frame,
            (n, count, stage.width * stage.height),
            *(*moved, stage.cameras, stage.width, stage.height, int(self.options.smooth), stage.layer, found.views),
            *(*masks, found.hits, buffers.shares, buffers.mirrors, buffers.fine),
        )
        k = stage.width // self.width
        if k == 1:
            return buffers.fine
        dim = (n, count, self.width * self.height)
        self._launch(shading.average_samples, dim, buffers.fine, k, self.width, buffers.most, buffers.linear)
        return buffers.linear

    def _launch(self, kernel: Any, dim: tuple[int, ...], *inputs: Any) -> None:
        wp.launch(kernel, dim=dim, inputs=list(inputs), device=self.device)

    def _empty(self, shape: tuple[int, ...], dtype: Any) -> wp.array:
        return wp.empty(shape, dtype=dtype, device=self.device)

    def _one(self, value: Any, dtype: Any) -> wp.array:
        """An array of one struct: kernels read it in place, where an argument would be copied for every thread."""
        return wp.array([value], dtype=dtype, device=self.device)

    def _array(self, values: NDArray[Any], dtype: Any) -> wp.array:
        return wp.array(values, dtype=dtype, device=self.device)
