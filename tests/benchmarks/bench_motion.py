"""Validated trajectories per second of one core, from a slot to a rollout, warm and without pictures.

    python -m tests.benchmarks.bench_motion [--episodes N] [--robot KIND …] [--scans CACHE]

For each robot on the built-in catalog, and on the scanned objects where they are at hand: yield by stage and reason,
the share of the time that MuJoCo's stepping takes, and how smooth and how varied the motions are. CPU time of this
process, which is kept on one core with one thread in each library, and wall time beside it; the share is of wall time.
Prints one JSON object and whether targets are met.
"""

from __future__ import annotations

# Before anything imports numpy: libraries read these once.
import tests.benchmarks.one_core  # noqa: F401  # isort: skip
import argparse
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import mujoco
import numpy as np

from syngrasp.cli.catalogs import catalog_or_builtin, content_key
from syngrasp.config import Recipe, load_recipe
from syngrasp.dataset.statistics.motion_stats import ARRAYS, MotionStats
from syngrasp.errors import CatalogError
from syngrasp.generate.factory import RecipeStages
from syngrasp.generate.jobs import ROLLOUT_STAGE, STAGES
from syngrasp.objects.build import build_catalog
from syngrasp.objects.catalog import Catalog
from syngrasp.records import Rollout, Slot
from syngrasp.resources import cache_folder
from syngrasp.stage import Rejected, Stage

OBJECTS = 6
SCANS = Path(__file__).resolve().parents[3] / "shared" / "assets" / "objaverse_cache"
WARM_UP = 40  # slots before the clock runs
TARGETS = {"validated_per_wall_second": 20.0, "stepping_share": 0.6, "lifted_share": 0.97}
TARGETS_ON_SCANS = {"lifted_share": 0.93}


class SteppingClock:
    """Time spent inside `mujoco.mj_step`, whoever calls it."""

    def __init__(self) -> None:
        self.seconds, self.steps, self._step = 0.0, 0, mujoco.mj_step

    def __enter__(self) -> SteppingClock:
        mujoco.mj_step = self._timed
        return self

    def __exit__(self, *_: object) -> None:
        mujoco.mj_step = self._step

    def _timed(self, model: mujoco.MjModel, data: mujoco.MjData, nstep: int = 1) -> None:
        start = time.perf_counter_ns()
        self._step(model, data, nstep=nstep)
        self.seconds += 1e-9 * (time.perf_counter_ns() - start)
        self.steps += nstep


def stages_of(recipe: Recipe, catalog: Path) -> list[Stage[Any, Any]]:
    """The stages up to the rollout, ready."""
    stages = [RecipeStages(recipe, str(catalog))(name) for name in STAGES[: STAGES.index(ROLLOUT_STAGE) + 1]]
    for stage in stages:
        stage.setup()
    return stages


def follow(stages: list[Stage[Any, Any]], slot: Slot, spent: Counter[str], calls: Counter[str]) -> Rollout | Rejected:
    """One attempt at a slot."""
    item: Any = slot
    for stage in stages:
        start = time.process_time()
        (item,) = stage.process([item])
        spent[stage.name] += time.process_time() - start
        calls[stage.name] += 1
        if isinstance(item, Rejected):
            break
    return item


