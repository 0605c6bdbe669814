"""Contact sheets: an episode over time, with the target's box, what is done and what was asked; and many episodes."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from syngrasp.dataset.reader import Dataset, EpisodeView, Frame
from syngrasp.errors import DatasetError, UnknownName
from syngrasp.records import Phase
from syngrasp.seeding import named_rng

Moment = Literal["first", "grasp", "mid"]

BACK, INK, MUTED, BOX = (250, 250, 248), (31, 41, 51), (123, 135, 148), (255, 64, 64)
PHASE_COLOURS = {
    Phase.REACH: (47, 109, 181),
    Phase.CLOSE: (237, 180, 88),
    Phase.LIFT: (58, 157, 106),
    Phase.HOLD: (109, 89, 122),
    Phase.RETREAT: (217, 83, 79),
}
GAP, MARGIN, HEADER, BAR, LABEL = 6, 16, 58, 6, 18
SEAM = 2  # between tiles of many episodes [px]


def contact_sheet(dataset: Dataset, episode: int, *, columns: int = 8, tile: int = 192) -> Image.Image:
    """`columns` evenly spaced frames of an episode, one row per camera, tiles `tile` pixels high, as one image.

    Raises DatasetError where the dataset has no images or no such episode.
    """
    if not 0 <= episode < dataset.num_episodes:
        there = f"it has episodes 0…{dataset.num_episodes - 1}" if dataset.num_episodes else "it has none yet"
        raise DatasetError(dataset.storage.url, f"there is no episode {episode}; {there}")
    _check_images(dataset)
    view = dataset.episode(episode)
    frames = np.unique(np.linspace(0, view.length - 1, min(columns, view.length)).round().astype(int))
    strip = _Strip(view, dataset.cameras, len(frames), tile)
    for column, frame in enumerate(frames):
        strip.draw_column(column, int(frame), dataset[view.frames[int(frame)]])
    return strip.sheet


def episodes_sheet(
    dataset: Dataset, count: int, *, camera: str = "both", moment: Moment = "mid", seed: int = 0, tile: int = 128
) -> Image.Image:
    """One frame of each of `count` random episodes, without letters: a grid of tiles `tile` pixels high.

    `camera` is one of the dataset's or "both" (all of them side by side); `moment` is the first frame, the one at
    which the hand closes, or the one in the middle. The same seed chooses the same episodes. Raises UnknownName for a
    camera, DatasetError where there are no images.
    """
    if camera not in ("both", *dataset.cameras):
        raise UnknownName("camera", camera, ["both", *dataset.cameras])
    if not dataset.num_episodes:
        raise DatasetError(dataset.storage.url, "it has no episodes yet")
    _check_images(dataset)
    rows = range(len(dataset.cameras)) if camera == "both" else [dataset.cameras.index(camera)]
    chosen = named_rng(seed, "sheet").permutation(dataset.num_episodes)[:count]
    height, width = dataset.episode(0).shape("images")[-3:-1]
    size = (round(tile * width / height), tile)
    columns = int(np.ceil(np.sqrt(len(chosen))))
    step = (len(rows) * size[0] + SEAM, tile + SEAM)
    sheet = Image.new("RGB", (columns * step[0] - SEAM, -(-len(chosen) // columns) * step[1] - SEAM), BACK)
    for place, episode in enumerate(np.sort(chosen)):
        view = dataset.episode(int(episode))
        frame = dataset[view.frames[_frame_of(view, moment)]]
        for k, row in enumerate(rows):
            picture = Image.fromarray(frame["images"][row]).resize(size, Image.Resampling.LANCZOS)
            sheet.paste(picture, (place % columns * step[0] + k * size[0], place // columns * step[1]))
    return sheet


def _frame_of(view: EpisodeView, moment: Moment) -> int:
    if moment == "grasp":
        return int(np.argmax(view["phase"] == Phase.CLOSE))
    return 0 if moment == "first" else view.length // 2


def _check_images(dataset: Dataset) -> None:
    if "images" not in dataset.names:
        raise DatasetError(dataset.storage.url, "it has no images (it was generated with render.kind=none)")


class _Strip:
    def __init__(self, view: EpisodeView, cameras: tuple[str, ...], columns: int, tile: int) -> None:
        self.view, self.cameras = view, cameras
        height, width = view.shape("images")[-3:-1]
        self.tile = (round(tile * width / height), tile)
        self.scale = tile / height
        size = (
            2 * MARGIN + columns * (self.tile[0] + GAP) - GAP,
            HEADER + len(cameras) * (tile + GAP) + BAR + LABEL + MARGIN,
        )
        self.sheet = Image.new("RGB", size, BACK)
        self.pen = ImageDraw.Draw(self.sheet)
        self._write_header()

    def draw_column(self, column: int, index: int, frame: Frame) -> None:
        x = MARGIN + column * (self.tile[0] + GAP)
        for row, name in enumerate(self.cameras):
            picture = Image.fromarray(frame["images"][row]).resize(self.tile, Image.Resampling.LANCZOS)
            self._draw_box(picture, frame["bbox"][row, self.view.line["target"]])
            y = HEADER + row * (self.tile[1] + GAP)
            self.sheet.paste(picture, (x, y))
            if column == 0:
                self._tag(x, y, name)
        phase = Phase(int(frame["phase"]))
        y = HEADER + len(self.cameras) * (self.tile[1] + GAP)
        self.pen.rectangle([x, y, x + self.tile[0] - 1, y + BAR - 1], PHASE_COLOURS[phase])
        seconds = index * self.view.line["dt"]
        text = f"{phase.name.lower()}  {seconds:.1f} s"
        self.pen.text((x, y + BAR + 3), text, MUTED, _font(11))

    def _draw_box(self, picture: Image.Image, box: Any) -> None:
        if np.isnan(box).any():
            return
        x0, y0, x1, y1 = (float(v) * self.scale for v in box)
        pen = ImageDraw.Draw(picture)
        pen.rectangle([x0 - 2, y0 - 2, x1 + 1, y1 + 1], outline=(255, 255, 255), width=1)
        pen.rectangle([x0 - 1, y0 - 1, x1, y1], outline=BOX, width=2)

    def _tag(self, x: int, y: int, name: str) -> None:
        width = self.pen.textlength(name, _font(11))
        self.pen.rectangle([x, y, x + width + 8, y + 16], BACK)
        self.pen.text((x + 4, y + 1), name, INK, _font(11))

    def _write_header(self) -> None:
        line = self.view.line
        self.pen.text((MARGIN, 10), f"“{line['instruction']}”", INK, _font(18))
        facts = [
            f"episode {self.view.index} (shard {line['shard']}, slot {line['episode']}, attempt {line['attempt']})",
            f"target {line['target_uid']}",
            f"{self.view.length} frames",
            *([f"grasp attempts {attempts}"] if (attempts := line.get("grasp_attempts", 1)) > 1 else []),
        ]
        if "lift" in line:  # imported episodes have neither
            facts += [f"lifted {100 * line['lift']['height']:.1f} cm", f"slip {1000 * line['lift']['slip']:.1f} mm"]
        if "grasp" in line:
            facts.append(f"grasp quality {line['grasp']['quality']:.3g}")
        self.pen.text((MARGIN, 35), "   ·   ".join(facts), MUTED, _font(12))


def _font(size: int) -> Any:
    return ImageFont.load_default(size)
