"""What a line of `episodes.jsonl` must say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from syngrasp.dataset.quality.problems import Finding, Found

FILE = "episodes.jsonl"
NEEDED: dict[str, type | tuple[type, ...]] = {
    "shard": int, "episode": int, "attempt": int, "start": int, "length": int, "instruction": str, "category": str,
    "target": int, "target_uid": str, "objects": list, "robot": str, "dt": (int, float), "cameras": list,
}  # fmt: skip
SIMULATED: dict[str, type | tuple[type, ...]] = {
    "table": dict, "q_start": list, "grasp": dict, "lift": dict, "physics": dict, "look": dict,
}  # fmt: skip
POSITIVE = ("scale", "mass", "friction")


def check_line(line: Mapping[str, Any], shard: int, start: int, length: int, imported: bool) -> Found:
    """The episode's line: its fields and their types, and its place in the shard. Other checks need it whole."""
    needed = NEEDED if imported else NEEDED | SIMULATED
    for key, kind in needed.items():
        if not isinstance(line.get(key), kind) or isinstance(line.get(key), bool):
            yield Finding("line", FILE, f"{key} is {line.get(key)!r:.60}")
    for key, value in {"shard": shard, "start": start, "length": length}.items():
        if line.get(key) != value:
            yield Finding("line", FILE, f"{key} is {line.get(key)}, not {value}")
    objects, target = line["objects"], line["target"]
    if not 0 <= target < len(objects):
        yield Finding("line", FILE, f"target {target} of {len(objects)} objects")
        return
    if objects[target]["uid"] != line["target_uid"]:
        yield Finding("line", FILE, f"target_uid {line['target_uid']!r} is not object {target}")
    if objects[target].get("category", line["category"]) != line["category"]:
        yield Finding("line", FILE, f"category {line['category']!r} is not that of object {target}")
    if not line["instruction"] or not line["category"]:
        yield Finding("line", FILE, "instruction or category is empty")
    if not 0.0 < line["dt"] < 10.0:
        yield Finding("line", FILE, f"frames are {line['dt']} s apart")
    for k, placed in enumerate([] if imported else objects):
        for key in POSITIVE:
            if not (isinstance(placed.get(key), int | float) and placed[key] > 0.0):
                yield Finding("line", FILE, f"{key} of object {k} is {placed.get(key)!r}")
        pose = np.array(placed.get("pose", ()), np.float64)
        if pose.shape != (7,) or abs(np.linalg.norm(pose[3:]) - 1.0) > 1e-3:
            yield Finding("line", FILE, f"pose of object {k} is no pose")
