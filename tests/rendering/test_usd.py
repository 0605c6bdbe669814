"""USD stages: they open without a complaint, and say of poses, cameras, light and colours what the look says."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from syngrasp import se3
from syngrasp.rendering.annotate import FIRST_OBJECT, boxes_from_masks
from syngrasp.rendering.blackbody import blackbody
from syngrasp.rendering.environment.maps import directions, environment_map
from syngrasp.rendering.exr import exr_bytes
from syngrasp.rendering.furniture import furniture
from syngrasp.rendering.look import LightLook, Look
from syngrasp.rendering.mitsuba.variant import import_mitsuba
from syngrasp.rendering.parts import RobotMeshes
from syngrasp.robots.base import Robot
from tests.rendering.conftest import SIZE, Shot

pytest.importorskip("pxr", reason="usd-core is not installed: pip install 'syngrasp[usd]'")

from pxr import Gf, Usd, UsdGeom, UsdLux, UsdSemantics, UsdShade, UsdValidation

from syngrasp.rendering.usd import meshes as usd_meshes
from syngrasp.rendering.usd.episode import UsdEpisode, write_episode
from syngrasp.rendering.usd.lights import NITS, dome_picture, light_intensity
from syngrasp.rendering.usd.materials import palette

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


@pytest.fixture(scope="module")
def meshes(robot: Robot) -> RobotMeshes:
    return RobotMeshes(robot)


@pytest.fixture(scope="module")
def colourful(look: Look) -> Look:
    """Each kind of light, a tinted robot, one object of glass."""
    lamp = LightLook("point", (0.9, -0.8, 1.4), (0.0, 0.0, -1.0), 0.07, 3000.0, 0.6, 0.7)
    slant = tuple(float(x) for x in np.array([0.3, -0.4, -1.2]) / 1.3)
    lights = (lamp, replace(lamp, kind="spot", direction=slant), replace(lamp, kind="directional", direction=slant))
    glass = replace(look.objects[1], transmission=0.9, ior=1.45, tint=(0.9, 1.0, 0.8))
    return replace(look, lights=lights, objects=(look.objects[0], glass, *look.objects[2:]))


@pytest.fixture(scope="module")
def written(shot: Shot, colourful: Look, meshes: RobotMeshes, tmp_path_factory: pytest.TempPathFactory) -> UsdEpisode:
    folder = tmp_path_factory.mktemp("usd")
    path = folder / "episodes" / "000000.usdc"
    size = {"width": SIZE, "height": SIZE}
    return write_episode(path, shot.rollout, shot.models, colourful, meshes, **size, assets=folder / "assets")


@pytest.fixture(scope="module")
def stage(written: UsdEpisode) -> Usd.Stage:
    return Usd.Stage.Open(str(written.path))


def complaints(path: Path) -> set[str]:
    """What usd-core's validators say of a stage."""
    validators = UsdValidation.ValidationRegistry().GetOrLoadAllValidators()
    found = UsdValidation.ValidationContext(validators).Validate(Usd.Stage.Open(str(path)))
    return {error.GetMessage() for error in found}


def world(stage: Usd.Stage, path: str, frame: int = 0) -> np.ndarray:
    """T_base_prim (4, 4) as USD computes it."""
    prim = stage.GetPrimAtPath(path)
    assert prim, path
    return np.array(UsdGeom.XformCache(Usd.TimeCode(frame)).GetLocalToWorldTransform(prim)).T


# --- the files ---


