"""The tools that planner and inverse kinematics are measured against, in an environment of their own.

They are no dependency of the project, not even of its tests: the benchmark installs them beside it, once, and runs
itself again in there. Whatever the project has itself is taken from the environment that runs the benchmark.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from syngrasp.resources import cache_folder

REPOSITORY = Path(__file__).parents[2]
REQUIREMENTS = ("ompl==2.0.1", "mink==1.3.0", "pin==4.1.0", "daqp==0.11.0")
INSIDE = "SYNGRASP_BENCHMARK_PEERS"  # set for the run in the peers' environment
INSTALL_TIME = 900.0  # [s]


class PeersMissing(Exception):
    """The peers cannot be installed here; the message is one line."""


def run_with_peers(module: str, arguments: list[str]) -> int | None:
    """Runs a benchmark module where it can import the peers, and returns its exit code.

    None if this already is that run, or where they cannot be installed, which is then said: go on without them.
    """
    if os.environ.get(INSIDE):
        return None
    try:
        python = _environment()
    except PeersMissing as problem:
        print(f"skipped: the peers' rows ({problem})", flush=True)
        return None
    path = os.pathsep.join([str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])])
    # One thread each: no solver of small systems is to be charged for a pool of idle ones.
    alone = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    own = os.environ | alone | {INSIDE: "1", "PYTHONPATH": path}
    return subprocess.run([str(python), "-m", module, *arguments], env=own, check=False).returncode


def _environment() -> Path:
    """The Python of the peers' environment, made if there is none for these requirements and this interpreter."""
    base = sysconfig.get_path("purelib")
    key = hashlib.sha256(" ".join([*REQUIREMENTS, sys.version, base]).encode()).hexdigest()[:12]
    folder = cache_folder() / "bench-envs" / key
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if (folder / "complete").exists():
        return python
    print(f"installing {', '.join(REQUIREMENTS)} into {folder}", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        venv.create(folder, with_pip=True)
        packages = sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)})
        # After its own packages, and with the .pth files that lie there.
        Path(packages, "benchmarked.pth").write_text(f"import site; site.addsitedir({base!r})\n")
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *REQUIREMENTS]
        done = subprocess.run(pip, capture_output=True, text=True, timeout=INSTALL_TIME, check=False)
        problem = done.stderr.strip().splitlines()[-1:] if done.returncode else []
        if not problem:
            imports = "import ompl.base, mink, pinocchio, syngrasp"
            own = os.environ | {"PYTHONPATH": str(REPOSITORY)}
            done = subprocess.run([str(python), "-c", imports], capture_output=True, text=True, env=own, check=False)
            problem = done.stderr.strip().splitlines()[-1:] if done.returncode else []
    except (OSError, subprocess.SubprocessError) as error:
        problem = [str(error)]
    if problem:
        shutil.rmtree(folder, ignore_errors=True)
        raise PeersMissing(f"they cannot be installed: {problem[0]}")
    (folder / "complete").touch()
    return python
