"""`syngrasp status`, `stats`, `show`: looking at a dataset."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from syngrasp.cli.look_tables import print_looks
from syngrasp.cli.output import figure, print_json, print_pairs, print_table
from syngrasp.errors import SyngraspError

DatasetArgument = Annotated[str, typer.Argument(help="Dataset.")]
PICTURES: dict[str, dict[str, Any]] = {
    ".png": {"optimize": True},
    ".jpg": {"quality": 82, "optimize": True},
    ".jpeg": {"quality": 82, "optimize": True},
    ".webp": {"quality": 82},
}
"""How pictures are saved, by ending."""

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def status(dataset: DatasetArgument, as_json: JsonOption = False) -> None:
    """Show how far a dataset is.

    \b
    Example:
      syngrasp status data
    """
    from syngrasp import dataset as datasets

    storage = datasets.open_storage(dataset)
    info = datasets.open_info(storage)
    commits = datasets.read_commits(storage)
    committed = {commit.shard for commit in commits}
    begun = [int(name) for name in storage.names("staging") if name.isdigit() and int(name) not in committed]
    values = {
        "dataset": storage.url,
        "shards": info.shards,
        "committed": len(commits),
        "in_progress": sorted(begun),
        "staged_slots": sum(len(datasets.staged_episodes(storage, shard)) for shard in begun),
        "episodes": sum(commit.episodes for commit in commits),
        "episodes_per_shard": info.episodes_per_shard,
        "frames": sum(commit.frames for commit in commits),
        "empty_slots": sum(len(commit.empty_slots) for commit in commits),
        "quarantined": len(datasets.list_quarantine(storage)),
        "bytes": sum(commit.bytes for commit in commits),
        "seed": info.seed,
        "recipe_hash": info.recipe_hash,
        "catalog_hash": info.catalog_hash,
        "source": info.source["url"] if info.source else None,
        "complete": len(committed) >= info.shards,
    }
    if as_json:
        print_json(values)
    else:
        print_pairs(values | {"in_progress": len(begun), "source": values["source"] or "-"})


def stats(
    dataset: DatasetArgument,
    plots: Annotated[Path | None, typer.Option(help="Folder for PNG plots.")] = None,
    images: Annotated[int, typer.Option(min=0, help="Decode so many random frames: means of channels.")] = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; without it one per core.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Show episodes, yield by stage and reason, categories, lifts, grasps, motions, looks and sizes.

    \b
    Example:
      syngrasp stats data --plots plots
    """
    from syngrasp import dataset as datasets

    values = datasets.dataset_stats(dataset, workers=workers, images=images)
    files = [str(path) for path in datasets.plot_stats(values, plots)] if plots else []
    if as_json:
        print_json(values)
        return
    _print_stats(values)
    for path in files:
        print(path)


def show(
    dataset: DatasetArgument,
    episode: Annotated[int, typer.Option(min=0, help="Episode, counted through the dataset.")] = 0,
    out: Annotated[Path, typer.Option("--out", "-o", help="Picture to write, .png or .jpg.")] = Path("strip.png"),
    columns: Annotated[int, typer.Option(min=1, max=100, help="Frames in the sheet.")] = 8,
    contact_sheet: Annotated[
        int | None, typer.Option(min=1, max=4096, help="Instead of one episode: so many random ones, a frame of each.")
    ] = None,
    camera: Annotated[str, typer.Option(help="With --contact-sheet: a camera's name, or both.")] = "both",
    frame: Annotated[
        Literal["first", "grasp", "mid"], typer.Option(help="With --contact-sheet: which frame of an episode.")
    ] = "mid",
    seed: Annotated[int, typer.Option(help="With --contact-sheet: another one chooses others.")] = 0,
    tile: Annotated[int, typer.Option(min=16, max=1024, help="With --contact-sheet: height of a picture.")] = 128,
) -> None:
    """Write a contact sheet: of one episode over time with both cameras and boxes, or of many episodes.

    \b
    Example:
      syngrasp show data --episode 3 --out strip.png
      syngrasp show data --contact-sheet 64 --out sheet.jpg
    """
    from syngrasp import dataset as datasets
    from syngrasp.dataset.storage import writing

    if out.suffix.lower() not in PICTURES:
        raise SyngraspError(f"--out {out} is no picture; valid endings: {', '.join(PICTURES)}")
    opened = datasets.open(dataset)
    if contact_sheet is None:
        check_episode(dataset, episode, opened.num_episodes)
        sheet = datasets.contact_sheet(opened, episode, columns=columns)
    else:
        sheet = datasets.episodes_sheet(opened, contact_sheet, camera=camera, moment=frame, seed=seed, tile=tile)
    with writing(str(out)):
        out.parent.mkdir(parents=True, exist_ok=True)
        sheet.save(out, **PICTURES[out.suffix.lower()])
    print(out)


