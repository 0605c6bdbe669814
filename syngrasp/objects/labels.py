"""Printed things drawn from a random stream: wrap-around labels, panels, covers, skins. Pictures are (H, W, 3) sRGB
uint8, row 0 at the top. Brands are invented syllables, so that no label belongs to anyone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from syngrasp.records import F64, U8

SYLLABLES = (
    *("ba", "ka", "lo", "mi", "na", "ro", "sa", "te", "vo", "zu", "nu", "ki", "ga", "el", "or", "ax", "io", "un"),
    *("fen", "lar", "mon", "pel", "rin", "sol", "tan", "ver", "wil", "dor"),
)
PALETTES = (  # background, band, ink, accent
    ("#c8102e", "#ffffff", "#1d1d1b", "#f6b221"),
    ("#0b4ea2", "#f4f4f0", "#0b2545", "#e4312b"),
    ("#0f7b3f", "#fff6dc", "#123524", "#f2c230"),
    ("#f4b41a", "#143d59", "#143d59", "#ffffff"),
    ("#f3efe4", "#b5322b", "#33261d", "#2f6f8f"),
    ("#26262b", "#d9a441", "#f5f5f5", "#8f1d2c"),
    ("#7a3b8f", "#f6e9fb", "#2e1338", "#f3c13a"),
    ("#e8622c", "#fff3e4", "#3b1c0a", "#2a7f62"),
    ("#5fb7c9", "#ffffff", "#17434c", "#f07f5a"),
    ("#ffffff", "#d3222a", "#1c1c1c", "#0d5c9e"),
    ("#efc9c4", "#7d2b46", "#4a1528", "#ffffff"),
    ("#33475b", "#e7ecef", "#101820", "#ff7a59"),
)


def rgb(color: str) -> tuple[int, int, int]:
    """sRGB bytes of "#rrggbb"."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def darker(color: str, amount: float) -> str:
    """An sRGB colour with its values times `amount`."""
    return "#" + "".join(f"{int(amount * value):02x}" for value in rgb(color))


def linear(color: str) -> F64:
    """Linear base colour (3,) of sRGB "#rrggbb" (IEC 61966-2-1)."""
    return linear_of(np.array(rgb(color)) / 255.0)


def linear_of(srgb: NDArray[np.floating]) -> F64:
    """Linear values of sRGB values in [0, 1]."""
    srgb = np.asarray(srgb, dtype=np.float64)
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def srgb_of(linear_rgb: NDArray[np.floating]) -> F64:
    """sRGB values in [0, 1] of linear values."""
    value = np.clip(np.asarray(linear_rgb, dtype=np.float64), 0.0, 1.0)
    return np.where(value <= 0.0031308, 12.92 * value, 1.055 * value ** (1.0 / 2.4) - 0.055)


def brand(rng: np.random.Generator) -> str:
    """An invented name."""
    return "".join(rng.choice(SYLLABLES, size=int(rng.integers(2, 4)))).upper()[:9]


