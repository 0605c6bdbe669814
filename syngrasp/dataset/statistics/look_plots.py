"""Pictures of `look_stats`: what varies beside the recipe's ranges, names that were drawn, what cameras saw."""

from __future__ import annotations

import colorsys
from collections.abc import Mapping
from typing import Any

import numpy as np

from syngrasp.dataset.statistics.plot_style import BLUE, GREEN, GRID, INK, MUTED, NOTE, REJECTED, TITLE

COLUMNS = 4
SHADE = "#dcefe4"
SHOWN_NAMES = 14

Json = Mapping[str, Any]


def varied(looks: Json) -> list[str]:
    """Names of the numbers that looks of a dataset hold."""
    return [name for name, number in looks["numbers"].items() if number["count"]]


def rows(count: int) -> int:
    """Rows of a grid of so many small pictures, at least one."""
    return max(1, -(-count // COLUMNS))


def draw_numbers(figure: Any, looks: Json) -> None:
    """A histogram of each number, the recipe's range shaded, what lies outside of it red."""
    names = varied(looks)
    note = f"{looks['episodes']} episodes; shaded: the recipe's range; {looks['same_look']} share a look"
    figure.suptitle(f"What varies\n{note}", x=0.01, ha="left", color=INK, fontsize=11)
    for place, name in enumerate(names):
        axes = _small(figure, rows(len(names)), place)
        number = looks["numbers"][name]
        histogram, limits = number["histogram"], number["range"]
        left = histogram["start"] + histogram["width"] * np.arange(len(histogram["counts"]))
        axes.set_yticks([])
        unit = f" [{number['unit']}]" if number["unit"] else ""
        _name(axes, f"{name}{unit}", "" if number["covered"] is None else f"{100 * number['covered']:.0f} %")
        if number["min"] == number["max"]:
            axes.set_xticks([])
            axes.text(0.5, 0.4, f"always {number['min']:.4g}", transform=axes.transAxes, ha="center", **NOTE)
            continue
        if limits and limits[1] > limits[0]:
            axes.axvspan(*limits, color=SHADE, lw=0)
        colour = REJECTED[0] if number["outside"] else BLUE
        axes.bar(left, histogram["counts"], histogram["width"], align="edge", color=colour)


def draw_choices(figure: Any, looks: Json) -> None:
    """How often each name was drawn, beside its weight in the recipe; red what the recipe does not have."""
    choices = {name: choice for name, choice in looks["choices"].items() if choice["counts"]}
    figure.suptitle(
        "What was drawn\nshare of all draws [%]; lines: the recipe's weights", x=0.01, ha="left", color=INK, fontsize=11
    )
    for place, (name, choice) in enumerate(choices.items()):
        axes = _small(figure, rows(len(choices)), place)
        counts = {**choice["counts"], **dict.fromkeys(choice["missing"], 0)}
        shown = dict(list(counts.items())[:SHOWN_NAMES])
        total = sum(counts.values())
        colours = [REJECTED[0] if value in choice["outside"] else GREEN for value in shown]
        axes.barh(range(len(shown)), [100 * n / total for n in shown.values()], color=colours, height=0.7)
        for y, value in enumerate(shown):
            if choice["exact"] and value in choice["weights"]:
                axes.plot([100 * choice["weights"][value]] * 2, [y - 0.45, y + 0.45], color=INK, lw=1.2)
        axes.set_yticks(range(len(shown)), list(shown))
        axes.set_ylim(max(len(shown), 4) - 0.4, -0.6)
        _name(axes, name, f"{len(choice['counts'])} of {len(counts)}" if choice["weights"] else "")


def draw_pictures(figure: Any, looks: Json) -> None:
    """Brightness, saturation and hue of the first pictures of episodes, one row per camera."""
    cameras = looks["pictures"]["cameras"]
    figure.suptitle(
        f"What cameras saw\nfirst pictures of {looks['pictures']['episodes']} episodes",
        x=0.01, ha="left", color=INK, fontsize=11,
    )  # fmt: skip
    if not cameras:
        axes = figure.add_subplot()
        axes.axis("off")
        axes.text(0.5, 0.5, "brightness and hue are not recorded in this dataset", ha="center", **NOTE)
    for row, (camera, picture) in enumerate(cameras.items()):
        for column, name in enumerate(("brightness", "saturation")):
            axes = _tidy(figure.add_subplot(len(cameras), 3, 3 * row + column + 1))
            spread = picture[name]
            histogram = spread["histogram"]
            left = histogram["start"] + histogram["width"] * np.arange(len(histogram["counts"]))
            axes.bar(left, histogram["counts"], histogram["width"], align="edge", color=BLUE)
            axes.set_xlim(0.0, 1.0)
            axes.set_yticks([])
            _name(axes, f"{name}, {camera}", f"{spread['p05']:.2f} … {spread['p50']:.2f} … {spread['p95']:.2f}")
        _draw_hues(figure.add_subplot(len(cameras), 3, 3 * row + 3, projection="polar"), camera, picture["hues"])


def _draw_hues(axes: Any, camera: str, hues: list[int]) -> None:
    turn = 2.0 * np.pi / len(hues)
    colours = [colorsys.hsv_to_rgb(k / len(hues), 0.65, 0.9) for k in range(len(hues))]
    axes.bar(turn * np.arange(len(hues)), hues, 0.92 * turn, color=colours)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines["polar"].set_color(GRID)
    axes.set_title(f"hue, {camera}", loc="center", **(TITLE | {"fontsize": 8}))


def _small(figure: Any, count: int, place: int) -> Any:
    return _tidy(figure.add_subplot(count, COLUMNS, place + 1))


def _tidy(axes: Any) -> Any:
    axes.set_axisbelow(True)
    axes.tick_params(colors=MUTED, labelsize=7, length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(GRID)
    axes.xaxis.get_major_locator().set_params(nbins=4)
    return axes


def _name(axes: Any, text: str, note: str) -> None:
    axes.set_title(text, loc="left", **(TITLE | {"fontsize": 8}))
    axes.set_title(note, loc="right", **(NOTE | {"fontsize": 7}))
