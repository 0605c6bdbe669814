"""What the slot logic and the executors say to each other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from syngrasp.generate.tally import Tally
from syngrasp.records import Rollout, Slot

STAGES: tuple[str, ...] = ("layout", "grasp", "plan", "lift", "render")
ROLLOUT_STAGE = "lift"  # its output is kept on disk
RENDER_STAGE = "render"


class Outcome(StrEnum):
    """How far a slot has come."""

    OPEN = "open"
    FILLED = "filled"  # in the shard
    EMPTY = "empty"  # every attempt was rejected
    QUARANTINED = "quarantined"  # it broke its process, again and again


@dataclass(frozen=True, slots=True)
class Job:
    """An input on its way through a stage."""

    slot: Slot
    stage: str
    payload: Any


@dataclass(frozen=True, slots=True)
class Cost:
    """What an answer cost [s]."""

    cpu: float = 0.0
    wall: float = 0.0


@dataclass(frozen=True, slots=True)
class SlotRecord:
    """What a journal keeps of a slot: an accepted rollout (outcome open), or why there will be none."""

    slot: Slot
    outcome: Outcome
    tally: Tally
    faults: tuple[str, ...] = ()


class Journal(Protocol):
    """Keeps slots across runs, so that what is planned is never planned again."""

    def load(self, shard: int) -> dict[int, SlotRecord]:
        """The records of a shard by episode."""
        ...

    def save(self, record: SlotRecord, rollout: Rollout | None) -> None:
        """Keeps a record, with its rollout if the slot is still to be rendered."""
        ...

    def rollout(self, shard: int, episode: int) -> Rollout:
        """The rollout that was saved with a slot's record."""
        ...


@dataclass(frozen=True, slots=True)
class ShardSummary:
    """What goes into a shard's commit record besides its data."""

    shard: int
    filled: tuple[int, ...]  # episodes
    empty: tuple[int, ...]
    quarantined: tuple[int, ...]
    tally: Tally
    records: tuple[SlotRecord, ...]  # of the empty and the quarantined
