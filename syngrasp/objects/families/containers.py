"""Cans, jars and other turned containers, with printed labels that wrap around them."""

from __future__ import annotations

import numpy as np

from syngrasp.objects import labels
from syngrasp.objects.convex import frustum_hulls
from syngrasp.objects.families.draw import Draw
from syngrasp.objects.lofts import arc, block, loft, revolve, rounded_rectangle, smooth, tube
from syngrasp.objects.part import Part, join
from syngrasp.records import F64


def labelled(d: Draw, part: Part, low: float, high: float, title: str, fronts: int = 2) -> Part:
    """Wraps a label around the outside between two heights; the profile has points at both."""
    height = 256
    z = part.centers[:, 2]
    radius = float(np.linalg.norm(part.vertices[:, :2], axis=1).max())
    width = int(np.clip(2.0 * np.pi * radius / (high - low) * height, 256, 768)) // 16 * 16
    image = d.picture(labels.wrap_label(d.rng, width, height, title, fronts))
    side = (z > low) & (z < high) & (np.abs(part.face_normals[:, 2]) < 0.7)
    return part.wrap(side, image, low, high)


def cap(d: Draw, radius: float, low: float, high: float, palette: str = "bright") -> Part:
    """A ribbed screw cap."""
    angle = np.arange(60) * (2.0 * np.pi / 60)
    ribbed = radius * (1.0 - 0.02 * (np.arange(60) % 2))
    circle = np.stack([np.cos(angle), np.sin(angle)], -1)
    layers = [
        (0.93 * np.full(60, radius), low),
        (ribbed, low + 0.0008),
        (ribbed, high - 0.0015),
        (np.full(60, 0.9 * radius), high),
    ]
    rings = [np.column_stack([r[:, None] * circle, np.full(60, z)]) for r, z in layers]
    return loft(rings, d.color(palette), crease=np.deg2rad(60.0))


def can(d: Draw) -> Part:
    """A drinks can: printed wall, bare ends."""
    h, r = d("height"), d("radius")
    low, high = 0.055 * h, 0.915 * h
    points = [
        (0.0, 0.006),
        (0.68 * r, 0.005),
        (0.75 * r, 0.0),
        (0.8 * r, 0.0),
        (0.97 * r, 0.045 * h),
        (r, low),
        (r, high),
    ]
    points += [
        (0.9 * r, 0.965 * h),
        (0.88 * r, 0.975 * h),
        (0.9 * r, 0.985 * h),
        (0.9 * r, h),
        (0.85 * r, h),
        (0.83 * r, 0.975 * h),
    ]
    body = revolve([*points, (0.0, 0.975 * h)], d.color("metal"))
    outline = [*[p for p in points if p[1] <= 0.966 * h][2:], (0.9 * r, h)]
    body = body.with_hulls(frustum_hulls(np.array([(0.0, 0.0), *outline])))
    body = labelled(d, body, low, high, d.pick(["COLA", "ORANGE", "TONIC", "GINGER ALE", "SODA"]))
    tab = block((0.02, 0.012, 0.0012), d.color("metal"), 0.005, 0.0003).at(0.004, 0.0, 0.978 * h)
    return join(body, tab.with_hulls([]))


def tin(d: Draw) -> Part:
    """A food tin with rims."""
    h, r = d("height"), d("radius")
    rim = 1.025 * r
    low, high = 0.05 * h, 0.95 * h
    points = [
        (0.0, 0.003),
        (0.93 * r, 0.003),
        (0.95 * r, 0.0),
        (rim, 0.0),
        (rim, 0.003),
        (r, 0.0045),
        (r, low),
        (r, high),
    ]
    points += [(r, h - 0.0045), (rim, h - 0.003), (rim, h), (0.95 * r, h), (0.93 * r, h - 0.003), (0.6 * r, h - 0.0028)]
    body = revolve([*points, (0.58 * r, h - 0.0036), (0.0, h - 0.0036)], d.color("metal"))
    body = body.with_hulls(frustum_hulls(np.array([(0.0, 0.0), (rim, 0.0), (rim, h), (0.0, h)])))
    return labelled(d, body, low, high, d.pick(["TOMATO SOUP", "BEANS", "PEACHES", "TUNA", "SWEET CORN", "PEAS"]))


def jar(d: Draw) -> Part:
    """A preserving jar with its content's colour, a label and a metal lid."""
    h, r = d("height"), d("radius")
    low, high = 0.18 * h, 0.62 * h
    base = [(0.0, 0.0), (0.86 * r, 0.0), *arc((0.88 * r, 0.12 * r), 0.12 * r, -80, 0, 4)]
    points = [
        *base,
        (r, low),
        (r, high),
        (r, 0.7 * h),
        *arc((0.86 * r, 0.7 * h), 0.14 * r, 10, 80, 4),
        (0.82 * r, 0.82 * h),
    ]
    glass = revolve([*points, (0.82 * r, 0.84 * h), (0.0, 0.84 * h)], d.color("preserve"))
    glass = labelled(d, glass, low, high, d.pick(["JAM", "HONEY", "PICKLES", "PESTO", "SALSA"]))
    lid = cap(d, 0.92 * r, 0.82 * h, h, d.pick(["metal", "bright"]))
    return join(glass, lid)


