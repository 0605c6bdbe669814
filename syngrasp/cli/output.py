"""What commands print: for people on a terminal, for programs as JSON."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from syngrasp.generate.progress import Event, OnEvent


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    print(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_event(event: Event) -> None:
    """One JSON line on stdout, at once."""
    print(json.dumps(event, ensure_ascii=False, default=str), flush=True)


def print_pairs(pairs: Mapping[str, Any]) -> None:
    """Names and values in two columns."""
    width = max((len(name) for name in pairs), default=0)
    for name, value in pairs.items():
        print(f"{name:<{width}}  {value}")


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str = "") -> None:
    """A table as wide as it needs on a pipe, as wide as the terminal otherwise."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title or None, title_justify="left", box=None, pad_edge=False)
    for i, column in enumerate(columns):
        numeric = bool(rows) and all(isinstance(row[i], int | float) for row in rows)
        table.add_column(
            column, justify="right" if numeric else "left", overflow="fold", no_wrap=not sys.stdout.isatty()
        )
    for row in rows:
        table.add_row(*[Text(str(value)) for value in row])
    Console(width=None if sys.stdout.isatty() else 400).print(table)


def figure(value: float | None, digits: int = 3) -> str:
    """A number for people; a dash for none."""
    return "-" if value is None else f"{value:.{digits}g}" if abs(value) < 1000 else f"{value:,.0f}"


def duration(seconds: float | None) -> str:
    """Seconds as h:mm:ss; a dash for none."""
    if seconds is None:
        return "-"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


@contextmanager
def generation_display(as_json: bool) -> Iterator[OnEvent]:
    """Receives a run's events: a live line on a terminal, JSON lines otherwise."""
    if as_json or not sys.stdout.isatty():
        yield print_event
        return
    from rich.console import Console
    from rich.live import Live

    console = Console()
    with Live(console=console, refresh_per_second=4, transient=True) as live:

        def show(event: Event) -> None:
            kind = event["event"]
            if kind in ("progress", "done"):
                live.update(_state(event))
            elif kind == "start":
                resumed = f", {event['committed']} of them committed before" if event["committed"] else ""
                console.print(f"{event['shards']} shards{resumed}; executor: {event['executor']}")
            elif kind == "shard":
                missing = event["empty"] + event["quarantined"]
                console.print(
                    f"shard {event['shard']:05d}: {event['episodes']} episodes, {event['frames']} frames"
                    + (f", {missing} slots without" if missing else "")
                )
            else:
                console.print(_trouble(event), style="yellow", markup=False)

        yield show


def _state(event: Event) -> Any:
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    passed = "  ".join(f"{stage} {100 * share:.0f} %" for stage, share in event["yield"].items())
    told = (
        f"shards {event['committed']}/{event['shards']}  episodes {event['episodes']}  frames {event['frames']}  "
        f"{event['frames_per_s']:.1f} frames/s  {duration(event['elapsed_s'])} gone, {duration(event['eta_s'])} left"
    )
    done = event["elapsed_s"] / (event["elapsed_s"] + event["eta_s"]) if event["eta_s"] is not None else 0.0
    return Group(Text(told), Text(f"passed: {passed}", style="dim"), ProgressBar(total=1.0, completed=done, width=60))


def _trouble(event: Event) -> str:
    if event["event"] == "infrastructure":
        return f"infrastructure: {event['why']}"
    where = f"shard {event['shard']}, episode {event['episode']}, attempt {event['attempt']}, {event['stage']}"
    what = "quarantined" if event["event"] == "quarantine" else "fault"
    return f"{what}: {where}: {event['why'][:300]}"


@contextmanager
def export_display(as_json: bool) -> Iterator[OnEvent]:
    """Receives an export's events: a progress bar on a terminal, JSON lines otherwise."""
    if as_json or not sys.stdout.isatty():
        yield print_event
        return
    from rich.progress import Progress

    with Progress(transient=True) as bar:
        task = bar.add_task("episodes")

        def show(event: Event) -> None:
            if event["event"] == "start":
                bar.update(task, total=event["episodes"], completed=event["there"])
            elif event["event"] in ("episode", "unit"):
                bar.advance(task, event.get("episodes", 1))
            elif event["event"] == "done":
                size = f"{event['bytes'] / 1e6:.1f} MB"
                bar.console.print(f"{event['out']}: {event['written']} episodes, {size}, {event['seconds']:.1f} s")

        yield show
