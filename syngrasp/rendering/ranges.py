"""What sections of a recipe that name ranges have in common."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from syngrasp.rendering.look import Vec3

Rng = np.random.Generator
Positive = Annotated[float, Field(ge=0)]
AboveZero = Annotated[float, Field(gt=0)]
Share = Annotated[float, Field(ge=0, le=1)]
Range = tuple[Positive, Positive]
"""Lower and upper bound."""
Signed = tuple[float, float]
Shares = tuple[Share, Share]
Kelvin = Annotated[float, Field(ge=1667, le=25000)]
"""What blackbody.py has colours for."""
Family = Literal[
    "brick", "checker", "concrete", "fabric", "granite", "leather", "marble", "metal", "noise", "paper", "picture",
    "plain", "stripes", "terrazzo", "tiles", "wood",
]  # fmt: skip
"""Of textures: the names in texture/families.py."""
Count = tuple[Annotated[int, Field(ge=0, le=64)], Annotated[int, Field(ge=0, le=64)]]


class Ranges(BaseModel):
    """A frozen section. Pairs of numbers are a lower and an upper bound; equal bounds fix a value."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="after")
    def _ordered(self) -> Ranges:
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, tuple) and len(value) == 2 and not isinstance(value[0], str) and value[0] > value[1]:
                raise ValueError(f"{name}: lower bound {value[0]} above upper bound {value[1]}")
        return self


def count(rng: Rng, bounds: tuple[int, int]) -> int:
    """A whole number within bounds, both included."""
    return int(rng.integers(bounds[0], bounds[1] + 1))


def vec(x: Any) -> Vec3:
    """Three plain numbers."""
    a, b, c = (float(v) for v in x)
    return a, b, c
