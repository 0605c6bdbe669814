"""One call from a recipe to a dataset, with either executor."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Literal

from syngrasp import __version__
from syngrasp.config import ExecutionConfig, Recipe
from syngrasp.errors import MissingExtra, SyngraspError
from syngrasp.generate.factory import RecipeStages, StageFactory
from syngrasp.generate.jobs import STAGES
from syngrasp.generate.local import LocalExecutor
from syngrasp.generate.progress import Event, OnEvent, Progress
from syngrasp.generate.slots import Ledger
from syngrasp.generate.store import DatasetStore

ExecutorName = Literal["ray", "local"]
_VERSIONED = ("numpy", "scipy", "numba", "mujoco", "mujoco-warp", "warp-lang", "zarr", "imagecodecs", "mitsuba")


@dataclass(frozen=True, slots=True)
class Run:
    """A dataset that is open for making what it lacks.

    Args:
        recipe: what to make.
        store: where it goes.
        missing: the shards that are not committed.
        factory: makes the stages.
        new: whether there was no such dataset before.
        stages: those that run; the others' work is in the store already, and no slot is tried with another scene.
    """

    recipe: Recipe
    store: DatasetStore
    missing: tuple[int, ...]
    factory: StageFactory
    new: bool = False
    stages: tuple[str, ...] = STAGES

    def ledger(self, window: int) -> Ledger:
        """The slots of the missing shards."""
        return Ledger(
            self.missing,
            episodes=self.recipe.episodes_per_shard,
            max_attempts=self.recipe.max_attempts if self.stages == STAGES else 1,
            poison_faults=self.recipe.execution.poison_faults,
            journal=self.store,
            window=window,
        )

    def progress(self, on_event: OnEvent) -> Progress:
        """Counts and reports."""
        committed = self.recipe.shards - len(self.missing)
        per_shard = self.recipe.episodes_per_shard
        return Progress(on_event, shards=self.recipe.shards, committed=committed, episodes_per_shard=per_shard)


def prepare(recipe: Recipe, out: str | Path, catalog: str | Path, factory: StageFactory | None = None) -> Run:
    """Creates the dataset, or opens it to go on.

    Raises CatalogError for a catalog that is missing or empty, DatasetError when the dataset was made by another
    recipe or catalog (naming the differences) or in another schema version, StorageError where it cannot be written.
    """
    from syngrasp.objects.catalog import Catalog

    opened = Catalog.open(catalog)
    return prepare_with(recipe, out, opened.hash, factory or RecipeStages(recipe, str(Path(catalog).absolute())))


def prepare_with(recipe: Recipe, out: str | Path, catalog_hash: str, factory: StageFactory) -> Run:
    """`prepare` for stages that are made otherwise than from a recipe and a catalog."""
    from syngrasp import dataset

    storage = dataset.open_storage(out)
    new = not storage.exists("dataset.json")
    dataset.create_dataset(
        storage,
        recipe={key: value for key, value in recipe.content().items() if key not in ("seed", "episodes_per_shard")},
        catalog_hash=catalog_hash,
        seed=recipe.seed,
        shards=recipe.shards,
        episodes_per_shard=recipe.episodes_per_shard,
        versions=versions(),
    )
    committed = set(dataset.committed_shards(storage))
    missing = tuple(shard for shard in range(recipe.shards) if shard not in committed)
    renderer = {"kind": recipe.render.kind}
    return Run(recipe, DatasetStore(storage, recipe.dataset.max_objects, renderer), missing, factory, new)


def execute(run: Run, on_event: OnEvent, executor: ExecutorName = "local", address: str | None = None) -> Event:
    """Makes the missing shards and returns the last event. Interrupted, it leaves what the same call resumes from.

    A new dataset whose recipe turns out to be impossible here (no such device, say) before anything is made is taken
    back, so that a mended recipe is not refused as another one.
    """
    from syngrasp import dataset

    try:
        return _execute(run, on_event, executor, address)
    except SyngraspError:
        if run.new:
            dataset.forget_empty(run.store.storage)
        raise


def _execute(run: Run, on_event: OnEvent, executor: ExecutorName, address: str | None) -> Event:
    from syngrasp import dataset

    progress = run.progress(on_event)
    progress.started(executor, missing=len(run.missing), resumed=len(run.missing) < run.recipe.shards)
    if run.missing:
        if executor == "ray":
            _require_ray()
            from workers.driver import run_on_ray

            run_on_ray(run, progress, address)
        else:
            batch = {stage: _batch(run.recipe.execution, stage) for stage in STAGES}
            LocalExecutor(run.ledger(window=1), run.store, run.factory, batch, progress, run.stages).run()
    dataset.update_catalog(run.store.storage)
    return progress.finished()


def generate(
    recipe: Recipe,
    out: str | Path,
    catalog: str | Path,
    *,
    on_event: OnEvent = lambda event: None,
    executor: ExecutorName | None = None,
    address: str | None = None,
) -> Event:
    """Makes a dataset, or what is missing of it. Returns the last event, with the counts of this run.

    Args:
        recipe: what to make.
        out: folder or bucket of the dataset.
        catalog: folder of the catalog.
        on_event: is told what happens, see `Progress`.
        executor: none: Ray where it is installed, else this process.
        address: of a running Ray cluster; none: a Ray of its own for the time of the run.

    Raises:
        SyngraspError: anything the user can mend; nothing committed is lost.
    """
    run = prepare(recipe, out, catalog)
    return execute(run, on_event, executor or default_executor(), address)


def default_executor() -> ExecutorName:
    """Ray where it and the workers are installed, else this process."""
    return "ray" if _installed("ray") and _installed("workers.driver") else "local"


def versions() -> dict[str, str]:
    """Versions of what can change a dataset's content."""
    found: dict[str, str] = {"syngrasp": __version__}
    for name in _VERSIONED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def _batch(execution: ExecutionConfig, stage: str) -> int:
    section: Any = getattr(execution, stage)
    return getattr(section, "batch", 1)


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def _require_ray() -> None:
    if not _installed("ray"):
        raise MissingExtra("the Ray executor", "cluster")
    if not _installed("workers.driver"):
        raise SyngraspError(
            "the Ray executor lives in the repository's workers/, which this installation lacks; "
            "use --executor local, or install from a checkout of the repository or one of its images"
        )
