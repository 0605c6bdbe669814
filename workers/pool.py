"""A pool: the actors that run one stage, and the calls they were given."""

from __future__ import annotations

import itertools
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import ray

from syngrasp.generate.jobs import Job
from workers.cluster import PoolSize

_numbers = itertools.count()


@dataclass(eq=False, slots=True)
class Call:
    """A call in flight."""

    kind: str  # setup, process, render, probe, finish
    worker: Worker
    jobs: list[Job]
    ref: Any
    seconds: float  # allowed once it is the worker's oldest call
    alone: bool = False  # an input that is tried on its own
    due: float = float("inf")  # monotonic


@dataclass(eq=False, slots=True)
class Worker:
    """An actor as the driver sees it."""

    stage: str
    actor: Any
    number: int = field(default_factory=lambda: next(_numbers))
    node: str = ""
    ready: bool = False
    calls: deque[Call] = field(default_factory=deque)
    shard: int | None = None  # that a render actor is writing
    attempt_id: str = ""
    rendered: int = 0  # episodes since it started

    @property
    def jobs(self) -> list[Job]:
        """Every input in flight."""
        return [job for call in self.calls for job in call.jobs]


class Pool:
    """Starts, feeds and replaces the actors of a stage.

    Args:
        stage: its name.
        size: how many actors, and what each takes.
        spawn: makes an actor given Ray options.
        setup_seconds: longest start of an actor.
        calls: every call in flight of all pools, by reference; the pool adds and removes its own.
    """

    def __init__(
        self,
        stage: str,
        size: PoolSize,
        spawn: Callable[[dict[str, Any]], Any],
        setup_seconds: float,
        calls: dict[Any, Call],
    ) -> None:
        self.stage, self.size = stage, size
        self.workers: list[Worker] = []
        self.suspects: deque[Job] = deque()  # tried alone, before anything else
        self._spawn, self._setup_seconds, self._calls = spawn, setup_seconds, calls

    def grow(self, limit: int | None = None) -> None:
        """Starts actors up to the pool's size."""
        while len(self.workers) < min(self.size.actors, limit or self.size.actors):
            options = {
                "num_cpus": self.size.num_cpus,
                "num_gpus": self.size.num_gpus,
                "max_restarts": 0,
                "max_task_retries": 0,
            }
            worker = Worker(self.stage, self._spawn(options))
            self.workers.append(worker)
            self.call(worker, "setup", [], worker.actor.setup.remote(), self._setup_seconds)

    def call(self, worker: Worker, kind: str, jobs: list[Job], ref: Any, seconds: float, alone: bool = False) -> None:
        """Notes a call that was made."""
        call = Call(kind, worker, jobs, ref, seconds, alone)
        if not worker.calls:
            call.due = time.monotonic() + seconds
        worker.calls.append(call)
        self._calls[ref] = call

    def answered(self, call: Call) -> None:
        """A call ended and its actor lives: the next one's time begins."""
        del self._calls[call.ref]
        call.worker.calls.remove(call)
        if call.worker.calls:
            head = call.worker.calls[0]
            head.due = time.monotonic() + head.seconds

    def remove(self, worker: Worker) -> None:
        """Forgets an actor and its calls, and ends its process."""
        for call in worker.calls:
            self._calls.pop(call.ref, None)
        self.workers.remove(worker)
        ray.kill(worker.actor, no_restart=True)

    def kill(self) -> None:
        """Ends every process at once; the run is over."""
        for worker in self.workers:
            ray.kill(worker.actor, no_restart=True)

    def idle(self) -> list[Worker]:
        """Actors that are ready and have nothing to do."""
        return [worker for worker in self.workers if worker.ready and not worker.calls]

    def free(self, in_flight: int) -> list[Worker]:
        """Actors that take another call, the least busy first; none that is trying an input alone."""
        able = [
            worker
            for worker in self.workers
            if worker.ready and len(worker.calls) < in_flight and not any(call.alone for call in worker.calls)
        ]
        return sorted(able, key=lambda worker: len(worker.calls))
