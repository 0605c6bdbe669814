"""Statistics that LeRobot keeps of every episode and of the whole dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

QUANTILES = (0.01, 0.10, 0.50, 0.90, 0.99)


def summarize(values: NDArray[Any]) -> dict[str, list[float]]:
    """min, max, mean, std, count and quantiles of values (n, d), each (d,)."""
    numbers = values.astype(np.float64)
    found = {
        "min": numbers.min(0),
        "max": numbers.max(0),
        "mean": numbers.mean(0),
        "std": numbers.std(0),
        "count": np.array([len(numbers)]),
    }
    found |= {
        f"q{round(100 * q):02d}": v for q, v in zip(QUANTILES, np.quantile(numbers, QUANTILES, axis=0), strict=True)
    }
    return {name: value.tolist() for name, value in found.items()}


def episode_stats(columns: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """Of every column (F, …) of an episode."""
    return {name: summarize(values.reshape(len(values), -1)) for name, values in columns.items()}


def aggregate(episodes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Of all episodes from each one's. Quantiles cannot be had exactly of quantiles: theirs are averaged by length."""
    found: dict[str, Any] = {}
    for name in episodes[0]:
        parts = {key: np.array([e[name][key] for e in episodes], np.float64) for key in episodes[0][name]}
        counts = parts["count"].reshape(len(episodes), *(1,) * (parts["mean"].ndim - 1))
        total = counts.sum(0)
        mean = (parts["mean"] * counts).sum(0) / total
        variance = ((parts["std"] ** 2 + (parts["mean"] - mean) ** 2) * counts).sum(0) / total
        merged = {"min": parts["min"].min(0), "max": parts["max"].max(0), "mean": mean, "std": np.sqrt(variance)}
        merged["count"] = parts["count"].sum(0).astype(np.int64)
        merged |= {key: (parts[key] * counts).sum(0) / total for key in parts if key not in merged}
        found[name] = {key: value.tolist() for key, value in merged.items()}
    return found
