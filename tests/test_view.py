"""`syngrasp view`: what the recording holds, read back by rerun's own reader, and what the command refuses."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from syngrasp import dataset, se3
from syngrasp.cli import run
from syngrasp.dataset.export.frames import stored_jpegs
from syngrasp.objects.catalog import Catalog, write_catalog, write_object
from syngrasp.records import Episode, Slot
from syngrasp.rendering.cameras import project
from syngrasp.rendering.randomize import PAPER_CAMERAS, RandomizeConfig, draw_look
from syngrasp.robots import RobotConfig, make_robot
from syngrasp.seeding import named_rng
from tests.dataset.synthetic import at_slot
from tests.rendering import scenes

pytest.importorskip("rerun", reason="rerun-sdk is not installed: pip install 'syngrasp[viz]'")

FRAMES, SIZE = 6, (32, 48)


@dataclass(frozen=True)
class Made:
    root: str
    catalog: str


def episode() -> Episode:
    """The arm moves, an object rises; the pictures are noise, one object is in view."""
    models = scenes.household()
    scene, q = scenes.scene(models), make_robot(RobotConfig()).q_home
    rollout = scenes.rollout(scene, q, q + 0.3, FRAMES, lift=0.05)
    rollout = replace(rollout, goal_pose=rollout.object_pose[:, scene.target])
    look = draw_look(scene, RandomizeConfig(), PAPER_CAMERAS, named_rng(0, "look"))
    count, random = len(look.cameras), named_rng(0, "pictures")
    bbox = np.full((FRAMES, count, len(models), 4), np.nan, np.float32)
    bbox[:, :, scene.target] = (4, 5, 20, 25)
    shape = (FRAMES, count, len(models))
    return Episode(
        rollout=rollout,
        cameras=tuple(camera.name for camera in look.cameras),
        images=random.integers(0, 255, (FRAMES, count, *SIZE, 3), np.uint8),
        masks=random.integers(0, 4, (FRAMES, count, *SIZE), np.uint8),
        depth=None,
        bbox=bbox,
        bbox_full=bbox,
        occlusion=np.zeros(shape, np.float32),
        truncated=np.zeros(shape, np.uint8),
        camera_intrinsics=np.stack([camera.intrinsics(48, 32) for camera in look.cameras]).astype(np.float32),
        T_base_camera=np.stack([camera.T_base_camera() for camera in look.cameras]).astype(np.float32),
        look=look.to_json(),
        attribution={m.entry.uid: {"category": m.entry.uid, "license": "CC0-1.0", "attribution": ""} for m in models},
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    root, objects = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("catalog")
    write_catalog(objects, [write_object(objects, model) for model in scenes.household()])
    recipe = {"robot": RobotConfig().model_dump(mode="json")}
    dataset.create_dataset(
        root, recipe=recipe, catalog_hash=Catalog.open(objects).hash, seed=7, shards=1, episodes_per_shard=2
    )
    with dataset.ShardWriter(root, 0, max_objects=6) as writer:
        for slot in range(2):
            writer.append(at_slot(episode(), Slot(0, slot)))
        summary = writer.finish()
    assert dataset.commit_shard(root, summary, stages={}, empty_slots=[], timings={}, renderer={"kind": "none"})
    return Made(str(root), str(objects))


def read(path: Path) -> dict[tuple[str, str], list[Any]]:
    """Values over time by entity and component; those without time as well."""
    chunk = pytest.importorskip("rerun.chunk", reason="this rerun-sdk cannot read recordings back")
    found: dict[tuple[str, str], list[Any]] = {}
    for part in chunk.RrdReader(str(path)).stream():
        batch = part.to_record_batch()
        for name in batch.schema.names:
            found.setdefault((str(part.entity_path), name), []).extend(batch.column(name).to_pylist())
    return found


@pytest.fixture(scope="module")
def logged(made: Made, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], list[Any]]:
    """The second episode's recording."""
    out = tmp_path_factory.mktemp("view") / "episode.rrd"
    assert run(["view", made.root, "--episode", "1", "--catalog", made.catalog, "--save", str(out)]) == 0
    assert [p.name for p in out.parent.iterdir()] == ["episode.rrd"]
    return read(out)


def motion(logged: dict[tuple[str, str], list[Any]], entity: str) -> Any:
    """An entity's transforms (F, 4, 4); the format keeps matrices column by column."""
    R = np.array(logged[entity, "Transform3D:mat3x3"]).reshape(-1, 3, 3).swapaxes(1, 2)
    return se3.make(R, np.array(logged[entity, "Transform3D:translation"]).reshape(-1, 3))


