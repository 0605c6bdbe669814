"""How objects come to lie on a table: stable poses of a convex hull, and places that keep apart."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import ConvexHull

from syngrasp import se3
from syngrasp.geometry.hulls import F64

MERGE_ANGLE = np.deg2rad(8.0)  # facets of a rounded side count as one pose within this
TRIES = 64  # drawn places per object


def stable_poses(points: ArrayLike, com: ArrayLike = (0.0, 0.0, 0.0), limit: int = 12) -> tuple[F64, F64]:
    """Resting poses of a rigid body on a horizontal table, likeliest first.

    points: (N, 3) [m], whose convex hull touches the table; com: centre of mass inside it, in the same frame.
    Returns T_table_object (K ≤ limit, 4, 4), with the lowest point at z = 0 and the centre of mass above the origin,
    and probabilities (K,) that sum to at most one (what is beyond `limit` is left out).

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
    probability = np.bincount(rest, weights=chance, minlength=len(rest))
    # Facets of one face, or of one rounded side, pool their chances in the likeliest of them. Sums of one face's
    # triangles can tie by symmetry: rounding keeps the order from hanging on the last bit.
    order = np.lexsort((np.arange(len(rest)), -np.round(probability, 9)))
    order = order[probability[order] > 1e-6]
    kept: list[int] = []
    pooled: list[float] = []
    for facet in order:
        cosines = normals[kept] @ normals[facet] if kept else np.zeros(0)
        if len(kept) and cosines.max() > np.cos(MERGE_ANGLE):
            pooled[int(np.argmax(cosines))] += float(probability[facet])
        else:
            kept.append(int(facet))
            pooled.append(float(probability[facet]))
    share = np.array(pooled)
    best = np.lexsort((np.arange(len(share)), -np.round(share, 9)))[:limit]
    facets = np.array(kept)[best]
    R = _turn_down(normals[facets])
    lifted = np.einsum("kij,nj->kni", R, hull.points[hull.vertices])[..., 2].min(axis=1)
    T = se3.make(R, np.stack([np.zeros_like(lifted), np.zeros_like(lifted), -lifted], axis=1))
    T[:, :3, 3] -= np.einsum("kij,j->ki", R, np.asarray(com, dtype=np.float64))
    return T, share[best]


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
