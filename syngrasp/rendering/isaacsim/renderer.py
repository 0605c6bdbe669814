"""Renderer `isaacsim`: NVIDIA RTX through Isaac Sim 5.1, which runs in its own Python and is given USD stages.

Its light goes through the same sensor as every renderer's. Masks, depth and boxes are Replicator's.
"""

# pyright: reportCallIssue=false
# (pyright takes a default given to `Field` by position for a missing one)

from __future__ import annotations

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from syngrasp.errors import IsaacSimMissing
from syngrasp.records import ObjectModel, Rollout
from syngrasp.rendering.look import Look
from syngrasp.rendering.pictures import Accept, Pictures

if TYPE_CHECKING:
    from syngrasp.rendering.isaacsim.process import WorkerProcess
    from syngrasp.rendering.texture.families import TextureFolder
    from syngrasp.robots.base import Robot

VARIABLE = "ISAACSIM_PYTHON"
WORKER = Path(__file__).with_name("worker.py")
MODES = {"path_traced": "PathTracing", "real_time": "RaytracedLighting"}
ANNOTATORS = {"sensor": "HdrColor", "rtx": "rgb"}
BOX_TOLERANCE = 2.0  # [px] between Replicator's tight boxes and the masks' own, beyond which we warn

log = logging.getLogger(__name__)


class IsaacSimConfig(BaseModel):
    """How Isaac Sim is run and how it renders."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    python: str = Field("", description="Isaac Sim's python.sh; empty: what ISAACSIM_PYTHON names")
    gpu: int | None = Field(None, ge=0, description="index; null: the first of CUDA_VISIBLE_DEVICES, else 0")
    mode: Literal["path_traced", "real_time"] = Field("path_traced", description="RTX's render mode")
    spp: int = Field(64, ge=1, le=65536, description="samples per pixel of path tracing")
    subframes: int = Field(4, ge=1, le=256, description="times a frame is rendered before it is captured")
    denoise: bool = Field(True, description="OptiX denoiser of path tracing")
    tone: Literal["sensor", "rtx"] = Field(
        "sensor", description="sensor: linear light through the look's sensor, as every renderer; rtx: RTX's own curve"
    )
    exposure: float = Field(0.0, ge=-10, le=10, description="calibrates RTX's light before the sensor [EV]")
    warmup: int = Field(10, ge=0, le=1000, description="updates after a stage is opened, for materials to load")
    start_deadline: float = Field(600.0, gt=0, le=7200, description="of Isaac Sim's start, shaders included [s]")
    open_deadline: float = Field(180.0, gt=0, le=7200, description="from an episode's request to its first frame [s]")
    frame_deadline: float = Field(60.0, gt=0, le=7200, description="of each later frame [s]")
    recycle: int = Field(100, ge=1, le=100_000, description="episodes after which the process is replaced")
    restarts: int = Field(2, ge=0, le=100, description="of an episode whose process hung or died")


def isaacsim_python(named: str = "") -> Path:
    """Isaac Sim's interpreter, as a recipe names it, else the environment. Raises `IsaacSimMissing`."""
    named = named or os.environ.get(VARIABLE, "")
    if not named:
        raise IsaacSimMissing("its Python is not named")
    path = Path(named).expanduser()
    if not path.is_file() or not os.access(path, os.X_OK):
        raise IsaacSimMissing(f"{named!r} is not a program")
    return path


