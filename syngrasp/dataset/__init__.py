"""Datasets on disk or in a bucket: writing, committing, reading, checking and looking at them.

Names are imported when first used: `syngrasp.dataset.open(path)`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from syngrasp.dataset.attribution import update_catalog
    from syngrasp.dataset.commits import (
        Commit,
        DatasetInfo,
        commit_shard,
        committed_shards,
        create_dataset,
        forget_empty,
        is_committed,
        open_info,
        read_commit,
        read_commits,
        recipe_hash,
    )
    from syngrasp.dataset.episodes import STATES, episode_line, rollout_from, scene_from_line
    from syngrasp.dataset.failures import (
        clear_quarantine,
        list_quarantine,
        quarantine_slot,
        read_rejections,
        write_rejections,
    )
    from syngrasp.dataset.frame import Frame
    from syngrasp.dataset.gc import GcReport, collect_garbage
    from syngrasp.dataset.loading.buffers import BufferPool
    from syngrasp.dataset.loading.loader import Loader
    from syngrasp.dataset.loading.subset import Split, Subset
    from syngrasp.dataset.loading.window import Window
    from syngrasp.dataset.quality.problems import Problem, VerifyReport
    from syngrasp.dataset.quality.states import RobotLimits
    from syngrasp.dataset.quality.verify import verify_dataset
    from syngrasp.dataset.reader import Dataset, EpisodeView, open
    from syngrasp.dataset.schema import ARRAYS, SCHEMA_VERSION, SPECS
    from syngrasp.dataset.show import contact_sheet, episodes_sheet
    from syngrasp.dataset.staging import (
        StagedSlot,
        clear_staging,
        drop_slot,
        load_slot,
        save_slot,
        staged_episodes,
    )
    from syngrasp.dataset.statistics.plots import plot_stats
    from syngrasp.dataset.statistics.stats import dataset_stats
    from syngrasp.dataset.storage import open_storage
    from syngrasp.dataset.writer import ShardSummary, ShardWriter, new_attempt_id

_HOMES = {
    "attribution": ("update_catalog",),
    "commits": (
        "Commit",
        "DatasetInfo",
        "commit_shard",
        "committed_shards",
        "create_dataset",
        "forget_empty",
        "is_committed",
        "open_info",
        "read_commit",
        "read_commits",
        "recipe_hash",
    ),
    "episodes": ("STATES", "episode_line", "rollout_from", "scene_from_line"),
    "failures": ("clear_quarantine", "list_quarantine", "quarantine_slot", "read_rejections", "write_rejections"),
    "gc": ("GcReport", "collect_garbage"),
    "loading.buffers": ("BufferPool",),
    "loading.loader": ("Loader",),
    "loading.subset": ("Split", "Subset"),
    "loading.window": ("Window",),
    "statistics.plots": ("plot_stats",),
    "quality.problems": ("Problem", "VerifyReport"),
    "quality.states": ("RobotLimits",),
    "quality.verify": ("verify_dataset",),
    "frame": ("Frame",),
    "reader": ("Dataset", "EpisodeView", "open"),
    "schema": ("ARRAYS", "SCHEMA_VERSION", "SPECS"),
    "show": ("contact_sheet", "episodes_sheet"),
    "staging": ("StagedSlot", "clear_staging", "drop_slot", "load_slot", "save_slot", "staged_episodes"),
    "statistics.stats": ("dataset_stats",),
    "storage": ("open_storage",),
    "writer": ("ShardSummary", "ShardWriter", "new_attempt_id"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "ARRAYS",
    "SCHEMA_VERSION",
    "SPECS",
    "STATES",
    "BufferPool",
    "Commit",
    "Dataset",
    "DatasetInfo",
    "EpisodeView",
    "Frame",
    "GcReport",
    "Loader",
    "Problem",
    "RobotLimits",
    "ShardSummary",
    "ShardWriter",
    "Split",
    "StagedSlot",
    "Subset",
    "VerifyReport",
    "Window",
    "clear_quarantine",
    "clear_staging",
    "collect_garbage",
    "commit_shard",
    "committed_shards",
    "contact_sheet",
    "create_dataset",
    "dataset_stats",
    "drop_slot",
    "episode_line",
    "episodes_sheet",
    "forget_empty",
    "is_committed",
    "list_quarantine",
    "load_slot",
    "new_attempt_id",
    "open",
    "open_info",
    "open_storage",
    "plot_stats",
    "quarantine_slot",
    "read_commit",
    "read_commits",
    "read_rejections",
    "recipe_hash",
    "rollout_from",
    "save_slot",
    "scene_from_line",
    "staged_episodes",
    "update_catalog",
    "verify_dataset",
    "write_rejections",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
