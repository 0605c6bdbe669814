"""Open vessels: their convex pieces keep the cavity."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from syngrasp.objects import labels
from syngrasp.objects.convex import frustum_hulls, ring_hulls, wedges_of
from syngrasp.objects.families.draw import Draw
from syngrasp.objects.lofts import arc, revolve, ring, smooth, tube, vessel
from syngrasp.objects.part import Part, cut, join


def mug(d: Draw) -> Part:
    """A cylindrical or slightly bellied mug with a handle."""
    h, r, wall = d("height"), d("radius"), d("wall")
    belly = 1.0 + d("belly")
    color, inside_color = d.color("glaze"), d.color("glaze_light")
    outside = [(0.0, 0.0), (0.8 * r, 0.0), (0.84 * r, 0.001), *arc((r * 0.9, 0.1 * r), 0.1 * r, -80, 0, 4)]
    outside += smooth([(r, 0.1 * r), (r * belly, 0.5 * h), (r, h - 0.002)], 12)[1:]
    rim = [(r - 0.2 * wall, h - 0.0004), (r - 0.5 * wall, h), (r - 0.8 * wall, h - 0.0004)]
    inside = [
        (0.0, 1.4 * wall),
        (0.75 * r, 1.4 * wall),
        *arc((r * 0.86 - wall, 1.4 * wall + 0.14 * r), 0.14 * r, -80, 0, 4),
    ]
    inside += smooth([(r - wall, 0.3 * r), (r * belly - wall, 0.5 * h), (r - wall, h - 0.002)], 8)[1:]
    body = vessel([*outside, *rim[:2]], [*inside, *rim[:1:-1]], color, wedges=10)
    reach = d("handle") * r
    path = [(r * 0.97, 0.24 * h), (r + 0.55 * reach, 0.23 * h), (r + 0.95 * reach, 0.38 * h), (r + reach, 0.54 * h)]
    path += [(r + 0.92 * reach, 0.72 * h), (r + 0.5 * reach, 0.84 * h), (r * 0.97, 0.82 * h)]
    curve = smooth(path, 22)
    handle = tube([(x, 0.0, z) for x, z in curve], d("grip"), color, sides=14, flat=1.35)
    corners = body.vertices[body.faces]
    inner = (np.linalg.norm(corners[..., :2], axis=-1).max(axis=1) < r - 0.45 * wall) & (body.centers[:, 2] > wall)
    if d.pick([True, False]):
        body = body.paint(inner, inside_color)
    if d.pick([True, True, False]):
        heights = corners[..., 2]
        side = (~inner) & (heights.min(axis=1) > 0.1 * r - 1e-6) & (heights.max(axis=1) < h - 0.0019)
        body = body.wrap(side, d.picture(_mug_print(d)), 0.1 * r, h - 0.002)
    return join(body, _outside_only(handle, r * belly - 0.8 * wall))


def _mug_print(d: Draw):
    kind = d.pick(["bands", "panel", "dots"])
    palette = d.pick(labels.PALETTES)
    if kind == "bands":
        return labels.stripes(256, 256, [palette[0], palette[0], palette[1], palette[3], palette[1], palette[0]], 6)
    if kind == "panel":
        return labels.wrap_label(d.rng, 512, 256, d.pick(["COFFEE", "GOOD DAY", "HELLO", "TEA TIME"]))
    image = labels.plain(384, 192, palette[0])
    yy, xx = np.mgrid[0:192, 0:384]
    dots = ((xx + 24 * ((yy // 48) % 2)) % 48 - 24) ** 2 + (yy % 48 - 24) ** 2 < 11**2
    image[dots] = labels.rgb(palette[1])
    return image


def _outside_only(handle: Part, radius: float) -> Part:
    """The handle with its ends kept out of the cavity; they end inside the wall."""
    points = handle.vertices.copy()
    reach = np.linalg.norm(points[:, :2], axis=1)
    close = reach < radius
    points[close, :2] *= (radius / np.maximum(reach[close], 1e-9))[:, None]
    hulls = [
        np.where(np.linalg.norm(h[:, :2], axis=1, keepdims=True) < radius, _to_radius(h, radius), h)
        for h in handle.hulls
    ]
    return replace(handle, vertices=points, hulls=tuple(hulls))


def _to_radius(points: np.ndarray, radius: float) -> np.ndarray:
    reach = np.linalg.norm(points[:, :2], axis=1, keepdims=True)
    return np.concatenate([points[:, :2] * radius / np.maximum(reach, 1e-9), points[:, 2:]], axis=1)


def cup(d: Draw) -> Part:
    """A tapered tumbler without a handle."""
    h, r, wall, low = d("height"), d("radius"), d("wall"), d("taper")
    outside = [(0.0, 0.0), (low * r - 0.002, 0.0), (low * r, 0.002), *smooth([(low * r, 0.002), (r, h - 0.003)], 8)[1:]]
    outside += [(r + 0.0008, h - 0.002), (r + 0.0005, h)]
    inside = [
        (0.0, 2.0 * wall),
        (low * r - 1.5 * wall, 2.0 * wall),
        (low * r - wall, 3.0 * wall),
        (r - wall, h - 0.001),
    ]
    part = vessel(outside, [*inside, (r - 0.6 * wall, h)], d.color("bright"), wedges=10)
    if d.pick([True, False]):
        colors = [d.hex("bright"), d.hex("glaze_light"), d.hex("bright")]
        image = d.picture(labels.stripes(64, 128, colors, int(d.rng.integers(3, 8))))
        radial = np.linalg.norm(part.centers[:, :2], axis=1)
        surface = np.interp(part.centers[:, 2], [0.0, h], [low * r, r]) - 0.4 * wall
        part = part.wrap((radial > surface) & (part.centers[:, 2] > 0.002), image, 0.0, h)
    return part


def bowl(d: Draw) -> Part:
    """A round bowl on a foot ring."""
    h, r, wall, foot = d("height"), d("radius"), d("wall"), d("foot")
    f = foot * r
    curve = smooth([(f, 0.004), (0.55 * (f + r), 0.3 * h), (0.92 * r, 0.68 * h), (r, h - 0.001)], 16)
    outside = [(0.0, 0.0), (f - 0.001, 0.0), *curve, (r - 0.3 * wall, h)]
    rise = [(0.35 * f, wall + 0.004), (f, wall + 0.007), (0.55 * (f + r) - wall, 0.3 * h + wall)]
    rise += [(0.92 * r - wall, 0.68 * h + 0.2 * wall), (r - wall, h - 0.0008)]
    inside = [(0.0, wall + 0.004), *smooth(rise, 16), (r - 0.7 * wall, h)]
    part = vessel(outside, inside, d.color("glaze"), wedges=12)
    radial = np.linalg.norm(part.centers[:, :2], axis=1)
    inner = np.einsum("ti,ti->t", part.face_normals[:, :2], part.centers[:, :2]) < 0.0
    inner |= (part.face_normals[:, 2] > 0.9) & (part.centers[:, 2] < 0.9 * h)
    part = part.paint(inner, d.color("glaze_light"))
    if d.pick([True, False]):
        part = part.paint((part.centers[:, 2] > h - 0.0025) & (radial > 0.9 * r), d.color("bright"))
    return part


def dish(d: Draw) -> Part:
    """A plate with a raised rim."""
    h, r, wall, well = d("height"), d("radius"), d("wall"), d("well")
    w = well * r
    outside = [(0.0, 0.0), (w - 0.003, 0.0), *smooth([(w, 0.001), (0.5 * (w + r), 0.5 * h), (r, h - 0.0008)], 10)]
    inside = [(0.0, wall), (0.5 * w, wall), (w - wall, wall + 0.0004)]
    inside += smooth(
        [(w, wall + 0.0018), (0.5 * (w + r) - 0.6 * wall, 0.5 * h + 0.6 * wall), (r - 0.8 * wall, h - 0.0003)], 10
    )
    part = vessel([*outside, (r - 0.2 * wall, h)], [*inside, (r - 0.5 * wall, h)], d.color("glaze_light"), wedges=14)
    radial = np.linalg.norm(part.centers[:, :2], axis=1)
    top = part.face_normals[:, 2] > 0.05
    accent = d.color("bright")
    kind = d.pick(["rim", "ring", "plain"])
    if kind == "rim":
        part = part.paint(top & (radial > 0.5 * (w + r)), accent)
    elif kind == "ring":
        part = part.paint(top & (radial > 0.88 * r), accent)
    return part


def vase(d: Draw) -> Part:
    """A bellied vase with a narrow neck and an open mouth."""
    h, r, neck, wall = d("height"), d("radius"), d("neck"), d("wall")
    n = neck * r
    shape = [
        (0.62 * r, 0.002),
        (0.9 * r, 0.18 * h),
        (r, 0.38 * h),
        (0.78 * r, 0.62 * h),
        (n, 0.82 * h),
        (1.25 * n, h - 0.001),
    ]
    outside = [(0.0, 0.0), (0.6 * r, 0.0), *smooth(shape, 26), (1.25 * n - 0.3 * wall, h)]
    hollow = [(0.45 * r, 2.0 * wall), (0.85 * r - wall, 0.2 * h), (r - wall, 0.38 * h), (0.78 * r - wall, 0.62 * h)]
    hollow += [(n - wall, 0.82 * h), (1.25 * n - wall, h - 0.0008)]
    inside = [(0.0, 2.0 * wall), *smooth(hollow, 22), (1.25 * n - 0.7 * wall, h)]
    part = vessel(outside, inside, d.color("glaze"), wedges=8)
    glaze = d.hex("glaze")
    image = d.picture(labels.skin(d.rng, 256, glaze, labels.darker(glaze, 0.6), streaks=d.pick([0.0, 0.6])))
    outer = np.einsum("ti,ti->t", part.face_normals[:, :2], part.centers[:, :2]) > 0.0
    return part.wrap(outer, image, 0.0, h) if d.pick([True, True, False]) else part


def pot(d: Draw) -> Part:
    """A flower pot with a collar."""
    h, r, wall = d("height"), d("radius"), d("wall")
    low, collar = 0.7 * r, 0.74 * h
    outside = [
        (0.0, 0.0),
        (low - 0.001, 0.0),
        (low, 0.001),
        (0.9 * r, collar),
        (r - 0.001, collar + 0.0005),
        (r, collar + 0.002),
    ]
    outside += [(r, h - 0.001), (r - 0.001, h)]
    inside = [(0.0, 1.5 * wall), (low - wall, 1.5 * wall), (r - 1.6 * wall, h - 0.001), (r - 1.5 * wall, h)]
    part = vessel(outside, inside, d.color("clay"), wedges=10)
    return part.paint(part.centers[:, 2] > collar + 0.0002, d.color("clay")) if d.pick([True, False]) else part


def goblet(d: Draw) -> Part:
    """A cup on a stem and a foot."""
    h, r, wall = d("height"), d("radius"), d("wall")
    stem, base = 0.006 + 0.05 * r, 0.46 * h
    outside = [
        (0.0, 0.0),
        (0.85 * r, 0.0),
        (0.85 * r, 0.002),
        *smooth([(0.84 * r, 0.003), (2.2 * stem, 0.008), (stem, 0.02)], 6),
    ]
    bell = smooth(
        [(stem, base - 0.012), (1.6 * stem, base), (0.86 * r, base + 0.16 * h), (r, base + 0.32 * h), (0.93 * r, h)], 18
    )
    inside = [(0.0, base + 0.01), (0.4 * r, base + 0.016), (0.82 * r - wall, base + 0.17 * h)]
    inside += [(r - wall, base + 0.33 * h), (0.93 * r - wall, h - 0.0004)]
    inside = [inside[0], *smooth(inside[1:], 14)]
    part = vessel([*outside, *bell], inside, d.color("metal"), wedges=8)
    foot = [p for p in outside if p[1] < 0.0201] + [(stem, base)]
    bell_out = np.array([(0.0, base - 0.012), *bell])
    return part.with_hulls([*frustum_hulls(np.array(foot)), *ring_hulls(bell_out, np.array(inside), 8)])


def tape(d: Draw) -> Part:
    """A roll of adhesive tape on a core."""
    r, hole, h = d("radius"), d("hole"), d("width")
    inner = hole * r
    core = inner + 0.002
    profile = [(inner, 0.0), (r - 0.001, 0.0), (r, 0.001), (r, h - 0.001), (r - 0.001, h), (inner, h)]
    part = _ring_of(profile, d.color("tape"))
    radial = np.linalg.norm(part.centers[:, :2], axis=1)
    part = part.paint(radial < core, d.color("card"))
    return part.with_hulls(wedges_of(np.array([(inner, 0.0), (r, 0.0), (r, h), (inner, h)]), 12))


def _ring_of(profile: list[tuple[float, float]], color) -> Part:
    inner = profile[0][0]
    height = profile[-1][1]
    solid = revolve([(0.0, 0.0), (inner + 0.002, 0.0), *profile[1:-1], (inner + 0.002, height), (0.0, height)], color)
    return cut(solid, revolve([(0.0, -0.01), (inner, -0.01), (inner, height + 0.01), (0.0, height + 0.01)], color))


def donut(d: Draw) -> Part:
    """A ring-shaped cake with icing."""
    major, minor = d("radius"), d("thickness")
    cake = ring(major, minor, d.color("dough"))
    wave = 0.35 * minor * np.sin(5.0 * np.arctan2(cake.centers[:, 1], cake.centers[:, 0]) + d.rng.uniform(0, 6))
    cake = cake.paint(cake.centers[:, 2] > wave * 0.5 + 0.12 * minor, d.color("icing"))
    return cake.at(z=minor)


FAMILIES = {
    "mug": mug,
    "cup": cup,
    "bowl": bowl,
    "plate": dish,
    "vase": vase,
    "flower_pot": pot,
    "goblet": goblet,
    "tape": tape,
    "donut": donut,
}
