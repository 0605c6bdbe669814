"""What cuRobo is told of a scene: its obstacles, and the grasps that it may choose from.

Plain arrays, no cuRobo: `curobo_solver` makes its objects from them. cuRobo's conventions: metres, poses as x y z and
quaternion w x y z (the same as a pose7), meshes and boxes placed in the robot's base frame.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.geometry.hulls import pack_hulls
from syngrasp.records import ObjectModel, PlacedObject, Scene, SceneGrasps

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]
TABLE_DEPTH = 1.0  # of the block that stands for the table: nothing is to move under it [m]


class Block(NamedTuple):
    """A box."""

    name: str
    pose: F64  # (7,) of its centre in base
    size: F64  # (3,) edges [m]


class Part(NamedTuple):
    """A convex part of an object as a closed mesh."""

    name: str
    pose: F64  # (7,) of the object in base
    vertices: F64  # (V, 3) in the object's frame, scaled [m]
    faces: I64  # (T, 3) counter-clockwise seen from outside


class World(NamedTuple):
    """The obstacles of a scene."""

    table: Block
    parts: tuple[Part, ...]


class GoalSet(NamedTuple):
    """TCP poses in base that are all as good to reach, filled up to a fixed number by saying them again."""

    grasp: I64  # (G,) row of `SceneGrasps.T_base_tcp` that each leads to
    position: F64  # (G, 3) [m]
    quaternion: F64  # (G, 4) w x y z


def build_world(
    scene: Scene, models: Sequence[ObjectModel], most: int, *, skip: Collection[int] = (), prefix: str = ""
) -> World:
    """The obstacles of a scene whose objects have the given models, in order, but for those in `skip`.

    Of more than `most` convex parts, the objects with the most parts are taken for the convex hull of their own,
    which holds them all: `most` is no less than the number of objects. Part names begin with `prefix`: cuRobo takes
    two meshes of one name for the same mesh.
    """
    kept = [i for i in range(len(scene.objects)) if i not in skip]
    hulls = {i: list(models[i].hulls) for i in kept}
    for i in sorted(kept, key=lambda i: -len(hulls[i])):
        if sum(map(len, hulls.values())) <= most:
            break
        hulls[i] = [np.concatenate(hulls[i])]
    parts = [part for i in kept for part in _parts(f"{prefix}object{i}", scene.objects[i], hulls[i])]
    return World(_table(scene), tuple(parts))


def goal_set(grasps: SceneGrasps, chosen: Sequence[int], back: float, size: int) -> GoalSet:
    """The TCP poses `back` [m] before the chosen grasps, along their approach; at most `size`, and always so many."""
    rows = np.resize(np.asarray(chosen, dtype=np.int64)[:size], size)
    T = grasps.T_base_tcp[rows].copy()
    T[:, :3, 3] -= back * T[:, :3, 2]
    return GoalSet(rows, T[:, :3, 3], se3.quat_from_matrix(T[:, :3, :3]))


def _table(scene: Scene) -> Block:
    middle = (*scene.table_center, scene.table_height - 0.5 * TABLE_DEPTH)
    return Block("table", np.array([*middle, 1.0, 0.0, 0.0, 0.0]), np.array([*scene.table_size, TABLE_DEPTH]))


def _parts(name: str, placed: PlacedObject, hulls: Sequence[F64]) -> list[Part]:
    packed, found = pack_hulls(hulls), []
    for number in range(len(hulls)):
        own = slice(packed.triangle_start[number], packed.triangle_start[number + 1])
        corners = packed.triangles[own].reshape(-1, 3)
        vertices, faces = np.unique(corners, axis=0, return_inverse=True)
        found.append(Part(f"{name}/{number}", placed.pose, placed.scale * vertices, faces.reshape(-1, 3)))
    return found
