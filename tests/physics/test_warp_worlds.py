"""Scenes put into slots are the scenes that MuJoCo would have compiled."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np
import pytest

from syngrasp.errors import SyngraspError
from syngrasp.physics.execution import Motion, Trial, lift_world
from syngrasp.physics.warp_shapes import ObjectShapes
from syngrasp.physics.warp_worlds import Slots, Worlds, build_worlds
from syngrasp.records import ObjectModel
from syngrasp.robots import RobotConfig, make_robot
from tests.physics.plans import scene_of
from tests.physics.shapes import box, cylinder

ROBOT = make_robot(RobotConfig())
BOX, CAN, BAR = box(0.05, 0.04, 0.08), cylinder(0.03, 0.1), box(0.12, 0.03, 0.04)
HULL = BAR.hulls[0]
CROSS = replace(BAR, hulls=(HULL, HULL[:, [1, 0, 2]] + [0.0, 0.01, 0.02], HULL * 0.5 + [0.03, 0.0, 0.0]))
SHAPES = ObjectShapes()


def trial(models: list[ObjectModel], table_height: float, scale: float, **physics: float) -> Trial:
    spots = [(0.5, 0.0), (0.45, 0.2), (0.6, -0.2)][: len(models)]
    scene = scene_of(ROBOT, models, spots, table_height, mass=0.2, friction=0.7)
    objects = tuple(replace(o, scale=scale + 0.1 * i, mass=0.1 + 0.1 * i) for i, o in enumerate(scene.objects))
    scene = replace(scene, objects=objects, table_center=(0.6, 0.1), table_size=(0.8, 1.0))
    q = np.stack([ROBOT.q_home, ROBOT.q_home])
    return Trial(scene, models, Motion(q, 0 * q, np.ones(2), 0.1), physics)


TRIALS = [
    trial([BOX, CROSS, CAN], -0.03, 0.9, grip_force=35.0, servo_gain=1.1),
    trial([BAR], 0.1, 1.3, grip_force=60.0),
    trial([CAN, CROSS], 0.05, 1.0),
]


@pytest.fixture(scope="module")
def worlds() -> Worlds:
    return build_worlds(TRIALS, ROBOT, SHAPES, Slots.of([[len(m.hulls) for m in t.models] for t in TRIALS], 3))


def pairs(compiled: mujoco.MjModel, worlds: Worlds, w: int, objects: int) -> tuple[list[int], list[int]]:
    """Geoms of the objects: in MuJoCo's model, and in the slots."""
    slots = worlds.template.model
    mine, theirs = [], []
    for i in range(objects):
        count = int(compiled.body(f"object{i}").geomnum[0])
        mine += [int(compiled.body(f"object{i}").geomadr[0]) + g for g in range(count)]
        theirs += [int(slots.body(f"object{worlds.slot[w][i]}").geomadr[0]) + g for g in range(count)]
    return mine, theirs


@pytest.mark.parametrize("w", range(len(TRIALS)))
def test_fields_of_a_world_are_those_of_its_compiled_scene(worlds: Worlds, w: int) -> None:
    t = TRIALS[w]
    world = lift_world(t.scene, t.models, ROBOT, t.physics)
    compiled, slots = world.model, worlds.template.model
    fields = {name: values[w] for name, values in worlds.fields.items()}
    for i, k in enumerate(worlds.slot[w]):
        body, at = compiled.body(f"object{i}").id, slots.body(f"object{k}").id
        for name in ("body_mass", "body_inertia", "body_iquat", "body_subtreemass", "body_invweight0"):
            np.testing.assert_allclose(fields[name][at], getattr(compiled, name)[body], rtol=1e-6, err_msg=name)
        expected = compiled.dof_invweight0[world.object_v[i]]
        np.testing.assert_allclose(fields["dof_invweight0"][worlds.template.object_v[k]], expected, rtol=1e-6)
        np.testing.assert_allclose(worlds.qpos[w, worlds.template.object_q[k]], t.scene.objects[i].pose)
    mine, theirs = pairs(compiled, worlds, w, len(t.models))
    tables = [int(compiled.geom(name).id) for name in ("table", "table/slab")]
    for name in ("geom_pos", "geom_quat", "geom_size", "geom_rbound", "geom_aabb", "geom_friction"):
        theirs_all, mine_all = fields[name][[*theirs, *worlds.table_geoms]], getattr(compiled, name)[mine + tables]
        np.testing.assert_allclose(theirs_all, mine_all, rtol=1e-6, atol=1e-9, err_msg=name)
    np.testing.assert_allclose(worlds.table_position[w], compiled.geom_pos[tables])
    for name in ("geom_solref", "geom_condim", "geom_contype", "geom_conaffinity", "geom_priority"):
        np.testing.assert_allclose(getattr(slots, name)[theirs], getattr(compiled, name)[mine], err_msg=name)


