"""A world is the same however it was compiled, and scaling it afterwards is scaling it before."""

from __future__ import annotations

from dataclasses import replace

import mujoco
import numpy as np

from syngrasp.physics.world import Body, Table, World, build_world
from syngrasp.records import ObjectModel
from syngrasp.robots import RobotConfig, make_robot
from tests.physics.shapes import box, cylinder

TABLE = Table(0.0, (0.65, 0.0), (0.9, 1.2))
GEOMETRY = ("mesh_vert", "mesh_graph", "mesh_pos", "geom_pos", "geom_quat", "geom_size", "geom_rbound", "geom_aabb")


def two_parts(uid: str) -> ObjectModel:
    """A can with a lump at its side."""
    can = cylinder(0.03, 0.1, uid=uid)
    return replace(can, hulls=(can.hulls[0], box(0.04, 0.02, 0.03).hulls[0] + [0.04, 0.0, 0.01]))


def world_of(model: ObjectModel, scale: float) -> World:
    return build_world([Body(model, scale, 0.2, 1.0)], TABLE, make_robot(RobotConfig()))


def test_scaling_after_compilation_is_scaling_before() -> None:
    model, scale = two_parts("a"), 1.37
    after = world_of(model, scale).model
    scaled = replace(
        model,
        hulls=tuple(scale * h for h in model.hulls),
        volume=model.volume * scale**3,
        inertia=model.inertia * scale**5,
    )
    before = world_of(scaled, 1.0).model
    first, count = after.body_bvhadr[-1], after.body_bvhnum[-1]
    boxes = slice(first, first + count)
    np.testing.assert_allclose(after.bvh_aabb[boxes], before.bvh_aabb[boxes], rtol=2e-5, atol=1e-7)
    for name in (*GEOMETRY, "body_inertia", "body_invweight0", "dof_invweight0"):
        np.testing.assert_allclose(getattr(after, name), getattr(before, name), rtol=2e-5, atol=1e-7, err_msg=name)


def test_the_mesh_cache_changes_nothing() -> None:
    model = two_parts("b")
    mujoco.mj_clearCache(mujoco.mj_getCache())
    cold = world_of(model, 1.2).model
    warm = world_of(model, 1.2).model
    for name in GEOMETRY:
        np.testing.assert_array_equal(getattr(cold, name), getattr(warm, name), err_msg=name)


def test_the_arm_meets_objects_and_the_slab_but_not_itself() -> None:
    model = world_of(box(0.05, 0.05, 0.05), 1.0).model

    def meet(a: int, b: int) -> bool:
        return bool(
            model.geom_contype[a] & model.geom_conaffinity[b] or model.geom_contype[b] & model.geom_conaffinity[a]
        )

    names = [model.geom(i).name for i in range(model.ngeom)]
    arm = [i for i, name in enumerate(names) if name.startswith("robot/")]
    thing, plane, slab = names.index("object0/0"), names.index("table"), names.index("table/slab")
    assert all(meet(a, thing) and meet(a, slab) and not meet(a, plane) for a in arm)
    assert not any(meet(a, b) for a in arm for b in arm)
    assert meet(thing, plane)
    assert not meet(thing, slab)
