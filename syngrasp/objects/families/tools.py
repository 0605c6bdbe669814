"""Tools, cutlery, pens, toys. Long ones lie along x."""

from __future__ import annotations

import numpy as np

from syngrasp.objects import labels
from syngrasp.objects.families.draw import Draw
from syngrasp.objects.lofts import arc, ball, block, chain_of, loft, plate, revolve, rounded_rectangle, smooth, tube
from syngrasp.objects.part import Part, cut, join
from syngrasp.records import F64

LYING = {"pitch": np.pi / 2.0}  # turns +z to +x


def _grip(length: float, radius: float, color: F64, flat: float = 0.8, waist: float = 0.12) -> Part:
    """A rounded handle along x from 0 to `length`."""
    t = np.linspace(0.0, 1.0, 18)
    girth = 1.0 - waist * np.sin(np.pi * np.clip(t * 1.2, 0.0, 1.0)) ** 2
    girth[[0, -1]], girth[[1, -2]] = 0.72, 0.93
    path = np.column_stack([t * length, np.zeros(18), np.zeros(18)])
    return tube(path, radius * girth, color, sides=20, flat=flat)


def hammer(d: Draw) -> Part:
    """A claw hammer: wooden or rubber handle, steel head across it."""
    length, head, r = d("length"), d("head"), d("radius")
    steel, handle_color = d.color("steel"), d.color(d.pick(["wood", "bright"]))
    shaft = _grip(length, 0.62 * r, handle_color, flat=0.8)
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
    from syngrasp.objects.convex import wedges_of

    opened = cut(head, slot)
    keep = opened.vertices
    turn = np.array([[np.cos(0.26), np.sin(0.26)], [-np.sin(0.26), np.cos(0.26)]])
    local = (keep[:, :2] - [length / 2.0 + 0.24 * jaw, 0.07 * jaw]) @ turn.T
    back = keep[local[:, 0] < -0.5 * jaw + 1e-5]
    jaws = [keep[local[:, 1] >= gap / 2.0 - 1e-5], keep[local[:, 1] <= -gap / 2.0 + 1e-5]]
    hulls = [h for h in (*jaws, np.concatenate([back, keep[np.abs(local[:, 0] + 0.5 * jaw) < 2e-3]])) if len(h) > 3]
    section = np.array([(0.26 * jaw, -t / 2), (0.46 * jaw, -t / 2), (0.46 * jaw, t / 2), (0.26 * jaw, t / 2)])
    eye_hulls = [h + [-length / 2.0 + 0.46 * jaw, 0.0, 0.0] for h in wedges_of(section, 8)]
    from syngrasp.objects.convex import thin

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
    from syngrasp.objects.convex import thin

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
    grip = _grip(0.48 * length, 0.0105, d.color(d.pick(["dark", "wood", "bright"]))).at(z=0.0115)
    neck = tube([(0.45 * length, 0, 0.0115), (0.56 * length, 0, 0.0115), (0.68 * length, 0, 0.0065)], 0.0042, color, 12)
    return join(grip, neck, blade)


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


def toothbrush(d: Draw) -> Part:
    """A toothbrush with rows of bristles."""
    length, r = d("length"), d("radius")
    color, second = d.color("bright"), d.color("glaze_light")
    x = np.array([0.0, 0.01, 0.1, 0.35, 0.55, 0.72, 0.8, 0.96, 1.0]) * length
    half = r * np.array([0.7, 0.95, 1.0, 0.85, 0.9, 0.5, 0.75, 0.8, 0.5])
    path = np.column_stack([x, np.zeros(9), r + 0.002 * np.sin(3.0 * x / length)])
    body = tube(path, half, color, sides=16, flat=0.75)
    body = body.paint((body.centers[:, 0] > 0.12 * length) & (body.centers[:, 0] < 0.42 * length), second)
    tufts = []
    for k in range(5):
        tuft = block((0.028 * length, 1.15 * r, 0.011), d.color("bright") if k % 2 else second, 0.0015, 0.001, 1)
        tufts.append(tuft.at((0.8 + 0.04 * k) * length, 0.0, 1.5 * r + 0.0045))
    brush = block((0.19 * length, 1.15 * r, 0.011), second, 0.001, 0.0005, 1).at(0.88 * length, 0.0, 1.5 * r + 0.0045)
    return join(body, *(t.with_hulls([]) for t in tufts)).with_hulls([*body.hulls, *brush.hulls])


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
    from PIL import Image, ImageDraw

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
    shape = [
        (r, 0.004),
        (r, 0.06 * h),
        (0.85 * r, 0.1 * h),
        (0.5 * r, 0.3 * h),
        (0.38 * r, 0.56 * h),
        (0.62 * r, 0.61 * h),
        (0.42 * r, 0.66 * h),
    ]
    top = [(0.5 * r * np.cos(a), 0.82 * h + 0.18 * h * np.sin(a)) for a in np.linspace(-1.0, np.pi / 2, 14)]
    return revolve([(0, 0), (0.96 * r, 0), *smooth(shape, 24), *top], d.color("chess"), 40)


FAMILIES = {
    "hammer": hammer,
    "screwdriver": screwdriver,
    "wrench": wrench,
    "spoon": spoon,
    "spatula": spatula,
    "knife": knife,
    "paint_brush": paint_brush,
    "toothbrush": toothbrush,
    "flashlight": flashlight,
    "marker": marker,
    "battery": battery,
    "light_bulb": light_bulb,
    "dumbbell": dumbbell,
    "ball": sports_ball,
    "chess_pawn": pawn,
}
