"""Whether randomisation is real: looks of settled scenes, one frame of each seen by both cameras.

    python -m tests.benchmarks.bench_looks [--episodes 500] [--size 128] [--plots FOLDER] [--sheet FILE.jpg]

Scenes are settled by the layout stage, the arm at its start; looks are those that `generate` would draw. Prints what
`syngrasp stats` prints about looks, beside the recipe's ranges, and whether what was drawn agrees with the recipe:
everything in its range, ranges filled, names drawn by their weights, no look twice, no picture too dark or too bright
to use, and no two pictures alike.
"""

from __future__ import annotations

import tests.benchmarks.one_core  # noqa: F401  # isort: skip
import argparse
import json
import time
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from syngrasp.cli.catalogs import catalog_or_builtin
from syngrasp.cli.look_tables import print_looks
from syngrasp.dataset.statistics.look_stats import LookStats
from syngrasp.dataset.statistics.plots import look_pictures
from syngrasp.records import Slot
from syngrasp.rendering.annotate import impression
from syngrasp.stage import Rejected
from tests.benchmarks.episodes import Episodes, Pictured, at_rest
from tests.benchmarks.sheets import sheet_of

COVERED = 0.9  # of a range of the recipe, at least
DARK, BRIGHT, USABLE = 0.12, 0.88, 0.98  # mean brightness of a picture that can be used, and the share that can
ALIKE = 4.0  # mean difference of two small pictures of the same camera [8-bit levels], at least
SIGMAS = 4.5  # by which the share of a name may miss its weight
SHOWN = 64

U8 = NDArray[np.uint8]


def settled(episodes: Episodes) -> Iterator[Pictured]:
    """Scenes with the arm at its start, each with its look."""
    (layout, *_) = episodes.stages
    for episode in range(100_000):
        (scene,) = layout.process([Slot(0, episode)])
        if not isinstance(scene, Rejected):
            yield episodes.pictured(at_rest(scene))


def run(count: int, size: int) -> tuple[dict[str, Any], U8, dict[str, float]]:
    """Statistics of the looks, pictures (count, C, size, size, 3), and what it took."""
    episodes = Episodes(catalog_or_builtin(None, lambda event: None))
    render = episodes.recipe.render.model_dump(mode="json")
    stats, pictures = LookStats({"render": render}), []
    renderer = episodes.renderer("mjwarp", size)
    spent = 0.0
    for pictured in islice(settled(episodes), count):
        begin = time.process_time()
        seen = renderer.render(pictured.rollout, pictured.models, pictured.look)
        spent += time.process_time() - begin
        assert seen is not None
        pictures.append(seen.images[0])
        cameras = [camera.name for camera in pictured.look.cameras]
        line = {
            "look": json.loads(json.dumps(pictured.look.to_json())),
            "table": {"height": pictured.rollout.scene.table_height},
            "picture": {name: impression(image) for name, image in zip(cameras, seen.images[0], strict=True)},
        }
        stats.add([line])
    return stats.as_json(), np.stack(pictures), {"CPU seconds per look and frame": spent / count}


def verdicts(looks: dict[str, Any], pictures: U8) -> Iterable[str]:
    """A line for each thing that has to hold."""
    numbers = {name: number for name, number in looks["numbers"].items() if number["range"]}
    least = min(numbers.items(), key=lambda item: item[1]["covered"] if item[1]["count"] >= 100 else 1.0)
    off = {name: miss for name, choice in looks["choices"].items() if (miss := furthest(choice))[0] > SIGMAS}
    brightness = pictures.astype(np.float32) @ np.array([0.2126, 0.7152, 0.0722], np.float32) / 255.0
    mean = brightness.mean(axis=(2, 3))
    usable = float(((mean >= DARK) & (mean <= BRIGHT)).mean())
    near, pair = nearest(pictures)
    yield told("outside the recipe's ranges", "; ".join(looks["outside"]) or "none", not looks["outside"])
    yield told("episodes with the same look", looks["same_look"], not looks["same_look"])
    covered = least[1]["covered"]
    yield told(f"least covered range ({least[0]})", f"{100 * covered:.0f} %", covered >= COVERED)
    yield told("names drawn otherwise than by weight", off or "none", not off)
    missing = {name: choice["missing"] for name, choice in looks["choices"].items() if choice["missing"]}
    yield told("names never drawn", missing or "none", not missing)
    yield told(f"mean brightness in {DARK:g} … {BRIGHT:g}", f"{100 * usable:.1f} % of pictures", usable >= USABLE)
    yield told(f"most alike pictures (episodes {pair[0]}, {pair[1]})", f"{near:.1f} levels apart", near >= ALIKE)


def told(what: str, found: object, good: bool) -> str:
    return f"{what}: {found}: {'PASS' if good else 'FAIL'}"


def furthest(choice: dict[str, Any]) -> tuple[float, str]:
    """By how many standard deviations the count of a name misses its weight at most, and which one."""
    total, misses = sum(choice["counts"].values()), [(0.0, "")]
    for value, weight in choice["weights"].items() if choice["exact"] else ():
        deviation = np.sqrt(total * weight * (1.0 - weight))
        if deviation:
            misses.append((float(abs(choice["counts"].get(value, 0) - total * weight) / deviation), value))
    return max(misses)


def nearest(pictures: U8) -> tuple[float, tuple[int, int]]:
    """The least mean difference [8-bit levels] between the first camera's pictures of two episodes, at 16 × 16."""
    size = pictures.shape[2] // 16
    small = pictures[:, 0].reshape(len(pictures), 16, size, 16, size, 3).mean(axis=(2, 4)).reshape(len(pictures), -1)
    best, pair = np.inf, (0, 0)
    for k in range(1, len(small)):
        apart = np.abs(small[:k] - small[k]).mean(axis=1)
        if apart.min() < best:
            best, pair = float(apart.min()), (int(apart.argmin()), k)
    return best, pair


def save_plots(looks: dict[str, Any], folder: Path) -> None:
    """What `syngrasp stats --plots` draws of looks."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, (draw, width, height) in look_pictures(looks).items():
        layout = ConstrainedLayoutEngine(w_pad=0.1, h_pad=0.1)
        figure = Figure(figsize=(width, height), dpi=100, layout=layout, facecolor="white")
        draw(figure, {"looks": looks})
        figure.savefig(folder / f"{name}.png")


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=500)
    parser.add_argument("--size", type=int, default=128, help="of a picture, a multiple of 16 [px]")
    parser.add_argument("--plots", type=Path, help="folder for plots")
    parser.add_argument("--sheet", type=Path, help="contact sheet of the first episodes")
    arguments = parser.parse_args()
    looks, pictures, figures = run(arguments.episodes, arguments.size)
    print_looks(looks)
    print()
    for name, value in figures.items():
        print(f"{name}  {value:.3f}")
    print("\n".join(verdicts(looks, pictures)))
    if arguments.plots:
        save_plots(looks, arguments.plots)
    if arguments.sheet:
        sheet_of(list(pictures[:SHOWN]), arguments.size).save(arguments.sheet, quality=82)


if __name__ == "__main__":
    main()
