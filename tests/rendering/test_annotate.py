"""The rasteriser against a ray caster and closed forms; annotations against pictures of each object alone."""

from __future__ import annotations

import colorsys
from dataclasses import replace

import numpy as np
import pytest
import trimesh
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.rendering.annotate import BACKGROUND, FIRST_OBJECT, annotate, impression, visibility
from syngrasp.rendering.furniture import furniture
from syngrasp.rendering.look import CameraLook
from syngrasp.rendering.parts import RobotMeshes, scene_parts
from syngrasp.rendering.rasterize import NEAR, Canvas, rasterize
from syngrasp.robots.base import Robot
from tests.rendering import scenes
from tests.rendering.conftest import SIZE, Shot

K = np.array([[90.0, 0.0, 40.0], [0.0, 90.0, 32.0], [0.0, 0.0, 1.0]])
WIDTH, HEIGHT = 80, 64


def camera_rays(width: int, height: int, K: NDArray[np.float64]) -> NDArray[np.float64]:
    """(H · W, 3) through the pixels' centres, in camera axes, z = 1."""
    y, x = np.mgrid[:height, :width] + 0.5
    return np.stack([(x - K[0, 2]) / K[0, 0], (y - K[1, 2]) / K[1, 1], np.ones_like(x)], -1).reshape(-1, 3)


def random_mesh(seed: int) -> trimesh.Trimesh:
    """Triangles in front of, behind and around the camera."""
    random = np.random.default_rng(seed)
    corners = random.uniform(-1.5, 1.5, (120, 1, 3)) + random.normal(0.0, 0.4, (120, 3, 3))
    return trimesh.Trimesh(corners.reshape(-1, 3), np.arange(360).reshape(-1, 3), process=False)


