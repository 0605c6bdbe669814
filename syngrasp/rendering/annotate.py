"""Labels read off the renderer's own segmentation: exact by construction."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from syngrasp.rendering.labels import BACKGROUND, FIRST_OBJECT, MAX_OBJECTS, ROBOT, TABLE

__all__ = ["BACKGROUND", "FIRST_OBJECT", "MAX_OBJECTS", "ROBOT", "TABLE", "boxes_from_masks"]


@numba.njit(cache=True, fastmath=False, nogil=True)
def _extents(masks: NDArray[np.uint8], boxes: NDArray[np.int32], pixels: NDArray[np.int32]) -> None:
    for image in range(masks.shape[0]):
        for y in range(masks.shape[1]):
            for x in range(masks.shape[2]):
                i = masks[image, y, x] - 3
                if 0 <= i < boxes.shape[1]:
                    box = boxes[image, i]
                    pixels[image, i] += 1
                    box[0] = min(box[0], x)
                    box[1] = min(box[1], y)
                    box[2] = max(box[2], x + 1)
                    box[3] = max(box[3], y + 1)


def boxes_from_masks(masks: NDArray[np.uint8], count: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
    """What is visible of `count` objects in masks (…, H, W).

    Returns boxes (…, count, 4) float32 x0 y0 x1 y1 in pixel edges (x1 and y1 are one past the last pixel), NaN for
    an object out of view, and visible pixels (…, count) int32.
    """
    *lead, height, width = masks.shape
    flat = np.ascontiguousarray(masks).reshape(-1, height, width)
    extents = np.empty((len(flat), count, 4), np.int32)
    extents[...] = (width, height, 0, 0)
    pixels = np.zeros((len(flat), count), np.int32)
    _extents(flat, extents, pixels)
    boxes = np.where((pixels > 0)[..., None], extents, np.nan).astype(np.float32)
    return boxes.reshape(*lead, count, 4), pixels.reshape(*lead, count)
