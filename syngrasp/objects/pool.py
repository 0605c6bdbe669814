"""Child processes that may hang, crash or eat memory without harm: each runs one job at a time and is killed and
replaced when it does. They live on between jobs, so that a job costs no interpreter start."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any

READY, DONE, ERROR = "ready", "done", "error"
START_LIMIT = 600.0  # a child that takes longer to warm up is given up [s]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a job: its value, or why there is none."""

    job: Any
    value: Any = None
    failure: str = ""  # "", "time_out", "crashed" or "error"
    detail: str = ""


class _Child:
    def __init__(self, target: Callable[[Any], Any], memory: int | None) -> None:
        context = multiprocessing.get_context("spawn")
        self.link, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, target, memory), daemon=True)
        with _one_thread_each():
            self.process.start()
        theirs.close()
        self.job: Any = None
        self.busy = False
        self.ready = False
        self.deadline = time.monotonic() + START_LIMIT

    def give(self, job: Any, limit: float) -> None:
        self.job, self.busy, self.deadline = job, True, time.monotonic() + limit
        self.link.send(job)

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.link.close()


def run_jobs(
    target: Callable[[Any], Any], jobs: Iterable[Any], workers: int, time_limit: float, memory: int | None = None
) -> Generator[Outcome, None, None]:
    """Runs target(job) for every job in child processes and yields outcomes as they come.

    target: a module-level function; it answers failures it expects, what it raises becomes an "error". Its attribute
    `warm_up`, if it has one, is called first in each child, outside the limits.
    time_limit: seconds a job may take; memory: bytes a child may take beyond what its modules need (Linux only).
    """
    pending = list(jobs)[::-1]
    children: list[_Child] = []
    try:
        while pending or any(child.busy for child in children):
            while len(children) < min(workers, len(pending) + sum(child.busy for child in children)):
                children.append(_Child(target, memory))
            yield from _step(children, pending, time_limit)
    finally:
        for child in children:
            child.kill()


def _step(children: list[_Child], pending: list[Any], time_limit: float) -> Iterator[Outcome]:
    """Waits for the next message or deadline, and gives free children work."""
    nearest = min((child.deadline for child in children if child.busy or not child.ready), default=time.monotonic())
    wait([child.link for child in children], timeout=max(0.0, min(nearest - time.monotonic(), 1.0)))
    for child in list(children):
        outcome = _collect(child, time_limit)
        if outcome is not None:
            yield outcome
        if not child.process.is_alive() and not child.link.closed and not child.link.poll():
            child.kill()
        if child.link.closed:
            children.remove(child)
        elif child.ready and not child.busy and pending:
            child.give(pending.pop(), time_limit)


def _collect(child: _Child, time_limit: float) -> Outcome | None:
    """A child's answer if it has one, or the outcome of its death."""
    try:
        if child.link.poll():
            kind, value = child.link.recv()
            if kind == READY:
                child.ready = True
                return None
            job, child.job, child.busy = child.job, None, False
            return Outcome(job, value) if kind == DONE else Outcome(job, failure="error", detail=value)
    except (EOFError, ConnectionResetError):
        child.process.join()
        code = child.process.exitcode or 0
        child.kill()
        if not child.ready:
            raise RuntimeError(f"a worker process ended while starting ({_cause(code)})") from None
        return Outcome(child.job, failure="crashed", detail=_cause(code)) if child.busy else None
    if (child.busy or not child.ready) and time.monotonic() > child.deadline:
        child.kill()
        if not child.ready:
            raise RuntimeError(f"a worker process was not ready after {START_LIMIT:.0f} s")
        return Outcome(child.job, failure="time_out", detail=f"took longer than {time_limit:g} s")
    return None


@contextlib.contextmanager
def _one_thread_each() -> Iterator[None]:
    """Processes that are started within compute on one thread each: their libraries read this as they are loaded.

    Threads of several processes that wait for one another on the same cores stood still for minutes.
    """
    names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _cause(code: int) -> str:
    if code < 0:
        with contextlib.suppress(ValueError):
            return f"its process ended by {signal.Signals(-code).name}"
    return f"its process ended with code {code}"


def _serve(link: Connection, target: Callable[[Any], Any], memory: int | None) -> None:
    """A child's life: a job in, an answer out."""
    import traceback

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    warm = getattr(target, "warm_up", None)
    if warm is not None:
        warm()
    if memory is not None:
        _bound_memory(memory)
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        link.send((READY, None))
        while True:
            job = link.recv()
            try:
                answer = (DONE, target(job))
            except Exception as error:  # one bad input must not end the others; the answer says what it was
                place = traceback.extract_tb(error.__traceback__)[-1]
                where = f"{os.path.basename(place.filename)}:{place.lineno}"
                answer = (ERROR, f"{type(error).__name__} at {where}: {' '.join(str(error).split())[:160]}")
            link.send(answer)


def _bound_memory(extra: int) -> None:
    """Lets this process take at most `extra` bytes more address space than it has now."""
    try:
        import resource as limits
        from pathlib import Path

        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        bound = pages * os.sysconf("SC_PAGE_SIZE") + extra
        limits.setrlimit(limits.RLIMIT_AS, (bound, bound))
    except (ImportError, OSError, ValueError):
        return  # not on this system
