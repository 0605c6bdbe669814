"""The driver: gives every actor its work, downstream first, and mends what breaks.

Faults have two budgets. A slot's: when an actor dies everything in flight on it is tried again alone, and only a
fault while alone counts; `poison_faults` of them and the slot is quarantined. The infrastructure's: lost nodes,
objects and connections are nobody's fault; the work is given out again.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

import ray
from ray import exceptions

from syngrasp.errors import SyngraspError
from syngrasp.generate.jobs import RENDER_STAGE, STAGES, Job
from syngrasp.generate.progress import Progress
from syngrasp.generate.slots import Ledger
from syngrasp.stage import Rejected
from workers.actors import Answer, Fault, RenderActor, StageActor, Started, UserError
from workers.cluster import check_room, pool_sizes, ray_session
from workers.pool import Call, Pool, Worker
from workers.rendering import Renderers

if TYPE_CHECKING:
    from syngrasp.generate.run import Run

_WAIT = 0.5  # longest silence of the loop [s]
_EMPTY_ROUNDS = 500  # of the loop with nothing in flight, before that is taken for a fault of the program
_SETUP_DEATHS = 3  # in a row, before the run gives up
_INFRASTRUCTURE = (exceptions.ActorUnavailableError, exceptions.ObjectLostError, exceptions.RaySystemError)


def run_on_ray(run: Run, progress: Progress, address: str | None = None) -> None:
    """Makes the missing shards of a run on Ray: a local one for the time of the run, or a cluster's."""
    with ray_session(address, run.recipe.execution):
        driver = Driver(run, progress)
        try:
            driver.run()
        finally:
            driver.close()