@pytest.mark.parametrize("seed", range(5))
def test_every_pixel_is_what_a_ray_through_its_centre_hits(seed: int) -> None:
    mesh, random = random_mesh(seed), np.random.default_rng(seed)
    T = se3.make(se3.random_rotation(random), random.uniform(-0.2, 0.2, 3))
    label, depth = rasterize(mesh.vertices, mesh.faces.astype(np.int32), T, K, WIDTH, HEIGHT)
    rays = camera_rays(WIDTH, HEIGHT, K)
    # Every ray with every triangle (Möller and Trumbore 1997), in camera axes: the ray's parameter is the depth.
    a, b, c = np.moveaxis(se3.transform(se3.invert(T), mesh.vertices).reshape(-1, 3, 3), 1, 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = np.cross(rays[:, None], c - a)
        scale = 1.0 / (p * (b - a)).sum(-1)
        u = -(p * a).sum(-1) * scale
        q = np.cross(-a, b - a)
        v, t = (rays[:, None] * q).sum(-1) * scale, ((c - a) * q).sum(-1) * scale
    hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (t >= NEAR)
    expected = np.where(hit, t, np.inf).min(axis=1).reshape(HEIGHT, WIDTH)
    assert np.isfinite(expected).mean() > 0.1
    np.testing.assert_array_equal(label > 0, np.isfinite(expected))
    np.testing.assert_allclose(depth, expected, rtol=1e-9)


def test_a_plane_through_the_camera_is_cut_at_the_near_plane() -> None:
    """A floor under the camera that runs from behind it to far away: every pixel below the horizon, depth K·h/row."""
    corners = np.array([[-1e3, 0.5, -1e3], [1e3, 0.5, -1e3], [1e3, 0.5, 1e3], [-1e3, 0.5, 1e3]])
    faces = np.array([[0, 1, 2], [0, 2, 3]], np.int32)
    label, depth = rasterize(corners, faces, np.eye(4), K, WIDTH, HEIGHT)
    rows = np.arange(HEIGHT) + 0.5 - K[1, 2]
    assert (label[rows < 0] == 0).all()
    assert (label[rows > 0] == 1).all()
    np.testing.assert_allclose(depth[rows > 0, 7], K[1, 1] * 0.5 / rows[rows > 0], rtol=1e-9)
    wall, _ = rasterize(corners[:, [0, 2, 1]], faces, np.eye(4), K, WIDTH, HEIGHT)
    assert wall.all()  # half a metre away and a kilometre wide: nothing is lost at the image's border
    behind, _ = rasterize(corners - [0, 0, 2e3], faces, np.eye(4), K, WIDTH, HEIGHT)
    assert not behind.any()


def test_shared_edges_leave_no_gap_and_are_no_thicker_than_their_mesh() -> None:
    """A ball's silhouette against its closed form: a pixel is covered where its ray meets the ball."""
    ball = trimesh.creation.icosphere(6, 0.3)
    centre = np.array([0.1, -0.05, 1.2])
    label, depth = rasterize(ball.vertices + centre, ball.faces.astype(np.int32), np.eye(4), K, WIDTH, HEIGHT)
    rays = camera_rays(WIDTH, HEIGHT, K)
    along = rays @ centre / (rays**2).sum(-1)
    distance = np.linalg.norm(along[:, None] * rays - centre, axis=-1).reshape(HEIGHT, WIDTH)
    assert label[distance < 0.3 * 0.998].all()
    assert not label[distance > 0.3].any()
    t = along - np.sqrt(np.maximum(along**2 - (centre @ centre - 0.09) / (rays**2).sum(-1), 0.0))
    inside = distance < 0.29
    np.testing.assert_allclose(depth[inside], t.reshape(HEIGHT, WIDTH)[inside], atol=1e-3)


def reference(shot: Shot, robot: Robot, frame: int, c: int) -> Canvas:
    """The whole scene drawn by the rasteriser."""
    camera, canvas = shot.look.cameras[c], Canvas.blank(SIZE, SIZE)
    T, K = camera.T_base_camera(), camera.intrinsics(SIZE, SIZE)
    for part in scene_parts(shot.rollout, shot.models, shot.look, RobotMeshes(robot)):
        vertices = part.p[frame] + part.scale * part.mesh.vertices @ part.R[frame].T
        canvas.draw(vertices, part.mesh.faces, T, K, part.label)
    for block in furniture(shot.rollout.scene, shot.look):
        box = trimesh.creation.box(bounds=(block.lower, block.upper))
        canvas.draw(box.vertices, box.faces.astype(np.int32), T, K, block.label)
    return canvas


@pytest.mark.parametrize("frame", [0, 4])
@pytest.mark.parametrize("c", [0, 1])
def test_the_ray_tracers_masks_and_depth_are_the_rasterisers(shot: Shot, robot: Robot, frame: int, c: int) -> None:
    canvas, mask = reference(shot, robot, frame, c), shot.pictures.masks[frame, c]
    for label in np.unique(canvas.label[canvas.label != BACKGROUND]):
        mine, theirs = canvas.label == label, mask == label
        assert (mine & theirs).sum() >= 0.98 * (mine | theirs).sum(), f"label {label}"
    same = (canvas.label == mask) & np.isfinite(canvas.depth) & (canvas.depth < 60.0)
    error = np.abs(shot.pictures.depth[frame, c][same] - 1000.0 * canvas.depth[same])
    assert np.quantile(error, 0.999) <= 1.0
    assert same.mean() > 0.9


def test_annotations_are_those_of_each_object_drawn_alone(shot: Shot) -> None:
    found = annotate(shot.rollout, shot.models, shot.look.cameras, shot.pictures.masks)
    hidden_somewhere = 0
    for f, c, i in np.ndindex(found.occlusion.shape):
        camera, placed = shot.look.cameras[c], shot.rollout.scene.objects[i]
        T_base_object = se3.matrix_from_pose7(shot.rollout.object_pose[f, i].astype(np.float64))
        vertices = se3.transform(T_base_object, placed.scale * shot.models[i].visual.vertices.astype(np.float64))
        K = camera.intrinsics(SIZE, SIZE)
        alone, _ = rasterize(vertices, shot.models[i].visual.faces, camera.T_base_camera(), K, SIZE, SIZE)
        mask = shot.pictures.masks[f, c]
        hidden = (alone > 0) & (mask != FIRST_OBJECT + i)
        share = hidden.sum() / (hidden | (mask == FIRST_OBJECT + i)).sum()
        assert found.occlusion[f, c, i] == pytest.approx(share, abs=1e-6)
        hidden_somewhere += share > 0.05
        local = se3.transform(se3.invert(camera.T_base_camera()), vertices) @ K.T
        pixels = local[:, :2] / local[:, 2:]
        np.testing.assert_allclose(found.bbox_full[f, c, i], [*pixels.min(0), *pixels.max(0)], atol=0.05)
        box, full = found.bbox[f, c, i], found.bbox_full[f, c, i]
        assert (box[:2] >= full[:2] - 1).all()
        assert (box[2:] <= full[2:] + 1).all()
        assert found.truncated[f, c, i] == ((full[:2] < 0).any() or (full[2:] > SIZE).any())
    assert hidden_somewhere  # the raised box stands before another object, or the arm does


def looking(position: tuple[float, float, float], forward: NDArray[np.float64]) -> CameraLook:
    """A camera whose optical axis is `forward`."""
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    T = se3.make(np.stack([right, np.cross(forward, right), forward], -1), position)
    return CameraLook("test", tuple(float(v) for v in se3.pose7_from_matrix(T)), np.deg2rad(60.0))


def test_objects_beside_behind_and_around_the_camera(shot: Shot) -> None:
    """The ball at the image's edge is truncated; out of the image nothing is hidden; around the camera there is no
    full box; the numbers of pixels decide what is visible."""
    models, scene = shot.models[2:3], scenes.scene(shot.models[2:3])
    forward, aside = np.array([1.0, 0.0, 0.0]), np.array([0.0, 1.0, 0.0])
    edge = 0.5 * np.tan(np.deg2rad(30.0))  # half the image's width at a distance of 0.5 m
    at = np.array(
        [0.5 * forward, 0.5 * forward - edge * aside, 0.5 * forward - 0.5 * aside, -0.5 * forward, 0 * forward]
    )
    poses = np.tile(scenes.unit_pose((0.0, 0.0, 0.0)), (len(at), 1, 1)).astype(np.float32)
    poses[:, 0, :3] = at + np.array([0.1, 0.2, 0.3])
    rollout = replace(shot.rollout, scene=scene, object_pose=poses)
    camera = looking((0.1, 0.2, 0.3), forward)
    K, T = camera.intrinsics(SIZE, SIZE), camera.T_base_camera()
    masks = np.zeros((len(at), 1, SIZE, SIZE), np.uint8)
    for f, pose in enumerate(poses[:, 0]):
        masks[f, 0] = FIRST_OBJECT * rasterize(models[0].visual.vertices + pose[:3], models[0].visual.faces, T, K,
                                               SIZE, SIZE)[0]  # fmt: skip
    found = annotate(rollout, models, [camera], masks)
    assert found.truncated[:, 0, 0].tolist() == [0, 1, 1, 1, 1]
    full = found.bbox_full[:, 0, 0]
    assert np.isnan(full[:, 0]).tolist() == [False, False, False, True, True]
    assert full[0, 0] + full[0, 2] == pytest.approx(SIZE, abs=0.5)
    assert full[1, 0] + full[1, 2] == pytest.approx(2 * SIZE, rel=0.02)
    assert full[2, 0] > SIZE
    assert np.isnan(found.occlusion[:, 0, 0]).tolist() == [False, False, True, True, False]
    assert (found.occlusion[[0, 1, 4], 0, 0] == 0).all()
    masks[0, 0, : SIZE // 2] = BACKGROUND  # something hides the upper half
    found = annotate(rollout, models, [camera], masks)
    assert found.occlusion[0, 0, 0] == pytest.approx(0.5, abs=0.03)
    seen = visibility(found.pixels[:, 0, 0])
    assert seen == {"share": 0.6, "least": 0}


def test_an_impression_is_brightness_hue_and_saturation() -> None:
    for hue in (0.0, 0.1, 0.35, 0.7, 0.95):
        color = np.round(255 * np.array(colorsys.hsv_to_rgb(hue, 0.8, 0.6))).astype(np.uint8)
        told = impression(np.tile(color, (8, 8, 1)))
        assert abs((told["hue"] - hue + 0.5) % 1.0 - 0.5) < 0.006
        assert told["saturation"] == pytest.approx(0.8, abs=0.01)
        assert told["brightness"] == pytest.approx(color @ [0.2126, 0.7152, 0.0722] / 255, abs=1e-4)
    image = np.zeros((2, 3, 3), np.uint8)
    image[0] = (200, 0, 20)
    image[1] = (200, 20, 0)
    assert impression(image)["hue"] in (0.0, pytest.approx(0.0, abs=1e-3), pytest.approx(1.0, abs=1e-3))
    assert impression(np.full((4, 4, 3), 128, np.uint8))["saturation"] == 0.0