def bench_chain(recipe: Recipe, catalog: Path, episodes: int) -> dict[str, Any]:
    """Rate, yields and costs of a recipe's chain on a catalog."""
    first = stages_of(recipe, catalog)
    for episode in range(episodes):  # whatever is compiled when first called has been called
        follow(first, Slot(1, episode), Counter(), Counter())
    stages = stages_of(recipe, catalog)  # whose layout has no tabletops of the first pass left
    for episode in range(WARM_UP):
        follow(stages, Slot(0, episode), Counter(), Counter())
    spent: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    rollouts = []
    wall = time.perf_counter()
    for episode in range(episodes):
        found = follow(stages, Slot(1, episode), spent, calls)
        outcomes["ok" if isinstance(found, Rollout) else f"{found.stage}/{found.reason}"] += 1
        if isinstance(found, Rollout):
            rollouts.append(found)
    wall = time.perf_counter() - wall
    stages = stages_of(recipe, catalog)  # likewise
    for episode in range(WARM_UP):
        follow(stages, Slot(0, episode), Counter(), Counter())
    with SteppingClock() as clock:  # a pass of its own: the clock costs time too
        start = time.perf_counter()
        for episode in range(min(episodes, 100)):
            follow(stages, Slot(1, episode), Counter(), Counter())
        timed = time.perf_counter() - start
    total = sum(spent.values())
    return {
        "validated_per_cpu_second": round(outcomes["ok"] / total, 2),
        "validated_per_wall_second": round(outcomes["ok"] / wall, 2),
        "stepping_share": round(clock.seconds / timed, 3),
        "microseconds_per_step": round(1e6 * clock.seconds / clock.steps, 1),
        "lifted_share": round(outcomes["ok"] / max(calls["lift"], 1), 4),
        "planned_share": round(calls["lift"] / max(calls["plan"], 1), 4),
        "ms_per_call": {name: round(1e3 * spent[name] / calls[name], 2) for name in calls},
        "calls": dict(calls),
        "outcomes": dict(outcomes.most_common()),
        "frames_median": float(np.median([len(r.phase) for r in rollouts])),
        "motion": motion_figures(rollouts),
    }


def motion_figures(rollouts: list[Rollout]) -> dict[str, Any]:
    """How smooth and how varied motions are, as `syngrasp stats` reckons it of a dataset."""
    stats = MotionStats()
    for rollout in rollouts:
        arrays = {name: getattr(rollout, name) for name in ARRAYS}
        stats.add(arrays, np.array([len(rollout.phase)]), np.array([rollout.dt]))
    found = stats.as_json()
    for coverage in ("approach_directions", "rolls"):
        found[coverage].pop("counts")
    return found


def verdicts(name: str, figures: dict[str, Any], targets: dict[str, float]) -> list[str]:
    """A line for each figure that has a target."""
    return [
        f"{name}: {figure} {figures[figure]:g}, at least {target:g}: {'PASS' if figures[figure] >= target else 'FAIL'}"
        for figure, target in targets.items()
    ]


def not_measured(name: str, targets: dict[str, float]) -> list[str]:
    """A line for each figure that has a target and could not be measured."""
    return [f"{name}: {figure}, at least {target:g}: NOT MEASURED" for figure, target in targets.items()]


def scanned_catalog(cache: Path) -> Path | None:
    """The catalog of the scanned objects, built once on a machine; None where there are no scans."""
    if not cache.is_dir():
        print(f"no scanned objects at {cache}: left out", flush=True)
        return None
    files = [path for path in cache.rglob("*") if path.is_file()]
    path = cache_folder() / "catalogs" / f"benchmark-scans-{content_key('objaverse', files)}"
    try:
        Catalog.open(path)
    except CatalogError:
        build_catalog(source="objaverse", out=path, cache=cache, on_event=lambda event: None)
    return path


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=200, help="slots, one attempt each")
    parser.add_argument("--robot", nargs="*", default=["panda", "ur5e_2f85"], help="kinds")
    parser.add_argument("--scans", type=Path, default=SCANS, help="an Objaverse cache")
    parser.add_argument("--set", nargs="*", default=[], dest="overrides", metavar="A.B=C", help="recipe values")
    arguments = parser.parse_args()
    report: dict[str, Any] = {}
    lines: list[str] = []
    builtin, scans = catalog_or_builtin(None, lambda event: None), scanned_catalog(arguments.scans)
    for kind in arguments.robot:
        fixed = [f"robot.kind={kind}", f"layout.objects=[{OBJECTS},{OBJECTS}]"]
        recipe = load_recipe("tabletop", [*fixed, *arguments.overrides])
        for name, catalog, targets in (("built-in", builtin, TARGETS), ("scans", scans, TARGETS_ON_SCANS)):
            if catalog is None:
                lines += not_measured(f"{kind}, {name}", targets)
            else:
                figures = bench_chain(recipe, catalog, arguments.episodes)
                report[f"{kind}, {name}"] = figures
                lines += verdicts(f"{kind}, {name}", figures, targets)
    print(json.dumps(report, indent=1))
    print("\n".join(lines))


if __name__ == "__main__":
    main()
