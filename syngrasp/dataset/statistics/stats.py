"""Statistics of a dataset from commit records, `episodes.jsonl` and plain numbers, in memory that does not grow with it
but for 8 bytes an episode."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from syngrasp.dataset.commits import Commit, Root, open_info, read_commits
from syngrasp.dataset.documents import checksum
from syngrasp.dataset.shard_reader import ShardReader
from syngrasp.dataset.statistics.episode_tally import EpisodeTally
from syngrasp.dataset.statistics.frame_tally import FrameTally, hidden_targets
from syngrasp.dataset.statistics.image_stats import image_stats
from syngrasp.dataset.statistics.look_stats import LookError, LookStats
from syngrasp.dataset.statistics.motion_stats import ARRAYS as MOTION
from syngrasp.dataset.statistics.motion_stats import MotionStats
from syngrasp.dataset.storage import Storage, open_storage
from syngrasp.errors import DatasetError

ARRAYS = (*MOTION, "action", "object_pose", "occlusion", "truncated")
"""Arrays that are read, where they are stored."""

ALONE = 4000  # episodes that one process does before others are there
POINTS = 500  # of the course over time


class Tally:
    """All that is counted of some shards."""

    def __init__(self, recipe: Mapping[str, Any]) -> None:
        self.episodes, self.frames = EpisodeTally(), FrameTally()
        self.motion, self.looks = MotionStats(), LookStats(recipe)

    def add(self, storage: Storage, commit: Commit) -> None:
        """Takes in a shard. Raises DatasetError, naming the episode, where something is damaged."""
        stored = _stored_lines(storage, commit)
        lines: list[dict[str, Any]] = [_DECODER.decode(text) for text in stored]
        shard = ShardReader(storage, commit)
        arrays = {n: shard.arrays[n].rows(0, len(shard.arrays[n])) for n in ARRAYS if n in shard.arrays}
        starts, ends = shard.episode_starts, shard.episode_ends
        targets = [line["target"] for line in lines]
        try:
            self.motion.add(
                {n: arrays[n] for n in MOTION if n in arrays}, ends, np.array([line["dt"] for line in lines])
            )
            self.frames.add(arrays, starts, targets)
            self.episodes.add(lines, hidden_targets(arrays, ends, targets).tolist())
        except ValueError as error:
            where = _where(arrays, lines, starts, ends)
            raise _damaged(storage, commit, where, error) from error
        try:
            self.looks.add(lines, stored)
        except LookError as error:
            raise _damaged(storage, commit, lines[error.episode]["episode"], error) from error

    def merge(self, other: Tally) -> None:
        """Takes in what another has taken in."""
        for name in ("episodes", "frames", "motion", "looks"):
            getattr(self, name).merge(getattr(other, name))


def dataset_stats(root: Root, *, workers: int | None = None, images: int = 0) -> dict[str, Any]:
    """JSON-able statistics of what is committed.

    Shards of large datasets are shared by `workers` processes (default: one per core). Images are not decoded unless
    a number of frames is asked for with `images`. Besides counts, yield, sizes, timings and spreads it holds

    - `by_category`, `by_object`: how often each occurs, with means;
    - `actions`: a spread of each dimension; `workspace`: maps (xy and xz, base frame) of targets and grasps at the
      start and of the hand in all frames;
    - `motion`, `looks`: see `MotionStats`, `LookStats`;
    - `throughput`: committed episodes and frames over time; `cost`: seconds by stage, per episode and thousand frames;
    - `missing`: arrays that are not stored, so that figures of them are empty.

    Raises DatasetError where there is no dataset, a record is damaged or an episode holds what is no number.
    """
    storage = open_storage(root)
    info = open_info(storage)
    commits = read_commits(storage)
    filled = [commit for commit in commits if commit.episodes]
    tally = Tally(info.recipe)
    for part in _tallies(storage, info.recipe, filled, workers or os.cpu_count() or 1):
        tally.merge(part)
    frames, episodes = sum(c.frames for c in commits), sum(c.episodes for c in commits)
    told = tally.episodes.as_json()
    stored = {path.split("/")[1] for c in filled[:1] for path in c.files if path.startswith("frames.zarr/")}
    return {
        "dataset": storage.url,
        "schema_version": info.schema_version,
        "seed": info.seed,
        "source": info.source,
        "shards": {"planned": info.shards, "committed": len(commits)},
        "episodes": episodes,
        "empty_slots": sum(len(c.empty_slots) for c in commits),
        "frames": frames,
        "hours": tally.episodes.spreads["episode_seconds"].sum / 3600.0,
        "yield": _yield(commits),
        "bytes": _bytes(commits, frames, episodes),
        **told,
        **tally.frames.as_json(),
        "motion": tally.motion.as_json(),
        "looks": tally.looks.as_json(),
        "timings": (timings := _sum_timings(commits)),
        "cost": _cost(timings, episodes, frames),
        "throughput": _throughput(storage, commits),
        "missing": [name for name in ARRAYS if filled and name not in stored],
        **({"images": image_stats(storage, filled, images)} if images else {}),
    }


def _tallies(storage: Storage, recipe: Mapping[str, Any], commits: list[Commit], workers: int) -> Iterator[Tally]:
    """Tallies of parts of the shards, by several processes where there is much to do."""
    if workers < 2 or sum(commit.episodes for commit in commits) < ALONE or len(commits) < 2 * workers:
        yield _tally(storage, recipe, commits)
        return
    parts = [commits[k :: 4 * workers] for k in range(min(4 * workers, len(commits)))]
    # Threads of the libraries that this process has loaded do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        try:
            for found in pool.map(partial(_tally_or_why_not, storage, recipe), parts):
                if isinstance(found, tuple):
                    raise DatasetError(*found)
                yield found
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _tally(storage: Storage, recipe: Mapping[str, Any], commits: Sequence[Commit]) -> Tally:
    tally = Tally(recipe)
    collecting = gc.isenabled()
    gc.disable()  # a shard's lines are half a million objects without a cycle among them
    try:
        for commit in commits:
            tally.add(storage, commit)
    finally:
        if collecting:
            gc.enable()
    return tally


def _tally_or_why_not(
    storage: Storage, recipe: Mapping[str, Any], commits: Sequence[Commit]
) -> Tally | tuple[str, str]:
    """A tally, or what the user can mend: errors whose constructors write their message cannot be sent."""
    try:
        return _tally(storage, recipe, commits)
    except DatasetError as error:
        return storage.url, str(error).removeprefix(f"dataset {storage.url}: ")


def _stored_lines(storage: Storage, commit: Commit) -> list[bytes]:
    """The lines of a shard's `episodes.jsonl`, as they are written."""
    path = f"{commit.folder}/episodes.jsonl"
    data = storage.read(path)
    if checksum(data) != commit.files["episodes.jsonl"].checksum:
        raise DatasetError(storage.url, f"{path} is damaged: its checksum does not match its commit")
    return data.splitlines()


