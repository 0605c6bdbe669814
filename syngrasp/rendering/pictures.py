"""What every renderer is and gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from syngrasp.records import ObjectModel, Rollout
from syngrasp.rendering.look import Look


@dataclass(frozen=True, slots=True, eq=False)
class Pictures:
    """What the cameras saw: F frames, C cameras."""

    images: NDArray[np.uint8]  # (F, C, H, W, 3)
    masks: NDArray[np.uint8]  # (F, C, H, W), see labels.py
    depth: NDArray[np.uint16]  # (F, C, H, W) [mm] along the optical axis, 0 where nothing is hit


Accept = Callable[[NDArray[np.uint8]], bool]
"""Is shown the masks (C, H, W) of the first frame, and says whether the rest is wanted."""


class Renderer(Protocol):
    """Renders rollouts. It may keep meshes between calls, but nothing that changes a picture."""

    def render(
        self, rollout: Rollout, models: Sequence[ObjectModel], look: Look, accept: Accept | None = None
    ) -> Pictures | None:
        """All frames of a rollout from all cameras of a look; `models[i]` belongs to object i of the scene.

        `accept` is asked before anything costly is done for the rest; None when it says no.
        """
        ...

    def describe(self) -> dict[str, Any]:
        """What made the pictures, for the records: kind, variant, device. JSON values."""
        ...

    def close(self) -> None:
        """Frees buffers and ends processes."""
        ...
