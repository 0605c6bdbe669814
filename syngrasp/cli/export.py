"""`syngrasp export`: a dataset's episodes in the formats of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from syngrasp.cli.look import DatasetArgument


def export(
    dataset: DatasetArgument,
    form: Annotated[str, typer.Option("--format", "-f", help="usd: a stage per episode over shared assets.")] = ...,  # type: ignore[assignment]
    out: Annotated[str, typer.Option("--out", "-o", help="Local folder to write.")] = ...,  # type: ignore[assignment]
    episodes: Annotated[
        str | None, typer.Option(help="Which, counted through the dataset, such as 0,3,5-9; without it all.")
    ] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="So many at random, always the same.")] = None,
    catalog: Annotated[Path | None, typer.Option(help="The catalog it was made from; without it the built-in.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    mdl: Annotated[
        bool, typer.Option("--mdl", help="usd: also OmniPBR and OmniGlass, which only Omniverse can resolve.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per event, also on a terminal.")] = False,
) -> None:
    """Write episodes in another format. The same command again writes what is missing.

    \b
    Example:
      syngrasp export data --format usd --out stages --episodes 0,3,5-9
      syngrasp export data --format usd --out stages --jobs 8
    """
    from syngrasp import dataset as datasets
    from syngrasp.cli.catalogs import catalog_or_builtin
    from syngrasp.cli.exporting import FORMATS, ExportJob, chosen_episodes
    from syngrasp.cli.output import export_display
    from syngrasp.dataset.storage import writing
    from syngrasp.errors import SyngraspError, UnknownName

    if form not in FORMATS:
        raise UnknownName("format", form, FORMATS)
    if "://" in out:
        raise SyngraspError(f"--out {out}: exports go to a local folder")
    datasets.open_info(datasets.open_storage(dataset))
    with export_display(as_json) as on_event, writing(out):
        job = ExportJob(dataset, str(catalog_or_builtin(catalog, on_event)), Path(out), mdl)
        FORMATS[form](job, lambda count: chosen_episodes(dataset, count, episodes, sample), jobs, on_event)
