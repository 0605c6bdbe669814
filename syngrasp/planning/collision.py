"""A scene as a signed-distance field, and clearances of arms and grippers in it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple

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
        R_object_base = np.swapaxes(T_base_object[:, :3, :3], 1, 2)
        origin = np.array([m.sdf.origin for m in models]).reshape(n, 3)
        to_grid = np.empty((n, 3, 4))
        to_grid[:, :, :3] = R_object_base / (scale * spacing)[:, None, None]
        offset = np.einsum("nij,nj->ni", to_grid[:, :, :3], T_base_object[:, :3, 3])
        to_grid[:, :, 3] = -offset - origin / spacing[:, None]
        bounds = _bounds(T_base_object, scale, models)
        corners = bounds.low_high / scale[:, None, None] - origin[:, None]
        arrays = FieldArrays(
            address=np.array([g.ctypes.data for g in grids], dtype=np.int64),
            shape=np.array([g.shape for g in grids], dtype=np.int64).reshape(n, 3),
            to_grid=to_grid,
            box=corners / spacing[:, None, None],
            cell=spacing * scale,
            scale=scale,
            center=bounds.center,
            radius=bounds.radius,
            table=np.array(
                [*scene.table_center, *(0.5 * size for size in scene.table_size), scene.table_height], dtype=np.float64
            ),
            top=bounds.top,
        )
        return cls(arrays, grids)

    def without(self, index: int) -> SceneField:
        """The same field without one object."""
        a, rest = self.arrays, np.delete(np.arange(len(self.grids)), index)
        arrays = a._replace(
            address=a.address[rest],
            shape=a.shape[rest],
            to_grid=a.to_grid[rest],
            box=a.box[rest],
            cell=a.cell[rest],
            scale=a.scale[rest],
            center=a.center[rest],
            radius=a.radius[rest],
        )
        return SceneField(arrays, self.grids)

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


class _Bounds(NamedTuple):
    low_high: F64  # (N, 2, 3) corners of each object's box in its own frame, scaled [m]
    center: F64  # (N, 3) of a ball around each object, in base [m]
    radius: F64  # (N,) of that ball [m]
    top: float  # highest point of all in base [m]


def _bounds(T_base_object: F64, scale: F64, models: Sequence[ObjectModel]) -> _Bounds:
    if not models:
        return _Bounds(np.zeros((0, 2, 3)), np.zeros((0, 3)), np.zeros(0), -np.inf)
    clouds = [m.hulls[0] if len(m.hulls) == 1 else np.concatenate(m.hulls) for m in models]
    sizes = np.array([len(c) for c in clouds])
    first, owner = np.cumsum(sizes) - sizes, np.repeat(np.arange(len(models)), sizes)
    local = np.concatenate(clouds) * scale[owner, None]
    low, high = np.minimum.reduceat(local, first), np.maximum.reduceat(local, first)
    center = 0.5 * (low + high)
    square = np.maximum.reduceat(((local - center[owner]) ** 2).sum(1), first)
    R, t = T_base_object[:, :3, :3], T_base_object[:, :3, 3]
    height = np.einsum("vj,vj->v", local, R[owner, 2]) + t[owner, 2]
    center = np.einsum("nij,nj->ni", R, center) + t
    return _Bounds(np.stack([low, high], axis=1), center, np.sqrt(square), float(height.max()))


def _c(values: ArrayLike) -> F64:
    return np.ascontiguousarray(values, dtype=np.float64)
