"""`syngrasp stats`: the part about looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syngrasp.cli.output import figure, print_pairs, print_table

QUANTILES = ("min", "p05", "p50", "p95", "max")
HUE_NAMES = ("red", "orange", "yellow", "lime", "green", "sea", "cyan", "azure", "blue", "violet", "magenta", "rose")


def print_looks(looks: Mapping[str, Any]) -> None:
    """What varies beside the recipe's ranges, names that were drawn, what cameras saw, and how many looks are alike."""
    if looks["episodes"]:
        rows = [_number_row(name, number) for name, number in looks["numbers"].items() if number["count"]]
        print_table(["look", "unit", "recipe", "min", "5 %", "median", "95 %", "max", "covered", "outside"], rows)
        print()
        print_pairs({name: _drawn(choice) for name, choice in looks["choices"].items() if choice["counts"]})
        print()
    _print_pictures(looks["pictures"], looks["episodes"])
    print_pairs(
        {
            "looks": _counted(looks),
            "episodes with the same look": looks["same_look"],
            "outside the recipe's ranges": "; ".join(looks["outside"]) or "none",
        }
    )


def _counted(looks: Mapping[str, Any]) -> str:
    told = [f"{looks['episodes']} episodes"]
    if looks["without_look"]:
        told.append(f"{looks['without_look']} have none (render.kind=none)")
    if looks["of_another_layout"]:
        told.append(f"{looks['of_another_layout']} have one of another layout, not counted here")
    return ", ".join(told)


def _number_row(name: str, number: Mapping[str, Any]) -> list[str]:
    limits, covered = number["range"], number["covered"]
    return [
        name,
        number["unit"],
        f"{limits[0]:.4g} … {limits[1]:.4g}" if limits else "-",
        *(figure(round(number[key]) if number["whole"] else number[key]) for key in QUANTILES),
        "-" if covered is None else f"{100 * covered:.0f} %",
        str(number["outside"]) if limits else "-",
    ]


def _drawn(choice: Mapping[str, Any]) -> str:
    """Shares of the names that were drawn, the recipe's weights in brackets."""
    total, weights = sum(choice["counts"].values()), choice["weights"]
    told = [
        f"{value} {100 * count / total:.0f} %"
        + (f" ({100 * weights[value]:.0f})" if choice["exact"] and value in weights else "")
        for value, count in choice["counts"].items()
    ]
    return ", ".join(told) + (f"; never {', '.join(choice['missing'])}" if choice["missing"] else "")


def _print_pictures(pictures: Mapping[str, Any], episodes: int) -> None:
    if not pictures["episodes"]:
        if episodes:
            print_pairs({"brightness and hue of pictures": "not recorded in this dataset"})
        return
    rows = []
    for camera, picture in pictures["cameras"].items():
        for name in ("brightness", "saturation"):
            spread = picture[name]
            rows.append([f"{camera} {name}", *(figure(spread[key]) for key in QUANTILES), "-"])
        hues = picture["hues"]
        found = ", ".join(f"{hue} {count}" for hue, count in zip(HUE_NAMES, hues, strict=True) if count)
        rows.append([f"{camera} hue", "-", "-", "-", "-", "-", found])
    print_table(["picture", "min", "5 %", "median", "95 %", "max", "hues"], rows)
    print()
