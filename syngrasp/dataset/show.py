"""A contact sheet of an episode: both cameras over time, the target's box, what is done and what was asked."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from syngrasp.dataset.reader import Dataset, EpisodeView
from syngrasp.errors import DatasetError
from syngrasp.records import Phase

BACK, INK, MUTED, BOX = (250, 250, 248), (31, 41, 51), (123, 135, 148), (255, 64, 64)
PHASE_COLOURS = {
    Phase.REACH: (47, 109, 181),
    Phase.CLOSE: (237, 180, 88),
    Phase.LIFT: (58, 157, 106),
    Phase.HOLD: (109, 89, 122),
    Phase.RETREAT: (217, 83, 79),
}
GAP, MARGIN, HEADER, BAR, LABEL = 6, 16, 58, 6, 18


def contact_sheet(dataset: Dataset, episode: int, *, columns: int = 8, tile: int = 192) -> Image.Image:
    """`columns` evenly spaced frames of an episode, one row per camera, tiles `tile` pixels high, as one image.

    Raises DatasetError where the dataset has no images or no such episode.
    """
    if not 0 <= episode < dataset.num_episodes:
        there = f"it has episodes 0…{dataset.num_episodes - 1}" if dataset.num_episodes else "it has none yet"
        raise DatasetError(dataset.storage.url, f"there is no episode {episode}; {there}")
    if "images" not in dataset.names:
        raise DatasetError(dataset.storage.url, "it has no images (it was generated with render.kind=none)")
    view = dataset.episode(episode)
    frames = np.unique(np.linspace(0, view.length - 1, min(columns, view.length)).round().astype(int))
    strip = _Strip(view, dataset.cameras, len(frames), tile)
    for column, frame in enumerate(frames):
        strip.draw_column(column, int(frame), dataset[view.frames[int(frame)]])
    return strip.sheet


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

    def draw_column(self, column: int, index: int, frame: dict[str, Any]) -> None:
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
            f"lifted {100 * line['lift']['height']:.1f} cm",
            f"slip {1000 * line['lift']['slip']:.1f} mm",
            f"grasp quality {line['grasp']['quality']:.3g}",
        ]
        self.pen.text((MARGIN, 35), "   ·   ".join(facts), MUTED, _font(12))


def _font(size: int) -> Any:
    return ImageFont.load_default(size)
