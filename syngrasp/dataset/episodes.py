"""`episodes.jsonl`: one line per episode, all that a replay or a re-render needs besides the arrays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.records import Episode, PlacedObject, Rollout, Scene, Slot

STATES = (
    "joint_position", "joint_velocity", "gripper_width", "ee_pose", "action", "goal_pose", "object_pose", "phase",
)  # fmt: skip
"""Arrays of a rollout; a shard has all of them."""


def episode_line(episode: Episode, start: int) -> dict[str, Any]:
    """The line of an episode whose first frame is `start` of its shard. JSON values only, floats exact."""
    rollout, scene = episode.rollout, episode.rollout.scene
    target = scene.objects[scene.target]
    return {
        **slot_fields(scene.slot),
        "start": start,
        "length": len(rollout.phase),
        "instruction": scene.instruction,
        "category": scene.category,
        "target": scene.target,
        "target_uid": target.uid,
        "objects": [_object(o, episode.attribution.get(o.uid, {})) for o in scene.objects],
        "table": {
            "height": float(scene.table_height),
            "center": _floats(scene.table_center),
            "size": _floats(scene.table_size),
        },
        "robot": scene.robot,
        "dt": float(rollout.dt),
        "q_start": _floats(scene.q_start),
        "grasp": {
            "T_base_tcp": _nested(rollout.T_base_grasp),
            "width": float(rollout.grasp_width),
            "quality": float(rollout.grasp_quality),
        },
        "grasp_attempts": rollout.grasp_attempts,
        "lift": {
            "height": float(rollout.lift_height),
            "slip": float(rollout.slip),
            "disturbance": float(rollout.disturbance),
        },
        "physics": {name: float(value) for name, value in rollout.physics.items()},
        "cameras": list(episode.cameras),
        "visibility": episode.visibility,
        "picture": episode.picture,
        "look": episode.look,
    }


def slot_fields(slot: Slot) -> dict[str, int]:
    """A slot's numbers under their names."""
    return {"shard": int(slot.shard), "episode": int(slot.episode), "attempt": int(slot.attempt)}


def scene_from_line(line: Mapping[str, Any]) -> Scene:
    """The scene of an episode, exactly as it was: the inverse of `episode_line`."""
    return Scene(
        slot=Slot(line["shard"], line["episode"], line["attempt"]),
        robot=line["robot"],
        objects=tuple(
            PlacedObject(o["uid"], o["scale"], o["mass"], o["friction"], np.array(o["pose"], np.float64))
            for o in line["objects"]
        ),
        target=line["target"],
        category=line["category"],
        instruction=line["instruction"],
        table_height=line["table"]["height"],
        table_center=(line["table"]["center"][0], line["table"]["center"][1]),
        table_size=(line["table"]["size"][0], line["table"]["size"][1]),
        q_start=np.array(line["q_start"], np.float64),
    )


def rollout_from(line: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Rollout:
    """The rollout of an episode, exactly as it was, from its line and its arrays (an `EpisodeView` has both)."""
    scene, grasp, lift = scene_from_line(line), line["grasp"], line["lift"]
    states = {name: np.array(arrays[name]) for name in STATES}
    states["object_pose"] = np.array(states["object_pose"][:, : len(scene.objects)])
    return Rollout(
        scene=scene,
        T_base_grasp=np.array(grasp["T_base_tcp"], np.float64),
        grasp_width=grasp["width"],
        grasp_quality=grasp["quality"],
        dt=line["dt"],
        lift_height=lift["height"],
        slip=lift["slip"],
        disturbance=lift["disturbance"],
        physics=dict(line["physics"]),
        **states,
    )


def attribution_from_line(line: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """uid → category, license, attribution of the objects of an episode."""
    keys = ("category", "license", "attribution")
    return {o["uid"]: {k: o[k] for k in keys if k in o} for o in line["objects"]}


def dump_line(line: Mapping[str, Any]) -> bytes:
    """One line of `episodes.jsonl`. Raises ValueError for NaN or for what JSON cannot hold."""
    try:
        return (json.dumps(line, ensure_ascii=False, allow_nan=False, separators=(",", ":")) + "\n").encode()
    except (TypeError, ValueError) as error:
        raise ValueError(f"episode {line['episode']}: its line cannot be written as JSON: {error}") from error


def _object(placed: PlacedObject, attribution: Mapping[str, str]) -> dict[str, Any]:
    return {
        "uid": placed.uid,
        "scale": float(placed.scale),
        "mass": float(placed.mass),
        "friction": float(placed.friction),
        "pose": _floats(placed.pose),
        **{key: attribution[key] for key in ("category", "license", "attribution") if key in attribution},
    }


def _floats(values: Any) -> list[float]:
    return [float(v) for v in values]


def _nested(matrix: NDArray[np.float64]) -> list[list[float]]:
    return [[float(v) for v in row] for row in matrix]
