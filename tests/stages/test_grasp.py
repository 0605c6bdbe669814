"""The grasp stage's answers are grasps that are free and reached, or the reason why there are none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import trimesh

from syngrasp import se3
from syngrasp.geometry.antipodal import gripper_shape, sample_grasps
from syngrasp.geometry.force_closure import force_closure
from syngrasp.geometry.sdf import build_sdf
from syngrasp.objects.catalog import Catalog, write_catalog, write_object
from syngrasp.planning.collision import SceneField
from syngrasp.records import GraspSet, ObjectEntry, ObjectModel, PlacedObject, Scene, SceneGrasps, Slot, VisualMesh
from syngrasp.robots import RobotConfig, make_robot
from syngrasp.stage import Rejected
from syngrasp.stages.context import StageContext
from syngrasp.stages.grasp import GraspConfig, GraspStage, weight_torque
from tests.geometry import solids

TABLE = 0.05  # z of the table's top [m]
NO_GRASPS = GraspSet(np.zeros((0, 4, 4)), np.zeros(0), np.zeros(0), np.zeros((0, 2, 3)))
SHAPES = {
    "box": solids.box((0.04, 0.06, 0.1)),
    "can": solids.cylinder(0.03, 0.12),
    "bar": solids.box((0.16, 0.03, 0.03)),
    "wall": solids.box((0.3, 0.02, 0.3)),
    "smooth": solids.sphere(0.03),
}


def model_of(name: str) -> ObjectModel:
    parts = SHAPES[name]
    mesh = solids.mesh_of(parts)
    sdf = build_sdf(parts)
    grasps = NO_GRASPS
    if name not in ("wall", "smooth"):
        shape = gripper_shape(make_robot(RobotConfig()))
        grasps = sample_grasps(
            mesh.vertices, mesh.faces, parts, sdf, shape, np.random.default_rng(0), 256, scale_range=(0.5, 2.0)
        )
    entry = ObjectEntry(
        name, name, name, "CC0", "test", "", len(mesh.faces), True, len(parts), len(grasps.width),
        tuple(mesh.extents), (0.5, 3.0), 500.0, False, name,
    )  # fmt: skip
    visual = VisualMesh(
        mesh.vertices.astype(np.float32), mesh.vertex_normals.astype(np.float32), mesh.faces.astype(np.int32),
        None, None, np.ones((len(mesh.faces), 3), np.float32), 0.5, 0.0,
    )  # fmt: skip
    pose = np.eye(4)[None]
    return ObjectModel(entry, visual, parts, sdf, mesh.volume, np.eye(3) * 1e-6, pose, np.ones(1), grasps)


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("catalog"))
    write_catalog(path, [write_object(path, model_of(name)) for name in SHAPES])
    return path


def stage_of(catalog, **values):
    stage = GraspStage(GraspConfig(**values), StageContext(seed=7, robot=RobotConfig(), catalog=catalog))
    stage.setup()
    return stage


def scene_of(*objects, slot=Slot(0, 0)):  # noqa: B008  frozen
    """Objects (uid, x, y, yaw, scale) that stand on the table, the target first."""
    placed = []
    for uid, x, y, yaw, scale in objects:
        z = TABLE + 5e-4 - scale * np.concatenate(SHAPES[uid])[:, 2].min()
        pose = se3.pose7_from_matrix(se3.make(se3.matrix_from_rpy([0.0, 0.0, yaw]), [x, y, z]))
        placed.append(PlacedObject(uid, scale, 0.2, 1.0, pose))
    q_start = make_robot(RobotConfig()).q_home
    category = placed[0].uid
    return Scene(
        slot, "panda", tuple(placed), 0, category, f"pick up the {category}", TABLE, (0.65, 0.0), (0.8, 1.2), q_start
    )


SCENES = [
    scene_of(("box", 0.5, 0.0, 0.4, 1.0), ("can", 0.6, 0.15, 0.0, 1.0), ("bar", 0.4, -0.15, 1.0, 1.0)),
    scene_of(("can", 0.45, 0.1, 0.0, 1.1), ("box", 0.6, 0.15, 0.7, 1.0), slot=Slot(0, 1)),
    scene_of(("bar", 0.5, -0.1, 1.2, 0.8), ("box", 0.6, 0.1, 0.0, 1.0), slot=Slot(0, 2)),
]


@pytest.mark.parametrize("scene", SCENES, ids=lambda s: s.category)
def test_goals_reach_free_grasps_of_the_target(catalog, scene):
    robot, config = make_robot(RobotConfig()), GraspConfig()
    answer = stage_of(catalog).process([scene])[0]
    assert isinstance(answer, SceneGrasps)
    assert answer.scene is scene
    grasps, goals = len(answer.width), len(answer.q_goal)
    assert 0 < grasps <= config.max_grasps + 2 * 8
    assert grasps <= goals <= config.max_goals
    assert answer.T_base_tcp.shape == (grasps, 4, 4)
    assert answer.quality.shape == (grasps,)
    assert answer.grasp_of_goal.shape == (goals,)
    assert set(answer.grasp_of_goal) <= set(range(grasps))
    assert np.allclose(robot.fk(answer.q_goal), answer.T_base_tcp[answer.grasp_of_goal], atol=1e-6)
    assert (answer.q_goal >= robot.limits.q_lower).all()
    assert (answer.q_goal <= robot.limits.q_upper).all()
    models = [Catalog.open(catalog).load(o.uid) for o in scene.objects]
    field = SceneField.build(scene, models)
    opened = np.full(goals, robot.gripper.max_width)
    assert (field.configuration_clearance(robot, answer.q_goal, opened) >= config.clearance).all()
    assert (-answer.T_base_tcp[:, 2, 2] >= np.cos(config.max_tilt)).all()
    assert (answer.width <= robot.gripper.max_width - config.opening_margin).all()


def test_offered_grasps_grip_the_target_at_its_scale(catalog):
    """The fingers close on the target's surface, from both sides, within the pads' length of the TCP."""
    scene = SCENES[1]
    answer = stage_of(catalog).process([scene])[0]
    placed = scene.objects[0]
    T_object_tcp = se3.invert(se3.matrix_from_pose7(placed.pose)) @ answer.T_base_tcp
    radius = 0.03 * placed.scale
    for T, width in zip(T_object_tcp, answer.width, strict=True):
        depth = min(np.linspace(0.0, 0.006, 61), key=lambda d: abs(np.linalg.norm((T[:3, 3] + d * T[:3, 2])[:2])))
        middle = T[:3, 3] + depth * T[:3, 2]
        contacts = np.stack([middle - 0.5 * width * T[:3, 1], middle + 0.5 * width * T[:3, 1]])
        if abs(T[2, 1]) < 0.5:  # not across the flat ends
            assert np.abs(np.linalg.norm(contacts[:, :2], axis=1) - radius).max() < 1e-3
            normals = contacts * [1.0, 1.0, 0.0]
            normals /= np.linalg.norm(normals, axis=1, keepdims=True)
            assert force_closure(contacts, normals, 0.25)


def test_answers_do_not_depend_on_the_batch_or_the_past(catalog):
    stage = stage_of(catalog)
    together = stage.process(SCENES)
    apart = [stage_of(catalog).process([scene])[0] for scene in reversed(SCENES)][::-1]
    for one, other in zip(together, apart, strict=True):
        assert np.array_equal(one.q_goal, other.q_goal)
        assert np.array_equal(one.T_base_tcp, other.T_base_tcp)
        assert np.array_equal(one.grasp_of_goal, other.grasp_of_goal)


def test_temperature_makes_attempts_differ_and_zero_ranks(catalog):
    scene, again = SCENES[0], replace(SCENES[0], slot=Slot(0, 0, 1))
    first, second = stage_of(catalog).process([scene, again])
    assert first.T_base_tcp.shape != second.T_base_tcp.shape or not np.allclose(first.T_base_tcp, second.T_base_tcp)
    cold = stage_of(catalog, temperature=0.0, tilt_weight=0.0)
    first, second = cold.process([scene, again])
    assert np.array_equal(first.q_goal, second.q_goal)
    assert (np.diff(first.quality) <= 1e-12).all()
    warm = stage_of(catalog, temperature=100.0).process([scene])[0]
    assert warm.quality.mean() < first.quality.mean()


def test_limits_are_kept(catalog):
    answer = stage_of(catalog, max_grasps=1, goals_per_grasp=1).process([SCENES[0]])[0]
    assert len(answer.q_goal) <= 8
    answer = stage_of(catalog, max_goals=3).process([SCENES[0]])[0]
    assert len(answer.q_goal) == 3
    assert answer.grasp_of_goal.max() < len(answer.width)


@pytest.mark.parametrize(
    ("reason", "scene", "values"),
    [
        ("no_grasp_in_catalog", scene_of(("smooth", 0.5, 0.0, 0.0, 1.0)), {}),
        ("too_wide", scene_of(("can", 0.5, 0.0, 0.0, 2.9)), {}),
        ("too_thin", scene_of(("bar", 0.5, 0.0, 0.0, 0.5)), {"min_width": 0.05}),
        ("low_quality", scene_of(("box", 0.5, 0.0, 0.0, 1.0)), {"min_quality": 1.0}),
        ("wrong_side", scene_of(("bar", 0.5, 0.0, 0.0, 1.0)), {"max_tilt": 0.0}),
        ("unreachable", scene_of(("box", 1.2, 0.0, 0.0, 1.0)), {}),
        (
            "gripper_collides",
            scene_of(("can", 0.5, 0.0, 0.0, 1.0), *(("wall", 0.5, y, 0.0, 1.0) for y in (-0.045, 0.045))),
            {},
        ),
    ],
)
def test_failures_are_reasons(catalog, reason, scene, values):
    answer = stage_of(catalog, **values).process([scene])[0]
    assert isinstance(answer, Rejected)
    assert (answer.stage, answer.reason) == ("grasp", reason)
    assert answer.detail


def test_hands_stay_back_rather_than_touch_the_table(catalog):
    """A low bar lets the fingers' tips no deeper than its height: the hand is moved up, within the pads."""
    scene = scene_of(("bar", 0.5, 0.0, 0.3, 0.5))
    deep = stage_of(catalog, retreats=(0.0,)).process([scene])[0]
    held_back = stage_of(catalog, retreats=(0.0, 0.003, 0.0055)).process([scene])[0]
    assert isinstance(held_back, SceneGrasps)
    assert isinstance(deep, Rejected) or len(held_back.q_goal) >= len(deep.q_goal)


