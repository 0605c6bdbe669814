"""Convex parts of many scaled objects as one table of meshes, as MuJoCo Warp wants them.

An object is compiled once, at scale 1. What MuJoCo derives of its parts are then lengths, which grow with the scale,
and indices, which do not: putting scaled objects into a table needs no compiler.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from syngrasp.physics.world import Body, Table, build_world
from syngrasp.records import ObjectModel

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

KEPT = 4096  # compiled objects, a few hundred kilobytes each at most

# Fields of a mesh table, each with the array whose length its values are offset by when tables are joined.
_ADDRESSES = {
    "mesh_vertadr": "mesh_vert",
    "mesh_graphadr": "mesh_graph",
    "mesh_polyadr": "mesh_polynormal",
    "mesh_polyvertadr": "mesh_polyvert",
    "mesh_polymapadr": "mesh_polymap",
}
_COPIED = (
    *("mesh_vertnum", "mesh_graph", "mesh_polynum", "mesh_polynormal", "mesh_polyvertnum", "mesh_polyvert"),
    *("mesh_polymapnum", "mesh_polymap"),
)
_LENGTHS = ("mesh_vert",)


@dataclass(frozen=True, slots=True, eq=False)
class ObjectShape:
    """An object at scale 1 and of mass 1 kg as MuJoCo compiled it. P parts."""

    position: F64  # (P, 3) of a part's mesh frame in the object [m]
    quaternion: F64  # (P, 4) of it, wxyz
    size: F64  # (P, 3) half extents [m]
    radius: F64  # (P,) of the bounding ball [m]
    box: F64  # (P, 6) centre and half extents of the bounding box [m]
    inertia: F64  # (3,) principal moments [kg m²]
    inertia_frame: F64  # (4,) of the principal axes, wxyz
    tables: Mapping[str, NDArray]  # mesh tables by their names in MuJoCo

    @property
    def parts(self) -> int:
        """Number of convex parts."""
        return len(self.radius)


class ObjectShapes:
    """Compiles objects, and keeps the latest."""

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, ObjectShape] = OrderedDict()

    def of(self, model: ObjectModel) -> ObjectShape:
        """The shape of a catalog's object."""
        key = hashlib.sha1(b"".join(hull.tobytes() for hull in model.hulls)).digest()
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        shape = self._kept[key] = _compiled(model)
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return shape


def join_tables(scaled: Sequence[tuple[ObjectShape, float]]) -> dict[str, NDArray]:
    """One mesh table of objects, each at its scale; their parts follow one another in the order given."""
    out = {name: np.concatenate([shape.tables[name] for shape, _ in scaled]) for name in _COPIED}
    for name in _LENGTHS:
        out[name] = np.concatenate([shape.tables[name] * scale for shape, scale in scaled])
    for name, counted in _ADDRESSES.items():
        start = np.cumsum([0] + [len(shape.tables[counted]) for shape, _ in scaled[:-1]])
        out[name] = np.concatenate([s.tables[name] + first for (s, _), first in zip(scaled, start, strict=True)])
    return out


def _compiled(model: ObjectModel) -> ObjectShape:
    compiled = build_world([Body(model, 1.0, 1.0, 1.0)], Table(0.0, (0.0, 0.0), (1.0, 1.0))).model
    body = compiled.body("object0").id
    first = int(compiled.body_geomadr[body])
    geoms = slice(first, first + int(compiled.body_geomnum[body]))
    assert np.array_equal(compiled.geom_dataid[geoms], np.arange(compiled.nmesh))
    tables = {name: np.array(getattr(compiled, name)) for name in (*_COPIED, *_LENGTHS, *_ADDRESSES)}
    return ObjectShape(
        compiled.geom_pos[geoms].copy(),
        compiled.geom_quat[geoms].copy(),
        compiled.geom_size[geoms].copy(),
        compiled.geom_rbound[geoms].copy(),
        compiled.geom_aabb[geoms].copy(),
        compiled.body_inertia[body].copy(),
        compiled.body_iquat[body].copy(),
        tables,
    )