def pill_bottle(d: Draw) -> Part:
    """A small bottle with a wide ribbed cap."""
    h, r = d("height"), d("radius")
    low, high = 0.08 * h, 0.6 * h
    points = [
        (0.0, 0.0),
        (0.93 * r, 0.0),
        (r, 0.002),
        (r, low),
        (r, high),
        (r, 0.64 * h),
        (0.85 * r, 0.7 * h),
        (0.85 * r, 0.75 * h),
    ]
    body = revolve([*points, (0.0, 0.75 * h)], d.color("medicine"))
    body = labelled(d, body, low, high, d.pick(["VITAMIN C", "RELIEF", "DAILY"]))
    return join(body, cap(d, 0.98 * r, 0.72 * h, h, "glaze_light"))


def shaker(d: Draw) -> Part:
    """A salt or pepper shaker with a domed metal top."""
    h, r = d("height"), d("radius")
    shape = smooth([(r, 0.002), (0.86 * r, 0.35 * h), (0.76 * r, 0.66 * h)], 10)
    body = revolve([(0.0, 0.0), (0.95 * r, 0.0), *shape, (0.0, 0.66 * h)], d.color("glaze"))
    dome = [(0.0, 0.655 * h), (0.79 * r, 0.655 * h), (0.8 * r, 0.74 * h)]
    dome += [(0.8 * r * np.cos(a), 0.74 * h + 0.26 * h * np.sin(a)) for a in np.linspace(0.1, np.pi / 2.0, 9)]
    return join(body, revolve(dome, d.color("metal")))


def candle(d: Draw) -> Part:
    """A pillar candle with a wick."""
    h, r = d("height"), d("radius")
    top = [(r, h - 0.006), (0.95 * r, h - 0.001), (0.85 * r, h), (0.5 * r, h - 0.003), (0.0, h - 0.004)]
    outline = [(0.0, 0.0), (r - 0.001, 0.0), (r, 0.001), (r, 0.3 * h), (r, 0.62 * h), *top]
    wax = revolve(outline, d.color("wax"))
    wax = wax.with_hulls(revolve([*outline[:6], (r * 0.9, h), (0.0, h)], (0, 0, 0)).hulls)
    if d.pick([True, False]):
        wax = labelled(d, wax, 0.3 * h, 0.62 * h, d.pick(["VANILLA", "CEDAR", "LAVENDER"]))
    wick = tube(
        [(0.0, 0.0, h - 0.006), (0.001, 0.0, h + 0.004), (0.003, 0.0, h + 0.01)], 0.0011, d.color("dark"), sides=8
    )
    return join(wax, wick.with_hulls([]))


def spray_can(d: Draw) -> Part:
    """An aerosol can with a cap."""
    h, r = d("height"), d("radius")
    low, high = 0.03 * h, 0.74 * h
    points = [(0.0, 0.004), (0.9 * r, 0.003), (0.96 * r, 0.0), (r, 0.002), (r, low), (r, high), (r, 0.755 * h)]
    points += [*arc((0.72 * r, 0.755 * h), 0.28 * r, 5, 75, 5), (0.76 * r, 0.83 * h), (0.0, 0.83 * h)]
    body = labelled(
        d, revolve(points, d.color("metal")), low, high, d.pick(["PAINT", "FRESH AIR", "HAIR SPRAY", "POLISH"])
    )
    lid = [(0.0, 0.815 * h), (0.8 * r, 0.815 * h), (0.8 * r, 0.95 * h), *arc((0.66 * r, 0.95 * h), 0.14 * r, 10, 85, 5)]
    return join(body, revolve([*lid, (0.0, 0.95 * h + 0.14 * r)], d.color("bright")))


def milk_carton(d: Draw) -> Part:
    """A carton with a gable top and a cap."""
    w, h = d("width"), d("height")
    wall, ridge = 0.74 * h, 0.93 * h
    half = w / 2.0

    def rectangle(x: float, y: float, z: float) -> F64:
        return np.column_stack([rounded_rectangle(x, y, 0.002, 3), np.full(12, z)])

    rings = [
        rectangle(w - 0.001, w - 0.001, 0.0),
        rectangle(w, w, 0.001),
        rectangle(w, w, wall),
        rectangle(w, 0.006, ridge),
    ]
    gable = [np.concatenate(rings)]
    fin = [rectangle(w, 0.006, h)]
    body = loft([*rings, *fin], d.color("glaze_light"), [*gable, np.concatenate([rings[-1], *fin])])
    palette = d.pick(labels.PALETTES)
    title = d.pick(["MILK", "OAT DRINK", "JUICE", "CREAM"])
    front = d.picture(labels.panel(d.rng, 160, 288, title, palette))
    side = d.picture(labels.facts(d.rng, 160, 288, palette))
    z, n = body.centers[:, 2], body.face_normals
    for axis, sign, image in ((1, -1, front), (1, 1, front), (0, -1, side), (0, 1, side)):
        right = np.zeros(3)
        right[1 - axis] = sign * w if axis == 0 else -sign * w
        origin = -right / 2.0 + np.array([half * sign if axis == 0 else 0.0, half * sign if axis == 1 else 0.0, 0.0])
        body = body.decal((z < wall) & (sign * n[:, axis] > 0.7), image, origin, right, (0, 0, wall))
    slope = (z > wall) & (np.abs(n[:, 1]) > 0.3)
    body = body.paint(slope, labels.linear(palette[0]))
    lid = cap(d, 0.17 * w, 0.0, 0.02).turned(roll=np.arctan2(ridge - wall, half) + 0.0)
    return join(body, lid.at(0.0, -0.28 * w, wall + (ridge - wall) * 0.42))


FAMILIES = {
    "can": can,
    "tin": tin,
    "jar": jar,
    "pill_bottle": pill_bottle,
    "salt_shaker": shaker,
    "candle": candle,
    "spray_can": spray_can,
    "milk_carton": milk_carton,
}
