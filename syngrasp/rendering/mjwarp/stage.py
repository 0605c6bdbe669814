"""What the ray tracer's passes hand on to one another: device arrays and their sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import warp as wp
from numpy.typing import NDArray

from syngrasp.rendering.mjwarp import types
from syngrasp.rendering.mjwarp.packing import PlacedShape


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """What the kernels of every frame read."""

    width: int
    height: int
    moving: list[PlacedShape]
    windows: NDArray[np.int32]  # (F, C, K, 4)
    lights: int
    rows: NDArray[Any]  # (C,) Camera rows
    world: wp.array  # (1,) types.World
    still: wp.array  # (1, K) Instance
    cameras: wp.array  # (C,) Camera
    light: Any  # types.StillLayer
    layer: wp.array  # (1,) of it
    kept: Any  # the World: its arrays live as long as it does


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What the cameras see in a batch of frames: device arrays (F, C, …)."""

    span: slice
    placed: wp.array  # (F, K) Instance
    views: wp.array
    hits: wp.array
    masks: wp.array
    depth: wp.array


@dataclass(frozen=True, slots=True, eq=False)
class Buffers:
    """Device memory that batches of frames share: F frames, C cameras, L lamps."""

    balls: wp.array  # (C, tiles)
    tile_masks: wp.array  # (F, C, tiles, L + 1)
    part_masks: wp.array  # (F, K, L + 1)
    shares: wp.array  # (F, C, grid, L + 1)
    smoothed: wp.array
    reflected: wp.array  # (F, C, grid) what polished surfaces show of moving parts
    mirrors: wp.array  # the same, spread
    fine: wp.array  # (F, C, samples) light
    linear: wp.array  # (F, C, P) light
    scratch: wp.array
    most: wp.array  # (C,)
    images: wp.array  # (F, C, P, 3)


def empty_layer(cameras: int, pixels: int, lights: int, device: str) -> Any:
    """A types.StillLayer of nothing."""
    layer = types.StillLayer()
    places = (cameras, pixels)
    layer.label = wp.zeros(places, dtype=wp.uint8, device=device)  # type: ignore[arg-type]
    for name in ("t", "open", "roughness"):
        setattr(layer, name, wp.zeros(places, dtype=float, device=device))
    for name in ("normal", "ambient", "total", "gloss", "shown", "taken", "change"):
        setattr(layer, name, wp.zeros(places, dtype=wp.vec3, device=device))
    layer.light = wp.zeros((*places, lights), dtype=wp.vec3, device=device)
    layer.seen = wp.zeros((*places, lights), dtype=float, device=device)
    return layer