def test_trimesh_agrees_that_the_open_fingers_are_outside(catalog):
    """No sphere centre of the open hand lies inside the target's mesh."""
    scene = SCENES[0]
    answer = stage_of(catalog).process([scene])[0]
    shape = gripper_shape(make_robot(RobotConfig()))
    hand = shape.center.copy()
    hand[:, 1] += 0.5 * shape.finger * shape.max_width
    T = se3.invert(se3.matrix_from_pose7(scene.objects[0].pose)) @ answer.T_base_tcp
    mesh = trimesh.creation.box((0.04, 0.06, 0.1))
    distance = -trimesh.proximity.signed_distance(mesh, se3.transform(T, hand).reshape(-1, 3))
    assert (distance.reshape(len(T), -1) - shape.radius).min() > 0.0


def test_the_torque_of_a_weight_is_force_times_lever_about_the_closing_direction():
    T = se3.make(se3.random_rotation(np.random.default_rng(0), (50,)), np.random.default_rng(1).normal(size=(50, 3)))
    center, mass = np.array([0.4, -0.1, 0.2]), 0.3
    torque = np.cross(center - T[:, :3, 3], [0.0, 0.0, -9.81 * mass])
    np.testing.assert_allclose(
        weight_torque(T, center, mass), np.abs(np.einsum("ij,ij->i", torque, T[:, :3, 1])), atol=1e-12
    )


def test_offered_grasps_are_balanced(catalog):
    """A heavy bar is offered grasps near its middle only."""
    scene = scene_of(("bar", 0.5, 0.0, 0.3, 1.0))
    bar = replace(scene.objects[0], mass=0.5)
    scene = replace(scene, objects=(bar,))
    levers = []
    for limit in (10.0, 0.1):
        answer = stage_of(catalog, max_torque=limit).process([scene])[0]
        assert isinstance(answer, SceneGrasps)
        torque = weight_torque(answer.T_base_tcp, bar.pose[:3], bar.mass)
        assert torque.max() <= limit
        levers.append(torque.max())
    assert levers[0] > 0.1 > levers[1]
    rejected = stage_of(catalog, max_torque=0.0).process([scene])[0]
    assert isinstance(rejected, Rejected)
    assert rejected.reason == "unbalanced"
