"""Laws of the rigid transforms, and of the random streams."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from syngrasp import se3
from syngrasp.seeding import named_rng, rng


@pytest.fixture
def T() -> np.ndarray:
    g = named_rng(0, "test")
    return se3.make(se3.random_rotation(g, (500,)), g.normal(size=(500, 3)))


def test_inverse_is_a_group_inverse(T: np.ndarray) -> None:
    np.testing.assert_allclose(se3.invert(T) @ T, np.broadcast_to(np.eye(4), T.shape), atol=1e-12)


def test_pose7_round_trip_and_quaternion_order(T: np.ndarray) -> None:
    pose = se3.pose7_from_matrix(T)
    np.testing.assert_allclose(se3.matrix_from_pose7(pose), T, atol=1e-12)
    xyzw = Rotation.from_matrix(T[:, :3, :3]).as_quat(canonical=True)
    np.testing.assert_allclose(pose[:, 3:], xyzw[:, [3, 0, 1, 2]], atol=1e-12)
    assert (pose[:, 3] >= 0).all()


def test_half_turns_have_quaternions() -> None:
    for axis in np.eye(3):
        R = 2.0 * np.outer(axis, axis) - np.eye(3)
        np.testing.assert_allclose(np.abs(se3.quat_from_matrix(R)[1:]), axis, atol=1e-12)


def test_roll_pitch_yaw_are_about_fixed_axes(T: np.ndarray) -> None:
    rpy = se3.rpy_from_matrix(T[:, :3, :3])
    np.testing.assert_allclose(se3.matrix_from_rpy(rpy), T[:, :3, :3], atol=1e-9)
    np.testing.assert_allclose(Rotation.from_euler("xyz", rpy).as_matrix(), T[:, :3, :3], atol=1e-9)


def test_delta_is_undone_by_apply(T: np.ndarray) -> None:
    motion = se3.delta(T[:-1], T[1:])
    np.testing.assert_allclose(se3.apply_delta(T[:-1], motion), T[1:], atol=1e-9)


def test_rotation_angle_near_its_ends() -> None:
    for angle in (0.0, 1e-9, 1e-4, 1.0, np.pi - 1e-7, np.pi):
        R = Rotation.from_rotvec(angle * np.array([0.6, 0.0, 0.8])).as_matrix()
        assert se3.rotation_angle(R) == pytest.approx(angle, abs=1e-8)


def test_streams_depend_on_every_identifier_and_on_nothing_else() -> None:
    base = (7, "layout", 1, 2, 3)
    first = rng(*base).integers(1 << 62, size=4)
    np.testing.assert_array_equal(first, rng(*base).integers(1 << 62, size=4))
    others = [
        (8, "layout", 1, 2, 3),
        (7, "grasp", 1, 2, 3),
        (7, "layout", 0, 2, 3),
        (7, "layout", 1, 0, 3),
        (7, "layout", 1, 2, 0),
    ]
    for other in others:
        assert not np.array_equal(first, rng(*other).integers(1 << 62, size=4))
    trailing_zero = rng(7, "layout", 1, 2, 0).integers(1 << 62), named_rng(7, "layout", 1, 2).integers(1 << 62)
    assert trailing_zero[0] != trailing_zero[1]


def test_delta_of_pose7_is_that_of_matrices() -> None:
    random = np.random.default_rng(4)
    T_from, T_to = (se3.make(se3.random_rotation(random, (50, 3)), random.normal(size=(50, 3, 3))) for _ in range(2))
    pose_from, pose_to = se3.pose7_from_matrix(T_from), se3.pose7_from_matrix(T_to)
    expected = se3.delta(T_from, T_to)
    np.testing.assert_allclose(se3.delta_pose7(pose_from, pose_to), expected, atol=1e-12)
    np.testing.assert_allclose(se3.delta_pose7(pose_from, -pose_to * [-1, -1, -1, 1, 1, 1, 1]), expected, atol=1e-12)
    np.testing.assert_allclose(se3.delta_pose7(pose_from[0, 0], pose_to[0, 0]), expected[0, 0], atol=1e-12)
