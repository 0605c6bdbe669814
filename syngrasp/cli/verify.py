"""`syngrasp verify`: whether a dataset is what it says."""

from __future__ import annotations

import random
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from syngrasp.cli.look import DatasetArgument, JsonOption
from syngrasp.cli.output import print_event, print_json, print_table
from syngrasp.errors import SyngraspError

if TYPE_CHECKING:
    from syngrasp.dataset import Problem, RobotLimits, VerifyReport

NAMED = 20  # offending episodes and shards that are listed


def verify(
    dataset: DatasetArgument,
    decode: Annotated[bool, typer.Option(help="Decode every image and check every box.")] = True,
    replay: Annotated[int, typer.Option(min=0, help="Execute so many random episodes in MuJoCo again.")] = 0,
    catalog: Annotated[
        Path | None, typer.Option(help="With --replay: the catalog it was made from; without it the built-in.")
    ] = None,
    against: Annotated[
        list[str] | None, typer.Option(help="Another dataset, which may share no episode and no object. Repeatable.")
    ] = None,
    shards: Annotated[str | None, typer.Option(help="Only these, such as 0-3,7.")] = None,
    sample: Annotated[int | None, typer.Option(min=1, help="Only so many random shards, always the same.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Threads; without it one per core.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Check bytes, schema, numbers, physics, images, boxes, duplicates and leaks. Exits with 1 on a problem.

    \b
    Example:
      syngrasp verify data
      syngrasp verify data --replay 20 --json
      syngrasp verify validation --against training
      syngrasp verify s3://bucket/data --sample 10 --no-decode
    """
    from syngrasp import dataset as datasets

    def told(done: int, total: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{done}/{total} shards", end="" if done < total else "\n", file=sys.stderr, flush=True)

    if shards is not None and sample is not None:
        raise SyngraspError("--shards and --sample exclude one another")
    report = datasets.verify_dataset(
        dataset,
        decode=decode,
        workers=workers,
        limits=robot_limits(),
        against=against or (),
        shards=None if shards is None else _numbers(shards),
        sample=sample,
        on_shard=told,
    )
    if replay:
        report = report.with_more(_replayed(dataset, catalog, replay, as_json), replay)
    if as_json:
        print_json(report.as_json())
    else:
        _print(report)
    if not report.ok:
        raise typer.Exit(1)


def robot_limits() -> Mapping[str, RobotLimits]:
    """What every robot cannot go beyond, by its name."""
    from syngrasp.dataset import RobotLimits
    from syngrasp.robots import RobotConfig, make_robot, robot_kinds

    found = {}
    for kind in robot_kinds():
        robot = make_robot(RobotConfig.model_validate({"kind": kind}))
        limits = robot.limits
        found[kind] = RobotLimits(limits.q_lower, limits.q_upper, limits.velocity, robot.gripper.max_width)
    return found


def _numbers(text: str) -> list[int]:
    found: list[int] = []
    for item in text.split(","):
        first, dash, last = (part.strip() for part in item.partition("-"))
        if not first.isdigit() or (dash and not last.isdigit()) or (dash and int(last) < int(first)):
            raise SyngraspError(f"--shards {text!r}: {item!r} is no number or range; valid: such as 0-3,7")
        found += range(int(first), int(last or first) + 1)
    return found


def _replayed(dataset: str, catalog: Path | None, count: int, as_json: bool) -> list[Problem]:
    """Of random episodes, those that do not lift."""
    from syngrasp.cli.catalogs import catalog_or_builtin
    from syngrasp.cli.replaying import Replayer
    from syngrasp.dataset import Problem

    replayer = Replayer(dataset, catalog_or_builtin(catalog, print_event if as_json else lambda event: None))
    chosen = sorted(random.Random(0).sample(range(replayer.episodes), min(count, replayer.episodes)))
    results = [replayer.replay(index) for index in chosen]
    return [
        Problem("replay", r["shard"], r["slot"], "action", f"does not lift again: {r['reason']} ({r['detail']})")
        for r in results
        if not r["lifted"]
    ]


def _print(report: VerifyReport) -> None:
    from syngrasp.dataset.quality.problems import KINDS

    for problem in report.problems:
        print(problem)
    if report.problem_count > len(report.problems):
        print(f"… and {report.problem_count - len(report.problems)} more")
    if report.kinds:
        print()
        print_table(["problem", "count", "meaning"], [[kind, n, KINDS[kind]] for kind, n in report.kinds.items()])
    if report.offenders:
        named = ", ".join(f"{shard}/{slot}" for shard, slot in report.offenders[:NAMED])
        more = f" and {len(report.offenders) - NAMED} more" if len(report.offenders) > NAMED else ""
        print(f"\noffending episodes: {named}{more} (shard/slot)")
    counts = f"{report.shards} shards, {report.episodes} episodes, {report.frames} frames, {report.files} files"
    replayed = f", {report.replayed} replayed" if report.replayed else ""
    print(f"{counts}{replayed}: {'no problem' if report.ok else f'{report.problem_count} problems'}")
