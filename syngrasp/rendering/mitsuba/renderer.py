"""`mitsuba`: the scene path-traced by Mitsuba's surfaces and lamps and denoised, on CPU cores or CUDA."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.records import ObjectModel, Rollout
from syngrasp.rendering.labels import MAX_OBJECTS
from syngrasp.rendering.look import Look
from syngrasp.rendering.mitsuba.config import MitsubaConfig
from syngrasp.rendering.pictures import Accept, Pictures

if TYPE_CHECKING:
    from syngrasp.rendering.mitsuba.frames import Noisy
    from syngrasp.rendering.mitsuba.meshes import VertexMesh
    from syngrasp.rendering.mitsuba.scene import EpisodeScene
    from syngrasp.rendering.surfaces import SurfaceMesh
    from syngrasp.rendering.texture.families import TextureFolder
    from syngrasp.robots.base import Robot

F32 = NDArray[np.float32]

FIREFLY = 12.0
"""Light of one path is cut off at so many times that of a white surface."""

SHARE = 0.35
"""Of the robot's faces that is kept, where robots/visual.py's tolerance allows."""

_CACHED = 128
_BORDER = 4  # around the region that is denoised [px]


class MitsubaRenderer:
    """Renders rollouts. Keeps meshes between calls, nothing that changes a picture."""

    def __init__(
        self,
        robot: Robot,
        width: int,
        height: int,
        config: MitsubaConfig | None = None,
        textures: TextureFolder | None = None,
        environments: Path | None = None,
    ) -> None:
        """Raises `MissingExtra`, or `VariantError` for a variant that cannot run here."""
        from syngrasp.rendering.mitsuba.denoise import Denoiser
        from syngrasp.rendering.mitsuba.meshes import coarse
        from syngrasp.rendering.mitsuba.variant import start_mitsuba
        from syngrasp.rendering.mjwarp.renderer import MjWarpRenderer
        from syngrasp.rendering.parts import RobotMeshes

        self.config = config or MitsubaConfig.model_validate({})
        self.width, self.height = width, height
        self.variant = start_mitsuba(self.config.variant, self.config.threads)
        self._denoiser = None if self.config.denoise == "off" else Denoiser(self.config.threads)
        self._robot = RobotMeshes(robot)
        self._robot.meshes = tuple(coarse(mesh, SHARE) for mesh in self._robot.meshes)
        self._meshes: OrderedDict[str, VertexMesh] = OrderedDict()
        self._textures, self._environments = textures, environments
        self._labels = MjWarpRenderer(robot, width, height, textures=textures, environments=environments)

    def render(
        self, rollout: Rollout, models: Sequence[ObjectModel], look: Look, accept: Accept | None = None
    ) -> Pictures | None:
        """All frames of a rollout from all cameras of a look; `models[i]` belongs to object i of the scene.

        `accept` is shown the masks (C, H, W) of the first frame before anything is shaded; None when it says no.
        """
        from syngrasp.rendering.mitsuba.variant import import_mitsuba

        if len(models) > MAX_OBJECTS:
            raise ValueError(f"{len(models)} objects; a mask has room for {MAX_OBJECTS}")
        if accept is not None and not accept(self._labels.trace_labels(_first(rollout), models, look)[0][0]):
            return None
        import_mitsuba().set_variant(self.variant.name)
        # thinned meshes are for light alone
        masks, depth = self._labels.trace_labels(rollout, models, look)
        scene = self.episode(rollout, models, look)
        if self.variant.kind == "scalar":
            images = self._whole(scene, look, len(masks))
        else:
            images = self._split(scene, look, np.isin(masks, scene.moving_labels))
        return Pictures(images, masks, depth)

    def _split(self, scene: EpisodeScene, look: Look, moving: NDArray[np.bool_]) -> NDArray[np.uint8]:
        """Pictures (F, C, H, W, 3) by the still scenery and what changes its light; `moving` (F, C, H, W)."""
        from syngrasp.rendering.mitsuba.frames import PathTracer, still_layer, trace_frame
        from syngrasp.rendering.sensor import develop, exposure_gain

        config = self.config
        tracer = PathTracer(look.cameras, self.width, self.height, look.sensor.seed, config.max_depth)
        tracer.limit(firefly_limit(look))
        layer = still_layer(tracer, scene, config.still_spp, config.spp, self.clean)
        gain = exposure_gain(layer.light, look)
        out = np.empty((*moving.shape, 3), np.uint8)
        for frame, seen in enumerate(moving):
            scene.pose(frame)
            light = self._finished(trace_frame(tracer, scene, layer, seen, config.spp))
            out[frame] = develop(light[None], gain, look.sensor, frame)[0]
        return out

    def _whole(self, scene: EpisodeScene, look: Look, frames: int) -> NDArray[np.uint8]:
        """Pictures (F, C, H, W, 3) of whole films: what the scalar variant can do."""
        from syngrasp.rendering.mitsuba.films import film_light
        from syngrasp.rendering.sensor import develop, exposure_gain

        config, size = self.config, (self.width, self.height)
        limit = firefly_limit(look)

        def light(of: Any, spp: int, seed: int, quality: str) -> F32:
            planes = [film_light(of, camera, *size, spp, config.max_depth, seed, limit) for camera in look.cameras]
            return np.stack([p[0] if self._denoiser is None else self._denoiser(*p, quality) for p in planes])

        gain = exposure_gain(light(scene.still, config.spp, look.sensor.seed, "fast"), look)
        out = np.empty((frames, len(look.cameras), self.height, self.width, 3), np.uint8)
        for frame in range(frames):
            scene.pose(frame)
            found = light(scene.full, config.spp, look.sensor.seed + frame, config.denoise)
            out[frame] = develop(found[None], gain, look.sensor, frame)[0]
        return out

    def episode(self, rollout: Rollout, models: Sequence[ObjectModel], look: Look) -> EpisodeScene:
        """The scenes of a rollout under a look."""
        from syngrasp.rendering.environment.maps import environment_map
        from syngrasp.rendering.furniture import furniture
        from syngrasp.rendering.mitsuba.meshes import grouped
        from syngrasp.rendering.mitsuba.scene import EpisodeScene
        from syngrasp.rendering.parts import scene_parts

        parts = scene_parts(rollout, models, look, self._robot, self._textures)
        environment = environment_map(look.environment, 128, self._environments)
        blocks = furniture(rollout.scene, look)
        return EpisodeScene(rollout.scene, look, grouped(parts, self._vertices), blocks, environment, self._textures)

    def _vertices(self, mesh: SurfaceMesh) -> VertexMesh:
        from syngrasp.rendering.mitsuba.meshes import vertex_mesh

        if mesh.key not in self._meshes:
            self._meshes[mesh.key] = vertex_mesh(mesh)
            if len(self._meshes) > _CACHED:
                self._meshes.popitem(last=False)
        self._meshes.move_to_end(mesh.key)
        return self._meshes[mesh.key]

    def clean(self, light: F32, albedo: F32, normal: F32) -> F32:
        """Still scenery without its noise."""
        return light if self._denoiser is None else self._denoiser(light, albedo, normal, "high")

    def _finished(self, noisy: Noisy) -> F32:
        """The light (C, H, W, 3), denoised where it was traced."""
        from syngrasp.rendering.mitsuba.denoise import regions

        if self._denoiser is None:
            return noisy.light
        out = noisy.light.copy()
        for k, traced in enumerate(noisy.traced):
            for region, chosen in regions(traced, _BORDER):
                light, albedo, normal = (image[k][region] for image in (noisy.light, noisy.albedo, noisy.normal))
                out[k][region][chosen] = self._denoiser(light, albedo, normal, self.config.denoise)[chosen]
        return out

    def describe(self) -> dict[str, Any]:
        """What made the pictures."""
        from importlib.metadata import version

        return {
            "kind": "mitsuba",
            "version": version("mitsuba"),
            "variant": self.variant.name,
            "why": self.variant.reason,
            **self.config.model_dump(include={"spp", "still_spp", "max_depth", "denoise"}),
        }

    def close(self) -> None:
        """Frees the denoiser's buffers and the kept meshes."""
        self._meshes.clear()
        self._labels.close()
        if self._denoiser is not None:
            self._denoiser.close()
            self._denoiser = None


def _first(rollout: Rollout) -> Rollout:
    """A rollout's first frame."""
    names = ("joint_position", "gripper_width", "object_pose")
    return replace(rollout, **{name: getattr(rollout, name)[:1] for name in names})


def firefly_limit(look: Look) -> float:
    """Light of one path at most: FIREFLY times a white surface in the open."""
    return FIREFLY * (look.environment.intensity + sum(light.intensity for light in look.lights))
