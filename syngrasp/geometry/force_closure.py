"""Two-finger force closure in closed form, and the soft-finger quality of the grasp wrench space."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

F64 = NDArray[np.float64]

SWEEPS = 24  # majorise-minimise steps of one descent
BISECTIONS = 40  # of the multiplier between the two contacts
KEPT_STARTS = 4  # descents that are followed to their end


def force_closure(contacts: ArrayLike, normals: ArrayLike, friction: float) -> NDArray[np.bool_]:
    """Whether two soft-finger contacts are force closure, shape (…,).

    contacts: (…, 2, 3) [m]; normals: (…, 2, 3) outward unit surface normals; friction: Coulomb coefficient.
    It holds exactly if the line between the contacts lies inside both friction cones
    (Nguyen, Constructing force-closure grasps, IJRR 1988).
    """
    contacts, normals = np.asarray(contacts, dtype=np.float64), np.asarray(normals, dtype=np.float64)
    line = contacts[..., 1, :] - contacts[..., 0, :]
    length = np.linalg.norm(line, axis=-1)
    least = length / np.sqrt(1.0 + friction * friction)
    return (
        (length > 0.0)
        & (-np.einsum("...i,...i->...", line, normals[..., 0, :]) > least)
        & (np.einsum("...i,...i->...", line, normals[..., 1, :]) > least)
    )


def wrench_ellipsoids(
    contacts: ArrayLike, normals: ArrayLike, com: ArrayLike, friction: float, torsion: float, length: float
) -> tuple[F64, F64]:
    """The wrenches of two soft fingers that each press with unit normal force.

    Contact i gives a_i + B_i x with |x| ≤ 1: a the wrench of the normal force, B (6, 3) those of friction along two
    tangents (coefficient `friction`) and of torsion about the normal (`torsion` [m], largest moment per unit normal
    force): the ellipsoidal soft-finger limit surface (Howe and Cutkosky 1996). Moments are about `com` and divided
    by the characteristic `length` [m]. Returns a (N, 2, 6) and B (N, 2, 6, 3) for contacts and normals (N, 2, 3).
    """
    contacts, normals = np.asarray(contacts, dtype=np.float64), np.asarray(normals, dtype=np.float64)
    arm = (contacts - np.asarray(com, dtype=np.float64)) / length
    # Any orthonormal pair of tangents will do: the disc of friction is round.
    axis = np.eye(3)[np.argmin(np.abs(normals), axis=-1)]
    t1 = np.cross(normals, axis)
    t1 /= np.linalg.norm(t1, axis=-1, keepdims=True)
    t2 = np.cross(normals, t1)
    a = np.concatenate([-normals, np.cross(arm, -normals)], axis=-1)
    B = np.zeros((*contacts.shape[:-1], 6, 3))
    B[..., :3, 0], B[..., 3:, 0] = friction * t1, friction * np.cross(arm, t1)
    B[..., :3, 1], B[..., 3:, 1] = friction * t2, friction * np.cross(arm, t2)
    B[..., 3:, 2] = torsion / length * normals
    return a, B


def soft_finger_epsilon(
    contacts: ArrayLike, normals: ArrayLike, com: ArrayLike, friction: float, torsion: float, length: float
) -> F64:
    """Radius (N,) of the largest ball about the origin inside the grasp wrench space; 0 without force closure.

    The space is the convex hull of both contacts' wrenches (total normal force one: the ε of Ferrari and Canny,
    1992) with the soft fingers of `wrench_ellipsoids`. Aligned contacts at ±w about the centre of mass have
    ε = min(1, μ, μ w / L, torsion / L).
    """
    a, B = wrench_ellipsoids(contacts, normals, com, friction, torsion, length)
    closed = force_closure(contacts, normals, friction)
    return _epsilons(np.ascontiguousarray(a), np.ascontiguousarray(B), np.ascontiguousarray(closed))


@njit(cache=True, nogil=True)
def _epsilons(a, B, closed):
    out = np.zeros(len(a))
    for n in range(len(a)):
        if closed[n]:
            out[n] = max(_least_support(a[n], B[n]), 0.0)
    return out


@njit(cache=True, nogil=True)
def _support(a, B, d):
    """Support function of the hull of two ellipsoids in the direction d: max over i of aᵢ·d + |Bᵢᵀd|."""
    best = -np.inf
    for i in range(2):
        square = 0.0
        for k in range(3):
            dot = 0.0
            for r in range(6):
                dot += B[i, r, k] * d[r]
            square += dot * dot
        value = np.sqrt(square)
        for r in range(6):
            value += a[i, r] * d[r]
        best = max(best, value)
    return best


@njit(cache=True, nogil=True)
def _least_support(a, B):
    """Minimum of the support function over the unit sphere: descents from both ends of the wrenches' main axes."""
    spread = np.zeros((6, 6))
    for i in range(2):
        spread += np.outer(a[i], a[i]) + B[i] @ B[i].T
    _, axes = np.linalg.eigh(spread)
    starts = np.empty((12, 6))
    values = np.empty(12)
    for k in range(12):
        starts[k] = axes[:, k // 2] * (1.0 - 2.0 * (k % 2))
        values[k] = _descend(a, B, starts[k], 2)
    order = np.argsort(values)
    best = values[order[0]]
    for k in range(KEPT_STARTS):
        best = min(best, _descend(a, B, starts[order[k]], SWEEPS))
    return best


@njit(cache=True, nogil=True)
def _descend(a, B, d, sweeps):
    """Descent of h(d) / |d| from d, in place; returns the value reached.

    On the plane d₀·d = 1 the convex h is majorised by aᵢ·d + (|Bᵢᵀd|² / rᵢ + rᵢ) / 2 with rᵢ = |Bᵢᵀd₀|, its minimum found,
    and d put back on the sphere; as |d| ≥ 1 there, h(d) / |d| never grows while it is positive.
    """
    value = _support(a, B, d)
    P = np.empty((2, 5, 5))
    g = np.empty((2, 5))
    c = np.empty(2)
    for _ in range(sweeps):
        T = _tangents(d)
        for i in range(2):
            y = d @ B[i]
            r = max(np.sqrt(y[0] * y[0] + y[1] * y[1] + y[2] * y[2]), 1e-7)
            BT = T.T @ B[i]
            P[i] = BT @ BT.T / r
            g[i] = T.T @ a[i] + BT @ y / r
            c[i] = a[i] @ d + 0.5 * ((y @ y) / r + r)
        moved = d + T @ _minimise_larger(P, g, c)
        moved /= np.sqrt(moved @ moved)
        reached = _support(a, B, moved)
        if reached >= value:
            break
        gain = value - reached
        value = reached
        d[:] = moved
        if gain < 1e-7 * abs(value):
            break
    return value


@njit(cache=True, nogil=True)
def _tangents(d):
    """Five orthonormal vectors (6, 5) orthogonal to the unit vector d: columns of a Householder reflection."""
    pivot = np.argmax(np.abs(d))
    v = d.copy()
    v[pivot] += 1.0 if d[pivot] >= 0.0 else -1.0
    scale = 2.0 / (v @ v)
    T = np.empty((6, 5))
    column = 0
    for k in range(6):
        if k == pivot:
            continue
        for r in range(6):
            T[r, column] = (1.0 if r == k else 0.0) - scale * v[r] * v[k]
        column += 1
    return T


@njit(cache=True, nogil=True)
def _minimise_larger(P, g, c):
    """The x (5,) where the larger of two convex quadratics xᵀPᵢx / 2 + gᵢ·x + cᵢ is least.

    By bisection on the multiplier λ of the first: the minimiser of the mixture λ : 1 − λ equalises the two there.
    """
    ridge = 1e-9 * (np.trace(P[0]) + np.trace(P[1]) + 1e-9)
    low, high = 0.0, 1.0
    x = np.zeros(5)
    for _ in range(BISECTIONS):
        mix = 0.5 * (low + high)
        H = mix * P[0] + (1.0 - mix) * P[1]
        for k in range(5):
            H[k, k] += ridge
        x = _solve_spd(H, -(mix * g[0] + (1.0 - mix) * g[1]))
        first = 0.5 * (x @ (P[0] @ x)) + g[0] @ x + c[0]
        second = 0.5 * (x @ (P[1] @ x)) + g[1] @ x + c[1]
        if abs(first - second) < 1e-9 * (abs(first) + abs(second)):
            break
        if first > second:
            low = mix
        else:
            high = mix
    return x


@njit(cache=True, nogil=True)
def _solve_spd(A, b):
    """Solution of A x = b for a small positive definite A, by Cholesky in place."""
    n = len(b)
    for j in range(n):
        for k in range(j):
            A[j, j] -= A[j, k] * A[j, k]
        A[j, j] = np.sqrt(max(A[j, j], 1e-300))
        for i in range(j + 1, n):
            for k in range(j):
                A[i, j] -= A[i, k] * A[j, k]
            A[i, j] /= A[j, j]
    x = b.copy()
    for i in range(n):
        for k in range(i):
            x[i] -= A[i, k] * x[k]
        x[i] /= A[i, i]
    for i in range(n - 1, -1, -1):
        for k in range(i + 1, n):
            x[i] -= A[k, i] * x[k]
        x[i] /= A[i, i]
    return x
