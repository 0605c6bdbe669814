"""`syngrasp export`: which episodes, resuming, processes, and what it refuses."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from syngrasp import dataset, se3
from syngrasp.cli import run
from syngrasp.objects.catalog import Catalog, write_catalog, write_object
from syngrasp.records import Episode, Slot
from syngrasp.rendering.randomize import PAPER_CAMERAS, RandomizeConfig, draw_look
from syngrasp.robots import RobotConfig, make_robot
from syngrasp.seeding import named_rng
from tests.dataset.synthetic import at_slot, make_episode
from tests.rendering import scenes

pytest.importorskip("pxr", reason="usd-core is not installed: pip install 'syngrasp[usd]'")

REPOSITORY = Path(__file__).resolve().parents[1]
EPISODES = 4


def episode(slot: Slot, ranges: RandomizeConfig | None = None) -> Episode:
    """The arm moves, an object rises; the pictures are black."""
    models = scenes.household()
    scene, q = scenes.scene(models), make_robot(RobotConfig()).q_home
    rollout = scenes.rollout(scene, q, q + 0.3, 6 + slot.episode, lift=0.05)
    look = draw_look(scene, ranges or RandomizeConfig(), PAPER_CAMERAS, named_rng(slot.episode, "look"))
    frames, count = len(rollout.phase), len(look.cameras)
    whole = Episode(
        rollout=rollout,
        cameras=tuple(camera.name for camera in look.cameras),
        images=np.zeros((frames, count, 32, 48, 3), np.uint8),
        masks=None,
        depth=None,
        bbox=np.full((frames, count, len(models), 4), np.nan, np.float32),
        bbox_full=np.full((frames, count, len(models), 4), np.nan, np.float32),
        occlusion=np.full((frames, count, len(models)), np.nan, np.float32),
        truncated=np.ones((frames, count, len(models)), np.uint8),
        camera_intrinsics=np.stack([camera.intrinsics(48, 32) for camera in look.cameras]).astype(np.float32),
        T_base_camera=np.stack([camera.T_base_camera() for camera in look.cameras]).astype(np.float32),
        look=look.to_json(),
        attribution={m.entry.uid: {"category": m.entry.uid, "license": "CC0-1.0", "attribution": ""} for m in models},
    )
    return at_slot(whole, slot)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """A dataset and its catalog."""
    root, objects = tmp_path_factory.mktemp("data"), tmp_path_factory.mktemp("catalog")
    write_catalog(objects, [write_object(objects, model) for model in scenes.household()])
    recipe = {"robot": RobotConfig().model_dump(mode="json")}
    catalog_hash = Catalog.open(objects).hash
    dataset.create_dataset(
        root, recipe=recipe, catalog_hash=catalog_hash, seed=7, shards=1, episodes_per_shard=EPISODES
    )
    with dataset.ShardWriter(root, 0, max_objects=6) as writer:
        for k in range(EPISODES):
            writer.append(episode(Slot(0, k)))
        summary = writer.finish()
    assert dataset.commit_shard(root, summary, stages={}, empty_slots=[], timings={}, renderer={"kind": "none"})
    dataset.update_catalog(root)
    return str(root), str(objects)


def export(made: tuple[str, str], out: Path, *more: str) -> list[str]:
    return ["export", made[0], "--format", "usd", "--out", str(out), "--catalog", made[1], *more]


def events(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[dict[str, object]]:
    assert run([*arguments, "--json"]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert run(arguments) == 2
    return capsys.readouterr().err


def test_chosen_episodes_are_written_and_the_rest_later(
    made: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = events(capsys, *export(made, tmp_path, "--episodes", "0, 2-3"))
    assert [event["event"] for event in told] == ["start", "episode", "episode", "episode", "done"]
    stages = sorted(path.name for path in (tmp_path / "episodes").iterdir())
    assert stages == ["00000-0000.usdc", "00000-0002.usdc", "00000-0003.usdc"]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    told = events(capsys, *export(made, tmp_path))
    assert [event.get("episode") for event in told if event["event"] == "episode"] == [1]
    assert told[0]["there"] == 3
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert "CC0-1.0" in (tmp_path / "attribution.csv").read_text()


def test_a_stage_agrees_with_its_shard(made: tuple[str, str], tmp_path: Path) -> None:
    from pxr import Usd, UsdGeom

    assert run(export(made, tmp_path, "--episodes", "1")) == 0
    stage = Usd.Stage.Open(str(tmp_path / "episodes" / "00000-0001.usdc"))
    view = dataset.open(made[0]).episode(1)
    T = se3.matrix_from_pose7(view["object_pose"])[:, :4]
    assert np.isfinite(T).all()
    worst = 0.0
    for frame in range(view.length):
        cache = UsdGeom.XformCache(Usd.TimeCode(frame))
        for i in range(4):
            pose = cache.GetLocalToWorldTransform(stage.GetPrimAtPath(f"/World/objects/object{i}"))
            worst = max(worst, np.abs(np.array(pose).T - T[frame, i]).max())
        for name, T_camera in zip(view.line["cameras"], view["T_base_camera"], strict=True):
            pose = np.array(cache.GetLocalToWorldTransform(stage.GetPrimAtPath(f"/World/cameras/{name}"))).T
            worst = max(worst, np.abs(pose @ np.diag([1, -1, -1, 1]) - T_camera).max())
    assert worst < 1e-6
    assert stage.GetEndTimeCode() == view.length - 1
    for name, K in zip(view.line["cameras"], view["camera_intrinsics"], strict=True):
        camera = UsdGeom.Camera(stage.GetPrimAtPath(f"/World/cameras/{name}"))
        focal = 48 * camera.GetFocalLengthAttr().Get() / camera.GetHorizontalApertureAttr().Get()
        assert focal == pytest.approx(K[0, 0], rel=1e-5)
    assert stage.GetDefaultPrim().GetCustomDataByKey("syngrasp:seed") == 7


def test_a_look_of_the_users_own_pictures_is_exported(
    made: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    textures, data = tmp_path / "textures", tmp_path / "data"
    textures.mkdir()
    Image.new("RGB", (8, 8), (200, 120, 40)).save(textures / "oak.png")
    randomize = {"texture_folder": str(textures), "texture_folder_share": 1.0}
    recipe = {"robot": RobotConfig().model_dump(mode="json"), "render": {"randomize": randomize}}
    hashed = Catalog.open(made[1]).hash
    dataset.create_dataset(data, recipe=recipe, catalog_hash=hashed, seed=7, shards=1, episodes_per_shard=1)
    with dataset.ShardWriter(data, 0, max_objects=6) as writer:
        writer.append(episode(Slot(0, 0), RandomizeConfig.model_validate(randomize)))
        summary = writer.finish()
    dataset.commit_shard(data, summary, stages={}, empty_slots=[], timings={}, renderer={"kind": "none"})
    assert run(export((str(data), made[1]), tmp_path / "out")) == 0
    assert (tmp_path / "out/episodes/00000-0000.usdc").is_file()
    shutil.rmtree(textures)
    said = refused(capsys, *export((str(data), made[1]), tmp_path / "again"))
    assert f"{textures}: no such folder (render.randomize.texture_folder)" in said


def test_a_folder_that_is_not_an_exports_is_refused(
    made: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "is a dataset; choose another --out" in refused(capsys, *export(made, Path(made[0])))
    assert not (Path(made[0]) / "export.json").exists()
    (tmp_path / "export.json").write_text('{"format": "us')
    assert "is not what an export leaves" in refused(capsys, *export(made, tmp_path))


def test_several_processes_write_the_same_files_as_one(
    made: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    events(capsys, *export(made, tmp_path / "one", "--sample", "2"))
    events(capsys, *export(made, tmp_path / "two", "--sample", "2", "--jobs", "2"))
    one, two = (
        {str(path.relative_to(tmp_path / name)): path.read_bytes() for path in (tmp_path / name).rglob("*.*")}
        for name in ("one", "two")
    )
    assert one == two
    assert len([name for name in one if name.startswith("episodes")]) == 2


def test_what_cannot_be_exported_is_told(
    made: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = export(made, tmp_path / "out")
    assert "valid: lerobot, rlds, usd, webdataset" in refused(
        capsys, "export", made[0], "--format", "usdz", "--out", str(tmp_path)
    )
    assert "no dataset here" in refused(capsys, "export", str(tmp_path), "--format", "usd", "--out", str(tmp_path))
    assert "valid: 0 … 3" in refused(capsys, *command, "--episodes", "2-9")
    assert "'x' is no number" in refused(capsys, *command, "--episodes", "0,x")
    assert "'3-1' is no number" in refused(capsys, *command, "--episodes", "3-1")
    assert "exclude one another" in refused(capsys, *command, "--episodes", "0", "--sample", "1")
    assert not (tmp_path / "out").exists()
    (tmp_path / "file").write_text("")
    assert "cannot write" in refused(capsys, *export(made, tmp_path / "file" / "out"))
    assert "local folder" in refused(capsys, "export", made[0], "--format", "usd", "--out", "s3://bucket/out")
    assert run([*command, "--episodes", "0"]) == 0
    capsys.readouterr()
    assert "holds another export: mdl False, asked for True" in refused(capsys, *command, "--mdl")


def test_an_episode_without_pictures_is_told(
    made: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, info = tmp_path / "data", dataset.open(made[0]).info
    dataset.create_dataset(
        root, recipe=info.recipe, catalog_hash=info.catalog_hash, seed=1, shards=1, episodes_per_shard=1
    )
    with dataset.ShardWriter(root, 0, max_objects=4) as writer:
        writer.append(make_episode(Slot(0, 0), pictures=False))
        summary = writer.finish()
    assert dataset.commit_shard(root, summary, stages={}, empty_slots=[], timings={}, renderer={"kind": "none"})
    assert "was not rendered" in refused(capsys, *export((str(root), made[1]), tmp_path / "out"))


def test_a_process_tells_what_it_cannot_read(
    made: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    objects = tmp_path / "catalog"
    shutil.copytree(made[1], objects)
    (objects / "objects" / "can.npz").unlink()
    told = refused(capsys, *export((made[0], str(objects)), tmp_path / "out", "--jobs", "2"))
    assert told.count("\n") == 1
    assert "can.npz: is missing" in told


def test_without_usd_core_the_extra_is_named(made: tuple[str, str], tmp_path: Path) -> None:
    code = f"import sys; sys.modules['pxr'] = None; from syngrasp.cli import main; main({export(made, tmp_path)!r})"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=REPOSITORY)
    assert result.returncode == 2
    assert result.stderr.count("\n") == 1
    assert "pip install 'syngrasp[usd]'" in result.stderr
