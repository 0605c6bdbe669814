"""`syngrasp replay`: stored episodes once more, by their actions or from their seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from syngrasp.cli.look import DatasetArgument, JsonOption
from syngrasp.cli.output import print_event, print_json
from syngrasp.errors import SyngraspError


def replay(
    dataset: DatasetArgument,
    episode: Annotated[int | None, typer.Option(min=0, help="Episode, counted through the dataset.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every episode.")] = False,
    sample: Annotated[int | None, typer.Option(min=1, help="So many episodes at random, always the same.")] = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder for a picture of each replay, seen from the side.")
    ] = None,
    from_seed: Annotated[
        bool, typer.Option("--from-seed", help="Make the episode again from its seed; all states must be equal.")
    ] = False,
    catalog: Annotated[Path | None, typer.Option(help="The catalog it was made from; without it the built-in.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Execute stored actions in MuJoCo again and say whether they lift. Exits with 1 if one does not.

    With --from-seed the whole episode is made again, and its states are compared bit for bit with the stored ones;
    they are equal on the same type of machine with the same versions.

    \b
    Example:
      syngrasp replay data --episode 3
      syngrasp replay data --all --catalog objects
      syngrasp replay data --sample 30 --pictures replays
      syngrasp replay data --all --from-seed
    """
    from syngrasp.cli.catalogs import catalog_or_builtin
    from syngrasp.cli.replaying import Replayer

    if [every, episode is not None, sample is not None].count(True) != 1:
        raise SyngraspError("say which: --episode I, --sample K or --all")
    if from_seed:
        if pictures:
            raise SyngraspError("--pictures shows replayed actions; leave out --from-seed")
        _remake(dataset, episode, sample, catalog, as_json)
        return
    replayer = Replayer(dataset, catalog_or_builtin(catalog, print_event if as_json else lambda event: None))

    def told(result: Mapping[str, Any]) -> str:
        height = f"height {result['lift_height']:.3f} m"
        return (
            f"lifts; {height}"
            if result["lifted"]
            else (f"does not lift: {result['reason']} ({result['detail']}); {height}")
        )

    chosen = _chosen(replayer.episodes, episode, sample)
    _again(chosen, lambda index: replayer.replay(index, pictures), "lifted", "lift", told, as_json)


def _chosen(count: int, episode: int | None, sample: int | None) -> list[int]:
    """One episode, a random sample (always the same of the same dataset), or all."""
    if episode is not None:
        return [episode]
    if sample is None:
        return list(range(count))
    import random

    return sorted(random.Random(0).sample(range(count), min(sample, count)))


def _remake(dataset: str, episode: int | None, sample: int | None, catalog: Path | None, as_json: bool) -> None:
    from syngrasp.cli.catalogs import catalog_or_builtin
    from syngrasp.cli.replaying import Remaker

    remaker = Remaker(dataset, catalog_or_builtin(catalog, print_event if as_json else lambda event: None))

    def told(result: Mapping[str, Any]) -> str:
        return "equal" if result["equal"] else f"differs: {result['difference']}"

    _again(_chosen(remaker.episodes, episode, sample), remaker.remake, "equal", "equal", told, as_json)


def _again(
    episodes: Sequence[int],
    again: Callable[[int], dict[str, Any]],
    key: str,
    verb: str,
    told: Callable[[Mapping[str, Any]], str],
    as_json: bool,
) -> None:
    """Makes or executes episodes again and tells what came of each; exits with 1 unless `key` holds for all."""
    results = []
    for index in episodes:
        results.append(again(index))
        if not as_json:
            print(f"episode {index} ({results[-1]['instruction']}): {told(results[-1])}")
    good = sum(result[key] for result in results)
    if as_json:
        print_json({"episodes": len(results), key: good, "results": results})
    elif len(results) != 1:
        print(f"{good} of {len(results)} {verb}")
    if good < len(results):
        raise typer.Exit(1)
