"""The ray tracer against geometry: boxes, depth, masks, light; and against itself: batches, repetition, stillness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import mujoco
import numpy as np
import pytest
import trimesh
import warp as wp
from numpy.typing import ArrayLike, NDArray

from syngrasp import se3
from syngrasp.errors import SyngraspError, UnknownName
from syngrasp.records import ObjectModel, Rollout
from syngrasp.rendering.annotate import BACKGROUND, FIRST_OBJECT, ROBOT, TABLE, boxes_from_masks
from syngrasp.rendering.cameras import project
from syngrasp.rendering.look import Look
from syngrasp.rendering.mjwarp import types
from syngrasp.rendering.mjwarp.compose import compose_still, dim_still
from syngrasp.rendering.mjwarp.renderer import MjWarpRenderer, TraceOptions
from syngrasp.rendering.mjwarp.stage import empty_layer
from syngrasp.robots.base import Robot
from syngrasp.warp_device import start_warp
from tests.rendering import scenes
from tests.rendering.conftest import SIZE, Shot


def world_vertices(shot: Shot, frame: int, i: int) -> np.ndarray:
    T = se3.matrix_from_pose7(shot.rollout.object_pose[frame, i])
    return se3.transform(T, shot.rollout.scene.objects[i].scale * shot.models[i].visual.vertices)


def project_box(
    points: ArrayLike, T_base_camera: ArrayLike, intrinsics: ArrayLike, size: Sequence[int]
) -> NDArray[np.float32]:
    """Box (4,) x0 y0 x1 y1 [px] around the projection of points (N, 3), clipped to the image (width, height).

    NaN when it lies outside or reaches behind the camera.
    """
    pixels, depth = project(points, T_base_camera, intrinsics)
    box = np.concatenate([pixels.min(axis=0), pixels.max(axis=0)]) if (depth > 0).all() else np.full(4, np.nan)
    clipped = np.clip(box, 0.0, [*size, *size])
    empty = not (clipped[2] > clipped[0] and clipped[3] > clipped[1])
    return np.full(4, np.nan, np.float32) if empty else clipped.astype(np.float32)


def pixel_rays(look: Look, camera: int) -> tuple[np.ndarray, np.ndarray]:
    """Origin (3,) and directions (H, W, 3) of length 1 along the optical axis, through pixel centres, in base."""
    K, T = look.cameras[camera].intrinsics(SIZE, SIZE), look.cameras[camera].T_base_camera()
    v, u = np.mgrid[:SIZE, :SIZE] + 0.5
    local = np.stack([(u - K[0, 2]) / K[0, 0], (v - K[1, 2]) / K[1, 1], np.ones_like(u)], -1)
    return T[:3, 3], local @ T[:3, :3].T


@pytest.mark.parametrize("frame", [0, -1])
def test_box_is_the_projected_meshs(shot: Shot, frame: int) -> None:
    boxes, visible = boxes_from_masks(shot.pictures.masks, len(shot.models))
    alone = 0
    for c, camera in enumerate(shot.look.cameras):
        for i in range(len(shot.models)):
            K = camera.intrinsics(SIZE, SIZE)
            expected = project_box(world_vertices(shot, frame, i), camera.T_base_camera(), K, (SIZE, SIZE))
            others = [
                project_box(world_vertices(shot, frame, j), camera.T_base_camera(), K, (SIZE, SIZE))
                for j in range(len(shot.models))
                if j != i
            ]
            apart = all(
                o[0] > expected[2] + 1 or o[2] < expected[0] - 1 or o[1] > expected[3] + 1 or o[3] < expected[1] - 1
                for o in others
            )
            if apart and visible[frame, c, i]:
                alone += 1
                np.testing.assert_allclose(boxes[frame, c, i], expected, atol=1.0)
    assert alone >= 4


def test_depth_of_the_table_is_the_planes(shot: Shot) -> None:
    for c in range(2):
        origin, rays = pixel_rays(shot.look, c)
        with np.errstate(divide="ignore"):
            plane = (shot.rollout.scene.table_height - origin[2]) / rays[..., 2]
        point = origin + rays * plane[..., None]
        (x, y), (w, d) = shot.rollout.scene.table_center, shot.rollout.scene.table_size
        top = (np.abs(point[..., 0] - x) < 0.5 * w - 0.01) & (np.abs(point[..., 1] - y) < 0.5 * d - 0.01) & (plane > 0)
        seen = top & (shot.pictures.masks[0, c] == TABLE)
        assert seen.sum() > 1000
        assert np.abs(shot.pictures.depth[0, c][seen] - 1000.0 * plane[seen]).max() <= 0.6


def test_masks_and_depth_are_mujocos_ray_caster(robot: Robot, shot: Shot) -> None:
    spec = mujoco.MjSpec()
    names = robot.add_to(spec, visual=True, collision=False, servos=False)
    for i, model in enumerate(shot.models):
        spec.add_mesh(name=f"m{i}", uservert=model.visual.vertices.ravel(), userface=model.visual.faces.ravel())
        pose = shot.rollout.object_pose[-1, i].astype(float)
        body = spec.worldbody.add_body(name=f"object{i}", pos=pose[:3], quat=pose[3:])
        body.add_geom(name=f"object{i}", type=mujoco.mjtGeom.mjGEOM_MESH, meshname=f"m{i}")
    compiled = spec.compile()
    data = mujoco.MjData(compiled)
    for name, q in zip(names.joints, shot.rollout.joint_position[-1], strict=True):
        data.qpos[compiled.joint(name).qposadr[0]] = q
    for name, q in zip(names.finger_joints, robot.finger_positions(shot.rollout.gripper_width[-1]), strict=True):
        data.qpos[compiled.joint(name).qposadr[0]] = q
    mujoco.mj_forward(compiled, data)
    geoms = [compiled.geom(g).name for g in range(compiled.ngeom)]
    label = np.array([ROBOT if name.startswith("robot/") else FIRST_OBJECT + int(name[6:]) for name in geoms])
    agree, total = 0, 0
    for c in range(2):
        origin, rays = pixel_rays(shot.look, c)
        rays = rays[::3, ::3].reshape(-1, 3)
        geom, distance = np.full(len(rays), -1, np.int32), np.empty(len(rays))
        mujoco.mj_multiRay(compiled, data, origin, rays.ravel(), None, True, -1, geom, distance, None, len(rays), 1e9)
        mask = shot.pictures.masks[-1, c, ::3, ::3].ravel()
        depth = shot.pictures.depth[-1, c, ::3, ::3].ravel()
        expected = np.where(geom >= 0, label[geom], BACKGROUND)
        mine = np.where(mask == TABLE, BACKGROUND, mask)
        either = (expected > 0) | (mine > 0)
        agree, total = agree + (either & (expected == mine)).sum(), total + either.sum()
        both = either & (expected == mine) & (geom >= 0)
        assert np.abs(depth[both] - 1000.0 * distance[both]).max() <= 1.0
    assert total > 200
    assert agree / total > 0.98


def test_pixels_repeat_and_do_not_depend_on_the_batch(robot: Robot, shot: Shot) -> None:
    for batch in (1, 5):
        again = MjWarpRenderer(robot, SIZE, SIZE, TraceOptions(batch=batch)).render(
            shot.rollout, shot.models, shot.look
        )
        assert again is not None
        np.testing.assert_array_equal(again.images, shot.pictures.images)
        np.testing.assert_array_equal(again.masks, shot.pictures.masks)
        np.testing.assert_array_equal(again.depth, shot.pictures.depth)


def test_what_stands_still_looks_as_if_it_moved(renderer: MjWarpRenderer, shot: Shot) -> None:
    """The still layer against tracing everything in every frame: objects that jump away after frame 0 are traced."""
    jumping = np.repeat(shot.rollout.object_pose[:1], 2, axis=0)
    jumping[1, :, 2] += 0.5
    fields = ("joint_position", "joint_velocity", "gripper_width", "ee_pose", "action", "goal_pose", "phase")
    short = {name: getattr(shot.rollout, name)[:2] for name in fields}
    look = replace(shot.look, sensor=replace(shot.look.sensor, noise=0.0))
    still = renderer.render(
        replace(shot.rollout, **short, object_pose=np.repeat(jumping[:1], 2, axis=0)), shot.models, look
    )
    traced = renderer.render(replace(shot.rollout, **short, object_pose=jumping), shot.models, look)
    assert still is not None
    assert traced is not None
    np.testing.assert_array_equal(traced.masks[0], still.masks[0])
    assert np.abs(traced.depth[0].astype(int) - still.depth[0].astype(int)).max() <= 1
    difference = np.abs(traced.images[0].astype(float) - still.images[0])
    assert difference.mean() < 4.0  # the sky's shade under objects is cast by still ones only


def test_textures_are_upright(shot: Shot) -> None:
    """Object 3's texture is red above and blue below."""
    mask = shot.pictures.masks[0, 1] == FIRST_OBJECT + 3
    rows = np.flatnonzero(mask.any(axis=1))
    image = shot.pictures.images[0, 1].astype(int)
    third = len(rows) // 3
    upper, lower = np.zeros_like(mask), np.zeros_like(mask)
    upper[rows[:third]], lower[rows[-third:]] = True, True
    assert (image[..., 0] - image[..., 2])[mask & upper].mean() > 30
    assert (image[..., 2] - image[..., 0])[mask & lower].mean() > 30


