"""Path tracing: what an image costs on two processes of one thread, and how far it is from 1024 samples a pixel.

    python -m tests.benchmarks.bench_photoreal [--episodes 6] [--references 20] [--samples 1024] [--json]

256 × 256, two cameras; episodes and looks as `generate` makes them. References are whole pictures of the same
integrator, as deep, not denoised, with other random numbers, of a random frame of an episode each; both are developed
by the same sensor without noise. A reference takes a minute a core.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import resource
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.benchmarks.episodes import Episodes, Pictured, frames_of  # isort: skip  # before numpy
import numpy as np

from syngrasp.cli.catalogs import catalog_or_builtin
from syngrasp.rendering.mitsuba.renderer import MitsubaRenderer, firefly_limit
from syngrasp.robots import RobotConfig, make_robot
from syngrasp.seeding import named_rng

SIZE = 256
PROCESSES = 2
CHUNK = 16
FASTEST, NEAREST = 7.2, 33.0  # two-camera frames/s and PSNR [dB] to reach


def _timed(task: tuple[list[Pictured], int]) -> tuple[int, float, float, float, dict[str, Any]]:
    """Frames of whole episodes on a core, CPU and wall seconds, peak memory [MiB], what rendered."""
    episodes, core = task
    os.sched_setaffinity(0, {core})
    renderer = MitsubaRenderer(make_robot(RobotConfig()), SIZE, SIZE)
    first = episodes[0]
    renderer.render(frames_of(first.rollout, [0, 1]), first.models, first.look)
    cpu, wall = time.process_time(), time.perf_counter()
    for one in episodes:
        renderer.render(one.rollout, one.models, one.look)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    frames = sum(len(one.rollout.phase) for one in episodes)
    return frames, cpu, wall, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, renderer.describe()


def _distance(task: tuple[Pictured, int, int]) -> list[float]:
    """PSNR [dB] of both cameras' pictures of a frame."""
    from syngrasp.rendering.mitsuba.frames import PathTracer, still_layer
    from syngrasp.rendering.sensor import develop, exposure_gain

    one, frame, samples = task
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    renderer = MitsubaRenderer(make_robot(RobotConfig()), SIZE, SIZE)
    look = replace(one.look, sensor=replace(one.look.sensor, noise=0.0))
    # what moves over the whole episode must move here too
    last = len(one.rollout.phase) - 1
    short = frames_of(one.rollout, sorted({0, last // 2, last, frame}))
    place = sorted({0, last // 2, last, frame}).index(frame)
    pictures = renderer.render(short, one.models, look)
    assert pictures is not None
    scene = renderer.episode(short, one.models, look)
    config = renderer.config
    tracer = PathTracer(look.cameras, SIZE, SIZE, look.sensor.seed, config.max_depth)
    tracer.limit(firefly_limit(look))
    layer = still_layer(tracer, scene, config.still_spp, config.spp, renderer.clean)
    scene.pose(place)
    other = PathTracer(look.cameras, SIZE, SIZE, look.sensor.seed + 1, config.max_depth)
    other.limit(firefly_limit(look))
    pixels = np.arange(len(look.cameras) * SIZE * SIZE, dtype=np.uint32)
    total = np.zeros((len(pixels), 3))
    for begin in range(0, samples, CHUNK):
        start = np.full(len(pixels), begin, np.uint32)
        total += other.trace(scene.full, pixels, start, CHUNK).light.sum(axis=1)
    light = (total / samples).reshape(1, len(look.cameras), SIZE, SIZE, 3).astype(np.float32)
    reference = develop(light, exposure_gain(layer.light, look), look.sensor, place)[0]
    error = ((pictures.images[place].astype(float) - reference) ** 2).mean(axis=(1, 2, 3))
    return [float(x) for x in 10.0 * np.log10(255.0**2 / np.maximum(error, 1e-9))]


def run(episodes: int = 6, references: int = 20, samples: int = 1024) -> dict[str, Any]:
    """Figures by name."""
    catalog = Path(catalog_or_builtin(None, lambda event: None))
    made = list(itertools.islice(Episodes(catalog), episodes + references))
    timed_ones, compared = made[:episodes], made[episodes:]
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        timed = pool.map(_timed, [(timed_ones[k::PROCESSES], k) for k in range(PROCESSES)], chunksize=1)
        frames = [
            int(named_rng(k, "bench", "frame").integers(1, len(one.rollout.phase))) for k, one in enumerate(compared)
        ]
        tasks = [(one, frame, samples) for one, frame in zip(compared, frames, strict=True)]
        quality = np.array([x for row in pool.map(_distance, tasks, chunksize=1) for x in row])
    figures: dict[str, Any] = {"renderer": timed[0][4]}
    figures["CPU ms per image"] = 1e3 * sum(row[1] for row in timed) / sum(2 * row[0] for row in timed)
    figures["two-camera frames/s, 2 processes"] = sum(row[0] / row[2] for row in timed)
    figures["peak memory of a process MiB"] = max(row[3] for row in timed)
    if len(quality):
        figures[f"PSNR to {samples} samples, mean dB"] = float(quality.mean())
        figures[f"PSNR to {samples} samples, median dB"] = float(np.median(quality))
        figures[f"PSNR to {samples} samples, least dB"] = float(quality.min())
        figures["images at 33 dB or more"] = float((quality >= NEAREST).mean())
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=6)
    parser.add_argument("--references", type=int, default=20)
    parser.add_argument("--samples", type=int, default=1024)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    figures = run(arguments.episodes, arguments.references, arguments.samples)
    if arguments.json:
        print(json.dumps(figures, indent=2))
        return
    for name, value in figures.items():
        print(f"{name:42} {value:10.2f}" if isinstance(value, float) else f"{name}: {value}")
    for name, least in (
        ("two-camera frames/s, 2 processes", FASTEST),
        (f"PSNR to {arguments.samples} samples, mean dB", NEAREST),
    ):
        if name in figures:
            print(f"{name} {figures[name]:.2f}, at least {least}: {'PASS' if figures[name] >= least else 'FAIL'}")


if __name__ == "__main__":
    main()
