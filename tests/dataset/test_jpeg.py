"""The codec: exact layout, the same bytes for the same pictures, plain zarr reads it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import zarr

from syngrasp.dataset import jpeg
from syngrasp.dataset.jpeg_codec import JpegCodec
from syngrasp.records import Slot
from tests.dataset.synthetic import make_episode


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    images = make_episode(Slot(0, 0), frames=6, size=64).images
    assert images is not None
    return images


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / np.mean((a.astype(float) - b.astype(float)) ** 2)))


def test_a_chunk_is_its_jpegs_with_their_ends(pictures: np.ndarray) -> None:
    chunk = jpeg.encode(pictures[0])
    assert np.frombuffer(chunk[:12], "<u4").tolist()[0] == 2
    decoded = jpeg.decode(chunk, pictures[0].shape)
    for part, ours, picture in zip(jpeg.split(chunk, 2), decoded, pictures[0], strict=True):
        np.testing.assert_array_equal(imagecodecs.jpeg8_decode(part), ours)
        assert psnr(ours, picture) > 28  # hard edges and noise at 64 x 64


def test_the_same_pictures_give_the_same_bytes(pictures: np.ndarray) -> None:
    assert jpeg.encode(pictures[0]) == jpeg.encode(np.asfortranarray(pictures[0]))
    assert jpeg.encode(pictures[0]) != jpeg.encode(pictures[-1])


def test_saturated_colours_keep_their_resolution() -> None:
    stripes = np.zeros((1, 64, 64, 3), np.uint8)
    stripes[:, :, ::2, 0] = 255
    stripes[:, :, 1::2, 2] = 255
    decoded = jpeg.decode(jpeg.encode(stripes), stripes.shape)
    assert psnr(decoded, stripes) > 25  # 4:2:0 leaves 9 dB


def test_a_broken_chunk_is_an_error_never_a_picture(pictures: np.ndarray) -> None:
    chunk = jpeg.encode(pictures[0])
    out = np.empty(pictures[0].shape, np.uint8)
    for broken in (b"", chunk[:7], chunk[:-1], chunk + b"\0", b"\3" + chunk[1:], chunk[:40] + bytes(len(chunk) - 40)):
        with pytest.raises(ValueError, match="broken"):
            jpeg.decode_into(broken, out)
    with pytest.raises(ValueError, match="shape"):
        jpeg.decode(chunk, (2, 32, 32, 3))


def test_zarr_writes_and_reads_with_it(tmp_path: Path, pictures: np.ndarray) -> None:
    array = zarr.create_array(
        tmp_path / "a.zarr", shape=pictures.shape, chunks=(1, *pictures.shape[1:]), dtype="uint8",
        serializer=JpegCodec(), compressors=None, filters=None,
    )  # fmt: skip
    array[:] = pictures
    again = zarr.open_array(tmp_path / "a.zarr", mode="r")[:]
    expected = np.stack([jpeg.decode(jpeg.encode(p), p.shape) for p in pictures])
    np.testing.assert_array_equal(again, expected)


@pytest.mark.parametrize("quality", [0, 101, 85.5])
def test_a_quality_that_is_none_is_refused(quality: float) -> None:
    with pytest.raises(ValueError, match="quality"):
        JpegCodec(quality=quality)  # type: ignore[arg-type]


def test_arrays_that_are_no_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs uint8"):
        zarr.create_array(
            tmp_path / "a.zarr", shape=(2, 4), chunks=(1, 4), dtype="float32", serializer=JpegCodec(), compressors=None
        )


def test_plain_zarr_finds_the_codec(small: Path) -> None:
    if "syngrasp.jpeg" not in entry_points(group="zarr.codecs").names:
        pytest.skip("syngrasp is not installed, so its entry points are not either: pip install -e .")
    group = next(small.glob("shards/00000/*/frames.zarr"))
    code = (
        "import sys, zarr\n"
        f"print(zarr.open_group({str(group)!r}, mode='r')['images'][3].sum())\n"
        "print('syngrasp.dataset.reader' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    total, ours = result.stdout.split()
    assert int(total) > 0
    assert ours == "False"
