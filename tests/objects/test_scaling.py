"""The paper's scale rule."""

from __future__ import annotations

import numpy as np
import pytest

from syngrasp.objects.scaling import ScaleRule, base_scale, box_edges, scale_range
from syngrasp.se3 import matrix_from_rpy

RULE = ScaleRule()


def corners(x: float, y: float, z: float, yaw: float = 0.0) -> np.ndarray:
    box = np.array([[i * x, j * y, k * z] for i in (0, 1) for j in (0, 1) for k in (0, 1)], dtype=float)
    return box @ matrix_from_rpy([0.0, 0.0, yaw]).T


@pytest.mark.parametrize("yaw", [0.0, 0.3, 1.2, np.pi / 2])
def test_the_box_turns_with_the_object(yaw: float) -> None:
    assert np.allclose(box_edges(corners(0.05, 0.2, 0.1, yaw)), (0.05, 0.2, 0.1))


@pytest.mark.parametrize("size", [(1.0, 1.2, 1.4), (7.0, 8.0, 20.0), (0.04, 0.05, 0.1)])
def test_smallest_and_largest_scale_meet_the_rule(size) -> None:
    low, high = scale_range(corners(*size), RULE)
    assert low < high
    assert np.isclose(low * min(size), 0.03)
    assert high * min(size[:2]) <= RULE.grasp_edge + 1e-12
    assert high * min(size[:2]) < 0.08
    assert high * max(size) <= RULE.longest_edge + 1e-12


@pytest.mark.parametrize("size", [(0.2, 0.2, 0.02), (0.15, 0.07, 0.008), (0.4, 0.01, 0.01)])
def test_flat_and_thin_things_stay_as_large_as_can_be_grasped(size) -> None:
    low, high = scale_range(corners(*size), RULE)
    assert np.isclose(low, 0.7 * high)
    assert high * min(size[:2]) <= RULE.grasp_edge + 1e-12
    assert high * max(size) <= RULE.longest_edge + 1e-12


def test_the_range_does_not_depend_on_the_unit() -> None:
    metres, inches = scale_range(corners(0.05, 0.06, 0.1), RULE), scale_range(corners(0.05, 0.06, 0.1) / 0.0254, RULE)
    assert np.allclose(metres, np.array(inches) / 0.0254)


def test_scale_one_is_true_size_within_the_range_else_its_middle() -> None:
    assert base_scale((0.5, 2.0), metric=True) == 1.0
    assert base_scale((1.5, 2.0), metric=True) == 1.5
    assert np.isclose(base_scale((0.5, 8.0), metric=False), 2.0)
