"""WebDataset: a tar of every shard, with the JPEGs as they are stored.

A sample is a frame, `<shard>-<slot>-<frame>.front.jpg`, `.side.jpg` and `.json` (numbers, instruction, licence), or an
episode, whose pictures are `.front.000.jpg` … and whose numbers are `.npz`. `shards.json` is an index for wids.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.dataset.export.frames import about, check, numbers_of, plan, stored_jpegs
from syngrasp.dataset.export.job import ExportJob, Unit, open_source, replacing, shard_of, sizes
from syngrasp.dataset.reader import Dataset
from syngrasp.dataset.shard_reader import ShardReader

__all__ = ["check", "finish", "plan", "write_unit"]

Files = Iterator[tuple[str, bytes]]


def write_unit(job: ExportJob, _: None, unit: Unit) -> dict[str, Any]:
    """Writes a shard's tar; the same episodes give the same bytes."""
    shard, cameras = shard_of(job, unit), open_source(job).cameras
    of_frames = job.options["sample_unit"] == "frame"
    path = job.out / f"{unit.number:06d}.tar"
    samples = 0
    with replacing(path) as temporary, tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar:
        for episode in unit.episodes:
            line = shard.line(episode)
            files = (_frames if of_frames else _episode)(shard, episode, line, cameras)
            for name, data in files:
                entry = tarfile.TarInfo(name)
                entry.size = len(data)
                tar.addfile(entry, io.BytesIO(data))
            samples += len(range(*shard.bounds(episode))) if of_frames else 1
    return {"files": sizes(job, [path]), "samples": samples}


def finish(job: ExportJob, dataset: Dataset, records: Sequence[Mapping[str, Any]]) -> None:
    """Writes the index of tars."""
    shards = [
        {"url": name, "nsamples": record["samples"], "filesize": size}
        for record in records
        for name, size in record["files"].items()
    ]
    index = {
        "__kind__": "wids-shard-index-v1",
        "wids_version": 1,
        "name": dataset.info.recipe.get("name", "syngrasp"),
        "shardlist": shards,
    }
    with replacing(job.out / "shards.json") as temporary:
        temporary.write_text(json.dumps(index, indent=1))


def _key(line: Mapping[str, Any]) -> str:
    return f"{line['shard']:05d}-{line['episode']:04d}"


def _frames(shard: ShardReader, episode: int, line: Mapping[str, Any], cameras: Sequence[str]) -> Files:
    numbers = numbers_of(shard, episode, line)
    texts = about(line)
    for k, frame in enumerate(range(*shard.bounds(episode))):
        key = f"{_key(line)}-{k:04d}"
        for camera, data in zip(cameras, stored_jpegs(shard, frame), strict=True):
            yield f"{key}.{camera}.jpg", bytes(data)
        told = {"frame": k, "frames": len(numbers["action"]), "cameras": list(cameras), **texts}
        told |= {name: _plain(values[k]) for name, values in numbers.items()}
        yield f"{key}.json", json.dumps(told).encode()


def _episode(shard: ShardReader, episode: int, line: Mapping[str, Any], cameras: Sequence[str]) -> Files:
    key = _key(line)
    yield f"{key}.json", json.dumps({"cameras": list(cameras), **line}).encode()
    arrays = io.BytesIO()
    np.savez(arrays, **numbers_of(shard, episode, line))  # type: ignore[arg-type]
    yield f"{key}.npz", arrays.getvalue()
    for k, frame in enumerate(range(*shard.bounds(episode))):
        for camera, data in zip(cameras, stored_jpegs(shard, frame), strict=True):
            yield f"{key}.{camera}.{k:04d}.jpg", bytes(data)


def _plain(value: NDArray[Any]) -> Any:
    """JSON values, null for what is not a number."""
    if value.ndim:
        return [_plain(v) for v in value]
    number = value.item()
    return None if isinstance(number, float) and np.isnan(number) else number
