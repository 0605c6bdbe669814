"""Mean, extremes, quantiles and a histogram of a stream of numbers, in fixed memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 512
FINEST = 2.0**-24
REPORTED_BINS = 40


class Spread:
    """Mean, extremes and quantiles of a stream of numbers in fixed memory; the order of the numbers is of no matter.

    Bins have widths of 2ᵏ aligned at 0 and are joined in pairs whenever a number lies outside.
    """

    def __init__(self) -> None:
        self.count, self.sum = 0, 0.0
        self.min, self.max = np.inf, -np.inf
        self._width = FINEST
        self._bins = np.zeros(2 * BINS, np.int64)  # from −BINS·width to BINS·width

    def add(self, values: Iterable[float] | NDArray[Any]) -> None:
        """Takes in some numbers. Raises ValueError, and takes in none, where one is not finite."""
        array = np.asarray(values if isinstance(values, np.ndarray) else list(values), np.float64).ravel()
        if not array.size:
            return
        if not np.isfinite(array).all():
            raise ValueError("not every number is finite")
        self.count += array.size
        self.sum += float(array.sum())
        self.min, self.max = min(self.min, float(array.min())), max(self.max, float(array.max()))
        self._widen(max(-self.min, self.max))
        place = np.floor(array / self._width).astype(np.int64) + BINS
        self._bins += np.bincount(place, minlength=2 * BINS)

    def _widen(self, reach: float) -> None:
        while reach >= BINS * self._width:
            self._bins = np.pad(self._bins.reshape(-1, 2).sum(1), BINS // 2)
            self._width *= 2.0

    def merge(self, other: Spread) -> None:
        """Takes in what another has taken in."""
        if not other.count:
            return
        self.count, self.sum = self.count + other.count, self.sum + other.sum
        self.min, self.max = min(self.min, other.min), max(self.max, other.max)
        self._widen(max(-self.min, self.max))
        bins, width = other._bins, other._width
        while width < self._width:
            bins, width = np.pad(bins.reshape(-1, 2).sum(1), BINS // 2), 2.0 * width
        self._bins = self._bins + bins

    def quantile(self, q: float) -> float:
        """The value below which a share q lies, to about one bin."""
        ranks = np.cumsum(self._bins)
        k = int(np.searchsorted(ranks, q * self.count))
        inside = (q * self.count - (ranks[k] - self._bins[k])) / max(1, self._bins[k])
        value = (k - BINS + float(np.clip(inside, 0.0, 1.0))) * self._width
        return float(np.clip(value, self.min, self.max))

    def as_json(self) -> dict[str, Any]:
        """Figures, and a histogram of at most REPORTED_BINS bins from the lowest to the highest in use."""
        if not self.count:
            return {"count": 0}
        bins, width = self._bins, self._width
        while np.ptp(np.flatnonzero(bins)) >= REPORTED_BINS:
            bins, width = bins.reshape(-1, 2).sum(1), 2.0 * width
        used = np.flatnonzero(bins)
        first, last = int(used[0]), int(used[-1])
        return {
            "count": self.count,
            "mean": self.sum / self.count,
            "min": self.min,
            "max": self.max,
            **{f"p{round(100 * q):02d}": self.quantile(q) for q in (0.05, 0.25, 0.5, 0.75, 0.95)},
            "histogram": {
                "start": (first - len(bins) // 2) * width,
                "width": width,
                "counts": bins[first : last + 1].tolist(),
            },
        }
