"""Exports: joins the dataset's reader, the catalog, the robot and what writes a format."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syngrasp.errors import DatasetError, SyngraspError

if TYPE_CHECKING:
    from syngrasp.dataset import Dataset, EpisodeView
    from syngrasp.generate.progress import OnEvent
    from syngrasp.objects.catalog import Catalog
    from syngrasp.rendering.parts import RobotMeshes

Slot = tuple[int, int]
"""Shard and slot of an episode."""

Choose = Callable[[int], list[int]]
"""Which episodes, of so many."""


@dataclass(frozen=True, slots=True)
class ExportJob:
    """What an export reads and where it writes."""

    dataset: str
    catalog: str
    out: Path
    mdl: bool = False  # usd: shaders for Omniverse too


def chosen_episodes(dataset: str, count: int, episodes: str | None, sample: int | None) -> list[int]:
    """Numbers of a dataset's episodes: as told ("0,3,5-9"), a random sample that is always the same, or all.

    Raises SyngraspError for what cannot be read or is not there.
    """
    from syngrasp.cli.look import check_episode

    if episodes is not None and sample is not None:
        raise SyngraspError("--episodes and --sample exclude one another")
    if sample is not None:
        return sorted(random.Random(0).sample(range(count), min(sample, count)))
    if episodes is None:
        return list(range(count))
    found: set[int] = set()
    for item in episodes.split(","):
        first, dash, last = (text.strip() for text in item.partition("-"))
        if not first.isdigit() or (dash and not last.isdigit()) or (dash and int(last) < int(first)):
            raise SyngraspError(f"--episodes {episodes!r}: {item!r} is no number or range; valid: such as 0,3,5-9")
        check_episode(dataset, int(last or first), count)
        found.update(range(int(first), int(last or first) + 1))
    return sorted(found)


def export_usd(job: ExportJob, choose: Choose, jobs: int, on_event: OnEvent) -> None:
    """Writes OUT/episodes/<shard>-<slot>.usdc, OUT/assets and OUT/attribution.csv; whole episodes that are there stay.

    Files are named by slots, since numbers of episodes change while a dataset grows.
    """
    import_module("syngrasp.rendering.usd.episode")  # says at once when usd-core is missing
    opened, _ = _open(job)
    chosen = choose(opened.num_episodes)
    _claim(job, opened)
    slots = [_slot(opened.episode(index)) for index in chosen]
    wanted = [slot for slot in slots if not _stage(job, slot).exists()]
    started, size = time.monotonic(), 0
    on_event({"event": "start", "format": "usd", "episodes": len(chosen), "there": len(chosen) - len(wanted)})
    for written in _each(_write_usd, job, wanted, jobs):
        size += written["bytes"]
        on_event({"event": "episode", **written})
    took = time.monotonic() - started
    on_event({"event": "done", "out": str(job.out), "written": len(wanted), "bytes": size, "seconds": round(took, 3)})


FORMATS: dict[str, Callable[[ExportJob, Choose, int, Any], None]] = {"usd": export_usd}


def _each(
    work: Callable[[ExportJob, Slot], dict[str, Any]], job: ExportJob, slots: list[Slot], jobs: int
) -> Iterator[dict[str, Any]]:
    """What came of each episode, in order, done by this process or by several. Raises SyngraspError.

    Every process opens the dataset itself, which may have grown: slots name the same episodes then, numbers do not.
    """
    if min(jobs, len(slots)) < 2:
        yield from (work(job, slot) for slot in slots)
        return
    # Threads of the libraries that this process has loaded do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(slots)), mp_context=context) as pool:
        try:
            for found in pool.map(partial(_or_why_not, work, job), slots):
                if isinstance(found, str):
                    raise SyngraspError(found)
                yield found
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _or_why_not(work: Callable[[ExportJob, Slot], dict[str, Any]], job: ExportJob, slot: Slot) -> dict[str, Any] | str:
    """What came of an episode, or what the user can mend: errors whose constructors write the message cannot travel
    between processes."""
    try:
        return work(job, slot)
    except SyngraspError as error:
        return str(error)


def _slot(view: EpisodeView) -> Slot:
    return view.line["shard"], view.line["episode"]


def _stage(job: ExportJob, slot: Slot) -> Path:
    return job.out / "episodes" / f"{slot[0]:05d}-{slot[1]:04d}.usdc"


def _claim(job: ExportJob, opened: Dataset) -> None:
    """Marks a folder as the export of a dataset, or refuses one that is another's."""
    from syngrasp.dataset.attribution import ATTRIBUTION
    from syngrasp.objects.catalog import write_atomic

    info = opened.info
    content = {"recipe_hash": info.recipe_hash, "catalog_hash": info.catalog_hash, "seed": info.seed}
    mark = {"format": "usd", "mdl": job.mdl, **content}
    path = job.out / "export.json"
    if (job.out / "dataset.json").exists():
        raise SyngraspError(f"{job.out} is a dataset; choose another --out")
    if path.exists():
        there = _read_mark(path)
        if changed := [key for key in mark if there.get(key) != mark[key]]:
            told = "; ".join(f"{key} {there.get(key)}, asked for {mark[key]}" for key in changed)
            raise SyngraspError(f"{job.out} holds another export: {told}; choose another --out")
    else:
        write_atomic(path, json.dumps(mark, indent=1).encode())
    if opened.storage.exists(ATTRIBUTION):  # a dataset that has grown has more of it
        licences, theirs = opened.storage.read(ATTRIBUTION), job.out / "attribution.csv"
        if not theirs.exists() or theirs.read_bytes() != licences:
            write_atomic(theirs, licences)


