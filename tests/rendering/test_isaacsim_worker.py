"""What Isaac Sim's worker does with Replicator's data, what it says to us, and that it calls only what there is."""

from __future__ import annotations

import ast
import io
import subprocess
import sys

import numpy as np
import pytest

from syngrasp.rendering.isaacsim import protocol, worker
from syngrasp.rendering.isaacsim.renderer import MODES, WORKER, IsaacSimConfig, box_error, launch_config

LABELS = {"/World/robot": 1, "/World/table": 2, "/World/objects/object0": 3, "/World/objects/object10": 13}

# Names of Isaac Sim 5.1's interface that the worker uses, with their keywords, as the sources tagged v5.1.0 of
# github.com/isaac-sim/IsaacSim define or call them; the file stands after each.
FUNCTIONS: dict[str, set[str]] = {
    "isaacsim.SimulationApp": {"launch_config", "experience"},  # isaacsim.simulation_app/…/simulation_app.py
    "isaacsim.core.version.get_version": set(),  # the same, where it sets the window's title
    "isaacsim.core.utils.stage.open_stage": {"usd_path"},  # isaacsim.core.utils/python/impl/stage.py
    "isaacsim.core.utils.stage.is_stage_loading": set(),  # the same
    "isaacsim.core.utils.stage.get_current_stage": {"fabric"},  # the same
    "carb.settings.get_settings": set(),  # isaacsim.replicator.examples/motion_blur.py
    "omni.timeline.get_timeline_interface": set(),  # isaacsim.replicator.examples/custom_fps_writer_annotator.py
    "omni.replicator.core.create.render_product": {"name", "resolution", "force_new"},  # sdg_getting_started_03.py
    "omni.replicator.core.AnnotatorRegistry.get_annotator": {"init_params", "device", "do_array_copy"},  # camera.py
    "omni.replicator.core.orchestrator.set_capture_on_play": set(),  # sdg_getting_started_03.py
    "omni.replicator.core.orchestrator.step": {"rt_subframes", "delta_time", "pause_timeline"},  # replay_directory.py
    "omni.replicator.core.orchestrator.wait_until_complete": set(),  # sdg_getting_started_03.py
}
METHODS: dict[str, set[str]] = {  # by the variable that holds the object
    "_app": {"update", "reset_render_settings", "close"},  # simulation_app.py
    "settings": {"set", "get"},  # motion_blur.py
    "timeline": {  # custom_fps_writer_annotator.py; stop and commit: simulation_context.py
        *("set_current_time", "get_current_time", "set_end_time", "set_looping", "stop", "commit"),
        "set_start_time",  # omni.timeline's documentation, Overview
    },
    "stage": {"GetTimeCodesPerSecond", "GetStartTimeCode", "GetEndTimeCode"},  # Usd.Stage
    "product": {"destroy"},  # sdg_getting_started_03.py
    "annotator": {"attach", "detach", "get_data"},  # camera.py
}
ANNOTATORS = {"rgb", "instance_segmentation_fast", "bounding_box_2d_tight_fast", "distance_to_image_plane", "HdrColor"}
# The first four: isaacsim.core.nodes/python/impl/extension.py and isaacsim.sensors.camera/…/camera_view.py; HdrColor:
# Replicator's documentation, "Annotators Information".
SETTINGS = {
    "/rtx/ecoMode/enabled",  # isaacsim.core.throttling/…/extension.py
    "/app/asyncRendering",  # the same
    "/app/asyncRenderingLowLatency",  # the same
    "/omni/replicator/asyncRendering",  # apps/isaacsim.exp.base.kit
    "/omni/replicator/captureMotionBlur",  # motion_blur.py
    "/rtx/post/histogram/enabled",  # Omniverse RTX's documentation, Post Processing, Auto Exposure
}
LAUNCH = {  # SimulationApp.DEFAULT_LAUNCHER_CONFIG
    *("headless", "active_gpu", "physics_gpu", "multi_gpu", "max_gpu_count", "sync_loads", "width", "height"),
    *("renderer", "anti_aliasing", "samples_per_pixel_per_frame", "denoiser", "max_bounces", "enable_crashreporter"),
    *("max_specular_transmission_bounces", "disable_viewport_updates", "fast_shutdown", "create_new_stage"),
}
KIT = ("isaacsim", "omni", "carb", "pxr")


