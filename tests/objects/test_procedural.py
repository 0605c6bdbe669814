"""The builtin household: closed, solid, distinct, hollow where it should be, printed the right way up."""

from __future__ import annotations

import numpy as np
import pytest
import yaml

from syngrasp.errors import UnknownName
from syngrasp.objects import procedural
from syngrasp.objects.convex import hull_volume
from syngrasp.objects.part import signed_volume
from syngrasp.objects.simplify import is_watertight, weld_positions
from syngrasp.resources import resource

CONCAVE = ("mug", "cup", "bowl", "vase", "flower_pot", "tape", "donut")


@pytest.fixture(scope="module")
def instances():
    return {family: procedural.make_instance(family, 0, 0) for family in procedural.families()}


def test_there_are_at_least_24_categories() -> None:
    categories = {procedural.category_of(family) for family in procedural.families()}
    assert len(categories) >= 24
    assert {"mug", "bowl", "bottle", "box", "plate", "banana", "hammer", "spoon"} <= categories


def test_every_mesh_is_closed_and_has_volume(instances) -> None:
    for family, (part, _, _) in instances.items():
        assert is_watertight(part.faces), family
        assert part.volume > 1e-6, family


def test_visual_meshes_are_closed_textured_and_of_a_size_to_render(instances) -> None:
    for family in instances:
        visual = procedural.make_object(family, 0, 0).visual
        vertices, faces = weld_positions(visual.vertices.astype(np.float64), visual.faces)
        assert is_watertight(faces), family
        assert signed_volume(vertices, faces) > 0.0, family
        assert 100 < len(visual.faces) < 6000, family
        assert np.allclose(np.linalg.norm(visual.normals, axis=1), 1.0, atol=1e-5), family
        assert visual.face_color.min() >= 0.0
        assert visual.face_color.max() <= 1.0
        if visual.texture is not None:
            assert visual.uv is not None
            assert visual.uv.min() >= 0.0
            assert visual.uv.max() <= 1.0
            assert (visual.face_color == 1.0).all()


def test_convex_parts_fill_the_mesh(instances) -> None:
    for family, (part, _, _) in instances.items():
        assert 0.85 < hull_volume(part.hulls) / part.volume < 1.2, family
        assert max(len(hull) for hull in part.hulls) <= 64, family
        hulls = np.concatenate(part.hulls)
        assert np.abs(hulls.min(axis=0) - part.vertices.min(axis=0)).max() < 0.02, family


@pytest.mark.parametrize("family", CONCAVE)
def test_cavities_stay_open(instances, family: str) -> None:
    part, _, _ = instances[family]
    middle = part.vertices.mean(axis=0)
    top = part.vertices[:, 2].max()
    inside = np.array([[middle[0] * 0.0, 0.0, z] for z in np.linspace(0.5 * top, 0.95 * top, 5)])
    for hull in part.hulls:
        from scipy.spatial import ConvexHull

        planes = ConvexHull(hull).equations
        assert (inside @ planes[:, :3].T + planes[:, 3]).max(axis=1).min() > 0.0


def test_instances_differ_and_are_made_again_the_same() -> None:
    for family in ("mug", "apple", "box", "hammer"):
        first, second = procedural.make_object(family, 0, 0).visual, procedural.make_object(family, 0, 1).visual
        again, reseeded = procedural.make_object(family, 0, 0).visual, procedural.make_object(family, 1, 0).visual
        assert np.array_equal(first.vertices, again.vertices)
        assert (first.texture is None) == (again.texture is None)
        if first.texture is not None:
            assert np.array_equal(first.texture, again.texture)
        for other in (second, reseeded):
            assert not np.allclose(np.ptp(first.vertices, axis=0), np.ptp(other.vertices, axis=0))


def test_sizes_are_those_of_a_household(instances) -> None:
    for family, (part, _, _) in instances.items():
        extents = np.ptp(part.vertices, axis=0)
        assert extents.min() > 0.01, family
        assert extents.max() < 0.31, family


def test_labels_read_from_left_to_right_and_upright() -> None:
    from syngrasp.objects.lofts import revolve

    can = revolve([(0, 0), (0.03, 0), (0.03, 0.1), (0, 0.1)], (1, 1, 1))
    side = np.abs(can.face_normals[:, 2]) < 0.5
    wrapped = can.wrap(side, 0, 0.0, 0.1)
    corners, uv = wrapped.vertices[wrapped.faces[side]], wrapped.uv[side]
    front = (corners.mean(axis=1)[:, 1] < -0.028) & (np.ptp(corners[..., 0], axis=1) > 1e-6)
    # An onlooker at −y with z up sees +x to the right.
    assert np.all((corners[front][..., 2] > 0.05) == (uv[front][..., 1] > 0.5))
    left, right = corners[front][..., 0].argmin(axis=1), corners[front][..., 0].argmax(axis=1)
    row = np.arange(front.sum())
    assert np.all(uv[front][row, right, 0] > uv[front][row, left, 0])


def test_an_unknown_category_is_answered_with_the_valid_ones() -> None:
    with pytest.raises(UnknownName, match="did you mean 'mug'"):
        procedural.select(["mugg"])
    assert procedural.select(["soda can", "mug"]) == ("mug", "can")


def test_the_data_names_just_the_families_that_there_are() -> None:
    data = yaml.safe_load(resource("assets/objects/families.yaml").read_text())
    assert tuple(data["families"]) == procedural.families()
    for family, spec in data["families"].items():
        assert all(low <= high for low, high in spec["sizes"].values()), family
