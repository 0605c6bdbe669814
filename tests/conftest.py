"""Fixtures that several parts of the tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def objaverse_cache() -> Path:
    """The scanned household objects in the layout of Objaverse's cache, where this machine has them."""
    cache = REPOSITORY.parent / "shared" / "assets" / "objaverse_cache"
    if not cache.is_dir():
        pytest.skip(f"no scanned meshes at {cache}: put an Objaverse cache there to run this test")
    return cache
