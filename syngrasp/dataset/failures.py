"""Why slots were given up: rejected attempts and quarantined ones. For people and for `syngrasp retry`; readers of
the dataset never look here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from syngrasp.dataset.commits import Root
from syngrasp.dataset.documents import seal, unseal
from syngrasp.dataset.episodes import slot_fields
from syngrasp.dataset.storage import open_storage
from syngrasp.records import Slot


class Reason(Protocol):
    """Why an attempt failed, as a stage says it (`syngrasp.stage.Rejected`)."""

    @property
    def stage(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def detail(self) -> str: ...


def write_rejections(root: Root, shard: int, rejections: Iterable[tuple[Slot, Reason]]) -> None:
    """Writes or replaces rejected/<shard>.json: every attempt that failed, and why."""
    rows = [
        {**slot_fields(slot), "stage": why.stage, "reason": why.reason, "detail": why.detail}
        for slot, why in sorted(rejections, key=lambda pair: pair[0])
    ]
    open_storage(root).write(_rejected_path(shard), seal({"rejected": rows}))


def read_rejections(root: Root, shard: int) -> list[dict[str, Any]]:
    """What `write_rejections` wrote, by slot: shard, episode, attempt, stage, reason, detail; empty where there is
    nothing. Raises ValueError where the record is damaged."""
    try:
        return unseal(open_storage(root).read(_rejected_path(shard)))["rejected"]
    except FileNotFoundError:
        return []


def quarantine_slot(root: Root, slot: Slot, details: Mapping[str, Any]) -> None:
    """Records an attempt that killed its worker too often: quarantine/<shard>-<episode>-<attempt>.json."""
    path = f"quarantine/{slot.shard:05d}-{slot.episode:05d}-{slot.attempt:05d}.json"
    open_storage(root).write(path, seal({**slot_fields(slot), **details}))


def list_quarantine(root: Root) -> list[dict[str, Any]]:
    """All quarantined attempts with their details, by slot. Raises ValueError where a record is damaged."""
    storage = open_storage(root)
    names = [n for n in storage.names("quarantine") if n.endswith(".json") and not n.startswith(".")]
    return [unseal(storage.read(f"quarantine/{name}")) for name in names]


def clear_quarantine(root: Root, shard: int | None = None) -> int:
    """Forgets the quarantine of a shard or of all, so that the slots are tried again. How many there were."""
    storage = open_storage(root)
    prefix = "" if shard is None else f"{shard:05d}-"
    names = [n for n in storage.names("quarantine") if n.startswith(prefix)]
    for name in names:
        storage.delete(f"quarantine/{name}")
    return len(names)


def _rejected_path(shard: int) -> str:
    return f"rejected/{shard:05d}.json"