def test_a_patch_of_an_atlas_keeps_its_colour(robot: Robot, renderer: MjWarpRenderer, look: Look) -> None:
    """A blue texture with a yellow patch of 8 pixels: faces that have their colour from it are yellow from afar too."""
    texture = np.zeros((512, 512, 3), np.uint8)
    texture[:], texture[-8:, :8] = (10, 20, 200), (230, 190, 20)
    box = trimesh.creation.box((0.06, 0.05, 0.08))
    uv = np.full((3 * len(box.faces), 2), 4.0 / 512, np.float32)
    below = np.flatnonzero(np.repeat(box.face_normals[:, 2] < -0.5, 3))
    uv[below] = np.tile([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)], (2, 1))  # what nobody sees spans all of the atlas
    models = [scenes.object_model("lid", box, (1.0, 1.0, 1.0), uv=uv, texture=texture)]
    rollout = scenes.rollout(scenes.scene(models), robot.q_home, robot.q_home, 1)
    pictures = renderer.render(rollout, models, look)
    assert pictures is not None
    seen = pictures.images[0, 0][pictures.masks[0, 0] == 3].astype(float)
    assert len(seen) > 20
    assert (seen[:, 0] > 2.0 * seen[:, 2]).mean() > 0.8  # all but its outline


def test_scale_scales(renderer: MjWarpRenderer, shot: Shot) -> None:
    scene = shot.rollout.scene
    grown = tuple(replace(placed, scale=1.3) for placed in scene.objects)
    bigger = replace(shot, rollout=replace(shot.rollout, scene=replace(scene, objects=grown)))
    pictures = renderer.render(bigger.rollout, shot.models, shot.look)
    assert pictures is not None
    boxes, _ = boxes_from_masks(pictures.masks, len(shot.models))
    camera = shot.look.cameras[1]
    K = camera.intrinsics(SIZE, SIZE)
    # the card stands nearest to the side camera; the table swallows its lower edge
    expected = project_box(world_vertices(bigger, 0, 3), camera.T_base_camera(), K, (SIZE, SIZE))
    np.testing.assert_allclose(boxes[0, 1, 3][:3], expected[:3], atol=1.0)


