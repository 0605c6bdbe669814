"""Isaac Sim's side of `render.kind: isaacsim`: opens an episode's stage and captures its frames through Replicator.

Run by Isaac Sim's own Python, as a plain script: it has nothing of ours but protocol.py, loaded by its path.
Written against Isaac Sim 5.1. Kit prints to stdout and takes unknown command-line arguments for its own: so messages
have pipes of their own, named in the environment.
"""

# pyright: reportMissingImports=false, reportAttributeAccessIssue=false
# (isaacsim, omni, carb and pxr are Isaac Sim's)

from __future__ import annotations

import importlib.util
import os
import shutil
import sys
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

Frames = Generator[tuple[dict[str, Any], dict[str, Any]], None, None]

BACKGROUND = 0
UNLABELLED_IDS = (0, 1)  # of instance segmentation: nothing, and what has no semantic label
INSTANCES = "instance_segmentation_fast"
BOXES = "bounding_box_2d_tight_fast"
DEPTH = "distance_to_image_plane"

SETTINGS = {
    "/rtx/ecoMode/enabled": False,  # it stops rendering where nothing moves
    "/app/asyncRendering": False,  # a frame later than asked for
    "/app/asyncRenderingLowLatency": False,
    "/omni/replicator/asyncRendering": False,
    "/omni/replicator/captureMotionBlur": False,
    "/rtx/post/histogram/enabled": False,  # automatic exposure: would carry from one frame to the next
}


