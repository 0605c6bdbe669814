"""`syngrasp assets build|list|show`: catalogs of objects."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from syngrasp.cli.output import print_event, print_json, print_pairs, print_table

if TYPE_CHECKING:
    from syngrasp.generate.progress import Event, OnEvent

app = typer.Typer(help="Build and look at catalogs of objects.", rich_markup_mode=None, no_args_is_help=False)

CatalogArgument = Annotated[Path, typer.Argument(help="Catalog.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class Source(StrEnum):
    """Where meshes come from."""

    builtin = "builtin"
    folder = "folder"
    objaverse = "objaverse"


@app.command()
def build(
    source: Annotated[Source, typer.Option(help="builtin: a procedural household; folder; objaverse.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="Catalog to make or to bring up to date.")],
    input: Annotated[Path | None, typer.Option("--input", help="Folder of meshes, for --source folder.")] = None,
    cache: Annotated[
        Path | None, typer.Option(help="An Objaverse cache to read without a network, for --source objaverse.")
    ] = None,
    categories: Annotated[str | None, typer.Option(help="Only these, separated by commas.")] = None,
    licenses: Annotated[str | None, typer.Option(help="Only these, separated by commas.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="At most so many objects.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of shapes, and of the choice among many.")] = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; without it one per core.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per event, also on a terminal.")] = False,
) -> None:
    """Turn meshes into objects with convex parts, mass, resting poses and grasps. A second build does nothing.

    \b
    Example:
      syngrasp assets build --source builtin --out objects --count 48
      syngrasp assets build --source folder --input meshes --out objects
      syngrasp assets build --source objaverse --cache ~/.objaverse --categories mug,bowl --out objects
    """
    from syngrasp.objects.build import build_catalog

    with _build_display(as_json) as on_event:
        summary = build_catalog(
            source=source.value,
            out=out,
            input=input,
            cache=cache,
            categories=_split(categories),
            licenses=_split(licenses),
            count=count,
            seed=seed,
            workers=workers,
            on_event=on_event,
        )
    rejected = [item._asdict() for item in summary.rejected]
    if as_json or not sys.stdout.isatty():
        print_event({"event": "done", **asdict(summary), "rejected": rejected})
    else:
        print_pairs(asdict(summary) | {"rejected": len(rejected)})


@app.command("list")
def list_objects(catalog: CatalogArgument, as_json: JsonOption = False) -> None:
    """List the objects of a catalog.

    \b
    Example:
      syngrasp assets list objects --json
    """
    from syngrasp.objects.catalog import Catalog

    entries = Catalog.open(catalog).entries
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    columns = ["uid", "name", "category", "license", "faces", "watertight", "hulls", "grasps"]
    rows = [[getattr(entry, column) for column in columns] for entry in entries]
    print_table(columns, [[("yes" if v else "no") if isinstance(v, bool) else v for v in row] for row in rows])


@app.command()
def show(
    catalog: CatalogArgument,
    uid: Annotated[str, typer.Argument(help="Object.")],
    as_json: JsonOption = False,
) -> None:
    """Show what is known of an object.

    \b
    Example:
      syngrasp assets show objects mug-0-000
    """
    from syngrasp.objects.catalog import Catalog

    opened = Catalog.open(catalog)
    entry = opened.entry(uid)
    model = opened.load(uid)
    values: dict[str, Any] = {
        **asdict(entry),
        "volume_m3": model.volume,
        "mass_kg": model.volume * entry.density,
        "stable_poses": len(model.stable_poses),
        "likeliest_pose_probability": float(model.stable_probability[0]) if len(model.stable_probability) else None,
        "sdf_shape": list(model.sdf.values.shape),
        "best_grasp_quality": float(model.grasps.quality[0]) if len(model.grasps.quality) else None,
        "texture": None if model.visual.texture is None else list(model.visual.texture.shape),
    }
    if as_json:
        print_json(values)
    else:
        print_pairs(values)


def _split(text: str | None) -> list[str] | None:
    return None if text is None else [part.strip() for part in text.split(",") if part.strip()]


@contextmanager
def _build_display(as_json: bool) -> Iterator[OnEvent]:
    """Receives a build's events: a live line on a terminal, JSON lines otherwise."""
    if as_json or not sys.stdout.isatty():
        yield print_event
        return
    from rich.console import Console

    console = Console()
    with console.status("preparing objects") as line:

        def told(event: Event) -> None:
            if event["event"] == "asset":
                line.update(f"preparing objects: {event['done']} of {event['total']}, {event['name']}")
                if event["status"] == "rejected":
                    why = f"{event['name']}: {event['reason']} {event['detail']}".rstrip()
                    console.print(f"rejected {why}", style="yellow", markup=False)

        yield told
