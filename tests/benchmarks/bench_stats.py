"""Statistics of a large dataset: frames per second, and memory that does not grow with it.

    python -m tests.benchmarks.bench_stats [--episodes N]

The dataset has no pictures, but lines as long as those of rendered episodes: real looks, drawn by the pipeline's own
code, and motions of about a hundred frames, repeated with noise.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from syngrasp import dataset
from syngrasp.records import Slot
from syngrasp.rendering.randomize import PAPER_CAMERAS, RandomizeConfig, draw_look
from syngrasp.seeding import named_rng
from tests.dataset.datasets import create
from tests.dataset.synthetic import make_episode

PER_SHARD = 250
GOAL = 1e6  # frames/s


def build(root: Path, episodes: int) -> int:
    """Writes the dataset and returns its frames."""
    made = [make_episode(Slot(0, k, 0), frames=100, objects=6, pictures=False) for k in range(50)]
    looks = []
    for k in range(50):
        look = draw_look(made[k].rollout.scene, RandomizeConfig(), PAPER_CAMERAS, named_rng(k, "look")).to_json()
        looks.append(json.loads(json.dumps(look)))
    recipe = {"render": {"randomize": RandomizeConfig().model_dump(mode="json"), "cameras": {}}}
    recipe["render"]["cameras"] = {
        name: {"position": list(c.position), "target": list(c.target)} for name, c in PAPER_CAMERAS.items()
    }
    shards = episodes // PER_SHARD
    create(root, recipe=recipe, shards=shards, episodes_per_shard=PER_SHARD)
    from syngrasp.dataset.episodes import episode_line
    from syngrasp.dataset.schema import episode_arrays

    arrays = [episode_arrays(episode, 6) for episode in made]
    lines = [episode_line(episode, 0) for episode in made]
    for shard in range(shards):
        with dataset.ShardWriter(root, shard, max_objects=6) as writer:
            for slot in range(PER_SHARD):
                k = (shard * PER_SHARD + slot) % 50
                look = dict(looks[k])
                look["sensor"] = {
                    **look["sensor"],
                    "noise": look["sensor"]["noise"] * (1.0 + 1e-9 * (shard * 997 + slot)),
                }
                writer.append_arrays(arrays[k], {**lines[k], "shard": shard, "episode": slot, "look": look}, ())
            summary = writer.finish()
        dataset.commit_shard(
            root, summary, stages={"render": {"passed": PER_SHARD, "rejected": {}}}, timings={"lift": 1.0}
        )
    return sum(commit.frames for commit in dataset.open(root).commits)


def measured(root: Path, workers: int) -> tuple[float, float]:
    """Seconds and peak memory [MB] of the statistics, in a process of its own."""
    code = (
        "import resource, sys, time\n"
        "from syngrasp import dataset\n"
        "if __name__ == '__main__':\n"
        "    started = time.perf_counter()\n"
        "    dataset.dataset_stats(sys.argv[1], workers=int(sys.argv[2]))\n"
        "    seconds = time.perf_counter() - started\n"
        "    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "    theirs = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss\n"
        "    print(seconds, max(own, theirs) / 1024)\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "measure.py"
        script.write_text(code)
        run = subprocess.run(
            [sys.executable, str(script), str(root), str(workers)], capture_output=True, text=True, check=True,
            env=os.environ | {"PYTHONPATH": os.getcwd()},
        )  # fmt: skip
    seconds, memory = run.stdout.split()
    return float(seconds), float(memory)


def main() -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=24_000)
    asked = parser.parse_args()
    cores = os.cpu_count() or 1
    print(f"{'episodes':>9} {'frames':>10} {'processes':>9} {'seconds':>8} {'frames/s':>10} {'peak MB of one':>14}")
    rates, memories = [], []
    with tempfile.TemporaryDirectory() as folder:
        for share in (4, 1):
            root = Path(folder) / str(share)
            episodes = asked.episodes // share
            frames = build(root, episodes)
            for workers in (1, cores):
                seconds, memory = min(measured(root, workers) for _ in range(2 if share == 1 else 1))
                rates.append(frames / seconds)
                memories.append(memory)
                print(
                    f"{episodes:9} {frames:10} {workers:9} {seconds:8.2f} {frames / seconds:10.0f} {memory:14.0f}",
                    flush=True,
                )
    growth = memories[-1] / memories[1]
    print(f"\nfour times the episodes take {growth:.2f} times the memory")
    print(f"{'PASS' if max(rates) > GOAL else 'MISS'}: over {GOAL:.0f} frames/s on {cores} cores: {max(rates):.0f}")
    print(f"peak of this process while writing: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    return 0


if __name__ == "__main__":
    started = time.perf_counter()
    np.seterr(all="raise")
    code = main()
    print(f"{time.perf_counter() - started:.0f} s")
    sys.exit(code)
