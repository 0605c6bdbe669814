"""What is drawn at random stays in its range, is recorded whole, and repeats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image
from pydantic import ValidationError

from syngrasp import se3
from syngrasp.errors import SyngraspError
from syngrasp.rendering.annotate import boxes_from_masks
from syngrasp.rendering.blackbody import blackbody
from syngrasp.rendering.cameras import displace, project
from syngrasp.rendering.draw.props import PropKind
from syngrasp.rendering.files import PictureFolderError
from syngrasp.rendering.folders import folders_of
from syngrasp.rendering.look import Look
from syngrasp.rendering.prop_kinds import SOLIDS
from syngrasp.rendering.randomize import PAPER_CAMERAS, RandomizeConfig, draw_look
from syngrasp.rendering.ranges import Family
from syngrasp.rendering.shapes import SRGB_TO_LINEAR, mip_chain
from syngrasp.rendering.texture.families import FAMILIES
from syngrasp.seeding import named_rng
from tests.rendering import scenes

SCENE = scenes.scene(scenes.household()[:1])


def draw(seed: int, config: RandomizeConfig | None = None) -> Look:
    return draw_look(SCENE, config or RandomizeConfig(), PAPER_CAMERAS, named_rng(seed, "test"))


def test_a_look_survives_json() -> None:
    look = draw(0)
    assert Look.from_json(json.loads(json.dumps(look.to_json()))) == look


def test_equal_streams_draw_equal_looks_and_others_differ() -> None:
    looks = [json.dumps(draw(seed).to_json()) for seed in range(50)]
    assert looks == [json.dumps(draw(seed).to_json()) for seed in range(50)]
    assert len(set(looks)) == len(looks)


def test_draws_stay_in_range_and_fill_it() -> None:
    config = RandomizeConfig()
    looks = [draw(seed, config) for seed in range(200)]
    assert {len(look.lights) for look in looks} == set(range(config.lights[0], config.lights[1] + 1))
    assert {light.kind for look in looks for light in look.lights} == set(config.light_kinds)
    assert {look.material("table").family for look in looks} == set(config.table_families)
    temperatures = np.array([light.temperature for look in looks for light in look.lights])
    assert temperatures.min() >= config.light_temperature[0]
    assert temperatures.max() <= config.light_temperature[1]
    assert np.ptp(temperatures) > 0.9 * (config.light_temperature[1] - config.light_temperature[0])
    for name, camera in PAPER_CAMERAS.items():
        nominal = se3.look_at(camera.position, camera.target)
        poses = [next(c for c in look.cameras if c.name == name).T_base_camera() for look in looks]
        shifts = [np.linalg.norm(T[:3, 3] - nominal[:3, 3]) for T in poses]
        turns = [np.abs(se3.rpy_from_matrix(nominal[:3, :3].T @ T[:3, :3])).max() for T in poses]
        assert 0.13 < max(shifts) <= 0.15 + 1e-9
        assert np.deg2rad(4.8) < max(turns) <= np.deg2rad(5.0) + 1e-9


def test_everything_that_varies_stays_in_the_recipes_ranges() -> None:
    config = RandomizeConfig()
    looks = [draw(seed, config) for seed in range(200)]
    shining = [look.sensor for look in looks]
    for name, field in (("blur", "blur"), ("vignette", "vignette"), ("exposure", "exposure"), ("contrast", "contrast"),
                        ("saturation", "saturation"), ("noise", "sensor_noise")):  # fmt: skip
        low, high = getattr(config, field)
        values = np.array([getattr(sensor, name) for sensor in shining])
        assert low <= values.min() < low + 0.1 * (high - low)
        assert high - 0.1 * (high - low) < values.max() <= high
    balance = np.log([sensor.white_balance for sensor in shining])
    assert np.abs(balance).max() <= config.white_balance + 1e-9
    assert {look.environment.kind for look in looks} == set(config.environments)
    assert {look.table.shape for look in looks} == set(config.table_shapes)
    assert {look.table.support for look in looks} == set(config.table_supports)
    walls = np.mean([[side in look.room.walls for side in ("-x", "-y")] for look in looks], axis=0)
    np.testing.assert_allclose(walls, config.walls, atol=0.1)
    assert {len(look.lights) for look in looks} == set(range(config.lights[0], config.lights[1] + 1))
    assert max(sum(p.kind == "picture" for p in look.props) for look in looks) == config.pictures[1]
    for look in looks:
        assert config.fovy[0] <= np.rad2deg(look.cameras[0].fovy) <= config.fovy[1]
        assert len({material.name for material in look.materials}) == len(look.materials)
        for material in look.materials:
            assert 1.0 - config.tint <= min(material.tint)
            assert max(material.tint) <= 1.0
            assert 0.0 <= material.roughness <= 1.0
            assert 0.0 <= material.bump < 0.01
            assert (material.metallic > 0.0) == (material.family == "metal")


def test_glass_shine_and_metal_come_as_often_as_the_recipe_says() -> None:
    scene = scenes.scene(scenes.household())
    config = RandomizeConfig(transparent=0.3, glossy=0.2, object_metallic=0.1)
    objects = [
        o for seed in range(300) for o in draw_look(scene, config, PAPER_CAMERAS, named_rng(seed, "glass")).objects
    ]
    glass = [o for o in objects if o.transmission > 0.0]
    assert len(glass) / len(objects) == pytest.approx(0.3, abs=0.04)
    assert {o.transmission for o in glass} == {1.0}
    assert all(config.glass_ior[0] <= o.ior <= config.glass_ior[1] for o in glass)
    solid = [o for o in objects if o.transmission == 0.0]
    assert np.mean([o.roughness <= 0.3 for o in solid]) == pytest.approx(0.2, abs=0.04)
    assert np.mean([o.metallic > 0.0 for o in solid]) == pytest.approx(0.1, abs=0.03)


def test_a_change_of_one_group_leaves_the_others() -> None:
    plain, other = draw(5), draw(5, RandomizeConfig(props=(0, 0), furniture=(0, 0), sensor_noise=(0.0, 0.0)))
    assert (plain.cameras, plain.room, plain.table, plain.robot) == (
        other.cameras,
        other.room,
        other.table,
        other.robot,
    )
    assert plain.materials[:5] == other.materials[:5]
    assert plain.props != other.props


def test_the_users_textures_are_named_by_looks(tmp_path: Path) -> None:
    for name in ("oak.png", "tiles.jpg"):
        Image.fromarray(np.full((8, 8, 3), 90, np.uint8)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("no picture")
    config = RandomizeConfig(texture_folder=str(tmp_path), texture_folder_share=1.0)
    looks = [draw(seed, config) for seed in range(20)]
    assert {look.material(name).family for look in looks for name in ("table", "floor", "wall")} == {"file"}
    assert {look.material("table").file for look in looks} == {"oak.png", "tiles.jpg"}
    with pytest.raises(PictureFolderError, match=r"no such folder \(render\.randomize\.texture_folder\)"):
        draw(0, RandomizeConfig(texture_folder=str(tmp_path / "gone"), texture_folder_share=1.0))


def test_ranges_the_wrong_way_round_are_refused() -> None:
    with pytest.raises(ValidationError, match="exposure: lower bound 1\\.0 above upper bound 0\\.0"):
        RandomizeConfig(exposure=(1.0, 0.0))


def test_a_camera_sees_its_target_in_the_middle_and_up_above() -> None:
    look = draw(1, RandomizeConfig(camera_radius=0.0, camera_angle=0.0))
    for camera, nominal in zip(look.cameras, PAPER_CAMERAS.values(), strict=True):
        T, K = camera.T_base_camera(), camera.intrinsics(256, 256)
        target = np.array(nominal.target)
        pixels, depth = project([target, (*target[:2], target[2] + 0.01)], T, K)
        np.testing.assert_allclose(pixels[0], [128, 128], atol=1e-9)
        np.testing.assert_allclose(depth[0], np.linalg.norm(target - nominal.position))
        assert pixels[1, 1] < 128


def test_displaced_cameras_fill_the_ball_evenly() -> None:
    rng, start = named_rng(0, "ball"), np.eye(4)
    shifts = np.array([displace(start, 1.0, 0.0, rng)[:3, 3] for _ in range(3000)])
    np.testing.assert_allclose(shifts.mean(axis=0), 0.0, atol=0.03)
    np.testing.assert_allclose((np.linalg.norm(shifts, axis=1) ** 3).mean(), 0.5, atol=0.03)


def test_mip_levels_keep_the_mean_light() -> None:
    texture = named_rng(0, "mip").integers(0, 256, (64, 32, 3), dtype=np.uint8)
    chain = mip_chain(texture)
    assert [level.shape[:2] for level in chain] == [(64, 32), (32, 16), (16, 8), (8, 4), (4, 2), (2, 1), (1, 1)]
    for level in chain:
        np.testing.assert_allclose(
            SRGB_TO_LINEAR[level].mean(axis=(0, 1)), SRGB_TO_LINEAR[texture].mean(axis=(0, 1)), atol=0.01
        )


def test_lamps_turn_from_red_to_blue_at_equal_luminance() -> None:
    colors = np.array([blackbody(t) for t in (2000, 2700, 4000, 6500, 9000)])
    np.testing.assert_allclose(colors @ [0.2126, 0.7152, 0.0722], 1.0)
    assert (np.diff(colors[:, 0]) < 0).all()
    assert (np.diff(colors[:, 2]) > 0).all()
    np.testing.assert_allclose(blackbody(6500), 1.0, atol=0.05)


def test_boxes_are_the_extent_of_the_masks() -> None:
    rng = named_rng(0, "masks")
    masks = np.where(rng.uniform(size=(3, 2, 20, 30)) < 0.01, rng.integers(0, 8, (3, 2, 20, 30)), 0).astype(np.uint8)
    boxes, pixels = boxes_from_masks(masks, 4)
    for index in np.ndindex(3, 2):
        for i in range(4):
            y, x = np.nonzero(masks[index] == 3 + i)
            assert pixels[index][i] == len(x)
            if len(x):
                np.testing.assert_array_equal(boxes[index][i], [x.min(), y.min(), x.max() + 1, y.max() + 1])
            else:
                assert np.isnan(boxes[index][i]).all()


def test_a_recipe_may_name_what_there_is() -> None:
    assert set(get_args(Family)) == set(FAMILIES)
    assert set(get_args(PropKind)) == set(SOLIDS) - {"picture"}


def test_a_folder_is_looked_at_before_work_starts(tmp_path: Path) -> None:
    with pytest.raises(SyngraspError, match=r"no such folder \(render\.randomize\.texture_folder\)"):
        folders_of(RandomizeConfig(texture_folder=str(tmp_path / "none")))
    with pytest.raises(SyngraspError, match=r"holds no file that ends in \.hdr, \.exr"):
        folders_of(RandomizeConfig(environment_folder=str(tmp_path)))
    (tmp_path / "oak.png").write_bytes(b"")
    folders = folders_of(RandomizeConfig(texture_folder=str(tmp_path)))
    textures, environments = folders.textures, folders.environments
    assert textures is not None
    assert environments is None
