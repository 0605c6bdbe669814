"""Mesh files: scenes, axes, looks, decimation, and what cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import trimesh

from syngrasp.errors import MeshError
from syngrasp.objects.decompose import decompose, union_of
from syngrasp.objects.labels import srgb_of
from syngrasp.objects.mesh import MAX_FACES, read_object
from syngrasp.objects.part import face_normals, signed_volume
from syngrasp.objects.simplify import inward_faces, is_watertight, simplify, weld_positions
from tests.objects.meshes import BAD, color_at, plant_bad_files, textured_box

QUARTERS = {(-0.5, 0.25): (255, 0, 0), (0.5, 0.25): (0, 255, 0), (-0.5, -0.25): (0, 0, 255), (0.5, -0.25): (255,) * 3}


def assert_quarters(visual, tolerance: float = 0.0) -> None:
    """The picture stands upright on the front, seen from −y, and on the back."""
    for (x, z), color in QUARTERS.items():
        front = color_at(visual, np.array([x, -0.5, z]), np.array([0.0, -1.0, 0.0]))
        back = color_at(visual, np.array([-x, 0.5, z]), np.array([0.0, 1.0, 0.0]))
        assert np.abs(front.astype(int) - color).max() <= tolerance
        assert np.abs(back.astype(int) - color).max() <= tolerance


def test_a_textured_gltf_stands_upright(tmp_path: Path) -> None:
    textured_box(tmp_path / "box.glb")
    raw = read_object(tmp_path / "box.glb", "box")
    assert np.allclose(np.ptp(raw.visual.vertices, axis=0), (2.0, 1.0, 1.0))
    assert raw.watertight
    assert raw.upright
    assert np.isclose(raw.visual.roughness, 0.3)
    assert_quarters(raw.visual)


def test_a_picture_that_repeats_is_baked(tmp_path: Path) -> None:
    textured_box(tmp_path / "box.glb", repeat=3.0)
    visual = read_object(tmp_path / "box.glb", "box").visual
    for x, z in QUARTERS:
        # Three tiles on each edge: the point's place in its tile decides.
        u, v = ((x + 1.0) / 2.0 * 3.0) % 1.0, ((z + 0.5) * 3.0) % 1.0
        expected = QUARTERS[(-0.5 if u < 0.5 else 0.5, 0.25 if v > 0.5 else -0.25)]
        color = color_at(visual, np.array([x + 0.02, -0.5, z + 0.02]), np.array([0.0, -1.0, 0.0]))
        assert np.abs(color.astype(int) - expected).max() <= 2


def test_decimation_keeps_the_picture(tmp_path: Path) -> None:
    textured_box(tmp_path / "fine.glb", subdivisions=6)
    raw = read_object(tmp_path / "fine.glb", "fine")
    assert len(raw.visual.faces) < MAX_FACES
    assert_quarters(raw.visual, tolerance=2)


def test_a_scene_keeps_its_transforms_and_colours(tmp_path: Path) -> None:
    scene = trimesh.Scene()
    ball, box = trimesh.creation.icosphere(2, radius=0.5), trimesh.creation.box((1, 1, 1))
    ball.visual.vertex_colors, box.visual.vertex_colors = [255, 0, 0, 255], [0, 0, 255, 255]
    scene.add_geometry(ball, transform=trimesh.transformations.translation_matrix([0, 2, 0]))
    mirrored = np.diag([-1.0, 1.0, 1.0, 1.0])
    scene.add_geometry(box, transform=mirrored)
    scene.export(tmp_path / "scene.glb")
    visual = read_object(tmp_path / "scene.glb", "scene").visual
    centers = visual.vertices[visual.faces].mean(axis=1)
    upper = centers[:, 2] > 1.0
    assert np.isclose(visual.vertices[:, 2].max(), 2.5, atol=1e-3)
    assert np.allclose(srgb_of(visual.face_color[upper]), (1, 0, 0), atol=0.01)
    assert np.allclose(srgb_of(visual.face_color[~upper]), (0, 0, 1), atol=0.01)
    outward = face_normals(visual.vertices[visual.faces[~upper]].astype(float))
    assert (np.einsum("ti,ti->t", outward, centers[~upper]) > 0.0).all()


@pytest.mark.parametrize("suffix", ["ply", "obj", "stl", "gltf"])
def test_other_formats_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"box.{suffix}"
    box = trimesh.creation.box((1.0, 2.0, 3.0))
    if suffix == "gltf":
        files = trimesh.exchange.gltf.export_gltf(trimesh.Scene(box))
        for name, data in files.items():
            (tmp_path / name.replace("model.gltf", "box.gltf")).write_bytes(data)
    else:
        box.export(path)
    raw = read_object(path, "box")
    extents = (1.0, 3.0, 2.0) if suffix == "gltf" else (1.0, 2.0, 3.0)
    assert np.allclose(np.ptp(raw.visual.vertices, axis=0), extents)
    assert raw.watertight
    assert raw.upright == (suffix == "gltf")


def test_bad_files_are_answered_with_a_reason(tmp_path: Path) -> None:
    plant_bad_files(tmp_path / "bad")
    for name, reason in BAD.items():
        path = next((tmp_path / "bad").glob(f"{name}.*"))
        with pytest.raises(MeshError) as error:
            read_object(path, name)
        assert error.value.reason == reason, name
        assert "\n" not in str(error.value)


def test_a_turned_mesh_is_turned_back() -> None:
    sphere = trimesh.creation.icosphere(3)
    box = trimesh.creation.box((0.5, 0.5, 0.5))
    box.apply_translation([3.0, 0.0, 0.0])
    box.invert()
    vertices = np.concatenate([sphere.vertices, box.vertices])
    faces = np.concatenate([sphere.faces, box.faces + len(sphere.vertices)])
    inward = inward_faces(vertices, faces)
    assert not inward[: len(sphere.faces)].any()
    assert inward[len(sphere.faces) :].all()


def test_millions_of_faces_are_decimated() -> None:
    # At its poles this sphere has fans of slivers, on which quadric decimation alone gets stuck.
    sphere = trimesh.creation.uv_sphere(radius=1.0, count=[500, 1000])
    vertices, faces = weld_positions(np.asarray(sphere.vertices), np.asarray(sphere.faces))
    assert len(faces) > 900_000
    points, triangles = simplify(vertices, faces, 8192)
    assert 4000 < len(triangles) <= 1.5 * 8192
    assert np.isclose(signed_volume(points, triangles), 4.0 / 3.0 * np.pi, rtol=0.005)
    assert np.allclose(np.linalg.norm(points, axis=1), 1.0, atol=0.01)


def test_a_convex_mesh_becomes_one_hull_and_a_bowl_keeps_its_cavity(tmp_path: Path) -> None:
    trimesh.creation.icosphere(3).export(tmp_path / "ball.ply")
    ball = read_object(tmp_path / "ball.ply", "ball")
    assert len(decompose(ball.visual, ball.watertight)) == 1
    shell = trimesh.creation.annulus(r_min=0.8, r_max=1.0, height=1.0, sections=48)
    shell.export(tmp_path / "tube.ply")
    raw = read_object(tmp_path / "tube.ply", "tube")
    hulls = decompose(raw.visual, raw.watertight)
    vertices, faces = union_of(hulls)
    assert is_watertight(faces)
    assert np.isclose(signed_volume(vertices, faces), shell.volume, rtol=0.3)
    assert np.linalg.norm(vertices[:, :2], axis=1).min() > 0.6
