"""Colours and letters of the pictures of a dataset's statistics."""

from __future__ import annotations

from typing import Any

INK, MUTED, GRID = "#1f2933", "#7b8794", "#e4e7eb"
BLUE, GREEN = "#2f6db5", "#3a9d6a"
REJECTED = ("#d9534f", "#e8894a", "#edb458", "#b56576", "#6d597a", "#8f8f8f")

TITLE: dict[str, Any] = {"color": INK, "fontsize": 11, "fontweight": "bold"}
NOTE: dict[str, Any] = {"color": MUTED, "fontsize": 8}


def title(axes: Any, text: str, note: str) -> None:
    """A title on the left over a picture, and on the right what it comes to."""
    axes.set_title(text, loc="left", **TITLE)
    axes.set_title(note, loc="right", **NOTE)


def title_above(axes: Any, text: str, note: str) -> None:
    """A title in the middle over a round picture, and under it what it comes to."""
    axes.set_title(f"{text}\n", pad=14, **TITLE)
    axes.text(0.5, 1.12, note, transform=axes.transAxes, ha="center", **NOTE)
