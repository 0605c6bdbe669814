"""Meshes, their poses over time, and the asset files that episodes share. Names of files follow their content."""

# pyright: reportAttributeAccessIssue=false
# (what usd-core compiles has no type stubs)

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pxr import Gf, Sdf, Tf, Usd, UsdGeom, UsdShade, Vt

from syngrasp import se3
from syngrasp.records import ObjectModel
from syngrasp.rendering.furniture import Block
from syngrasp.rendering.look import MaterialLook
from syngrasp.rendering.parts import RobotMeshes, object_mesh
from syngrasp.rendering.props import texture_coordinates
from syngrasp.rendering.surfaces import Finish, SurfaceMesh
from syngrasp.rendering.usd.materials import add_material, once, palette, texture_file

F32 = NDArray[np.float32]
F64 = NDArray[np.float64]

VERSION = 1  # of the asset files' layout: a change of it changes their names
ROBOT_FINISH = Finish((1.0, 1.0, 1.0), 0.4, 0.0)


def new_stage(path: Path, root: str) -> Usd.Stage:
    """A stage in metres, z up, with a default prim."""
    stage = Usd.Stage.CreateNew(str(path))
    UsdGeom.SetStageUpAxis(stage, UsdGeom.Tokens.z)
    UsdGeom.SetStageMetersPerUnit(stage, 1.0)
    stage.SetDefaultPrim(UsdGeom.Xform.Define(stage, root).GetPrim())
    return stage


def relative(path: Path, to: Path) -> str:
    """The asset path of a file for layers in the folder `to`: it moves along with both."""
    found = Path(os.path.relpath(path, to)).as_posix()
    return found if found.startswith("..") else f"./{found}"


def object_asset(assets: Path, model: ObjectModel, mdl: bool) -> Path:
    """The file of an object at scale 1 with its own material: /object, /object/mesh, /object/material."""
    mesh, visual, entry = object_mesh(model), model.visual, model.entry
    finish = Finish((1.0, 1.0, 1.0), visual.roughness, visual.metallic)
    name = f"{entry.uid}-{_digest(mdl, finish, entry, mesh)}.usdc"

    def fill(stage: Usd.Stage, folder: Path) -> None:
        image, uv = _picture(mesh)
        picture = relative(texture_file(folder, image, True), folder)
        material = add_material(stage, "/object/material", picture, finish, mdl, glass=True)
        add_mesh(stage, "/object/mesh", mesh, uv, material)
        told = {"uid": entry.uid, "category": entry.category, "license": entry.license}
        root = stage.GetDefaultPrim()
        root.SetCustomData({"syngrasp": {**told, "attribution": entry.attribution, "source": entry.source}})
        root.SetAssetInfo({"name": entry.uid, "version": entry.content_hash})

    return _asset(assets / "objects" / name, "/object", fill)


def robot_asset(assets: Path, kind: str, robot: RobotMeshes, mdl: bool) -> Path:
    """The file of a robot: /robot, /robot/material and for every link /robot/<link>/mesh, all at the base's origin."""

    def fill(stage: Usd.Stage, folder: Path) -> None:
        image, uv = palette(np.concatenate([mesh.face_color for mesh in robot.meshes]))
        ends = 3 * np.cumsum([len(mesh.faces) for mesh in robot.meshes])
        picture = relative(texture_file(folder, image, True), folder)
        material = add_material(stage, "/robot/material", picture, ROBOT_FINISH, mdl)
        for name, mesh, corners in zip(robot.names, robot.meshes, np.split(uv, ends[:-1]), strict=True):
            link = UsdGeom.Xform.Define(stage, f"/{link_path(name)}")
            add_mesh(stage, f"{link.GetPath()}/mesh", mesh, corners, material)

    digest = _digest(mdl, ROBOT_FINISH, robot.names, *robot.meshes)
    return _asset(assets / "robot" / f"{kind}-{digest}.usdc", "/robot", fill)


def link_path(name: str) -> str:
    """robot/<link> with a link's name made one of USD's."""
    while name.startswith("robot/"):
        name = name.removeprefix("robot/")
    return f"robot/{Tf.MakeValidIdentifier(name)}"


def add_mesh(stage: Usd.Stage, path: str, mesh: SurfaceMesh, uv: F32, material: UsdShade.Material) -> None:
    """Defines a triangle mesh with normals and texture coordinates (3 T, 2) per corner, bound to a material."""
    prim = UsdGeom.Mesh.Define(stage, path)
    points = np.ascontiguousarray(mesh.vertices, np.float32)
    prim.CreatePointsAttr(Vt.Vec3fArray.FromNumpy(points))
    prim.CreateExtentAttr(Vt.Vec3fArray.FromNumpy(np.stack([points.min(axis=0), points.max(axis=0)])))
    prim.CreateFaceVertexCountsAttr(Vt.IntArray.FromNumpy(np.full(len(mesh.faces), 3, np.int32)))
    prim.CreateFaceVertexIndicesAttr(Vt.IntArray.FromNumpy(np.ascontiguousarray(mesh.faces, np.int32).ravel()))
    prim.CreateSubdivisionSchemeAttr(UsdGeom.Tokens.none)
    prim.CreateDoubleSidedAttr(True)
    prim.CreateNormalsAttr(Vt.Vec3fArray.FromNumpy(np.ascontiguousarray(mesh.corner_normal, np.float32)))
    prim.SetNormalsInterpolation(UsdGeom.Tokens.faceVarying)
    primvars, kind = UsdGeom.PrimvarsAPI(prim), Sdf.ValueTypeNames.TexCoord2fArray
    st = primvars.CreatePrimvar("st", kind, UsdGeom.Tokens.faceVarying)
    st.Set(Vt.Vec2fArray.FromNumpy(np.ascontiguousarray(uv, np.float32)))
    UsdShade.MaterialBindingAPI.Apply(prim.GetPrim()).Bind(material)


