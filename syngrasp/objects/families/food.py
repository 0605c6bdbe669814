"""Fruit, vegetables and an egg: turned or swept shapes with grown skins."""

from __future__ import annotations

import numpy as np

from syngrasp.objects import labels
from syngrasp.objects.convex import ROUND_HULL_VERTICES, thin
from syngrasp.objects.families.draw import Draw
from syngrasp.objects.lofts import chain_of, loft, revolve, smooth, tube
from syngrasp.objects.part import Part, join, make_part
from syngrasp.records import F64


def _skinned(d: Draw, part: Part, low: str, high: str, streaks: float = 0.0, spots: float = 0.0) -> Part:
    """Wraps a noise skin around the z axis over the whole part."""
    z = part.vertices[:, 2]
    image = d.picture(labels.skin(d.rng, 192, d.hex(low), d.hex(high), streaks, spots))
    return part.wrap(np.ones(len(part.faces), dtype=bool), image, float(z.min()), float(z.max()))


def _uneven(d: Draw, part: Part, amount: float) -> Part:
    """Low-order dents and bulges, so that no two grow alike; the hull follows."""
    angle = np.arctan2(part.vertices[:, 1], part.vertices[:, 0])
    phase = d.rng.uniform(0.0, 2.0 * np.pi, 3)
    wave = sum(np.cos((k + 2) * angle + phase[k]) / (k + 1.0) for k in range(3))
    grow = 1.0 + amount * wave
    vertices = part.vertices * np.column_stack([grow, grow, np.ones_like(grow)])
    hulls = []
    for hull in part.hulls:
        at = np.arctan2(hull[:, 1], hull[:, 0])
        factor = 1.0 + amount * sum(np.cos((k + 2) * at + phase[k]) / (k + 1.0) for k in range(3))
        hulls.append(hull * np.column_stack([factor, factor, np.ones_like(factor)]))
    return make_part(vertices, part.faces, part.color[0], hulls)


def _stem(d: Draw, base: float, length: float, radius: float, palette: str = "stem") -> Part:
    lean = d.rng.uniform(-0.35, 0.35, 2) * length
    path = [(0.0, 0.0, base), (0.3 * lean[0], 0.3 * lean[1], base + 0.5 * length), (lean[0], lean[1], base + length)]
    return tube(path, [radius, 0.8 * radius, 1.2 * radius], d.color(palette), sides=10).with_hulls([])


def _dimpled(radius: float, height: float, dimple: float, color: F64, waist: float = 0.0) -> Part:
    """A turned body with a dimple at each end, as of apples and tomatoes; one convex piece."""
    t = np.linspace(-0.5 * np.pi, 0.5 * np.pi, 30)
    r = radius * np.cos(t) ** 0.8 * (1.0 - waist * np.sin(t))
    z = 0.5 * height * np.sin(t) * (1.0 - dimple * np.exp(-((np.cos(t) / 0.3) ** 2)))
    r[[0, -1]] = 0.0
    part = revolve(list(zip(r, z - z.min(), strict=True)), color, segments=44)
    return part.with_hulls([_thinned(part)])


def apple(d: Draw) -> Part:
    """An apple with a stem."""
    r, ratio = d("radius"), d("aspect")
    body = _uneven(d, _dimpled(r, 2.0 * r * ratio, 0.32, d.color("apple"), 0.06 * -1.0), 0.012)
    body = _skinned(d, body, "apple", "apple", streaks=0.75)
    top = float(body.vertices[np.linalg.norm(body.vertices[:, :2], axis=1) < 1e-6, 2].max())
    return join(body, _stem(d, top - 0.003, 0.018, 0.0016))


def orange(d: Draw) -> Part:
    """An orange with pores and a green navel."""
    r = d("radius")
    body = _uneven(d, _dimpled(r, 1.95 * r, 0.05, d.color("orange")), 0.008)
    body = _skinned(d, body, "orange", "orange", spots=14.0)
    top = float(body.vertices[:, 2].max())
    navel = revolve([(0, 0), (0.0035, 0), (0.003, 0.0015), (0, 0.002)], d.color("leaf"), 12)
    return join(body, navel.with_hulls([]).at(z=top - 0.0014))


