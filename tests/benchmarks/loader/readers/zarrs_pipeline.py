"""zarr-python with the codec pipeline of zarrs-python, written in Rust; codecs it does not know stay in Python."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.loader.readers import zarr_python

REQUIREMENTS = ("zarrs==0.2.3",)
NAME = "zarr-python with zarrs"
OURS = True  # reads syngrasp's dataset itself
BESIDE_PROJECT = True
COUNT = zarr_python.COUNT


class Reader(zarr_python.Reader):
    """array[i] of every array."""

    def __init__(self, folder: Path) -> None:
        import zarrs  # noqa: F401

        super().__init__(folder, "zarrs.ZarrsCodecPipeline")
