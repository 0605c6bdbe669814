"""Small real datasets for the tests of this folder."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from synthetic import make_episode

from syngrasp import dataset
from syngrasp.records import Slot

RECIPE = {"render": {"kind": "mjwarp", "size": 32}, "layout": {"objects": [1, 8]}}
STAGES = {
    "plan": {"passed": 3, "rejected": {"no_path": 2}},
    "lift": {"passed": 3, "rejected": {"slipped": 1}},
}


def create(root: Any, shards: int = 2, episodes_per_shard: int = 3) -> Any:
    """`dataset.json` of a test's dataset."""
    return dataset.create_dataset(
        root, recipe=RECIPE, catalog_hash="c0ffee", seed=7, shards=shards, episodes_per_shard=episodes_per_shard
    )


def write_shard(root: Any, shard: int, episodes: int = 3, **kinds: Any) -> bool:
    """Writes and commits a shard of `episodes` episodes of different lengths, the slot after them left empty."""
    with dataset.ShardWriter(root, shard, max_objects=4) as writer:
        for k in range(episodes):
            writer.append(make_episode(Slot(shard, k, k % 2), frames=8 + 3 * k, objects=2 + k % 3, **kinds))
        summary = writer.finish()
    return dataset.commit_shard(
        root, summary, stages=STAGES, empty_slots=[episodes], timings={"plan": 0.5}, renderer={"kind": "synthetic"}
    )


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Two committed shards of three episodes, with masks and depth, and the catalog folder."""
    root = tmp_path / "small"
    create(root)
    for shard in range(2):
        assert write_shard(root, shard)
    dataset.update_catalog(root)
    return root
