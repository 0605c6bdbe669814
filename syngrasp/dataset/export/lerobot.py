"""LeRobot's dataset format v3.0: Parquet for numbers, video for pictures, statistics of every episode.

    meta/info.json, stats.json, tasks.parquet, episodes/chunk-000/file-000.parquet
    data/chunk-000/file-000.parquet                      a shard's frames
    videos/observation.images.front/chunk-000/file-000.mp4   its pictures, episode behind episode

Besides LeRobot's own, features are named as a user of GraspVLA expects: `observation.state` and `goal` are xyz and
roll, pitch, yaw in the base frame; boxes are the target's. `observation.ee_pose` and `goal_pose` hold the same poses
exactly as stored, with quaternions.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.dataset.export import lerobot_meta as meta
from syngrasp.dataset.export.job import ExportJob, Unit, open_source, replacing, shard_of, sizes
from syngrasp.dataset.export.lerobot_stats import episode_stats
from syngrasp.dataset.export.video import encode_video
from syngrasp.dataset.reader import Dataset
from syngrasp.dataset.shard_reader import ShardReader
from syngrasp.errors import DatasetError, MissingExtra

UNSEEN = -1.0  # a box that is out of view
CHUNK = 1000  # files in a folder


def check(job: ExportJob, dataset: Dataset) -> None:
    """Raises where pyarrow or PyAV is missing, or the dataset has no pictures."""
    try:
        import av  # noqa: F401
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise MissingExtra("LeRobot's format (pyarrow, av)", "export") from error
    if "images" not in dataset.names:
        raise DatasetError(dataset.storage.url, "it has no pictures (render.kind none): LeRobot's format needs them")


def plan(dataset: Dataset, units: Sequence[Unit]) -> dict[str, int]:
    """Every instruction and its number, in order of appearance."""
    tasks: dict[str, int] = {}
    for unit in units:
        shard = dataset.shard(dataset.shards.index(unit.shard))
        for k in unit.episodes:
            tasks.setdefault(shard.line(k)["instruction"], len(tasks))
    return tasks


def write_unit(job: ExportJob, plan: Mapping[str, int], unit: Unit) -> dict[str, Any]:
    """Writes a shard's table and videos."""
    import pyarrow.parquet as parquet

    shard, cameras = shard_of(job, unit), open_source(job).cameras
    lines = [shard.line(k) for k in unit.episodes]
    columns = [frame_columns(shard, k, line, cameras) for k, line in zip(unit.episodes, lines, strict=True)]
    lengths = [len(c["frame_index"]) for c in columns]
    fps = frames_per_second(lines[0])
    paths, pictures = [], []
    for c, camera in enumerate(cameras):
        path = job.out / meta.VIDEO.format(video_key=f"observation.images.{camera}", **_file(unit))
        with replacing(path) as temporary:
            sampled = encode_video(temporary, shard.arrays["images"], _rows(shard, unit), c, fps, job.options["video"])
        pictures.append(sampled)
        paths.append(path)
    whole = {name: np.concatenate([c[name] for c in columns]) for name in columns[0]}
    whole["episode_index"] = np.repeat(np.arange(len(lengths)) + unit.first_episode, lengths)
    whole["index"] = np.arange(len(whole["frame_index"])) + unit.first_frame
    whole["task_index"] = np.repeat([plan[line["instruction"]] for line in lines], lengths)
    path = job.out / meta.DATA.format(**_file(unit))
    with replacing(path) as temporary:
        parquet.write_table(meta.table(whole, features(job, shard, fps)), temporary, compression="snappy")
    paths.append(path)
    starts = np.cumsum(lengths) - lengths
    episodes = []
    for n, (line, length, start) in enumerate(zip(lines, lengths, starts.tolist(), strict=True)):
        frames = slice(start, start + length)
        stats = episode_stats({name: values[frames] for name, values in whole.items()})
        for camera, sampled in zip(cameras, pictures, strict=True):
            stats[f"observation.images.{camera}"] = sampled.stats(start, start + length)
        episodes.append(
            {"line": meta.of_line(line), "length": length, "from": start, "task": line["instruction"], "stats": stats,
             "calibration": calibration(shard, unit.episodes[n], cameras)}
        )  # fmt: skip
    return {"files": sizes(job, paths), "episodes": episodes, "fps": fps}


def finish(job: ExportJob, dataset: Dataset, records: Sequence[Mapping[str, Any]]) -> None:
    """Writes `meta/`, and the numbers of tasks into the tables of units that were written with others."""
    if not records:
        raise DatasetError(dataset.storage.url, "no episode is chosen: there is nothing to describe")
    tasks = list(dict.fromkeys(episode["task"] for record in records for episode in record["episodes"]))
    fps = records[0]["fps"]
    unit = Unit(**{**records[0]["unit"], "episodes": tuple(records[0]["unit"]["episodes"])})
    shard = shard_of(job, unit)
    described = features(job, shard, fps)
    rows = [row for record in records for row in meta.episode_rows(record, dataset.cameras, fps, CHUNK)]
    meta.write_tasks(job.out, tasks)
    meta.write_episodes(job.out, rows)
    meta.write_stats(job.out, [e["stats"] for record in records for e in record["episodes"]])
    meta.write_readme(job.out, dataset.info.recipe.get("name", "dataset"))
    info = {
        "codebase_version": "v3.0",
        "robot_type": records[0]["episodes"][0]["line"]["robot"],
        "total_episodes": len(rows),
        "total_frames": sum(row["length"] for row in rows),
        "total_tasks": len(tasks),
        "chunks_size": CHUNK,
        "data_files_size_in_mb": 100,
        "video_files_size_in_mb": 200,
        "fps": fps,
        "splits": {"train": f"0:{len(rows)}"},
        "data_path": meta.DATA,
        "video_path": meta.VIDEO,
        "features": described,
    }
    with replacing(job.out / "meta/info.json") as temporary:
        temporary.write_text(json.dumps(info, indent=4))


