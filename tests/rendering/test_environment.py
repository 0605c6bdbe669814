"""Maps of environments against integrals, and against the files and formulas that they come from."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from pathlib import Path

import imagecodecs
import numpy as np
import pytest

from syngrasp.errors import MissingExtra, UnknownName
from syngrasp.rendering.draw.lights import sun_temperature, sun_to_sky
from syngrasp.rendering.environment import files as environment_files
from syngrasp.rendering.environment.maps import LUMINANCE, directions, environment_map, rotated
from syngrasp.rendering.environment.sky import sky_radiance
from syngrasp.rendering.files import PictureFolderError
from syngrasp.rendering.look import EnvironmentLook
from syngrasp.rendering.randomize import PAPER_CAMERAS, RandomizeConfig, draw_look
from syngrasp.seeding import named_rng
from tests.rendering import scenes

UP = (0.0, 0.0, 1.0)
STUDIO = EnvironmentLook("studio", 1, "", 0.0, 0.5, (1.0, 0.9, 0.8), (0.5, 0.5, 0.6), (0.6, 0.0, 0.8), 3.0)


def sun_at(elevation: float) -> np.ndarray:
    """Towards a sun over the x axis, at an elevation [deg]."""
    return np.array([np.cos(np.deg2rad(elevation)), 0.0, np.sin(np.deg2rad(elevation))])


def write_hdr(path: Path, height: int = 32, seed: int = 0) -> np.ndarray:
    """A Radiance file of random light; what a reader must find in it."""
    light = named_rng(seed, "hdr").uniform(0.05, 4.0, (height, 2 * height, 3)).astype(np.float32)
    path.write_bytes(imagecodecs.rgbe_encode(light))
    return imagecodecs.rgbe_decode(path.read_bytes())


@pytest.mark.parametrize("kind", ["gradient", "sky", "studio", "file"])
@pytest.mark.parametrize("height", [64, 100])
def test_a_surface_facing_up_gets_the_looks_intensity(kind: str, height: int, tmp_path: Path) -> None:
    write_hdr(tmp_path / "a.hdr")
    look = replace(STUDIO, kind=kind, file="a.hdr", intensity=0.7)
    radiance = environment_map(look, height, tmp_path)
    assert radiance.shape == (height, 2 * height, 3)
    assert radiance.dtype == np.float32
    assert radiance.min() >= 0.0
    # Cosine-weighted directions drawn at random: their mean radiance is the irradiance / π.
    u, turn = named_rng(0, "hemisphere").uniform(size=(2, 400_000))
    row = np.minimum((np.arccos(np.sqrt(u)) / np.pi * height).astype(int), height - 1)
    column = np.minimum((turn * 2 * height).astype(int), 2 * height - 1)
    assert (radiance @ LUMINANCE)[row, column].mean() == pytest.approx(0.7, rel=0.02)


def test_rotation_turns_every_kind_about_the_vertical(tmp_path: Path) -> None:
    write_hdr(tmp_path / "a.hdr")
    for kind in ("gradient", "studio", "file"):
        look = replace(STUDIO, kind=kind, file="a.hdr")
        still = environment_map(look, 32, tmp_path)
        turned = environment_map(replace(look, rotation=np.pi / 2), 32, tmp_path)
        np.testing.assert_allclose(turned, np.roll(still, 16, axis=1), rtol=1e-3, atol=1e-3)
    east = np.array([[1.0, 0.0, 0.0]])
    np.testing.assert_allclose(rotated(east, np.pi / 2), [[0.0, 1.0, 0.0]], atol=1e-12)


def test_the_sky_is_brightest_about_the_sun_and_bluest_away_from_it() -> None:
    d = directions(64)
    above = d[..., 2] > 0.1
    for turbidity in (2.0, 4.0, 8.0):
        sky = sky_radiance(sun_at(40.0), turbidity, d)
        for row in (6, 17, 28):  # at 17 as high as the sun: azimuths at one height above the horizon
            assert (d[row] @ sun_at(40.0)).argmax() == (sky[row] @ LUMINANCE).argmax()
    clear, hazy = (sky_radiance(sun_at(40.0), t, d) for t in (2.0, 9.0))
    away = above & (d @ sun_at(40.0) < 0.0)
    blue = [(sky[away][:, 2] / sky[away][:, 0]).mean() for sky in (clear, hazy)]
    assert blue[0] > 1.3 * blue[1]
    low = sky_radiance(sun_at(3.0), 3.0, d)
    near, across = (low[32 - 4, c] for c in (0, 64))
    assert near[0] / near[2] > across[0] / across[2]


def test_the_skys_zenith_is_preethams() -> None:
    """Luminance at the zenith [kcd/m²] under a sun at 45° and turbidity 3, worked out from the paper's formula."""
    chi = (4 / 9 - 3 / 120) * (np.pi - 2 * np.pi / 4)
    expected = (4.0453 * 3 - 4.9710) * np.tan(chi) - 0.2155 * 3 + 2.4192
    zenith = sky_radiance(sun_at(45.0), 3.0, np.array([[0.0, 0.0, 1.0]]))[0]
    assert zenith @ LUMINANCE == pytest.approx(expected, rel=1e-6)


