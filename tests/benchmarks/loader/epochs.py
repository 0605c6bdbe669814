"""A shuffled epoch over up to 1,000 shards: each frame once, and how much memory it takes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from syngrasp import dataset
from tests.benchmarks.loader.data import repeated
from tests.benchmarks.loader.goals import goal
from tests.benchmarks.peers import REPOSITORY
from tests.dataset.datasets import make_dataset

SHARDS = (250, 500, 1000)
BATCH, BUFFER = 64, 2048


def run(work: Path) -> None:
    """Prints a row per number of shards."""
    make_dataset(work / "small", shards=4, size=64)
    print(f"\na shuffled epoch of the loader: batches of {BATCH}, a shuffle buffer of {BUFFER:,} frames, 2 threads\n")
    print(f"{'shards':>8}{'frames':>9}{'each once':>11}{'own MiB':>9}{'peak MiB':>10}{'frames/s':>10}")
    peaks, exact = [], True
    for shards in SHARDS:
        root = repeated(work / "small", work / f"shards-{shards}", shards, link=True)
        command = [sys.executable, "-m", "tests.benchmarks.loader.epochs", str(root)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=REPOSITORY)
        told = json.loads(done.stdout)
        peaks.append(told["own_mib"])
        exact &= told["once"]
        print(
            f"{shards:8,}{told['frames']:9,}{'yes' if told['once'] else 'NO':>11}{told['own_mib']:9.1f}"
            f"{told['peak_mib']:10.1f}{told['frames_per_s']:10.0f}"
        )
    print("\nown: largest memory beyond that after imports, mapped files left out; peak: all of the process\n")
    goal(exact, f"a shuffled epoch over {SHARDS[-1]:,} shards reads each frame once")
    growth = peaks[-1] / peaks[0]
    goal(growth < 1.5, f"four times the shards take {growth:.2f} times the memory (goal: below 1.5)")


def epoch(root: Path) -> dict[str, float | bool]:
    """Figures of one epoch."""
    import syngrasp.dataset.loading.loader  # noqa: F401 (imports are not the loader's memory)

    before = _memory("RssAnon")
    ds = dataset.open(root)
    loader = dataset.Loader(ds, BATCH, buffer=BUFFER, drop_last=False, threads=2)
    seen = np.zeros(len(ds), np.int64)
    largest, clock = 0.0, time.perf_counter()
    for batch in loader:
        seen[batch["frame"]] += 1
        largest = max(largest, _memory("RssAnon"))
    taken = time.perf_counter() - clock
    loader.close()
    return {
        "frames": len(ds),
        "once": bool((seen == 1).all()),
        "own_mib": largest - before,
        "peak_mib": _memory("VmHWM"),
        "frames_per_s": len(ds) / taken,
    }


def _memory(kind: str) -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{kind}:")[2].split()[0]) / 1024


if __name__ == "__main__":
    print(json.dumps(epoch(Path(sys.argv[1]))))
