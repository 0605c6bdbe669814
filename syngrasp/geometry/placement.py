"""How objects come to lie on a table: stable poses of a convex hull, and places that keep apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse.csgraph import connected_components
from scipy.spatial import ConvexHull

from syngrasp import se3
from syngrasp.geometry.hulls import F64

MERGE_ANGLE = np.deg2rad(8.0)  # facets count as one pose within this
ROLLING_ANGLE = np.deg2rad(17.0)  # and as one rounded side when each has a neighbour within this
TRIES = 64  # drawn places per object


def stable_poses(points: ArrayLike, com: ArrayLike = (0.0, 0.0, 0.0), limit: int = 12) -> tuple[F64, F64]:
    """Resting poses of a rigid body on a horizontal table, likeliest first.

    points: (N, 3) [m], whose convex hull touches the table; com: centre of mass inside it, in the same frame.
    Returns T_table_object (K ≤ limit, 4, 4), with the lowest point at z = 0 and the centre of mass above the origin,
    and probabilities (K,), which sum to one unless faces had to be left out. A side that the body rolls on, such as a
    can's, is stood for by a few evenly spread poses and does not crowd out the others.

    The body is let down without inertia from a uniform orientation: it lands on the face below the centre of mass,
    with a chance of that face's solid angle, and rolls over the edge that the centre of mass overhangs most until it
    stands (Goldberg et al., Part pose statistics, IEEE T-RA 1999).
    """
    hull = ConvexHull(np.asarray(points, dtype=np.float64) - np.asarray(com, dtype=np.float64))
    normals, offsets = hull.equations[:, :3], hull.equations[:, 3]
    corners = hull.points[hull.simplices]
    chance = _solid_angle(corners)
    chance /= chance.sum()
    rest = _roll(hull, corners, normals, offsets)
    probability = np.bincount(rest, weights=chance, minlength=len(rest)).astype(np.float64)
    facets, share = _distinct(normals, probability)
    facets, share = _seats(normals, facets, share, limit)
    R = _turn_down(normals[facets])
    lifted = np.einsum("kij,nj->kni", R, hull.points[hull.vertices])[..., 2].min(axis=1)
    T = se3.make(R, np.stack([np.zeros_like(lifted), np.zeros_like(lifted), -lifted], axis=1))
    T[:, :3, 3] -= np.einsum("kij,j->ki", R, np.asarray(com, dtype=np.float64))
    return T, share


def drop_positions(
    rng: np.random.Generator, radii: Sequence[float], low: ArrayLike, high: ArrayLike, gap: float = 0.02
) -> list[F64 | None]:
    """Places (2,) [m] of discs with the given radii [m] whose centres lie in the box low…high, `gap` [m] apart.

    In the order given, each takes the first of `TRIES` uniform draws that is free; None where there is no such draw.
    """
    low, high = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
    places: list[F64 | None] = []
    for radius in radii:
        tries = rng.uniform(low, high, size=(TRIES, 2))
        free = np.ones(TRIES, dtype=bool)
        for place, other in zip(places, radii, strict=False):
            if place is not None:
                free &= np.linalg.norm(tries - place, axis=1) >= radius + other + gap
        places.append(tries[np.argmax(free)] if free.any() else None)
    return places


def _distinct(normals: F64, probability: F64) -> tuple[NDArray[np.intp], F64]:
    """Facets that differ by `MERGE_ANGLE` at least, likeliest first, each with the chances of those it stands for."""
    order = _likeliest(probability)
    kept: list[int] = []
    pooled: list[float] = []
    for facet in order[probability[order] > 1e-6]:
        cosines = normals[kept] @ normals[facet]
        if len(kept) and cosines.max() > np.cos(MERGE_ANGLE):
            pooled[int(np.argmax(cosines))] += float(probability[facet])
        else:
            kept.append(int(facet))
            pooled.append(float(probability[facet]))
    return np.array(kept, dtype=np.intp), np.array(pooled)


def _seats(normals: F64, facets: NDArray[np.intp], share: F64, limit: int) -> tuple[NDArray[np.intp], F64]:
    """Up to `limit` of the facets with the chances of those nearest to them, likeliest first.

    Facets that lead to one another in steps below `ROLLING_ANGLE` are one side. Every side has a seat, in the order of
    its chance; seats left over go to the side with the largest chance per seat.
    """
    near = normals[facets] @ normals[facets].T > np.cos(ROLLING_ANGLE)
    count, side = connected_components(near, directed=False)
    total = np.bincount(side, weights=share, minlength=count).astype(np.float64)
    sides = _likeliest(total)[:limit]
    seats = np.zeros(count, dtype=np.int64)
    seats[sides] = 1
    members = np.bincount(side, minlength=count)
    while seats.sum() < limit and (seats[sides] < members[sides]).any():
        per_seat = np.where(seats[sides] < members[sides], total[sides] / seats[sides], -1.0)
        seats[sides[np.argmax(np.round(per_seat, 9))]] += 1
    chosen: list[int] = []
    chance: list[float] = []
    for s in sides:
        of_side = np.flatnonzero(side == s)
        cosines = normals[facets[of_side]] @ normals[facets[of_side]].T
        spread = [0]
        while len(spread) < seats[s]:
            spread.append(int(np.argmin(np.round(cosines[spread].max(axis=0), 9))))
        nearest = np.argmax(np.round(cosines[spread], 9), axis=0)
        chosen += [int(of_side[k]) for k in spread]
        chance += list(np.bincount(nearest, weights=share[of_side], minlength=len(spread)))
    best = _likeliest(np.array(chance))
    return facets[chosen][best], np.array(chance)[best]


def _likeliest(chance: NDArray[np.floating]) -> NDArray[np.intp]:
    """Indices by falling chance. Chances that are equal by symmetry differ in their last bits: rounding keeps the order
    from hanging on these."""
    return np.lexsort((np.arange(len(chance)), -np.round(chance, 9)))


def _solid_angle(corners: F64) -> F64:
    """Solid angles (T,) of triangles (T, 3, 3) seen from the origin (Van Oosterom and Strackee 1983)."""
    a, b, c = np.moveaxis(corners, 1, 0)
    la, lb, lc = (np.linalg.norm(v, axis=1) for v in (a, b, c))
    volume = np.abs(np.einsum("ti,ti->t", a, np.cross(b, c)))
    dots = [np.einsum("ti,ti->t", u, v) for u, v in ((a, b), (b, c), (c, a))]
    return 2.0 * np.arctan2(volume, la * lb * lc + dots[0] * lc + dots[1] * la + dots[2] * lb)


def _roll(hull: ConvexHull, corners: F64, normals: F64, offsets: F64) -> NDArray[np.int64]:
    """On which triangle (T,) a body ends that lands on each triangle; the origin is its centre of mass.

    Over the edge that the origin's projection lies beyond, to the neighbour there. Within one face the same
    rule walks to the triangle under the projection.
    """
    foot = -offsets[:, None] * normals
    beyond = np.empty((len(corners), 3))
    for k in range(3):
        # Edge opposite corner k, its normal in the face's plane pointing away from corner k.
        p, q, inner = corners[:, (k + 1) % 3], corners[:, (k + 2) % 3], corners[:, k]
        outward = np.cross(q - p, normals)
        outward *= -np.sign(np.einsum("ti,ti->t", inner - p, outward))[:, None]
        length = np.maximum(np.linalg.norm(outward, axis=1), 1e-300)
        beyond[:, k] = np.einsum("ti,ti->t", foot - p, outward) / length
    edge = np.argmax(beyond, axis=1)
    rows = np.arange(len(corners))
    target = np.where(beyond[rows, edge] > 0.0, hull.neighbors[rows, edge], rows)
    for _ in range(int(np.ceil(np.log2(len(rows) + 1))) + 1):
        target = target[target]
    return target


def _turn_down(normals: F64) -> F64:
    """Rotations (K, 3, 3) that turn unit normals (K, 3) to −z, about a horizontal axis."""
    x, y, z = normals.T
    R = np.empty((len(normals), 3, 3))
    # Rodrigues for n → −z: axis n × (−z) = (−y, x, 0), cosine −z.
    flat = z > 1.0 - 1e-9
    f = 1.0 / np.where(flat, 1.0, 1.0 - z)
    R[:, 0] = np.stack([1.0 - x * x * f, -x * y * f, x], axis=1)
    R[:, 1] = np.stack([-x * y * f, 1.0 - y * y * f, y], axis=1)
    R[:, 2] = np.stack([-x, -y, -z], axis=1)
    R[flat] = np.diag([1.0, -1.0, -1.0])
    return R
