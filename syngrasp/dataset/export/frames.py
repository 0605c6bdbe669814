"""What an export says of an episode and of a frame, for formats that keep JSON or features beside pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from syngrasp.dataset import jpeg
from syngrasp.dataset.export.job import ExportJob, Unit
from syngrasp.dataset.reader import Dataset
from syngrasp.dataset.shard_reader import ShardReader
from syngrasp.errors import DatasetError

NUMBERS = (
    "joint_position", "joint_velocity", "gripper_width", "ee_pose", "action", "goal_pose", "phase",
)  # fmt: skip


def check(_: ExportJob, dataset: Dataset) -> None:
    """Raises DatasetError for a dataset without pictures."""
    if "images" not in dataset.names:
        raise DatasetError(dataset.storage.url, "it has no pictures (render.kind none)")


def plan(_: Dataset, units: Sequence[Unit]) -> None:
    """Units know nothing of one another."""


def numbers_of(shard: ShardReader, episode: int, line: Mapping[str, Any]) -> dict[str, NDArray[Any]]:
    """An episode's states, actions and the target's boxes (F, cameras, 4) as `target_bbox`, those that are stored."""
    start, stop = shard.bounds(episode)
    found = {name: shard.arrays[name].rows(start, stop) for name in NUMBERS if name in shard.arrays}
    if "bbox" in shard.arrays:
        found["target_bbox"] = shard.arrays["bbox"].rows(start, stop)[:, :, line["target"]]
    return found


def stored_jpegs(shard: ShardReader, frame: int) -> list[memoryview]:
    """The JPEGs of a frame as they are stored, one per camera."""
    images = shard.arrays["images"]
    return jpeg.split(images.chunk(frame), images.shape[1])


def about(line: Mapping[str, Any]) -> dict[str, Any]:
    """Texts of an episode: what was asked, of what, under which licence."""
    target = line["objects"][line["target"]]
    return {
        "instruction": line["instruction"],
        "category": line["category"],
        "target_uid": line["target_uid"],
        "license": target.get("license", ""),
        "attribution": target.get("attribution", ""),
    }