def lemon(d: Draw) -> Part:
    """A lemon: pointed at both ends; lies along x."""
    r, ratio = d("radius"), d("aspect")
    t = np.sin(np.linspace(-0.5 * np.pi, 0.5 * np.pi, 36))
    body = np.sqrt(np.maximum(1.0 - np.abs(t) ** 2.2, 0.0)) * 0.93 + 0.14 * np.exp(
        -(((np.abs(t) - 1.0) / 0.14) ** 2)
    ) * (np.abs(t) < 1.0)
    body[[0, -1]] = 0.0
    part = revolve(list(zip(r * body, r * ratio * (t + 1.0), strict=True)), d.color("lemon"))
    part = part.with_hulls([_thinned(part)])
    return _skinned(d, part, "lemon", "lemon", spots=9.0).turned(pitch=np.pi / 2.0)


def pear(d: Draw) -> Part:
    """A pear with a stem."""
    r, h = d("radius"), d("height")
    shape = [
        (0.0, 0.006),
        (0.3 * r, 0.0),
        (0.85 * r, 0.12 * h),
        (r, 0.3 * h),
        (0.86 * r, 0.48 * h),
        (0.55 * r, 0.68 * h),
    ]
    shape += [(0.45 * r, 0.84 * h), (0.3 * r, 0.96 * h), (0.0, h)]
    body = revolve(smooth(shape, 34), d.color("pear"), 44)
    low = smooth(shape[1:6], 8)
    body = body.with_hulls(revolve([(0.0, 0.0), *low, *smooth(shape[5:], 6)[1:]], (0, 0, 0)).hulls)
    body = _skinned(d, _uneven(d, body, 0.012), "pear", "pear", streaks=0.3, spots=5.0)
    return join(body, _stem(d, h - 0.003, 0.02, 0.0017))


def egg(d: Draw) -> Part:
    """A hen's egg; lies along x."""
    r, ratio = d("radius"), d("aspect")
    t = np.linspace(-1.0, 1.0, 28)
    radius = r * np.sqrt(np.maximum(1.0 - t * t, 0.0)) * (1.0 - 0.14 * t)
    part = revolve(list(zip(radius, r * ratio * t, strict=True)), d.color("egg"), 44)
    return _skinned(d, part.with_hulls([_thinned(part)]), "egg", "egg", spots=1.5).turned(pitch=np.pi / 2.0)


def tomato(d: Draw) -> Part:
    """A tomato with its calyx."""
    r = d("radius")
    body = _uneven(d, _dimpled(r, 1.6 * r, 0.2, d.color("tomato")), 0.02)
    top = float(body.vertices[np.linalg.norm(body.vertices[:, :2], axis=1) < 1e-6, 2].max())
    angle = np.arange(40) * (2.0 * np.pi / 40)
    reach = 0.42 * r * (0.25 + 0.75 * np.abs(np.cos(2.5 * angle)) ** 3)
    outer = np.stack([reach * np.cos(angle), reach * np.sin(angle)], -1)
    droop = top + 0.0045 - 0.0
    leaf = loft(
        [
            np.column_stack([k * outer, np.full(40, z)])
            for k, z in ((0.95, droop - 0.002), (1.0, droop), (0.6, droop + 0.0015))
        ],
        d.color("leaf"),
        [],
    )
    return join(body, leaf, _stem(d, top, 0.014, 0.0018, "leaf"))


