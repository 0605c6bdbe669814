"""Polylines in joint space turned into one smooth curve: a clamped cubic B-spline.

The control points are the polyline's points at the Greville abscissae of a uniform knot vector (Schoenberg's
variation-diminishing approximation): straight stretches stay straight, a corner is rounded over about four knot
spacings, and both ends are kept.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]
DEGREE = 3
TCP_WEIGHT = 3.0  # of the TCP's travel against the joints' in a path's length [rad/m]


class Spline(NamedTuple):
    """A clamped cubic B-spline q(s), s from 0 to `knots[-1]` [rad]."""

    control: F64  # (n, dof) [rad]
    knots: F64  # (n + 4,)


def path_length(path: F64, tcp: F64) -> F64:
    """Length (N,) along a polyline (N, dof) up to each corner: joint travel and weighted TCP travel (N, 3) [m]."""
    steps = (np.diff(path, axis=0) ** 2).sum(1) + ((TCP_WEIGHT * np.diff(tcp, axis=0)) ** 2).sum(1)
    return np.concatenate([[0.0], np.cumsum(np.sqrt(steps))])


def smooth(path: F64, length: F64, spacing: float) -> Spline:
    """The spline near a polyline (N, dof) with length (N,) at its corners; corners are rounded over 4 · `spacing`."""
    spans = max(int(np.ceil(length[-1] / spacing)), DEGREE + 1)
    inner = np.linspace(0.0, length[-1], spans + 1)
    knots = np.concatenate([np.zeros(DEGREE), inner, np.full(DEGREE, length[-1])])
    greville = (knots[1:-3] + knots[2:-2] + knots[3:-1]) / DEGREE
    control = np.empty((len(greville), path.shape[1]))
    for joint in range(path.shape[1]):
        control[:, joint] = np.interp(greville, length, path[:, joint])
    return Spline(control, knots)


@njit(cache=True, nogil=True)
def _blossom(control, knots, degree, span, s, work, out):
    """De Boor's algorithm: the value at s of the spline of a degree, in knot span [knots[span], knots[span + 1]]."""
    dof = control.shape[1]
    for j in range(degree + 1):
        for i in range(dof):
            work[j, i] = control[span - degree + j, i]
    for r in range(1, degree + 1):
        for j in range(degree, r - 1, -1):
            left = knots[span - degree + j]
            f = (s - left) / (knots[span + 1 + j - r] - left)
            for i in range(dof):
                work[j, i] += (1.0 - f) * (work[j - 1, i] - work[j, i])
    for i in range(dof):
        out[i] = work[degree, i]


@njit(cache=True, nogil=True)
def _derivative(control, knots, degree):
    """Control points of the derivative, on the knots without the first and the last."""
    out = np.empty((len(control) - 1, control.shape[1]))
    for k in range(len(out)):
        width = knots[k + degree + 1] - knots[k + 1]
        for i in range(control.shape[1]):
            out[k, i] = degree * (control[k + 1, i] - control[k, i]) / width
    return out


@njit(cache=True, nogil=True)
def evaluate(spline, s):
    """q, dq/ds and d²q/ds² (3, N, dof) of a spline at ascending parameters s (N,)."""
    control, knots = spline
    dof = control.shape[1]
    first = _derivative(control, knots, 3)
    second = _derivative(first, knots[1:-1], 2)
    out, work = np.empty((3, len(s), dof)), np.empty((4, dof))
    span, last = 3, len(control) - 1
    for n in range(len(s)):
        while span < last and s[n] >= knots[span + 1]:
            span += 1
        _blossom(control, knots, 3, span, s[n], work, out[0, n])
        _blossom(first, knots[1:-1], 2, span - 1, s[n], work, out[1, n])
        _blossom(second, knots[2:-2], 1, span - 2, s[n], work, out[2, n])
    return out
