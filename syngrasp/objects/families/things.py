"""Pens, batteries, toys. Long ones lie along x."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from syngrasp.objects import labels
from syngrasp.objects.families.draw import Draw
from syngrasp.objects.lofts import arc, ball, block, plate, revolve, smooth
from syngrasp.objects.part import Part, join

LYING = {"pitch": np.pi / 2.0}  # turns +z to +x


def marker(d: Draw) -> Part:
    """A felt-tip pen with its cap on; lies along x."""
    length, r = d("length"), d("radius")
    color = d.hex("bright")
    points = [
        (0, 0),
        (0.8 * r, 0),
        (0.92 * r, 0.002),
        (0.92 * r, 0.1 * length),
        (0.92 * r, 0.6 * length),
        (r, 0.605 * length),
        (r, 0.93 * length),
    ]
    body = revolve(
        [*points, *arc((0.7 * r, 0.93 * length), 0.3 * r, 20, 80, 4), (0.6 * r, length), (0, length)],
        labels.linear(color),
        36,
    )
    image = labels.panel(d.rng, 256, 128, "MARKER", (color, "#ffffff", "#202020", color))
    side = (
        (body.centers[:, 2] > 0.1 * length)
        & (body.centers[:, 2] < 0.6 * length)
        & (np.abs(body.face_normals[:, 2]) < 0.5)
    )
    turned_image = d.picture(np.ascontiguousarray(np.rot90(image)))
    body = body.wrap(side, turned_image, 0.1 * length, 0.6 * length)
    clip = block((0.0018, 0.3 * r, 0.26 * length), labels.linear(color), 0.0005, 0.0005, 1).at(
        r + 0.0004, 0.0, 0.77 * length
    )
    return join(body, clip.with_hulls([])).turned(**LYING).at(z=r)


def battery(d: Draw) -> Part:
    """A round battery cell."""
    h, r = d("height"), d("radius")
    low, high = 0.002, 0.97 * h
    points = [
        (0, 0),
        (0.9 * r, 0),
        (r, low),
        (r, 0.68 * h),
        (r, high),
        (0.9 * r, 0.975 * h),
        (0.35 * r, 0.975 * h),
        (0.33 * r, h),
        (0, h),
    ]
    body = revolve(points, d.color("steel"), 36)
    body = body.with_hulls(revolve([(0, 0), (r, 0), (r, 0.975 * h), (0, 0.975 * h)], (0, 0, 0)).hulls)
    image = labels.stripes(192, 192, [d.hex("bright"), "#1b1b1d", "#1b1b1d"], 3)
    canvas = Image.fromarray(image)
    for x in (48, 144):
        labels.write(ImageDraw.Draw(canvas), labels.brand(d.rng), (x, 112), 84, 36, "#f2f2f2")
        labels.write(ImageDraw.Draw(canvas), "1.5 V  +", (x, 34), 60, 24, "#f2f2f2")
    side = np.abs(body.face_normals[:, 2]) < 0.5
    return body.wrap(
        side & (body.centers[:, 2] < high) & (body.centers[:, 2] > low), d.picture(np.asarray(canvas)), low, high
    )


def light_bulb(d: Draw) -> Part:
    """A lamp bulb with a screw base."""
    h, r = d("height"), d("radius")
    base = 0.4 * r
    points = [(0, 0), (0.3 * base, 0.0), (0.55 * base, 0.02 * h), (base, 0.05 * h)]
    for k in range(4):
        z = (0.07 + 0.045 * k) * h
        points += [(1.06 * base, z), (0.97 * base, z + 0.022 * h)]
    foot = revolve([*points, (0.97 * base, 0.27 * h), (0, 0.27 * h)], d.color("metal"), 36)
    foot = foot.with_hulls(
        revolve([(0, 0), (0.3 * base, 0), (base, 0.05 * h), (base, 0.27 * h), (0, 0.27 * h)], (0, 0, 0)).hulls
    )
    shape = smooth(
        [
            (1.05 * base, 0.25 * h),
            (1.15 * base, 0.34 * h),
            (0.9 * r, 0.52 * h),
            (r, 0.68 * h),
            (0.8 * r, 0.88 * h),
            (0.3 * r, 0.99 * h),
            (0.0, h),
        ],
        28,
    )
    glass = revolve([(0, 0.25 * h), *shape], d.color("wax"), 44)
    return join(foot, glass)


def dumbbell(d: Draw) -> Part:
    """A small dumbbell with hexagonal ends; lies along x."""
    length, r = d("length"), d("radius")
    hexagon = np.array([[np.cos(a), np.sin(a)] for a in np.arange(6) * np.pi / 3.0 + np.pi / 6.0]) * r
    head = plate(hexagon, 0.32 * length, d.color("bright"), 0.004)
    bar = revolve([(0, 0), (0.34 * r, 0), (0.4 * r, length / 2), (0.34 * r, length), (0, length)], d.color("metal"), 28)
    return join(head, head.at(z=0.68 * length), bar).turned(**LYING).at(z=r)


def sports_ball(d: Draw) -> Part:
    """A ball with coloured panels."""
    r = d("radius")
    part = ball((r, r, r), d.color("bright"), 44, 26)
    kind = d.pick(["beach", "band", "plain"])
    if kind == "beach":
        image = labels.stripes(192, 96, [d.hex("bright"), "#f7f5ef", d.hex("bright"), "#f7f5ef"], 6, upright=True)
        part = part.wrap(np.ones(len(part.faces), dtype=bool), d.picture(image), -r, r)
    elif kind == "band":
        part = part.paint(np.abs(part.centers[:, 2]) < 0.28 * r, d.color("glaze_light"))
    return part.at(z=r)


def pawn(d: Draw) -> Part:
    """A large chess pawn."""
    h, r = d("height"), d("radius")
    head = min(0.16 * h, 0.64 * r)
    shape = [
        (r, 0.004),
        (r, 0.06 * h),
        (0.85 * r, 0.1 * h),
        (0.5 * r, 0.3 * h),
        (0.38 * r, 0.56 * h),
        (0.66 * r, 0.6 * h),
        (0.4 * r, h - 1.75 * head),
    ]
    top = [(head * np.cos(a), h - head + head * np.sin(a)) for a in np.linspace(-0.85, np.pi / 2, 16)]
    return revolve([(0, 0), (0.96 * r, 0), *smooth(shape, 24), *top], d.color("chess"), 40)


FAMILIES = {
    "marker": marker,
    "battery": battery,
    "light_bulb": light_bulb,
    "dumbbell": dumbbell,
    "ball": sports_ball,
    "chess_pawn": pawn,
}
