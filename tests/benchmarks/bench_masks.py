"""How exact masks, boxes and depth are: renderers beside references that share none of their code.

    python -m tests.benchmarks.bench_masks [--frames 12] [--catalog CATALOG …] [--renderer mjwarp mitsuba]

Random frames of validated episodes, on the built-in catalog and on scanned objects where they are at hand, from both
cameras at 256 × 256. The reference is Embree with all triangles, moved by MuJoCo; beside it MuJoCo's own OpenGL,
which shows how far apart two exact methods are. Objects of fewer than 100 pixels stand apart: a pixel is 1 % of them.
"""

from __future__ import annotations

import tests.benchmarks.one_core  # isort: skip
import tests.benchmarks.no_display  # noqa: F401  # isort: skip
import argparse
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from syngrasp.cli.catalogs import catalog_or_builtin
from syngrasp.errors import SyngraspError
from syngrasp.rendering.annotate import boxes_from_masks
from syngrasp.rendering.pictures import Renderer
from syngrasp.robots.base import Robot
from syngrasp.seeding import named_rng
from tests.benchmarks.bench_motion import SCANS, scanned_catalog
from tests.benchmarks.episodes import RENDERERS, Episodes, Pictured, frames_of
from tests.benchmarks.reference import FIRST_OBJECT, ROBOT, ReferenceWorld, View

SIZE = 256
SMALL = 100  # [px]
IOU, BOX, DEPTH = 0.98, 1.0, 1.0  # wanted: at least, at most [px], at most [mm]

U8 = NDArray[np.uint8]
U16 = NDArray[np.uint16]


@dataclass(slots=True)
class Agreement:
    """How masks, boxes and depth of one method agree with the reference's, over images."""

    iou: list[float] = field(default_factory=list)  # of the robot, the table and objects of at least SMALL pixels
    box: list[float] = field(default_factory=list)  # of such objects: largest difference of a side [px]
    small_off: list[int] = field(default_factory=list)  # pixels in which smaller objects differ
    small_size: list[int] = field(default_factory=list)  # and how many they have
    pixels: int = 0
    differing: int = 0
    depth: list[NDArray[np.float64]] = field(default_factory=list)  # |difference| where labels agree [mm]
    robot: list[NDArray[np.float64]] = field(default_factory=list)  # of these on the robot alone

    def add(self, mask: U8, depth_mm: NDArray[np.float64], reference: View, objects: int) -> None:
        """One image; depth 0 where nothing is."""
        self.pixels += mask.size
        self.differing += int((mask != reference.mask).sum())
        boxes, _ = boxes_from_masks(np.ascontiguousarray(mask)[None], objects)
        for label in range(1, FIRST_OBJECT + objects):
            ours, theirs = mask == label, reference.mask == label
            count, joined = int(theirs.sum()), int((ours | theirs).sum())
            if not joined:
                continue
            if label >= FIRST_OBJECT and count < SMALL:
                self.small_off.append(int((ours != theirs).sum()))
                self.small_size.append(count)
                continue
            self.iou.append(int((ours & theirs).sum()) / joined)
            if label >= FIRST_OBJECT:
                self.box.append(float(np.abs(boxes[0, label - FIRST_OBJECT] - extent(theirs)).max()))
        seen = (mask == reference.mask) & (depth_mm > 0) & (reference.depth < 60.0)
        off = np.abs(depth_mm - 1e3 * np.where(seen, reference.depth, 0.0))
        self.depth.append(off[seen])
        self.robot.append(off[seen & (mask == ROBOT)])

    def figures(self) -> dict[str, float]:
        """By name."""
        depth = np.concatenate(self.depth)
        small = np.array(self.small_off)
        return {
            "images": len(self.depth),
            "instances": len(self.iou),
            "IoU least": min(self.iou),
            "IoU mean": float(np.mean(self.iou)),
            "box off px, most": float(np.nan_to_num(self.box, nan=np.inf).max()),
            "box off px, mean": float(np.mean(self.box)),
            "labels that differ, ppm": 1e6 * self.differing / self.pixels,
            "depth off mm, median": float(np.median(depth)),
            "depth off mm, 99.9 %": float(np.quantile(depth, 0.999)),
            "depth off mm, most": float(depth.max()),
            "  on the robot, 99.9 %": float(np.quantile(np.concatenate(self.robot), 0.999)),
            "depth off > 1 mm, ppm": 1e6 * float((depth > DEPTH).mean()),
            f"objects under {SMALL} px": len(small),
            "of them exact": int((small == 0).sum()),
            "of them pixels off, most": int(small.max(initial=0)),
        }