_DECODER = msgspec.json.Decoder()


def _where(arrays: Mapping[str, NDArray[Any]], lines: Sequence[Mapping[str, Any]], starts: Any, ends: Any) -> int:
    """The slot of the first episode that cannot be counted."""
    for line, start, end in zip(lines, starts.tolist(), ends.tolist(), strict=True):
        mine = {name: values[start:end] for name, values in arrays.items()}
        try:
            MotionStats().add(
                {n: mine[n] for n in MOTION if n in mine}, np.array([end - start]), np.array([line["dt"]])
            )
            FrameTally().add(mine, np.array([0]), [line["target"]])
        except ValueError:
            return line["episode"]
    return lines[0]["episode"]


def _damaged(storage: Storage, commit: Commit, slot: int, error: Exception) -> DatasetError:
    where = f"shard {commit.shard}, episode {slot}"
    return DatasetError(storage.url, f"{where}: {error}; run syngrasp verify {storage.url}")


def _yield(commits: Iterable[Commit]) -> dict[str, Any]:
    """Passed and rejected by stage, in the order in which the commits list the stages."""
    passed: dict[str, int] = {}
    rejected: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for commit in commits:
        for stage, counts in commit.stages.items():
            passed[stage] = passed.get(stage, 0) + counts.get("passed", 0)
            rejected[stage].update(counts.get("rejected", {}))
    result = {}
    for stage, good in passed.items():
        reasons = dict(sorted(rejected[stage].items(), key=lambda item: (-item[1], item[0])))
        tried = good + sum(reasons.values())
        result[stage] = {"passed": good, "rejected": reasons, "rate": good / tried if tried else None}
    return result


def _bytes(commits: Iterable[Commit], frames: int, episodes: int) -> dict[str, Any]:
    arrays: Counter[str] = Counter()
    for commit in commits:
        for path, record in commit.files.items():
            parts = path.split("/")
            arrays[parts[1] if parts[0] == "frames.zarr" and len(parts) > 2 else parts[0]] += record.bytes
    total = sum(arrays.values())
    return {
        "total": total,
        "per_frame": total / frames if frames else None,
        "per_episode": total / episodes if episodes else None,
        "by_array": dict(sorted(arrays.items(), key=lambda item: (-item[1], item[0]))),
    }


def _sum_timings(commits: Iterable[Commit]) -> dict[str, float]:
    sums: dict[str, float] = {}
    for commit in commits:
        for stage, seconds in commit.timings.items():
            sums[stage] = sums.get(stage, 0.0) + seconds
    return sums


def _cost(timings: Mapping[str, float], episodes: int, frames: int) -> dict[str, Any]:
    """Seconds of a core or a GPU by stage, what rejected attempts took included."""
    total = sum(timings.values())
    return {
        "seconds": total,
        "by_stage": dict(timings),
        "per_episode": total / episodes if episodes else None,
        "per_1000_frames": 1000.0 * total / frames if frames else None,
    }


def _throughput(storage: Storage, commits: Sequence[Commit]) -> dict[str, Any]:
    """When shards were committed, by the times of their records: cumulative counts over seconds since the first."""
    times = {info.path.rpartition("/")[2]: info.modified for info in storage.list("commits")}
    done = sorted((times.get(f"{c.shard:05d}.json", 0.0), c.episodes, c.frames) for c in commits)
    if not done:
        return {"points": [], "frames_per_s": None}
    when, episodes, frames = (np.array(values, np.float64) for values in zip(*done, strict=True))
    seconds, episodes, frames = when - when[0], np.cumsum(episodes), np.cumsum(frames)
    chosen = np.unique(np.linspace(0, len(when) - 1, min(POINTS, len(when))).round().astype(int))
    points = [{"seconds": seconds[k], "episodes": int(episodes[k]), "frames": int(frames[k])} for k in chosen.tolist()]
    whole = seconds[-1]
    # The first shard's own time is not known: it counts from its commit on.
    return {
        "started": when[0],
        "points": points,
        "frames_per_s": (frames[-1] - frames[0]) / whole if whole > 0 else None,
    }
