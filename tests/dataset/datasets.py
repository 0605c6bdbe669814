"""Small real datasets, written as `generate` writes them."""

from __future__ import annotations

from typing import Any

from syngrasp import dataset
from syngrasp.records import Slot
from tests.dataset.synthetic import make_episode

RECIPE = {"render": {"kind": "mjwarp", "size": 32}, "layout": {"objects": [1, 8]}}
STAGES = {
    "plan": {"passed": 5, "rejected": {"no_path": 2}},
    "lift": {"passed": 4, "rejected": {"slipped": 1}},
    "render": {"passed": 3, "rejected": {"target_hidden": 1}},
}


def create(root: Any, **changes: Any) -> dataset.DatasetInfo:
    """`dataset.json` of a test's dataset: 2 shards of 4 slots."""
    asked = {"recipe": RECIPE, "catalog_hash": "c0ffee", "seed": 7, "shards": 2, "episodes_per_shard": 4} | changes
    return dataset.create_dataset(root, **asked)


def write_shard(root: Any, shard: int, episodes: int = 3, **kinds: Any) -> dataset.ShardSummary:
    """A finished shard of `episodes` episodes of different lengths, not committed."""
    with dataset.ShardWriter(root, shard, max_objects=4) as writer:
        for k in range(episodes):
            writer.append(make_episode(Slot(shard, k, k % 2), frames=8 + 3 * k, objects=2 + k % 3, **kinds))
        return writer.finish()


def commit(root: Any, summary: dataset.ShardSummary) -> bool:
    """Commits it, with the slot after its last left empty."""
    return dataset.commit_shard(
        root,
        summary,
        stages=STAGES,
        empty_slots=[len(summary.episodes)],
        timings={"plan": 0.5, "render": 2.5},
        renderer={"kind": "synthetic"},
    )


def make_dataset(root: Any, shards: int = 2, **kinds: Any) -> None:
    """A whole dataset with its catalog folder."""
    create(root, shards=shards)
    for shard in range(shards):
        assert commit(root, write_shard(root, shard, **kinds))
    dataset.update_catalog(root)
