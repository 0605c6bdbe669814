"""Arrays and meshes of numpy's handed to Dr.Jit and Mitsuba."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false, reportOperatorIssue=false
# (what Mitsuba's and Dr.Jit's names mean depends on the variant that runs)

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.rendering.mitsuba.meshes import VertexMesh


def aligned(values: NDArray[Any]) -> NDArray[Any]:
    """A flat copy that starts on a cache line. Dr.Jit takes such memory as it is, and replays a frozen function only
    for arrays that are aligned as those it was recorded with."""
    flat = np.ascontiguousarray(values).ravel()
    room = np.empty(flat.nbytes + 64, np.uint8)
    start = -room.ctypes.data % 64
    out = room[start : start + flat.nbytes].view(flat.dtype)
    out[:] = flat
    return out


def owned(values: NDArray[Any]) -> Any:
    """A Dr.Jit array in memory of its own: what a scene keeps must not lie in an array of numpy's."""
    import drjit as dr
    import mitsuba as mi

    if "scalar" in mi.variant():
        from drjit.scalar import ArrayXf, ArrayXu

        return (ArrayXf if values.dtype.kind == "f" else ArrayXu)(np.ascontiguousarray(values).ravel())
    kind = mi.Float if values.dtype.kind == "f" else mi.UInt32
    out = kind(aligned(values)) + dr.opaque(kind, 0)
    dr.eval(out)
    return out


def shape_number(shape: Any) -> int:
    """A shape's place in Mitsuba's registry, as a ray's hit names it."""
    import drjit as dr
    import mitsuba as mi

    return int(dr.reinterpret_array(mi.UInt32, mi.ShapePtr(shape))[0])


def emitter_number(emitter: Any) -> int:
    """An emitter's place in Mitsuba's registry."""
    import drjit as dr
    import mitsuba as mi

    return int(dr.reinterpret_array(mi.UInt32, mi.EmitterPtr(emitter))[0])


def make_mesh(name: str, mesh: VertexMesh, surface: dict[str, Any]) -> Any:
    """A Mitsuba mesh in its vertices' frame."""
    import mitsuba as mi

    properties = mi.Properties()
    properties["mesh_bsdf"] = mi.load_dict(surface)
    out = mi.Mesh(
        name, len(mesh.vertices), len(mesh.faces), has_vertex_normals=True, has_vertex_texcoords=True, props=properties
    )
    parameters = mi.traverse(out)
    for field, values in (
        ("vertex_positions", mesh.vertices),
        ("vertex_normals", mesh.normals),
        ("vertex_texcoords", mesh.uv),
        ("faces", mesh.faces.astype(np.uint32)),
    ):
        parameters[field] = owned(values)
    parameters.update()
    return out