@pytest.mark.parametrize("w", range(len(TRIALS)))
def test_the_arm_of_a_world_is_that_of_its_compiled_scene(worlds: Worlds, w: int) -> None:
    t = TRIALS[w]
    compiled, slots = lift_world(t.scene, t.models, ROBOT, t.physics).model, worlds.template.model
    arm = {"dof": compiled.nv - 6 * len(t.models), "jnt": compiled.njnt - len(t.models)}
    for name in dir(compiled):
        kind, expected = name.partition("_")[0], getattr(compiled, name)
        if kind not in ("actuator", "tendon", "eq", "dof", "jnt") or not isinstance(expected, np.ndarray):
            continue
        found = worlds.fields[name][w] if name in worlds.fields else getattr(slots, name)
        rows = slice(0, arm.get(kind))
        np.testing.assert_allclose(found[rows], expected[rows], rtol=1e-9, err_msg=name)


@pytest.mark.parametrize("w", range(len(TRIALS)))
def test_meshes_of_a_world_are_those_of_its_compiled_scene(worlds: Worlds, w: int) -> None:
    t = TRIALS[w]
    compiled = lift_world(t.scene, t.models, ROBOT, t.physics).model
    for mine, theirs in zip(*pairs(compiled, worlds, w, len(t.models)), strict=True):
        expected = mesh({name: getattr(compiled, name) for name in dir(compiled)}, compiled.geom_dataid[mine])
        found = mesh(worlds.meshes, worlds.fields["geom_dataid"][w, theirs])
        for name, values in expected.items():
            np.testing.assert_allclose(found[name], values, rtol=1e-6, atol=1e-9, err_msg=name)


def mesh(tables: dict, i: int) -> dict[str, np.ndarray]:
    """All that collision detection reads of mesh i."""
    vertices = slice(tables["mesh_vertadr"][i], tables["mesh_vertadr"][i] + tables["mesh_vertnum"][i])
    polygons = slice(tables["mesh_polyadr"][i], tables["mesh_polyadr"][i] + tables["mesh_polynum"][i])
    corners = zip(tables["mesh_polyvertadr"][polygons], tables["mesh_polyvertnum"][polygons], strict=True)
    around = zip(tables["mesh_polymapadr"][vertices], tables["mesh_polymapnum"][vertices], strict=True)
    graph = tables["mesh_graph"][tables["mesh_graphadr"][i] :]
    return {
        "vertices": tables["mesh_vert"][vertices],
        "normals": tables["mesh_polynormal"][polygons],
        "corners": np.concatenate([tables["mesh_polyvert"][a : a + n] for a, n in corners]),
        "around": np.concatenate([tables["mesh_polymap"][a : a + n] for a, n in around]),
        "graph": graph[: 2 + 3 * graph[0] + 6 * graph[1]],
    }


def test_what_a_world_leaves_empty_is_absent(worlds: Worlds) -> None:
    slots, fields = worlds.template.model, worlds.fields
    assert worlds.template.object_q.shape == (3, 7)
    for w in range(len(TRIALS)):
        parts = (fields["geom_dataid"][w][slots.geom_bodyid >= slots.body("object0").id] >= 0).sum()
        assert parts == sum(len(m.hulls) for m in TRIALS[w].models)


def test_slots_are_the_least_room_for_all() -> None:
    assert Slots.of([[1, 4], [3], [2, 2, 2]], 4).parts == (4, 2, 2, 0)
    with pytest.raises(SyngraspError, match="valid: up to 2"):
        Slots.of([[1], [1, 1, 1]], 2)


def test_too_many_objects_are_refused_in_one_line() -> None:
    t = trial([BAR], 0.1, 1.0)
    with pytest.raises(SyngraspError, match="valid: up to 60"):
        build_worlds([t], ROBOT, SHAPES, Slots((1,) * 9))


def test_an_object_of_many_scenes_is_in_the_table_once() -> None:
    same = build_worlds([TRIALS[0]] * 5, ROBOT, SHAPES, Slots((3, 1, 1)))
    assert len(same.meshes["mesh_vertadr"]) == sum(len(m.hulls) for m in TRIALS[0].models)
