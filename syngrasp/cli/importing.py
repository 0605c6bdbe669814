"""`syngrasp import`: other people's datasets into shards of ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer


def import_(
    source: Annotated[Path, typer.Argument(help="Folder of a LeRobot dataset, version 3.")],
    out: Annotated[str, typer.Option("--out", "-o", help="Dataset to write: a folder or a bucket.")] = ...,  # type: ignore[assignment]
    form: Annotated[str, typer.Option("--format", "-f", help="lerobot.")] = "lerobot",
    preset: Annotated[
        str, typer.Option(help="Which features are what: syngrasp (our own exports) or syngrasp_1b.")
    ] = "syngrasp",
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="Change the preset, such as pose=observation.state[0:6].")
    ] = None,
    episodes_per_shard: Annotated[int, typer.Option(min=1, help="Episodes in a shard.")] = 100,
    size: Annotated[int | None, typer.Option(min=16, max=4096, help="Make pictures squares of so many pixels.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON line per event, also on a terminal.")] = False,
) -> None:
    """Import a dataset, so that reader, statistics, report and training work on it. It resumes.

    What the source does not have is absent, never made up. Extra: pip install 'syngrasp[export]'.

    \b
    Example:
      syngrasp import exported --out data
      syngrasp import SynGrasp-1B --preset syngrasp_1b --out data --set pose=observation.state[0:6] --jobs 8
      syngrasp import other --out data --set images.front=observation.images.cam0 --set goal=from_close
    """
    from pydantic import ValidationError

    from syngrasp.cli.output import export_display
    from syngrasp.config import apply_override
    from syngrasp.dataset.importing.mapping import PRESETS, ImportMapping
    from syngrasp.dataset.importing.run import ImportJob, import_lerobot
    from syngrasp.dataset.storage import writing
    from syngrasp.errors import SyngraspError, UnknownName

    if form != "lerobot":
        raise UnknownName("format", form, ["lerobot"])
    if preset not in PRESETS:
        raise UnknownName("preset", preset, PRESETS)
    values: dict[str, Any] = PRESETS[preset].model_dump()
    for change in changes or []:
        apply_override(values, change)
    try:
        mapping = ImportMapping.model_validate({key: "" if v is None else v for key, v in values.items()})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        valid = ", ".join(ImportMapping.model_fields)
        raise SyngraspError(f"--set {where}: {first['msg']}; valid names: {valid}") from error
    with export_display(as_json) as on_event, writing(out):
        job = ImportJob(source, out, mapping.model_dump_json(), episodes_per_shard, size)
        import_lerobot(job, jobs, on_event)
