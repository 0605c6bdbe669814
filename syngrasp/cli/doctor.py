"""`syngrasp doctor`: what this machine has and lacks."""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import sys
from importlib import metadata
from typing import Annotated, Any

import typer

from syngrasp import __version__
from syngrasp.cli.output import print_json, print_table
from syngrasp.errors import CUROBO_INSTALL, IsaacSimMissing

REQUIRED = (
    "numpy", "scipy", "numba", "mujoco", "warp-lang", "trimesh", "embreex", "coacd", "vhacdx",
    "manifold3d", "fast-simplification", "pycollada", "example-robot-data", "zarr", "imagecodecs", "obstore", "pillow",
    "pydantic", "pyyaml", "typer", "rich",
)  # fmt: skip
OPTIONAL = {"ray": ("cluster", "generate on many cores or machines"), "matplotlib": ("viz", "stats --plots"),
            "objaverse": ("objaverse", "downloading meshes from Objaverse"),
            "mujoco-warp": ("gpu", "lift.kind mjwarp"),
            "usd-core": ("usd", "export --format usd")}  # fmt: skip
# Distributions that no extra brings, each with the module that it must hold, its use and its own command.
OUTSIDE = {"nvidia-curobo": ("curobo", "plan.kind curobo, with an NVIDIA GPU", CUROBO_INSTALL)}


def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show versions, what is missing and how to get it. Exits with 1 when something required is missing.

    \b
    Example:
      syngrasp doctor
    """
    required = {name: _version(name) for name in REQUIRED}
    optional = {name: _version(name) for name in OPTIONAL}
    optional |= {name: _version(name) if importlib.util.find_spec(OUTSIDE[name][0]) else None for name in OUTSIDE}
    report: dict[str, Any] = {
        "syngrasp": __version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gb": _memory(),
        "gpus": _gpus(),
        "isaacsim": _isaacsim(),
        "workers": importlib.util.find_spec("workers") is not None,
        "required": required,
        "optional": optional,
    }
    missing = [name for name, version in required.items() if version is None]
    if as_json:
        print_json(report | {"missing": missing})
    else:
        _print(report, required, optional)
    if missing:
        raise typer.Exit(1)


def _print(report: dict[str, Any], required: dict[str, str | None], optional: dict[str, str | None]) -> None:
    rows = [[name, report[name]] for name in ("syngrasp", "python", "system", "cores", "memory_gb")]
    rows.append(["gpus", ", ".join(report["gpus"]) or "none: everything runs on the CPU"])
    rows.append(["workers", "present" if report["workers"] else "missing: --executor ray needs a checkout or an image"])
    isaac = report["isaacsim"] or "missing (render.kind isaacsim); ISAACSIM_PYTHON names the python.sh of Isaac Sim 5.1"
    rows.append(["isaac sim", isaac])
    rows += [[name, version or "missing; get it with: pip install syngrasp"] for name, version in required.items()]
    for name, version in optional.items():
        use, command = OUTSIDE[name][1:] if name in OUTSIDE else _by_extra(*OPTIONAL[name])
        rows.append([name, version or f"missing ({use}); get it with: {command}"])
    print_table(["", ""], [[name, str(value)] for name, value in rows])


def _isaacsim() -> str | None:
    """Isaac Sim's interpreter, where the environment names one that is there."""
    from syngrasp.rendering.isaacsim.renderer import isaacsim_python

    try:
        return str(isaacsim_python())
    except IsaacSimMissing:
        return None


def _by_extra(extra: str, use: str) -> tuple[str, str]:
    return use, f"pip install 'syngrasp[{extra}]'"


def _version(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _memory() -> float | None:
    if not hasattr(os, "sysconf") or sys.platform == "win32":
        return None
    return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9, 1)


def _gpus() -> list[str]:
    """Names of NVIDIA GPUs, as their driver's own tool lists them."""
    import subprocess

    tool = shutil.which("nvidia-smi")
    if tool is None:
        return []
    command = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in result.stdout.splitlines() if line.strip()] if result.returncode == 0 else []
