"""Tools. Long ones lie along x."""

from __future__ import annotations

import numpy as np

from syngrasp.objects.convex import thin, wedges_of
from syngrasp.objects.families.draw import Draw
from syngrasp.objects.families.kitchen import grip
from syngrasp.objects.lofts import ball, block, chain_of, loft, plate, revolve, rounded_rectangle, smooth
from syngrasp.objects.part import Part, cut, join
from syngrasp.records import F64

LYING = {"pitch": np.pi / 2.0}  # turns +z to +x


def hammer(d: Draw) -> Part:
    """A claw hammer: wooden or rubber handle, steel head across it."""
    length, head, r = d("length"), d("head"), d("radius")
    steel, handle_color = d.color("steel"), d.color(d.pick(["wood", "bright"]))
    shaft = grip(length, 0.62 * r, handle_color, flat=0.8)
    face = revolve(
        [
            (0, 0),
            (0.86 * r, 0),
            (r, 0.002),
            (r, 0.2 * head),
            (0.7 * r, 0.27 * head),
            (0.7 * r, 0.45 * head),
            (0, 0.45 * head),
        ],
        steel,
        28,
    )
    face = face.turned(roll=np.pi / 2.0).at(length - 0.9 * r, 0.5 * head, 0.0)
    cheek = block((1.7 * r, 0.3 * head, 1.6 * r), steel, 0.003, 0.002).at(length - 0.9 * r, 0.0, 0.0)
    tines = [_tine(length - 0.9 * r, head, r, side, steel) for side in (-1.0, 1.0)]
    root = block((1.2 * r, 0.2 * head, 1.5 * r), steel, 0.002, 0.0015).at(length - 0.92 * r, -0.2 * head, 0.0)
    return join(shaft, face, cheek, root, *tines).at(z=r)


def _tine(x: float, head: float, r: float, side: float, color: F64) -> Part:
    """One half of a hammer's claw: it leaves the head along −y, bends back and thins out."""
    rings = []
    for s in np.linspace(0.0, 1.0, 10):
        thick, wide = (1.2 - 0.95 * s) * r, 0.62 * r
        outline = rounded_rectangle(thick, wide, 0.2 * thick, 4)
        y = -0.2 * head - 0.34 * head * s
        z = side * (0.36 + 0.14 * s) * r - outline[:, 1]
        rings.append(np.column_stack([x - 0.24 * head * s**2 + outline[:, 0], np.full(len(outline), y), z]))
    return loft(rings, color, chain_of(np.array(rings), 3))


def screwdriver(d: Draw) -> Part:
    """A fluted handle and a steel shank with a flat tip."""
    length, r, handle = d("length"), d("radius"), d("handle")
    grip = handle * length
    angle = np.arange(48) * (2.0 * np.pi / 48)
    flutes = 1.0 - 0.09 * (0.5 + 0.5 * np.cos(6.0 * angle)) ** 2
    circle = np.stack([np.cos(angle), np.sin(angle)], -1)
    rings = []
    for s, girth, depth in (
        (0, 0.7, 0),
        (0.03, 0.9, 0),
        (0.1, 1, 1),
        (0.6, 1, 1),
        (0.72, 0.75, 0),
        (0.82, 0.72, 0),
        (0.93, 0.9, 0),
        (1, 0.6, 0),
    ):
        ring = r * girth * circle * (flutes[:, None] if depth else 1.0)
        rings.append(np.column_stack([ring, np.full(48, s * grip)]))
    stack = np.array(rings)
    color = d.color("bright")
    body = loft(rings, color, chain_of(stack, 4))
    body = body.paint(body.centers[:, 2] < 0.1 * grip, d.color("dark"))
    shank = 0.24 * r
    tip = length - 0.012
    sections = [
        (shank, shank, grip - 0.01),
        (shank, shank, tip - 0.01),
        (1.25 * shank, 0.5 * shank, tip),
        (1.1 * shank, 0.2 * shank, length),
    ]
    rod = [np.column_stack([a * circle[::2, 0], b * circle[::2, 1], np.full(24, z)]) for a, b, z in sections]
    metal = loft(rod, d.color("steel"), chain_of(np.array(rod), 3))
    return join(body, metal).turned(**LYING).at(z=r)


