"""Keeps this process on one core, with one thread in each numerical library: import it before numpy."""

import os
import sys

if "numpy" in sys.modules:
    raise ImportError("tests.benchmarks.one_core comes too late: numpy has been imported already")
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[_name] = "1"
if hasattr(os, "sched_setaffinity"):  # Linux; elsewhere the single threads have to do
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