def test_the_worker_calls_what_isaac_sim_has() -> None:
    """Every function it takes from Isaac Sim, every method of what they give, and every keyword is in the tables."""
    tree, checked = ast.parse(WORKER.read_text()), set()
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        names = kit_names(function)
        for call in (node for node in ast.walk(function) if isinstance(node, ast.Call)):
            keywords = {str(keyword.arg) for keyword in call.keywords}
            root, *rest = dotted(call.func)
            full = ".".join([names[root], *rest]) if root in names else ""
            if full.partition(".")[0] in KIT:
                assert full in FUNCTIONS, full
                assert keywords <= FUNCTIONS[full], (full, keywords)
                checked.add(full)
            elif isinstance(call.func, ast.Attribute) and (holder := last_name(call.func.value)) in METHODS:
                assert call.func.attr in METHODS[holder], (holder, call.func.attr)
                assert not keywords
                checked.add(f"{holder}.{call.func.attr}")
    assert set(FUNCTIONS) <= checked
    assert {f"{holder}.{name}" for holder in ("annotator", "product", "_app") for name in METHODS[holder]} <= checked


def kit_names(function: ast.FunctionDef) -> dict[str, str]:
    """What the names that a function imports stand for."""
    names = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Import):
            for alias in node.names:
                root = alias.name.partition(".")[0]
                names[alias.asname or root] = alias.name if alias.asname else root
        elif isinstance(node, ast.ImportFrom):
            names.update({alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names})
    return names


def dotted(node: ast.expr) -> list[str]:
    """The names of a.b.c; a single empty one for what is not such a chain."""
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return [node.id, *parts[::-1]] if isinstance(node, ast.Name) else [""]


def last_name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def test_its_words_are_isaac_sims() -> None:
    assert {worker.INSTANCES, worker.BOXES, worker.DEPTH, *protocol.COLORS} == ANNOTATORS
    assert set(worker.SETTINGS) <= SETTINGS
    assert set(MODES.values()) == {"PathTracing", "RaytracedLighting"}
    assert set(launch_config(IsaacSimConfig(), 0, 64, 64)) <= LAUNCH


def test_the_worker_and_the_protocol_need_nothing_of_ours() -> None:
    """Isaac Sim's Python has none of our packages."""
    code = (
        "import sys, runpy\n"
        f"module = runpy.run_path({str(WORKER)!r})\n"
        "module['load_protocol']()\n"
        "allowed = set(sys.stdlib_module_names) | {'numpy'}\n"
        "print(sorted(n for n in sys.modules if not n.startswith('_') and n.partition('.')[0] not in allowed and "
        "n.partition('.')[0] in ('syngrasp', 'pydantic', 'scipy', 'warp', 'mujoco', 'pxr', 'trimesh')))"
    )
    result = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("key", [int, str])
@pytest.mark.parametrize("shape", [(2, 4), (2, 4, 1)])
def test_masks_are_of_the_nearest_labelled_ancestor(key: type, shape: tuple[int, ...]) -> None:
    """Keys of idToLabels are numbers or texts, depending on the annotator."""
    paths = {
        0: "BACKGROUND",
        1: "UNLABELLED",
        2: "/World/robot",
        3: "/World/objects/object10/mesh",
        4: "/World/objects/object0",
        70000: "/World/props/object0",
    }
    ids = np.array([[0, 1, 2, 3], [4, 4, 70000, 99]], np.uint32).reshape(shape)
    mask, unknown = worker.mask_of(ids, {key(i): path for i, path in paths.items()}, LABELS)
    assert mask.dtype == np.uint8
    assert mask.tolist() == [[0, 0, 1, 13], [3, 3, 0, 0]]
    assert unknown == 1  # 99


