"""Rendering the rollouts of a dataset again, into another one, with another renderer, other cameras or another look.

Nothing is simulated and nothing is planned: the source's committed episodes are the rollouts, and a slot whose target
the new cameras do not see stays empty. What the earlier stages did is counted as it was in the source.
"""

from __future__ import annotations

import copy
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from syngrasp.config import Recipe, apply_override, parse_recipe, upon_cameras
from syngrasp.errors import DatasetError, RecipeError
from syngrasp.generate.factory import RecipeStages, StageFactory
from syngrasp.generate.jobs import RENDER_STAGE, STAGES, Outcome, SlotRecord
from syngrasp.generate.run import Run, versions
from syngrasp.generate.store import DatasetStore
from syngrasp.generate.tally import Tally
from syngrasp.records import Rollout, Slot
from syngrasp.stage import Rejected

if TYPE_CHECKING:
    from syngrasp.dataset.commits import Commit
    from syngrasp.dataset.reader import ShardReader
    from syngrasp.dataset.storage import Storage

SECTIONS = ("render", "execution")
"""Of a recipe, that may differ from the source's."""

_EARLIER = STAGES[: STAGES.index(RENDER_STAGE)]


@dataclass(frozen=True, slots=True)
class AgainStore(DatasetStore):
    """A dataset whose rollouts lie in another; it travels to other processes.

    Args:
        source: where the other lies.
    """

    source: Storage

    def load(self, shard: int) -> dict[int, SlotRecord]:
        """The source's episodes, still to be rendered, and what an earlier run found that cannot be."""
        return _records(self.source, _shard(self.source, shard)) | DatasetStore.load(self, shard)

    def rollout(self, shard: int, episode: int) -> Rollout:
        """The rollout of a slot that the source has filled."""
        from syngrasp.dataset.episodes import STATES, rollout_from

        reader = _shard(self.source, shard)
        index = next(k for k, line in enumerate(_lines(reader)) if line["episode"] == episode)
        start, stop = reader.bounds(index)
        states = {name: reader.arrays[name].rows(start, stop) for name in STATES}
        return rollout_from(_lines(reader)[index], states)


def prepare_again(
    source: str | Path, out: str | Path, catalog: str | Path, settings: Sequence[str] = (), *, partial: bool = False
) -> Run:
    """Creates a dataset of the source's rollouts in other pictures, or opens it to go on.

    Args:
        source: folder or bucket of a dataset.
        out: folder or bucket of the new one.
        catalog: that the source was made from.
        settings: overrides "a.b=c" of the source's recipe, of its sections `render` and `execution`.
        partial: renders what is committed of a source that is not complete; the same call goes on when there is more.

    Raises CatalogError; RecipeError or UnknownName for a setting; DatasetError for a source that is missing, of another
    catalog or not complete, and for an `out` that is the source or holds something else; StorageError.
    """
    from syngrasp.objects.catalog import Catalog

    def factory(recipe: Recipe) -> StageFactory:
        return RecipeStages(recipe, str(Path(catalog).absolute()))

    catalog_hash = Catalog.open(catalog).hash
    return prepare_again_with(source, out, catalog_hash, factory, settings, partial=partial)


def prepare_again_with(
    source: str | Path,
    out: str | Path,
    catalog_hash: str,
    factory: Callable[[Recipe], StageFactory],
    settings: Sequence[str] = (),
    *,
    partial: bool = False,
) -> Run:
    """`prepare_again` for stages that are made otherwise than from a recipe and a catalog."""
    from syngrasp import dataset

    old, storage = dataset.open_storage(source), dataset.open_storage(out)
    info = dataset.open_info(old)
    if _place(old) == _place(storage):
        raise DatasetError(old.url, "cannot be rendered onto itself; name another --out")
    if "import" in info.recipe:
        raise DatasetError(old.url, "was imported: it has no simulated rollouts that could be rendered again")
    counts = {"seed": info.seed, "shards": info.shards, "episodes_per_shard": info.episodes_per_shard}
    recipe = change_recipe({**info.recipe, **counts}, settings)
    if catalog_hash != info.catalog_hash:
        raise DatasetError(old.url, "was made from another catalog; name the right one with --catalog")
    ready = dataset.committed_shards(old)
    if len(ready) < info.shards and not partial:
        told = f"only {len(ready)} of its {info.shards} shards are committed; --partial renders those"
        raise DatasetError(old.url, told)
    new = not storage.exists("dataset.json")
    dataset.create_dataset(
        storage,
        recipe={**info.recipe, "render": recipe.content()["render"]},
        catalog_hash=catalog_hash,
        **counts,
        versions=versions(),
        source={"url": old.url, "recipe_hash": info.recipe_hash},
    )
    committed = set(dataset.committed_shards(storage))
    missing = tuple(shard for shard in ready if shard not in committed)
    store = AgainStore(storage, recipe.dataset.max_objects, {"kind": recipe.render.kind}, old)
    # Only what can be made now counts as asked for.
    now = recipe.model_copy(update={"shards": len(committed | set(ready))})
    return Run(now, store, missing, factory(recipe), new, stages=(RENDER_STAGE,))