def wrench(d: Draw) -> Part:
    """An open-ended spanner with a ring at the other end."""
    length, jaw, t = d("length"), d("jaw"), d("thickness")
    steel = d.color("steel")
    bar = block((length - jaw, 0.5 * jaw, 0.62 * t), steel, 0.004, 0.002)
    head = plate(_disc(0.62 * jaw, 0.5 * jaw), t, steel).at(length / 2.0 - 0.5 * jaw, 0.0, -t / 2.0)
    gap = 0.44 * jaw
    slot = (
        block((jaw, gap, 3 * t), steel, 0.001, 0.0005, 1)
        .turned(yaw=0.26)
        .at(length / 2.0 + 0.24 * jaw, 0.07 * jaw, 0.0)
    )
    eye = plate(_disc(0.46 * jaw, 0.46 * jaw), t, steel).at(-length / 2.0 + 0.46 * jaw, 0.0, -t / 2.0)
    hexagon = np.array([[np.cos(a), np.sin(a)] for a in np.arange(6) * np.pi / 3.0]) * 0.27 * jaw
    bore = plate(hexagon, 3 * t, steel, 0.0001).at(-length / 2.0 + 0.46 * jaw, 0.0, -1.5 * t)
    opened = cut(head, slot)
    keep = opened.vertices
    turn = np.array([[np.cos(0.26), np.sin(0.26)], [-np.sin(0.26), np.cos(0.26)]])
    local = (keep[:, :2] - [length / 2.0 + 0.24 * jaw, 0.07 * jaw]) @ turn.T
    back = keep[local[:, 0] < -0.5 * jaw + 1e-5]
    jaws = [keep[local[:, 1] >= gap / 2.0 - 1e-5], keep[local[:, 1] <= -gap / 2.0 + 1e-5]]
    hulls = [h for h in (*jaws, np.concatenate([back, keep[np.abs(local[:, 0] + 0.5 * jaw) < 2e-3]])) if len(h) > 3]
    section = np.array([(0.26 * jaw, -t / 2), (0.46 * jaw, -t / 2), (0.46 * jaw, t / 2), (0.26 * jaw, t / 2)])
    eye_hulls = [h + np.array([-length / 2.0 + 0.46 * jaw, 0.0, 0.0]) for h in wedges_of(section, 8)]
    whole = join(cut(bar.with_hulls([]), bore), opened.with_hulls([]), cut(eye, bore).with_hulls([]))
    straight = _clipped_bar(bar, -length / 2.0 + 0.8 * jaw, length / 2.0 - 0.9 * jaw)
    return whole.with_hulls([*(thin(h) for h in hulls), *eye_hulls, straight]).at(z=t / 2.0)


def _clipped_bar(bar: Part, low: float, high: float) -> F64:
    points = bar.hulls[0].copy()
    points[:, 0] = np.clip(points[:, 0], low, high)
    return points


def _disc(rx: float, ry: float, count: int = 40) -> F64:
    angle = np.arange(count) * (2.0 * np.pi / count)
    return np.stack([rx * np.cos(angle), ry * np.sin(angle)], -1)


def paint_brush(d: Draw) -> Part:
    """A flat paint brush: handle, ferrule, bristles."""
    length, width, t = d("length"), d("width"), d("thickness")
    sections = [
        (0.10, 0.4, 0.0),
        (0.16, 0.55, 0.01),
        (0.22, 0.62, 0.2),
        (0.16, 0.6, 0.35),
        (0.7, 0.85, 0.52),
        (0.86, 0.92, 0.56),
    ]
    rings = [
        np.column_stack([_disc(0.5 * t * b, 0.5 * width * a, 32), np.full(32, s * length)]) for a, b, s in sections
    ]
    handle = loft(rings, d.color(d.pick(["wood", "bright"])), chain_of(np.array(rings), 2))

    def slab(low: float, high: float, x: float, y: float, color: F64, taper: float = 1.0) -> Part:
        ends = [(1.0, low * length), (1.0, 0.7 * high * length + 0.3 * low * length), (taper, high * length)]
        return loft([np.column_stack([k * rounded_rectangle(y, x, 0.3 * y), np.full(24, z)]) for k, z in ends], color)

    ferrule = slab(0.53, 0.7, width, t, d.color("metal"))
    bristles = slab(0.69, 1.0, 0.96 * width, 0.9 * t, d.color("bristle"), 0.72)
    return join(handle, ferrule, bristles).turned(**LYING).at(z=t / 2.0)


def flashlight(d: Draw) -> Part:
    """A torch: knurled tube, flared head, lens; lies along x."""
    length, r = d("length"), d("radius")
    tube_r = 0.68 * r
    points = [
        (0, 0),
        (0.9 * tube_r, 0),
        (tube_r, 0.002),
        (tube_r, 0.12 * length),
        (1.03 * tube_r, 0.125 * length),
        (1.03 * tube_r, 0.55 * length),
    ]
    points += [
        (tube_r, 0.56 * length),
        (tube_r, 0.66 * length),
        *smooth([(tube_r, 0.66 * length), (r, 0.8 * length)], 5)[1:],
    ]
    points += [(r, 0.99 * length), (0.93 * r, length), (0.88 * r, length), (0.86 * r, 0.985 * length)]
    body = revolve([*points, (0.0, 0.985 * length)], d.color("device"))
    outline = [p for p in points if p[1] <= 0.9901 * length] + [(0.93 * r, length), (0.0, length)]
    body = body.with_hulls(revolve(outline, (0, 0, 0)).hulls)
    z = body.centers[:, 2]
    radial = np.linalg.norm(body.centers[:, :2], axis=1)
    body = body.paint((z > 0.97 * length) & (radial < 0.87 * r), d.color("lens"))
    accent = d.color("bright")
    body = body.paint((z > 0.1235 * length) & (z < 0.551 * length), d.color("dark"))
    body = body.paint((z > 0.8 * length) & (z < 0.9901 * length) & (radial > 0.9 * r), accent)
    button = ball((0.006, 0.009, 0.003), accent, 20, 10).turned(pitch=np.pi / 2.0).at(x=tube_r, z=0.61 * length)
    return join(body, button.with_hulls([])).turned(**LYING).at(z=r)


FAMILIES = {
    "hammer": hammer,
    "screwdriver": screwdriver,
    "wrench": wrench,
    "paint_brush": paint_brush,
    "flashlight": flashlight,
}
