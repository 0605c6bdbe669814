"""What several tests of this folder read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.dataset.datasets import make_dataset


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two committed shards of three episodes with masks and depth. Read only."""
    root = tmp_path_factory.mktemp("small") / "dataset"
    make_dataset(root)
    return root
