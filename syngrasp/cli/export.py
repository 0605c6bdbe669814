"""`syngrasp export`: a dataset's episodes in the formats of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from syngrasp.cli.look import DatasetArgument
from syngrasp.cli.selecting import SplitByOption, SplitFractionOption, SplitOption, split_of

FORMATS = ("lerobot", "webdataset", "rlds", "usd")


def export(
    dataset: DatasetArgument,
    form: Annotated[str, typer.Option("--format", "-f", help="lerobot, webdataset, rlds or usd.")] = ...,  # type: ignore[assignment]
    out: Annotated[str, typer.Option("--out", "-o", help="Local folder to write.")] = ...,  # type: ignore[assignment]
    episodes: Annotated[
        str | None, typer.Option(help="Which, counted through the dataset, such as 0,3,5-9; without it all.")
    ] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="So many at random, always the same.")] = None,
    split: SplitOption = None,
    split_by: SplitByOption = "object",
    split_fraction: SplitFractionOption = 0.1,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    video: Annotated[Literal["av1", "h264"], typer.Option(help="lerobot: how pictures are encoded.")] = "av1",
    sample_unit: Annotated[Literal["frame", "episode"], typer.Option(help="webdataset: what a sample is.")] = "frame",
    catalog: Annotated[
        Path | None, typer.Option(help="usd: the catalog it was made from; without it the built-in.")
    ] = None,
    mdl: Annotated[
        bool, typer.Option("--mdl", help="usd: also OmniPBR and OmniGlass, which only Omniverse can resolve.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per event, also on a terminal.")] = False,
) -> None:
    """Write episodes in another format. The same command again writes what is missing.

    \b
    Formats:
      lerobot     LeRobotDataset v3.0: Parquet and video (extra export)
      webdataset  tar files of the stored JPEGs and numbers
      rlds        TFRecords that tensorflow_datasets reads
      usd         a stage per episode over shared assets (extra usd)

    \b
    Example:
      syngrasp export data --format lerobot --out lerobot --jobs 8
      syngrasp export data --format webdataset --out tars --split train
      syngrasp export data --format usd --out stages --episodes 0,3,5-9
    """
    from syngrasp import dataset as datasets
    from syngrasp.cli.catalogs import catalog_or_builtin
    from syngrasp.cli.exporting import chosen_episodes, export_usd
    from syngrasp.cli.output import export_display
    from syngrasp.dataset.export.job import ExportJob, run_export
    from syngrasp.dataset.storage import writing
    from syngrasp.errors import SyngraspError, UnknownName

    if form not in FORMATS:
        raise UnknownName("format", form, FORMATS)
    if "://" in out:
        raise SyngraspError(f"--out {out}: exports go to a local folder")
    opened = datasets.open(dataset)
    chosen = chosen_episodes(opened, episodes, sample, split_of(split, split_by, split_fraction))
    with export_display(as_json) as on_event, writing(out):
        if form == "usd":
            options: dict[str, Any] = {"catalog": str(catalog_or_builtin(catalog, on_event)), "mdl": mdl}
            export_usd(ExportJob(dataset, Path(out), options), chosen, jobs, on_event)
            return
        options = {"lerobot": {"video": video}, "webdataset": {"sample_unit": sample_unit}, "rlds": {}}[form]
        run_export(form, ExportJob(dataset, Path(out), options), chosen, jobs, on_event)
