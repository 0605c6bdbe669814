"""One reader in one process on one core: python -m tests.benchmarks.loader.worker READER PLAIN FOLDER [write].

Writes its format, or else answers each line {"seed", "count"} on stdin by one line of figures on stdout.
"""

from __future__ import annotations

import tests.benchmarks.one_core  # noqa: F401  # isort: skip
import json
import os
import resource
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.loader.frames import Frames, pack


def main(name: str, plain: Path, folder: Path, *mode: str) -> None:
    """Serves until stdin ends."""
    base, _, variant = name.partition(":")
    module = import_module(f"tests.benchmarks.loader.readers.{base}")
    if mode:
        module.write(Frames(plain), folder)
        return
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what peers print is not an answer
    _warm(folder)
    before = _memory()
    start, cpu = time.perf_counter(), _cpu()
    reader = module.Reader(folder, *filter(None, [variant]))
    first = next(iter(reader.read([0])))
    opened: dict[str, Any] = {"open_ms": 1e3 * (time.perf_counter() - start), "open_cpu_ms": 1e3 * (_cpu() - cpu)}
    del first
    frames = Frames(plain)
    opened |= {"psnr": _check(reader, frames), "note": getattr(reader, "note", "")}
    print(json.dumps(opened), file=answers)
    total = getattr(reader, "frames", len(frames))
    cpu = _cpu()
    for line in sys.stdin:
        asked = json.loads(line)
        count = min(asked["count"], getattr(module, "COUNT", asked["count"]))
        order = np.random.default_rng(asked["seed"]).permutation(total)[:count].tolist()
        if hasattr(reader, "prepare"):
            reader.prepare(order)
            cpu = _cpu()
        done = 0
        for numbers, _, _ in reader.read(order):
            done += len(numbers)
        # From the end of the last round on: what threads made ready meanwhile is paid for too.
        since, cpu = cpu, _cpu()
        told = {"cpu_us": 1e6 * (cpu - since) / done, "samples": done, "memory_mib": _memory() - before}
        print(json.dumps(told), file=answers)


def _check(reader: Any, frames: Frames) -> float:
    """The lowest PSNR of some pictures [dB], against imagecodecs. Raises where states are not those that were laid
    down."""
    import imagecodecs

    lowest = np.inf
    total = getattr(reader, "frames", len(frames))
    order = [7, total // 2, total - 1, *range(64)]
    if hasattr(reader, "prepare"):
        reader.prepare(order)
    seen = 0
    for numbers, images, states in reader.read(order):
        images = np.asarray(images).reshape(len(numbers), 2, *np.shape(images)[-3:])
        for k, i in enumerate(numbers):
            if states is not None:
                vector = pack(states) if isinstance(states, dict) else np.asarray(states)
                np.testing.assert_array_equal(vector, frames.state[i])
            for c in range(2):
                true = imagecodecs.jpeg8_decode(frames.jpeg(i, c)).astype(float)
                error = ((images[k, c] - true) ** 2).mean()
                lowest = min(lowest, 10 * np.log10(255**2 / error) if error else np.inf)
        seen += len(numbers)
        if seen >= 67:
            break
    return float(lowest)


def _warm(folder: Path) -> None:
    """Every file of the format in the page cache."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        with open(path, "rb") as file:
            while file.read(1 << 22):
                pass


def _cpu() -> float:
    """CPU time of all threads and of children that ended [s]."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _memory() -> float:
    """Memory of its own [MiB]: mapped files are the page cache's."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), *sys.argv[4:])
