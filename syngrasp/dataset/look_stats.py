"""Proof that looks vary: spreads of everything drawn, beside the recipe's ranges, and how many looks are alike."""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import numpy as np

from syngrasp.dataset.look_figures import CHOICES, NUMBERS, PARTS, Choice, Number
from syngrasp.dataset.spread import Spread

T = TypeVar("T")

HUES = 12  # equal parts of the colour circle, the first around red, the fifth around green
COLOURLESS = 0.05  # a picture of less saturation has no hue
PICTURE = ("brightness", "saturation")


class LookStats:
    """Takes in the lines of episodes, one after the other. `recipe` is that of the dataset.

    Memory: 8 bytes per episode, and a fixed amount.
    """

    def __init__(self, recipe: Mapping[str, Any]) -> None:
        self._render: dict[str, Any] = {"randomize": {}, "cameras": {}} | dict(recipe.get("render", {}))
        self._numbers = {name: _Range(number, self._render) for name, number in NUMBERS.items()}
        self._choices = {name: Counter[str]() for name in CHOICES}
        self._digests = array("Q")
        self._pictures: dict[str, dict[str, Spread]] = {}
        self._hues: dict[str, list[int]] = {}
        self._without, self._otherwise, self._metered = 0, 0, 0

    def add(self, line: Mapping[str, Any]) -> None:
        """Takes in one episode's line. Raises ValueError where its look lacks something or holds what is no number."""
        self._add_pictures(line.get("picture", {}))
        look = line["look"]
        if not look:
            self._without += 1
            return
        if set(PARTS) - set(look):
            self._otherwise += 1
            return
        try:
            numbers = {name: list(number.of(line, self._render)) for name, number in NUMBERS.items()}
            choices = {name: list(choice.of(look)) for name, choice in CHOICES.items()}
        except (KeyError, IndexError, TypeError) as error:
            raise ValueError(f"its look cannot be read ({type(error).__name__}: {error})") from error
        for name, values in numbers.items():
            self._numbers[name].add(values)
        for name, values in choices.items():
            self._choices[name].update(values)
        text = json.dumps(look, sort_keys=True).encode()
        self._digests.append(int.from_bytes(hashlib.sha256(text).digest()[:8], "little"))

    def _add_pictures(self, pictures: Mapping[str, Any]) -> None:
        self._metered += bool(pictures)
        for camera, picture in pictures.items():
            spreads = self._pictures.setdefault(camera, {name: Spread() for name in PICTURE})
            hues = self._hues.setdefault(camera, [0] * HUES)
            for name in PICTURE:
                spreads[name].add([picture[name]])
            if picture["saturation"] >= COLOURLESS:
                hues[round(HUES * picture["hue"]) % HUES] += 1

    def as_json(self) -> dict[str, Any]:
        """JSON-able figures, `outside` naming all that is outside the recipe."""
        numbers = {name: figure.as_json() for name, figure in self._numbers.items()}
        choices = {name: self._choice(name, CHOICES[name]) for name in CHOICES}
        outside = [f"{name}: {told}" for name, figure in self._numbers.items() if (told := figure.told_outside())]
        outside += [
            f"{name}: {', '.join(found)} is not in the recipe"
            for name, choice in choices.items()
            if (found := choice["outside"])
        ]
        digests = np.frombuffer(self._digests, np.uint64)
        return {
            "episodes": len(digests),
            "without_look": self._without,
            "of_another_layout": self._otherwise,
            "same_look": len(digests) - len(np.unique(digests)),
            "numbers": numbers,
            "choices": choices,
            "outside": outside,
            "pictures": {
                "episodes": self._metered,
                "cameras": {
                    camera: {**{name: spread.as_json() for name, spread in spreads.items()}, "hues": self._hues[camera]}
                    for camera, spreads in self._pictures.items()
                },
            },
        }

    def _choice(self, name: str, choice: Choice) -> dict[str, Any]:
        counts = dict(sorted(self._choices[name].items(), key=lambda item: (-item[1], item[0])))
        weights = {value: share for value, share in _asked(choice.weights, self._render, {}).items() if share > 0.0}
        return {
            "counts": counts,
            "weights": weights,
            "exact": choice.exact,
            "missing": [value for value in weights if value not in counts],
            "outside": [value for value in counts if weights and value not in weights],
        }


class _Range:
    """A figure's spread and how it lies in its range of the recipe."""

    def __init__(self, number: Number, render: Mapping[str, Any]) -> None:
        self.number, self.spread = number, Spread()
        self.limits: tuple[float, float] | None = _asked(number.limits, render, None)
        self._outside, self._values = 0, set[float]()

    def add(self, values: Iterable[float]) -> None:
        found = [float(value) for value in values]
        self.spread.add(found)
        if self.number.whole:
            self._values.update(found)
        if self.limits:
            low, high = self.limits
            slack = 1e-6 * max(1.0, abs(low), abs(high))  # stored as radians or quaternions
            self._outside += sum(not low - slack <= value <= high + slack for value in found)

    def told_outside(self) -> str:
        """What lies outside, empty if nothing does."""
        if not self._outside or not self.limits:
            return ""
        low, high = self.limits
        reach = f"{self.spread.min:.4g} … {self.spread.max:.4g}"
        return f"{self._outside} of {self.spread.count} values outside {low:g} … {high:g} (they reach {reach})"

    def as_json(self) -> dict[str, Any]:
        return {
            "unit": self.number.unit,
            "whole": self.number.whole,
            "range": list(self.limits) if self.limits else None,
            "outside": self._outside,
            "covered": self._covered(),
            **self.spread.as_json(),
        }

    def _covered(self) -> float | None:
        """Share of the range between the least and the greatest value; of whole numbers, the share that occurs.

        What is drawn in a ball is rarely near its centre: the share of its radius that is reached.
        """
        if not self.limits or not self.spread.count:
            return None
        low, high = self.limits
        if self.number.whole:
            there = [value for value in self._values if low <= value <= high]
            return len(there) / (high - low + 1)
        if high == low:
            return 1.0
        least = low if self.number.central else max(self.spread.min, low)
        return (min(self.spread.max, high) - least) / (high - low)


def _asked(of: Callable[[Mapping[str, Any]], T] | None, render: Mapping[str, Any], without: T) -> T:
    """What a recipe says; `without` where it does not know the key."""
    try:
        return without if of is None else of(render["randomize"])
    except KeyError:
        return without
