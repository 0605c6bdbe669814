"""Where a run keeps what it makes: a dataset's staging area, shards and failures, for the slot logic."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from syngrasp.generate.jobs import STAGES, Outcome, ShardSummary, SlotRecord
from syngrasp.generate.tally import Tally
from syngrasp.records import Rollout, Slot

if TYPE_CHECKING:
    from syngrasp.dataset.storage import Storage
    from syngrasp.dataset.writer import ShardWriter


@dataclass(frozen=True, slots=True)
class DatasetStore:
    """A dataset as a run sees it; it travels to other processes.

    Args:
        storage: where the dataset lies.
        max_objects: N of its arrays.
        renderer: what is recorded of the renderer in commits besides what the renderer says itself, JSON values.
    """

    storage: Storage
    max_objects: int
    renderer: dict[str, Any]

    # --- Journal ---

    def load(self, shard: int) -> dict[int, SlotRecord]:
        """Records of the slots of a shard that are decided, by episode."""
        from syngrasp.dataset.staging import load_slot, staged_episodes

        records = {}
        for episode in staged_episodes(self.storage, shard):
            staged = load_slot(self.storage, shard, episode)
            if staged is not None:
                records[episode] = _record_from_json(shard, episode, staged.tally)
        return records

    def save(self, record: SlotRecord, rollout: Rollout | None) -> None:
        """Keeps a slot's record, and its rollout if it is still to be rendered."""
        from syngrasp.dataset.failures import quarantine_slot
        from syngrasp.dataset.staging import StagedSlot, save_slot

        slot = record.slot
        if record.outcome is Outcome.QUARANTINED:
            quarantine_slot(self.storage, slot, {"faults": list(record.faults)})
        save_slot(self.storage, slot.shard, slot.episode, StagedSlot(rollout, _record_to_json(record)))

    def rollout(self, shard: int, episode: int) -> Rollout:
        """The rollout that was saved with a slot."""
        from syngrasp.dataset.staging import load_slot
        from syngrasp.errors import DatasetError

        staged = load_slot(self.storage, shard, episode)
        if staged is None or staged.rollout is None:
            problem = f"the staged rollout of shard {shard}, episode {episode} was lost while it was in use; run again"
            raise DatasetError(self.storage.url, problem)
        return staged.rollout

    # --- shards ---

    def writer(self, shard: int, attempt_id: str) -> ShardWriter:
        """Opens an attempt at a shard."""
        from syngrasp.dataset.writer import ShardWriter

        return ShardWriter(self.storage, shard, max_objects=self.max_objects, attempt_id=attempt_id)

    def discard(self, shard: int, attempt_id: str) -> None:
        """Deletes the files of an attempt that will not be finished."""
        from syngrasp.dataset.writer import attempt_folder

        self.storage.delete(attempt_folder(shard, attempt_id))

    def commit(self, writer: ShardWriter, summary: ShardSummary) -> bool:
        """Ends a shard and makes it part of the dataset. False: another run was first, and this attempt is dropped."""
        from syngrasp.dataset.commits import commit_shard
        from syngrasp.dataset.failures import write_rejections
        from syngrasp.dataset.staging import clear_staging

        written = writer.finish()
        if written.episodes != summary.filled:
            raise RuntimeError(f"shard {summary.shard} holds {written.episodes}, not {summary.filled}")
        tally = summary.tally
        if tally.rejections:
            write_rejections(self.storage, summary.shard, tally.rejections)
        won = commit_shard(
            self.storage,
            written,
            stages=tally.counts(STAGES),
            empty_slots=(*summary.empty, *summary.quarantined),
            timings={stage: round(tally.cpu.get(stage, 0.0), 4) for stage in STAGES},
            renderer={**self.renderer, **writer.renderer, "machine": platform.machine()},
        )
        if not won:
            self.discard(summary.shard, written.attempt_id)
        clear_staging(self.storage, summary.shard)
        return won


def _record_to_json(record: SlotRecord) -> dict[str, Any]:
    return {
        "attempt": record.slot.attempt,
        "outcome": str(record.outcome),
        "faults": list(record.faults),
        **record.tally.to_json(),
    }


def _record_from_json(shard: int, episode: int, values: dict[str, Any]) -> SlotRecord:
    slot = Slot(shard, episode, values["attempt"])
    return SlotRecord(slot, Outcome(values["outcome"]), Tally.from_json(values), tuple(values["faults"]))