def extent(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """x0 y0 x1 y1 [px] around a mask (H, W)."""
    y, x = np.nonzero(mask)
    return np.array([x.min(), y.min(), x.max() + 1, y.max() + 1], np.float64)


def verdicts(name: str, figures: dict[str, float]) -> Iterable[str]:
    """A line for each figure with a target."""
    targets = (
        ("IoU least", figures["IoU least"] >= IOU, f"at least {IOU:g}"),
        ("box off px, most", figures["box off px, most"] <= BOX, f"at most {BOX:g}"),
        ("depth off mm, 99.9 %", figures["depth off mm, 99.9 %"] <= DEPTH, f"at most {DEPTH:g}"),
    )
    for figure, good, wanted in targets:
        yield f"{name}: {figure} {figures[figure]:.4g}, {wanted}: {'PASS' if good else 'FAIL'}"


def compare(catalog: Path, frames: int, names: list[str]) -> dict[str, Agreement]:
    """Each renderer, and OpenGL where it runs, against Embree on one random frame of each of `frames` episodes."""
    episodes = Episodes(catalog)
    renderers = {}
    for name in names:
        try:
            renderers[name] = episodes.renderer(name, SIZE)
        except SyngraspError as error:
            print(f"{name}: left out: {error}", flush=True)
    found = {name: Agreement() for name in (*renderers, "MuJoCo OpenGL")}
    random = named_rng(0, "masks")
    for pictured in islice(episodes, frames):
        length = len(pictured.rollout.phase)
        chosen = int(random.integers(1, length - 1))
        # With the first and the last frame beside it, what moves in the episode moves here too.
        short = Pictured(frames_of(pictured.rollout, [0, chosen, length - 1]), pictured.models, pictured.look)
        _compare(short, renderers, episodes.robot, found)
    return {name: agreement for name, agreement in found.items() if agreement.pixels}


def _compare(pictured: Pictured, renderers: dict[str, Renderer], robot: Robot, found: dict[str, Agreement]) -> None:
    world, cameras, objects = ReferenceWorld(pictured, robot, SIZE), pictured.look.cameras, len(pictured.models)
    world.set_frame(pictured.rollout, 1)
    references = world.cast(cameras)
    for name, renderer in renderers.items():
        pictures = renderer.render(pictured.rollout, pictured.models, pictured.look)
        assert pictures is not None
        for c, reference in enumerate(references):
            found[name].add(pictures.masks[1, c], pictures.depth[1, c].astype(np.float64), reference, objects)
    try:
        drawn = world.draw(cameras)
    except RuntimeError as error:
        print(f"MuJoCo OpenGL: left out: {error}", flush=True)
        return
    for view, reference in zip(drawn, references, strict=True):
        depth = np.where(np.isfinite(view.depth), 1e3 * view.depth, 0.0)
        found["MuJoCo OpenGL"].add(view.mask, depth, reference, objects)
    world.close()


def main() -> None:
    """Runs the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=12, help="of each catalog")
    parser.add_argument("--catalog", type=Path, nargs="*", help="without it, the built-in one and scans")
    parser.add_argument("--renderer", nargs="*", default=list(RENDERERS), choices=list(RENDERERS))
    arguments = parser.parse_args()
    catalogs = {str(path): path for path in arguments.catalog or ()}
    if not catalogs:
        catalogs["built-in"] = catalog_or_builtin(None, lambda event: None)
        scans = scanned_catalog(SCANS)
        catalogs |= {"scans": scans} if scans else {}
    lines: list[str] = []
    for catalog, path in catalogs.items():
        for name, agreement in compare(path, arguments.frames, arguments.renderer).items():
            figures = agreement.figures()
            print(f"{name} on {catalog}")
            for figure, value in figures.items():
                print(f"  {figure:28} {value:10.4g}")
            lines += verdicts(f"{name} on {catalog}", figures)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
