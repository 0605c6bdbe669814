"""The closed form of force closure against the wrench space, and the wrench space against polytopes."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import trimesh
from scipy.optimize import linprog
from scipy.spatial import ConvexHull

from syngrasp import se3
from syngrasp.geometry.force_closure import force_closure, soft_finger_epsilon, wrench_ellipsoids

LENGTH, TORSION = 0.05, 0.004  # [m]
BALL = np.asarray(trimesh.creation.icosphere(subdivisions=1).vertices)
INSCRIBED = float(-ConvexHull(BALL).equations[:, -1].max())  # radius of the ball inside the polyhedron BALL


def tilted(normal, angle, rng):
    side = np.cross(normal, rng.normal(size=3))
    return np.cos(angle) * normal + np.sin(angle) * side / np.linalg.norm(side)


def random_pair(rng, angles):
    """Contacts (2, 3) about a line near the origin with normals at given angles to it."""
    middle, line = 0.03 * rng.normal(size=3), rng.normal(size=3)
    line /= np.linalg.norm(line)
    half = rng.uniform(0.005, 0.04)
    contacts = np.stack([middle - half * line, middle + half * line])
    return contacts, np.stack([tilted(-line, angles[0], rng), tilted(line, angles[1], rng)])


def wrench_points(contacts, normals, friction, scale):
    """The wrenches of both contacts as points (2·42, 6): ellipsoids replaced by scaled polyhedra."""
    a, B = wrench_ellipsoids(contacts[None], normals[None], np.zeros(3), friction, TORSION, LENGTH)
    return np.concatenate([a[0, i] + scale * BALL @ B[0, i].T for i in range(2)])


def holds_origin(points):
    """Whether a small ball about the origin lies in the hull, by linear programmes along the axes."""
    for axis in range(6):
        for sign in (-1.0, 1.0):
            c = np.zeros(len(points) + 1)
            c[-1] = -1.0
            target = np.zeros((7, 1))
            target[axis] = -sign
            equal = np.hstack([np.vstack([points.T, np.ones(len(points))]), target])
            result = linprog(c, A_eq=equal, b_eq=np.eye(7)[6], bounds=(0, None))
            if result.status != 0 or -result.fun < 1e-9:
                return False
    return True


@pytest.mark.parametrize("friction", [0.15, 0.5, 1.0])
def test_closed_form_agrees_with_the_wrench_space(friction):
    """Inside both cones the inner wrench polytope holds the origin; outside one, the outer polytope does not."""
    rng = np.random.default_rng(0)
    limit = np.arctan(friction)
    for _ in range(6):
        contacts, normals = random_pair(rng, rng.uniform(0.0, 0.85, 2) * limit)
        assert force_closure(contacts, normals, friction)
        assert holds_origin(wrench_points(contacts, normals, friction, 1.0))
        angles = rng.permutation([rng.uniform(1.15, 1.5), rng.uniform(0.0, 1.5)]) * limit
        contacts, normals = random_pair(rng, angles)
        assert not force_closure(contacts, normals, friction)
        assert not holds_origin(wrench_points(contacts, normals, friction, 1.0 / INSCRIBED))


@pytest.mark.parametrize("friction", [0.15, 0.5, 1.0])
def test_epsilon_is_positive_exactly_with_force_closure(friction):
    rng = np.random.default_rng(1)
    pairs = [random_pair(rng, rng.uniform(0.0, 1.4, 2) * np.arctan(friction)) for _ in range(200)]
    contacts, normals = np.stack([p[0] for p in pairs]), np.stack([p[1] for p in pairs])
    closed = force_closure(contacts, normals, friction)
    assert 20 < closed.sum() < 180
    epsilon = soft_finger_epsilon(contacts, normals, np.zeros(3), friction, TORSION, LENGTH)
    assert np.array_equal(epsilon > 0.0, closed)


@pytest.mark.parametrize("friction", [0.15, 0.5, 1.0])
def test_epsilon_lies_between_inner_and_outer_polytope(friction):
    """The balls in the hulls (Qhull) of inscribed and of circumscribed polyhedra bracket that in the wrench space."""
    rng = np.random.default_rng(2)
    for _ in range(2):
        contacts, normals = random_pair(rng, rng.uniform(0.2, 0.8, 2) * np.arctan(friction))
        epsilon = soft_finger_epsilon(contacts[None], normals[None], np.zeros(3), friction, TORSION, LENGTH)[0]
        inner, outer = (
            -ConvexHull(wrench_points(contacts, normals, friction, s), qhull_options="QJ").equations[:, -1].max()
            for s in (1.0, 1.0 / INSCRIBED)
        )
        assert inner - 1e-6 < epsilon < outer + 1e-6
        assert outer - inner < 0.45 * outer


def test_epsilon_has_found_the_least_support():
    """No random direction, and no direction near the best of them, has less support than ε."""
    rng = np.random.default_rng(3)
    contacts, normals = (np.stack(x) for x in zip(*[random_pair(rng, [0.1, 0.2]) for _ in range(20)], strict=True))
    epsilon = soft_finger_epsilon(contacts, normals, np.zeros(3), 0.5, TORSION, LENGTH)
    a, B = wrench_ellipsoids(contacts, normals, np.zeros(3), 0.5, TORSION, LENGTH)

    def support(d):  # (N, K, 6) -> (N, K)
        each = np.einsum("nci,nki->nck", a, d) + np.linalg.norm(np.einsum("ncij,nki->nckj", B, d), axis=-1)
        return each.max(axis=1)

    d = rng.normal(size=(20, 4000, 6))
    d /= np.linalg.norm(d, axis=-1, keepdims=True)
    for radius in (0.3, 0.1, 0.03, 0.01, 0.003):
        best = d[np.arange(20), support(d).argmin(axis=1)]
        d = np.concatenate([best[:, None], best[:, None] + radius * rng.normal(size=(20, 3000, 6))], axis=1)
        d /= np.linalg.norm(d, axis=-1, keepdims=True)
    least = support(d).min(axis=1)
    assert (epsilon <= least * (1.0 + 1e-3)).all()
    assert np.median(least / epsilon) < 1.1


@pytest.mark.parametrize(
    ("friction", "torsion", "half"), [(0.15, 0.001, 0.02), (0.5, 0.03, 0.02), (0.5, 0.03, 0.08), (0.5, 0.2, 0.2)]
)
def test_aligned_contacts_have_a_closed_form(friction, torsion, half):
    contacts = np.array([[[0.0, -half, 0.0], [0.0, half, 0.0]]])
    normals = np.array([[[0.0, -1.0, 0.0], [0.0, 1.0, 0.0]]])
    epsilon = soft_finger_epsilon(contacts, normals, np.zeros(3), friction, torsion, LENGTH)[0]
    assert epsilon == pytest.approx(min(1.0, friction, friction * half / LENGTH, torsion / LENGTH), rel=1e-6)


def test_epsilon_ignores_the_frame_and_the_order_of_the_fingers():
    rng = np.random.default_rng(4)
    contacts, normals = (np.stack(x) for x in zip(*[random_pair(rng, [0.05, 0.1]) for _ in range(30)], strict=True))
    com = np.array([0.01, -0.02, 0.005])
    epsilon = soft_finger_epsilon(contacts, normals, com, 0.3, TORSION, LENGTH)
    swapped = soft_finger_epsilon(contacts[:, ::-1], normals[:, ::-1], com, 0.3, TORSION, LENGTH)
    assert np.allclose(swapped, epsilon, rtol=2e-3)
    T = se3.make(se3.random_rotation(rng), rng.normal(size=3))
    moved = soft_finger_epsilon(
        se3.transform(T, contacts), normals @ T[:3, :3].T, se3.transform(T, com[None])[0], 0.3, TORSION, LENGTH
    )
    assert np.allclose(moved, epsilon, rtol=2e-3)


def test_farther_from_the_centre_of_mass_is_worse():
    normals = np.array([[[0.0, -1.0, 0.0], [0.0, 1.0, 0.0]]])
    epsilon = [
        soft_finger_epsilon(np.array([[[x, -0.02, 0.0], [x, 0.02, 0.0]]]), normals, np.zeros(3), 0.5, TORSION, LENGTH)[
            0
        ]
        for x in (0.0, 0.02, 0.05, 0.1)
    ]
    assert all(near > far for near, far in pairwise(epsilon))