def banana(d: Draw) -> Part:
    """A banana: a bent tube with five soft edges, brown ends; lies on its side."""
    length, r, bend = d("length"), d("radius"), d("bend")
    t = np.linspace(0.0, 1.0, 34)
    angle = (t - 0.5) * bend
    radius = length / bend
    path = np.stack([radius * np.sin(angle), radius * (np.cos(angle) - np.cos(bend / 2.0)), np.zeros_like(t)], -1)
    girth = np.interp(
        t,
        [0, 0.015, 0.05, 0.1, 0.25, 0.5, 0.75, 0.92, 0.97, 1.0],
        [0.3, 0.33, 0.36, 0.6, 0.92, 1.0, 0.93, 0.6, 0.32, 0.2],
    )
    tangent = np.gradient(path, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    side = np.stack([-tangent[:, 1], tangent[:, 0], np.zeros_like(t)], -1)
    around = np.arange(30) * (2.0 * np.pi / 30)
    ridge = 1.0 + 0.045 * np.cos(5.0 * around)
    section = ridge[:, None] * np.stack([np.cos(around), np.sin(around)], -1)
    rings = path[:, None] + (r * girth)[:, None, None] * (
        section[:, :1] * side[:, None] + section[:, 1:] * np.array([0.0, 0.0, 1.0])
    )
    body = loft(rings, d.color("banana"), chain_of(rings, 6))
    along = np.arctan2(body.centers[:, 0], body.centers[:, 1] + radius * np.cos(bend / 2.0)) / bend + 0.5
    image = labels.skin(d.rng, 128, d.hex("banana"), d.hex("banana"), spots=2.0)
    index = d.picture(image)
    whole = np.ones(len(body.faces), dtype=bool)
    body = body.decal(whole, index, (-length / 2.0, 0.0, -r), (length, 0, 0), (0, 0, 2 * r))
    return body.paint((along < 0.035) | (along > 0.975), d.color("stem")).at(z=r)


def carrot(d: Draw) -> Part:
    """A carrot with a stub of green; lies along x."""
    length, r = d("length"), d("radius")
    t = np.linspace(0.0, 1.0, 26)
    radius = r * np.interp(t, [0, 0.03, 0.3, 0.75, 0.95, 1.0], [0.0, 0.16, 0.55, 0.93, 1.0, 0.75])
    radius[1:-1] *= 1.0 + 0.02 * d.rng.standard_normal(24)
    body = revolve([*zip(radius, length * t, strict=True), (0.0, length)], d.color("carrot"), 32)
    body = body.with_hulls([_thinned(body)])
    body = body.paint(body.centers[:, 2] > 0.985 * length, d.color("leaf"))
    green = revolve(
        [(0, length - 0.002), (0.35 * r, length - 0.002), (0.3 * r, length + 0.012), (0, length + 0.012)],
        d.color("leaf"),
        14,
    )
    return join(body, green).turned(pitch=np.pi / 2.0).at(z=r)


def cucumber(d: Draw) -> Part:
    """A cucumber, slightly bent; lies along x."""
    length, r, bend = d("length"), d("radius"), d("bend")
    t = np.linspace(0.0, 1.0, 26)
    angle = (t - 0.5) * bend
    path = np.stack([length / bend * np.sin(angle), length / bend * np.cos(angle), np.full_like(t, r)], -1)
    path[:, 1] -= path[:, 1].mean()
    girth = np.minimum(1.0, np.sqrt(np.maximum(1.0 - (2.0 * np.abs(t - 0.5)) ** 6, 0.04)))
    body = tube(path, r * girth, d.color("cucumber"), sides=28)
    image = d.picture(labels.skin(d.rng, 160, d.hex("cucumber"), d.hex("cucumber"), streaks=0.5, spots=3.0))
    return body.decal(np.ones(len(body.faces), dtype=bool), image, (-length / 2, -r, 0), (length, 0, 0), (0, 0, 2 * r))


def potato(d: Draw) -> Part:
    """A potato: a lumpy ellipsoid."""
    r, ratio, flat = d("radius"), d("aspect"), d("flat")
    body = _dimpled(1.0, 2.0, 0.0, d.color("potato"))
    directions = d.rng.standard_normal((5, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    depth = d.rng.uniform(-0.09, 0.09, 5)
    offset = body.vertices - [0.0, 0.0, 1.0]
    lumps = 1.0 + (np.exp(-4.0 * (1.0 - offset @ directions.T)) * depth).sum(axis=1)
    vertices = offset * lumps[:, None] * np.array([flat * r, r, r * ratio])
    part = make_part(vertices, body.faces, d.color("potato"))
    part = part.with_hulls([_thinned(part)])
    return _skinned(d, part, "potato", "potato", spots=4.0).turned(pitch=np.pi / 2.0)


def _thinned(part: Part) -> F64:
    return thin(part.vertices, ROUND_HULL_VERTICES)


FAMILIES = {
    "apple": apple,
    "orange": orange,
    "lemon": lemon,
    "pear": pear,
    "egg": egg,
    "tomato": tomato,
    "banana": banana,
    "carrot": carrot,
    "cucumber": cucumber,
    "potato": potato,
}
