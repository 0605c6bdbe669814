"""The real command line with the stages of `fake_stages`: `python -m tests.fake_run generate --out …`.

What the stages do is read from the environment variable FAKE_STAGES as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from syngrasp import dataset
from syngrasp.config import Recipe, parse_recipe
from syngrasp.generate import execute
from syngrasp.generate.again import prepare_again_with
from syngrasp.generate.progress import Event
from syngrasp.generate.run import Run, prepare_with
from tests.fake_stages import Break, FakeStages

REPOSITORY = Path(__file__).resolve().parents[1]


def recipe(shards: int = 2, episodes: int = 5, **values: Any) -> Recipe:
    """A small recipe."""
    return parse_recipe({"shards": shards, "episodes_per_shard": episodes, **values})


def prepare(recipe: Recipe, out: str | Path, stages: FakeStages) -> Run:
    """A run of the fake stages."""
    return prepare_with(recipe, out, "fake-catalog", stages)


def prepare_again(source: str | Path, out: str | Path, stages: FakeStages, settings: Any = (), **options: Any) -> Run:
    """A run of the fake stages on another dataset's rollouts."""
    return prepare_again_with(source, out, "fake-catalog", lambda recipe: stages, settings, **options)


def make(recipe: Recipe, out: Path, stages: FakeStages, executor: Any = "local") -> tuple[dict[int, Any], list[Event]]:
    """Makes a dataset; returns its content and the events."""
    events: list[Event] = []
    execute(prepare(recipe, out, stages), events.append, executor)
    return content(out), events


def content(out: Path) -> dict[int, Any]:
    """All that must not depend on who made a dataset and when: each shard's checksums, counts and rejections."""
    return {
        commit.shard: (
            {name: record.checksum for name, record in commit.files.items()},
            commit.stages,
            commit.empty_slots,
            commit.frames,
            dataset.read_rejections(out, commit.shard),
        )
        for commit in dataset.read_commits(out)
    }


def start(out: Path, stages: dict[str, Any], *arguments: str, executor: str = "local", **options: Any) -> Any:
    """Starts `generate`, or the command of another `name`, in a process of its own."""
    name = options.pop("name", "generate")
    command = [sys.executable, "-m", "tests.fake_run", name, "--out", str(out), "--executor", executor]
    environment = os.environ | {"FAKE_STAGES": json.dumps(stages)}
    return subprocess.Popen(
        [*command, *arguments],
        cwd=REPOSITORY,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def main() -> None:
    """Runs the command line."""
    import syngrasp.cli
    import syngrasp.cli.catalogs
    import syngrasp.generate
    import syngrasp.generate.again

    values = json.loads(os.environ["FAKE_STAGES"])
    breaks = tuple(Break(**item) for item in values.pop("breaks", ()))
    stages = FakeStages(breaks=breaks, **values)
    syngrasp.generate.prepare = lambda recipe, out, catalog: prepare(recipe, out, stages)
    syngrasp.generate.again.prepare_again = lambda source, out, catalog, settings, partial: prepare_again(
        source, out, stages, settings, partial=partial
    )
    syngrasp.cli.catalogs.catalog_or_builtin = lambda catalog, on_event: Path()
    syngrasp.cli.main()


if __name__ == "__main__":
    main()
