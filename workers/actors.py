"""The processes that run stages. They hold no state that could change an answer; pixels never leave a render actor."""

from __future__ import annotations

import os
import time
import traceback
from dataclasses import dataclass
from typing import Any

import ray

from syngrasp.dataset.writer import ShardWriter
from syngrasp.errors import SyngraspError
from syngrasp.generate.factory import StageFactory, ask
from syngrasp.generate.jobs import Cost, ShardSummary
from syngrasp.generate.store import DatasetStore
from syngrasp.records import Rollout
from syngrasp.stage import Rejected, Stage


@dataclass(frozen=True, slots=True)
class Started:
    """An actor is ready."""

    pid: int
    node: str


@dataclass(frozen=True, slots=True)
class UserError:
    """A SyngraspError as data: an exception whose constructor writes its message does not survive a trip."""

    message: str


@dataclass(frozen=True, slots=True)
class Fault:
    """An exception of a stage as data: not every exception survives a trip either."""

    traceback: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a stage said to one input."""

    output: Any  # a record, Rejected, or None for a rendered episode
    cost: Cost
    frames: int = 0


def start(name: str, factory: StageFactory) -> Stage[Any, Any] | UserError:
    """A stage that is set up, or the reason why it cannot be."""
    try:
        stage = factory(name)
        stage.setup()
    except SyngraspError as error:
        return UserError(str(error))
    return stage


def _as_data(error: Exception) -> Fault | UserError:
    if isinstance(error, SyngraspError):
        return UserError(str(error))
    return Fault(traceback.format_exc(limit=-8))


def _started() -> Started:
    return Started(os.getpid(), ray.get_runtime_context().get_node_id())


class StageActor:
    """Runs one stage on batches."""

    def __init__(self, name: str, factory: StageFactory) -> None:
        self._name, self._factory = name, factory
        self._stage: Stage[Any, Any] | None = None

    def setup(self) -> Started | UserError:
        """Loads the stage."""
        stage = start(self._name, self._factory)
        if isinstance(stage, UserError):
            return stage
        self._stage = stage
        return _started()

    def process(self, inputs: list[Any]) -> list[Answer] | Fault | UserError:
        """One answer per input."""
        assert self._stage is not None  # the driver waits for setup
        try:
            outputs, cost = ask(self._stage, inputs)
        except Exception as error:
            return _as_data(error)
        return [Answer(output, cost) for output in outputs]


class RenderActor:
    """Renders the episodes of one shard after the other, in order, and writes them."""

    def __init__(self, name: str, factory: StageFactory, store: DatasetStore) -> None:
        self._name, self._factory, self._store = name, factory, store
        self._stage: Stage[Any, Any] | None = None
        self._writer: ShardWriter | None = None

    def setup(self) -> Started | UserError:
        """Loads the stage."""
        stage = start(self._name, self._factory)
        if isinstance(stage, UserError):
            return stage
        self._stage = stage
        return _started()

    def render(self, rollout: Rollout, attempt_id: str) -> Answer | Fault | UserError:
        """Renders the next episode of an attempt at a shard and appends it."""
        assert self._stage is not None  # the driver waits for setup
        try:
            outputs, cost = ask(self._stage, [rollout])
            if isinstance(outputs[0], Rejected):
                return Answer(outputs[0], cost)
            begun = time.process_time(), time.perf_counter()
            self._writer_of(rollout.scene.slot.shard, attempt_id).append(outputs[0])
        except Exception as error:
            return _as_data(error)
        cpu, wall = time.process_time() - begun[0], time.perf_counter() - begun[1]
        return Answer(None, Cost(cost.cpu + cpu, cost.wall + wall), frames=len(rollout.phase))

    def probe(self, rollout: Rollout) -> bool | Fault | UserError:
        """Renders without keeping anything, to learn whether it can be done; returns True."""
        assert self._stage is not None  # the driver waits for setup
        try:
            self._stage.process([rollout])
        except Exception as error:
            return _as_data(error)
        return True

    def finish(self, summary: ShardSummary, attempt_id: str) -> bool | UserError:
        """Ends the shard and commits it. False: another run had committed it."""
        try:
            return self._store.commit(self._writer_of(summary.shard, attempt_id), summary)
        except SyngraspError as error:
            return UserError(str(error))
        finally:
            self._writer = None

    def _writer_of(self, shard: int, attempt_id: str) -> ShardWriter:
        if self._writer is None or self._writer.attempt_id != attempt_id:
            self._writer = self._store.writer(shard, attempt_id)
        return self._writer