def test_a_lamp_casts_the_shadow_that_geometry_says(robot: Robot, look: Look) -> None:
    """A ball hangs under a small lamp, once still and once moving; its shadow lies on the line through both."""
    models = scenes.household()[2:3]
    scene = scenes.scene(models)
    lamp = replace(look.lights[0], kind="point", position=(0.35, 0.15, 1.2), radius=0.01, intensity=1.0)
    dim = replace(look.environment, intensity=0.1)
    look = replace(look, lights=(lamp,), environment=dim, sensor=replace(look.sensor, noise=0.0))
    ball = np.array([0.45, 0.1, 0.25])
    q = robot.q_home.copy()
    q[1] -= 0.8
    rollout = scenes.rollout(scene, q, q + 0.01, 2)
    on_table = np.array(lamp.position) + (ball - lamp.position) * 1.2 / (1.2 - ball[2])
    camera = look.cameras[1]
    pixel = camera.intrinsics(SIZE, SIZE) @ se3.transform(se3.invert(camera.T_base_camera()), on_table[None])[0]
    column, row = (pixel[:2] / pixel[2]).astype(int)
    for move in (0.0, 0.4):
        poses = np.tile(scenes.unit_pose(tuple(ball)), (2, 1, 1)).astype(np.float32)
        poses[1, 0, 2] += move
        pictures = MjWarpRenderer(robot, SIZE, SIZE).render(replace(rollout, object_pose=poses), models, look)
        assert pictures is not None
        image = pictures.images[0, 1].astype(float).mean(axis=-1)
        around = np.r_[image[row, column - 14 : column - 10], image[row, column + 10 : column + 14]]
        assert image[row - 1 : row + 2, column - 1 : column + 2].mean() < 0.8 * around.mean()


