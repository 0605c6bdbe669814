"""Episodes of the page that play: pictures of both cameras as one sheet, boxes, gripper and series."""

from __future__ import annotations

import base64
import io
import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.dataset.episode_view import EpisodeView
from syngrasp.dataset.reader import Dataset, open
from syngrasp.seeding import named_rng

TILE = 176  # height of a picture [px]
FRAMES = 36  # of an episode, at most
COLUMNS = 6  # pairs of pictures in a row of a sheet
QUALITY = 62  # of WebP
ALONE = 8  # episodes that one process makes before others are there
STEM = 0.05  # [m] of the drawn gripper

F64 = NDArray[np.float64]


def gallery(dataset: Dataset, count: int, workers: int) -> list[dict[str, Any]]:
    """Episodes, category after category in turn, always the same; none where there are no pictures."""
    if not dataset.num_episodes or "images" not in dataset.names or not count:
        return []
    chosen = choose(dataset, count)
    if workers < 2 or len(chosen) < ALONE:
        return [episode_data(dataset.episode(i)) for i in chosen]
    # Threads of the libraries that this process has loaded do not survive a fork.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        parts = pool.map(_part, [(dataset.storage.url, chosen[k::workers]) for k in range(workers)])
        made = {episode["index"]: episode for part in parts for episode in part}
    return [made[i] for i in chosen]


def choose(dataset: Dataset, count: int) -> list[int]:
    """Numbers of episodes: one of each category, then a second, and so on."""
    category = dataset.table.category
    order = named_rng(0, "gallery").permutation(len(category))
    turn = np.empty(len(order), np.int64)
    seen: dict[int, int] = {}
    for place in order.tolist():
        name = int(category[place])
        turn[place] = seen.get(name, 0)
        seen[name] = seen.get(name, 0) + 1
    ranked = order[np.argsort(turn[order], kind="stable")]
    return sorted(ranked[:count].tolist())


def _part(work: tuple[str, list[int]]) -> list[dict[str, Any]]:
    dataset = open(work[0])
    return [episode_data(dataset.episode(i)) for i in work[1]]


