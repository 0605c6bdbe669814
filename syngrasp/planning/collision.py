"""A scene as a signed-distance field, and clearances of arms and grippers in it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syngrasp import se3
from syngrasp.planning import distance, kernels
from syngrasp.planning.arrays import FieldArrays, robot_arrays
from syngrasp.records import ObjectModel, Scene
from syngrasp.robots.base import Robot

F64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SceneField:
    """Signed distances of a scene's objects and table, positive outside.

    The table is a block that reaches down without end: nothing is to move under it.
    """

    arrays: FieldArrays
    grids: tuple[NDArray[np.float32], ...]  # kept alive: `arrays` holds their addresses

    @classmethod
    def build(cls, scene: Scene, models: Sequence[ObjectModel], skip: Collection[int] = ()) -> SceneField:
        """The field of a scene whose objects have the given models, in order, but for those in `skip`."""
        kept = [i for i in range(len(scene.objects)) if i not in skip]
        placed, models = [scene.objects[i] for i in kept], [models[i] for i in kept]
        grids = tuple(np.ascontiguousarray(m.sdf.values, dtype=np.float32) for m in models)
        n = len(kept)
        scale = np.array([o.scale for o in placed], dtype=np.float64).reshape(n)
        spacing = np.array([m.sdf.spacing for m in models], dtype=np.float64).reshape(n)
        T_base_object = se3.matrix_from_pose7(np.array([o.pose for o in placed]).reshape(n, 7))
        T_object_base = se3.invert(T_base_object)
        to_grid = T_object_base[:, :3] / scale[:, None, None]
        to_grid[:, :, 3] -= np.array([m.sdf.origin for m in models]).reshape(n, 3)
        to_grid /= spacing[:, None, None]
        center, radius, top = np.zeros((n, 3)), np.zeros(n), -np.inf
        for i, model in enumerate(models):
            vertices = np.concatenate(model.hulls) * scale[i]
            middle = 0.5 * (vertices.min(0) + vertices.max(0))
            center[i] = se3.transform(T_base_object[i], middle[None])[0]
            radius[i] = np.sqrt(((vertices - middle) ** 2).sum(1).max())
            top = max(top, float((vertices @ T_base_object[i, 2, :3]).max() + T_base_object[i, 2, 3]))
        half = 0.5 * np.array(scene.table_size)
        arrays = FieldArrays(
            address=np.array([g.ctypes.data for g in grids], dtype=np.int64),
            shape=np.array([g.shape for g in grids], dtype=np.int64).reshape(n, 3),
            to_grid=np.ascontiguousarray(to_grid),
            cell=spacing * scale,
            scale=scale,
            center=center,
            radius=radius,
            table=np.array([*scene.table_center, *half, scene.table_height], dtype=np.float64),
            top=top,
        )
        return cls(arrays, grids)

    def sphere_clearance(self, centers: ArrayLike, radius: ArrayLike) -> F64:
        """Smallest signed clearance (G,) [m] of groups of balls: centres (G, S, 3) in base, radii (S,) [m]."""
        return distance.ball_clearances(self.arrays, _c(centers), _c(radius))

    def configuration_clearance(self, robot: Robot, q: ArrayLike, width: ArrayLike) -> F64:
        """Smallest signed clearance (M,) [m] of configurations (M, dof) at gripper widths (M,) [m].

        Of the arm and gripper to objects and table, and of the arm to itself.
        """
        q = _c(q)
        widths = np.broadcast_to(np.asarray(width, dtype=np.float64), (len(q),))
        return kernels.clearances(robot_arrays(robot), self.arrays, q, _c(widths), np.inf)


def _c(values: ArrayLike) -> F64:
    return np.ascontiguousarray(values, dtype=np.float64)
