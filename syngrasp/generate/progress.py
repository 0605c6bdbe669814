"""What a run tells while it goes on: plain events, for a display or for a program."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from syngrasp.generate.jobs import STAGES, ShardSummary
from syngrasp.records import Slot
from syngrasp.stage import Rejected

Event = dict[str, Any]
OnEvent = Callable[[Event], None]

_INTERVAL = 0.5  # least time between two progress events [s]


class Progress:
    """Counts what happens in this run and reports it.

    Args:
        on_event: receives events; each has "event" and plain JSON values.
        shards: in the dataset.
        committed: shards committed before this run.
        episodes_per_shard: slots in a shard.
    """

    def __init__(self, on_event: OnEvent, *, shards: int, committed: int, episodes_per_shard: int) -> None:
        self._on_event = on_event
        self._shards, self._committed = shards, committed
        self._per_shard = episodes_per_shard
        self._slots_to_do = (shards - committed) * episodes_per_shard
        self._slots_done = 0
        self._in_shard: dict[int, list[int]] = {}  # rendered episodes and frames of shards that are not committed
        self.episodes = 0  # committed in this run
        self.frames = 0
        self.quarantined = 0
        self._passed = dict.fromkeys(STAGES, 0)
        self._rejected = dict.fromkeys(STAGES, 0)
        self._began = time.monotonic()
        self._reported = 0.0

    def started(self, executor: str, **details: Any) -> None:
        """The run begins."""
        self._emit("start", executor=executor, shards=self._shards, committed=self._committed, **details)

    def answered(self, stage: str, output: Any, shard: int, frames: int = 0) -> None:
        """A stage answered."""
        if isinstance(output, Rejected):
            self._rejected[stage] += 1
        else:
            self._passed[stage] += 1
            if stage == STAGES[-1]:
                counts = self._in_shard.setdefault(shard, [0, 0])
                counts[0] += 1
                counts[1] += frames
        self.tick()

    def lost(self, shard: int) -> None:
        """What was rendered of a shard is lost."""
        self._in_shard.pop(shard, None)

    def fault(self, slot: Slot, stage: str, why: str, quarantined: bool) -> None:
        """A slot broke its stage."""
        self.quarantined += quarantined
        name = "quarantine" if quarantined else "fault"
        self._emit(name, shard=slot.shard, episode=slot.episode, attempt=slot.attempt, stage=stage, why=why)

    def infrastructure(self, why: str) -> None:
        """Something broke that no slot is to blame for."""
        self._emit("infrastructure", why=why)

    def shard_committed(self, summary: ShardSummary, won: bool) -> None:
        """A shard is part of the dataset."""
        episodes, frames = self._in_shard.pop(summary.shard, [0, 0])
        self._committed += 1
        self.episodes += episodes
        self.frames += frames
        self._slots_done += self._per_shard
        self._emit(
            "shard",
            shard=summary.shard,
            episodes=len(summary.filled),
            empty=len(summary.empty),
            quarantined=len(summary.quarantined),
            frames=frames,
            by_this_run=won,
        )
        self.tick(force=True)

    def tick(self, force: bool = False) -> None:
        """Reports, if it is time."""
        now = time.monotonic()
        if force or now - self._reported >= _INTERVAL:
            self._reported = now
            self._emit("progress", **self.state())

    def finished(self) -> Event:
        """The run is complete. Returns the last event."""
        event = {"event": "done", **self.state()}
        self._on_event(event)
        return event

    def state(self) -> Event:
        """Where the run is."""
        elapsed = max(time.monotonic() - self._began, 1e-6)
        pending = [sum(counts[i] for counts in self._in_shard.values()) for i in (0, 1)]
        done = self._slots_done + pending[0]
        left = self._slots_to_do - done
        return {
            "shards": self._shards,
            "committed": self._committed,
            "episodes": self.episodes + pending[0],
            "frames": self.frames + pending[1],
            "frames_per_s": round((self.frames + pending[1]) / elapsed, 2),
            "episodes_per_s": round((self.episodes + pending[0]) / elapsed, 3),
            "yield": {
                stage: round(self._passed[stage] / (self._passed[stage] + self._rejected[stage]), 4)
                for stage in STAGES
                if self._passed[stage] + self._rejected[stage]
            },
            "quarantined": self.quarantined,
            "elapsed_s": round(elapsed, 1),
            "eta_s": round(elapsed * left / done, 1) if done else None,
        }

    def _emit(self, event: str, **values: Any) -> None:
        self._on_event({"event": event, **values})
