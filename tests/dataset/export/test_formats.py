"""WebDataset and RLDS: read back by their own tools where those are installed, and by parsers of our own."""

from __future__ import annotations

import io
import json
import os
import struct
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import google_crc32c
import imagecodecs
import numpy as np
import pytest

from syngrasp import dataset
from syngrasp.resources import cache_folder
from tests.dataset.export.conftest import export, files_of

TENSORFLOW = cache_folder() / "bench-envs" / "rlds" / "bin" / "python"


def test_tars_hold_every_frame_as_it_is_stored(source: Path, tmp_path: Path) -> None:
    export(source, tmp_path / "out", "webdataset", jobs=2)
    ds = dataset.open(source)
    index = json.loads((tmp_path / "out" / "shards.json").read_text())
    assert sum(shard["nsamples"] for shard in index["shardlist"]) == len(ds)
    frame = 0
    for shard in index["shardlist"]:
        path = tmp_path / "out" / shard["url"]
        assert path.stat().st_size == shard["filesize"]
        with tarfile.open(path) as tar:
            names = tar.getnames()
            for start in range(0, len(names), 3):
                front, side, told = names[start : start + 3]
                assert len({name.partition(".")[0] for name in (front, side, told)}) == 1
                data = [tar.extractfile(name).read() for name in (front, side, told)]  # type: ignore[union-attr]
                item = ds[frame]
                np.testing.assert_array_equal(imagecodecs.jpeg8_decode(data[0]), item["images"][0])
                np.testing.assert_array_equal(imagecodecs.jpeg8_decode(data[1]), item["images"][1])
                numbers = json.loads(data[2])
                np.testing.assert_array_equal(np.float32(numbers["action"]), item["action"])
                assert numbers["instruction"] == ds.field([frame], "instruction")[0]
                assert numbers["license"]
                frame += 1
    assert frame == len(ds)


@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_reads_the_tars(source: Path, tmp_path: Path) -> None:
    wds = pytest.importorskip("webdataset", reason="webdataset is not installed: pip install 'syngrasp[test]'")
    ds = dataset.open(source)
    for unit in ("frame", "episode"):
        out = tmp_path / unit
        export(source, out, "webdataset", sample_unit=unit)
        urls = [str(path) for path in sorted(out.glob("*.tar"))]
        samples = list(wds.WebDataset(urls, shardshuffle=False).decode("rgb8"))
        if unit == "frame":
            assert len(samples) == len(ds)
            assert samples[7]["front.jpg"].shape == (64, 64, 3)
            np.testing.assert_array_equal(np.float32(samples[7]["json"]["ee_pose"]), ds[7]["ee_pose"])
        else:
            assert len(samples) == ds.num_episodes
            assert sum(1 for key in samples[2] if key.startswith("side.")) == ds.episode(2).length
            np.testing.assert_array_equal(samples[2]["npz"]["action"], ds.episode(2)["action"])


@pytest.mark.parametrize("form", ["webdataset", "rlds"])
def test_the_same_episodes_give_the_same_bytes(source: Path, tmp_path: Path, form: str) -> None:
    export(source, tmp_path / "a", form)
    export(source, tmp_path / "b", form, list(range(4)), jobs=2)
    export(source, tmp_path / "b", form, jobs=2)
    assert files_of(tmp_path / "a") == files_of(tmp_path / "b")


def records(path: Path) -> list[bytes]:
    """The messages of a TFRecord file, their checksums checked."""

    def masked(data: bytes) -> int:
        crc = google_crc32c.value(data)
        return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) % 2**32

    data, found = path.read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        message = data[12 : 12 + length]
        assert struct.unpack("<I", data[8:12])[0] == masked(data[:8])
        assert struct.unpack("<I", data[12 + length : 16 + length])[0] == masked(message)
        found.append(message)
        data = data[16 + length :]
    return found


def fields(message: bytes) -> list[tuple[int, Any]]:
    """Fields of a protobuf message: number, and bytes or an integer."""

    def varint() -> int:
        nonlocal message
        value = shift = 0
        while True:
            byte, message = message[0], message[1:]
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    found: list[tuple[int, Any]] = []
    while message:
        key = varint()
        if key & 7 == 0:
            found.append((key >> 3, varint()))
        else:
            assert key & 7 == 2
            length = varint()
            found.append((key >> 3, message[:length]))
            message = message[length:]
    return found