def wrap_label(rng: np.random.Generator, width: int, height: int, title: str, fronts: int = 2) -> U8:
    """A label around a bottle or can: `fronts` equal faces side by side, equal at both ends."""
    palette = PALETTES[int(rng.integers(len(PALETTES)))]
    face = panel(rng, width // fronts, height, title, palette)
    return np.concatenate([face] * fronts, axis=1)


def panel(
    rng: np.random.Generator, width: int, height: int, title: str, palette: Sequence[str] | None = None, name: str = ""
) -> U8:
    """A printed front: ground, a motif, a brand in large letters, the product's name, small print."""
    background, band, ink, accent = palette or PALETTES[int(rng.integers(len(PALETTES)))]
    image = Image.new("RGB", (width, height), rgb(background))
    draw = ImageDraw.Draw(image)
    _motif(rng, draw, width, height, band, accent)
    top, bottom = 0.22 * height, 0.56 * height
    style = int(rng.integers(3))
    if style == 0:
        draw.rectangle((0, top, width, bottom), fill=rgb(band))
    elif style == 1:
        draw.ellipse((0.06 * width, 0.12 * height, 0.94 * width, 0.66 * height), fill=rgb(band))
    else:
        draw.rounded_rectangle(
            (0.07 * width, top, 0.93 * width, bottom), 0.06 * height, fill=rgb(band), outline=rgb(accent)
        )
    on_band = ink if _contrast(ink, band) > _contrast(background, band) else background
    write(draw, name or brand(rng), (0.5 * width, 0.34 * height), 0.78 * width, 0.2 * height, on_band)
    write(draw, title, (0.5 * width, 0.485 * height), 0.6 * width, 0.1 * height, on_band)
    print_color = band if _contrast(band, background) > _contrast(ink, background) else ink
    for line in range(3):
        words = " ".join(rng.choice(SYLLABLES, size=7))
        write(draw, words, (0.5 * width, (0.72 + 0.08 * line) * height), 0.72 * width, 0.055 * height, print_color)
    return np.asarray(image)


def facts(rng: np.random.Generator, width: int, height: int, palette: Sequence[str]) -> U8:
    """A side panel: a table of small print and a bar code."""
    image = Image.new("RGB", (width, height), rgb(palette[0]))
    draw = ImageDraw.Draw(image)
    left, right = 0.12 * width, 0.88 * width
    draw.rectangle((left, 0.08 * height, right, 0.62 * height), fill=(250, 250, 247), outline=(20, 20, 20))
    for line in range(8):
        y = (0.12 + 0.06 * line) * height
        draw.line((left + 3, y + 0.05 * height, right - 3, y + 0.05 * height), fill=(60, 60, 60))
        words = " ".join(rng.choice(SYLLABLES, size=3))
        write(draw, words, (0.42 * width, y + 0.025 * height), 0.5 * width, 0.04 * height, "#202020")
    draw.rectangle((left, 0.7 * height, right, 0.92 * height), fill=(255, 255, 255))
    x = int(left) + 4
    while x < right - 4:
        bar = int(rng.integers(1, 4))
        draw.rectangle((x, 0.72 * height, x + bar - 1, 0.9 * height), fill=(0, 0, 0))
        x += bar + int(rng.integers(1, 4))
    return np.asarray(image)


def plain(width: int, height: int, color: str) -> U8:
    """One colour."""
    return np.full((height, width, 3), rgb(color), dtype=np.uint8)


def glyph(text: str, ground: str, ink: str, size: int = 128) -> U8:
    """A square with a frame and one large letter or number."""
    image = Image.new("RGB", (size, size), rgb(ground))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0.06 * size, 0.06 * size, 0.94 * size, 0.94 * size), outline=rgb(ink), width=max(2, size // 24))
    write(draw, text, (0.5 * size, 0.5 * size), 0.6 * size, 0.62 * size, ink)
    return np.asarray(image)


def pips(number: int, ground: str, ink: str, size: int = 96) -> U8:
    """A face of a die."""
    image = Image.new("RGB", (size, size), rgb(ground))
    draw = ImageDraw.Draw(image)
    low, mid, high, r = 0.25, 0.5, 0.75, 0.1 * size
    spots = {
        1: [(mid, mid)],
        2: [(low, low), (high, high)],
        3: [(low, low), (mid, mid), (high, high)],
        4: [(low, low), (low, high), (high, low), (high, high)],
        5: [(low, low), (low, high), (high, low), (high, high), (mid, mid)],
        6: [(x, y) for x in (low, high) for y in (low, mid, high)],
    }
    for x, y in spots[number]:
        draw.ellipse((x * size - r, y * size - r, x * size + r, y * size + r), fill=rgb(ink))
    return np.asarray(image)


def skin(rng: np.random.Generator, size: int, low: str, high: str, streaks: float = 0.0, spots: float = 0.0) -> U8:
    """A fruit's or clay's skin between two colours: soft noise, upright streaks, dark spots; it closes around u."""
    field = noise(rng, size, size, 6)
    if streaks:
        field = (1.0 - streaks) * field + streaks * noise(rng, size, size, 24, stretch=size // 6)
    color = _mix(low, high, field)
    if spots:
        count = int(spots * size)
        ys, xs = rng.integers(0, size, count), rng.integers(0, size, count)
        for dx, dy in ((0, 0), (1, 0), (0, 1)):
            color[(ys + dy) % size, (xs + dx) % size] *= 0.72
    return np.round(color).astype(np.uint8)


def noise(rng: np.random.Generator, height: int, width: int, cells: int, stretch: int = 0) -> F64:
    """Smooth periodic noise (height, width) in [0, 1]; `stretch` blurs it along v into upright streaks [px]."""
    from scipy import ndimage

    white = rng.random((height, width))
    sigma = (max(width / cells / 4.0, stretch) if stretch else width / cells / 4.0, width / cells / 4.0)
    field = ndimage.gaussian_filter(white, sigma, mode="wrap")
    low, high = np.percentile(field, (2.0, 98.0))
    return np.clip((field - low) / (high - low), 0.0, 1.0)


def grain(rng: np.random.Generator, width: int, height: int, low: str, high: str) -> U8:
    """Wood: rings stretched along u."""
    wave = noise(rng, height, width, 3) * 5.0 + np.linspace(0.0, 3.0, height)[:, None]
    streak = noise(rng, width, height, 48, stretch=width // 5).T
    return np.round(_mix(low, high, 0.6 * np.abs(np.sin(np.pi * wave)) + 0.4 * streak)).astype(np.uint8)


def stripes(width: int, height: int, colors: Sequence[str], count: int, upright: bool = False) -> U8:
    """Equal stripes in turn, lying or upright."""
    length = width if upright else height
    index = (np.arange(length) * count // length) % len(colors)
    line = np.array([rgb(c) for c in colors], dtype=np.uint8)[index]
    return np.broadcast_to(line[None] if upright else line[:, None], (height, width, 3)).copy()


def write(
    draw: ImageDraw.ImageDraw, text: str, center: tuple[float, float], width: float, height: float, color: str
) -> None:
    """Text about a point, as large as fits a width × height box [px]."""
    size = max(height, 6.0)
    box = draw.textbbox((0, 0), text, font=ImageFont.load_default(size))
    size *= min(1.0, width / max(box[2] - box[0], 1))
    draw.text(center, text, fill=rgb(color), font=ImageFont.load_default(max(size, 5.0)), anchor="mm")


def _motif(
    rng: np.random.Generator, draw: ImageDraw.ImageDraw, width: int, height: int, band: str, accent: str
) -> None:
    kind = int(rng.integers(4))
    if kind == 0:
        for y in (0.03, 0.93):
            draw.rectangle((0, y * height, width, (y + 0.04) * height), fill=rgb(accent))
    elif kind == 1:
        for _ in range(7):
            x, y, r = rng.random() * width, (0.6 + 0.4 * rng.random()) * height, (0.04 + 0.07 * rng.random()) * height
            draw.ellipse((x - r, y - r, x + r, y + r), fill=rgb(accent))
    elif kind == 2:
        points = [
            (0, 0.62 * height),
            (0.5 * width, 0.72 * height),
            (width, 0.62 * height),
            (width, height),
            (0, height),
        ]
        draw.polygon(points, fill=rgb(accent))
    else:
        for k in range(6):
            x = (k + 0.5) / 6.0 * width
            draw.polygon([(x - 0.06 * width, 0), (x + 0.06 * width, 0), (x, 0.14 * height)], fill=rgb(accent))
            draw.polygon([(x - 0.06 * width, height), (x + 0.06 * width, height), (x, 0.88 * height)], fill=rgb(band))


def _contrast(a: str, b: str) -> float:
    weights = np.array([0.2126, 0.7152, 0.0722])
    return abs(float(weights @ (linear(a) - linear(b))))


def _mix(low: str, high: str, amount: F64) -> F64:
    return np.array(rgb(low)) + amount[..., None] * (np.array(rgb(high), dtype=np.float64) - np.array(rgb(low)))
