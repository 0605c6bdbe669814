"""Forward kinematics and collision-sphere placement of any `Chain`, as numba kernels.

The kernels take plain arrays so that planning kernels can call them inside their own loops. `T_joint` is
`Chain.T_joint` (dof, 4, 4), `T_flange_tcp` is `Chain.T_flange_tcp` (4, 4), `sphere_*` are the fields of `Spheres`.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]


@njit(cache=True, fastmath=False, nogil=True)
def fk_links(T_joint: F64, q: F64, out: F64) -> None:
    """Writes T_base_link(i) of every link into `out` (dof, 4, 4), for one configuration q (dof,) [rad]."""
    for i in range(T_joint.shape[0]):
        J = T_joint[i]
        T = out[i]
        c, s = math.cos(q[i]), math.sin(q[i])
        # J · Rz(q): only the first two columns turn.
        x0, x1, x2 = J[0, 0] * c + J[0, 1] * s, J[1, 0] * c + J[1, 1] * s, J[2, 0] * c + J[2, 1] * s
        y0, y1, y2 = J[0, 1] * c - J[0, 0] * s, J[1, 1] * c - J[1, 0] * s, J[2, 1] * c - J[2, 0] * s
        z0, z1, z2 = J[0, 2], J[1, 2], J[2, 2]
        p0, p1, p2 = J[0, 3], J[1, 3], J[2, 3]
        if i == 0:
            T[0, 0], T[1, 0], T[2, 0] = x0, x1, x2
            T[0, 1], T[1, 1], T[2, 1] = y0, y1, y2
            T[0, 2], T[1, 2], T[2, 2] = z0, z1, z2
            T[0, 3], T[1, 3], T[2, 3] = p0, p1, p2
        else:
            P = out[i - 1]
            for r in range(3):
                a, b, d = P[r, 0], P[r, 1], P[r, 2]
                T[r, 0] = a * x0 + b * x1 + d * x2
                T[r, 1] = a * y0 + b * y1 + d * y2
                T[r, 2] = a * z0 + b * z1 + d * z2
                T[r, 3] = a * p0 + b * p1 + d * p2 + P[r, 3]
        T[3, 0], T[3, 1], T[3, 2], T[3, 3] = 0.0, 0.0, 0.0, 1.0


@njit(cache=True, fastmath=False, nogil=True)
def compose(A: F64, B: F64, out: F64) -> None:
    """Writes the product of two rigid transforms (4, 4) into `out`, which must be neither of them."""
    for r in range(3):
        for c in range(4):
            out[r, c] = A[r, 0] * B[0, c] + A[r, 1] * B[1, c] + A[r, 2] * B[2, c]
        out[r, 3] += A[r, 3]
    out[3, 0], out[3, 1], out[3, 2], out[3, 3] = 0.0, 0.0, 0.0, 1.0


@njit(cache=True, fastmath=False, nogil=True)
def fk_tcp(T_joint: F64, T_flange_tcp: F64, q: F64, links: F64, out: F64) -> None:
    """Writes T_base_tcp into `out` (4, 4), and the links' transforms into `links` (dof, 4, 4)."""
    fk_links(T_joint, q, links)
    compose(links[T_joint.shape[0] - 1], T_flange_tcp, out)


@njit(cache=True, fastmath=False, nogil=True)
def place_spheres(
    links: F64, T_flange_tcp: F64, sphere_link: I32, sphere_center: F64, sphere_finger: F64, width: float, out: F64
) -> None:
    """Writes the spheres' centres in base [m] into `out` (S, 3), given `fk_links`' result and the gripper's width [m].

    Spheres are ordered by link, the base's (link −1) first. The last link carries the fingers: their spheres move along
    TCP ±y by half the width.
    """
    half = 0.5 * width
    fx, fy, fz = half * T_flange_tcp[0, 1], half * T_flange_tcp[1, 1], half * T_flange_tcp[2, 1]
    at = -1  # whose transform the locals hold: `out` might alias `links`, so the compiler cannot hold it itself
    r00, r01, r02, p0 = 1.0, 0.0, 0.0, 0.0
    r10, r11, r12, p1 = 0.0, 1.0, 0.0, 0.0
    r20, r21, r22, p2 = 0.0, 0.0, 1.0, 0.0
    for k in range(sphere_link.shape[0]):
        if sphere_link[k] != at:
            at = sphere_link[k]
            T = links[at]
            r00, r01, r02, p0 = T[0, 0], T[0, 1], T[0, 2], T[0, 3]
            r10, r11, r12, p1 = T[1, 0], T[1, 1], T[1, 2], T[1, 3]
            r20, r21, r22, p2 = T[2, 0], T[2, 1], T[2, 2], T[2, 3]
        f = sphere_finger[k]
        x = sphere_center[k, 0] + f * fx
        y = sphere_center[k, 1] + f * fy
        z = sphere_center[k, 2] + f * fz
        out[k, 0] = r00 * x + r01 * y + r02 * z + p0
        out[k, 1] = r10 * x + r11 * y + r12 * z + p1
        out[k, 2] = r20 * x + r21 * y + r22 * z + p2


@njit(cache=True, fastmath=False, nogil=True)
def sphere_centers(
    T_joint: F64,
    T_flange_tcp: F64,
    sphere_link: I32,
    sphere_center: F64,
    sphere_finger: F64,
    q: F64,
    width: float,
    links: F64,
    out: F64,
) -> None:
    """Writes all spheres' centres in base [m] into `out` (S, 3); `links` (dof, 4, 4) is scratch and also an answer."""
    fk_links(T_joint, q, links)
    place_spheres(links, T_flange_tcp, sphere_link, sphere_center, sphere_finger, width, out)


@njit(cache=True, fastmath=False, nogil=True)
def sphere_centers_batch(
    T_joint: F64,
    T_flange_tcp: F64,
    sphere_link: I32,
    sphere_center: F64,
    sphere_finger: F64,
    q: F64,
    width: F64,
    out: F64,
) -> None:
    """`sphere_centers` of q (M, dof) and width (M,) into `out` (M, S, 3)."""
    links = np.empty((T_joint.shape[0], 4, 4))
    for m in range(q.shape[0]):
        sphere_centers(T_joint, T_flange_tcp, sphere_link, sphere_center, sphere_finger, q[m], width[m], links, out[m])


@njit(cache=True, fastmath=False, nogil=True)
def fk_batch(T_joint: F64, T_flange_tcp: F64, q: F64, out: F64) -> None:
    """T_base_tcp of q (M, dof) into `out` (M, 4, 4)."""
    links = np.empty((T_joint.shape[0], 4, 4))
    for m in range(q.shape[0]):
        fk_tcp(T_joint, T_flange_tcp, q[m], links, out[m])


@njit(cache=True, fastmath=False, nogil=True)
def self_clearance(centers: F64, radius: F64, sphere_link: I32, link_pairs: I32) -> float:
    """Smallest gap [m] between spheres on any of the pairs (P, 2) of links; negative when two overlap."""
    best = np.inf
    for p in range(link_pairs.shape[0]):
        a, b = link_pairs[p, 0], link_pairs[p, 1]
        for i in range(centers.shape[0]):
            if sphere_link[i] != a:
                continue
            for j in range(centers.shape[0]):
                if sphere_link[j] != b:
                    continue
                dx = centers[i, 0] - centers[j, 0]
                dy = centers[i, 1] - centers[j, 1]
                dz = centers[i, 2] - centers[j, 2]
                gap = math.sqrt(dx * dx + dy * dy + dz * dz) - radius[i] - radius[j]
                if gap < best:
                    best = gap
    return best