def test_refusal_comes_before_shading(renderer: MjWarpRenderer, shot: Shot) -> None:
    seen = []
    assert renderer.render(shot.rollout, shot.models, shot.look, accept=lambda masks: bool(seen.append(masks))) is None
    np.testing.assert_array_equal(seen[0], shot.pictures.masks[0])


def test_unknown_and_missing_devices_are_named(robot: Robot) -> None:
    with pytest.raises(UnknownName, match="cpu, cuda"):
        MjWarpRenderer(robot, 16, 16, device="tpu")
    import warp as wp

    if not wp.is_cuda_available():
        with pytest.raises(SyngraspError, match="no CUDA device"):
            MjWarpRenderer(robot, 16, 16, device="cuda")


def test_labels_alone_are_the_pictures(renderer: MjWarpRenderer, shot: Shot) -> None:
    masks, depth = renderer.trace_labels(shot.rollout, shot.models, shot.look)
    np.testing.assert_array_equal(masks, shot.pictures.masks)
    np.testing.assert_array_equal(depth, shot.pictures.depth)


def test_more_samples_keep_labels_and_light(robot: Robot, shot: Shot) -> None:
    fine = MjWarpRenderer(robot, SIZE, SIZE, TraceOptions(samples=4)).render(shot.rollout, shot.models, shot.look)
    assert fine is not None
    np.testing.assert_array_equal(fine.masks, shot.pictures.masks)
    np.testing.assert_array_equal(fine.depth, shot.pictures.depth)
    difference = fine.images.astype(float) - shot.pictures.images
    assert abs(difference.mean()) < 1.5
    assert np.abs(difference).mean() < 5.0


def glass_scene(look: Look, robot: Robot, transmission: float) -> tuple[Rollout, list[ObjectModel], Look]:
    """A white block alone on the table."""
    models = [scenes.object_model("pane", trimesh.creation.box((0.06, 0.04, 0.10)), (1.0, 1.0, 1.0))]
    q = robot.q_home.copy()
    q[1] -= 0.8
    glass = replace(look.objects[0], transmission=transmission, ior=1.0, roughness=0.1)
    materials = tuple(
        replace(m, family="checker", tile=0.25, seed=1) if m.name == "table" else m for m in look.materials
    )
    look = replace(look, objects=(glass,), materials=materials, sensor=replace(look.sensor, noise=0.0))
    return scenes.rollout(scenes.scene(models), q, q + 0.01, 2), models, look


