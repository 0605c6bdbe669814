"""What the pipeline adds to the bare renderer: annotating, encoding and writing, in one run.

    python -m tests.benchmarks.bench_render_overhead [--episodes 6] [--frames 96] [--catalog CATALOG] [--json]

CPU time of this process at 256 × 256, two cameras, masks stored. Each episode is rendered bare (`Renderer.render`)
and by the whole stage and the writer (`RenderStage.process`, `ShardWriter.append`), in alternating order, so that
caches favour neither. What is above the bare renderer's time is the overhead; the target is 10 %.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from syngrasp.cli.catalogs import catalog_or_builtin
from syngrasp.dataset import ShardWriter
from syngrasp.objects.catalog import Catalog
from syngrasp.records import Episode, Slot
from syngrasp.rendering.annotate import annotate, impression
from syngrasp.rendering.look import Look
from syngrasp.robots import RobotConfig, make_robot
from syngrasp.stages.context import StageContext
from syngrasp.stages.render import RenderConfig, RenderStage, make_renderer
from tests.benchmarks.bench_render import cpu, make_rollout

TARGET = 10.0  # [%]


def run(episodes: int = 6, frames: int = 96, catalog: str | None = None) -> dict[str, float]:
    """Figures by name."""
    path = str(catalog or catalog_or_builtin(None, lambda event: None))
    opened, config = Catalog.open(path), RenderConfig(min_target_pixels=0)
    stage = RenderStage(config, StageContext(0, RobotConfig(), path))
    stage.setup()
    renderer = make_renderer(config, make_robot(RobotConfig()))
    spent = dict.fromkeys(("bare", "stage", "annotate", "impression", "write"), 0.0)
    with tempfile.TemporaryDirectory() as folder, ShardWriter(Path(folder), 0, max_objects=8) as writer:
        for k in range(-1, episodes):  # the first compiles
            rollout, models = make_rollout(k + 1, frames, opened)
            rollout = replace(rollout, scene=replace(rollout.scene, slot=Slot(0, k + 1)))
            found = _episode(stage, renderer, rollout, models, writer, bare_first=k % 2 == 0)
            if k >= 0:
                spent = {name: spent[name] + found.get(name, 0.0) for name in spent}
        writer.finish()
    count = episodes * frames
    overhead = spent["stage"] + spent["write"] - spent["bare"]
    return {
        "bare renderer ms per two-camera frame": 1e3 * spent["bare"] / count,
        "stage and writer ms per two-camera frame": 1e3 * (spent["stage"] + spent["write"]) / count,
        "  of it annotations": 1e3 * spent["annotate"] / count,
        "  of it brightness and hue of the first frame": 1e3 * spent["impression"] / count,
        "  of it encoding and writing": 1e3 * spent["write"] / count,
        "pipeline overhead %": 100.0 * overhead / spent["bare"],
        "target %": TARGET,
    }


def _episode(
    stage: RenderStage, renderer: Any, rollout: Any, models: list[Any], writer: ShardWriter, bare_first: bool
) -> dict[str, float]:
    """CPU seconds of the parts. The look is the stage's own, so both render the same pictures."""
    made: list[Any] = []
    spent: dict[str, float] = {}

    def bare(look: Look) -> None:
        spent["bare"] = cpu(lambda: made.append(renderer.render(rollout, models, look)))

    if bare_first:
        bare(stage.look(rollout, models))
    spent["stage"] = cpu(lambda: made.append(stage.process([rollout])[0]))
    episode = next(item for item in made if isinstance(item, Episode))
    look = Look.from_json(episode.look)
    if not bare_first:
        bare(look)
    spent["write"] = cpu(lambda: writer.append(episode))
    spent["annotate"] = cpu(lambda: annotate(rollout, models, look.cameras, episode.masks))  # type: ignore[arg-type]
    spent["impression"] = sum(cpu(lambda i=image: impression(i)) for image in episode.images[0])  # type: ignore[index]
    return spent


def main() -> None:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=6)
    parser.add_argument("--frames", type=int, default=96)
    parser.add_argument("--catalog", help="objects; without it, the built-in ones")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = run(arguments.episodes, arguments.frames, arguments.catalog)
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name:48} {value:10.2f}")
    print("PASS" if figures["pipeline overhead %"] <= TARGET else "FAIL")


if __name__ == "__main__":
    main()
