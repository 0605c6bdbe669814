"""What a family function draws from: sizes, colours and pictures of one instance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

import numpy as np

from syngrasp.objects import labels
from syngrasp.records import F64, U8

T = TypeVar("T")


class Draw:
    """The draws of one instance, in order, from its own random stream.

    Args:
        rng: the instance's stream.
        sizes: name → (low, high) [m] or a plain ratio, from the family's data.
        colors: palette name → sRGB "#rrggbb".
    """

    def __init__(
        self, rng: np.random.Generator, sizes: Mapping[str, Sequence[float]], colors: Mapping[str, Sequence[str]]
    ) -> None:
        self.rng = rng
        self.pictures: list[U8] = []
        self._sizes = {name: float(rng.uniform(low, high)) for name, (low, high) in sizes.items()}
        self._colors = colors

    def __call__(self, name: str) -> float:
        """The size drawn for this instance."""
        return self._sizes[name]

    def pick(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[int(self.rng.integers(len(options)))]

    def hex(self, palette: str) -> str:
        """One colour of a palette as "#rrggbb"."""
        return self.pick(self._colors[palette])

    def color(self, palette: str) -> F64:
        """One colour of a palette, linear."""
        return labels.linear(self.hex(palette))

    def picture(self, image: U8) -> int:
        """Keeps a picture and returns its index for `Part.wrap` and `Part.decal`."""
        self.pictures.append(image)
        return len(self.pictures) - 1
