"""RLDS in the layout of tensorflow_datasets: episodes of steps in TFRecords, read by `tfds.builder_from_directory`.

    OUT/1.0.0/dataset_info.json, features.json, syngrasp-train.tfrecord-00000-of-00004

Pictures are the JPEGs as they are stored. TensorFlow is not needed to write.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from syngrasp.dataset.export.frames import about, check, numbers_of, plan, stored_jpegs
from syngrasp.dataset.export.job import RECORDS, ExportJob, Unit, open_source, replacing, shard_of, sizes
from syngrasp.dataset.export.tfrecord import Values, example, record
from syngrasp.dataset.reader import Dataset
from syngrasp.dataset.shard_reader import ShardReader
from syngrasp.errors import DatasetError

__all__ = ["check", "finish", "plan", "write_unit"]

NAME, VERSION = "syngrasp", "1.0.0"
_FEATURES = "tensorflow_datasets.core.features"
FLAGS = ("is_first", "is_last", "is_terminal")


def write_unit(job: ExportJob, _: None, unit: Unit) -> dict[str, Any]:
    """Writes a shard's episodes as one file of records, which gets its place and name from `finish`."""
    shard, cameras = shard_of(job, unit), open_source(job).cameras
    path = job.out / RECORDS / f"{unit.number:05d}.tfrecord"
    with replacing(path) as temporary, temporary.open("wb") as file:
        for episode in unit.episodes:
            file.write(record(example(episode_features(shard, episode, cameras))))
    return {"files": sizes(job, [path]), "episodes": len(unit.episodes)}


def finish(job: ExportJob, dataset: Dataset, records: Sequence[Mapping[str, Any]]) -> None:
    """Names the files by their number and count, and describes them."""
    if not records:
        raise DatasetError(dataset.storage.url, "no episode is chosen: there is nothing to describe")
    folder = job.out / VERSION
    folder.mkdir(parents=True, exist_ok=True)
    names, size = [], 0
    for number, written in enumerate(records):
        (path,) = written["files"]
        names.append(f"{NAME}-train.tfrecord-{number:05d}-of-{len(records):05d}")
        size += written["files"][path]
        _link(job.out / path, folder / names[-1])
    for path in folder.glob(f"{NAME}-train.tfrecord-*"):
        if path.name not in names:
            path.unlink()
    info = {
        "description": "Synthetic grasping episodes made by syngrasp; licences of the objects are in attribution.csv.",
        "fileFormat": "tfrecord",
        "moduleName": "syngrasp",
        "name": NAME,
        "releaseNotes": {VERSION: "Exported by syngrasp."},
        "splits": [
            {
                "filepathTemplate": "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}",
                "name": "train",
                "numBytes": str(size),
                "shardLengths": [str(written["episodes"]) for written in records],
            }
        ],
        "version": VERSION,
    }
    unit = records[0]["unit"]
    shard = dataset.shard(dataset.shards.index(unit["shard"]))
    for name, document in (("features.json", features(shard, dataset.cameras)), ("dataset_info.json", info)):
        with replacing(folder / name) as temporary:
            temporary.write_text(json.dumps(document, indent=4, sort_keys=True))


def episode_features(shard: ShardReader, episode: int, cameras: Sequence[str]) -> dict[str, Values]:
    """An episode as the flat features of an Example: what steps hold is concatenated over them."""
    line = shard.line(episode)
    numbers = numbers_of(shard, episode, line)
    start, stop = shard.bounds(episode)
    length = stop - start
    texts = {name: value.encode() for name, value in about(line).items()}
    found: dict[str, Values] = {
        f"episode_metadata/{name}": [text] for name, text in texts.items() if name != "instruction"
    }
    found["episode_metadata/shard"] = np.array([line["shard"]])
    found["episode_metadata/slot"] = np.array([line["episode"]])
    found["steps/language_instruction"] = [texts["instruction"]] * length
    jpegs = [stored_jpegs(shard, frame) for frame in range(start, stop)]
    for c, camera in enumerate(cameras):
        found[f"steps/observation/{camera}_image"] = [bytes(pictures[c]) for pictures in jpegs]
    for name, values in numbers.items():
        place = f"steps/{name}" if name in ("action", "goal_pose", "phase") else f"steps/observation/{name}"
        found[place] = values
    last = np.arange(length) == length - 1
    found["steps/is_first"], found["steps/is_last"], found["steps/is_terminal"] = np.arange(length) == 0, last, last
    found["steps/reward"], found["steps/discount"] = last.astype(np.float32), np.ones(length, np.float32)
    return found


def features(shard: ShardReader, cameras: Sequence[str]) -> dict[str, Any]:
    """features.json: the types and shapes of everything."""
    height, width = shard.arrays["images"].shape[2:4]
    observation = {f"{camera}_image": _image(height, width) for camera in cameras}
    steps: dict[str, Any] = {
        "language_instruction": _text(),
        "reward": _tensor((), "float32"),
        "discount": _tensor((), "float32"),
    }
    steps |= {name: _tensor((), "bool") for name in FLAGS}
    for name, values in numbers_of(shard, 0, shard.line(0)).items():
        into = steps if name in ("action", "goal_pose", "phase") else observation
        into[name] = _tensor(values.shape[1:], str(values.dtype))
    steps["observation"] = _dict(observation)
    metadata = {name: _text() for name in ("category", "target_uid", "license", "attribution")}
    metadata |= {name: _tensor((), "int64") for name in ("shard", "slot")}
    sequence = {"feature": _dict(steps), "length": "-1"}
    return _dict(
        {
            "steps": {"pythonClassName": f"{_FEATURES}.dataset_feature.Dataset", "sequence": sequence},
            "episode_metadata": _dict(metadata),
        }
    )


def _dict(inner: Mapping[str, Any]) -> dict[str, Any]:
    return {"pythonClassName": f"{_FEATURES}.features_dict.FeaturesDict", "featuresDict": {"features": dict(inner)}}


def _tensor(shape: tuple[int, ...], dtype: str) -> dict[str, Any]:
    kind = "tensor_feature.Tensor" if shape else "scalar.Scalar"
    dimensions = {"dimensions": [str(size) for size in shape]} if shape else {}
    return {
        "pythonClassName": f"{_FEATURES}.{kind}",
        "tensor": {"shape": dimensions, "dtype": dtype, "encoding": "none"},
    }


def _text() -> dict[str, Any]:
    return {"pythonClassName": f"{_FEATURES}.text_feature.Text", "text": {}}


def _image(height: int, width: int) -> dict[str, Any]:
    shape = {"dimensions": [str(height), str(width), "3"]}
    return {
        "pythonClassName": f"{_FEATURES}.image_feature.Image",
        "image": {"shape": shape, "dtype": "uint8", "encodingFormat": "jpeg"},
    }


def _link(path: Path, name: Path) -> None:
    """Gives a file a second name; where the file system has none, a copy."""
    if name.exists() and os.path.samefile(path, name):
        return
    name.unlink(missing_ok=True)
    try:
        os.link(path, name)
    except OSError:
        shutil.copyfile(path, name)