def test_glass_shows_what_is_behind_it_and_labels_itself(robot: Robot, renderer: MjWarpRenderer, look: Look) -> None:
    """Glass that bends nothing (index 1) against a picture without the object, and against an opaque one."""
    rollout, models, clear_look = glass_scene(look, robot, 1.0)
    clear = renderer.render(rollout, models, clear_look)
    solid = renderer.render(*glass_scene(look, robot, 0.0))
    gone = replace(rollout, object_pose=rollout.object_pose + np.array([0, 0, 5, 0, 0, 0, 0], np.float32))
    empty = renderer.render(gone, models, clear_look)
    assert clear is not None
    assert solid is not None
    assert empty is not None
    np.testing.assert_array_equal(clear.masks, solid.masks)
    np.testing.assert_array_equal(clear.depth, solid.depth)
    inside = clear.masks[0, 1] == FIRST_OBJECT
    assert inside.sum() > 100
    off = {name: np.abs(p.images[0, 1].astype(float) - empty.images[0, 1])[inside].mean() for name, p in
           (("clear", clear), ("solid", solid))}  # fmt: skip
    assert off["clear"] < 0.5 * off["solid"]
    green = tuple(replace(m, tint=(0.2, 0.9, 0.2)) if m.name == "table" else m for m in clear_look.materials)
    over_green = renderer.render(rollout, models, replace(clear_look, materials=green))
    assert over_green is not None
    seen = over_green.images[0, 1][inside].astype(float)
    assert (seen[:, 1] - seen[:, 0]).mean() > 30.0


def test_relief_changes_shading_but_no_label(renderer: MjWarpRenderer, shot: Shot) -> None:
    materials = tuple(replace(m, family="brick", tile=0.4, roughness=0.8, bump=0.0) if m.name == "table" else m
                      for m in shot.look.materials)  # fmt: skip
    flat_look = replace(shot.look, materials=materials, sensor=replace(shot.look.sensor, noise=0.0))
    raised = tuple(replace(m, bump=0.02) if m.name == "table" else m for m in materials)
    flat = renderer.render(shot.rollout, shot.models, flat_look)
    bumpy = renderer.render(shot.rollout, shot.models, replace(flat_look, materials=raised))
    assert flat is not None
    assert bumpy is not None
    np.testing.assert_array_equal(flat.masks, bumpy.masks)
    np.testing.assert_array_equal(flat.depth, bumpy.depth)
    table = flat.masks[0, 1] == TABLE
    difference = bumpy.images[0, 1].astype(float) - flat.images[0, 1]
    assert np.abs(difference)[table].mean() > 1.0
    assert abs(difference[table].mean()) < 4.0


def test_polished_tables_mirror_what_stands_and_what_moves(renderer: MjWarpRenderer, robot: Robot, look: Look) -> None:
    """A red block on a polished black table, once still and once moving: below it the table is redder than without."""
    models = [scenes.object_model("red block", trimesh.creation.box((0.06, 0.04, 0.10)), (0.9, 0.02, 0.02))]
    q = robot.q_home.copy()
    q[1] -= 0.8
    rollout = scenes.rollout(scenes.scene(models), q, q + 0.01, 2)
    jump = np.array([0, 0, 5, 0, 0, 0, 0], np.float32)
    jumping = rollout.object_pose.copy()
    jumping[1] += jump
    for roughness, least in ((0.15, 4.0), (0.9, -4.0)):
        materials = tuple(replace(m, family="plain", tint=(0.02, 0.02, 0.02), roughness=roughness, metallic=0.0)
                          if m.name == "table" else m for m in look.materials)  # fmt: skip
        black = replace(look, materials=materials, sensor=replace(look.sensor, noise=0.0), lights=())
        gone = renderer.render(replace(rollout, object_pose=rollout.object_pose + jump), models, black)
        assert gone is not None
        for poses in (rollout.object_pose, jumping):
            there = renderer.render(replace(rollout, object_pose=poses), models, black)
            assert there is not None
            rows, columns = np.nonzero(there.masks[0, 1] == FIRST_OBJECT)
            below = np.s_[rows.max() + 2 : rows.max() + 8, columns.min() + 3 : columns.max() - 2]
            red = [p.images[0, 1][below].astype(float) @ (1.0, -0.5, -0.5) for p in (there, gone)]
            more = red[0].mean() - red[1].mean()
            assert more > least
            assert roughness < 0.5 or more < 3.0


