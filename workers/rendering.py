"""The render actors' side of the driver: which shard each writes, in order, to its commit."""

from __future__ import annotations

import contextlib
import secrets
from typing import Any

from syngrasp.config import RenderPoolConfig
from syngrasp.dataset.commits import is_committed
from syngrasp.errors import StorageError
from syngrasp.generate.jobs import RENDER_STAGE, ShardSummary
from syngrasp.generate.progress import Progress
from syngrasp.generate.slots import Ledger
from syngrasp.generate.store import DatasetStore
from syngrasp.stage import Rejected
from workers.actors import Answer
from workers.pool import Call, Pool, Worker


class Renderers:
    """Gives shards and episodes to render actors.

    An actor owns a shard from its first episode to its commit. When it dies, the shard's pictures are lost and any
    actor makes them again from the rollouts on disk.
    """

    def __init__(
        self, pool: Pool, ledger: Ledger, store: DatasetStore, config: RenderPoolConfig, progress: Progress
    ) -> None:
        self._pool, self._ledger, self._store = pool, ledger, store
        self._config, self._progress = config, progress
        self._summaries: dict[int, ShardSummary] = {}  # of shards that are being finished

    def dispatch(self) -> None:
        """Gives every idle actor its next call, if there is one."""
        for worker in self._pool.idle():
            if worker.shard is None and not self._pool.suspects:
                if worker.rendered >= self._config.recycle:
                    self._pool.remove(worker)
                    continue
                self._claim(worker)
            if not self._advance(worker) and self._pool.suspects:
                self._probe(worker)

    def answered(self, call: Call, result: Any) -> None:
        """A render, probe or finish call ended well."""
        worker = call.worker
        if call.kind == "probe":
            self._ledger.put_back(call.jobs[0])
        elif call.kind == "finish":
            self._committed(worker, won=bool(result))
        else:
            self._rendered(worker, call, result)

    def lost(self, worker: Worker) -> None:
        """An actor is gone: what it wrote and did not commit is made again."""
        shard = worker.shard
        if shard is None:
            return
        if shard in self._summaries and is_committed(self._store.storage, shard):
            self._committed(worker, won=True)  # it died after its last deed
            return
        self._summaries.pop(shard, None)
        worker.shard = None
        self._ledger.rewind(shard)
        self._progress.lost(shard)
        self._store.discard(shard, worker.attempt_id)

    def discard_open(self) -> None:
        """Drops the shards that actors are writing. What cannot be deleted now, `syngrasp gc` finds."""
        for worker in self._pool.workers:
            if worker.shard is not None and not is_committed(self._store.storage, worker.shard):
                with contextlib.suppress(StorageError):
                    self._store.discard(worker.shard, worker.attempt_id)

    def _claim(self, worker: Worker) -> None:
        worker.shard = self._ledger.claim_shard()
        worker.attempt_id = secrets.token_hex(8)

    def _advance(self, worker: Worker) -> bool:
        """The next episode of an actor's shard, or its end. False: there is nothing to do yet."""
        shard = worker.shard
        if shard is None:
            return False
        job = self._ledger.next_render(shard)
        if job is not None:
            ref = worker.actor.render.remote(job.payload, worker.attempt_id)
            self._pool.call(worker, "render", [job], ref, self._config.deadline)
            return True
        if self._ledger.open[shard].settled:
            summary = self._summaries[shard] = self._ledger.summary(shard)
            ref = worker.actor.finish.remote(summary, worker.attempt_id)
            self._pool.call(worker, "finish", [], ref, self._config.deadline)
            return True
        return False

    def _probe(self, worker: Worker) -> None:
        """Tries a suspected episode on its own, so that its shard is not lost again if it is to blame."""
        job = self._pool.suspects.popleft()
        ref = worker.actor.probe.remote(job.payload)
        self._pool.call(worker, "probe", [job], ref, self._config.deadline, alone=True)

    def _rendered(self, worker: Worker, call: Call, answer: Answer) -> None:
        job = call.jobs[0]
        if isinstance(answer.output, Rejected):
            self._ledger.rejected(job, answer.output, answer.cost)
        else:
            self._ledger.passed(job, answer.output, answer.cost)
            worker.rendered += 1
        self._progress.answered(RENDER_STAGE, answer.output, job.slot.shard, answer.frames)

    def _committed(self, worker: Worker, won: bool) -> None:
        shard = worker.shard
        assert shard is not None  # it was finishing one
        summary = self._summaries.pop(shard)
        worker.shard = None
        self._ledger.close(shard)
        self._progress.shard_committed(summary, won)