class Driver:
    """One run on the Ray that this process is connected to."""

    def __init__(self, run: Run, progress: Progress) -> None:
        self._run, self._progress = run, progress
        self._execution = run.recipe.execution
        resources = ray.cluster_resources()
        sizes = pool_sizes(run.recipe, resources.get("CPU", 1.0), resources.get("GPU", 0.0))
        sizes = {stage: size for stage, size in sizes.items() if stage in run.stages}
        check_room(sizes, ray.nodes())
        self._calls: dict[Any, Call] = {}
        setup = self._execution.setup_deadline
        stage_actor: Any = ray.remote(StageActor)
        render_actor: Any = ray.remote(RenderActor)
        self._pools: dict[str, Pool] = {}
        for stage in run.stages:
            if stage == RENDER_STAGE:
                spawn = partial(_spawn, render_actor, (stage, run.factory, run.store))
            else:
                spawn = partial(_spawn, stage_actor, (stage, run.factory))
            self._pools[stage] = Pool(stage, sizes[stage], spawn, setup, self._calls)
        rendering = min(sizes[RENDER_STAGE].actors, len(run.missing))
        self.ledger: Ledger = run.ledger(window=rendering + self._execution.shards_ahead)
        self._renderers = Renderers(self._pools[RENDER_STAGE], self.ledger, run.store, self._execution.render, progress)
        self._setup_deaths = dict.fromkeys(STAGES, 0)
        self._empty_rounds = 0
        self._infrastructure_left = self._execution.infrastructure_faults

    def run(self) -> None:
        """The loop; returns when every shard is committed."""
        while not self.ledger.done:
            for pool in self._pools.values():
                pool.grow(limit=len(self._run.missing) if pool.stage == RENDER_STAGE else None)
            self._dispatch()
            self._collect()
            self._enforce_deadlines()
            self._progress.tick()

    def close(self) -> None:
        """Ends every actor, and drops the shards that they were writing."""
        for pool in self._pools.values():
            pool.kill()
        self._renderers.discard_open()

    # --- giving out ---

    def _dispatch(self) -> None:
        self._renderers.dispatch()
        for stage in reversed(self._run.stages[:-1]):
            pool = self._pools[stage]
            section: Any = getattr(self._execution, stage)
            self._dispatch_suspects(pool, section.deadline)
            following = STAGES[STAGES.index(stage) + 1]
            for worker in pool.free(section.in_flight):
                while len(worker.calls) < section.in_flight and self._room(following):
                    jobs = self.ledger.take(stage, section.batch)
                    if not jobs:
                        break
                    self._process(pool, worker, jobs, section.deadline)

    def _dispatch_suspects(self, pool: Pool, deadline: float) -> None:
        for worker in pool.idle():
            if not pool.suspects:
                return
            self._process(pool, worker, [pool.suspects.popleft()], deadline, alone=True)

    def _process(self, pool: Pool, worker: Worker, jobs: list[Job], deadline: float, alone: bool = False) -> None:
        ref = worker.actor.process.remote([job.payload for job in jobs])
        pool.call(worker, "process", jobs, ref, deadline * len(jobs), alone)

    def _room(self, stage: str) -> bool:
        """Rollouts wait on disk, so rendering always has room."""
        return stage == RENDER_STAGE or self.ledger.waiting(stage) < self._execution.queue

    # --- taking in ---

    def _collect(self) -> None:
        refs = list(self._calls)
        if not refs:  # every actor waits: only for a moment, or else for ever
            self._empty_rounds += 1
            if self._empty_rounds > _EMPTY_ROUNDS:
                raise RuntimeError(f"nothing is in flight, but shards {sorted(self.ledger.open)} are not finished")
            time.sleep(0.01)
            return
        self._empty_rounds = 0
        ready, _ = ray.wait(refs, num_returns=1, timeout=_WAIT)
        more, _ = ray.wait(refs, num_returns=len(refs), timeout=0)
        for ref in dict.fromkeys([*ready, *more]):
            call = self._calls.get(ref)
            if call is not None:  # else it went with its actor a moment ago
                self._receive(call)

    def _receive(self, call: Call) -> None:
        try:
            result = ray.get(call.ref)
        except exceptions.ActorDiedError as error:
            self._dead(call.worker, _first_line(error), lost=_node_lost(call.worker, error))
        except _INFRASTRUCTURE as error:
            self._dead(call.worker, _first_line(error), lost=True)
        else:
            self._pools[call.worker.stage].answered(call)
            self._answered(call, result)

    def _answered(self, call: Call, result: Any) -> None:
        if isinstance(result, UserError):
            raise SyngraspError(result.message)
        if isinstance(result, Fault):
            self._raised(call, result.traceback)
        elif isinstance(result, Started):
            call.worker.ready, call.worker.node = True, result.node
            self._setup_deaths[call.worker.stage] = 0
        elif call.kind == "process":
            for job, answer in zip(call.jobs, result, strict=True):
                self._record(job, answer)
        else:
            self._renderers.answered(call, result)

    def _record(self, job: Job, answer: Answer) -> None:
        if isinstance(answer.output, Rejected):
            self.ledger.rejected(job, answer.output, answer.cost)
        else:
            self.ledger.passed(job, answer.output, answer.cost)
        self._progress.answered(job.stage, answer.output, job.slot.shard)

    # --- mending ---

    def _enforce_deadlines(self) -> None:
        now = time.monotonic()
        for pool in self._pools.values():
            for worker in list(pool.workers):
                if worker.calls and worker.calls[0].due < now:
                    call = worker.calls[0]
                    what = "did not start" if call.kind == "setup" else f"gave no answer ({call.kind})"
                    self._dead(worker, f"{what} within {call.seconds:g} s", lost=False)

    def _raised(self, call: Call, why: str) -> None:
        """An exception: the actor lives, and of a batch each input is tried alone."""
        if len(call.jobs) > 1:
            self._pools[call.worker.stage].suspects.extend(call.jobs)
        else:
            self._blame(call.jobs[0], why, died=False)

    def _dead(self, worker: Worker, why: str, lost: bool) -> None:
        """An actor is gone, or is made to go."""
        pool, jobs = self._pools[worker.stage], worker.jobs
        starting = not worker.ready
        pool.remove(worker)
        if lost:
            self._charge_infrastructure(f"{worker.stage} actor lost: {why}")
            for job in jobs:
                self.ledger.put_back(job)
        elif starting:
            self._failed_start(pool, why)
        elif len(jobs) == 1:
            self._blame(jobs[0], why, died=True)
        elif jobs:
            pool.suspects.extend(jobs)
        else:
            self._charge_infrastructure(f"{worker.stage} actor died with nothing in flight: {why}")
        self._renderers.lost(worker)

    def _blame(self, job: Job, why: str, died: bool) -> None:
        """A fault of an input on its own."""
        again = self.ledger.faulted(job, why)
        self._progress.fault(job.slot, job.stage, why.strip().splitlines()[-1], quarantined=not again)
        if not again:
            return
        if job.stage == RENDER_STAGE and not died:
            return  # its turn comes again on the same actor
        self.ledger.claim_again(job)
        self._pools[job.stage].suspects.append(job)

    def _failed_start(self, pool: Pool, why: str) -> None:
        self._setup_deaths[pool.stage] += 1
        if self._setup_deaths[pool.stage] >= _SETUP_DEATHS and not pool.workers:
            raise SyngraspError(f"the {pool.stage} stage cannot start: {why}")

    def _charge_infrastructure(self, why: str) -> None:
        self._progress.infrastructure(why)
        self._infrastructure_left -= 1
        if self._infrastructure_left < 0:
            raise SyngraspError(f"too many losses of nodes or objects, the last one: {why}; run again to resume")


def _spawn(actor: Any, arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
    return actor.options(**options).remote(*arguments)


def _node_lost(worker: Worker, error: exceptions.ActorDiedError) -> bool:
    """Whether an actor died because its node did."""
    if "node has died" in str(error):
        return True
    return any(node["NodeID"] == worker.node and not node["Alive"] for node in ray.nodes())


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if "died" in line or "exit" in line.lower()]
    return (told or lines or [type(error).__name__])[-1][:300]
