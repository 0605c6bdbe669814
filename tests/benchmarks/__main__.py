"""All benchmarks, or some: python -m tests.benchmarks [SUITE …]. Results go to tests/benchmarks/results/SUITE.txt.

Machines differ and are noisy: what counts are the ratios inside one run.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from datetime import date
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
SUITES = {  # modules with their arguments, run one after the other
    "geometry": [["tests.benchmarks.bench_geometry"]],
    "planning": [["tests.benchmarks.bench_planning"]],
    "motion": [["tests.benchmarks.bench_motion"], ["tests.benchmarks.bench_planners"], ["tests.benchmarks.bench_ik"]],
    "warp_lift": [["tests.benchmarks.bench_warp_lift", "--plans", "120", "--batch", "60"]],
    "physics": [["tests.benchmarks.bench_physics"]],
    "render": [["tests.benchmarks.bench_render"], ["tests.benchmarks.bench_render_overhead"]],
    "looks": [["tests.benchmarks.bench_looks"]],
    "masks": [["tests.benchmarks.bench_masks"]],
    "photoreal": [["tests.benchmarks.bench_photoreal"]],
    "dataset": [["tests.benchmarks.bench_dataset"]],
    "stats": [["tests.benchmarks.bench_stats"]],
    "loader": [["tests.benchmarks.bench_loader"]],
}


def machine() -> str:
    """The processor, its cores and the load that others put on it."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    load = os.getloadavg()[0]
    return f"{model}, {os.cpu_count()} cores, load {load:.1f} at the start, Python {platform.python_version()}"


def main() -> int:
    """Runs the suites one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"one of {', '.join(SUITES)}; without any, all")
    names = parser.parse_args().suites or list(SUITES)
    if unknown := sorted(set(names) - set(SUITES)):
        parser.error(f"unknown suite {', '.join(unknown)}; valid: {', '.join(SUITES)}")
    RESULTS.mkdir(exist_ok=True)
    failed = 0
    for name in names:
        header = f"{name}, {date.today()}\n{machine()}\n\n"
        print(header, flush=True)
        parts, codes = [], []
        for module in SUITES[name]:
            run = subprocess.run([sys.executable, "-m", *module], stdout=subprocess.PIPE, text=True, check=False)
            print(run.stdout, flush=True)
            parts.append(run.stdout)
            codes.append(run.returncode)
        if not any(codes):
            (RESULTS / f"{name}.txt").write_text(header + "\n".join(parts))
        failed += any(codes)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
