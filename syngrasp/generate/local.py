"""The in-process executor: every stage in this process, one shard after the other."""

from __future__ import annotations

import secrets
import traceback
from typing import TYPE_CHECKING, Any

from syngrasp.errors import SyngraspError
from syngrasp.generate.factory import StageFactory, ask
from syngrasp.generate.jobs import RENDER_STAGE, STAGES, Job
from syngrasp.generate.progress import Progress
from syngrasp.generate.slots import Ledger
from syngrasp.generate.store import DatasetStore
from syngrasp.stage import Rejected, Stage

if TYPE_CHECKING:
    from syngrasp.dataset.writer import ShardWriter


class LocalExecutor:
    """Runs a ledger to its end.

    Args:
        ledger: the slots; its window is one shard.
        store: receives the shards.
        factory: makes the stages.
        batch: inputs of a call, by stage.
        progress: is told what happens.
        stages: those that have anything to do.
    """

    def __init__(
        self,
        ledger: Ledger,
        store: DatasetStore,
        factory: StageFactory,
        batch: dict[str, int],
        progress: Progress,
        stages: tuple[str, ...] = STAGES,
    ) -> None:
        self._ledger, self._store, self._factory = ledger, store, factory
        self._batch, self._progress = batch, progress
        self._needed = stages
        self._stages: dict[str, Stage[Any, Any]] = {}

    def run(self) -> None:
        """Makes every shard of the ledger. What is committed stays, whatever is raised."""
        try:
            for stage in self._needed:  # what is missing is said before any work is done
                self._stage(stage)
            while not self._ledger.done:
                self._make_shard()
        finally:
            for stage in self._stages.values():
                stage.close()

    def _make_shard(self) -> None:
        shard = self._ledger.claim_shard()
        assert shard is not None  # the window is one shard and it is not done
        with self._store.writer(shard, secrets.token_hex(8)) as writer:
            while not self._ledger.open[shard].settled:
                self._step(writer)
            summary = self._ledger.summary(shard)
            won = self._store.commit(writer, summary)
        self._ledger.close(shard)
        self._progress.shard_committed(summary, won)

    def _step(self, writer: ShardWriter) -> None:
        """Rendering, where a rollout is ready, or else a batch of another stage."""
        job = self._ledger.next_render(writer.shard)
        if job is not None:
            self._run([job], writer)
            return
        stage = self._next_stage()
        if stage is None:
            raise RuntimeError(f"shard {writer.shard} is not settled, but nothing is left to do")
        self._run(self._ledger.take(stage, self._batch[stage]), writer)

    def _next_stage(self) -> str | None:
        """The last stage that has a whole batch; while there is none, the first that has any input, which brings the
        others nearer to theirs."""
        waiting = {stage: self._ledger.waiting(stage) for stage in STAGES[:-1]}
        whole = [stage for stage, count in waiting.items() if count >= self._batch[stage]]
        return whole[-1] if whole else next((stage for stage, count in waiting.items() if count), None)

    def _run(self, jobs: list[Job], writer: ShardWriter) -> None:
        name = jobs[0].stage
        stage = self._stage(name)
        try:
            outputs, cost = ask(stage, [job.payload for job in jobs])
            if name == RENDER_STAGE and not isinstance(outputs[0], Rejected):
                writer.append(outputs[0])
        except SyngraspError:
            raise
        except Exception:
            self._fault(jobs, writer)
            return
        for job, output in zip(jobs, outputs, strict=True):
            if isinstance(output, Rejected):
                self._ledger.rejected(job, output, cost)
            else:
                self._ledger.passed(job, output, cost)
            frames = len(job.payload.phase) if name == RENDER_STAGE else 0
            self._progress.answered(name, output, job.slot.shard, frames)

    def _fault(self, jobs: list[Job], writer: ShardWriter) -> None:
        """An exception: of a batch each input is tried alone; alone it counts."""
        if len(jobs) > 1:
            for job in jobs:
                self._run([job], writer)
            return
        job, why = jobs[0], traceback.format_exc(limit=-8)
        again = self._ledger.faulted(job, why)
        self._progress.fault(job.slot, job.stage, why.strip().splitlines()[-1], quarantined=not again)
        if again:
            self._run([job], writer)

    def _stage(self, name: str) -> Stage[Any, Any]:
        if name not in self._stages:
            stage = self._factory(name)
            stage.setup()
            self._stages[name] = stage
        return self._stages[name]