def change_recipe(values: Mapping[str, Any], overrides: Sequence[str]) -> Recipe:
    """A resolved recipe's values with overrides "a.b=c", all of them in SECTIONS.

    Cameras add to those that it has or change them; one that is null is left out. Raises as `load_recipe` does, and
    RecipeError for an override elsewhere.
    """
    changed = copy.deepcopy(dict(values))
    for override in overrides:
        if override.partition(".")[0].strip() not in SECTIONS:
            valid = ", ".join(f"{section}.…" for section in SECTIONS)
            raise RecipeError(f"override {override!r} changes more than pictures; valid: {valid}")
        apply_override(changed, override)
    return parse_recipe(upon_cameras(changed, values["render"]["cameras"]))


def _place(storage: Storage) -> str:
    return storage.url if "://" in storage.url else os.path.realpath(storage.url)


@lru_cache(maxsize=4)
def _shard(source: Storage, shard: int) -> ShardReader:
    from syngrasp.dataset.commits import read_commit
    from syngrasp.dataset.reader import ShardReader

    commit = read_commit(source, shard)
    if commit is None:
        raise DatasetError(source.url, f"shard {shard} was withdrawn while it was being rendered again; run again")
    return ShardReader(source, commit)


@lru_cache(maxsize=4)
def _lines(reader: ShardReader) -> list[dict[str, Any]]:
    return [reader.line(k) for k in range(reader.commit.episodes)]


def _records(source: Storage, reader: ShardReader) -> dict[int, SlotRecord]:
    """Every slot of a committed shard: open where there is an episode, else empty. Together they have the counts of all
    stages before render: rejections at their slots, the rest at the first."""
    from syngrasp.dataset.commits import open_info

    commit = reader.commit
    attempts = {line["episode"]: line["attempt"] for line in _lines(reader)}
    tallies = [Tally() for _ in range(open_info(source).episodes_per_shard)]
    tallies[0].passed |= {stage: commit.stages[stage]["passed"] for stage in _EARLIER if stage in commit.stages}
    for stage in _EARLIER:
        tallies[0].add_cost(stage, commit.timings.get(stage, 0.0), 0.0)
    for row in _rejections(source, commit):
        slot = Slot(row["shard"], row["episode"], row["attempt"])
        tallies[slot.episode].add_rejection(slot, Rejected(row["stage"], row["reason"], row["detail"]))
    records = {}
    for episode, tally in enumerate(tallies):
        outcome = Outcome.OPEN if episode in attempts else Outcome.EMPTY
        records[episode] = SlotRecord(Slot(commit.shard, episode, attempts.get(episode, 0)), outcome, tally)
    return records


def _rejections(source: Storage, commit: Commit) -> list[dict[str, Any]]:
    """Why the stages before render refused attempts. Where that record is lost, the commit's counts stand for it."""
    from syngrasp.dataset.failures import read_rejections

    counts = {
        (stage, reason): count
        for stage in _EARLIER
        for reason, count in commit.stages.get(stage, {}).get("rejected", {}).items()
    }
    try:
        rows = [row for row in read_rejections(source, commit.shard) if row["stage"] in _EARLIER]
    except ValueError:  # damaged
        rows = []
    if Counter((row["stage"], row["reason"]) for row in rows) == counts:
        return rows
    place = {"shard": commit.shard, "episode": 0, "attempt": 0, "detail": ""}
    return [{**place, "stage": stage, "reason": reason} for (stage, reason), n in counts.items() for _ in range(n)]
