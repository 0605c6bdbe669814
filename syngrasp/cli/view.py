"""`syngrasp view`: an episode in the rerun viewer."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from syngrasp.cli.look import DatasetArgument, check_episode
from syngrasp.errors import SyngraspError


def view(
    dataset: DatasetArgument,
    episode: Annotated[int | None, typer.Option(min=0, help="Episode, counted through the dataset.")] = None,
    shard: Annotated[int | None, typer.Option(min=0, help="With --slot, instead of --episode.")] = None,
    slot: Annotated[int | None, typer.Option(min=0, help="With --shard, instead of --episode.")] = None,
    catalog: Annotated[Path | None, typer.Option(help="The catalog it was made from; without it the built-in.")] = None,
    save: Annotated[Path | None, typer.Option(help="Write this .rrd file instead of opening a window.")] = None,
) -> None:
    """Show an episode in rerun: cameras, robot and objects in 3D, actions and states over time (extra viz).

    Without the extra, it writes a contact sheet and prints what the episode holds.

    \b
    Example:
      syngrasp view data --episode 3
      syngrasp view data --shard 2 --slot 7 --save episode.rrd
    """
    from syngrasp import dataset as datasets
    from syngrasp.cli.catalogs import catalog_or_builtin
    from syngrasp.cli.output import print_event
    from syngrasp.cli.viewing import has_rerun, record, summarize
    from syngrasp.dataset.storage import writing

    if save is not None and save.suffix != ".rrd":
        raise SyngraspError(f"--save {save}: a recording's name ends in .rrd")
    if (shard is None) != (slot is None) or (episode is not None and shard is not None):
        raise SyngraspError("an episode is named by --episode, or by --shard and --slot together")
    opened = datasets.open(dataset)
    if shard is not None and slot is not None:
        shown = opened.slot(shard, slot)
    else:
        check_episode(dataset, episode or 0, opened.num_episodes)
        shown = opened.episode(episode or 0)
    if not has_rerun():
        summarize(opened, shown)
        return
    if save is None and not _has_display():
        raise SyngraspError(
            "this machine has no display; write a file with --save episode.rrd and open it elsewhere with: "
            "rerun episode.rrd"
        )
    recording = record(opened, shown, catalog_or_builtin(catalog, print_event))
    if save is None:
        recording.stream.spawn(default_blueprint=recording.blueprint)
        return
    with writing(str(save)):
        save.parent.mkdir(parents=True, exist_ok=True)
        recording.write(save)
    for what in recording.missing:
        print(f"left out: {what}", file=sys.stderr)
    print(save)


def _has_display() -> bool:
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
