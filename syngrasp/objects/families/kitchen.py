"""Cutlery and kitchen tools; they lie along x."""

from __future__ import annotations

import numpy as np

from syngrasp.objects.convex import thin
from syngrasp.objects.families.draw import Draw
from syngrasp.objects.lofts import block, loft, plate, rounded_rectangle, smooth, tube
from syngrasp.objects.part import Part, cut, join
from syngrasp.records import F64


def grip(length: float, radius: float, color: F64, flat: float = 0.8, waist: float = 0.12) -> Part:
    """A rounded handle along x from 0 to `length`."""
    t = np.linspace(0.0, 1.0, 18)
    girth = 1.0 - waist * np.sin(np.pi * np.clip(t * 1.2, 0.0, 1.0)) ** 2
    girth[[0, -1]], girth[[1, -2]] = 0.72, 0.93
    path = np.column_stack([t * length, np.zeros(18), np.zeros(18)])
    return tube(path, radius * girth, color, sides=20, flat=flat)


def _utensil(length: float, width: float, thick: float, bowl: float, dip: float, color: F64) -> Part:
    """Spoon-like: a flat handle that widens into a bowl, dished by `dip`; along x, with its convex pieces."""
    count, sides = 44, 20
    t = np.linspace(0.0, 1.0, count)
    start = 1.0 - bowl
    handle = np.interp(t, [0, 0.02, 0.1, start - 0.12, start], [0.2, 0.27, 0.32, 0.15, 0.16])
    s = np.clip((t - start) / bowl, 0.0, 1.0)
    oval = np.sqrt(np.maximum(1.0 - (2.0 * s - 1.0) ** 2, 0.0)) ** 0.9
    half = 0.5 * width * np.where(t > start, np.maximum(oval, np.interp(s, [0, 0.25, 1], [0.16, 0, 0.02])), handle)
    across = np.linspace(-1.0, 1.0, sides // 2)
    rings = []
    for k in range(count):
        sag = dip * np.sin(np.pi * s[k]) ** 0.8 if s[k] > 0 else 0.0
        y = half[k] * across
        z = -sag * (1.0 - across**2) + 0.25 * dip * (1.0 - min(t[k] / start, 1.0)) * 4.0 * min(t[k] / start, 1.0) * 0.3
        edge = thick * np.sqrt(np.maximum(1.0 - across**6, 0.06))
        upper = np.column_stack([np.full(len(y), t[k] * length), y, z + edge / 2.0])
        lower = np.column_stack([np.full(len(y), t[k] * length), y, z - edge / 2.0])
        rings.append(np.concatenate([lower, upper[::-1]]))
    stack = np.array(rings)
    stalk = int(np.argmax(t > start - 0.02))
    hulls = [stack[i:j].reshape(-1, 3) for i, j in ((0, stalk // 2 + 1), (stalk // 2, stalk + 1))]
    n = sides // 2
    dish = stack[stalk:]
    for i in range(0, len(dish) - 1, max(1, (len(dish) - 1) // 5)):
        piece = dish[i : i + max(1, (len(dish) - 1) // 5) + 1]
        for a, b in ((0, n // 3 + 1), (n // 3, 2 * n // 3 + 1), (2 * n // 3, n)):
            hulls.append(np.concatenate([piece[:, a:b], piece[:, 2 * n - b : 2 * n - a]], axis=1).reshape(-1, 3))
    return loft(rings, color, [thin(h) for h in hulls], crease=np.deg2rad(60.0))


def spoon(d: Draw) -> Part:
    """A table or cooking spoon of steel, wood or plastic."""
    material = d.pick(["steel", "wood", "bright"])
    part = _utensil(d("length"), d("width"), d("thickness"), 0.3, d("dip"), d.color(material))
    return part.at(z=-float(part.vertices[:, 2].min()))


def spatula(d: Draw) -> Part:
    """A turner: round handle, flat blade with slots."""
    length, width = d("length"), d("width")
    blade_length, t = 0.36 * length, 0.004
    color = d.color(d.pick(["steel", "bright", "wood"]))
    blade = plate(rounded_rectangle(blade_length, width, 0.16 * width, 6), t, color)
    tools = [
        plate(rounded_rectangle(0.6 * blade_length, 0.09 * width, 0.03 * width, 4), 3 * t, color, 0.0001).at(
            0, k * 0.24 * width, -t
        )
        for k in (-1, 0, 1)
    ]
    if d.pick([True, False]):
        blade = cut(blade, *tools)
    blade = blade.at(length - blade_length / 2.0, 0.0, 0.004)
    handle = grip(0.48 * length, 0.0105, d.color(d.pick(["dark", "wood", "bright"]))).at(z=0.0115)
    neck = tube([(0.45 * length, 0, 0.0115), (0.56 * length, 0, 0.0115), (0.68 * length, 0, 0.0065)], 0.0042, color, 12)
    return join(handle, neck, blade)


def knife(d: Draw) -> Part:
    """A table knife with a rounded, blunt blade."""
    length, width, t = d("length"), d("width"), d("thickness")
    blade_length = 0.55 * length
    curve = smooth(
        [
            (0.0, -0.32 * width),
            (0.6 * blade_length, -0.5 * width),
            (0.93 * blade_length, -0.3 * width),
            (blade_length, 0.1 * width),
        ],
        14,
    )
    outline = [*curve, (0.97 * blade_length, 0.34 * width), (0.0, 0.4 * width)]
    blade = plate(outline, 0.0028, d.color("steel"), 0.0008).at(0.44 * length, 0.0, t / 2.0 - 0.0014)
    handle = block((0.46 * length, width, t), d.color(d.pick(["wood", "dark", "bright"])), 0.4 * width, 0.35 * t, 4)
    return join(blade, handle.at(0.23 * length, 0.0, t / 2.0))


def toothbrush(d: Draw) -> Part:
    """A toothbrush with rows of bristles."""
    length, r = d("length"), d("radius")
    color, second = d.color("bright"), d.color("glaze_light")
    x = np.array([0.0, 0.01, 0.1, 0.35, 0.55, 0.72, 0.8, 0.96, 1.0]) * length
    half = r * np.array([0.7, 0.95, 1.0, 0.85, 0.9, 0.5, 0.75, 0.8, 0.5])
    fine = (
        np.concatenate([np.linspace(0.0, 0.1, 6), np.linspace(0.1, 0.9, 41)[1:], np.linspace(0.9, 1.0, 7)[1:]]) * length
    )
    path = np.column_stack([fine, np.zeros(len(fine)), r + 0.002 * np.sin(3.0 * fine / length)])
    body = tube(path, np.interp(fine, x, half), color, sides=16, flat=0.75)
    along = body.vertices[body.faces][..., 0]
    body = body.paint((along.min(axis=1) > 0.119 * length) & (along.max(axis=1) < 0.421 * length), second)
    tufts = []
    for k in range(5):
        tuft = block((0.028 * length, 1.15 * r, 0.011), d.color("bright") if k % 2 else second, 0.0015, 0.001, 1)
        tufts.append(tuft.at((0.8 + 0.04 * k) * length, 0.0, 1.5 * r + 0.0045))
    brush = block((0.19 * length, 1.15 * r, 0.011), second, 0.001, 0.0005, 1).at(0.88 * length, 0.0, 1.5 * r + 0.0045)
    return join(body, *(t.with_hulls([]) for t in tufts)).with_hulls([*body.hulls, *brush.hulls])


FAMILIES = {
    "spoon": spoon,
    "spatula": spatula,
    "knife": knife,
    "toothbrush": toothbrush,
}