def load_protocol() -> ModuleType:
    """protocol.py, which lies beside this file."""
    path = Path(__file__).resolve().with_name("protocol.py")
    spec = importlib.util.spec_from_file_location("isaacsim_protocol", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def mask_of(ids: np.ndarray, id_to_labels: Mapping[Any, str], labels: Mapping[str, int]) -> tuple[np.ndarray, int]:
    """A mask (H, W) uint8 from instance ids (H, W) or (H, W, 1), which `idToLabels` maps to the paths of prims.

    A prim has the label of the nearest ancestor that `labels` names. Also returns how many pixels have an id that
    `idToLabels` does not know: there must be none.
    """
    ids = np.asarray(ids).reshape(np.shape(ids)[:2])
    paths = {int(key): value for key, value in id_to_labels.items()}
    found, where = np.unique(ids, return_inverse=True)
    values = np.zeros(len(found), np.uint8)
    unknown = np.zeros(len(found), bool)
    for i, key in enumerate(int(key) for key in found):
        if key in paths:
            values[i] = label_of(str(paths[key]), labels)
        else:
            unknown[i] = key not in UNLABELLED_IDS
    where = where.reshape(ids.shape)
    return values[where], int(unknown[where].sum())


def label_of(path: str, labels: Mapping[str, int]) -> int:
    """The label of a prim: its own, or that of its nearest ancestor that has one."""
    while path.startswith("/") and path != "/":
        if path in labels:
            return labels[path]
        path = path.rpartition("/")[0]
    return BACKGROUND


def millimetres(distance: np.ndarray) -> np.ndarray:
    """Depth (H, W) uint16 [mm] from distances (H, W) [m] to the image plane; 0 where nothing is or too far for it."""
    depth = np.asarray(distance, np.float32).reshape(np.shape(distance)[:2]) * 1000.0
    seen = np.isfinite(depth) & (depth > 0.0) & (depth < 65535.5)
    return np.where(seen, depth + 0.5, 0.0).astype(np.uint16)


def color_of(data: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Colours (H, W, 3) of `dtype` from an annotator's (H, W, 4). Half floats may come as integers of their bits."""
    data = np.asarray(data)
    if dtype.kind == "f" and data.dtype == np.uint16:
        data = data.view(np.float16)
    if dtype.kind == "u" and data.dtype != np.uint8:
        raise ValueError(f"rgb of dtype {data.dtype}; valid: uint8")
    rgb = data[..., :3]
    if dtype.kind == "f":
        rgb = np.clip(np.nan_to_num(rgb.astype(np.float32), nan=0.0), 0.0, float(np.finfo(dtype).max))
    return rgb.astype(dtype)


def boxes_of(data: np.ndarray, paths: Sequence[str], labels: Mapping[str, int]) -> list[list[int]]:
    """[label, x0, y0, x1, y1] of each labelled prim, in pixel edges, from tight boxes whose last pixel is inside."""
    corners = zip(*(data[name] for name in ("x_min", "y_min", "x_max", "y_max")), strict=True)
    boxes = []
    for path, (x0, y0, x1, y1) in zip(paths, corners, strict=True):
        label = label_of(str(path), labels)
        if label != BACKGROUND:
            boxes.append([label, int(x0), int(y0), int(x1) + 1, int(y1) + 1])
    return sorted(boxes)


class IsaacSim:
    """Isaac Sim, started headless."""

    def __init__(self, launch: Mapping[str, Any]) -> None:
        from isaacsim import SimulationApp  # before anything else of Isaac Sim's

        self._app = SimulationApp(launch_config=dict(launch))
        import omni.replicator.core as rep

        rep.orchestrator.set_capture_on_play(False)
        self._settle()

    def version(self) -> str:
        """Such as 5.1.0."""
        from isaacsim.core.version import get_version

        return str(get_version()[0])

    def frames(self, request: Mapping[str, Any], dtype: np.dtype) -> Frames:
        """Header fields and arrays of one frame after the other. Raises `RuntimeError`."""
        import omni.replicator.core as rep

        self._open(request["stage"], int(request["warmup"]))
        products, views = [], []
        try:
            for path in request["cameras"]:
                product = rep.create.render_product(path, (int(request["width"]), int(request["height"])))
                products.append(product)
                views.append(self._annotate(product, request["color"]))
            for frame in request["frames"]:
                self._capture(int(frame), int(request["subframes"]))
                yield self._read(int(frame), views, request["labels"], dtype)
        finally:
            for annotators in views:
                for annotator in annotators.values():
                    annotator.detach()
            for product in products:
                product.destroy()
            rep.orchestrator.wait_until_complete()

    def close(self) -> None:
        """Ends Isaac Sim; with its fast shutdown the process ends here."""
        self._app.close()

    def _settle(self) -> None:
        import carb.settings

        settings = carb.settings.get_settings()
        for name, value in SETTINGS.items():
            settings.set(name, value)

    def _open(self, path: str, warmup: int) -> None:
        import omni.timeline
        from isaacsim.core.utils.stage import get_current_stage, is_stage_loading, open_stage

        if not open_stage(path):
            raise RuntimeError(f"Isaac Sim cannot open {path}")
        while is_stage_loading():
            self._app.update()
        self._app.reset_render_settings()  # a stage may bring its own
        self._settle()
        stage = get_current_stage()
        self._codes_per_second = float(stage.GetTimeCodesPerSecond())
        timeline = omni.timeline.get_timeline_interface()
        timeline.stop()
        timeline.set_start_time(float(stage.GetStartTimeCode()) / self._codes_per_second)
        timeline.set_end_time((float(stage.GetEndTimeCode()) + 1.0) / self._codes_per_second)
        timeline.set_looping(False)
        timeline.commit()
        for _ in range(warmup):
            self._app.update()

    def _annotate(self, product: Any, color: str) -> dict[str, Any]:
        import omni.replicator.core as rep

        annotators = {
            "color": rep.AnnotatorRegistry.get_annotator(color),
            "instances": rep.AnnotatorRegistry.get_annotator(INSTANCES, init_params={"colorize": False}),
            "boxes": rep.AnnotatorRegistry.get_annotator(BOXES),
            "depth": rep.AnnotatorRegistry.get_annotator(DEPTH),
        }
        for annotator in annotators.values():
            annotator.attach(product)
        return annotators

    def _capture(self, frame: int, subframes: int) -> None:
        import omni.replicator.core as rep
        import omni.timeline

        timeline, wanted = omni.timeline.get_timeline_interface(), frame / self._codes_per_second
        timeline.set_current_time(wanted)
        timeline.commit()
        rep.orchestrator.step(rt_subframes=subframes, delta_time=0.0, pause_timeline=False)
        shown = float(timeline.get_current_time())
        if abs(shown - wanted) > 0.01 / self._codes_per_second:
            raise RuntimeError(f"frame {frame} was captured at time code {shown * self._codes_per_second:.3f}")

    def _read(
        self, frame: int, views: Sequence[Mapping[str, Any]], labels: Mapping[str, int], dtype: np.dtype
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        colors, masks, depths, boxes, unknown = [], [], [], [], 0
        for view in views:
            data = {name: annotator.get_data() for name, annotator in view.items()}
            instances, tight = data["instances"], data["boxes"]
            mask, strange = mask_of(instances["data"], instances["info"]["idToLabels"], labels)
            colors.append(color_of(data["color"], dtype))
            masks.append(mask)
            depths.append(millimetres(data["depth"]))
            boxes.append(boxes_of(tight["data"], tight["info"]["primPaths"], labels))
            unknown += strange
        arrays = {"color": np.stack(colors), "masks": np.stack(masks), "depth": np.stack(depths)}
        return {"frame": frame, "boxes": boxes, "unknown": unknown}, arrays


def serve(protocol: ModuleType, reading: int, writing: int) -> None:
    """Answers requests until told to end, or until the other side is gone."""
    source, sink = os.fdopen(reading, "rb"), os.fdopen(writing, "wb")

    def say(kind: str, fields: Mapping[str, Any] | None = None, arrays: Mapping[str, Any] | None = None) -> None:
        for piece in protocol.pack(kind, fields or {}, arrays or {}):
            sink.write(piece)
        sink.flush()

    def hear(*kinds: str) -> dict[str, Any]:
        message = protocol.unpack(source.read)
        if message is None:
            raise BrokenPipeError
        header = message[0]
        if header["kind"] not in (*kinds, "bye"):
            raise RuntimeError(f"message {header['kind']!r}; valid: {', '.join(kinds)}, bye")
        return header

    isaac, scratch = None, None
    try:
        say("hello", {"protocol": protocol.VERSION})
        request = hear("start")
        if request["kind"] == "bye":
            return
        scratch = request["scratch"]
        isaac = IsaacSim(request["launch"])
        say("ready", {"version": isaac.version()})
        while (request := hear("render"))["kind"] == "render":
            frames = isaac.frames(request, protocol.COLORS[request["color"]])
            for number, (fields, arrays) in enumerate(frames):
                say("frame", fields, arrays)
                if number == 0 and hear("go", "abort")["kind"] != "go":
                    break
            frames.close()
            say("done")
    except BrokenPipeError:
        if scratch is not None:  # the other side is gone and cannot tidy up
            shutil.rmtree(scratch, ignore_errors=True)
    except Exception as error:
        say("error", {"message": f"{type(error).__name__}: {error}"})
        raise
    finally:
        if isaac is not None:
            isaac.close()


if __name__ == "__main__":
    pipes = os.environ.pop(load_protocol().PIPES).split(",")
    del sys.argv[1:]
    # Python looks beside a script first: what lies here is not meant for Isaac Sim.
    here = Path(__file__).resolve().parent
    sys.path[:] = [folder for folder in sys.path if Path(folder).resolve() != here]
    serve(load_protocol(), int(pipes[0]), int(pipes[1]))
