"""Shapes of props, and where they, the table and the lamps stand."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import trimesh

from syngrasp.errors import UnknownName
from syngrasp.records import Scene
from syngrasp.rendering.draw.lights import over_walls
from syngrasp.rendering.furniture import PEDESTAL, block_boxes, floor_height, furniture, table_extent
from syngrasp.rendering.labels import BACKGROUND, TABLE
from syngrasp.rendering.look import Look, PropLook
from syngrasp.rendering.parts import RobotMeshes, rollout_boxes, scene_parts
from syngrasp.rendering.prop_kinds import SOLIDS, make_solid, prop_box
from syngrasp.rendering.props import prop_parts
from syngrasp.rendering.randomize import PAPER_CAMERAS, RandomizeConfig, draw_look
from syngrasp.rendering.surfaces import ScenePart
from syngrasp.robots.base import Robot
from syngrasp.seeding import named_rng
from tests.rendering import scenes

MANY = RandomizeConfig.model_validate({"props": (6, 6), "furniture": (2, 2), "pictures": (3, 3), "walls": 0.9})
COUNT = 60


@cache
def drawn() -> list[tuple[Scene, Look]]:
    """Looks full of props, for tables of all heights."""
    out = []
    for seed in range(COUNT):
        rng = named_rng(seed, "props")
        scene = scenes.scene(scenes.household(), float(rng.uniform(-0.1, 0.2)))
        out.append((scene, draw_look(scene, MANY, PAPER_CAMERAS, rng)))
    return out


def segments_meet_box(start: np.ndarray, end: np.ndarray, box: np.ndarray, steps: int = 200) -> bool:
    """Whether points along segments (R, 3) lie in a box."""
    s = np.linspace(0.0, 1.0, steps)[:, None, None]
    points = start + s * (end - start)
    return bool(((points > box[0]) & (points < box[1])).all(axis=-1).any())


def overlap(a: np.ndarray, b: np.ndarray) -> bool:
    return bool(((a[0] < b[1]) & (a[1] > b[0])).all())


@pytest.mark.parametrize("kind", sorted(SOLIDS))
def test_shapes_are_closed_and_fill_their_boxes(kind: str) -> None:
    size = {"picture": (0.02, 0.5, 0.4), "monitor": (0.16, 0.5, 0.4)}.get(kind, (0.4, 0.4, 0.9))
    shapes = [make_solid(kind, seed, size) for seed in range(12)]
    for solid in shapes:
        assert len(solid.faces) < 3000
        corner = solid.vertices[solid.faces]
        face = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
        area = np.linalg.norm(face, axis=1)
        np.testing.assert_allclose(np.linalg.norm(solid.normals, axis=1), 1.0, atol=1e-9)
        outward = (solid.normals.reshape(-1, 3, 3) * face[:, None]).sum(axis=-1)[area > 1e-10]
        assert (outward > 0).all()
        pieces = trimesh.Trimesh(solid.vertices, solid.faces, process=True).split(only_watertight=False)
        assert all(piece.is_watertight for piece in pieces)
        assert sum(piece.volume for piece in pieces) > 0.0
        half = 0.5 * np.array(size) + 2e-3
        assert (np.abs(solid.vertices - (0.0, 0.0, 0.5 * size[2])) <= half).all()
        assert solid.vertices[:, 2].max() > 0.6 * size[2]
        assert solid.color.min() >= 0.0
        assert solid.color.max() <= 1.1
    if kind not in ("ball", "box", "picture"):
        assert len({solid.vertices.tobytes() for solid in shapes}) == len(shapes)


def test_props_meet_nothing() -> None:
    kinds, placed = set(), 0
    for scene, look in drawn():
        boxes = [prop_box(prop) for prop in look.props]
        solid = list(block_boxes(furniture(scene, look)))
        (x0, y0), (x1, y1) = table_extent(scene, look)
        solid.append(np.array([(x0, y0, scene.table_height - look.table.thickness), (x1, y1, scene.table_height)]))
        for i, box in enumerate(boxes):
            for other in solid + boxes[:i]:
                assert not overlap(box, other)
        kinds |= {prop.kind for prop in look.props}
        placed += len(boxes)
    assert kinds == set(SOLIDS)
    assert placed > 5 * COUNT


def test_no_prop_stands_between_a_camera_and_the_workspace() -> None:
    for scene, look in drawn()[:20]:
        centre = np.array([0.5, 0.0, scene.table_height])
        ball = named_rng(0, "ball").standard_normal((120, 3))
        ball *= 0.29 / np.linalg.norm(ball, axis=1, keepdims=True)
        for camera in look.cameras:
            eye = camera.T_base_camera()[:3, 3]
            ends = np.concatenate([centre[None], centre + ball[ball @ (eye - centre) > 0.0]])
            for prop in look.props:
                assert not segments_meet_box(eye, ends, prop_box(prop))


def test_props_keep_out_of_what_the_robot_and_the_objects_sweep(robot: Robot) -> None:
    meshes, models = RobotMeshes(robot), scenes.household()
    scene = scenes.scene(models)
    turned = robot.q_home + np.array([0.8, 0.3, 0.0, 0.2, 0.0, 0.0, 0.0])
    rollout = scenes.rollout(scene, robot.q_home, turned, 12, lift=0.2)
    boxes = rollout_boxes(rollout, models, meshes)
    assert len(boxes) > 20
    close = 0
    for seed in range(10):
        look = draw_look(scene, MANY, PAPER_CAMERAS, named_rng(seed, "swept"), boxes)
        parts = scene_parts(rollout, models, look, meshes)
        for part in parts:
            if part.label in (BACKGROUND, TABLE):
                continue
            for f in range(len(part.p)):
                points = part.p[f] + part.scale * part.mesh.vertices[::7] @ part.R[f].T
                for prop in look.props:
                    lower, upper = prop_box(prop)
                    assert not ((points > lower) & (points < upper)).all(axis=1).any()
        close += sum(np.hypot(prop.position[0] - 0.5, prop.position[1]) < 0.9 for prop in look.props)
    assert close > 5  # what is known to be free is used


def test_moving_boxes_hold_the_motion_between_frames_too(robot: Robot) -> None:
    meshes, models = RobotMeshes(robot), scenes.household()
    rollout = scenes.rollout(scenes.scene(models), robot.q_home, robot.q_home + 0.4, 11)
    boxes = rollout_boxes(rollout, models, meshes)
    halves = scenes.rollout(scenes.scene(models), robot.q_home, robot.q_home + 0.4, 21)
    R, p = meshes.poses(halves.joint_position, halves.gripper_width)
    for b, mesh in enumerate(meshes.meshes):
        for f in range(21):
            points = p[f, b] + mesh.vertices[::50] @ R[f, b].T
            held = ((points[:, None] >= boxes[:, 0]) & (points[:, None] <= boxes[:, 1])).all(axis=-1)
            assert held.any(axis=1).all()


def test_tables_of_every_shape_carry_all_objects_and_clear_the_pedestal() -> None:
    shapes = set()
    for scene, look in drawn():
        shapes.add(look.table.shape)
        (x0, _), _ = table_extent(scene, look)
        assert x0 > PEDESTAL[2]
        if look.table.shape == "rectangle":
            continue
        table = next(part for part in prop_parts(scene, look, 2) if part.name == "table")
        assert table.label == TABLE
        assert not table.moves()
        top = trimesh.Trimesh(table.mesh.vertices, table.mesh.faces)
        assert top.is_watertight
        turn = np.linspace(0.0, 2 * np.pi, 12, endpoint=False)
        rim = 0.1 * np.stack([np.cos(turn), np.sin(turn), np.zeros(12)], axis=-1)
        places = np.stack([placed.pose[:3] for placed in scene.objects])
        starts = (places[:, None] + rim + np.array([0.0, 0.0, 1.0])).reshape(-1, 3)
        hits, rays, _ = top.ray.intersects_location(starts, np.tile([0.0, 0.0, -1.0], (len(starts), 1)))
        assert len(np.unique(rays)) == len(starts)
        assert hits[:, 2].max() == pytest.approx(scene.table_height, abs=1e-6)
        for block in furniture(scene, look):
            if block.material == "support":
                corners = np.array(
                    [(x, y) for x in (block.lower[0], block.upper[0]) for y in (block.lower[1], block.upper[1])]
                )
                if block.upper[2] > scene.table_height - 0.1:
                    above = np.c_[corners, np.full(4, scene.table_height + 1.0)]
                    assert top.ray.intersects_any(above, np.tile([0.0, 0.0, -1.0], (4, 1))).all()
    assert shapes == {"rectangle", "rounded", "round"}


def test_the_workspace_sees_every_lamp() -> None:
    for scene, look in drawn():
        eye = np.array([0.5, 0.0, scene.table_height + 0.05])
        solid = [*block_boxes(furniture(scene, look)), *(prop_box(prop) for prop in look.props)]
        top = floor_height(scene, look) + look.room.height
        for lamp in look.lights:
            end = eye - 30.0 * np.array(lamp.direction) if lamp.kind == "directional" else np.array(lamp.position)
            for box in solid:
                assert not segments_meet_box(eye[None], end[None], box, 2000)
            if lamp.kind == "directional":
                assert over_walls(-np.array(lamp.direction), eye, look.room, top)
            if lamp.kind == "spot":
                toward = eye - np.array(lamp.position)
                assert toward @ lamp.direction > 0.5 * np.linalg.norm(toward)


def test_a_sun_is_over_a_wall_or_behind_it() -> None:
    _, look = drawn()[0]
    room = replace(look.room, walls=("-x",), lower=(-1.0, -2.0), height=3.0)
    centre = np.array([0.5, 0.0, 0.0])
    for elevation, over in ((20.0, False), (80.0, True)):
        up = np.array([-np.cos(np.deg2rad(elevation)), 0.0, np.sin(np.deg2rad(elevation))])
        assert over_walls(up, centre, room, 2.0) == over
        assert over_walls(up * (-1.0, 1.0, 1.0), centre, room, 2.0)


def test_one_dome_is_light_enough_and_a_skys_sun_is_among_the_lamps() -> None:
    for _, look in drawn():
        assert look.environment.intensity + sum(lamp.intensity for lamp in look.lights) > 0.6
        if look.environment.kind == "sky" and look.lights:
            np.testing.assert_allclose(look.environment.sun, -np.array(look.lights[0].direction), atol=1e-9)


def test_a_target_has_no_double_among_the_props() -> None:
    scene = replace(scenes.scene(scenes.household()), category="wine bottle")
    config = RandomizeConfig.model_validate({"props": (4, 4), "prop_kinds": ("bottle", "bottle", "cone")})
    for seed in range(20):
        look = draw_look(scene, config, PAPER_CAMERAS, named_rng(seed, "double"))
        assert "bottle" not in {prop.kind for prop in look.props}


def test_a_prop_is_where_its_look_says_and_background() -> None:
    scene, look = drawn()[0]
    prop = PropLook("box", 0, (0.3, -0.7, 0.1), np.pi / 2, (0.2, 0.1, 0.3), "floor")
    part: ScenePart = prop_parts(scene, replace(look, props=(prop,), table=replace(look.table, shape="rectangle")), 3)[
        0
    ]
    points = part.p[0] + part.mesh.vertices @ part.R[0].T
    np.testing.assert_allclose(points.min(axis=0), (0.25, -0.8, 0.1), atol=1e-6)
    np.testing.assert_allclose(points.max(axis=0), (0.35, -0.6, 0.4), atol=1e-6)
    np.testing.assert_allclose(prop_box(prop), [points.min(axis=0), points.max(axis=0)], atol=1e-6)
    assert (part.label, part.moves(), len(part.p)) == (BACKGROUND, False, 3)
    with pytest.raises(UnknownName, match="did you mean 'bottle'"):
        prop_parts(scene, replace(look, props=(replace(prop, kind="botle"),)), 1)