def test_nothing_is_to_complain_of_wherever_the_folder_lies(written: UsdEpisode, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere"
    shutil.copytree(written.path.parents[1], moved)
    files = sorted(moved.rglob("*.usdc"))
    assert len(files) == 1 + 4 + 1
    assert {path: complaints(path) for path in files} == {path: set() for path in files}
    assert not list(moved.rglob(".*")), "nothing unfinished is left behind"


def test_only_what_omniverse_alone_has_is_to_complain_of_with_its_shaders(
    shot: Shot, colourful: Look, meshes: RobotMeshes, tmp_path: Path
) -> None:
    size = {"width": SIZE, "height": SIZE}
    found = write_episode(tmp_path / "e.usdc", shot.rollout, shot.models, colourful, meshes, **size, mdl=True)
    told = complaints(found.path)
    assert told
    assert all("sourceType 'mdl'" in text or "OmniPBR.mdl" in text or "OmniGlass.mdl" in text for text in told)
    opened = Usd.Stage.Open(str(found.path))
    for name, module in (("object0", "OmniPBR"), ("object1", "OmniGlass")):
        material = UsdShade.Material(opened.GetPrimAtPath(f"/World/objects/{name}/material"))
        shader = material.ComputeSurfaceSource("mdl")[0]
        assert shader.GetSourceAsset("mdl").path == f"{module}.mdl"


def test_episodes_share_assets_and_the_same_episode_gives_the_same_files(
    shot: Shot, colourful: Look, meshes: RobotMeshes, tmp_path: Path
) -> None:
    size = {"width": SIZE, "height": SIZE}
    times = []
    for name in ("a", "b"):
        write_episode(tmp_path / f"{name}.usdc", shot.rollout, shot.models, colourful, meshes, **size)
        times.append({p: p.stat().st_mtime_ns for p in tmp_path.rglob("assets/**/*") if p.is_file()})
    assert times[0] == times[1]
    assert (tmp_path / "a.usdc").read_bytes() == (tmp_path / "b.usdc").read_bytes()


def test_what_a_stage_says_of_itself(stage: Usd.Stage, written: UsdEpisode, shot: Shot, colourful: Look) -> None:
    assert UsdGeom.GetStageMetersPerUnit(stage) == 1.0
    assert UsdGeom.GetStageUpAxis(stage) == UsdGeom.Tokens.z
    assert (stage.GetStartTimeCode(), stage.GetEndTimeCode()) == (0.0, written.frames - 1.0)
    assert stage.GetTimeCodesPerSecond() == pytest.approx(1.0 / shot.rollout.dt)
    story = stage.GetDefaultPrim().GetCustomDataByKey("syngrasp")
    assert story["instruction"] == "pick up the box"
    assert story["slot"] == {"shard": 0, "episode": 0, "attempt": 0}
    assert {uid: told["license"] for uid, told in story["licences"].items()} == {
        model.entry.uid: "CC0-1.0" for model in shot.models
    }
    assert Look.from_json(json.loads(story["look"])) == colourful


def test_a_broken_write_leaves_nothing(shot: Shot, look: Look, meshes: RobotMeshes, tmp_path: Path) -> None:
    broken = replace(look, environment=replace(look.environment, kind="nebula"))
    with pytest.raises(Exception, match="nebula"):
        write_episode(tmp_path / "e.usdc", shot.rollout, shot.models, broken, meshes, width=64, height=64)
    assert not list(tmp_path.glob("*.usdc")) + list(tmp_path.glob(".*"))


# --- poses and cameras ---


def test_poses_are_the_rollouts(stage: Usd.Stage, shot: Shot, meshes: RobotMeshes) -> None:
    rollout = shot.rollout
    T = se3.matrix_from_pose7(rollout.object_pose)
    R, p = meshes.poses(rollout.joint_position, rollout.gripper_width)
    assert len({usd_meshes.link_path(name) for name in meshes.names}) == len(meshes.names)
    worst = 0.0
    for frame in range(len(rollout.phase)):
        for i, placed in enumerate(rollout.scene.objects):
            off = world(stage, f"/World/objects/object{i}", frame) @ np.diag([*[1 / placed.scale] * 3, 1]) - T[frame, i]
            worst = max(worst, np.abs(off).max())
        for b, name in enumerate(meshes.names):
            off = world(stage, f"/World/{usd_meshes.link_path(name)}/mesh", frame) - se3.make(R[frame, b], p[frame, b])
            worst = max(worst, np.abs(off).max())
    assert worst < 1e-6


def test_quaternions_take_the_short_way_and_frames_without_news_are_left_out() -> None:
    angles = np.array([0.0, 0.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 5.0, 5.0])
    R = se3.matrix_from_rpy(np.stack([0 * angles, 0 * angles, angles], axis=-1))
    stage = Usd.Stage.CreateInMemory()
    prim = UsdGeom.Xform.Define(stage, "/x")
    usd_meshes.set_poses(prim, R, np.tile([1.0, 2.0, 3.0], (len(R), 1)))
    translate, orient = prim.GetOrderedXformOps()
    assert translate.GetTimeSamples() == []
    assert orient.GetTimeSamples() == [0, 2, 3, 4, 5, 6, 7, 9]
    for frame, T in enumerate(R):
        np.testing.assert_allclose(world(stage, "/x", frame)[:3, :3], T, atol=1e-12)
    between = np.array([[np.cos(3.5), -np.sin(3.5)], [np.sin(3.5), np.cos(3.5)]])
    np.testing.assert_allclose(world(stage, "/x", 5.5)[:2, :2], between, atol=1e-9)


def test_meshes_project_into_the_stored_boxes(stage: Usd.Stage, written: UsdEpisode, shot: Shot, look: Look) -> None:
    boxes, _ = boxes_from_masks(shot.pictures.masks, len(shot.models))
    exact = 0
    for c, camera in enumerate(look.cameras):
        usd_camera = UsdGeom.Camera(stage.GetPrimAtPath(written.cameras[camera.name]))
        for f, i in np.ndindex(len(boxes), len(shot.models)):
            if np.isnan(boxes[f, c, i]).any():
                continue
            frustum = usd_camera.GetCamera(Usd.TimeCode(f)).frustum
            to_clip = np.array(frustum.ComputeViewMatrix() * frustum.ComputeProjectionMatrix())
            mesh = UsdGeom.Mesh(stage.GetPrimAtPath(f"/World/objects/object{i}/mesh"))
            points = np.array(mesh.GetPointsAttr().Get()) @ world(stage, str(mesh.GetPath()), f)[:3, :3].T
            points += world(stage, str(mesh.GetPath()), f)[:3, 3]
            clip = np.c_[points, np.ones(len(points))] @ to_clip
            pixels = (clip[:, :2] / clip[:, 3:] * [0.5, -0.5] + 0.5) * SIZE
            whole = np.clip([*pixels.min(axis=0), *pixels.max(axis=0)], 0, SIZE)
            off = (boxes[f, c, i] - whole) * [1, 1, -1, -1]
            assert off.min() > -1.0, "what is visible lies within the mesh's box"
            exact += bool(np.abs(off).max() < 1.0)
    assert exact >= 20, "objects in full view fill their boxes"


# --- light ---


def test_lights_give_the_workspace_what_the_look_says(stage: Usd.Stage, colourful: Look, shot: Shot) -> None:
    centre = np.array([0.5, 0.0, shot.rollout.scene.table_height])
    for i, light in enumerate(colourful.lights):
        prim = stage.GetPrimAtPath(f"/World/lights/light{i}")
        api = UsdLux.LightAPI(prim)
        radiance = api.GetIntensityAttr().Get()
        np.testing.assert_allclose(api.GetColorAttr().Get(), blackbody(light.temperature), rtol=1e-6)
        T = world(stage, str(prim.GetPath()))
        if light.kind == "directional":
            assert api.GetNormalizeAttr().Get(), "intensity is the irradiance"
            irradiance = radiance
            half = np.deg2rad(UsdLux.DistantLight(prim).GetAngleAttr().Get()) / 2
            assert np.tan(half) == pytest.approx(light.radius, rel=1e-5)
        else:
            assert not api.GetNormalizeAttr().Get()
            radius, distance = UsdLux.SphereLight(prim).GetRadiusAttr().Get(), np.linalg.norm(T[:3, 3] - centre)
            edge = np.arcsin(radius / distance)  # radiance times cosine over the cap that the ball covers
            angle = (np.arange(2000) + 0.5) * edge / 2000
            irradiance = float((radiance * np.cos(angle) * np.sin(angle)).sum() * 2 * np.pi * edge / 2000)
        assert irradiance == pytest.approx(np.pi * light.intensity * NITS, rel=1e-4)
        if light.kind != "point":
            np.testing.assert_allclose(-T[:3, 2], light.direction, atol=1e-9)
        np.testing.assert_allclose(T[:3, :3].T @ T[:3, :3], np.eye(3), atol=1e-9)
    spot = UsdLux.ShapingAPI(stage.GetPrimAtPath("/World/lights/light1"))
    assert np.deg2rad(spot.GetShapingConeAngleAttr().Get()) == pytest.approx(colourful.lights[1].cone, rel=1e-6)


def test_a_lamps_intensity_does_not_depend_on_where_it_hangs() -> None:
    lamp = LightLook("point", (0.5, 0.0, 2.1), (0.0, 0.0, -1.0), 0.1, 5000.0, 0.5, 0.6)
    near, far = (light_intensity(replace(lamp, position=(0.5, 0.0, z)), 0.1) for z in (1.1, 2.1))
    assert far == pytest.approx(4 * near)


def test_the_dome_shines_from_where_the_environment_says(stage: Usd.Stage, written: UsdEpisode) -> None:
    T, height = world(stage, "/World/lights/dome"), 16
    colours = directions(height).astype(np.float32)  # a map whose colour is its own direction
    picture = dome_picture(colours)
    for row, column in np.ndindex(height, 2 * height):
        # OpenEXR: the left edge has longitude +π, the top latitude +π/2; longitude 0 is +z, π/2 is +x, up is +y.
        longitude, latitude = np.pi * (1 - (column + 0.5) / height), np.pi * (0.5 - (row + 0.5) / height)
        flat = np.cos(latitude)
        local = [flat * np.sin(longitude), np.sin(latitude), flat * np.cos(longitude)]
        np.testing.assert_allclose(T[:3, :3] @ local, picture[row, column], atol=1e-6)
    assert np.linalg.det(T[:3, :3]) == pytest.approx(1.0)
    dome = UsdLux.DomeLight(stage.GetPrimAtPath("/World/lights/dome"))
    assert dome.GetIntensityAttr().Get() == NITS
    assert dome.GetTextureFormatAttr().Get() == "latlong"
    assert Path(dome.GetTextureFileAttr().Get().resolvedPath).is_file()


@pytest.fixture
def mitsuba() -> ModuleType:
    if find_spec("mitsuba") is None:
        pytest.skip("Mitsuba, which reads OpenEXR, is not installed")
    module = import_mitsuba()
    import drjit

    drjit.set_thread_count(2)  # with one, as path tracing wants it, Mitsuba waits for ever to read OpenEXR
    module.set_variant("scalar_rgb")
    return module


@pytest.mark.parametrize("shape", [(64, 128, 3), (37, 50, 3)])
def test_other_programs_read_our_exr(tmp_path: Path, mitsuba: ModuleType, shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(0).gamma(1.0, 3.0, shape).astype(np.float32)
    for image in (noise, np.ones(shape, np.float32) * [0.25, 2.0, 1000.0]):
        (tmp_path / "a.exr").write_bytes(exr_bytes(image, latlong=True))
        np.testing.assert_array_equal(np.array(mitsuba.Bitmap(str(tmp_path / "a.exr"))), image.astype(np.float16))


def test_the_environment_is_written_whole(stage: Usd.Stage, colourful: Look, mitsuba: ModuleType) -> None:
    dome = UsdLux.DomeLight(stage.GetPrimAtPath("/World/lights/dome"))
    stored = np.array(mitsuba.Bitmap(dome.GetTextureFileAttr().Get().resolvedPath)).astype(np.float64)
    ours = environment_map(colourful.environment, len(stored))
    np.testing.assert_allclose(stored[:, ::-1], ours, rtol=1e-3)
    polar = (np.arange(len(stored)) + 0.5) * np.pi / len(stored)
    weight = np.maximum(np.cos(polar), 0) * np.sin(polar) * (np.pi / len(stored)) ** 2 / np.pi
    assert (weight @ (stored @ LUMINANCE).sum(axis=1)) == pytest.approx(colourful.environment.intensity, rel=1e-3)


# --- surfaces and labels ---


def test_furniture_is_laid_out_as_the_ray_tracer_does(stage: Usd.Stage, shot: Shot, colourful: Look) -> None:
    found = {str(prim.GetPath()): prim for prim in stage.Traverse() if prim.IsA(UsdGeom.Mesh)}
    for i, block in enumerate(furniture(shot.rollout.scene, colourful)):
        path = next(p for p in found if p.endswith(f"/{block.material}{i}"))
        mesh, material = UsdGeom.Mesh(found[path]), colourful.material(block.material)
        points = np.array(mesh.GetPointsAttr().Get())
        np.testing.assert_allclose([points.min(axis=0), points.max(axis=0)], [block.lower, block.upper], atol=1e-6)
        corners = np.array(mesh.GetFaceVertexIndicesAttr().Get()).reshape(-1, 3)
        normals = np.array(mesh.GetNormalsAttr().Get())
        a, b, c = np.moveaxis(points[corners], 1, 0)
        outward = np.cross(b - a, c - a)
        np.testing.assert_allclose(outward / np.linalg.norm(outward, axis=1)[:, None], normals[::3], atol=1e-5)
        assert ((a - points.mean(axis=0)) * normals[::3]).sum(axis=1).min() > 0
        st = np.array(UsdGeom.PrimvarsAPI(mesh).GetPrimvar("st").Get())
        for point, normal, uv in zip(points[corners].reshape(-1, 3), normals, st, strict=True):
            x, y = point[np.abs(normal) < 0.5]
            c, s = np.cos(material.angle), np.sin(material.angle)
            wanted = np.array([x * c - y * s, x * s + y * c]) / material.tile + material.offset
            np.testing.assert_allclose(uv, wanted, atol=1e-4)


def test_materials_have_the_looks_finish(stage: Usd.Stage, shot: Shot, colourful: Look) -> None:
    def value(prim: str, name: str) -> object:
        return stage.GetPrimAtPath(prim).GetAttribute(f"inputs:{name}").Get()

    for i, (model, own) in enumerate(zip(shot.models, colourful.objects, strict=True)):
        surface, texture = (f"/World/objects/object{i}/material/{name}" for name in ("surface", "texture"))
        assert value(surface, "roughness") == pytest.approx(np.clip(model.visual.roughness * own.roughness, 0.05, 1))
        assert value(surface, "opacity") == pytest.approx(1.0 - own.transmission)
        assert value(surface, "ior") == pytest.approx(own.ior)
        np.testing.assert_allclose(value(texture, "scale"), [*own.tint, 1.0], rtol=1e-6)
    assert value("/World/robot/material/surface", "roughness") == pytest.approx(colourful.robot.roughness)
    np.testing.assert_allclose(value("/World/robot/material/texture", "scale")[:3], colourful.robot.tint, rtol=1e-6)


def test_every_mesh_has_a_material_with_a_picture(stage: Usd.Stage) -> None:
    count = 0
    for prim in stage.Traverse():
        if prim.IsA(UsdGeom.Mesh):
            material, _ = UsdShade.MaterialBindingAPI(prim).ComputeBoundMaterial()
            texture = stage.GetPrimAtPath(f"{material.GetPath()}/texture")
            assert Path(texture.GetAttribute("inputs:file").Get().resolvedPath).is_file()
            count += 1
    assert count > 20


def test_a_palette_gives_each_face_its_colour() -> None:
    colours = np.random.default_rng(1).uniform(0, 1, (70, 3)).astype(np.float32)
    faces = colours[np.random.default_rng(2).integers(0, 70, 500)]
    image, uv = palette(faces)
    row = ((1 - uv[:, 1]) * len(image)).astype(int)
    column = (uv[:, 0] * image.shape[1]).astype(int)
    shown = image[row, column].reshape(-1, 3, 3) / 255.0
    linear = np.where(shown <= 0.04045, shown / 12.92, ((shown + 0.055) / 1.055) ** 2.4)
    assert np.abs(linear - faces[:, None]).max() < 0.005


def test_labels_are_those_of_the_masks(stage: Usd.Stage, written: UsdEpisode, shot: Shot) -> None:
    assert written.labels == {
        "/World/robot": 1,
        "/World/table": 2,
        **{f"/World/objects/object{i}": FIRST_OBJECT + i for i in range(4)},
    }
    names = ["robot", "table", *(model.entry.category for model in shot.models)]
    for (path, label), name in zip(written.labels.items(), names, strict=True):
        prim = stage.GetPrimAtPath(path)
        for taxonomy, word in (("class", name), ("instance", str(label))):
            attribute = UsdSemantics.LabelsAPI(prim, taxonomy).GetLabelsAttr()
            assert list(attribute.Get()) == [word]
            assert attribute.GetNumTimeSamples() == 0
        assert "SemanticsAPI:Semantics" in prim.GetPrimTypeInfo().GetAppliedAPISchemas()
        assert prim.GetAttribute("semantic:Semantics:params:semanticData").Get() == name


def test_a_camera_is_level_and_has_the_looks_field_of_view(stage: Usd.Stage, look: Look) -> None:
    for camera in look.cameras:
        frustum = UsdGeom.Camera(stage.GetPrimAtPath(f"/World/cameras/{camera.name}")).GetCamera(0.0)
        assert np.deg2rad(frustum.GetFieldOfView(Gf.Camera.FOVVertical)) == pytest.approx(camera.fovy, rel=1e-6)
        T = world(stage, f"/World/cameras/{camera.name}")
        np.testing.assert_allclose(T, camera.T_base_camera() @ np.diag([1, -1, -1, 1]), atol=1e-12)
