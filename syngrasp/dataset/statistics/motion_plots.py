"""Pictures of `motion_stats`: where grasps come from, as maps of directions."""

from __future__ import annotations

from typing import Any

import numpy as np

from syngrasp.dataset.statistics.plot_style import BLUE, GRID, INK, MUTED, title_above


def draw_approaches(figure: Any, motion: Any) -> None:
    """Approach directions on the half sphere seen from above, bins of equal area; and the rolls about them."""
    left, right = (figure.add_subplot(1, 2, k, projection="polar") for k in (1, 2))
    for axes in (left, right):
        axes.set_theta_zero_location("N")
        axes.set_thetagrids([0, 90, 180, 270], ["+x", "+y", "−x", "−y"])  # noqa: RUF001
        axes.tick_params(colors=MUTED, labelsize=8, pad=0)
        axes.spines["polar"].set_color(GRID)
        axes.grid(visible=False)
    _draw_sphere(figure, left, motion["approach_directions"])
    _draw_rolls(right, motion["rolls"])


def _draw_sphere(figure: Any, axes: Any, approaches: Any) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgba

    counts = np.array(approaches["counts"])
    rings, sectors = counts.shape
    # A ring of cosines c to c + 1/rings is as large on the sphere as its picture with radii √(1 − c): Lambert's map.
    radius = np.sqrt(1.0 - np.linspace(0.0, 1.0, rings + 1))
    width = 2.0 * np.pi / sectors
    colours = ScalarMappable(
        Normalize(0, max(int(counts.max()), 1)), LinearSegmentedColormap.from_list("", ["#e1ecf8", BLUE, "#12304f"])
    )
    for ring, row in enumerate(counts):
        shade = np.where(row[:, None] > 0, colours.to_rgba(row), to_rgba("#f7f8f9"))
        height, middle = radius[ring] - radius[ring + 1], width * (np.arange(sectors) + 0.5)
        axes.bar(middle, height, width, bottom=radius[ring + 1], color=shade, edgecolor="white", lw=0.6)
    tilts = np.radians([30.0, 60.0, 90.0])
    axes.set_rgrids(np.sqrt(1.0 - np.cos(tilts)), ["30°", "60°", "90°"], angle=45.0, fontsize=7, color=INK)
    axes.set_rlim(0.0, 1.0)
    title_above(
        axes, "Approach directions", f"{approaches['occupied']} of {approaches['bins']} bins of equal area occur"
    )
    if np.any(counts):
        bar = figure.colorbar(colours, ax=axes, shrink=0.7, pad=0.12)
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=7, colors=MUTED, length=0)
        bar.ax.get_yaxis().get_major_locator().set_params(integer=True)


def _draw_rolls(axes: Any, rolls: Any) -> None:
    counts = np.array(rolls["counts"])
    width = np.pi / len(counts)
    middle = width * (np.arange(len(counts)) + 0.5)
    for turn in (0.0, np.pi):  # the closing direction is a line: two fingers are alike
        axes.bar(middle + turn, counts, width, color=BLUE, edgecolor="white", lw=0.6)
    axes.set_rticks([])
    title_above(axes, "Closing directions", f"{rolls['occupied']} of {rolls['bins']} rolls occur")
