"""Which slot needs what next: the logic that the in-process executor and Ray's driver share.

A slot (shard, episode) is tried with attempt 0, 1, 2, … until one attempt passes every stage or `max_attempts` is
spent. Whatever order answers come in, a slot's attempts and counts depend on its seed alone.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from syngrasp.generate.jobs import (
    RENDER_STAGE,
    ROLLOUT_STAGE,
    STAGES,
    Cost,
    Job,
    Journal,
    Outcome,
    ShardSummary,
    SlotRecord,
)
from syngrasp.generate.tally import Tally
from syngrasp.records import Slot
from syngrasp.stage import Rejected

_KEEP_PAYLOADS = 8  # rollouts so close to being rendered are kept in memory


@dataclass(slots=True)
class SlotState:
    """A slot in an open shard."""

    slot: Slot
    stage: str
    payload: Any = None
    outcome: Outcome = Outcome.OPEN
    tally: Tally = field(default_factory=Tally)
    planned: Tally | None = None  # as it was when the rollout was saved
    faults: list[str] = field(default_factory=list)
    busy: bool = False


@dataclass(slots=True)
class ShardState:
    """An open shard; slots before `position` are settled."""

    shard: int
    slots: list[SlotState]
    position: int = 0
    claimed: bool = False  # by a renderer

    @property
    def settled(self) -> bool:
        """Whether every slot is filled or will not be."""
        return self.position == len(self.slots)


class Ledger:
    """The state of a run.

    Args:
        shards: those still to be made, in the order to make them.
        episodes: slots in a shard.
        max_attempts: scenes tried before a slot stays empty.
        poison_faults: faults of a slot on its own before it is quarantined.
        journal: keeps rollouts and verdicts.
        window: shards open at a time.
    """

    def __init__(
        self,
        shards: Iterable[int],
        *,
        episodes: int,
        max_attempts: int,
        poison_faults: int,
        journal: Journal,
        window: int = 1,
    ) -> None:
        self._pending = iter(shards)
        self._episodes = episodes
        self._max_attempts = max_attempts
        self._poison_faults = poison_faults
        self._journal = journal
        self._window = window
        self._queues: dict[str, list[tuple[int, int]]] = {stage: [] for stage in STAGES[:-1]}
        self.open: dict[int, ShardState] = {}
        self._fill()

    # --- what to do next ---

    @property
    def done(self) -> bool:
        """Whether every shard is closed."""
        return not self.open

    def waiting(self, stage: str) -> int:
        """Inputs that wait before a stage other than render."""
        return len(self._queues[stage])

    def take(self, stage: str, limit: int) -> list[Job]:
        """Up to `limit` inputs of a stage other than render, earliest slots first."""
        queue = self._queues[stage]
        jobs = []
        while queue and len(jobs) < limit:
            state = self._state(*heapq.heappop(queue))
            jobs.append(self._job(state))
        return jobs

    def claim_shard(self) -> int | None:
        """The next shard that nobody renders; it is then the caller's."""
        for state in self.open.values():
            if not state.claimed:
                state.claimed = True
                return state.shard
        return None

    def next_render(self, shard: int) -> Job | None:
        """The next input of render in a shard, in the order of episodes; None while it is not ready."""
        shard_state = self.open[shard]
        if shard_state.settled:
            return None
        state = shard_state.slots[shard_state.position]
        if state.busy or state.stage != RENDER_STAGE:
            return None
        if state.payload is None:
            state.payload = self._journal.rollout(shard, state.slot.episode)
        return self._job(state)

    # --- what happened ---

    def passed(self, job: Job, output: Any, cost: Cost) -> None:
        """A stage accepted an input."""
        state = self._answered(job, cost)
        state.tally.add_pass(job.stage)
        state.faults.clear()
        if job.stage == RENDER_STAGE:
            self._settle(state, Outcome.FILLED)
            return
        state.stage = STAGES[STAGES.index(job.stage) + 1]
        state.payload = output
        if job.stage == ROLLOUT_STAGE:
            self._save_rollout(state)
        else:
            self._enqueue(state)

    def rejected(self, job: Job, answer: Rejected, cost: Cost) -> None:
        """A stage rejected an input: the slot's next attempt begins, if there is one."""
        state = self._answered(job, cost)
        state.tally.add_rejection(job.slot, replace(answer, stage=job.stage))
        state.faults.clear()
        if state.slot.attempt + 1 >= self._max_attempts:
            self._give_up(state, Outcome.EMPTY)
            return
        self._begin(state, state.slot.attempt + 1)

    def faulted(self, job: Job, why: str) -> bool:
        """An input broke its stage while nothing else could be to blame. Returns whether it may be tried again."""
        state = self._state(job.slot.shard, job.slot.episode)
        state.busy = False
        state.faults.append(f"{job.stage}, attempt {job.slot.attempt}: {why}")
        if len(state.faults) >= self._poison_faults:
            self._give_up(state, Outcome.QUARANTINED)
            return False
        return True

    def put_back(self, job: Job) -> None:
        """Nothing is known of an input's fate and it is not to blame: it waits again."""
        state = self._state(job.slot.shard, job.slot.episode)
        state.busy = False
        if state.stage != RENDER_STAGE:
            self._enqueue(state)

    def claim_again(self, job: Job) -> None:
        """Marks an input as in work that is tried again on its own."""
        self._state(job.slot.shard, job.slot.episode).busy = True

    def rewind(self, shard: int) -> None:
        """What was rendered of a shard is lost: it is rendered again from its rollouts."""
        shard_state = self.open[shard]
        for state in shard_state.slots[: shard_state.position]:
            if state.outcome is Outcome.FILLED:
                assert state.planned is not None  # a filled slot had a rollout
                state.outcome = Outcome.OPEN
                state.tally = state.planned.copy()
                state.stage = RENDER_STAGE
        shard_state.claimed = False
        shard_state.position = 0
        self._advance(shard_state)

    def summary(self, shard: int) -> ShardSummary:
        """What a settled shard holds and why the rest is missing."""
        slots = self.open[shard].slots
        tally = Tally()
        for state in slots:
            tally.merge(state.tally)

        def episodes(outcome: Outcome) -> tuple[int, ...]:
            return tuple(state.slot.episode for state in slots if state.outcome is outcome)

        return ShardSummary(
            shard=shard,
            filled=episodes(Outcome.FILLED),
            empty=episodes(Outcome.EMPTY),
            quarantined=episodes(Outcome.QUARANTINED),
            tally=tally,
            records=tuple(_record(state) for state in slots if state.outcome is not Outcome.FILLED),
        )

    def close(self, shard: int) -> None:
        """A shard is committed; the next one opens."""
        del self.open[shard]
        self._fill()

    # --- inside ---

    def _fill(self) -> None:
        while len(self.open) < self._window:
            shard = next(self._pending, None)
            if shard is None:
                return
            self._open(shard)

    def _open(self, shard: int) -> None:
        records = self._journal.load(shard)
        slots = [SlotState(Slot(shard, episode), STAGES[0]) for episode in range(self._episodes)]
        self.open[shard] = ShardState(shard, slots)
        for state in slots:
            record = records.get(state.slot.episode)
            if record is None:
                self._begin(state, 0)
                continue
            state.slot, state.outcome = record.slot, record.outcome
            state.tally, state.planned = record.tally.copy(), record.tally.copy()
            state.faults = list(record.faults)
            state.stage = RENDER_STAGE
        self._advance(self.open[shard])

    def _begin(self, state: SlotState, attempt: int) -> None:
        state.slot = replace(state.slot, attempt=attempt)
        state.stage, state.payload, state.planned = STAGES[0], state.slot, None
        self._enqueue(state)

    def _enqueue(self, state: SlotState) -> None:
        heapq.heappush(self._queues[state.stage], (state.slot.shard, state.slot.episode))

    def _save_rollout(self, state: SlotState) -> None:
        state.planned = state.tally.copy()
        self._journal.save(_record(state), state.payload)
        if state.slot.episode - self.open[state.slot.shard].position >= _KEEP_PAYLOADS:
            state.payload = None

    def _give_up(self, state: SlotState, outcome: Outcome) -> None:
        state.stage, state.payload, state.outcome = RENDER_STAGE, None, outcome
        self._journal.save(_record(state), None)
        self._advance(self.open[state.slot.shard])

    def _settle(self, state: SlotState, outcome: Outcome) -> None:
        state.outcome, state.payload = outcome, None
        self._advance(self.open[state.slot.shard])

    @staticmethod
    def _advance(shard: ShardState) -> None:
        while not shard.settled and shard.slots[shard.position].outcome is not Outcome.OPEN:
            shard.position += 1

    def _state(self, shard: int, episode: int) -> SlotState:
        return self.open[shard].slots[episode]

    def _job(self, state: SlotState) -> Job:
        state.busy = True
        return Job(state.slot, state.stage, state.payload)

    def _answered(self, job: Job, cost: Cost) -> SlotState:
        state = self._state(job.slot.shard, job.slot.episode)
        if (state.slot, state.stage) != (job.slot, job.stage):
            raise RuntimeError(
                f"an answer of {job.stage} to {job.slot}, but that slot is at {state.stage}, {state.slot}"
            )
        state.busy = False
        state.tally.add_cost(job.stage, cost.cpu, cost.wall)
        return state


def _record(state: SlotState) -> SlotRecord:
    return SlotRecord(state.slot, state.outcome, state.tally.copy(), tuple(state.faults))
