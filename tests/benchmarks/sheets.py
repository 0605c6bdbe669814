"""Contact sheets of random episodes for the README, one per renderer, of the same frames under the same looks.

    python -m tests.benchmarks.sheets [--episodes 64] [--renderer mjwarp mitsuba] [--out docs]

One frame from the middle of each validated episode of the built-in catalog, both cameras, 8 in a row.
"""

from __future__ import annotations

import tests.benchmarks.one_core  # noqa: F401  # isort: skip
import argparse
import time
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from syngrasp.cli.catalogs import catalog_or_builtin
from syngrasp.errors import SyngraspError
from tests.benchmarks.episodes import RENDERERS, Episodes, Pictured, frames_of

COLUMNS = 8
SIZE = 256  # rendered [px]

U8 = NDArray[np.uint8]


def middles(count: int) -> tuple[Episodes, list[Pictured]]:
    """Episodes of three frames each: the first, the middle, the last, so that what moves moves."""
    episodes, found = Episodes(catalog_or_builtin(None, lambda event: None)), []
    for pictured in islice(episodes, count):
        last = len(pictured.rollout.phase) - 1
        found.append(Pictured(frames_of(pictured.rollout, [0, last // 2, last]), pictured.models, pictured.look))
    return episodes, found


def sheet_of(pairs: list[U8], tile: int, columns: int = COLUMNS) -> Image.Image:
    """Pictures (C, H, W, 3) of episodes in a grid, the cameras' side by side, `tile` pixels high."""
    cameras = len(pairs[0])
    sheet = Image.new("RGB", (columns * cameras * tile, -(-len(pairs) // columns) * tile))
    for k, pair in enumerate(pairs):
        for c, image in enumerate(pair):
            small = Image.fromarray(image).resize((tile, tile), Image.Resampling.LANCZOS)
            sheet.paste(small, ((k % columns * cameras + c) * tile, k // columns * tile))
    return sheet


def main() -> None:
    """Writes the sheets."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--episodes", type=int, default=64)
    parser.add_argument("--renderer", nargs="*", default=list(RENDERERS), choices=list(RENDERERS))
    parser.add_argument("--tile", type=int, default=96, help="height of a picture [px]")
    parser.add_argument("--quality", type=int, default=80, help="of the JPEG")
    parser.add_argument("--out", type=Path, default=Path("docs"))
    arguments = parser.parse_args()
    episodes, found = middles(arguments.episodes)
    for name in arguments.renderer:
        try:
            renderer = episodes.renderer(name, SIZE)
        except SyngraspError as error:
            print(f"{name}: left out: {error}", flush=True)
            continue
        begin, pairs = time.process_time(), []
        for pictured in found:
            pictures = renderer.render(pictured.rollout, pictured.models, pictured.look)
            assert pictures is not None
            pairs.append(pictures.images[1])
        path = arguments.out / f"looks-{name}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        sheet_of(pairs, arguments.tile).save(path, quality=arguments.quality, optimize=True)
        spent = (time.process_time() - begin) / len(found)
        print(f"{path}: {path.stat().st_size / 1024:.0f} KiB, {spent:.2f} CPU seconds per episode of three frames")
        renderer.close()


if __name__ == "__main__":
    main()