def check_episode(dataset: str, episode: int, count: int) -> None:
    """Raises SyngraspError for an episode that a dataset does not have."""
    if not 0 <= episode < count:
        valid = f"valid: 0 … {count - 1}" if count else "nothing is committed yet"
        raise SyngraspError(f"dataset {dataset} has no episode {episode}; {valid}")


def _print_stats(values: Mapping[str, Any]) -> None:
    size = values["bytes"]
    print_pairs(
        {
            "dataset": values["dataset"],
            "shards": f"{values['shards']['committed']} of {values['shards']['planned']}",
            "episodes": values["episodes"],
            "empty slots": values["empty_slots"],
            "frames": values["frames"],
            "objects": values["objects"],
            "bytes per frame": figure(size["per_frame"]),
            **({"made from": values["source"]["url"]} if values["source"] else {}),
            **({"not stored": ", ".join(values["missing"])} if values["missing"] else {}),
            **(
                {"core seconds per 1,000 frames": figure(values["cost"]["per_1000_frames"])}
                if values["timings"]
                else {}
            ),
            **{name: figure(values[name]) for name in ("occlusion", "truncated") if values[name] is not None},
        }
    )
    rows = [
        [stage, counts["passed"], sum(counts["rejected"].values()),
         ", ".join(f"{reason} {n}" for reason, n in sorted(counts["rejected"].items(), key=lambda item: -item[1]))]
        for stage, counts in values["yield"].items()
    ]  # fmt: skip
    print()
    print_table(["stage", "passed", "rejected", "why"], rows)
    motion = values["motion"]
    every = {**values, **motion, **{f"start {name}": spread for name, spread in motion["start"].items()}}
    spreads = [
        [name, *(figure(spread.get(key)) for key in ("mean", "min", "p05", "p50", "p95", "max"))]
        for name, spread in every.items()
        if isinstance(spread, Mapping) and "p50" in spread
    ]
    print()
    print_table(["", "mean", "min", "5 %", "median", "95 %", "max"], spreads)
    print()
    _print_motion(motion)
    print()
    print_looks(values["looks"])
    print()
    columns = ("episodes", "frames", "objects", "lift_height", "grasp_quality", "grasp_width", "occlusion")
    rows = [[name, *(figure(told[c]) for c in columns)] for name, told in values["by_category"].items()]
    print_table(["category", *columns], rows)
    print()
    spreads = [
        [name, *(figure(spread.get(key)) for key in ("mean", "min", "p05", "p50", "p95", "max"))]
        for name, spread in values["actions"].items()
    ]
    print_table(["action", "mean", "min", "5 %", "median", "95 %", "max"], spreads)


def _print_motion(motion: Mapping[str, Any]) -> None:
    approach, roll = motion["approach_directions"], motion["rolls"]
    print_pairs(
        {
            "hesitating reaches": f"{motion['hesitating_reaches']} of {motion['reaches']}",
            "approach directions": f"{approach['occupied']} of {approach['bins']} bins",
            "rolls": f"{roll['occupied']} of {roll['bins']} bins",
            "retry episodes": f"{motion['retry_episodes']} ({figure(motion['retry_share'])} of all)",
        }
    )