def example(message: bytes) -> dict[str, Any]:
    """Features of a tf.train.Example."""
    ((_, entries),) = fields(message)
    found: dict[str, Any] = {}
    for _, entry in fields(entries):
        (_, name), (_, feature) = fields(entry)
        ((kind, values),) = fields(feature)
        if kind == 1:
            found[name.decode()] = [value for _, value in fields(values)]
        elif kind == 2:
            ((_, packed),) = fields(values)
            found[name.decode()] = np.frombuffer(packed, "<f4")
        else:
            ((_, packed),) = fields(values)
            numbers, value, shift = [], 0, 0
            for byte in packed:
                value |= (byte & 127) << shift
                shift += 7
                if byte < 128:
                    numbers.append(value)
                    value = shift = 0
            found[name.decode()] = np.array(numbers)
    return found


def test_records_hold_every_episode(source: Path, tmp_path: Path) -> None:
    export(source, tmp_path / "out", "rlds", jobs=2)
    ds, folder = dataset.open(source), tmp_path / "out" / "1.0.0"
    info = json.loads((folder / "dataset_info.json").read_text())
    lengths = [int(n) for n in info["splits"][0]["shardLengths"]]
    assert sum(lengths) == ds.num_episodes
    views = ds.episodes()
    for number, count in enumerate(lengths):
        messages = records(folder / f"syngrasp-train.tfrecord-{number:05d}-of-{len(lengths):05d}")
        assert len(messages) == count
        for message in messages:
            view, found = next(views), example(message)
            assert found["episode_metadata/category"] == [view.line["category"].encode()]
            assert found["steps/language_instruction"] == [view.line["instruction"].encode()] * view.length
            np.testing.assert_array_equal(found["steps/action"].reshape(-1, 7), view["action"])
            np.testing.assert_array_equal(found["steps/phase"], view["phase"])
            np.testing.assert_array_equal(np.flatnonzero(found["steps/is_last"]), [view.length - 1])
            np.testing.assert_array_equal(
                imagecodecs.jpeg8_decode(found["steps/observation/side_image"][3]), view["images"][3, 1]
            )


@pytest.mark.skipif(not TENSORFLOW.exists(), reason="tensorflow-datasets is not installed: make rlds puts it there")
def test_tensorflow_datasets_reads_it(source: Path, tmp_path: Path) -> None:
    export(source, tmp_path / "out", "rlds")
    code = (
        "import sys, numpy as np, tensorflow_datasets as tfds\n"
        "builder = tfds.builder_from_directory(sys.argv[1])\n"
        "out, n = {}, 0\n"
        "for k, episode in enumerate(builder.as_dataset(split='train')):\n"
        "    steps = list(episode['steps'].as_numpy_iterator())\n"
        "    n += len(steps)\n"
        "    out[f'action{k}'] = np.array([s['action'] for s in steps])\n"
        "    out[f'image{k}'] = steps[2]['observation']['front_image']\n"
        "    out[f'joint{k}'] = np.array([s['observation']['joint_position'] for s in steps])\n"
        "    out[f'text{k}'] = np.array(steps[0]['language_instruction'].decode())\n"
        "np.savez(sys.argv[2], frames=n, **out)\n"
    )
    result = tmp_path / "read.npz"
    command = [str(TENSORFLOW), "-c", code, str(tmp_path / "out" / "1.0.0"), str(result)]
    subprocess.run(command, check=True, timeout=250, env=os.environ | {"CUDA_VISIBLE_DEVICES": ""})
    ds = dataset.open(source)
    with np.load(result) as read:
        assert int(read["frames"]) == len(ds)
        order = [
            next(v.index for v in ds.episodes() if np.array_equal(v["action"], read[f"action{k}"])) for k in range(9)
        ]
        assert sorted(order) == list(range(9))
        for k, number in enumerate(order):
            view = ds.episode(number)
            np.testing.assert_array_equal(read[f"joint{k}"], view["joint_position"])
            assert str(read[f"text{k}"]) == view.line["instruction"]
            error = read[f"image{k}"].astype(float) - view["images"][2, 0]
            assert np.abs(error).mean() < 1.5


def test_an_export_into_memory_is_its_file(source: Path, tmp_path: Path) -> None:
    """A tar made of the index's url is what wids opens: plain names, no folders."""
    export(source, tmp_path / "out", "webdataset", [0])
    with tarfile.open(fileobj=io.BytesIO((tmp_path / "out" / "000000.tar").read_bytes())) as tar:
        assert all("/" not in name for name in tar.getnames())