def test_sun_and_sky_are_in_the_proportion_of_daylight() -> None:
    """Clear noon: some 100 klx of sun and 15 klx of sky. Haze and a low sun shift it to the sky."""
    assert 5.0 < sun_to_sky(np.deg2rad(60.0), 2.0) < 9.0
    assert sun_to_sky(np.deg2rad(60.0), 2.0) > sun_to_sky(np.deg2rad(60.0), 9.0)
    assert sun_to_sky(np.deg2rad(60.0), 4.0) > sun_to_sky(np.deg2rad(10.0), 4.0)
    warmth = [sun_temperature(np.deg2rad(e)) for e in (5.0, 20.0, 60.0, 90.0)]
    assert warmth == sorted(warmth)
    assert 5400 < warmth[-1] < 5800


def test_studios_differ() -> None:
    maps = np.stack([environment_map(replace(STUDIO, seed=seed), 16) for seed in range(1000)])
    assert len({m.tobytes() for m in maps}) == 1000
    colour = maps.mean(axis=(1, 2))
    assert (colour.std(axis=0) > 0.02).all()
    peaks = (maps @ LUMINANCE).max(axis=(1, 2))
    assert np.quantile(peaks, 0.9) > 2.0 * np.quantile(peaks, 0.1)


def test_a_radiance_file_is_read_as_it_is(tmp_path: Path) -> None:
    light = write_hdr(tmp_path / "a.hdr")
    found = environment_map(replace(STUDIO, kind="file", file="a.hdr"), 16, tmp_path)
    mean = light.reshape(16, 2, 32, 2, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(found / found.mean(), mean / mean.mean(), rtol=1e-4)


@pytest.mark.skipif(importlib.util.find_spec("OpenEXR") is None, reason="needs the extra exr")
def test_an_openexr_file_is_read_as_it_is(tmp_path: Path) -> None:
    import OpenEXR

    light = named_rng(0, "exr").uniform(0.05, 4.0, (16, 32, 3)).astype(np.float32)
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
    OpenEXR.File(header, {"RGB": light}).write(str(tmp_path / "a.exr"))
    found = environment_map(replace(STUDIO, kind="file", file="a.exr"), 16, tmp_path)
    np.testing.assert_allclose(found / found.mean(), light / light.mean(), rtol=1e-4)
    separate = {name: light[..., c].copy() for c, name in enumerate("RGB")}
    OpenEXR.File(header, separate).write(str(tmp_path / "b.exr"))
    again = environment_map(replace(STUDIO, kind="file", file="b.exr"), 16, tmp_path)
    np.testing.assert_allclose(again, found, rtol=1e-5)


def test_without_its_reader_an_openexr_file_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.exr").write_bytes(b"")
    monkeypatch.setitem(__import__("sys").modules, "OpenEXR", None)
    with pytest.raises(MissingExtra, match=r"pip install 'syngrasp\[exr\]'"):
        environment_map(replace(STUDIO, kind="file", file="a.exr"), 16, tmp_path)


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    (tmp_path / "bad.hdr").write_bytes(b"no light")
    (tmp_path / "dark.hdr").write_bytes(imagecodecs.rgbe_encode(np.zeros((8, 16, 3), np.float32)))
    look = replace(STUDIO, kind="file", file="bad.hdr")
    for file, folder, complaint in (
        ("bad.hdr", tmp_path, r"bad\.hdr: cannot be read"),
        ("dark.hdr", tmp_path, r"dark\.hdr: has no light in its upper half"),
        ("gone.hdr", tmp_path, r"gone\.hdr: no such file; the look names it"),
        ("bad.hdr", None, r"render\.randomize\.environment_folder names no folder"),
    ):
        with pytest.raises(PictureFolderError, match=complaint):
            environment_map(replace(look, file=file), 16, folder)
    with pytest.raises(UnknownName, match="did you mean 'studio'"):
        environment_map(replace(STUDIO, kind="studo"))


def test_large_files_are_kept_small(tmp_path: Path) -> None:
    write_hdr(tmp_path / "large.hdr", height=600)
    path = tmp_path / "large.hdr"
    assert len(environment_files._kept(path, path.stat().st_mtime_ns)) == 512


def test_looks_name_the_users_environments(tmp_path: Path) -> None:
    scene = scenes.scene(scenes.household()[:1])
    for name in ("a.hdr", "b.hdr"):
        write_hdr(tmp_path / name)
    config = RandomizeConfig(environment_folder=str(tmp_path), environment_folder_share=1.0)
    drawn = [draw_look(scene, config, PAPER_CAMERAS, named_rng(seed, "look")).environment for seed in range(20)]
    assert {look.kind for look in drawn} == {"file"}
    assert {look.file for look in drawn} == {"a.hdr", "b.hdr"}
    empty, none = tmp_path / "empty", tmp_path / "none"
    empty.mkdir()
    for folder, complaint in ((empty, "holds no file that ends in .hdr, .exr"), (none, "no such folder")):
        config = RandomizeConfig(environment_folder=str(folder), environment_folder_share=1.0)
        with pytest.raises(PictureFolderError, match=complaint):
            draw_look(scene, config, PAPER_CAMERAS, named_rng(0, "look"))