def add_textured_mesh(
    stage: Usd.Stage, path: str, mesh: SurfaceMesh, finish: Finish, textures: Path, mdl: bool
) -> None:
    """Defines a mesh and, beside it, its material `<path>_material`, whose picture goes to a folder of textures."""
    image, uv = _picture(mesh)
    picture = texture_file(textures, image, mesh.texture is None)
    file = relative(picture, Path(stage.GetRootLayer().realPath).parent)
    add_mesh(stage, path, mesh, uv, add_material(stage, f"{path}_material", file, finish, mdl))


def block_mesh(block: Block, material: MaterialLook) -> tuple[SurfaceMesh, F32]:
    """A box in base as a mesh, and its texture coordinates (36, 2): the ray tracer's `flat_surface`."""
    corners = np.array([[i, j, k] for i in (0, 1) for j in (0, 1) for k in (0, 1)], np.float64)
    points = np.array(block.lower) + corners * (np.array(block.upper) - block.lower)
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    faces = np.array([(a, b, c, a, c, d) for a, b, c, d in quads], np.int32).reshape(-1, 3)
    normal = np.repeat(np.repeat(np.eye(3)[[0, 0, 1, 1, 2, 2]] * np.array([[-1], [1]] * 3), 2, axis=0), 3, axis=0)
    plane = np.repeat(np.array([(1, 2), (0, 2), (0, 1)]), 12, axis=0)
    surface = np.take_along_axis(points[faces].reshape(-1, 3), plane, axis=1)
    mesh = SurfaceMesh("block", points.astype("f4"), faces, normal.astype("f4"), np.ones((12, 3), np.float32))
    return mesh, texture_coordinates(surface, material).astype(np.float32)


def set_poses(prim: UsdGeom.Xformable, R: F64, p: F64, scale: float = 1.0) -> None:
    """Moves a prim: rotations (F, 3, 3), positions (F, 3) [m] in base, one per time code from 0 on. Frames between two
    equal ones are left out, and all but one of what never moves."""
    turn = se3.quat_from_matrix(R)
    aside = np.concatenate([[1.0], np.sign(np.sum(turn[1:] * turn[:-1], axis=1))])
    turn *= np.cumprod(np.where(aside < 0, -1.0, 1.0))[:, None]
    for rows, op, kind in (
        (p, prim.AddTranslateOp(UsdGeom.XformOp.PrecisionDouble), Gf.Vec3d),
        (turn, prim.AddOrientOp(UsdGeom.XformOp.PrecisionDouble), _quaternion),
    ):
        frames = _frames_that_matter(rows)
        for f in frames:
            value = kind(*rows[f].tolist())
            op.Set(value) if len(frames) == 1 else op.Set(value, float(f))
    if scale != 1.0:
        prim.AddScaleOp(UsdGeom.XformOp.PrecisionDouble).Set(Gf.Vec3d(scale, scale, scale))


def _quaternion(w: float, x: float, y: float, z: float) -> Any:
    return Gf.Quatd(w, Gf.Vec3d(x, y, z))


def _frames_that_matter(rows: F64) -> list[int]:
    changed = np.any(rows[1:] != rows[:-1], axis=1)
    if not changed.any():
        return [0]
    before, after = np.concatenate([[True], changed]), np.concatenate([changed, [True]])
    return np.flatnonzero(before | after).tolist()


def _picture(mesh: SurfaceMesh) -> tuple[NDArray[np.uint8], F32]:
    """A mesh's texture, or a palette of its colours, and its corners' places (3 T, 2) in it."""
    if mesh.texture is not None and mesh.corner_uv is not None:
        return mesh.texture, mesh.corner_uv
    return palette(mesh.face_color)


def _asset(path: Path, root: str, fill: Callable[[Usd.Stage, Path], None]) -> Path:
    def write(staging: Path) -> None:
        stage = new_stage(staging, root)
        fill(stage, staging.parent)
        stage.Save()

    return once(path, write)


def _digest(mdl: bool, *content: Any) -> str:
    digest = sha256(repr((VERSION, mdl, *(item for item in content if not isinstance(item, SurfaceMesh)))).encode())
    for mesh in (item for item in content if isinstance(item, SurfaceMesh)):
        arrays: Sequence[Any] = (mesh.vertices, mesh.faces, mesh.corner_normal, mesh.face_color)
        for array in (*arrays, *(a for a in (mesh.corner_uv, mesh.texture) if a is not None)):
            digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:12]
