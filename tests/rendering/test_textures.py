"""Members of texture families: seamless, repeated by their seeds, all different; reliefs that belong to pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from syngrasp.errors import UnknownName
from syngrasp.rendering.files import PictureFolderError, area_weights
from syngrasp.rendering.look import MaterialLook
from syngrasp.rendering.texture.families import (
    FAMILIES,
    TextureFolder,
    _member,
    make_texture,
    material_height,
    material_image,
)
from syngrasp.seeding import named_rng

PLAIN = MaterialLook("table", "plain", 5, "", 1.0, 0.0, (0.0, 0.0), (1.0, 1.0, 1.0), 0.5, 0.0, 0.001)
FLAT = {"checker", "granite", "marble", "noise", "picture", "stripes", "terrazzo"}


def seam(image: np.ndarray, axis: int) -> tuple[float, float]:
    """Mean step across the seam of a repeated picture (H, W, C), and the largest mean step within it."""
    values = image.astype(float)
    steps = np.abs(np.diff(values, axis=axis)).mean(axis=(1 - axis, 2))
    return float(np.abs(np.take(values, 0, axis) - np.take(values, -1, axis)).mean()), float(steps.max())


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_textures_repeat_by_seed_and_tile_seamlessly(family: str) -> None:
    one, other = make_texture(family, 5, 128), make_texture(family, 6, 128)
    assert one.shape == (128, 128, 3)
    _member.cache_clear()
    np.testing.assert_array_equal(one, make_texture(family, 5, 128))
    assert (one != other).any()
    for axis in (0, 1):
        across, within = seam(one, axis)
        assert across <= 1.5 * within + 2.0


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_texture_is_the_same_surface_at_every_resolution(family: str) -> None:
    """Renderers ask for different sizes, and must show the same scene."""
    for seed in range(3):
        coarse, fine = (make_texture(family, seed, size).astype(float) for size in (128, 512))
        np.testing.assert_allclose(coarse.mean(axis=(0, 1)), fine.mean(axis=(0, 1)), atol=8.0)
        small = [image.reshape(8, len(image) // 8, 8, len(image) // 8, 3).mean(axis=(1, 3)) for image in (coarse, fine)]
        assert np.abs(small[0] - small[1]).mean() < 8.0


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_thousand_members_differ(family: str) -> None:
    members = np.stack([make_texture(family, seed, 16) for seed in range(1000)])
    assert len({member.tobytes() for member in members}) == 1000
    mean = members.reshape(1000, -1, 3).mean(axis=1)
    assert np.linalg.norm(mean.std(axis=0)) > 8.0  # 8-bit levels
    assert np.median(np.abs(np.diff(np.sort(mean, axis=0), axis=0))) < 1.0  # no gaps: no few palettes


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_relief_belongs_to_the_picture_and_tiles_too(family: str) -> None:
    material = replace(PLAIN, family=family)
    height = material_height(material, 128)
    if family in FLAT:
        assert height is None
        return
    assert height is not None
    assert height.shape == (128, 128)
    assert (height.min(), height.max()) == (0.0, 1.0)
    assert height.std() > 0.05
    for axis in (0, 1):
        across, within = seam(height[..., None], axis)
        assert across <= 1.5 * within + 0.01


@pytest.mark.parametrize("family", ["brick", "tiles"])
def test_joints_lie_low_where_the_picture_shows_them(family: str) -> None:
    """Where the relief is lowest, the picture has one colour: the mortar's."""
    for seed in range(3):
        material = replace(PLAIN, family=family, seed=seed)
        image, height = material_image(material, 256).astype(float), material_height(material, 256)
        assert height is not None
        joint = height < 0.25
        assert 0.02 < joint.mean() < 0.6
        assert (height > 0.7).mean() > 0.4
        assert image[joint].std(axis=0).mean() < 25.0


def test_the_users_pictures_are_read_and_scaled(tmp_path: Path) -> None:
    rng = named_rng(0, "pictures")
    picture = rng.integers(0, 256, (96, 64, 3), dtype=np.uint8)
    Image.fromarray(picture).save(tmp_path / "a.png")
    Image.fromarray(picture).save(tmp_path / "b.webp", lossless=True)
    Image.fromarray(picture[..., 0]).save(tmp_path / "c.jpg", quality=95)
    folder, material = TextureFolder(tmp_path), replace(PLAIN, family="file", file="a.png")
    image = material_image(material, 32, folder)
    np.testing.assert_allclose(image, picture.reshape(32, 3, 32, 2, 3).mean(axis=(1, 3)), atol=0.51)
    np.testing.assert_array_equal(material_image(replace(material, file="b.webp"), 32, folder), image)
    grey = material_image(replace(material, file="c.jpg"), 32, folder)
    np.testing.assert_array_equal(grey[..., 0], grey[..., 2])
    height = material_height(material, 32, folder)
    assert height is not None
    assert np.corrcoef(height.ravel(), image.mean(axis=-1).ravel())[0, 1] > 0.99


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    material = replace(PLAIN, family="file", file="bad.png")
    with pytest.raises(PictureFolderError, match=r"bad\.png: cannot be read"):
        material_image(material, 32, TextureFolder(tmp_path))
    with pytest.raises(PictureFolderError, match=r"gone\.png: no such file; the look names it"):
        material_image(replace(material, file="gone.png"), 32, TextureFolder(tmp_path))
    with pytest.raises(PictureFolderError, match=r"render\.randomize\.texture_folder names no folder"):
        material_image(material, 32)


def test_an_unknown_family_is_named() -> None:
    with pytest.raises(UnknownName, match="did you mean 'marble'"):
        make_texture("marbel", 0)


@pytest.mark.parametrize(("count", "wanted"), [(12, 4), (7, 3), (4, 10)])
def test_area_weights_keep_the_mean_and_go_round(count: int, wanted: int) -> None:
    values = named_rng(1, "row").uniform(size=count)
    still = area_weights(count, wanted)
    np.testing.assert_allclose(still.sum(axis=1), 1.0, rtol=1e-6)
    np.testing.assert_allclose((still @ values).mean(), values.mean(), rtol=1e-6)
    turned = area_weights(count, wanted, 1.0 / wanted)
    np.testing.assert_allclose(turned, np.roll(still, 1, axis=0), atol=1e-6)
