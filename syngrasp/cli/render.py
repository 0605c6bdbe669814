"""`syngrasp render`: a dataset's rollouts in other pictures."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from syngrasp.cli.generate import Executor, stoppable
from syngrasp.cli.output import generation_display


def render(
    dataset: Annotated[str, typer.Argument(help="Dataset whose rollouts are rendered again.")],
    out: Annotated[str, typer.Option("--out", "-o", help="New dataset: a folder, or s3://… or gs://…")] = ...,  # type: ignore[assignment]
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a value of render or execution; repeatable."),
    ] = None,
    catalog: Annotated[Path | None, typer.Option(help="The catalog it was made from; without it the built-in.")] = None,
    partial: Annotated[
        bool, typer.Option("--partial", help="Render what is committed of a dataset that is not complete.")
    ] = False,
    executor: Annotated[
        Executor | None,
        typer.Option(help="Where rendering runs; without it Ray if it is installed, else this process."),
    ] = None,
    address: Annotated[str | None, typer.Option(help="A running Ray cluster; without it one for this run.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per event, also on a terminal.")] = False,
) -> None:
    """Render a dataset's episodes again, without simulating: another renderer, other cameras, another look.

    All arrays but pictures, boxes and cameras stay, bit for bit. An episode whose target the new cameras do not see
    is left out. The same command again resumes.

    \b
    Example:
      syngrasp render data --out again --set render.look=1
      syngrasp render data --out large --set render.width=512 --set render.height=512
      syngrasp render data --out wrist --set render.cameras.side=null --set render.require_target=all
    """
    from syngrasp import dataset as datasets
    from syngrasp.cli.catalogs import catalog_or_builtin
    from syngrasp.errors import SyngraspError
    from syngrasp.generate import again, default_executor, execute

    where = executor.value if executor else default_executor()
    if address and where == "local":
        raise SyngraspError("--address is for --executor ray")
    datasets.open_info(dataset)  # before a catalog is made
    with stoppable(), generation_display(as_json) as on_event:
        objects = catalog_or_builtin(catalog, on_event)
        run = again.prepare_again(dataset, out, objects, settings or (), partial=partial)
        last = execute(run, on_event, where, address)
    if sys.stdout.isatty() and not as_json:
        print(f"{out}: {last['committed']} shards committed; look at it with: syngrasp stats {out}")