def frame_columns(
    shard: ShardReader, episode: int, line: Mapping[str, Any], cameras: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """An episode's numbers under LeRobot's names, (F, …) each."""
    start, stop = shard.bounds(episode)

    def rows(name: str) -> NDArray[Any]:
        return shard.arrays[name].rows(start, stop)

    pose, goal = rows("ee_pose"), rows("goal_pose")
    width = rows("gripper_width")
    columns = {
        "observation.state": np.concatenate([xyz_rpy(pose), width[:, None]], 1),
        "observation.ee_pose": pose,
        "observation.gripper_width": width,
        **{f"observation.{n}": rows(n) for n in ("joint_position", "joint_velocity") if n in shard.arrays},
        "action": rows("action"),
        "goal": xyz_rpy(goal),
        "goal_pose": goal,
        "phase": rows("phase").astype(np.int64),
    }
    boxes = rows("bbox")[:, :, line["target"]]
    for c, camera in enumerate(cameras):
        columns[f"observation.bbox.{camera}"] = np.where(np.isnan(boxes[:, c]), np.float32(UNSEEN), boxes[:, c])
    frames = np.arange(stop - start)
    columns["frame_index"] = frames
    columns["timestamp"] = (frames / frames_per_second(line)).astype(np.float32)
    return columns


def features(job: ExportJob, shard: ShardReader, fps: int) -> dict[str, Any]:
    """`features` of info.json."""
    cameras = open_source(job).cameras
    pose, quaternion = ["x", "y", "z", "roll", "pitch", "yaw"], ["x", "y", "z", "qw", "qx", "qy", "qz"]
    joints = [f"joint_{k + 1}" for k in range(7)]
    numbers: dict[str, list[str]] = {
        "observation.state": [*pose, "gripper_width"],
        "observation.ee_pose": quaternion,
        "observation.gripper_width": ["gripper_width"],
        **{f"observation.{n}": joints for n in ("joint_position", "joint_velocity") if n in shard.arrays},
        "action": ["dx", "dy", "dz", "droll", "dpitch", "dyaw", "gripper"],
        "goal": pose,
        "goal_pose": quaternion,
        **{f"observation.bbox.{camera}": ["x0", "y0", "x1", "y1"] for camera in cameras},
    }
    found: dict[str, Any] = {
        name: {"dtype": "float32", "shape": [len(names)], "names": names} for name, names in numbers.items()
    }
    found["phase"] = {"dtype": "int64", "shape": [1], "names": ["phase"]}
    height, width = shard.arrays["images"].shape[2:4]
    for camera in cameras:
        found[f"observation.images.{camera}"] = meta.video_feature(height, width, fps, job.options["video"])
    for name, kind in meta.OWN.items():
        found[name] = {"dtype": kind, "shape": [1], "names": None}
    return found


def xyz_rpy(pose7: NDArray[Any]) -> NDArray[np.float32]:
    """Poses (F, 7) as xyz [m] and roll, pitch, yaw [rad], (F, 6)."""
    T = se3.matrix_from_pose7(pose7)
    return np.concatenate([T[:, :3, 3], se3.rpy_from_matrix(T[:, :3, :3])], 1).astype(np.float32)


def frames_per_second(line: Mapping[str, Any]) -> int:
    """Whole frames per second. Raises DatasetError where the time step is no fraction of a second."""
    rate = 1.0 / line["dt"]
    if abs(rate - round(rate)) > 1e-6:
        raise DatasetError("", f"frames are {line['dt']} s apart; LeRobot's format needs whole frames per second")
    return round(rate)


def calibration(shard: ShardReader, episode: int, cameras: Sequence[str]) -> dict[str, list[float]]:
    """Intrinsics (9) and T_base_camera (16) of each camera, row by row."""
    found = {}
    for name, key in (("camera_intrinsics", "camera_intrinsics"), ("T_base_camera", "T_base_camera")):
        if name in shard.arrays:
            values = shard.arrays[name].row(episode)
            found |= {f"{key}.{camera}": values[c].ravel().tolist() for c, camera in enumerate(cameras)}
    return found


def _rows(shard: ShardReader, unit: Unit) -> NDArray[np.int64]:
    return np.concatenate([np.arange(*shard.bounds(k)) for k in unit.episodes])


def _file(unit: Unit) -> dict[str, int]:
    return {"chunk_index": unit.number // CHUNK, "file_index": unit.number % CHUNK}