def test_mirror_images_of_moving_things_are_smooth(renderer: MjWarpRenderer, robot: Robot, look: Look) -> None:
    """What a white bar that moves high over a rough metal table changes there is free of specks."""
    models = [scenes.object_model("bar", trimesh.creation.box((0.03, 0.5, 0.03)), (0.9, 0.9, 0.9))]
    q = robot.q_home.copy()
    q[1] -= 0.8
    rollout = scenes.rollout(scenes.scene(models), q, q + 0.01, 2)
    poses, far = rollout.object_pose.copy(), np.array([0, 0, 5, 0, 0, 0, 0], np.float32)
    poses[:, 0, :3] = [[0.45, 0.0, 0.2], [0.45, 0.0, 0.22]]
    materials = tuple(replace(m, family="plain", tint=(0.5, 0.5, 0.5), roughness=0.35, metallic=1.0, bump=0.0)
                      if m.name == "table" else m for m in look.materials)  # fmt: skip
    metal = replace(look, materials=materials, sensor=replace(look.sensor, noise=0.0, blur=0.0), lights=())
    there = renderer.render(replace(rollout, object_pose=poses), models, metal)
    gone = renderer.render(replace(rollout, object_pose=poses + far), models, metal)
    assert there is not None
    assert gone is not None
    table = (there.masks[0, 0] == TABLE) & (gone.masks[0, 0] == TABLE)
    change = np.where(table, (there.images[0, 0].astype(float) - gone.images[0, 0]).mean(axis=-1), np.nan)
    bend = np.abs(np.diff(change, 2, axis=1))
    assert np.nanmax(np.abs(change)) > 8.0
    assert np.nanmax(bend) < 0.2 * np.nanmax(np.abs(change))


def test_a_mirrored_shadow_has_a_mirrored_edge() -> None:
    """Evening out a shadow's edge must not depend on the order in which pixels are done."""
    width, height = 5, 9

    def evened(seen: np.ndarray) -> np.ndarray:
        layer = empty_layer(1, width * height, 1, "cpu")
        for name, value in (("label", 2), ("t", 1.0), ("open", 1.0), ("light", 1.0)):
            getattr(layer, name).fill_(value)
        layer.normal.fill_(wp.vec3(0.0, 0.0, 1.0))
        layer.seen.assign(seen.reshape(1, -1, 1).astype(np.float32))
        world = types.World()
        world.lights = wp.array(np.ones(1, types.Light.numpy_dtype()), dtype=types.Light)
        held, shares = wp.array([layer], dtype=types.StillLayer), wp.zeros((1, width * height, 1), dtype=float)
        inputs = [wp.array([world], dtype=types.World), width, height, held, shares]
        wp.launch(compose_still, (1, width * height), inputs=inputs, device="cpu")
        wp.launch(dim_still, shares.shape, inputs=[held, shares], device="cpu")
        return layer.light.numpy()[0, :, 0, 0].reshape(height, width)

    start_warp("cpu", "device")
    above = np.zeros((height, width), np.float32)
    above[:4] = 1.0
    found = evened(above)
    np.testing.assert_array_equal(evened(above[::-1].copy()), found[::-1])
    assert found[0, 2] == 1.0
    assert found[-1, 2] == 0.0
    assert 0.0 < found[4, 2] < found[3, 2] < 1.0
