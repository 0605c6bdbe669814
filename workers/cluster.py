"""Starting Ray or joining a cluster, quietly, and how many actors a cluster takes."""

from __future__ import annotations

import math
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

import ray

from syngrasp.config import ExecutionConfig, PoolConfig, Recipe
from syngrasp.errors import SyngraspError
from syngrasp.stages.render import RenderConfig

# One thread per process: the pools already use every core.
THREADS = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
_QUIET: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
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
    _hush()
    before = signal.getsignal(signal.SIGTERM)
    try:
        if address is None:
            _start_local(execution)
        else:
            ray.init(address, **_QUIET, runtime_env={"env_vars": THREADS})
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        where = f"the cluster at {address}" if address else "a local Ray"
        raise SyngraspError(f"cannot reach {where}: {' '.join(str(error).split())[:300]}") from None
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, before)  # Ray puts its own in its place
    try:
        yield
    finally:
        ray.shutdown()


def _start_local(execution: ExecutionConfig) -> None:
    """A Ray of this machine. Its processes inherit the environment, which starts actors twice as fast as a runtime
    environment does; this checkout serves their imports."""
    path = os.pathsep.join(filter(None, [str(_REPOSITORY), os.environ.get("PYTHONPATH", "")]))
    before = dict(os.environ)
    os.environ.update(THREADS | {"PYTHONPATH": path})
    try:
        store = execution.object_store_mb << 20
        ray.init("local", **_QUIET, include_dashboard=False, object_store_memory=store)
    finally:
        for name in (*THREADS, "PYTHONPATH"):
            if name in before:
                os.environ[name] = before[name]
            else:
                os.environ.pop(name, None)


def _hush() -> None:
    """Keeps Ray from printing its own account of a dead actor on stdout, where a program may be reading events.

    No public option turns it off; the driver reports every death itself.
    """
    from ray._private import worker

    if hasattr(worker, "print_to_stdstream"):
        worker.print_to_stdstream = lambda *args, **kwargs: None


def pool_sizes(recipe: Recipe, cpus: float, gpus: float) -> dict[str, PoolSize]:
    """How a cluster is divided among the stages, where the recipe does not say.

    With pictures nearly all time goes into rendering: every GPU, for renderers that need one, or every core has a
    render actor. Without pictures physics (layout, lift) takes most.

    Actors reserve half of the cores that they use: Ray fills a node to half before it takes the next, so each node
    gets actors by its size, and when nodes are lost the actors that are left behind find room on the others.
    """
    pictures = recipe.render.kind != "none"
    on_gpus = _renders_on_gpus(recipe.render)
    if not pictures:
        actors = _in_proportion({"layout": 0.2, "grasp": 0.05, "plan": 0.05, "lift": 0.6, "render": 0.1}, cpus)
    elif on_gpus:
        light = {"layout": 0.35, "grasp": 0.15, "plan": 0.15, "lift": 0.35}
        actors = _in_proportion(light, min(cpus, 2 * gpus)) | {"render": max(1, int(gpus))}
    else:
        # Measured: rendering an episode on a core takes over a hundred times what all else takes.
        light = {"layout": 0.01, "grasp": 0.005, "plan": 0.005, "lift": 0.01}
        actors = _in_proportion(light, cpus) | {"render": max(1, int(cpus))}
    render_load = 0.9 if pictures and not on_gpus else 0.1
    others = sum(actors.values()) - actors["render"]
    sizes = {}
    for stage, count in actors.items():
        load = render_load * cpus / count if stage == "render" else (1.0 - render_load) * cpus / others
        num_cpus = math.floor(min(1.0, 0.5 * load) * 1e4) / 1e4
        num_gpus = 1.0 if stage == "render" and on_gpus else 0.0
        sizes[stage] = _as_asked(getattr(recipe.execution, stage), PoolSize(count, num_cpus, num_gpus))
    return sizes


def _renders_on_gpus(render: RenderConfig) -> bool:
    if render.kind == "mitsuba":
        return render.mitsuba.variant == "cuda"
    return render.kind == "isaacsim" or (render.kind == "mjwarp" and render.device == "cuda")


def check_room(sizes: Mapping[str, PoolSize], nodes: Sequence[Mapping[str, Any]]) -> None:
    """Raises SyngraspError when an actor of some stage would wait for ever for a place."""
    alive = [node["Resources"] for node in nodes if node["Alive"]]
    for kind, name in (("num_cpus", "CPU"), ("num_gpus", "GPU")):
        most, total = max(node.get(name, 0.0) for node in alive), sum(node.get(name, 0.0) for node in alive)
        for stage, size in sizes.items():
            asked = getattr(size, kind)
            if asked > most:
                raise SyngraspError(f"execution.{stage}.{kind}={asked:g}, but no node has more than {most:g} {name}")
        together = sum(getattr(size, kind) for size in sizes.values())
        if together > total:
            raise SyngraspError(
                f"one actor of each stage needs {together:g} {name} together, but the cluster has {total:g}; "
                f"lower execution.<stage>.{kind}"
            )


def _in_proportion(shares: Mapping[str, float], cores: float) -> dict[str, int]:
    """Actors by share of the load, at least one each."""
    return {stage: max(1, round(share * cores)) for stage, share in shares.items()}


def _as_asked(asked: PoolConfig, default: PoolSize) -> PoolSize:
    return PoolSize(
        asked.actors or default.actors,
        default.num_cpus if asked.num_cpus is None else asked.num_cpus,
        default.num_gpus if asked.num_gpus is None else asked.num_gpus,
    )
