"""Checks a whole dataset: every committed byte, and whether what it says can be true."""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from syngrasp.dataset.commits import (
    INFO,
    Commit,
    DatasetInfo,
    Root,
    commit_path,
    committed_shards,
    open_info,
    read_commit,
)
from syngrasp.dataset.documents import unseal
from syngrasp.dataset.quality.lines import check_line
from syngrasp.dataset.quality.pictures import check_cameras, check_extents, check_pictures, check_target
from syngrasp.dataset.quality.problems import Finding, Found, Problems, VerifyReport
from syngrasp.dataset.quality.scenes import check_projection, check_scene
from syngrasp.dataset.quality.states import RobotLimits, States, check_states
from syngrasp.dataset.quality.whole import Among, check_catalog_folder, check_failures, motion_digest
from syngrasp.dataset.schema import ARRAYS
from syngrasp.dataset.shard_reader import ShardReader
from syngrasp.dataset.storage import Storage, open_storage
from syngrasp.dataset.writer import FileRecord
from syngrasp.errors import DatasetError, LaterVersion

_READ_BYTES = 8 << 20


@dataclass(frozen=True)
class _Looking:
    """What is needed to look at an episode."""

    decode: bool
    limits: Mapping[str, RobotLimits]
    imported: bool
    require_target: str


def verify_dataset(
    root: Root,
    *,
    decode: bool = True,
    workers: int | None = None,
    limits: Mapping[str, RobotLimits] | None = None,
    against: Iterable[str] = (),
    shards: Iterable[int] | None = None,
    sample: int | None = None,
    on_shard: Callable[[int, int], None] | None = None,
) -> VerifyReport:
    """Checks checksums, schema, lengths, values, physics and, with `decode`, every picture, mask and box.

    `limits` are the robots' by their names; `against` names datasets that may share no episode and no object with this
    one; `shards` or a random `sample` of them are looked at instead of all. `workers` threads (default: one per core)
    share the files and frames. `on_shard(done, total)` is told of progress. Raises DatasetError where there is no
    dataset of this schema, or no such shard.
    """
    storage = open_storage(root)
    problems = Problems()
    info = _open_info(storage, problems)
    chosen = _choose(storage, shards, sample)
    counts: Counter[str] = Counter()
    among = Among()
    recipe = info.recipe if info else {}
    looking = _Looking(
        decode,
        limits or {},
        bool(info and info.source and "format" in info.source),
        str(recipe.get("render", {}).get("require_target", "any")),
    )
    with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
        for done, shard in enumerate(chosen, 1):
            commit = _read_commit(storage, shard, problems)
            if commit is not None:
                _check_counts(info, commit, problems)
                _check_files(storage, commit, pool, problems)
                _check_content(storage, commit, pool, looking, among, problems)
                counts.update(episodes=commit.episodes, frames=commit.frames, files=len(commit.files))
                counts.update(bytes=commit.bytes)
            if on_shard is not None:
                on_shard(done, len(chosen))
    check_catalog_folder(storage, among.uids, problems)
    check_failures(storage, problems)
    among.check_others(against, problems)
    sums = {name: counts[name] for name in ("episodes", "frames", "files", "bytes")}
    return VerifyReport(
        len(chosen), **sums, problems=tuple(problems.kept), problem_count=problems.count,
        kinds=dict(sorted(problems.kinds.items())), offenders=tuple(sorted(problems.offenders)),
    )  # fmt: skip


def _choose(storage: Storage, shards: Iterable[int] | None, sample: int | None) -> list[int]:
    there = committed_shards(storage)
    if shards is not None:
        wanted = sorted(set(shards))
        if missing := [shard for shard in wanted if shard not in there]:
            raise DatasetError(storage.url, f"shard {missing[0]} is not committed; committed are {len(there)} shards")
        return wanted
    if sample is not None:
        return sorted(random.Random(0).sample(there, min(sample, len(there))))
    return there


def _open_info(storage: Storage, problems: Problems) -> DatasetInfo | None:
    try:
        unseal(storage.read(INFO))
    except ValueError as error:
        problems.add("record", str(error), array=INFO)
        return None
    except OSError:
        pass
    return open_info(storage)


def _read_commit(storage: Storage, shard: int, problems: Problems) -> Commit | None:
    try:
        return read_commit(storage, shard)
    except LaterVersion:
        raise
    except (DatasetError, TypeError, KeyError) as error:
        problems.add("record", str(error), shard, array=commit_path(shard))
        return None


def _check_counts(info: DatasetInfo | None, commit: Commit, problems: Problems) -> None:
    if info is None:
        return
    if commit.shard >= info.shards:
        problems.add("count", f"the dataset has only {info.shards} shards", commit.shard)
    if commit.episodes + len(commit.empty_slots) > info.episodes_per_shard:
        filled = f"{commit.episodes} episodes and {len(commit.empty_slots)} empty slots"
        problems.add("count", f"{filled} in a shard of {info.episodes_per_shard} slots", commit.shard)
    last = list(commit.stages.values())[-1:]
    if last and last[0].get("passed", commit.episodes) < commit.episodes:
        what = f"the last stage passed {last[0]['passed']} of {commit.episodes} episodes"
        problems.add("count", what, commit.shard)


def _check_files(storage: Storage, commit: Commit, pool: ThreadPoolExecutor, problems: Problems) -> None:
    found = pool.map(lambda path: _check_file(storage, f"{commit.folder}/{path}", commit.files[path]), commit.files)
    for path, what in zip(commit.files, found, strict=True):
        if what:
            problems.add("checksum" if what.endswith("match") else "file", what, commit.shard, array=path)


