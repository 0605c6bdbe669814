"""Which episodes to export; and exports to USD, which join the reader, the catalog, the robot and the stage writer."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Sequence
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syngrasp.dataset.export.job import ExportJob, claim, each
from syngrasp.errors import DatasetError, SyngraspError
from syngrasp.records import Slot

if TYPE_CHECKING:
    from syngrasp.dataset import Dataset, EpisodeView, Split
    from syngrasp.generate.progress import OnEvent
    from syngrasp.objects.catalog import Catalog
    from syngrasp.rendering.folders import Folders
    from syngrasp.rendering.parts import RobotMeshes


def chosen_episodes(dataset: Dataset, episodes: str | None, sample: int | None, split: Split | None) -> list[int]:
    """Numbers of a dataset's episodes: as told ("0,3,5-9"), a random sample that is always the same, or all; of those,
    the ones on one side of a split.

    Raises SyngraspError for what cannot be read or is not there.
    """
    from syngrasp.cli.look import check_episode

    if episodes is not None and sample is not None:
        raise SyngraspError("--episodes and --sample exclude one another")
    allowed = range(dataset.num_episodes)
    if split is not None:
        allowed = dataset.select(split=split).episode_numbers.tolist()
    if sample is not None:
        return sorted(random.Random(0).sample(allowed, min(sample, len(allowed))))
    if episodes is None:
        return list(allowed)
    found: set[int] = set()
    for item in episodes.split(","):
        first, dash, last = (text.strip() for text in item.partition("-"))
        if not first.isdigit() or (dash and not last.isdigit()) or (dash and int(last) < int(first)):
            raise SyngraspError(f"--episodes {episodes!r}: {item!r} is no number or range; valid: such as 0,3,5-9")
        check_episode(dataset.storage.url, int(last or first), dataset.num_episodes)
        found.update(range(int(first), int(last or first) + 1))
    return sorted(found & set(allowed))


def export_usd(job: ExportJob, chosen: Sequence[int], jobs: int, on_event: OnEvent) -> None:
    """Writes OUT/episodes/<shard>-<slot>.usdc, OUT/assets and OUT/attribution.csv; whole episodes that are there stay.

    Files are named by slots, since numbers of episodes change while a dataset grows.
    """
    import_module("syngrasp.rendering.usd.episode")  # says at once when usd-core is missing
    opened, _ = _open(job)
    _folders(job)  # says at once when a folder of the user's pictures is gone
    claim(job.out, {"format": "usd", "mdl": job.options["mdl"]}, opened)
    slots = [_slot(opened.episode(index)) for index in chosen]
    wanted = [slot for slot in slots if not _stage(job, slot).exists()]
    started, size = time.monotonic(), 0
    on_event({"event": "start", "format": "usd", "episodes": len(chosen), "there": len(chosen) - len(wanted)})
    for written in each(partial(_write_usd, job), wanted, jobs):
        size += written["bytes"]
        on_event({"event": "episode", **written})
    took = time.monotonic() - started
    on_event({"event": "done", "out": str(job.out), "written": len(wanted), "bytes": size, "seconds": round(took, 3)})


def _slot(view: EpisodeView) -> Slot:
    return Slot(view.line["shard"], view.line["episode"], view.line["attempt"])


def _stage(job: ExportJob, slot: Slot) -> Path:
    return job.out / "episodes" / f"{slot.shard:05d}-{slot.episode:04d}.usdc"


def _write_usd(job: ExportJob, slot: Slot) -> dict[str, Any]:
    """Writes one episode."""
    from syngrasp.dataset import rollout_from
    from syngrasp.rendering.look import Look
    from syngrasp.rendering.usd.episode import write_episode

    opened, catalog = _open(job)
    view = opened.slot(slot.shard, slot.episode)
    index = view.index
    if not view.line["look"]:
        raise DatasetError(job.dataset, f"episode {index} was not rendered (render.kind none): it has no cameras")
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
        folders=_folders(job),
        assets=job.out / "assets",
        mdl=job.options["mdl"],
        notes={"seed": opened.info.seed, "shard": slot.shard, "slot": slot.episode},
    )
    took = time.monotonic() - started
    return {"episode": index, "path": str(path), "bytes": os.stat(path).st_size, "seconds": round(took, 3)}


@cache
def _open(job: ExportJob) -> tuple[Dataset, Catalog]:
    from syngrasp.cli.replaying import open_with_catalog

    return open_with_catalog(job.dataset, job.options["catalog"])


@cache
def _folders(job: ExportJob) -> Folders:
    from syngrasp.rendering.folders import folders_of
    from syngrasp.rendering.randomize import RandomizeConfig

    recipe = _open(job)[0].info.recipe
    return folders_of(RandomizeConfig.model_validate(recipe.get("render", {}).get("randomize", {})))


@cache
def _robot(job: ExportJob) -> RobotMeshes:
    from syngrasp.rendering.parts import RobotMeshes
    from syngrasp.robots import RobotConfig, make_robot

    return RobotMeshes(make_robot(RobotConfig.model_validate(_open(job)[0].info.recipe["robot"])))
