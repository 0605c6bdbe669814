"""Boxy things: printed boxes, books, toys, devices."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from PIL import Image, ImageDraw

from syngrasp.objects import labels
from syngrasp.objects.families.draw import Draw
from syngrasp.objects.lofts import block, plate, revolve, rounded_rectangle
from syngrasp.objects.part import Part, cut, join


def faced(part: Part, size: np.ndarray, images: Mapping[str, int], flat: float = 0.9) -> Part:
    """Prints pictures on the faces of a box about the origin: keys +x −x +y −y +z −z, each upright from outside."""
    x, y, z = np.asarray(size, dtype=np.float64)
    frames = {
        "+x": ((x / 2, -y / 2, -z / 2), (0, y, 0), (0, 0, z)),
        "-x": ((-x / 2, y / 2, -z / 2), (0, -y, 0), (0, 0, z)),
        "+y": ((x / 2, y / 2, -z / 2), (-x, 0, 0), (0, 0, z)),
        "-y": ((-x / 2, -y / 2, -z / 2), (x, 0, 0), (0, 0, z)),
        "+z": ((-x / 2, -y / 2, z / 2), (x, 0, 0), (0, y, 0)),
        "-z": ((-x / 2, y / 2, -z / 2), (x, 0, 0), (0, -y, 0)),
    }
    normals = part.face_normals
    for key, image in images.items():
        facing = normals[:, "xyz".index(key[1])] * (1.0 if key[0] == "+" else -1.0)
        part = part.decal(facing > flat, image, *frames[key])
    return part


def box(d: Draw) -> Part:
    """An upright food box, printed on all sides."""
    size = np.array([d("width"), d("depth"), d("height")])
    palette = d.pick(labels.PALETTES)
    title = d.pick(["CRACKERS", "TEA", "RICE", "CEREAL", "COOKIES", "PASTA"])
    name = labels.brand(d.rng)
    per_metre = 300.0 / size[2]
    wide, deep = (int(np.clip(per_metre * s, 64, 300)) for s in size[:2])
    front = d.picture(labels.panel(d.rng, wide, 300, title, palette, name))
    side = d.picture(labels.facts(d.rng, deep, 300, palette))
    top = d.picture(labels.panel(d.rng, wide, deep, title, palette, name))
    body = block(size, labels.linear(palette[0]), 0.0012, 0.0008, steps=2)
    faces = {"-y": front, "+y": front, "+x": side, "-x": side, "+z": top, "-z": top}
    return faced(body, size, faces).at(z=size[2] / 2.0)


def carton(d: Draw) -> Part:
    """A plain shipping carton with a strip of tape."""
    size = np.array([d("width"), d("depth"), d("height")])
    low, high = d.hex("card"), "#a97c50"
    card = d.picture(labels.grain(d.rng, 160, 128, low, high))
    image = labels.grain(d.rng, 160, 160, low, high).copy()
    image[68:92] = labels.rgb(d.hex("tape"))
    top = d.picture(image)
    faces = dict.fromkeys(("+x", "-x", "+y", "-y"), card)
    body = faced(block(size, labels.linear(low), 0.001, 0.0008, 2), size, {**faces, "+z": top, "-z": top})
    return body.at(z=size[2] / 2.0)


def juice_box(d: Draw) -> Part:
    """A small drink carton with a straw."""
    size = np.array([d("width"), d("depth"), d("height")])
    palette = d.pick(labels.PALETTES)
    front = d.picture(labels.panel(d.rng, 144, 256, d.pick(["APPLE", "ORANGE", "MULTI", "CHOCO"]), palette))
    side = d.picture(labels.facts(d.rng, 108, 256, palette))
    body = block(size, labels.linear(palette[1]), 0.0015, 0.001, 2)
    body = faced(body, size, {"-y": front, "+y": front, "+x": side, "-x": side})
    straw = revolve([(0, 0), (0.003, 0), (0.003, 0.034), (0, 0.034)], d.color("bright"), 14)
    return join(body.at(z=size[2] / 2.0), straw.at(0.25 * size[0], 0.0, size[2] - 0.002))


def book(d: Draw) -> Part:
    """A hardback: cover boards that stand proud of the pages."""
    w, h, t = d("width"), d("height"), d("thickness")
    board = 0.0022
    palette = d.pick(labels.PALETTES)
    cover_color = labels.linear(palette[0])
    name, title = labels.brand(d.rng), d.pick(["STORIES", "ATLAS", "COOKBOOK", "A NOVEL", "POEMS", "GARDENS"])
    front = d.picture(labels.panel(d.rng, 224, 320, title, palette, name))
    spine_picture = labels.panel(d.rng, 320, 64, title, palette, name)
    spine = d.picture(np.ascontiguousarray(np.rot90(spine_picture, -1)))
    size = np.array([w, h, t])
    cover = block(size, cover_color, 0.0015, 0.0008, 2)
    cover = faced(cover, size, {"+z": front, "-x": spine})
    cover = cut(cover, block((w, h + 0.02, t - 2 * board), cover_color, 0.0002, 0.0002, 1).at(x=board + 0.0015))
    leaves = d.picture(labels.stripes(16, 96, ["#f4eedd", "#e2d8bf", "#efe7d2", "#d9cfb4"], 32))
    inner = np.array([w - board - 0.004, h - 0.006, t - 2 * board + 0.0002])
    pages = faced(
        block(inner, labels.linear("#f1ead6"), 0.0005, 0.0002, 1), inner, dict.fromkeys(("+x", "+y", "-y"), leaves)
    )
    half = np.array([w, h, t]) / 2.0
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]) * half
    joined = join(cover, pages.at(x=0.5 * board - 0.0005))
    return joined.with_hulls([corners]).at(z=t / 2.0)


def soap(d: Draw) -> Part:
    """A rounded bar of soap with a name pressed in."""
    size = np.array([d("width"), d("depth"), d("height")])
    color = d.hex("soap")
    body = block(size, labels.linear(color), 0.45 * size[1], 0.42 * size[2], steps=6)
    image = labels.plain(192, 112, color).copy()
    canvas = Image.fromarray(image)
    labels.write(ImageDraw.Draw(canvas), labels.brand(d.rng), (96, 56), 110, 34, labels.darker(color, 0.8))
    body = faced(body, size, {"+z": d.picture(np.asarray(canvas))}, flat=0.985)
    return body.at(z=size[2] / 2.0)


def sponge(d: Draw) -> Part:
    """A kitchen sponge with a scouring side."""
    size = np.array([d("width"), d("depth"), d("height")])
    soft, rough = d.hex("sponge"), d.hex("scourer")
    body = block((size[0], size[1], 0.72 * size[2]), labels.linear(soft), 0.006, 0.002, 3)
    pores = labels.skin(d.rng, 128, soft, soft, spots=9.0)
    printed: dict[str, int] = dict.fromkeys(("+x", "-x", "+y", "-y", "-z"), d.picture(pores))
    body = faced(body, np.array([size[0], size[1], 0.72 * size[2]]), printed, flat=0.6).at(z=0.36 * size[2])
    pad_size = np.array([size[0], size[1], 0.3 * size[2]])
    pad = block(pad_size, labels.linear(rough), 0.006, 0.001, 2)
    felt = d.picture(labels.skin(d.rng, 96, rough, labels.darker(rough, 0.7), spots=4.0))
    pad = faced(pad, pad_size, {"+z": felt}).at(z=0.85 * size[2])
    return join(body, pad)


def toy_block(d: Draw) -> Part:
    """A wooden cube with letters."""
    s = d("size")
    size = np.array([s, s, s])
    wood = d.hex("wood")
    letters = [chr(65 + int(k)) for k in d.rng.integers(0, 26, 6)]
    images = [d.picture(labels.glyph(c, "#f3e2c0", d.hex("bright"))) for c in letters]
    keys = ("+x", "-x", "+y", "-y", "+z", "-z")
    return faced(block(size, labels.linear(wood), 0.003, 0.003), size, dict(zip(keys, images, strict=True))).at(z=s / 2)


def die(d: Draw) -> Part:
    """A die; opposite faces add up to seven."""
    s = d("size")
    size = np.array([s, s, s])
    ground, ink = d.pick(
        [("#f5f3ec", "#1b1b1b"), ("#b3202c", "#ffffff"), ("#1f4e9e", "#ffffff"), ("#1c1c20", "#f0f0f0")]
    )
    images = {
        k: d.picture(labels.pips(n, ground, ink))
        for k, n in zip(("+x", "-x", "+y", "-y", "+z", "-z"), (1, 6, 2, 5, 3, 4), strict=True)
    }
    return faced(block(size, labels.linear(ground), 0.18 * s, 0.16 * s, 5), size, images, flat=0.97).at(z=s / 2)


def phone(d: Draw) -> Part:
    """A mobile phone with a lit screen and cameras."""
    w, h, t = d("width"), d("height"), d("thickness")
    shell = d.color("device")
    outline = rounded_rectangle(w, h, 0.14 * w, 8)
    body = plate(outline, t, shell, bevel=0.0012)
    screen = labels.noise(d.rng, 192, 96, 2)
    low, high = np.array(labels.rgb(d.hex("bright"))), np.array(labels.rgb(d.hex("screen")))
    image = np.round(low + screen[..., None] * (high - low)).astype(np.uint8)
    image[12:20, 34:62] = 12
    for row in range(4):
        for column in range(4):
            icon = labels.rgb(d.hex("bright"))
            image[70 + 26 * row : 86 + 26 * row, 8 + 22 * column : 24 + 22 * column] = icon
    index = d.picture(image)
    glass = plate(rounded_rectangle(0.93 * w, 0.965 * h, 0.12 * w, 8), 0.0004, (0.01, 0.01, 0.012), bevel=0.0001).at(
        z=t - 0.0001
    )
    lit = glass.face_normals[:, 2] > 0.9
    glass = glass.decal(lit, index, (-0.465 * w, -0.4825 * h, t), (0.93 * w, 0, 0), (0, 0.965 * h, 0))
    bump = block((0.32 * w, 0.32 * w, 0.0016), shell, 0.006, 0.0004).at(0.28 * w, 0.5 * h - 0.22 * w, -0.0002)
    return join(body, glass.with_hulls([]), bump.with_hulls([])).at(z=0.001)


def remote(d: Draw) -> Part:
    """A remote control with rows of buttons."""
    w, h, t = d("width"), d("height"), d("thickness")
    body = block((w, h, t), d.color("device"), 0.3 * w, 0.3 * t, 4)
    parts = []
    colors = [d.color("glaze_light"), d.color("bright"), d.color("bright")]
    for row in range(6):
        for column in (-1, 0, 1):
            color = colors[0] if row else colors[1]
            button = block((0.17 * w, 0.17 * w, 0.003), color, 0.04 * w, 0.0006, 1, 3)
            parts.append(button.at(0.26 * w * column, (0.36 - 0.11 * row) * h, t / 2.0).with_hulls([]))
    dial = revolve([(0, 0), (0.27 * w, 0), (0.27 * w, 0.0015), (0.24 * w, 0.002), (0, 0.002)], colors[2], 32)
    parts.append(dial.at(0.0, -0.36 * h, t / 2.0 - 0.0005).with_hulls([]))
    return join(body, *parts).at(z=t / 2.0)


def eraser(d: Draw) -> Part:
    """A rubber in a printed paper sleeve."""
    size = np.array([d("width"), d("depth"), d("height")])
    rubber = block(size, d.color("glaze_light"), 0.003, 0.002, 3)
    sleeve_size = np.array([0.62 * size[0], size[1] + 0.0008, size[2] + 0.0008])
    palette = d.pick(labels.PALETTES)
    image = d.picture(labels.panel(d.rng, 224, 128, "ERASER", palette))
    sleeve = block(sleeve_size, labels.linear(palette[0]), 0.003, 0.001, 2)
    sleeve = faced(sleeve, sleeve_size, {"+z": image, "-z": image}).at(x=-0.14 * size[0])
    return join(rubber, sleeve).with_hulls(rubber.hulls).at(z=sleeve_size[2] / 2.0)


FAMILIES = {
    "box": box,
    "carton": carton,
    "juice_box": juice_box,
    "book": book,
    "soap": soap,
    "sponge": sponge,
    "toy_block": toy_block,
    "die": die,
    "phone": phone,
    "remote_control": remote,
    "eraser": eraser,
}
