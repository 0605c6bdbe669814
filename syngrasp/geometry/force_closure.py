"""Two-finger force closure in closed form, and the soft-finger quality of the grasp wrench space."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syngrasp.geometry.wrench_ball import largest_balls

F64 = NDArray[np.float64]


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
    return largest_balls(np.ascontiguousarray(a), np.ascontiguousarray(B), np.ascontiguousarray(closed))
