"""`syngrasp generate`, `retry`, `gc`: making a dataset and keeping it in order."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from syngrasp.cli.output import generation_display, print_json


class Executor(StrEnum):
    """Where stages run."""

    ray = "ray"
    local = "local"


class _Terminated(KeyboardInterrupt):
    """SIGTERM, which a cluster sends before it takes a machine."""


def generate(
    recipe: Annotated[str, typer.Argument(help="Recipe: a name, or a YAML file.")] = "tabletop",
    out: Annotated[str, typer.Option("--out", "-o", help="Dataset: a folder, or s3://… or gs://…")] = ...,  # type: ignore[assignment]
    catalog: Annotated[
        Path | None, typer.Option(help="Catalog of objects; without it the built-in household, made once.")
    ] = None,
    shards: Annotated[int | None, typer.Option(help="Shards in the dataset.")] = None,
    episodes_per_shard: Annotated[int | None, typer.Option(help="Episodes in a shard.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of every random draw.")] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a value of the recipe; repeatable.")
    ] = None,
    executor: Annotated[
        Executor | None, typer.Option(help="Where stages run; without it Ray if it is installed, else this process.")
    ] = None,
    address: Annotated[str | None, typer.Option(help="A running Ray cluster; without it one for this run.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per event, also on a terminal.")] = False,
) -> None:
    """Make a dataset, or what is missing of it: the same command again resumes.

    \b
    Example:
      syngrasp generate --out data --shards 2 --episodes-per-shard 8
      syngrasp generate tabletop --out data --set layout.objects=[3,6] --executor local
      syngrasp generate --out data --set robot.kind=ur5e_2f85 --set plan.retry_fraction=0.1
    """
    from syngrasp.cli.catalogs import catalog_or_builtin
    from syngrasp.config import load_recipe
    from syngrasp.errors import SyngraspError
    from syngrasp.generate import default_executor, execute, prepare

    chosen = load_recipe(recipe, [*(settings or ()), *_counts(shards, episodes_per_shard, seed)])
    where = executor.value if executor else default_executor()
    if address and where == "local":
        raise SyngraspError("--address is for --executor ray")
    with stoppable(), generation_display(as_json) as on_event:
        run = prepare(chosen, out, catalog_or_builtin(catalog, on_event))
        last = execute(run, on_event, where, address)
    if sys.stdout.isatty() and not as_json:
        print(f"{out}: {last['committed']} shards committed; look at it with: syngrasp stats {out}")


def retry(
    dataset: Annotated[str, typer.Argument(help="Dataset.")],
    withdraw: Annotated[
        bool,
        typer.Option("--withdraw", help="Also withdraw committed shards that have such slots, to make them again."),
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Let the next `generate` try quarantined slots again.

    A committed shard keeps its empty slots unless it is withdrawn: then it is no part of the dataset until it is
    made again, with the same episodes and whatever its quarantined slots give.

    \b
    Example:
      syngrasp retry data --withdraw && syngrasp generate --out data
    """
    from syngrasp import dataset as datasets
    from syngrasp.dataset.commits import commit_path

    storage = datasets.open_storage(dataset)
    info = datasets.open_info(storage)
    slots = [(item["shard"], item["episode"]) for item in datasets.list_quarantine(storage)]
    committed = {shard for shard, _ in slots} & set(datasets.committed_shards(storage))
    reopened = [slot for slot in slots if withdraw or slot[0] not in committed]
    for shard, episode in reopened:
        datasets.drop_slot(storage, shard, episode)
    for shard in sorted({shard for shard, _ in reopened}):
        datasets.clear_quarantine(storage, shard)
        if shard in committed:
            storage.delete(commit_path(shard))
    kept = len(slots) - len(reopened)
    if as_json:
        print_json({"reopened": reopened, "withdrawn": sorted(committed) if withdraw else [], "kept": kept})
        return
    command = "generate" if info.source is None else "render"
    print(f"{len(reopened)} slots will be tried again by the next {command}")
    if kept:
        print(f"{kept} slots lie in committed shards and stay empty; --withdraw makes those shards again")


def gc(
    dataset: Annotated[str, typer.Argument(help="Dataset.")],
    everything: Annotated[
        bool, typer.Option("--all", help="Also what is recent: only when nothing is writing to the dataset.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be deleted.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Delete what no commit names: remains of interrupted runs.

    \b
    Example:
      syngrasp gc data --dry-run
    """
    from syngrasp import dataset as datasets

    report = datasets.collect_garbage(dataset, everything=everything, dry_run=dry_run)
    if as_json:
        print_json({"removed": list(report.removed), "bytes": report.bytes, "dry_run": dry_run})
        return
    for path in report.removed:
        print(path)
    print(f"{'would delete' if dry_run else 'deleted'} {len(report.removed)} items, {report.bytes / 1e6:.1f} MB")


def _counts(shards: int | None, episodes_per_shard: int | None, seed: int | None) -> list[str]:
    given = {"shards": shards, "episodes_per_shard": episodes_per_shard, "seed": seed}
    return [f"{key}={value}" for key, value in given.items() if value is not None]


@contextmanager
def stoppable() -> Iterator[None]:
    """SIGTERM stops a run as Ctrl-C does, and a line says what then."""

    def stop(number: int, frame: object) -> None:
        raise _Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt as stopped:
        print("stopped; what is committed stays; run the same command again to go on", file=sys.stderr)
        raise typer.Exit(143 if isinstance(stopped, _Terminated) else 130) from None
    finally:
        signal.signal(signal.SIGTERM, before)
