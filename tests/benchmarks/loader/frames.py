"""The pictures and states that every reader holds, laid down plainly so that peers' environments need numpy alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

STATES = ("ee_pose", "joint_position", "gripper_width", "action", "bbox")
CAMERAS = ("front", "side")
SIZE = 256


class Frames:
    """JPEGs (F frames × 2 cameras) and packed states (F, S) float32 in a folder."""

    def __init__(self, folder: Path) -> None:
        self._bytes = np.memmap(folder / "jpegs.bin", np.uint8, "r")
        self._ends = np.load(folder / "ends.npy")
        self.state: NDArray[np.float32] = np.load(folder / "state.npy")

    def __len__(self) -> int:
        return len(self.state)

    def jpeg(self, frame: int, camera: int) -> bytes:
        """One picture as it is stored in the dataset."""
        k = 2 * frame + camera
        return self._bytes[self._ends[k - 1] if k else 0 : self._ends[k]].tobytes()

    def state_bytes(self, frame: int) -> bytes:
        """One frame's states, packed."""
        return self.state[frame].tobytes()


def picture_buffer(count: int, offset: int = 16) -> NDArray[np.uint8]:
    """Pictures (count, 2, H, W, 3) that begin `offset` bytes past a multiple of 32.

    libjpeg-turbo writes aligned rows around the cache, which costs a quarter of the time where they are read soon or
    written again; at 16 it does not. Everyone's buffers are at 16, so that no allocator's luck is measured.
    """
    size = count * 2 * SIZE * SIZE * 3
    raw = np.empty(size + 64, np.uint8)
    start = (offset - raw.ctypes.data) % 32
    return raw[start : start + size].reshape(count, 2, SIZE, SIZE, 3)


def pack(sample: Any) -> NDArray[np.float32]:
    """The states of a sample that has them by name, in the order of `STATES`, as one vector (S,)."""
    return np.concatenate([np.ravel(np.asarray(sample[name])) for name in STATES])
