"""What is kept beside a shard that is not finished: each slot's rollout, so that a crash in rendering plans nothing
again, and what every attempt at the slot came to, so that the counts are those of a run never interrupted.

DATASET/staging/<shard>/<episode>.npz is one slot, written at once. A damaged or cut-off file counts as absent.
"""

from __future__ import annotations

import hashlib
import io
import json
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.dataset.commits import Root
from syngrasp.dataset.episodes import slot_fields
from syngrasp.dataset.storage import open_storage
from syngrasp.records import PlacedObject, Rollout, Scene, Slot

_ARRAYS = tuple(f.name for f in fields(Rollout) if f.name not in ("scene", "physics"))
_DIGEST_BYTES = 32


@dataclass(frozen=True, slots=True, eq=False)
class StagedSlot:
    """A slot that is decided: its rollout, or None when every attempt failed."""

    rollout: Rollout | None
    tally: dict[str, Any] = field(default_factory=dict)  # of all attempts at the slot; JSON values


def slot_path(shard: int, episode: int) -> str:
    """Where a staged slot lies in the dataset."""
    return f"staging/{shard:05d}/{episode:05d}.npz"


def save_slot(root: Root, shard: int, episode: int, staged: StagedSlot) -> None:
    """Writes or replaces a slot. Survives the death of the process; after a loss of power it may be absent."""
    open_storage(root).write(slot_path(shard, episode), dump_slot(staged), durable=False)


def load_slot(root: Root, shard: int, episode: int) -> StagedSlot | None:
    """A slot exactly as it was saved; None where it is absent or damaged."""
    try:
        return parse_slot(open_storage(root).read(slot_path(shard, episode)))
    except (FileNotFoundError, ValueError):
        return None


def staged_episodes(root: Root, shard: int) -> list[int]:
    """The episodes that have a file, ascending; whether it is whole `load_slot` tells."""
    names = open_storage(root).names(f"staging/{shard:05d}")
    return [int(name[:-4]) for name in names if name.endswith(".npz") and name[:-4].isdigit()]


def drop_slot(root: Root, shard: int, episode: int) -> None:
    """Forgets a slot."""
    open_storage(root).delete(slot_path(shard, episode))


def clear_staging(root: Root, shard: int) -> None:
    """Forgets a shard's slots, once it is committed."""
    open_storage(root).delete(f"staging/{shard:05d}")


def dump_slot(staged: StagedSlot) -> bytes:
    """An .npz whose archive comment is the SHA-256 of everything before it."""
    arrays: dict[str, NDArray[Any]] = {}
    document: dict[str, Any] = {"tally": staged.tally, "rollout": staged.rollout is not None}
    if staged.rollout is not None:
        rollout = staged.rollout
        arrays |= {name: np.asarray(getattr(rollout, name)) for name in _ARRAYS}
        arrays |= {"scene/q_start": rollout.scene.q_start}
        arrays |= {"scene/poses": np.array([o.pose for o in rollout.scene.objects], np.float64).reshape(-1, 7)}
        document |= {"physics": rollout.physics, "scene": _scene_document(rollout.scene)}
    arrays["document"] = np.frombuffer(json.dumps(document).encode(), np.uint8)
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    # A zip archive ends with the length of its comment (two bytes) and the comment.
    body = buffer.getvalue()[:-2] + _DIGEST_BYTES.to_bytes(2, "little")
    return body + hashlib.sha256(body).digest()


def parse_slot(data: bytes) -> StagedSlot:
    """The inverse of `dump_slot`. Raises ValueError where a byte is not as it was written."""
    body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if hashlib.sha256(body).digest() != digest:
        raise ValueError("a staged slot is damaged or cut off")
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    document = json.loads(arrays["document"].tobytes())
    if not document["rollout"]:
        return StagedSlot(None, document["tally"])
    scene = _scene(document["scene"], arrays["scene/q_start"], arrays["scene/poses"])
    values = {name: arrays[name] if arrays[name].ndim else arrays[name].item() for name in _ARRAYS}
    return StagedSlot(Rollout(scene=scene, physics=document["physics"], **values), document["tally"])


def _scene_document(scene: Scene) -> dict[str, Any]:
    return {
        **{f.name: getattr(scene, f.name) for f in fields(Scene) if f.name not in ("slot", "objects", "q_start")},
        "slot": slot_fields(scene.slot),
        "objects": [[o.uid, float(o.scale), float(o.mass), float(o.friction)] for o in scene.objects],
    }


def _scene(document: dict[str, Any], q_start: NDArray[Any], poses: NDArray[Any]) -> Scene:
    objects = [
        PlacedObject(uid, scale, mass, friction, pose)
        for (uid, scale, mass, friction), pose in zip(document.pop("objects"), poses, strict=True)
    ]
    slot = Slot(**document.pop("slot"))
    for name in ("table_center", "table_size"):
        document[name] = tuple(document[name])
    return Scene(slot=slot, objects=tuple(objects), q_start=q_start, **document)
