"""Bottles and dispensers."""

from __future__ import annotations

import numpy as np

from syngrasp.objects import labels
from syngrasp.objects.families.containers import cap, labelled
from syngrasp.objects.families.draw import Draw
from syngrasp.objects.lofts import arc, block, loft, revolve, smooth, tube
from syngrasp.objects.part import Part, join
from syngrasp.records import F64


def bottle(d: Draw) -> Part:
    """A drinks bottle with a waist, a label and a screw cap."""
    h, r, neck = d("height"), d("radius"), d("neck")
    low, high, waist = 0.2 * h, 0.56 * h, 0.97 * r
    base = [(0.0, 0.002), (0.6 * r, 0.0), (0.88 * r, 0.0), *arc((r - 0.1 * r, 0.1 * r), 0.1 * r, -80, 0, 4)]
    body = [*base, (r, low - 0.004), (waist, low), (waist, high), (r, high + 0.004)]
    shoulder = smooth([(r, high + 0.004), (0.9 * r, 0.7 * h), (1.1 * neck, 0.86 * h), (neck, 0.89 * h)], 14)[1:]
    shell = revolve([*body, *shoulder, (neck, 0.93 * h), (0.0, 0.93 * h)], d.color("drink"))
    shell = labelled(d, shell, low, high, d.pick(["WATER", "JUICE", "LEMONADE", "COLA", "ICE TEA"]))
    return join(shell, cap(d, neck + 0.0022, 0.915 * h, h))


def wine_bottle(d: Draw) -> Part:
    """A tall bottle with a foil neck."""
    h, r, neck = d("height"), d("radius"), d("neck")
    low, high = 0.13 * h, 0.46 * h
    points = [(0.0, 0.006), (0.7 * r, 0.0), (0.92 * r, 0.0), (r, 0.004), (r, low), (r, high), (r, 0.58 * h)]
    points += smooth([(r, 0.58 * h), (0.86 * r, 0.65 * h), (1.1 * neck, 0.75 * h), (neck, 0.8 * h)], 12)[1:]
    points += [
        (neck, 0.965 * h),
        (1.14 * neck, 0.967 * h),
        (1.14 * neck, 0.985 * h),
        (neck, 0.987 * h),
        (neck, h),
        (0.0, h),
    ]
    glass = revolve(points, d.color("glass"))
    foil = d.color("foil")
    glass = glass.paint(glass.centers[:, 2] > 0.84 * h, foil)
    return labelled(d, glass, low, high, d.pick(["RESERVE", "GRAND VIN", "VINO"]))


def _oval(width: float, depth: float, z: float, count: int = 44) -> F64:
    """A superelliptic ring between a rectangle and an ellipse."""
    angle = np.arange(count) * (2.0 * np.pi / count)
    c, s = np.cos(angle), np.sin(angle)
    x, y = np.sign(c) * np.abs(c) ** 0.7, np.sign(s) * np.abs(s) ** 0.7
    return np.column_stack([0.5 * width * x, 0.5 * depth * y, np.full(count, z)])


def _flat_body(d: Draw, width: float, depth: float, height: float, palette: str, title: str) -> Part:
    """A bottle of oval section with a printed front and back."""
    levels = [(0.94, 0.0), (1.0, 0.003), (1.0, 0.18 * height), (1.0, 0.78 * height), (0.94, 0.88 * height)]
    levels += [(0.72, 0.96 * height), (0.4, height)]
    body = loft([_oval(k * width, max(k, 0.55) * depth, z) for k, z in levels], d.color(palette))
    image = d.picture(labels.panel(d.rng, 192, 288, title))
    low, high, half = 0.18 * height, 0.78 * height, 0.36 * width
    z, normal = body.centers[:, 2], body.face_normals
    middle = (z > low) & (z < high) & (np.abs(body.centers[:, 0]) < half)
    front, back = middle & (normal[:, 1] < -0.3), middle & (normal[:, 1] > 0.3)
    body = body.decal(front, image, (-half, 0.0, low), (2 * half, 0, 0), (0, 0, high - low))
    return body.decal(back, image, (half, 0.0, low), (-2 * half, 0, 0), (0, 0, high - low))


def detergent(d: Draw) -> Part:
    """A flat bottle of washing-up liquid."""
    h, w, depth = d("height"), d("width"), d("depth")
    body = _flat_body(d, w, depth, 0.82 * h, "bright", d.pick(["DISH SOAP", "SHAMPOO", "LOTION"]))
    spout = cap(d, 0.22 * w, 0.8 * h, 0.93 * h, "glaze_light")
    tip = revolve([(0.0, 0.92 * h), (0.1 * w, 0.92 * h), (0.06 * w, h), (0.0, h)], d.color("bright"), segments=24)
    return join(body, spout, tip)


def soap_dispenser(d: Draw) -> Part:
    """A round bottle with a pump head."""
    h, r = d("height"), d("radius")
    low, high = 0.1 * h, 0.52 * h
    points = [
        (0.0, 0.0),
        (0.95 * r, 0.0),
        (r, 0.003),
        (r, low),
        (r, high),
        (r, 0.58 * h),
        *arc((0.6 * r, 0.58 * h), 0.4 * r, 5, 80, 6),
    ]
    top = points[-1][1]
    body = revolve([*points, (0.45 * r, top + 0.004), (0.0, top + 0.004)], d.color("glaze"))
    body = labelled(d, body, low, high, d.pick(["HAND SOAP", "LOTION", "CLEAN"]))
    metal = d.color(d.pick(["metal", "glaze_light"]))
    collar = cap(d, 0.5 * r, top, top + 0.1 * h, "dark")
    stem = revolve([(0.0, top), (0.12 * r, top), (0.12 * r, 0.94 * h), (0.0, 0.94 * h)], metal, segments=16)
    head = tube(
        [(-0.24 * r, 0, 0.955 * h), (0.5 * r, 0, 0.96 * h), (1.15 * r, 0, 0.95 * h), (1.3 * r, 0, 0.925 * h)],
        0.16 * r,
        metal,
    )
    return join(body, collar, stem, head)


def spray_bottle(d: Draw) -> Part:
    """A cleaning bottle with a trigger."""
    h, w, depth = d("height"), d("width"), d("depth")
    top = 0.72 * h
    body = _flat_body(d, w, depth, top, "cleaner", d.pick(["GLASS CLEAN", "BATHROOM", "KITCHEN"]))
    color = d.color("bright")
    collar = cap(d, 0.21 * w, top - 0.004, top + 0.07 * h, "glaze_light")
    neck = revolve([(0, top), (0.15 * w, top), (0.15 * w, 0.9 * h), (0, 0.9 * h)], color, segments=20)
    head = block((0.72 * w, 0.3 * w, 0.13 * h), color, 0.008, 0.004).at(-0.1 * w, 0.0, 0.93 * h)
    nozzle = block((0.1 * w, 0.2 * w, 0.07 * h), d.color("dark"), 0.003, 0.001).at(-0.49 * w, 0.0, 0.94 * h)
    trigger = tube(
        [(-0.3 * w, 0, 0.89 * h), (-0.38 * w, 0, 0.84 * h), (-0.36 * w, 0, 0.78 * h)], 0.05 * w, d.color("dark"), 12
    )
    return join(body, collar, neck, head, nozzle, trigger)


FAMILIES = {
    "bottle": bottle,
    "wine_bottle": wine_bottle,
    "detergent": detergent,
    "soap_dispenser": soap_dispenser,
    "spray_bottle": spray_bottle,
}
