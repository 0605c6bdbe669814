"""Starting Warp: which device, and silence."""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

import warp as wp

from syngrasp.errors import SyngraspError, UnknownName


def start_warp(device: str, option: str) -> None:
    """Starts Warp for the device that an option of the recipe names, without its banner.

    Its kernel cache may be shared by processes: it renames finished folders.
    """
    wp.config.log_level = max(wp.config.log_level, wp.LOG_WARNING)
    with _silent_stderr() if not _has_cuda_driver() else nullcontext():
        wp.init()
    if device not in ("cpu", "cuda"):
        raise UnknownName("device", device, ("cpu", "cuda"))
    if device == "cuda" and not wp.is_cuda_available():
        raise SyngraspError(f"{option} cuda: no CUDA device found; valid here: cpu")


def _has_cuda_driver() -> bool:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        return False
    return True


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Discards what native code writes: Warp warns on stderr of every machine without a CUDA driver."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
