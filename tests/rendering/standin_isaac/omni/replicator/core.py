"""Render products and annotators with data shaped as Replicator's."""

import types

import numpy as np
import standin_scene

standin_scene.require_started()

_BOX = [("semanticId", "<u4"), *((name, "<i4") for name in ("x_min", "y_min", "x_max", "y_max"))]
_pictures: dict[tuple, standin_scene.Picture] = {}


class _Product:
    def __init__(self, camera: str, size: tuple[int, int]) -> None:
        self.camera, self.size, self.alive = camera, size, True

    def destroy(self) -> None:
        self.alive = False

    def picture(self) -> standin_scene.Picture:
        assert self.alive
        assert standin_scene.captured is not None
        code = standin_scene.captured * standin_scene.stage().GetTimeCodesPerSecond()
        key = (standin_scene.path, self.camera, self.size, code)
        if key not in _pictures:
            _pictures.clear()
            _pictures[key] = standin_scene.Picture(self.camera, self.size, code)
        return _pictures[key]


class _Annotator:
    def __init__(self, name: str) -> None:
        self.name = name
        self.product: _Product | None = None

    def attach(self, product: _Product) -> None:
        self.product = product

    def detach(self) -> None:
        self.product = None

    def get_data(self):
        assert self.product is not None
        seen = self.product.picture()
        labelled = [path for path in dict.fromkeys(seen.paths) if path]
        ids = {path: 2 + i for i, path in enumerate(labelled)}
        table = np.array([ids.get(path, 1) for path in seen.paths] + [0], np.uint32)
        instances = table[seen.which].reshape(seen.shape)
        if self.name == "distance_to_image_plane":
            return seen.depth.reshape(seen.shape)
        if self.name == "instance_segmentation_fast":
            names = {0: "BACKGROUND", 1: "UNLABELLED", **{i: path for path, i in ids.items()}}
            return {"data": instances, "info": {"idToLabels": names, "idToSemantics": {}}}
        if self.name == "bounding_box_2d_tight_fast":
            rows, paths = [], []
            for path, i in ids.items():
                y, x = np.nonzero(instances == i)
                if len(y):
                    rows.append((i, x.min(), y.min(), x.max(), y.max()))
                    paths.append(path)
            return {"data": np.array(rows, _BOX), "info": {"idToLabels": {}, "bboxIds": [], "primPaths": paths}}
        light = (seen.facing.reshape(*seen.shape, 1) * np.array([600.0, 500.0, 400.0, 0.0])).astype(np.float16)
        if self.name == "HdrColor":
            return light
        assert self.name == "rgb"
        return np.clip(light.astype(np.float32) / 4.0, 0, 255).astype(np.uint8)


def _get_annotator(name: str, init_params: dict | None = None) -> _Annotator:
    assert name != "instance_segmentation_fast" or init_params == {"colorize": False}
    return _Annotator(name)


def _step(rt_subframes: int = -1, pause_timeline: bool = True, delta_time: float | None = None) -> None:
    assert delta_time == 0.0
    standin_scene.captured = standin_scene.seconds
    standin_scene.misbehave(round(standin_scene.captured * standin_scene.stage().GetTimeCodesPerSecond()))


AnnotatorRegistry = types.SimpleNamespace(get_annotator=_get_annotator)
create = types.SimpleNamespace(render_product=_Product)
orchestrator = types.SimpleNamespace(
    set_capture_on_play=lambda value: None, step=_step, wait_until_complete=lambda: None
)
