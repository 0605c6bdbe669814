"""What must hold for an episode's pictures, masks, depths and boxes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.dataset.quality.problems import Finding, Found
from syngrasp.dataset.quality.states import QUATERNION_TOLERANCE, States, worst
from syngrasp.dataset.shard_array import ShardArray

BOX_TOLERANCE = 1.0  # [px] between a box and its mask
BLACK, WHITE = 8, 247  # a picture that is nowhere brighter, or nowhere darker
STILL, MOVED = 3, 0.05  # frames and [m] of the hand over which pictures may not stand still
FARTHEST = 30.0  # [m]


def check_cameras(cameras: States, image_shape: tuple[int, ...]) -> Found:
    """Calibration: pinhole matrices and rigid transforms."""
    K, T = cameras["camera_intrinsics"].astype(np.float64), cameras["T_base_camera"].astype(np.float64)
    for name, values in cameras.items():
        if not np.isfinite(values).all():
            yield Finding("calibration", name, "not finite")
            return
    height, width = image_shape
    centre_inside = (K[:, 0, 2] > 0) & (K[:, 0, 2] < width) & (K[:, 1, 2] > 0) & (K[:, 1, 2] < height)
    focal = (K[:, 0, 0] > 0) & (K[:, 1, 1] > 0)
    if not ((K[:, 2] == [0.0, 0.0, 1.0]).all() and centre_inside.all() and focal.all()):
        yield Finding("calibration", "camera_intrinsics", "is no pinhole matrix of the stored image")
    R = T[:, :3, :3]
    rigid = np.abs(R @ np.swapaxes(R, -1, -2) - np.eye(3)).max() < QUATERNION_TOLERANCE and (np.linalg.det(R) > 0).all()
    if not rigid or (T[:, 3] != [0.0, 0.0, 0.0, 1.0]).any():
        yield Finding("calibration", "T_base_camera", "is no rigid transform")


def check_target(bbox: NDArray[Any], target: int, require: str) -> Found:
    """The target has a box in the first frame: in one camera, or in `all` of them."""
    seen = ~np.isnan(bbox[0, :, target, 0])
    if not (seen.all() if require == "all" else seen.any()):
        yield Finding("hidden_target", "bbox", f"{require} camera has to see the target at the start: {seen.tolist()}")


def check_pictures(arrays: Mapping[str, ShardArray], frames: range, states: States, objects: int) -> Found:
    """Pictures decode, are not blank, differ between cameras and move with the robot; masks are those of the boxes."""
    height, width = arrays["images"].shape[2:4]
    buffers = {n: np.empty(a.shape[1:], a.dtype) for n, a in arrays.items() if n in ("images", "masks", "depth")}
    bbox = states.get("bbox")
    if bbox is not None:
        yield from _check_inside(bbox[:, :, :objects], width, height)
    for k, frame in enumerate(frames):
        for name, buffer in buffers.items():
            try:
                arrays[name].row(frame, buffer)
            except ValueError as error:
                yield Finding("decode", name, f"frame {k} does not decode: {error}")
                return
        yield from _check_images(buffers["images"], k)
        if "masks" in buffers and bbox is not None:
            yield from _check_masks(buffers["masks"], bbox[k], objects, k)
        if "depth" in buffers:
            yield from _check_depth(buffers["depth"], buffers.get("masks"), k)
    yield from _check_motion(arrays["images"], frames, states["ee_pose"])


def _check_images(images: NDArray[np.uint8], k: int) -> Found:
    for c, image in enumerate(images):
        low, high = int(image.min()), int(image.max())
        told = "all of one colour" if low == high else "black" if high <= BLACK else "blown out" if low >= WHITE else ""
        if told:
            yield Finding("image", "images", f"frame {k}, camera {c} is {told}")
    for c in range(1, len(images)):
        if np.array_equal(images[0], images[c]):
            yield Finding("image_repeat", "images", f"frame {k}: camera {c} has the picture of camera 0")


def _check_motion(images: ShardArray, frames: range, ee_pose: NDArray[Any]) -> Found:
    """Stored pictures change while the hand moves."""
    last = 0
    for k in range(1, len(frames)):
        if bytes(images.chunk(frames[k])) != bytes(images.chunk(frames[k - 1])):
            last = k
        elif k - last >= STILL and np.linalg.norm(ee_pose[k, :3] - ee_pose[last, :3]) > MOVED:
            yield Finding("frozen", "images", f"stand still from frame {last} to {k}, while the hand moves")
            return


def _check_depth(depth: NDArray[np.uint16], masks: NDArray[np.uint8] | None, k: int) -> Found:
    for c, picture in enumerate(depth):
        if picture.max() > 1000.0 * FARTHEST:
            yield Finding("depth", "depth", f"frame {k}, camera {c}: {picture.max() / 1000.0:.1f} m")
        if masks is not None and (picture[masks[c] > 0] == 0).any():
            yield Finding("depth", "depth", f"frame {k}, camera {c}: something that is seen is nowhere")


def check_extents(states: States, image_shape: tuple[int, ...], objects: int) -> Found:
    """Full boxes hold what is visible, truncation says whether they leave the image, and what is hidden is a share."""
    height, width = image_shape
    bbox, full = states["bbox"][:, :, :objects], states["bbox_full"][:, :, :objects]
    occlusion, truncated = states["occlusion"][:, :, :objects], states["truncated"][:, :, :objects]
    with np.errstate(invalid="ignore"):
        outside = np.maximum(full[..., :2] - bbox[..., :2], bbox[..., 2:] - full[..., 2:]).max(-1) > BOX_TOLERANCE
        empty = np.asarray((full[..., :2] >= full[..., 2:]).any(-1))
        leaves = ~((full[..., :2] >= 0).all(-1) & (full[..., 2] <= width) & (full[..., 3] <= height))
        no_share = (occlusion < 0.0) | (occlusion > 1.0)
        apart = (full[..., 0] >= width) | (full[..., 1] >= height) | (full[..., 2:] <= 0).any(-1)
        seen = ~np.isnan(bbox[..., 0])
        hidden, shown = seen & ~(occlusion < 1.0), ~seen & (occlusion < 1.0)
    beyond = states["truncated"][:, :, objects:] > 0
    for kind, array, wrong, what in (
        ("box_full", "bbox_full", empty, "a box is empty"),
        ("box_full", "bbox_full", outside, "does not hold the visible box"),
        ("truncated", "truncated", truncated != leaves, "does not say whether bbox_full leaves the image"),
        ("truncated", "truncated", beyond, f"values beyond the scene's {objects} objects"),
        ("occlusion", "occlusion", no_share, "is not within 0 and 1"),
        ("occlusion", "occlusion", hidden, "says that nothing is visible, where there is a box,"),
        ("occlusion", "occlusion", shown, "says that something is visible, where there is no box,"),
        ("occlusion", "occlusion", apart & ~seen & ~np.isnan(occlusion), "of an object that is outside the image"),
    ):
        if wrong.any():
            yield Finding(kind, array, f"{what} in frame {worst(wrong)}")


def _check_inside(bbox: NDArray[Any], width: int, height: int) -> Found:
    seen = ~np.isnan(bbox[..., 0])
    x0, y0, x1, y1 = np.moveaxis(bbox, -1, 0)
    with np.errstate(invalid="ignore"):
        inside = (x0 >= 0) & (y0 >= 0) & (x1 <= width) & (y1 <= height) & (x0 < x1) & (y0 < y1)
    if (seen & ~inside).any():
        what = f"a box is empty or reaches out of the image in frame {worst(seen & ~inside)}"
        yield Finding("box", "bbox", what)


def _check_masks(masks: NDArray[np.uint8], bbox: NDArray[Any], objects: int, k: int) -> Found:
    for c, mask in enumerate(masks):
        pixels = np.bincount(mask.ravel(), minlength=256)
        if pixels[3 + objects :].any():
            what = f"frame {k}, camera {c} has labels beyond the scene's {objects} objects"
            yield Finding("mask", "masks", what)
        for i in range(objects):
            box, where = bbox[c, i], f"frame {k}, camera {c}, object {i}"
            if not pixels[3 + i] and np.isnan(box[0]):
                continue
            if not pixels[3 + i] or np.isnan(box[0]):
                yield Finding("box_mask", "bbox", f"{where}: a box without a mask, or a mask without a box")
                continue
            error = np.abs(box - _extent(mask == 3 + i)).max()
            if error > BOX_TOLERANCE:
                yield Finding("box_mask", "bbox", f"{where}: {error:.1f} px away from the extent of its mask")


def _extent(pixels: NDArray[np.bool_]) -> NDArray[np.float64]:
    """x0 y0 x1 y1, pixel edges, of a mask that is not empty."""
    columns, rows = np.flatnonzero(pixels.any(0)), np.flatnonzero(pixels.any(1))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float64)
