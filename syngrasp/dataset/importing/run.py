"""Imports a LeRobot dataset shard by shard: resumable, and whole, by the same commits as generation."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

from syngrasp.dataset.attribution import update_catalog
from syngrasp.dataset.commits import commit_shard, committed_shards, create_dataset
from syngrasp.dataset.export.job import each
from syngrasp.dataset.importing.episode import check_mapping, episode_arrays, episode_line
from syngrasp.dataset.importing.lerobot import Source
from syngrasp.dataset.importing.mapping import ImportMapping
from syngrasp.dataset.storage import open_storage
from syngrasp.dataset.writer import ShardWriter
from syngrasp.errors import SyngraspError


@dataclass(frozen=True)
class ImportJob:
    """What is imported and where to."""

    source: Path
    out: str
    mapping: str  # an ImportMapping as JSON
    episodes_per_shard: int
    size: int | None  # of the stored pictures; None: as they are


def import_lerobot(job: ImportJob, jobs: int, on_event: Callable[[dict[str, Any]], None]) -> None:
    """Imports all episodes; shards that are committed stay. Raises SyngraspError for what cannot be read."""
    source, mapping = _source(job.source), ImportMapping.model_validate_json(job.mapping)
    check_mapping(source, mapping)
    episodes = len(source.episodes)
    shards = -(-episodes // job.episodes_per_shard)
    described = json.dumps(source.info, sort_keys=True).encode()
    create_dataset(
        job.out,
        recipe={
            "name": job.source.resolve().name,
            "import": {"mapping": mapping.model_dump(), "size": job.size},
            "robot": {"kind": mapping.robot},
        },
        catalog_hash="",
        seed=0,
        shards=shards,
        episodes_per_shard=job.episodes_per_shard,
        source={
            "format": f"lerobot {source.info['codebase_version']}",
            "url": str(job.source),
            "recipe_hash": hashlib.sha256(described).hexdigest(),
        },
    )
    there = set(committed_shards(open_storage(job.out)))
    missing = [shard for shard in range(shards) if shard not in there]
    started = time.monotonic()
    on_event({"event": "start", "format": "lerobot", "episodes": episodes, "there": _episodes(job, episodes, there)})
    for done in each(partial(_import_shard, job), missing, jobs):
        on_event({"event": "unit", **done})
    update_catalog(job.out)
    written = _episodes(job, episodes, set(missing))
    size = sum(file.bytes for file in open_storage(job.out).list("shards"))
    seconds = round(time.monotonic() - started, 3)
    on_event({"event": "done", "out": job.out, "written": written, "bytes": size, "seconds": seconds})


def _episodes(job: ImportJob, episodes: int, shards: set[int]) -> int:
    """Episodes in shards."""
    return sum(min(job.episodes_per_shard, episodes - s * job.episodes_per_shard) for s in shards)


@cache
def _source(root: Path) -> Source:
    return Source(root)


def _import_shard(job: ImportJob, shard: int) -> dict[str, Any]:
    source, mapping = _source(job.source), ImportMapping.model_validate_json(job.mapping)
    rows = source.episodes[shard * job.episodes_per_shard : (shard + 1) * job.episodes_per_shard]
    started = time.monotonic()
    with ShardWriter(job.out, shard, max_objects=1) as writer:
        for slot, row in enumerate(rows):
            arrays = episode_arrays(source, mapping, row, job.size)
            line = episode_line(source, mapping, row, shard, slot)
            try:
                writer.append_arrays(arrays, line, tuple(mapping.images))
            except ValueError as error:
                raise SyngraspError(f"episode {row['episode_index']}: {error}") from error
        summary = writer.finish()
    passed = {"import": {"passed": len(rows), "rejected": {}}}
    commit_shard(job.out, summary, stages=passed, timings={"import": time.monotonic() - started})
    return {"shard": shard, "episodes": len(rows), "bytes": sum(record.bytes for record in summary.files.values())}