def _check_file(storage: Storage, path: str, record: FileRecord) -> str | None:
    try:
        size = storage.size(path)
        if size != record.bytes:
            return f"the file has {size} bytes, not {record.bytes}"
        digest = hashlib.sha256()
        for start in range(0, size, _READ_BYTES):
            digest.update(storage.read_range(path, start, min(_READ_BYTES, size - start)))
    except OSError as error:
        return f"the file cannot be read: {error}"
    return None if f"sha256:{digest.hexdigest()}" == record.checksum else "the checksum of the file does not match"


def _check_content(
    storage: Storage, commit: Commit, pool: ThreadPoolExecutor, looking: _Looking, among: Among, problems: Problems
) -> None:
    """Checks a shard's arrays and lines."""
    try:
        shard = ShardReader(storage, commit)
        lines = [json.loads(line) for line in storage.read(f"{commit.folder}/episodes.jsonl").splitlines()]
        whole = _check_shapes(shard, len(lines), looking, problems)
    except (DatasetError, OSError, ValueError) as error:
        problems.add("schema", str(error), commit.shard)
        return
    if not whole or not lines:
        return
    _check_slots(commit, lines, problems)

    def look(k: int) -> tuple[list[Finding], bytes, bytes]:
        return list(_check_episode(shard, k, lines[k], looking)), *_digests(shard, k)

    for line, (found, motion, picture) in zip(lines, pool.map(look, range(len(lines))), strict=True):
        for kind, array, what in found:
            problems.add(kind, what, commit.shard, line.get("episode"), array)
        if not any(finding.kind in ("line", "fault") for finding in found):
            among.add(line, motion, picture, problems)


def _check_shapes(shard: ShardReader, lines: int, looking: _Looking, problems: Problems) -> bool:
    commit = shard.commit
    before = problems.count
    if lines != commit.episodes:
        problems.add("schema", f"{lines} lines for {commit.episodes} episodes", commit.shard, array="episodes.jsonl")
    pictures = "images" in shard.arrays
    for spec in ARRAYS:
        required = not spec.optional and (pictures or not spec.picture) and commit.episodes > 0
        required &= not (looking.imported and spec.simulated)
        if spec.name not in shard.arrays:
            if required:
                problems.add("schema", "the array is missing", commit.shard, array=spec.name)
            continue
        rows = commit.frames if spec.per_frame else commit.episodes
        if len(shard.arrays[spec.name]) != rows:
            problems.add("schema", f"{len(shard.arrays[spec.name])} rows, not {rows}", commit.shard, array=spec.name)
    if problems.count == before and commit.episodes:
        ends = np.array([0, *shard.episode_ends])
        if (np.diff(ends) <= 0).any() or ends[-1] != commit.frames:
            problems.add("schema", f"does not rise to {commit.frames}", commit.shard, array="episode_ends")
    return problems.count == before


def _check_slots(commit: Commit, lines: list[dict[str, Any]], problems: Problems) -> None:
    slots = [line.get("episode", -1) for line in lines]
    if slots != sorted(set(slots)) or set(slots) & set(commit.empty_slots):
        what = "slots are repeated, out of order or both filled and empty"
        problems.add("schema", what, commit.shard, array="episodes.jsonl")


def _digests(shard: ShardReader, k: int) -> tuple[bytes, bytes]:
    """Names for an episode's motion and for its first picture."""
    start, stop = shard.bounds(k)
    motion = picture = b""
    try:
        motion = motion_digest({name: shard.arrays[name].rows(start, stop) for name in ("ee_pose", "action")})
        if "images" in shard.arrays:
            picture = hashlib.sha256(shard.arrays["images"].chunk(start)).digest()[:16]
    except (OSError, ValueError):  # found by the other checks
        pass
    return motion, picture


def _check_episode(shard: ShardReader, k: int, line: dict[str, Any], looking: _Looking) -> Found:
    """What is wrong with episode k of a shard."""
    start, stop = shard.bounds(k)
    raw = {n: a for n, a in shard.arrays.items() if a.meta.spec.per_frame and a.meta.spec.packing == "raw"}
    images = shard.arrays.get("images")
    try:
        yield from check_line(line, shard.commit.shard, start, stop - start, looking.imported)
        states = {name: array.rows(start, stop) for name, array in raw.items()}
        bad = False
        for finding in check_states(states, line, looking.limits.get(line["robot"]), looking.imported):
            bad |= finding.kind == "not_finite"
            yield finding
        if not bad:
            yield from check_scene(states, line)
        if images is not None:
            yield from _check_seen(shard, k, line, states, looking, bad)
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        yield Finding("fault", None, f"cannot be checked: {type(error).__name__}: {error}")


def _check_seen(
    shard: ShardReader, k: int, line: dict[str, Any], states: States, looking: _Looking, bad: bool
) -> Iterator[Finding]:
    """Cameras, boxes and pictures of an episode; boxes are not looked at where numbers are not finite."""
    arrays, objects = shard.arrays, len(line["objects"])
    shape = arrays["images"].shape[2:4]
    if "camera_intrinsics" in arrays and "T_base_camera" in arrays:
        cameras = {name: arrays[name].row(k) for name in ("camera_intrinsics", "T_base_camera")}
        wrong = list(check_cameras(cameras, shape))
        yield from wrong
        if not wrong and not bad:
            yield from check_projection(states, cameras, objects)
    if {"bbox", "bbox_full", "occlusion", "truncated"} <= states.keys() and not bad:
        yield from check_extents(states, shape, objects)
    if "bbox" in states and not looking.imported:
        yield from check_target(states["bbox"], line["target"], looking.require_target)
    if looking.decode:
        yield from check_pictures(arrays, range(*shard.bounds(k)), states, objects)