def _read_mark(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
        if not isinstance(found, dict):
            raise ValueError("no object")
    except ValueError as error:
        raise SyngraspError(f"{path} is not what an export leaves ({error}); choose another --out") from error
    return found


def _write_usd(job: ExportJob, slot: Slot) -> dict[str, Any]:
    """Writes one episode."""
    from syngrasp.dataset import rollout_from
    from syngrasp.rendering.look import Look
    from syngrasp.rendering.randomize import RandomizeConfig
    from syngrasp.rendering.usd.episode import Folders, write_episode
    from syngrasp.stages.render import picture_folders

    opened, catalog = _open(job)
    view = opened.slot(*slot)
    index = view.index
    if not view.line["look"]:
        raise DatasetError(job.dataset, f"episode {index} was not rendered (render.kind none): it has no cameras")
    randomize = RandomizeConfig.model_validate(opened.info.recipe.get("render", {}).get("randomize", {}))
    rollout = rollout_from(view.line, view)
    models = [catalog.load(placed.uid) for placed in rollout.scene.objects]
    height, width = view.shape("images")[2:4]
    started, path = time.monotonic(), _stage(job, slot)
    write_episode(
        path,
        rollout,
        models,
        Look.from_json(view.line["look"]),
        _robot(job),
        width=width,
        height=height,
        folders=Folders(*picture_folders(randomize)),
        assets=job.out / "assets",
        mdl=job.mdl,
        notes={"seed": opened.info.seed, "shard": slot[0], "slot": slot[1]},
    )
    took = time.monotonic() - started
    return {"episode": index, "path": str(path), "bytes": os.stat(path).st_size, "seconds": round(took, 3)}


@cache
def _open(job: ExportJob) -> tuple[Dataset, Catalog]:
    from syngrasp.cli.replaying import open_with_catalog

    return open_with_catalog(job.dataset, job.catalog)


@cache
def _robot(job: ExportJob) -> RobotMeshes:
    from syngrasp.rendering.parts import RobotMeshes
    from syngrasp.robots import RobotConfig, make_robot

    return RobotMeshes(make_robot(RobotConfig.model_validate(_open(job)[0].info.recipe["robot"])))
