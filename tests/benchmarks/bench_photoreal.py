"""Path tracing: what an image costs on two processes of one thread, and how far it is from 1024 samples a pixel.

    python -m tests.benchmarks.bench_photoreal [--episodes 4] [--frames 100] [--references 20] [--samples 1024] [--json]

256 × 256, two cameras, looks as drawn. References are whole pictures of the same integrator, as deep, not denoised,
with other random numbers; both are developed by the same sensor without noise. A reference takes a minute a core.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import time
from dataclasses import replace
from typing import Any

import numpy as np

from syngrasp.cli.catalogs import catalog_or_builtin
from syngrasp.objects.catalog import Catalog
from syngrasp.records import Rollout
from syngrasp.rendering.look import Look
from syngrasp.rendering.mitsuba import MitsubaRenderer, firefly_limit
from syngrasp.rendering.randomize import PAPER_CAMERAS, RandomizeConfig, draw_look
from syngrasp.robots import RobotConfig, make_robot
from syngrasp.seeding import named_rng
from tests.benchmarks.bench_render import make_rollout

SIZE = 256
PROCESSES = 2
CHUNK = 16


def _case(seed: int, frames: int) -> tuple[Rollout, list[Any], Look]:
    rollout, models = make_rollout(seed, frames, Catalog.open(catalog_or_builtin(None, lambda event: None)))
    return rollout, models, draw_look(rollout.scene, RandomizeConfig(), PAPER_CAMERAS, named_rng(seed, "bench", "look"))


def _timed(task: tuple[list[int], int, int]) -> tuple[float, float, float, dict[str, Any]]:
    """CPU and wall seconds of whole episodes on a core after a first picture, peak memory [MiB], what rendered."""
    seeds, frames, core = task
    os.sched_setaffinity(0, {core})
    renderer = MitsubaRenderer(make_robot(RobotConfig()), SIZE, SIZE)
    rollout, models, look = _case(seeds[0], 2)
    renderer.render(rollout, models, look)
    cases = [_case(seed, frames) for seed in seeds]
    cpu, wall = time.process_time(), time.perf_counter()
    for case in cases:
        renderer.render(*case)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return cpu, wall, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, renderer.describe()


def _distance(task: tuple[int, int, int]) -> list[float]:
    """PSNR [dB] of both cameras' pictures of a random frame."""
    from syngrasp.rendering.mitsuba_frames import PathTracer, still_layer
    from syngrasp.rendering.sensor import develop, exposure_gain

    seed, frames, samples = task
    os.sched_setaffinity(0, range(os.cpu_count() or 1))  # another suite's module may have pinned this process
    renderer = MitsubaRenderer(make_robot(RobotConfig()), SIZE, SIZE)
    rollout, models, look = _case(seed, frames)
    look = replace(look, sensor=replace(look.sensor, noise=0.0))
    frame = int(named_rng(seed, "bench", "frame").integers(1, frames))
    fields = ("joint_position", "gripper_width", "object_pose")
    short = replace(rollout, **{name: getattr(rollout, name)[[0, frame]] for name in fields})
    pictures = renderer.render(short, models, look)
    assert pictures is not None
    scene = renderer.episode(short, models, look)
    config = renderer.config
    tracer = PathTracer(look.cameras, SIZE, SIZE, look.sensor.seed, config.max_depth)
    tracer.limit(firefly_limit(look))
    layer = still_layer(tracer, scene, config.still_spp, config.spp, renderer.clean)
    scene.pose(1)
    other = PathTracer(look.cameras, SIZE, SIZE, look.sensor.seed + 1, config.max_depth)
    other.limit(firefly_limit(look))
    pixels = np.arange(len(look.cameras) * SIZE * SIZE, dtype=np.uint32)
    total = np.zeros((len(pixels), 3))
    for first in range(0, samples, CHUNK):
        start = np.full(len(pixels), first, np.uint32)
        total += other.trace(scene.full, pixels, start, CHUNK).light.sum(axis=1)
    light = (total / samples).reshape(1, len(look.cameras), SIZE, SIZE, 3).astype(np.float32)
    reference = develop(light, exposure_gain(layer.light, look), look.sensor, 1)[0]
    error = ((pictures.images[1].astype(float) - reference) ** 2).mean(axis=(1, 2, 3))
    return [float(x) for x in 10.0 * np.log10(255.0**2 / np.maximum(error, 1e-9))]


def run(episodes: int = 4, frames: int = 100, references: int = 20, samples: int = 1024) -> dict[str, Any]:
    """Figures by name."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(PROCESSES) as pool:
        tasks = [(list(range(k, episodes, PROCESSES)), frames, k) for k in range(PROCESSES)]
        timed = pool.map(_timed, tasks, chunksize=1)
        wanted = [(100 + seed, frames, samples) for seed in range(references)]
        quality = np.array([x for row in pool.map(_distance, wanted, chunksize=1) for x in row])
    images = episodes * frames * len(PAPER_CAMERAS)
    figures: dict[str, Any] = {"renderer": timed[0][3]}
    figures["CPU ms per image"] = 1e3 * sum(row[0] for row in timed) / images
    figures["two-camera frames/s, 2 processes"] = episodes * frames / max(row[1] for row in timed)
    figures["peak memory of a process MiB"] = max(row[2] for row in timed)
    if len(quality):
        figures[f"PSNR to {samples} samples, mean dB"] = float(quality.mean())
        figures[f"PSNR to {samples} samples, least dB"] = float(quality.min())
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=4)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--references", type=int, default=20)
    parser.add_argument("--samples", type=int, default=1024)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = run(arguments.episodes, arguments.frames, arguments.references, arguments.samples)
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name:42} {value:10.2f}" if isinstance(value, float) else f"{name}: {value}")


if __name__ == "__main__":
    main()
