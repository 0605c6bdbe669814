"""Each peer in an environment of its own, installed once beside the project, which depends on none of them."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
from importlib.metadata import version
from pathlib import Path

from syngrasp.resources import cache_folder
from tests.benchmarks.peers import INSTALL_TIME, PeersMissing

DECODER = f"imagecodecs=={version('imagecodecs')}"  # the same libjpeg-turbo for everyone who may choose


def python_for(requirements: tuple[str, ...], *, beside_project: bool = False) -> Path:
    """The Python of a peer's environment; the project's own where nothing is required.

    `beside_project` lets it see the project's packages too. Raises PeersMissing where it cannot be installed.
    """
    if not requirements:
        return Path(sys.executable)
    name = requirements[0].partition("==")[0]
    folder = cache_folder() / "bench-envs" / name
    python = folder / "bin" / "python"
    wanted = requirements if beside_project else (*requirements, DECODER)
    if python.exists() and _has(python, wanted):
        return python
    print(f"installing {', '.join(wanted)} into {folder}", file=sys.stderr, flush=True)
    try:
        if not python.exists():
            venv.create(folder, with_pip=True)
        if beside_project:
            base = sysconfig.get_path("purelib")
            packages = sysconfig.get_path("purelib", "venv", {"base": str(folder), "platbase": str(folder)})
            Path(packages, "benchmarked.pth").write_text(f"import site; site.addsitedir({base!r})\n")
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *wanted]
        done = subprocess.run(pip, capture_output=True, text=True, timeout=INSTALL_TIME, check=False)
    except (OSError, subprocess.SubprocessError) as error:
        raise PeersMissing(f"{name} cannot be installed: {error}") from error
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise PeersMissing(f"{name} cannot be installed: {(errors or ['pip failed'])[-1]}")
    return python


def _has(python: Path, requirements: tuple[str, ...]) -> bool:
    pairs = [requirement.split("==") for requirement in requirements]
    code = f"from importlib.metadata import version; assert all(version(n) == v for n, v in {pairs!r})"
    return subprocess.run([str(python), "-c", code], capture_output=True, check=False).returncode == 0
