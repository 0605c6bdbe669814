"""Labels of pictures: what is visible, read off the renderer's own segmentation, and what would be if nothing stood in
the way, from the objects' meshes alone. Both are exact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.records import ObjectModel, Rollout
from syngrasp.rendering.labels import BACKGROUND, FIRST_OBJECT, MAX_OBJECTS, ROBOT, TABLE
from syngrasp.rendering.look import CameraLook
from syngrasp.rendering.rasterize import NEAR, draw
from syngrasp.rendering.surfaces import STILL

__all__ = [
    "BACKGROUND", "FIRST_OBJECT", "MAX_OBJECTS", "ROBOT", "TABLE",
    "Annotations", "annotate", "boxes_from_masks", "impression", "truncated", "visibility",
]  # fmt: skip


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


@dataclass(frozen=True, slots=True, eq=False)
class Annotations:
    """Labels of F frames from C cameras, of N objects."""

    bbox: NDArray[np.float32]  # (F, C, N, 4) visible x0 y0 x1 y1 in pixel edges, NaN out of view
    bbox_full: NDArray[
        np.float32
    ]  # (F, C, N, 4) of the whole object, not clipped; NaN where it reaches behind a camera
    occlusion: NDArray[np.float32]  # (F, C, N) share of its silhouette in the image that is hidden; NaN without any
    truncated: NDArray[np.uint8]  # (F, C, N) 1 where the whole object is not within the image
    pixels: NDArray[np.int32]  # (F, C, N) visible


def annotate(
    rollout: Rollout, models: Sequence[ObjectModel], cameras: Sequence[CameraLook], masks: NDArray[np.uint8]
) -> Annotations:
    """Annotations of masks (F, C, H, W); `models[i]` belongs to object i of the scene."""
    frames, count, height, width = masks.shape
    bbox, pixels = boxes_from_masks(masks, len(models))
    full = np.empty((frames, count, len(models), 4))
    hidden = np.empty((frames, count, len(models)), np.int64)
    T = se3.matrix_from_pose7(rollout.object_pose.astype(np.float64))
    views = [(se3.invert(c.T_base_camera()), c.intrinsics(width, height)) for c in cameras]
    for i, (model, placed) in enumerate(zip(models, rollout.scene.objects, strict=True)):
        points = placed.scale * model.visual.vertices.astype(np.float64)
        for c, (T_camera_base, K) in enumerate(views):
            _follow(
                *(points, model.visual.faces, T_camera_base @ T[:, i], K, masks[:, c], FIRST_OBJECT + i),
                *(full[:, c, i], hidden[:, c, i]),
            )
    full = full.astype(np.float32)
    whole = hidden + pixels
    with np.errstate(invalid="ignore"):
        occlusion = (hidden / np.where(whole, whole, np.nan)).astype(np.float32)
    return Annotations(bbox, full, occlusion, truncated(full, width, height), pixels)


def truncated(full: NDArray[np.float32], width: int, height: int) -> NDArray[np.uint8]:
    """1 where a full box (…, 4) is not within the image; NaN, an object that reaches behind the camera, is not."""
    inside = (full[..., :2] >= 0).all(-1) & (full[..., 2] <= width) & (full[..., 3] <= height)
    return (~inside).astype(np.uint8)


@numba.njit(cache=True, nogil=True)
def _follow(
    points: NDArray[np.float64],
    faces: NDArray[np.int32],
    T_camera_object: NDArray[np.float64],
    K: NDArray[np.float64],
    masks: NDArray[np.uint8],
    label: int,
    full: NDArray[np.float64],
    hidden: NDArray[np.int64],
) -> None:
    """Full boxes (F, 4) and hidden pixels (F,) of one object in masks (F, H, W). Its silhouette is drawn anew only in
    frames in which it has moved by what renderers take for motion."""
    frames, height, width = masks.shape
    radius = np.sqrt((points**2).sum(axis=1).max())
    local = np.empty_like(points)
    cover, inverse_depth = np.zeros((height, width), np.uint8), np.zeros((height, width))
    x0, y0, x1, y1 = 0, 0, 0, 0
    drawn = -1
    for f in range(frames):
        T = T_camera_object[f]
        if drawn >= 0:
            step = T - T_camera_object[drawn]
            shift, turn = np.sqrt((step[:3, 3] ** 2).sum()), np.sqrt((step[:3, :3] ** 2).sum())
        if drawn < 0 or shift + turn * radius > STILL:
            drawn = f
            cover[y0:y1, x0:x1] = 0
            inverse_depth[y0:y1, x0:x1] = 0.0
            _bounds(points, T, K, local, full[f])
            x0, y0, x1, y1 = 0, 0, width, height
            if not np.isnan(full[f, 0]):
                x0, x1 = int(max(0.0, min(full[f, 0], width))), int(max(0.0, min(np.ceil(full[f, 2]), width)))
                y0, y1 = int(max(0.0, min(full[f, 1], height))), int(max(0.0, min(np.ceil(full[f, 3]), height)))
            draw(local, faces, K, 1, cover, inverse_depth)
        else:
            full[f] = full[drawn]
        count = 0
        for y in range(y0, y1):
            for x in range(x0, x1):
                count += cover[y, x] != 0 and masks[f, y, x] != label
        hidden[f] = count


@numba.njit(cache=True, nogil=True)
def _bounds(
    points: NDArray[np.float64],
    T: NDArray[np.float64],
    K: NDArray[np.float64],
    local: NDArray[np.float64],
    box: NDArray[np.float64],
) -> None:
    """Points (V, 3) in camera axes, and the box (4,) around their projection; NaN where one is behind the camera."""
    box[0] = box[1] = np.inf
    box[2] = box[3] = -np.inf
    behind = False
    for v in range(len(points)):
        x, y, z = points[v]
        for axis in range(3):
            local[v, axis] = T[axis, 0] * x + T[axis, 1] * y + T[axis, 2] * z + T[axis, 3]
        if local[v, 2] < NEAR:
            behind = True
            continue
        column = K[0, 0] * local[v, 0] / local[v, 2] + K[0, 2]
        row = K[1, 1] * local[v, 1] / local[v, 2] + K[1, 2]
        box[0], box[2] = min(box[0], column), max(box[2], column)
        box[1], box[3] = min(box[1], row), max(box[3], row)
    if behind:
        box[:] = np.nan


def visibility(pixels: NDArray[np.int32]) -> dict[str, float]:
    """How an object with so many visible pixels (F,) is seen: share of the frames in which it is, least pixels."""
    return {"share": round(float((pixels > 0).mean()), 4), "least": int(pixels.min())}


def impression(image: NDArray[np.uint8]) -> dict[str, float]:
    """An image (H, W, 3) in three figures from 0 to 1: mean brightness (Rec. 709 luma of the stored values), mean
    saturation, and the circular mean of its hue weighted by saturation (HSV; 0 red, ⅓ green)."""
    rgb = image.reshape(-1, 3).astype(np.float64) / 255.0
    high, spread = rgb.max(axis=1), np.ptp(rgb, axis=1)
    saturation = spread / np.maximum(high, 1e-9)
    # The hue as a direction: the colour's place in the plane across the grey axis (its angle is HSV's within 1.2°).
    r, g, b = rgb.T
    plane = (r - 0.5 * (g + b)) + 1j * np.sqrt(0.75) * (g - b)
    direction = plane / np.maximum(np.abs(plane), 1e-12)
    hue = np.angle((saturation * direction).sum()) / (2.0 * np.pi)
    return {
        "brightness": round(float((rgb @ [0.2126, 0.7152, 0.0722]).mean()), 4),
        "hue": round(float(hue % 1.0), 4) % 1.0,
        "saturation": round(float(saturation.mean()), 4),
    }
