"""Decimated meshes keep the shape; the cache gives back what was made, and survives damage and races."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
import trimesh

from syngrasp.robots.description import panda_description
from syngrasp.robots.visual import VisualPart, decimate, load_parts, shaded


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNGRASP_CACHE", str(tmp_path))
    return tmp_path


def finger():
    return {"finger": panda_description() / "meshes" / "visual" / "finger.dae"}


def equal(a, b):
    return all(
        np.array_equal(x.vertices, y.vertices) and np.array_equal(x.faces, y.faces) and x.color == y.color
        for link in a
        for x, y in zip(a[link], b[link], strict=True)
    )


def test_cache_gives_back_what_was_made(cache):
    made = load_parts(finger(), 500)
    files = list(cache.rglob("*.npz"))
    assert len(files) == 1
    assert equal(made, load_parts(finger(), 500))
    before = files[0].read_bytes()
    load_parts(finger(), 400)
    assert len(list(cache.rglob("*.npz"))) == 2
    assert files[0].read_bytes() == before


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 cut short"])
def test_damaged_cache_is_made_again(cache, damage):
    made = load_parts(finger(), 500)
    path = next(cache.rglob("*.npz"))
    path.write_bytes(damage)
    assert equal(made, load_parts(finger(), 500))
    assert len(path.read_bytes()) > 1000


def test_cache_that_cannot_be_written_is_done_without(tmp_path, monkeypatch):
    blocker = tmp_path / "file"
    blocker.write_text("not a folder")
    monkeypatch.setenv("SYNGRASP_CACHE", str(blocker))
    assert load_parts(finger(), 500)["finger"]


def test_processes_may_fill_the_cache_at_once(cache):
    code = (
        "from syngrasp.robots.visual import load_parts; from syngrasp.robots.description import panda_description;"
        "load_parts({'finger': panda_description() / 'meshes/visual/finger.dae'}, 500)"
    )
    running = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(3)]
    assert [p.wait() for p in running] == [0, 0, 0]
    assert [p.suffix for p in cache.rglob("*") if p.is_file()] == [".npz"]


def test_decimation_keeps_the_surface():
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.05)
    small = decimate(ball, 0.15)
    assert len(small.faces) < 0.2 * len(ball.faces)
    assert np.abs(np.linalg.norm(small.vertices, axis=1) - 0.05).max() < 0.0025


def test_normals_are_smooth_on_a_ball_and_flat_on_a_box():
    ball = trimesh.creation.icosphere(subdivisions=3)
    vertices, normals, faces = shaded(part_of(ball))
    assert len(vertices) == len(ball.vertices)
    assert np.allclose(normals, vertices, atol=0.02)
    box = trimesh.creation.box()
    vertices, normals, faces = shaded(part_of(box))
    assert len(vertices) == 24
    assert np.allclose(normals[faces], box.face_normals[:, None], atol=1e-6)
    assert np.allclose(vertices[faces], box.triangles)


def part_of(mesh):
    return VisualPart(mesh.vertices.astype(np.float32), mesh.faces.astype(np.int32), (1.0, 1.0, 1.0))
