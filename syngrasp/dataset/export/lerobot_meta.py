"""The files in `meta/` of LeRobot's format, and what Parquet and info.json say of columns."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.dataset.export.job import replacing
from syngrasp.dataset.export.lerobot_stats import aggregate

DATA = "data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet"
VIDEO = "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4"
EPISODES = "meta/episodes/chunk-000/file-000.parquet"
OWN = {
    "timestamp": "float32",
    "frame_index": "int64",
    "episode_index": "int64",
    "index": "int64",
    "task_index": "int64",
}
"""LeRobot's own columns."""

README = """---
license: other
task_categories:
- robotics
tags:
- LeRobot
- syngrasp
configs:
- config_name: default
  data_files: data/*/*.parquet
---

Synthetic grasping episodes ({name}) made by syngrasp. The objects in the pictures have licences and authors of their
own: see attribution.csv.
"""


def table(columns: Mapping[str, NDArray[Any]], features: Mapping[str, Any]) -> Any:
    """An Arrow table with the types that `datasets` expects of features: lists of fixed length, and plain numbers where
    the shape is one."""
    import pyarrow as pa

    arrays, fields = [], []
    for name, feature in features.items():
        if feature["dtype"] == "video":
            continue
        kind = pa.from_numpy_dtype(np.dtype(feature["dtype"]))
        values = np.ascontiguousarray(columns[name], feature["dtype"])
        size = feature["shape"][0]
        if size == 1:
            arrays.append(pa.array(values.ravel(), kind))
        else:
            arrays.append(pa.FixedSizeListArray.from_arrays(pa.array(values.ravel(), kind), size))
        fields.append(pa.field(name, arrays[-1].type))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def video_feature(height: int, width: int, fps: int, codec: str) -> dict[str, Any]:
    """A camera's entry in info.json."""
    return {
        "dtype": "video",
        "shape": [height, width, 3],
        "names": ["height", "width", "channels"],
        "info": {
            "video.height": height,
            "video.width": width,
            "video.codec": codec,
            "video.pix_fmt": "yuv420p",
            "video.is_depth_map": False,
            "video.fps": fps,
            "video.channels": 3,
            "has_audio": False,
        },
    }


def of_line(line: Mapping[str, Any]) -> dict[str, Any]:
    """What an episode's row keeps of its line."""
    target = line["objects"][line["target"]]
    return {
        "shard": line["shard"],
        "slot": line["episode"],
        "robot": line["robot"],
        "category": line["category"],
        "target_uid": line["target_uid"],
        "license": target.get("license", ""),
        "attribution": target.get("attribution", ""),
    }


def episode_rows(record: Mapping[str, Any], cameras: Sequence[str], fps: int, files: int) -> Iterator[dict[str, Any]]:
    """Rows of `meta/episodes` of a unit."""
    unit = record["unit"]
    chunk, file = divmod(unit["number"], files)
    for n, episode in enumerate(record["episodes"]):
        first, length = episode["from"], episode["length"]
        row: dict[str, Any] = {
            "episode_index": unit["first_episode"] + n,
            "tasks": [episode["task"]],
            "length": length,
            "data/chunk_index": chunk,
            "data/file_index": file,
            "dataset_from_index": unit["first_frame"] + first,
            "dataset_to_index": unit["first_frame"] + first + length,
        }
        for camera in cameras:
            key = f"videos/observation.images.{camera}"
            row |= {
                f"{key}/chunk_index": chunk,
                f"{key}/file_index": file,
                f"{key}/from_timestamp": first / fps,
                f"{key}/to_timestamp": (first + length) / fps,
            }
        row |= {"meta/episodes/chunk_index": 0, "meta/episodes/file_index": 0}
        row |= {f"syngrasp/{name}": value for name, value in episode["line"].items()}
        row |= {f"syngrasp/{name}": value for name, value in episode["calibration"].items()}
        for name, stats in episode["stats"].items():
            row |= {f"stats/{name}/{key}": value for key, value in stats.items()}
        yield row


def write_episodes(out: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """One row per episode."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    with replacing(out / EPISODES) as temporary:
        parquet.write_table(pa.Table.from_pylist(list(rows)), temporary, compression="snappy")


def write_tasks(out: Path, tasks: Sequence[str]) -> None:
    """Instructions and their numbers, as pandas writes a frame whose index is the instruction."""
    import pyarrow as pa
    import pyarrow.parquet as parquet

    columns = [("task_index", "int64", "int64"), ("task", "unicode", "object")]
    described = [
        {"name": name, "field_name": name, "pandas_type": kind, "numpy_type": numpy, "metadata": None}
        for name, kind, numpy in columns
    ]
    pandas = {"index_columns": ["task"], "column_indexes": [], "columns": described, "pandas_version": "2.2.0"}
    found = pa.table({"task_index": pa.array(range(len(tasks)), pa.int64()), "task": pa.array(tasks, pa.string())})
    found = found.replace_schema_metadata({b"pandas": json.dumps(pandas).encode()})
    with replacing(out / "meta/tasks.parquet") as temporary:
        parquet.write_table(found, temporary)


def write_stats(out: Path, episodes: Sequence[Mapping[str, Any]]) -> None:
    """Statistics of the whole."""
    with replacing(out / "meta/stats.json") as temporary:
        temporary.write_text(json.dumps(aggregate(episodes), indent=4))


def write_readme(out: Path, name: str) -> None:
    """The dataset's card."""
    with replacing(out / "README.md") as temporary:
        temporary.write_text(README.format(name=name))
