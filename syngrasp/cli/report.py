"""`syngrasp report`: one page about a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from syngrasp.cli.look import DatasetArgument, JsonOption
from syngrasp.cli.output import print_json


def report(
    dataset: DatasetArgument,
    out: Annotated[Path, typer.Option("--out", "-o", help="Page to write, .html.")] = Path("report.html"),
    gallery: Annotated[int, typer.Option(min=0, max=1000, help="Episodes that play in the page.")] = 48,
    verified: Annotated[
        Path | None, typer.Option("--verify", help="What `syngrasp verify --json` printed, to be shown.")
    ] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; without it one per core.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Write one HTML page that needs nothing else: figures, charts, and episodes that play.

    \b
    Example:
      syngrasp report data --out report.html
      syngrasp verify data --json > verified.json; syngrasp report data --verify verified.json
    """
    from syngrasp.dataset.report.build import read_verified, write_report
    from syngrasp.dataset.storage import writing
    from syngrasp.errors import SyngraspError

    if out.suffix.lower() not in (".html", ".htm"):
        raise SyngraspError(f"--out {out} is no page; valid endings: .html, .htm")
    found = read_verified(verified) if verified else None
    with writing(str(out)):
        told = write_report(dataset, out, episodes=gallery, workers=workers, verified=found)
    if as_json:
        print_json(told)
    else:
        print(f"{told['path']}: {told['bytes'] / 1e6:.1f} MB, {told['seconds']:.1f} s")
