"""Stage `render`: replays a rollout under a random look and takes its pictures, boxes, masks and depth."""

# pyright: reportCallIssue=false
# (pyright takes a default given to `Field` by position for a missing one)

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from syngrasp.records import Episode, ObjectModel, Rollout
from syngrasp.rendering.isaacsim.renderer import IsaacSimConfig
from syngrasp.rendering.look import Look
from syngrasp.rendering.mitsuba.config import MitsubaConfig
from syngrasp.rendering.randomize import PAPER_CAMERAS, CameraConfig, RandomizeConfig, draw_look
from syngrasp.seeding import rng
from syngrasp.stage import Rejected
from syngrasp.stages.context import StageContext

if TYPE_CHECKING:
    from syngrasp.objects.catalog import Catalog
    from syngrasp.rendering.parts import RobotMeshes
    from syngrasp.rendering.pictures import Renderer
    from syngrasp.robots.base import Robot


CameraName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]


class RenderConfig(BaseModel):
    """How episodes are pictured."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["mjwarp", "mitsuba", "isaacsim", "none"] = Field(
        "mjwarp",
        description="mjwarp: fast ray tracing on CPU or CUDA; mitsuba: path tracing on CPU or CUDA; "
        "isaacsim: RTX in Isaac Sim 5.1; none: no pictures",
    )
    width: int = Field(256, ge=16, le=4096, description="of a picture [px]")
    height: int = Field(256, ge=16, le=4096, description="of a picture [px]")
    cameras: dict[CameraName, CameraConfig] = Field(PAPER_CAMERAS, min_length=1, description="by name, in stored order")
    masks: bool = Field(True, description="store masks")
    depth: bool = Field(False, description="store depth")
    look: int = Field(0, ge=0, lt=2**31, description="another number draws every look anew, of the same episodes")
    min_target_pixels: int = Field(40, ge=0, description="of the target in a camera's first picture, to be seen by it")
    require_target: Literal["any", "all"] = Field(
        "any", description="cameras that must see the target in their first pictures; else the episode is rejected"
    )
    smooth: bool = Field(True, description="anti-aliased outlines of what moves")
    samples: Literal[1, 4, 9, 16] = Field(1, description="per pixel everywhere; 1 takes more only on outlines")
    still_grid: int = Field(2, ge=1, le=8, description="samples per pixel and axis on outlines of what stands still")
    still_rays: int = Field(2, ge=1, le=256, description="rays per still pixel to the sky and to each lamp")
    batch: int = Field(8, ge=1, le=4096, description="frames at a time; changes memory, never pixels")
    device: Literal["cpu", "cuda"] = Field("cpu", description="where to trace rays")
    mitsuba: MitsubaConfig = MitsubaConfig()
    isaacsim: IsaacSimConfig = IsaacSimConfig()
    randomize: RandomizeConfig = RandomizeConfig()


class RenderStage:
    """Rollout -> Episode."""

    name = "render"

    def __init__(self, config: RenderConfig, context: StageContext) -> None:
        self._config, self._context = config, context
        self._catalog: Catalog | None = None
        self._renderer: Renderer | None = None
        self._robot: RobotMeshes | None = None

    def setup(self) -> None:
        """Opens the catalog; starts the renderer unless `kind` is none."""
        from syngrasp.objects.catalog import Catalog

        self._catalog = Catalog.open(self._context.catalog)
        if self._config.kind != "none":
            from syngrasp.rendering.parts import RobotMeshes
            from syngrasp.robots import make_robot

            robot = make_robot(self._context.robot)
            self._renderer = make_renderer(self._config, robot)
            self._robot = RobotMeshes(robot)

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
        from syngrasp.rendering.annotate import annotate, boxes_from_masks, impression, visibility

        config, scene, renderer = self._config, rollout.scene, self._renderer
        assert renderer is not None
        look = self.look(rollout, models)
        visible = np.zeros(len(look.cameras), np.int32)

        def target_seen(masks: NDArray[np.uint8]) -> bool:
            visible[:] = boxes_from_masks(masks, len(models))[1][:, scene.target]
            seen = visible >= config.min_target_pixels
            return bool(seen.any() if config.require_target == "any" else seen.all())

        pictures = renderer.render(rollout, models, look, accept=target_seen)
        if pictures is None:
            seen = ", ".join(f"{camera.name} {count}" for camera, count in zip(look.cameras, visible, strict=True))
            wanted = f"{config.min_target_pixels} wanted in {'one' if config.require_target == 'any' else 'each'}"
            return Rejected(self.name, "target_hidden", f"visible pixels: {seen}; {wanted}")
        found = annotate(rollout, models, look.cameras, pictures.masks)
        names = tuple(camera.name for camera in look.cameras)
        return Episode(
            rollout=rollout,
            cameras=names,
            images=pictures.images,
            masks=pictures.masks if config.masks else None,
            depth=pictures.depth if config.depth else None,
            bbox=found.bbox,
            bbox_full=found.bbox_full,
            occlusion=found.occlusion,
            truncated=found.truncated,
            camera_intrinsics=np.array([c.intrinsics(config.width, config.height) for c in look.cameras], np.float32),
            T_base_camera=np.array([camera.T_base_camera() for camera in look.cameras], np.float32),
            look=look.to_json(),
            attribution=attribution,
            visibility={name: visibility(found.pixels[:, c, scene.target]) for c, name in enumerate(names)},
            picture={name: impression(pictures.images[0, c]) for c, name in enumerate(names)},
            renderer=renderer.describe(),
        )

    def look(self, rollout: Rollout, models: Sequence[ObjectModel]) -> Look:
        """What a rollout is pictured in: the same whoever asks."""
        from syngrasp.rendering.parts import rollout_boxes

        slot, config = rollout.scene.slot, self._config
        assert self._robot is not None
        name = f"{self.name} {config.look}" if config.look else self.name
        stream = rng(self._context.seed, name, slot.shard, slot.episode, slot.attempt)
        occupied = rollout_boxes(rollout, models, self._robot)
        return draw_look(rollout.scene, config.randomize, config.cameras, stream, occupied)


def make_renderer(config: RenderConfig, robot: Robot) -> Renderer:
    """The renderer that a recipe names. Raises SyngraspError where it cannot run here, or for folders of pictures that
    it cannot use."""
    from syngrasp.rendering.folders import folders_of

    folders = folders_of(config.randomize)
    pictures = (folders.textures, folders.environments)
    if config.kind == "mitsuba":
        from syngrasp.rendering.mitsuba.renderer import MitsubaRenderer

        return MitsubaRenderer(robot, config.width, config.height, config.mitsuba, *pictures)
    if config.kind == "isaacsim":
        from syngrasp.rendering.isaacsim.renderer import IsaacSimRenderer

        return IsaacSimRenderer(robot, config.width, config.height, config.isaacsim, *pictures)
    from syngrasp.rendering.mjwarp.renderer import MjWarpRenderer, TraceOptions

    options = TraceOptions(config.still_grid, config.still_rays, config.smooth, config.batch, config.samples)
    return MjWarpRenderer(robot, config.width, config.height, options, config.device, *pictures)


def _unpictured(rollout: Rollout, attribution: dict[str, dict[str, str]]) -> Episode:
    nothing: dict[str, Any] = dict.fromkeys(("images", "masks", "depth", "bbox", "camera_intrinsics", "T_base_camera"))
    return Episode(rollout=rollout, cameras=(), look={}, attribution=attribution, renderer={"kind": "none"}, **nothing)
