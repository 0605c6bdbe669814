"""Starting Ray or joining a cluster, quietly, and how many actors a cluster takes."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray

from syngrasp.config import ExecutionConfig, Recipe
from syngrasp.errors import SyngraspError

# One thread per process: the pools already use every core.
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
_REPOSITORY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class PoolSize:
    """How many actors run a stage, and what each takes."""

    actors: int
    num_cpus: float
    num_gpus: float


@contextmanager
def ray_session(address: str | None, execution: ExecutionConfig) -> Iterator[None]:
    """Ray for the time of a run. A Ray that already runs in this process is used and left running."""
    if ray.is_initialized():
        yield
        return
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR", "configure_logging": True}
    environment = dict(THREADS)
    if address is None:
        # A local Ray: this checkout serves its workers. A cluster's images bring their own.
        path = os.pathsep.join(filter(None, [str(_REPOSITORY), os.environ.get("PYTHONPATH", "")]))
        environment |= {"PYTHONPATH": path}
        options |= {
            "address": "local",
            "include_dashboard": False,
            "object_store_memory": execution.object_store_mb << 20,
        }
    else:
        options["address"] = address
    try:
        ray.init(**options, runtime_env={"env_vars": environment})
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = f"the cluster at {address}" if address else "a local Ray"
        raise SyngraspError(f"cannot reach {where}: {' '.join(str(error).split())[:300]}") from None
    try:
        yield
    finally:
        ray.shutdown()


def pool_sizes(recipe: Recipe, cpus: float, gpus: float) -> dict[str, PoolSize]:
    """How a cluster is divided among the stages, where the recipe does not say.

    With pictures nearly all time goes into rendering: every GPU, or else every core, has a render actor, and the
    other stages share a tenth of the cores. Without pictures physics (layout, lift) takes most.
    """
    if recipe.render.kind == "none":
        shares = {"layout": 0.35, "grasp": 0.15, "plan": 0.1, "lift": 0.3, "render": 0.1}
        defaults = _by_share(shares, cpus, 1.0)
    elif gpus >= 1:
        light = {"layout": 0.35, "grasp": 0.15, "plan": 0.15, "lift": 0.35}
        defaults = _by_share(light, min(cpus, 2 * gpus), 0.8 * cpus / max(1.0, min(cpus, 2 * gpus)))
        defaults["render"] = PoolSize(int(gpus), round(0.15 * cpus / int(gpus), 4), 1.0)
    else:
        light = {"layout": 0.01, "grasp": 0.005, "plan": 0.005, "lift": 0.01}
        defaults = {stage: PoolSize(math.ceil(cpus * share), 0.0, 0.0) for stage, share in light.items()}
        reserve = 0.1 * cpus / sum(size.actors for size in defaults.values())
        defaults = {stage: PoolSize(size.actors, round(reserve, 4), 0.0) for stage, size in defaults.items()}
        defaults["render"] = PoolSize(max(1, int(cpus)), round(0.9 * cpus / max(1, int(cpus)), 4), 0.0)
    return {stage: _as_asked(getattr(recipe.execution, stage), size) for stage, size in defaults.items()}


def _by_share(shares: dict[str, float], cpus: float, scale: float) -> dict[str, PoolSize]:
    """Actors in proportion to shares of the load, at least one each; together they ask for all the cores at most."""
    actors = {stage: max(1, round(share * cpus)) for stage, share in shares.items()}
    each = min(1.0, cpus / sum(actors.values())) * min(1.0, scale)
    return {stage: PoolSize(count, math.floor(each * 1e4) / 1e4, 0.0) for stage, count in actors.items()}


def _as_asked(asked: Any, default: PoolSize) -> PoolSize:
    return PoolSize(
        asked.actors or default.actors,
        default.num_cpus if asked.num_cpus is None else asked.num_cpus,
        default.num_gpus if asked.num_gpus is None else asked.num_gpus,
    )
