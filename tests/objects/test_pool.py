"""Child processes that hang, crash, fail or eat memory cost only their job."""

from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from syngrasp.objects.pool import run_jobs


def work(job: tuple[str, int]) -> int:
    """What a test asks of a child."""
    kind, value = job
    if kind == "hang":
        time.sleep(600.0)
    elif kind == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif kind == "exit":
        os._exit(3)
    elif kind == "raise":
        raise ValueError("no such thing")
    elif kind == "eat":
        try:
            return len(bytearray(value))
        except MemoryError:
            return -1
    return value * value


def outcomes(jobs, **options):
    return {o.job: o for o in run_jobs(work, jobs, **{"workers": 2, "time_limit": 60.0, **options})}


def test_each_failure_is_told_and_the_others_go_on() -> None:
    jobs = [("square", 1), ("crash", 0), ("square", 2), ("exit", 0), ("raise", 0), ("square", 3)]
    got = outcomes(jobs)
    assert {job: got[job].value for job in jobs if job[0] == "square"} == {("square", k): k * k for k in (1, 2, 3)}
    assert (got["crash", 0].failure, got["exit", 0].failure) == ("crashed", "crashed")
    assert "SIGSEGV" in got["crash", 0].detail
    assert "code 3" in got["exit", 0].detail
    assert got["raise", 0].failure == "error"
    assert "ValueError" in got["raise", 0].detail
    assert "no such thing" in got["raise", 0].detail


def test_a_job_past_its_time_is_stopped() -> None:
    got = outcomes([("hang", 0), ("square", 4)], workers=1, time_limit=0.5)
    assert got["hang", 0].failure == "time_out"
    assert got["square", 4].value == 16


@pytest.mark.skipif(sys.platform != "linux", reason="memory is bounded on Linux only")
def test_memory_is_bounded() -> None:
    assert outcomes([("eat", 1 << 30)], memory=1 << 28)["eat", 1 << 30].value == -1
    assert outcomes([("eat", 1 << 20)], memory=1 << 28)["eat", 1 << 20].value == 1 << 20


def test_children_end_with_the_run() -> None:
    run = run_jobs(work, [("square", 1), ("hang", 0)], workers=2, time_limit=60.0)
    assert next(run).value == 1
    run.close()
    import multiprocessing

    assert not multiprocessing.active_children()