def test_pictures_are_the_stored_bytes(made: Made, logged: dict[tuple[str, str], list[Any]]) -> None:
    opened = dataset.open(made.root)
    for row, camera in enumerate(opened.cameras):
        blobs = logged[f"/world/{camera}/image", "EncodedImage:blob"]
        assert len(blobs) == FRAMES
        for f, blob in enumerate(blobs):
            stored = bytes(stored_jpegs(opened.shard(0), FRAMES + f)[row])
            assert np.array(blob, np.uint8).tobytes() == stored


def test_links_follow_forward_kinematics(made: Made, logged: dict[tuple[str, str], list[Any]]) -> None:
    """The TCP by the kinematic chain stands still in the hand's frame, and moves in the base's."""
    T_base_tcp = np.array(
        [make_robot(RobotConfig()).fk(q) for q in dataset.open(made.root).episode(1)["joint_position"]]
    )
    T_hand_tcp = se3.invert(motion(logged, "/world/robot/robot/link7")) @ T_base_tcp
    np.testing.assert_allclose(T_hand_tcp, T_hand_tcp[[0] * FRAMES], atol=1e-5)
    assert np.ptp(T_base_tcp[:, :3, 3], axis=0).max() > 0.05


def test_objects_and_goal_are_where_the_dataset_says(made: Made, logged: dict[tuple[str, str], list[Any]]) -> None:
    view = dataset.open(made.root).episode(1)
    np.testing.assert_allclose(motion(logged, "/world/goal"), se3.matrix_from_pose7(view["goal_pose"]), atol=1e-6)
    for i, item in enumerate(view.line["objects"]):
        T = motion(logged, f"/world/object{i}")
        T[:, :3, :3] /= item["scale"]
        np.testing.assert_allclose(T, se3.matrix_from_pose7(view["object_pose"][:, i]), atol=1e-5)
        assert logged[f"/world/object{i}", "Mesh3D:vertex_positions"]


def test_goal_projects_as_our_cameras_do(made: Made, logged: dict[tuple[str, str], list[Any]]) -> None:
    opened = dataset.open(made.root)
    view = opened.episode(1)
    goal = motion(logged, "/world/goal")[:, :3, 3]
    for row, camera in enumerate(opened.cameras):
        K = np.array(logged[f"/world/{camera}/image", "Pinhole:image_from_camera"]).reshape(3, 3).T
        pixels = project(goal, motion(logged, f"/world/{camera}")[0], K)[0]
        own = project(view["goal_pose"][:, :3], view["T_base_camera"][row], view["camera_intrinsics"][row])[0]
        np.testing.assert_allclose(pixels, own, atol=1e-2)


def test_series_boxes_masks_and_times(made: Made, logged: dict[tuple[str, str], list[Any]]) -> None:
    view = dataset.open(made.root).episode(1)
    np.testing.assert_allclose(np.array(logged["/action", "Scalars:scalars"]), view["action"])
    np.testing.assert_allclose(np.array(logged["/state/joint_position", "Scalars:scalars"]), view["joint_position"])
    assert logged["/action", "frame"] == list(range(FRAMES))
    target = view.line["objects"][view.line["target"]]["category"]
    for camera in dataset.open(made.root).cameras:
        boxes = f"/world/{camera}/image/boxes"
        assert logged[boxes, "Boxes2D:labels"] == [[target]] * FRAMES
        assert logged[boxes, "Boxes2D:centers"] == [[[12.0, 15.0]]] * FRAMES
        assert len(logged[f"/world/{camera}/image/masks", "SegmentationImage:buffer"]) == FRAMES
    assert view.line["instruction"] in logged["/about", "TextDocument:text"][0][0]


def test_without_the_catalog_objects_are_axes(made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "episode.rrd"
    slot = ["--shard", "0", "--slot", "1"]
    assert run(["view", made.root, *slot, "--catalog", str(tmp_path / "none"), "--save", str(out)]) == 0
    assert "left out: objects' meshes" in capsys.readouterr().err
    assert ("/world/object0", "TransformAxes3D:axis_length") in read(out)


def test_wrong_input_is_one_line(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    for more, part in (
        (["--save", str(tmp_path / "a.mp4")], ".rrd"),
        (["--shard", "0"], "--shard and --slot together"),
        (["--episode", "9"], "9"),
        ([], "--save episode.rrd"),
    ):
        assert run(["view", made.root, *more]) == 2
        error = capsys.readouterr().err.strip()
        assert part in error
        assert "\n" not in error


def test_without_rerun_a_contact_sheet_and_a_summary(
    made: Made, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "rerun" else find(name, *more))
    monkeypatch.chdir(tmp_path)
    assert run(["view", made.root]) == 0
    told = capsys.readouterr().out
    assert "pip install 'syngrasp[viz]'" in told
    assert "CC0-1.0" in told
    assert (tmp_path / "episode-0.png").stat().st_size > 1000
