"""Tiny catalogs made by hand."""

from __future__ import annotations

from pathlib import Path

from syngrasp.objects.catalog import write_catalog, write_object
from tests.physics.shapes import box, cylinder

MODELS = (
    box(0.05, 0.04, 0.08, "box-0", "box"),
    box(0.09, 0.03, 0.05, "box-1", "box"),
    cylinder(0.03, 0.1, uid="can-0", category="can"),
    cylinder(0.025, 0.04, 12, uid="candle-0", category="candle"),
    box(0.14, 0.03, 0.03, "bar-0", "chocolate bar"),
)


def small_catalog(folder: Path) -> str:
    """A catalog of five plain objects in four categories; returns its path."""
    write_catalog(folder, [write_object(folder, model) for model in MODELS])
    return str(folder)
