"""Proof that looks vary: spreads of everything drawn, beside the recipe's ranges, and how many looks are alike."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from syngrasp.dataset.statistics.look_figures import CHOICES, NUMBERS, PARTS, Choice, Number
from syngrasp.dataset.statistics.spread import Spread

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
        self._numbers = {name: _Range(name, self._render) for name in NUMBERS}
        self._choices = {name: Counter[str]() for name in CHOICES}
        self._digests = array("Q")
        self._pictures: dict[str, dict[str, Spread]] = {}
        self._hues: dict[str, list[int]] = {}
        self._without, self._otherwise, self._metered = 0, 0, 0

    def add(self, lines: Sequence[Mapping[str, Any]], stored: Sequence[bytes] | None = None) -> None:
        """Takes in episodes' lines, and as they are `stored`, if that is at hand: like looks are written alike.

        Raises LookError where a look lacks something or holds what is no number.
        """
        self._add_pictures(lines)
        looked = [line for line in lines if line.get("look")]
        self._without += len(lines) - len(looked)
        whole = [line for line in looked if not set(PARTS) - set(line["look"])]
        self._otherwise += len(looked) - len(whole)
        try:
            numbers = {name: _all_of(number, whole, self._render) for name, number in NUMBERS.items()}
            choices = {name: Counter(v for line in whole for v in c.of(line["look"])) for name, c in CHOICES.items()}
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise self._why(lines, error) from error
        for name, values in numbers.items():
            self._numbers[name].add(values)
        for name, counts in choices.items():
            self._choices[name].update(counts)
        for line, text in zip(lines, stored or [b""] * len(lines), strict=True):
            if line.get("look") and not set(PARTS) - set(line["look"]):
                written = text.partition(b'"look":')[2] or msgspec.json.encode(line["look"], order="deterministic")
                self._digests.append(int.from_bytes(hashlib.sha256(written).digest()[:8], "little"))

    def _why(self, lines: Sequence[Mapping[str, Any]], error: Exception) -> LookError:
        """Which line it was."""
        for place, line in enumerate(lines):
            try:
                for number in NUMBERS.values():
                    _all_of(number, [line], self._render)
                for choice in CHOICES.values():
                    list(choice.of(line["look"]))
            except (KeyError, IndexError, TypeError, ValueError) as found:
                return LookError(place, f"its look cannot be read ({type(found).__name__}: {found})")
        return LookError(0, f"looks cannot be read ({type(error).__name__}: {error})")

    def _add_pictures(self, lines: Sequence[Mapping[str, Any]]) -> None:
        found: dict[str, list[Mapping[str, float]]] = {}
        for line in lines:
            pictures = line.get("picture") or {}
            self._metered += bool(pictures)
            for camera, picture in pictures.items():
                found.setdefault(camera, []).append(picture)
        for camera, pictures in found.items():
            spreads = self._pictures.setdefault(camera, {name: Spread() for name in PICTURE})
            hues = self._hues.setdefault(camera, [0] * HUES)
            for name in PICTURE:
                spreads[name].add([picture[name] for picture in pictures])
            for picture in pictures:
                if picture["saturation"] >= COLOURLESS:
                    hues[round(HUES * picture["hue"]) % HUES] += 1

    def merge(self, other: LookStats) -> None:
        """Takes in what another has taken in."""
        for name, figure in self._numbers.items():
            figure.merge(other._numbers[name])
        for name, counts in self._choices.items():
            counts.update(other._choices[name])
        self._digests.extend(other._digests)
        for camera, spreads in other._pictures.items():
            mine = self._pictures.setdefault(camera, {name: Spread() for name in PICTURE})
            for name in PICTURE:
                mine[name].merge(spreads[name])
            self._hues[camera] = [
                a + b for a, b in zip(self._hues.get(camera, [0] * HUES), other._hues[camera], strict=True)
            ]
        self._without, self._otherwise = self._without + other._without, self._otherwise + other._otherwise
        self._metered += other._metered

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

    def __init__(self, name: str, render: Mapping[str, Any]) -> None:
        self.name, self.spread = name, Spread()
        self.limits: tuple[float, float] | None = _asked(self.number.limits, render, None)
        self._outside, self._values = 0, set[float]()

    @property
    def number(self) -> Number:
        """The figure: by its name, since functions cannot be sent between processes."""
        return NUMBERS[self.name]

    def add(self, found: NDArray[np.float64]) -> None:
        self.spread.add(found)
        if self.number.whole:
            self._values.update(found.tolist())
        if self.limits:
            low, high = self.limits
            slack = 1e-6 * max(1.0, abs(low), abs(high))  # stored as radians or quaternions
            self._outside += int(np.count_nonzero((found < low - slack) | (found > high + slack)))

    def merge(self, other: _Range) -> None:
        self.spread.merge(other.spread)
        self._values |= other._values
        self._outside += other._outside

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


class LookError(ValueError):
    """A look that cannot be read; `episode` is its place among the lines that were given."""

    def __init__(self, episode: int, problem: str) -> None:
        self.episode = episode
        super().__init__(problem)


def _all_of(number: Number, lines: Sequence[Mapping[str, Any]], render: Mapping[str, Any]) -> NDArray[np.float64]:
    """A figure's values in several lines. Raises ValueError where one is not finite."""
    found = np.array(list(number.of(lines, render)), np.float64)
    if not np.isfinite(found).all():
        raise ValueError("not every number is finite")
    return found


def _asked(of: Callable[[Mapping[str, Any]], T] | None, render: Mapping[str, Any], without: T) -> T:
    """What a recipe says; `without` where it does not know the key."""
    try:
        return without if of is None else of(render["randomize"])
    except KeyError:
        return without
