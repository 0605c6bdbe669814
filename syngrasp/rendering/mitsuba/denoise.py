"""Open Image Denoise on one CPU thread: a pipe from noisy light to clean light."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from syngrasp.errors import MissingExtra

F32 = NDArray[np.float32]
EDGE = 16
"""A filter's images have edges of a multiple of this: few sizes, so that filters are used again [px]."""

_KEPT = 64


class Denoiser:
    """Removes Monte Carlo noise from linear images, guided by the first surfaces' albedo and normal (Áfra, OIDN)."""

    def __init__(self, threads: int = 1) -> None:
        """Raises `MissingExtra` without pyoidn."""
        try:
            import pyoidn
        except ImportError as error:
            raise MissingExtra("Open Image Denoise", "photoreal") from error
        self._oidn = pyoidn
        self._device = pyoidn.Device(pyoidn.OIDN_DEVICE_TYPE_CPU)
        self._device.set_int("numThreads", threads)
        self._device.set_bool("setAffinity", False)
        self._device.commit()
        self._filters: dict[tuple[int, int, str], tuple[Any, dict[str, F32]]] = {}

    def __call__(self, color: F32, albedo: F32, normal: F32, quality: str) -> F32:
        """The clean image (H, W, 3) of a noisy one; albedo in [0, 1] and normal in [−1, 1] of the same shape."""
        height, width = color.shape[:2]
        shape = (-(-height // EDGE) * EDGE, -(-width // EDGE) * EDGE)
        handle, images = self._filter(*shape, quality)
        margin = ((0, shape[0] - height), (0, shape[1] - width), (0, 0))
        for name, values in (("color", color), ("albedo", albedo), ("normal", normal)):
            images[name][...] = np.pad(values, margin, mode="edge")
        handle.execute()
        problem = self._device.get_error()
        if problem:
            raise RuntimeError(f"Open Image Denoise: {problem}")
        return images["output"][:height, :width].copy()

    def _filter(self, height: int, width: int, quality: str) -> tuple[Any, dict[str, F32]]:
        key = (height, width, quality)
        if key not in self._filters:
            if len(self._filters) >= _KEPT:
                self._filters.pop(next(iter(self._filters)))[0].release()
            images = {
                name: np.zeros((height, width, 3), np.float32) for name in ("color", "albedo", "normal", "output")
            }
            handle = self._oidn.Filter(self._device)
            for name, image in images.items():
                handle.set_image(name, image, self._oidn.OIDN_FORMAT_FLOAT3, width, height)
            handle.set_bool("hdr", True)
            handle.set_bool("cleanAux", True)
            handle.set_quality(getattr(self._oidn, f"OIDN_QUALITY_{quality.upper()}"))
            handle.commit()
            self._filters[key] = (handle, images)
        self._filters[key] = self._filters.pop(key)
        return self._filters[key]

    def close(self) -> None:
        """Frees the filters and the device."""
        for handle, _ in self._filters.values():
            handle.release()
        self._filters.clear()
        self._device.release()


def regions(mask: NDArray[np.bool_], border: int) -> list[tuple[tuple[slice, slice], NDArray[np.bool_]]]:
    """The islands of a mask (H, W): the rows and columns around each, at least `border` wider, and its pixels there.

    Islands that are nearer than twice the border are one. They cover less than a box around all of them.
    """
    spread: Any = ndimage.maximum_filter(mask, 2 * border + 1)
    labelled: Any = ndimage.label(spread)
    islands, count = labelled
    if not count:
        return []
    return [(box, mask[box] & (islands[box] == k)) for k, box in enumerate(ndimage.find_objects(islands), start=1)]