class IsaacSimRenderer:
    """Renders rollouts in one process of Isaac Sim."""

    def __init__(
        self,
        robot: Robot,
        width: int,
        height: int,
        config: IsaacSimConfig | None = None,
        textures: TextureFolder | None = None,
        environments: Path | None = None,
    ) -> None:
        """`textures` and `environments` hold the files that looks name. Isaac Sim starts with the first rollout.

        Raises `IsaacSimMissing`, and `MissingExtra` without usd-core.
        """
        from syngrasp.rendering.folders import Folders
        from syngrasp.rendering.isaacsim.process import Life, Worker
        from syngrasp.rendering.parts import RobotMeshes

        self._config = config = config or IsaacSimConfig()
        python = isaacsim_python(config.python)
        self._gpu = _first_gpu() if config.gpu is None else config.gpu
        life = Life(config.start_deadline, config.recycle, config.restarts)
        self._scratch = Path(tempfile.mkdtemp(prefix="syngrasp-isaacsim-"))
        launch = launch_config(config, self._gpu, width, height)
        self._worker = Worker((str(python), str(WORKER)), launch, self._scratch, life)
        self._robot, self._folders = RobotMeshes(robot), Folders(textures, environments)
        self._width, self._height = width, height
        self._episodes = 0
        self.box_error = 0.0  # largest so far between Replicator's boxes and the masks' [px]

    def render(
        self, rollout: Rollout, models: Sequence[ObjectModel], look: Look, accept: Accept | None = None
    ) -> Pictures | None:
        """See `Renderer`. An episode whose process fails is asked for again, of a new one.

        Raises `JobFailed` for an episode that several processes failed at, `IsaacSimFailed` where none starts.
        """
        from syngrasp.rendering.usd.episode import write_episode

        if self._episodes % self._config.recycle == 0:  # assets of old looks are of no more use
            shutil.rmtree(self._scratch, ignore_errors=True)
        self._episodes += 1
        path = self._scratch / f"{self._episodes}.usdc"
        episode = write_episode(
            *(path, rollout, models, look, self._robot),
            width=self._width,
            height=self._height,
            folders=self._folders,
            assets=self._scratch / "assets",
            mdl=True,
        )
        request = {
            "stage": str(path.resolve()),
            "cameras": [episode.cameras[camera.name] for camera in look.cameras],
            "labels": episode.labels,
            "frames": list(range(episode.frames)),
            "subframes": self._config.subframes,
            "warmup": self._config.warmup,
            "color": ANNOTATORS[self._config.tone],
            "width": self._width,
            "height": self._height,
        }
        try:
            return self._worker.run(lambda process: self._converse(process, request, look, accept))
        finally:
            path.unlink()

    def describe(self) -> dict[str, Any]:
        """See `Renderer`; `version` is Isaac Sim's, once it has run."""
        told = self._config.model_dump(include={"mode", "spp", "subframes", "denoise", "tone", "exposure"})
        return {"kind": "isaacsim", "version": self._worker.version, "device": f"gpu{self._gpu}", **told}

    def close(self) -> None:
        """Ends Isaac Sim and removes what was written for it."""
        self._worker.close()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def _converse(
        self, process: WorkerProcess, request: Mapping[str, Any], look: Look, accept: Accept | None
    ) -> Pictures | None:
        """Asks for an episode and takes its frames as they come."""
        shape = (len(request["frames"]), len(request["cameras"]), self._height, self._width)
        pictures = Pictures(np.empty((*shape, 3), np.uint8), np.empty(shape, np.uint8), np.empty(shape, np.uint16))
        until = time.monotonic() + self._config.open_deadline
        process.send("render", until, **request)
        gain = None
        for frame in request["frames"]:
            header, arrays = process.receive(until, "frame")
            self._check(process, header, arrays, frame, shape[1:], request["color"])
            pictures.masks[frame], pictures.depth[frame] = arrays["masks"], arrays["depth"]
            until = time.monotonic() + self._config.frame_deadline
            if frame == 0:
                go = accept is None or accept(pictures.masks[0])
                until = time.monotonic() + self._config.frame_deadline
                process.send("go" if go else "abort", until)
                if not go:
                    process.receive(until, "done")
                    return None
            if self._config.tone == "rtx":
                pictures.images[frame] = arrays["color"]
            else:
                pictures.images[frame], gain = self._developed(arrays["color"], gain, look, frame)
        process.receive(until, "done")
        return pictures

    def _developed(
        self, color: NDArray[np.float16], gain: NDArray[np.float32] | None, look: Look, frame: int
    ) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """A frame (C, H, W, 3) of light [nit] as the look's sensor stores it, exposed for the first frame."""
        from syngrasp.rendering.sensor import develop, exposure_gain
        from syngrasp.rendering.usd.lights import NITS

        light = color.astype(np.float32) * np.float32(2.0**self._config.exposure / NITS)
        if gain is None:
            gain = exposure_gain(light, look)
        return develop(light[None], gain, look.sensor, frame)[0], gain

    def _check(
        self,
        process: WorkerProcess,
        header: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]],
        frame: int,
        shape: tuple[int, ...],
        color: str,
    ) -> None:
        """Raises `WorkerFault` for a frame that is not what was asked for; warns where boxes and masks disagree."""
        from syngrasp.rendering.isaacsim.protocol import COLORS

        wanted = {"color": ((*shape, 3), COLORS[color]), "masks": (shape, np.uint8), "depth": (shape, np.uint16)}
        if header.get("frame") != frame:
            raise process.fault(f"it sent frame {header.get('frame')!r} for frame {frame}")
        for name, (extent, dtype) in wanted.items():
            array = arrays.get(name)
            if array is None or array.shape != extent or array.dtype != dtype:
                found = "nothing" if array is None else f"{array.dtype} {array.shape}"
                raise process.fault(f"it sent {found} for {name}; valid: {np.dtype(dtype)} {extent}")
        if header.get("unknown"):
            raise process.fault(f"{header['unknown']} pixels of frame {frame} belong to no prim that Replicator names")
        error = box_error(arrays["masks"], header["boxes"])
        if error > BOX_TOLERANCE >= self.box_error:
            log.warning("Isaac Sim's tight boxes differ from its masks by %.0f px", error)
        self.box_error = max(self.box_error, error)


def launch_config(config: IsaacSimConfig, gpu: int, width: int, height: int) -> dict[str, Any]:
    """What `SimulationApp` is told."""
    return {
        "headless": True,
        "renderer": MODES[config.mode],
        "samples_per_pixel_per_frame": config.spp,
        "denoiser": config.denoise,
        "anti_aliasing": 4,  # at full resolution: DLSS would render these small pictures smaller still
        "max_bounces": 6,
        "max_specular_transmission_bounces": 12,
        "active_gpu": gpu,
        "physics_gpu": gpu,
        "multi_gpu": False,
        "sync_loads": True,
        "width": width,
        "height": height,
        "disable_viewport_updates": True,
        "enable_crashreporter": False,
    }


def box_error(masks: NDArray[np.uint8], boxes: Sequence[Sequence[Sequence[int]]]) -> float:
    """Largest difference [px] between boxes [label, x0, y0, x1, y1] per camera and those of masks (C, H, W)."""
    worst = 0.0
    for mask, listed in zip(masks, boxes, strict=True):
        for label, *box in listed:
            rows, columns = np.nonzero(mask == label)
            if len(rows):
                own = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
                worst = max(worst, float(np.abs(np.subtract(box, own)).max()))
    return worst


def _first_gpu() -> int:
    first = os.environ.get("CUDA_VISIBLE_DEVICES", "").partition(",")[0]
    return int(first) if first.isdecimal() else 0
