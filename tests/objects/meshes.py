"""Meshes, good and bad, written to files."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import trimesh

BAD = {
    "zip": "unreadable",
    "one": "too_few_faces",
    "nan": "not_finite",
    "nothing": "empty",
    "void": "empty",
    "flat": "flat",
    "text": "empty",
}
TETRAHEDRON = "f 1 2 3\nf 1 2 4\nf 1 3 4\nf 2 3 4\n"


def plant_bad_files(folder: Path) -> None:
    """A file for each name of BAD."""
    folder.mkdir(parents=True)
    with zipfile.ZipFile(folder / "zip.glb", "w") as archive:
        archive.writestr("mesh", "none")
    trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]], process=False).export(folder / "one.stl")
    (folder / "nan.obj").write_text(f"v 0 0 0\nv nan 0 0\nv 0 1 0\nv 0 0 1\n{TETRAHEDRON}")
    (folder / "nothing.ply").write_bytes(b"")
    (folder / "void.obj").write_text("# no faces\n")
    (folder / "flat.obj").write_text(
        "v 0 0 0\nv 1 0 0\nv 0 1 0\nv 1 1 0\nv 2 2 0\nf 1 2 3\nf 2 4 3\nf 3 4 5\nf 2 5 4\n"
    )
    (folder / "text.stl").write_text("this is no mesh")


def painted_quarters(size: int = 64) -> np.ndarray:
    """A picture: red and green above, blue and white below."""
    picture = np.zeros((size, size, 3), dtype=np.uint8)
    half = size // 2
    picture[:half, :half, 0] = 255
    picture[:half, half:, 1] = 255
    picture[half:, :half, 2] = 255
    picture[half:, half:] = 255
    return picture


def textured_box(path: Path, subdivisions: int = 0, repeat: float = 1.0) -> None:
    """A glTF box, 2 wide (x) and 1 high (glTF's y), with `painted_quarters` upright on each of its four sides."""
    from PIL import Image

    vertices, faces, uv = [], [], []
    for x, z in (((-1, 1), 0.5), ((1, -1), -0.5)):
        first = len(vertices)
        vertices += [(x[0], -0.5, z), (x[1], -0.5, z), (x[1], 0.5, z), (x[0], 0.5, z)]
        uv += [(0, 0), (repeat, 0), (repeat, repeat), (0, repeat)]
        faces += [(first, first + 1, first + 2), (first, first + 2, first + 3)]
    for x, z in ((1.0, (0.5, -0.5)), (-1.0, (-0.5, 0.5))):
        first = len(vertices)
        vertices += [(x, -0.5, z[0]), (x, -0.5, z[1]), (x, 0.5, z[1]), (x, 0.5, z[0])]
        uv += [(0, 0), (repeat, 0), (repeat, repeat), (0, repeat)]
        faces += [(first, first + 1, first + 2), (first, first + 2, first + 3)]
    for y, order in ((0.5, (0, 1, 2, 3)), (-0.5, (3, 2, 1, 0))):
        first = len(vertices)
        corners = [(-1, y, 0.5), (1, y, 0.5), (1, y, -0.5), (-1, y, -0.5)]
        vertices += [corners[k] for k in order]
        uv += [(0.9, 0.1)] * 4
        faces += [(first, first + 1, first + 2), (first, first + 2, first + 3)]
    material = trimesh.visual.material.PBRMaterial(
        baseColorTexture=Image.fromarray(painted_quarters()), roughnessFactor=0.3, metallicFactor=0.0
    )
    visual = trimesh.visual.TextureVisuals(uv=np.array(uv, dtype=float), material=material)
    mesh = trimesh.Trimesh(np.array(vertices, dtype=float), faces, visual=visual, process=False)
    for _ in range(subdivisions):
        mesh = mesh.subdivide()
    mesh.export(path)


def color_at(visual, point: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """sRGB bytes (3,) of a visual mesh where it faces along `normal` nearest to `point`."""
    vertices = visual.vertices.astype(np.float64)
    triangles = vertices[visual.faces]
    mesh = trimesh.Trimesh(vertices, visual.faces, process=False)
    facing = np.flatnonzero(mesh.face_normals @ normal > 0.9)
    nearest, _, local = trimesh.proximity.closest_point(mesh.submesh([facing], append=True, repair=False), point[None])
    face = facing[local[0]]
    weights = trimesh.triangles.points_to_barycentric(triangles[face][None], nearest)[0]
    u, v = weights @ visual.uv[visual.faces[face]]
    height, width = visual.texture.shape[:2]
    return visual.texture[min(int((1.0 - v) * height), height - 1), min(int(u * width), width - 1)]