def test_object1_is_not_an_ancestor_of_object10() -> None:
    assert worker.label_of("/World/objects/object1/mesh", LABELS) == worker.BACKGROUND
    assert worker.label_of("/World/objects/object10", LABELS) == 13


def test_nothing_has_no_depth() -> None:
    distance = np.array([[0.1234, 1.0, np.inf], [np.nan, -1.0, 65.6]], np.float32)
    assert worker.millimetres(distance).tolist() == [[123, 1000, 0], [0, 0, 0]]
    assert worker.millimetres(distance[..., None]).dtype == np.uint16


def test_light_may_come_as_its_bits() -> None:
    light = np.array([[[1.5, 0.25, 1000.0, 1.0]]], np.float16)
    for data in (light, light.view(np.uint16), light.astype(np.float32)):
        color = worker.color_of(data, protocol.COLORS["HdrColor"])
        assert color.dtype == np.float16
        assert color.tolist() == [[[1.5, 0.25, 1000.0]]]
    wild = np.array([[[np.nan, np.inf, -1.0, 1.0]]], np.float32)
    assert worker.color_of(wild, protocol.COLORS["HdrColor"]).tolist() == [[[0.0, 65504.0, 0.0]]]
    with pytest.raises(ValueError, match="valid: uint8"):
        worker.color_of(light, protocol.COLORS["rgb"])


def test_tight_boxes_agree_with_masks() -> None:
    fields = [("semanticId", "<u4"), *((name, "<i4") for name in ("x_min", "y_min", "x_max", "y_max"))]
    data = np.array([(7, 2, 1, 5, 3), (8, 0, 0, 9, 9)], fields)
    boxes = worker.boxes_of(data, ["/World/objects/object0", "/World/wall"], LABELS)
    assert boxes == [[3, 2, 1, 6, 4]]
    masks = np.zeros((1, 8, 8), np.uint8)
    masks[0, 1:4, 2:6] = 3
    assert box_error(masks, [boxes]) == 0.0
    masks[0, 6, 2] = 3
    assert box_error(masks, [boxes]) == 3.0


def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "masks": rng.integers(0, 255, (2, 3, 5), np.uint8),
        "depth": rng.integers(0, 65535, (2, 3, 5)).astype(">u2"),
        "light": rng.random((2, 3, 5, 3)).astype(np.float16)[:, ::-1],
        "empty": np.zeros((0, 4), np.float32),
    }


def test_messages_arrive_as_they_were_sent() -> None:
    sent = arrays()
    stream = io.BytesIO(b"".join(protocol.pack("frame", {"frame": 3, "boxes": [[[1, 2]]]}, sent)) * 2)
    for _ in range(2):
        message = protocol.unpack(stream.read)
        assert message is not None
        header, found = message
        assert header == {"kind": "frame", "frame": 3, "boxes": [[[1, 2]]]}
        assert all(np.array_equal(found[name], sent[name]) for name in sent)
    assert protocol.unpack(stream.read) is None


def test_a_message_cut_anywhere_is_no_message() -> None:
    whole = b"".join(protocol.pack("frame", {}, arrays()))
    for length in range(1, len(whole), 17):
        with pytest.raises(protocol.ProtocolError):
            protocol.unpack(io.BytesIO(whole[:length]).read)


@pytest.mark.parametrize(
    "data",
    [
        b"[Info] Kit says this",
        b"SGIS\xff\xff\xff\xff{}",
        b"SGIS\x00\x00\x00\x02[]",
        b'SGIS\x00\x00\x00\x20{"arrays": [["a", "|O", [1]]]}   ',
        b'SGIS\x00\x00\x00\x20{"arrays": [["a","<f4",[-1]]]}   ',
        b'SGIS\x00\x00\x00\x24{"arrays": [["a","<f4",[9999999999]]]}',
    ],
)
def test_nonsense_is_refused(data: bytes) -> None:
    with pytest.raises(protocol.ProtocolError):
        protocol.unpack(io.BytesIO(data).read)


def test_objects_never_travel() -> None:
    with pytest.raises(protocol.ProtocolError, match="dtype"):
        protocol.pack("frame", {}, {"a": np.array([{}, None])})
