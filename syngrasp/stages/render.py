"""Stage `render`: replays a rollout under a random look and takes its pictures, boxes, masks and depth."""

# pyright: reportCallIssue=false
# (pyright takes a default given to `Field` by position for a missing one)

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from syngrasp.records import Episode, ObjectModel, Rollout
from syngrasp.rendering.isaacsim import IsaacSimConfig
from syngrasp.rendering.mitsuba_config import MitsubaConfig
from syngrasp.rendering.randomize import PAPER_CAMERAS, CameraConfig, RandomizeConfig, draw_look
from syngrasp.seeding import rng
from syngrasp.stage import Rejected
from syngrasp.stages.context import StageContext

if TYPE_CHECKING:
    from syngrasp.objects.catalog import Catalog
    from syngrasp.rendering.pictures import Renderer


class RenderConfig(BaseModel):
    """How episodes are pictured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["mjwarp", "mitsuba", "isaacsim", "none"] = Field(
        "mjwarp",
        description="mjwarp: ray tracing on CPU or CUDA; mitsuba: path tracing; isaacsim: RTX in Isaac Sim 5.1; "
        "none: no pictures",
    )
    width: int = Field(256, ge=16, le=4096, description="of a picture [px]")
    height: int = Field(256, ge=16, le=4096, description="of a picture [px]")
    cameras: dict[str, CameraConfig] = Field(PAPER_CAMERAS, min_length=1, description="by name, in stored order")
    masks: bool = Field(True, description="store masks")
    depth: bool = Field(False, description="store depth")
    min_target_pixels: int = Field(
        40, ge=0, description="of the target in each camera's first picture; below it the episode is rejected"
    )
    smooth: bool = Field(True, description="anti-aliased outlines of what moves")
    still_grid: int = Field(2, ge=1, le=8, description="samples per pixel and axis on outlines of what stands still")
    still_rays: int = Field(2, ge=1, le=256, description="rays per still pixel to the sky and to each lamp")
    batch: int = Field(8, ge=1, le=4096, description="frames at a time; changes memory, never pixels")
    device: Literal["cpu", "cuda"] = Field("cpu", description="where to trace rays")
    isaacsim: IsaacSimConfig = IsaacSimConfig()
    mitsuba: MitsubaConfig = MitsubaConfig()
    randomize: RandomizeConfig = RandomizeConfig()


class RenderStage:
    """Rollout -> Episode."""

    name = "render"

    def __init__(self, config: RenderConfig, context: StageContext) -> None:
        self._config, self._context = config, context
        self._catalog: Catalog | None = None
        self._renderer: Renderer | None = None

    def setup(self) -> None:
        """Opens the catalog; loads the robot's meshes and compiles the ray tracer unless `kind` is none."""
        from syngrasp.objects.catalog import Catalog

        config = self._config
        self._catalog = Catalog.open(self._context.catalog)
        if config.kind == "mjwarp":
            from syngrasp.rendering.mjwarp import MjWarpRenderer, TraceOptions
            from syngrasp.robots import make_robot

            options = TraceOptions(config.still_grid, config.still_rays, config.smooth, config.batch)
            robot = make_robot(self._context.robot)
            self._renderer = MjWarpRenderer(robot, config.width, config.height, options, config.device)
        elif config.kind == "mitsuba":
            from syngrasp.rendering.mitsuba import MitsubaRenderer
            from syngrasp.robots import make_robot

            robot = make_robot(self._context.robot)
            self._renderer = MitsubaRenderer(robot, config.width, config.height, config.mitsuba)
        elif config.kind == "isaacsim":
            from syngrasp.rendering.isaacsim import IsaacSimRenderer
            from syngrasp.robots import make_robot

            robot = make_robot(self._context.robot)
            self._renderer = IsaacSimRenderer(robot, config.width, config.height, config.isaacsim)

    def process(self, batch: Sequence[Rollout]) -> list[Episode | Rejected]:
        """One episode, or the reason against it, per rollout."""
        if self._catalog is None:
            raise RuntimeError("RenderStage.process before setup")
        entries = {entry.uid: entry for entry in self._catalog.entries}
        out: list[Episode | Rejected] = []
        for rollout in batch:
            uids = dict.fromkeys(placed.uid for placed in rollout.scene.objects)
            attribution = {
                uid: {
                    "category": entries[uid].category,
                    "license": entries[uid].license,
                    "attribution": entries[uid].attribution,
                }
                for uid in uids
            }
            if self._renderer is None:
                out.append(_unpictured(rollout, attribution))
            else:
                models = [self._catalog.load(placed.uid) for placed in rollout.scene.objects]
                out.append(self._pictured(rollout, models, attribution))
        return out

    def close(self) -> None:
        """Frees the renderer's buffers and ends its processes."""
        if self._renderer is not None:
            self._renderer.close()
        self._renderer = self._catalog = None

    def _pictured(
        self, rollout: Rollout, models: Sequence[ObjectModel], attribution: dict[str, dict[str, str]]
    ) -> Episode | Rejected:
        from syngrasp.rendering.annotate import boxes_from_masks

        config, scene, renderer = self._config, rollout.scene, self._renderer
        assert renderer is not None
        slot = scene.slot
        stream = rng(self._context.seed, self.name, slot.shard, slot.episode, slot.attempt)
        look = draw_look(scene, config.randomize, config.cameras, stream)
        visible = np.zeros(len(look.cameras), np.int32)

        def target_seen(masks: NDArray[np.uint8]) -> bool:
            visible[:] = boxes_from_masks(masks, len(models))[1][:, scene.target]
            return bool(visible.min() >= config.min_target_pixels)

        pictures = renderer.render(rollout, models, look, accept=target_seen)
        if pictures is None:
            seen = ", ".join(f"{camera.name} {count}" for camera, count in zip(look.cameras, visible, strict=True))
            return Rejected(self.name, "target_hidden", f"visible pixels: {seen}; {config.min_target_pixels} wanted")
        boxes, _ = boxes_from_masks(pictures.masks, len(models))
        intrinsics = [camera.intrinsics(config.width, config.height) for camera in look.cameras]
        return Episode(
            rollout=rollout,
            cameras=tuple(camera.name for camera in look.cameras),
            images=pictures.images,
            masks=pictures.masks if config.masks else None,
            depth=pictures.depth if config.depth else None,
            bbox=boxes,
            camera_intrinsics=np.array(intrinsics, np.float32),
            T_base_camera=np.array([camera.T_base_camera() for camera in look.cameras], np.float32),
            look=look.to_json(),
            attribution=attribution,
        )


def _unpictured(rollout: Rollout, attribution: dict[str, dict[str, str]]) -> Episode:
    nothing: dict[str, Any] = dict.fromkeys(("images", "masks", "depth", "bbox", "camera_intrinsics", "T_base_camera"))
    return Episode(rollout=rollout, cameras=(), look={}, attribution=attribution, **nothing)
