"""What selections need to know of every episode: a few columns, read from the lines once and remembered."""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from syngrasp.errors import DatasetError
from syngrasp.resources import cache_folder

if TYPE_CHECKING:
    from syngrasp.dataset.reader import Dataset

I64 = NDArray[np.int64]
REMEMBERED = 2_000  # episodes: fewer are read faster than their table is found
LAYOUT = 2  # of the remembered file


class _Object(msgspec.Struct, frozen=True):
    uid: str
    category: str = ""


class _Grasp(msgspec.Struct, frozen=True):
    quality: float = np.nan
    width: float = np.nan


class _Lift(msgspec.Struct, frozen=True):
    height: float = np.nan
    slip: float = np.nan
    disturbance: float = np.nan


class _Line(msgspec.Struct, frozen=True):
    episode: int
    length: int
    category: str
    target_uid: str
    objects: list[_Object]
    dt: float = np.nan
    attempt: int = 0
    grasp_attempts: int = 1
    grasp: _Grasp = _Grasp()
    lift: _Lift = _Lift()


NUMBERS: dict[str, Callable[[_Line], float]] = {
    "slot": lambda line: line.episode,
    "length": lambda line: line.length,
    "seconds": lambda line: line.length * line.dt,
    "objects": lambda line: len(line.objects),
    "attempt": lambda line: line.attempt,
    "grasp_attempts": lambda line: line.grasp_attempts,
    "grasp_quality": lambda line: line.grasp.quality,
    "grasp_width": lambda line: line.grasp.width,
    "lift_height": lambda line: line.lift.height,
    "slip": lambda line: line.lift.slip,
    "disturbance": lambda line: line.lift.disturbance,
}
"""Numbers of an episode that a selection may bound; NaN, which lies in no range, where a line lacks one."""


@dataclass(frozen=True, slots=True)
class EpisodeTable:
    """E episodes, in the dataset's order. Categories and uids are places in the lists of their names."""

    position: I64  # (E,) of the shard among the dataset's
    start: I64  # (E,) first frame, in the dataset
    category: I64  # (E,) of the target
    target_uid: I64  # (E,)
    object_ends: I64  # (E,) one past the episode's last object in the next two
    object_uid: I64  # (objects of all scenes,)
    object_category: I64
    numbers: dict[str, NDArray[np.float64]]  # `NUMBERS`, each (E,)
    categories: list[str]
    uids: list[str]

    def __len__(self) -> int:
        return len(self.start)

    @property
    def length(self) -> I64:
        """Frames of each episode, (E,)."""
        return self.numbers["length"].astype(np.int64)


def episode_table(dataset: Dataset) -> EpisodeTable:
    """The table of a dataset. Large ones, and those in buckets, are remembered in the user's cache folder, under a name
    that follows from the commits. Raises DatasetError where a line cannot be read."""
    from syngrasp.dataset.local_storage import LocalStorage

    large = dataset.num_episodes >= REMEMBERED or not isinstance(dataset.storage, LocalStorage)
    path = cache_folder() / "episodes" / f"{dataset.fingerprint[:32]}-{LAYOUT}.npz"
    if large and (there := _load(path)) is not None:
        return there
    table = _read(dataset)
    if large:
        _save(path, table)
    return table


def _read(dataset: Dataset) -> EpisodeTable:
    decoder = msgspec.json.Decoder(_Line)
    names: dict[str, dict[str, int]] = {"category": {}, "uid": {}}

    def place(kind: str, name: str) -> int:
        return names[kind].setdefault(name, len(names[kind]))

    columns: dict[str, list[Any]] = {name: [] for name in (*_COLUMNS, *NUMBERS)}
    frames = 0
    with ThreadPoolExecutor(16) as pool:
        for position, lines in enumerate(pool.map(dataset.stored_lines, range(len(dataset.commits)))):
            for k, text in enumerate(lines):
                try:
                    line = decoder.decode(text)
                except msgspec.MsgspecError as error:
                    shard = dataset.commits[position].shard
                    raise DatasetError(
                        dataset.storage.url, f"shard {shard}: line {k + 1} of episodes.jsonl cannot be read: {error}"
                    ) from error
                columns["position"].append(position)
                columns["start"].append(frames)
                columns["category"].append(place("category", line.category))
                columns["target_uid"].append(place("uid", line.target_uid))
                columns["object_uid"] += [place("uid", o.uid) for o in line.objects]
                columns["object_category"] += [place("category", o.category) for o in line.objects]
                columns["object_ends"].append(len(columns["object_uid"]))
                for name, of in NUMBERS.items():
                    columns[name].append(of(line))
                frames += line.length
    if frames != len(dataset):
        raise DatasetError(
            dataset.storage.url, f"its lines count {frames} frames, its commits {len(dataset)}; run syngrasp verify"
        )
    whole = {name: np.array(columns[name], np.int64) for name in _COLUMNS}
    numbers = {name: np.array(columns[name], np.float64) for name in NUMBERS}
    return EpisodeTable(**whole, numbers=numbers, categories=list(names["category"]), uids=list(names["uid"]))


_COLUMNS = (
    "position", "start", "category", "target_uid", "object_ends", "object_uid", "object_category",
)  # fmt: skip


def _save(path: Path, table: EpisodeTable) -> None:
    arrays: dict[str, Any] = {name: getattr(table, name) for name in _COLUMNS} | table.numbers
    texts = msgspec.json.encode({"categories": table.categories, "uids": table.uids})
    content = io.BytesIO()
    np.savez(content, names=np.frombuffer(texts, np.uint8), **arrays)
    data = content.getvalue()
    with suppress(OSError):  # a cache that cannot be written only costs time
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_bytes(hashlib.sha256(data).digest() + data)
        temporary.replace(path)


def _load(path: Path) -> EpisodeTable | None:
    try:
        data = path.read_bytes()
    except OSError:
        return None
    if hashlib.sha256(data[32:]).digest() != data[:32]:
        return None
    with np.load(io.BytesIO(data[32:])) as stored:
        names = msgspec.json.decode(stored["names"].tobytes())
        numbers = {name: stored[name] for name in NUMBERS}
        return EpisodeTable(**{name: stored[name] for name in _COLUMNS}, numbers=numbers, **names)