def episode_data(view: EpisodeView) -> dict[str, Any]:
    """What the page needs of an episode, as JSON values; places in pictures as shares of their size."""
    line = view.line
    step = max(1, -(-view.length // FRAMES))
    shown = np.arange(0, view.length, step)
    height, width = view.shape("images")[2:4]
    objects = len(line["objects"])
    told: dict[str, Any] = {
        "index": view.index, "shard": line["shard"], "slot": line["episode"], "instruction": line["instruction"],
        "category": line["category"], "uid": line["target_uid"], "target": line["target"], "dt": line["dt"],
        "length": view.length, "step": step, "aspect": width / height,
        "objects": [[o["uid"], o.get("category", ""), o.get("license", ""), o.get("mass")] for o in line["objects"]],
        "facts": _facts(line),
        "phase": view["phase"].tolist(),
        "speed": _rounded(np.linalg.norm(view["action"][:, :3], axis=1) / line["dt"], 3),
        "turn": _rounded(np.linalg.norm(view["action"][:, 3:6], axis=1) / line["dt"], 3),
        "open": (view["action"][:, 6] > 0).astype(int).tolist(),
    }  # fmt: skip
    if "gripper_width" in view:
        told["width"] = _rounded(view["gripper_width"], 4)
    if "bbox" in view:
        size = np.array([width, height, width, height])
        told["boxes"] = _rounded(view["bbox"][shown][:, :, :objects] / size, 4)
    if {"camera_intrinsics", "T_base_camera", "ee_pose"} <= set(view):
        K, T = view["camera_intrinsics"].astype(np.float64), view["T_base_camera"].astype(np.float64)
        grip = view["gripper_width"] if "gripper_width" in view else np.full(view.length, 0.08)
        told["hand"] = _rounded(drawn(view["ee_pose"][shown], grip[shown], K, T, width, height), 4)
        if "goal_pose" in view:
            wide = np.full(len(shown), line.get("grasp", {}).get("width", 0.04) + 0.02)
            told["goal"] = _rounded(drawn(view["goal_pose"][shown], wide, K, T, width, height), 4)
    told["sheet"] = _sheet(view, shown, width / height)
    return told


def drawn(pose: NDArray[Any], grip: NDArray[Any], K: F64, T_base_camera: F64, width: int, height: int) -> F64:
    """A gripper as points (F, C, 6, 2) in pictures, as shares of their size, NaN behind a camera: the ends and roots of
    both fingers, the middle between the roots, and the end of the stem."""
    half = 0.5 * grip.astype(np.float64)
    zero, depth = np.zeros(len(half)), np.full(len(half), -STEM)
    y = np.stack([-half, -half, half, half, zero, zero], 1)
    z = np.stack([zero, depth, depth, zero, depth, 2.0 * depth], 1)
    points = se3.transform(se3.matrix_from_pose7(pose), np.stack([np.zeros_like(y), y, z], -1))
    out = np.empty((len(half), len(K), 6, 2))
    for c in range(len(K)):
        seen = se3.transform(se3.invert(T_base_camera[c]), points.reshape(-1, 3))
        with np.errstate(divide="ignore", invalid="ignore"):
            uv = (seen @ K[c].T)[:, :2] / seen[:, 2:]
        uv[seen[:, 2] <= 0.01] = np.nan
        out[:, c] = (uv / [width, height]).reshape(len(half), 6, 2)
    return out


def _sheet(view: EpisodeView, shown: NDArray[np.int64], aspect: float) -> str:
    """Pictures of all cameras side by side, frame after frame in rows, as a WebP data address."""
    from PIL import Image

    cameras = view.shape("images")[1]
    tile = (round(TILE * aspect), TILE)
    rows = -(-len(shown) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * cameras * tile[0], rows * tile[1]))
    images = view["images"]
    for k, frame in enumerate(shown.tolist()):
        for c in range(cameras):
            picture = Image.fromarray(images[frame, c]).resize(tile, Image.Resampling.BILINEAR)
            sheet.paste(picture, (((k % COLUMNS) * cameras + c) * tile[0], (k // COLUMNS) * tile[1]))
    content = io.BytesIO()
    sheet.save(content, "WEBP", quality=QUALITY, method=2)
    return "data:image/webp;base64," + base64.b64encode(content.getvalue()).decode()


def _facts(line: Mapping[str, Any]) -> list[list[str]]:
    """Names and values for the details of an episode."""
    facts = [["robot", line["robot"]], ["frame", f"{line['dt']:g} s"]]
    if "lift" in line:
        facts += [["lift", f"{100 * line['lift']['height']:.1f} cm"], ["slip", f"{1000 * line['lift']['slip']:.1f} mm"]]
    if "grasp" in line:
        facts += [
            ["grasp quality", f"{line['grasp']['quality']:.3f}"],
            ["grasp width", f"{1000 * line['grasp']['width']:.0f} mm"],
        ]
    if "table" in line:
        facts += [["table height", f"{100 * line['table']['height']:.1f} cm"]]
    look = line.get("look") or {}
    if "environment" in look:
        facts += [
            ["environment", look["environment"]["kind"]],
            ["lamps", ", ".join(k["kind"] for k in look["lights"]) or "none"],
        ]
        facts += [["table", next((m["family"] for m in look["materials"] if m["name"] == "table"), "")]]
    return facts


def _rounded(values: NDArray[Any], digits: int) -> Any:
    """Nested lists, null for what is not a number."""
    rounded = np.round(values.astype(np.float64), digits)
    if np.isfinite(rounded).all():
        return rounded.tolist()
    found = rounded.astype(object)
    found[~np.isfinite(rounded)] = None
    return found.tolist()
