"""The largest ball about the origin in the convex hull of two ellipsoids aᵢ + Bᵢ x, |x| ≤ 1, of wrenches.

Its radius is the least value of the hull's support function h(d) = max aᵢ·d + |Bᵢᵀd| over unit vectors d: a minimum
over a sphere in six dimensions, with a few local ones. It is sought by descents from both ends of the main axes of all
wrenches together. Against 100 random descents each, on random grasps, the result was within 0.1 % in 99 of 100.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]

STEPS = 60  # of one descent at most
FOLLOWED = 6  # of the twelve descents, the best after their first steps
FIRST_MAJORISED, LATER_MAJORISED = 4, 2  # safe steps before Newton's first, and after one that failed
MIXTURES = 30  # tried at most for the multiplier between the two contacts


@njit(cache=True, nogil=True)
def largest_balls(a, B, closed):
    """Radii (N,) of the balls for a (N, 2, 6) and B (N, 2, 6, 3); 0 where `closed` (N,) is false."""
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
        value, square = 0.0, 0.0
        for r in range(6):
            value += a[i, r] * d[r]
        for k in range(3):
            dot = 0.0
            for r in range(6):
                dot += B[i, r, k] * d[r]
            square += dot * dot
        best = max(best, value + np.sqrt(square))
    return best


@njit(cache=True, nogil=True)
def _least_support(a, B):
    """Minimum of the support function over the unit sphere: descents from both ends of the wrenches' main axes."""
    spread = np.zeros((6, 6))
    for i in range(2):
        for r in range(6):
            for q in range(6):
                spread[r, q] += a[i, r] * a[i, q]
                for k in range(3):
                    spread[r, q] += B[i, r, k] * B[i, q, k]
    _, axes = np.linalg.eigh(spread)
    model = _scratch()
    work, starts, values = np.empty((6, 7)), np.empty((12, 6)), np.empty(12)
    for k in range(12):
        for r in range(6):
            starts[k, r] = axes[r, k // 2] * (1.0 - 2.0 * (k % 2))
        values[k] = _descend(a, B, starts[k], FIRST_MAJORISED, model, work)
    order = np.argsort(values)
    best = values[order[0]]
    for k in order[:FOLLOWED]:
        best = min(best, _descend(a, B, starts[k], STEPS, model, work))
    return best


class Model(NamedTuple):
    """Two convex quadratics on the plane d₀·d = 1: aᵢ·x + (|Bᵢᵀx + yᵢ|² / rᵢ + rᵢ) / 2 + cᵢ, in the plane's axes."""

    a: F64  # (2, 5)
    B: F64  # (2, 5, 3)
    M: F64  # (2, 5, 5) B Bᵀ / r
    y: F64  # (2, 3)
    r: F64  # (2,)
    c: F64  # (2,)
    slope: F64  # (2, 5) gradient of |Bᵢᵀd|
    mix: F64  # (1,) the last multiplier of the first contact


@njit(cache=True, nogil=True)
def _scratch():
    return Model(
        np.empty((2, 5)), np.empty((2, 5, 3)), np.empty((2, 5, 5)), np.empty((2, 3)),
        np.empty(2), np.empty(2), np.empty((2, 5)), np.full(1, 0.5),
    )  # fmt: skip


@njit(cache=True, nogil=True)
def _descend(a, B, d, steps, model, work):
    """Descent of h(d) / |d| from d (6,), in place; returns the value reached. model and work (6, 7) are scratch.

    First by majorisation, from anywhere: on the plane d₀·d = 1 the convex h = max aᵢ·d + |Bᵢᵀd| lies under
    max aᵢ·d + (|Bᵢᵀd|² / rᵢ + rᵢ) / 2 with rᵢ = |Bᵢᵀd₀|; the least of that is found and d put back on the sphere,
    where, as |d| ≥ 1 on the plane, h is no larger. Then by Newton's steps on the sphere with both contacts' h equal.
    """
    value = _support(a, B, d)
    v, moved = np.empty(6), np.empty(6)
    patience = FIRST_MAJORISED
    for _ in range(steps):
        # The Householder reflection I − s v vᵀ takes d to ∓ the pivot's axis: its other columns span the plane.
        pivot = 0
        for r in range(6):
            v[r] = d[r]
            if abs(d[r]) > abs(d[pivot]):
                pivot = r
        v[pivot] += 1.0 if d[pivot] >= 0.0 else -1.0
        s = 1.0 / abs(v[pivot])
        _build_model(a, B, d, v, s, pivot, model)
        reached = np.inf
        if patience <= 0 and _newton_step(model, value, work):
            reached = _moved(a, B, d, v, s, pivot, work, moved)
        newton = reached < value
        if not newton:
            patience = patience - 1 if patience > 0 else LATER_MAJORISED
            _minimise_larger(model, work)
            reached = _moved(a, B, d, v, s, pivot, work, moved)
            if not reached < value:
                break
        small = value - reached < 1e-9 * abs(value)
        value = reached
        d[:] = moved
        if small:
            break
    return value


@njit(cache=True, nogil=True)
def _moved(a, B, d, v, s, pivot, work, moved):
    """The support at d moved in its plane by the step in work[:5, 6], put back on the sphere, into moved (6,)."""
    dot = 0.0
    for k in range(5):
        dot += v[k if k < pivot else k + 1] * work[k, 6]
    square = 0.0
    for r in range(6):
        step = 0.0 if r == pivot else work[r if r < pivot else r - 1, 6]
        moved[r] = d[r] + step - s * v[r] * dot
        square += moved[r] * moved[r]
    for r in range(6):
        moved[r] /= np.sqrt(square)
    return _support(a, B, moved)


@njit(cache=True, nogil=True)
def _newton_step(model, value, work):
    """Newton's step on the unit sphere with h₁ = h₂ into work[:5, 6]; False where it would not lead to a minimum.

    The mixture's second derivative is Σ λᵢ Bᵢ (I − yᵢyᵢᵀ / rᵢ²) Bᵢᵀ / rᵢ less h for the sphere's own curvature. With
    a multiple of the outer product of the constraint's gradient it is positive definite only towards a minimum.
    """
    g, edge, top = model.slope, 0.0, 0.0
    for i in range(2):
        for k in range(5):
            total = 0.0
            for j in range(3):
                total += model.B[i, k, j] * model.y[i, j]
            g[i, k] = total / model.r[i]
            top = max(top, model.M[i, k, k])
    for k in range(5):
        work[k, 5] = model.a[0, k] + g[0, k] - model.a[1, k] - g[1, k]
        work[k, 6] = -model.a[1, k] - g[1, k]
        edge += work[k, 5] * work[k, 5]
    mix = min(max(model.mix[0], 0.0), 1.0)
    weight = 10.0 * top / max(edge, 1e-12)
    for k in range(5):
        for m in range(k + 1):
            work[k, m] = mix * (model.M[0, k, m] - g[0, k] * g[0, m] / model.r[0])
            work[k, m] += (1.0 - mix) * (model.M[1, k, m] - g[1, k] * g[1, m] / model.r[1])
            work[k, m] += weight * work[k, 5] * work[m, 5]
        work[k, k] -= value
        work[5, k] = work[k, 5]
    if not _cholesky(work, 1e-9 * top):
        return False
    _substitute(work, 5)
    _substitute(work, 6)
    gap = model.c[1] + model.r[1] - model.c[0] - model.r[0]
    along, reach = 0.0, 0.0
    for k in range(5):
        along += work[5, k] * work[k, 6]
        reach += work[5, k] * work[k, 5]
    multiplier = (along - gap) / max(reach, 1e-300)
    for k in range(5):
        work[k, 6] -= multiplier * work[k, 5]
    model.mix[0] = multiplier + weight * gap
    return True


@njit(cache=True, nogil=True)
def _cholesky(work, least):
    """Cholesky factor of the symmetric work[:5, :5] (lower half) in place; False at a pivot below `least`."""
    for j in range(5):
        pivot = work[j, j]
        for k in range(j):
            pivot -= work[j, k] * work[j, k]
        if pivot < least:
            return False
        root = np.sqrt(pivot)
        work[j, j] = root
        for i in range(j + 1, 5):
            for k in range(j):
                work[i, j] -= work[i, k] * work[j, k]
            work[i, j] /= root
    return True


@njit(cache=True, nogil=True)
def _substitute(work, column):
    """Solves with the factor for work[:5, column], in place."""
    for j in range(5):
        for k in range(j):
            work[j, column] -= work[j, k] * work[k, column]
        work[j, column] /= work[j, j]
    for i in range(4, -1, -1):
        for k in range(i + 1, 5):
            work[i, column] -= work[k, i] * work[k, column]
        work[i, column] /= work[i, i]


@njit(cache=True, nogil=True)
def _build_model(a, B, d, v, s, pivot, model):
    for i in range(2):
        along, across = 0.0, 0.0
        for r in range(6):
            along += a[i, r] * d[r]
            across += a[i, r] * v[r]
        model.c[i] = along
        for k in range(5):
            r = k if k < pivot else k + 1
            model.a[i, k] = a[i, r] - s * across * v[r]
        square = 0.0
        for j in range(3):
            along, across = 0.0, 0.0
            for r in range(6):
                along += B[i, r, j] * d[r]
                across += B[i, r, j] * v[r]
            model.y[i, j] = along
            square += along * along
            for k in range(5):
                r = k if k < pivot else k + 1
                model.B[i, k, j] = B[i, r, j] - s * across * v[r]
        model.r[i] = max(np.sqrt(square), 1e-7)
        for k in range(5):
            for m in range(k + 1):
                total = 0.0
                for j in range(3):
                    total += model.B[i, k, j] * model.B[i, m, j]
                model.M[i, k, m] = total / model.r[i]


@njit(cache=True, nogil=True)
def _minimise_larger(model, work):
    """The x (5,), into work[:5, 6], where the larger of the model's two quadratics is least, nearly.

    By regula falsi (Illinois) on the multiplier λ of the first: the minimiser of the mixture λ : 1 − λ equalises
    the two there, and their difference falls as λ grows.
    """
    low, high, f_low, f_high = 0.0, 1.0, 0.0, 0.0
    mix, side = min(max(model.mix[0], 0.05), 0.95), 0
    for _ in range(MIXTURES):
        _minimise_mixture(model, mix, work)
        model.mix[0] = mix
        first, second = _quadratic(model, 0, work), _quadratic(model, 1, work)
        difference = first - second
        if abs(difference) <= 1e-3 * (abs(first) + abs(second)) or high - low < 1e-9:
            break
        if difference > 0.0:
            low, f_low = mix, difference
            f_high = 0.5 * f_high if side == 1 else f_high
            side = 1
        else:
            high, f_high = mix, difference
            f_low = 0.5 * f_low if side == -1 else f_low
            side = -1
        if f_low > 0.0 and f_high < 0.0:
            mix = low + (high - low) * f_low / (f_low - f_high)
        else:
            mix = 0.5 * (low + high)


@njit(cache=True, nogil=True)
def _quadratic(model, i, work):
    value, square = model.c[i], 0.0
    for k in range(5):
        value += model.a[i, k] * work[k, 6]
    for j in range(3):
        z = model.y[i, j]
        for k in range(5):
            z += model.B[i, k, j] * work[k, 6]
        square += z * z
    return value + 0.5 * (square / model.r[i] + model.r[i])


@njit(cache=True, nogil=True)
def _minimise_mixture(model, mix, work):
    """Minimiser (5,) of the mixture of the two quadratics, into work[:5, 6]."""
    w0, w1 = mix / model.r[0], (1.0 - mix) / model.r[1]
    trace = 1e-9
    for k in range(5):
        total = mix * model.a[0, k] + (1.0 - mix) * model.a[1, k]
        for j in range(3):
            total += w0 * model.B[0, k, j] * model.y[0, j] + w1 * model.B[1, k, j] * model.y[1, j]
        work[k, 6] = -total
        for m in range(k + 1):
            work[k, m] = mix * model.M[0, k, m] + (1.0 - mix) * model.M[1, k, m]
        trace += work[k, k]
    for k in range(5):
        work[k, k] += 1e-9 * trace
    if _cholesky(work, 1e-13 * trace):
        _substitute(work, 6)
    else:
        work[:5, 6] = 0.0
