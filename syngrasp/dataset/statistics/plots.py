"""Pictures of a dataset's statistics, with matplotlib (extra `viz`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from syngrasp.dataset.statistics import look_plots
from syngrasp.dataset.statistics.motion_plots import draw_approaches
from syngrasp.dataset.statistics.plot_style import BLUE, GREEN, GRID, INK, MUTED, NOTE, REJECTED, title
from syngrasp.dataset.storage import writing
from syngrasp.errors import MissingExtra

SHOWN_CATEGORIES = 40

Stats = Mapping[str, Any]


def plot_stats(stats: Stats, folder: str | PathLike[str]) -> list[Path]:
    """Writes PNGs of what `dataset_stats` returned into a folder, made when missing, and returns their paths.

    Raises MissingExtra without matplotlib, StorageError where the folder cannot be written.
    """
    try:
        from matplotlib.figure import Figure
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError as error:
        raise MissingExtra("plotting", "viz") from error

    plots: dict[str, tuple[Callable[[Any, Stats], None], float]] = {
        "approaches": (lambda figure, stats: draw_approaches(figure, stats["motion"]), 3.7),
        "yield": (_plot_yield, 1.2 + 0.45 * max(1, len(stats["yield"]))),
        "categories": (_plot_categories, 1.2 + 0.22 * min(SHOWN_CATEGORIES, max(1, len(stats["categories"])))),
        "storage": (_plot_storage, 1.2 + 0.26 * max(1, len(stats["bytes"]["by_array"]))),
        "episode_length": (_spread_plot("episode_length", "Episode length", "frames", 1.0), 3.2),
        "lift_height": (_spread_plot("lift_height", "Lift height over the hold", "cm", 100.0), 3.2),
        "grasp_quality": (_spread_plot("grasp_quality", "Grasp quality", "soft-finger quality", 1.0), 3.2),
        "slip": (_spread_plot("slip", "Slip in the hand", "mm", 1000.0), 3.2),
        "jerk": (_spread_plot("motion/joint_jerk_rms", "Joint jerk, root mean square", "rad/s³", 1.0), 3.2),
        "smoothness": (
            _spread_plot("motion/smoothness", "Smoothness of reaches", "log dimensionless jerk", 1.0, "reaches"),
            3.2,
        ),
    }
    sized = {name: (draw, 7.2, height) for name, (draw, height) in plots.items()} | look_pictures(stats["looks"])
    written = []
    for name, (draw, width, height) in sized.items():
        layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
        figure = Figure(figsize=(width, height), dpi=150, layout=layout, facecolor="white")
        draw(figure, stats)
        path = Path(folder) / f"{name}.png"
        with writing(str(path)):
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path)
        written.append(path)
    return written


def look_pictures(looks: Stats) -> dict[str, tuple[Callable[[Any, Stats], None], float, float]]:
    """Pictures of looks, if there are any: what draws them, width and height [inch]."""
    if not looks["episodes"]:
        return {}
    heights = [0.9 + 1.25 * look_plots.rows(len(names)) for names in (look_plots.varied(looks), looks["choices"])]
    cameras = max(1, len(looks["pictures"]["cameras"]))
    return {
        "looks": (lambda figure, stats: look_plots.draw_numbers(figure, stats["looks"]), 10.0, heights[0]),
        "look_names": (lambda figure, stats: look_plots.draw_choices(figure, stats["looks"]), 10.0, 1.6 * heights[1]),
        "pictures": (lambda figure, stats: look_plots.draw_pictures(figure, stats["looks"]), 10.0, 0.9 + 1.7 * cameras),
    }


def _axes(figure: Any) -> Any:
    axes = figure.add_subplot()
    axes.set_axisbelow(True)
    for axis in (axes.xaxis, axes.yaxis):
        axis.get_major_locator().set_params(integer=True)
    axes.tick_params(colors=INK, labelsize=8, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    return axes


def _plot_yield(figure: Any, stats: Stats) -> None:
    axes = _axes(figure)
    stages = stats["yield"]
    total = max((_tried(s) for s in stages.values()), default=0)
    title(axes, "Yield by stage", f"{stats['episodes']:,} episodes of {total:,} attempts")
    reasons = sorted({r for s in stages.values() for r in s["rejected"]}, key=lambda r: (-_count(stages, r), r))
    named = reasons[: len(REJECTED) - 1]
    for y, counts in enumerate(stages.values()):
        axes.barh(y, counts["passed"], color=GREEN, height=0.62, label="passed" if y == 0 else None)
        left = counts["passed"]
        groups = {r: counts["rejected"].get(r, 0) for r in named}
        groups["other reasons"] = sum(n for r, n in counts["rejected"].items() if r not in named)
        for colour, number in zip(REJECTED, groups.values(), strict=False):
            axes.barh(y, number, left=left, color=colour, height=0.62)
            left += number
        rate = f"{100 * counts['rate']:.1f} %" if counts["rate"] is not None else "none"
        axes.text(left + 0.01 * total, y, rate, va="center", color=INK, fontsize=8)
    legend = [*named, "other reasons"] if len(reasons) > len(named) else named
    for colour, reason in zip(REJECTED, legend, strict=False):
        axes.barh(0, 0, color=colour, label=reason.replace("_", " "))
    axes.set_yticks(range(len(stages)), list(stages))
    axes.invert_yaxis()
    axes.set_xlim(0, 1.12 * max(1, total))
    axes.set_xlabel("attempts", **NOTE)
    axes.grid(axis="x", color=GRID)
    if stages:
        axes.legend(
            fontsize=7, ncols=4, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.28 * 4 / (1 + len(stages)))
        )


def _tried(counts: Stats) -> int:
    return counts["passed"] + sum(counts["rejected"].values())


def _count(stages: Stats, reason: str) -> int:
    return sum(s["rejected"].get(reason, 0) for s in stages.values())


def _plot_categories(figure: Any, stats: Stats) -> None:
    axes = _axes(figure)
    categories = list(stats["categories"].items())
    shown = categories[:SHOWN_CATEGORIES]
    note = f"{len(categories)} categories, {stats['objects']:,} objects"
    title(axes, "Episodes by target", note if len(shown) == len(categories) else f"{len(shown)} of {note}")
    _bars(axes, dict(shown), lambda n: f"{n:,}", BLUE)
    axes.set_xlabel("episodes", **NOTE)


def _plot_storage(figure: Any, stats: Stats) -> None:
    axes = _axes(figure)
    size = stats["bytes"]
    per_frame = f"{size['per_frame'] / 1024:.1f} KiB per frame" if size["per_frame"] else "empty"
    title(axes, "Bytes by array", f"{per_frame}, {size['total'] / 2**20:,.1f} MiB in all")
    frames = max(1, stats["frames"])
    _bars(axes, {n: b / frames for n, b in size["by_array"].items()}, lambda v: f"{v:,.0f}", BLUE)
    axes.set_xscale("symlog", linthresh=10)
    axes.set_xlabel("bytes per frame (logarithmic)", **NOTE)


def _bars(axes: Any, values: Mapping[str, float], label: Callable[[Any], str], colour: str) -> None:
    bars = axes.barh(range(len(values)), list(values.values()), color=colour, height=0.7)
    axes.bar_label(bars, [label(v) for v in values.values()], padding=3, fontsize=7, color=MUTED)
    axes.set_yticks(range(len(values)), list(values))
    axes.set_ylim(len(values) - 0.4, -0.6)
    axes.margins(x=0.1)
    axes.grid(axis="x", color=GRID)


def _spread_plot(
    name: str, text: str, unit: str, scale: float, counted: str = "episodes"
) -> Callable[[Any, Stats], None]:
    def draw(figure: Any, stats: Stats) -> None:
        axes, spread = _axes(figure), stats
        for part in name.split("/"):
            spread = spread[part]
        if not spread["count"]:
            title(axes, text, f"no {counted}")
            return
        title(axes, text, f"median {scale * spread['p50']:.3g}, 5 to 95 %: {_range(spread, scale)} {unit}")
        histogram = spread["histogram"]
        left = histogram["start"] + histogram["width"] * np.arange(len(histogram["counts"]))
        width = scale * histogram["width"]
        axes.bar(scale * left, histogram["counts"], width, align="edge", color=BLUE, edgecolor="white", lw=0.4)
        axes.axvline(scale * spread["p50"], color=INK, lw=1.2)
        axes.xaxis.get_major_locator().set_params(integer=False)
        axes.set_xlabel(unit, **NOTE)
        axes.set_ylabel(counted, **NOTE)
        axes.grid(axis="y", color=GRID)

    return draw


def _range(spread: Stats, scale: float) -> str:
    return f"{scale * spread['p05']:.3g}…{scale * spread['p95']:.3g}"
