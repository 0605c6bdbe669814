"""One of every kind of surface, lamp and shape that a scene may hold, and room for their numbers.

Dr.Jit compiles a kernel from the code of everything that is alive, and from the largest numbers that it has given out.
A scene of its own would take seconds to compile for every episode, and fill the cache on disk; with the kinds alive
beside it, every scene has the same code, compiled once on a machine.
"""

# pyright: reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false, reportOperatorIssue=false
# (what Mitsuba's and Dr.Jit's names mean depends on the variant that runs)

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from syngrasp.rendering.mitsuba.arrays import make_mesh
from syngrasp.rendering.mitsuba.lights import unlit
from syngrasp.rendering.mitsuba.materials import bitmap, embossed, glass, opaque, plain
from syngrasp.rendering.mitsuba.meshes import VertexMesh
from syngrasp.rendering.surfaces import Finish

NUMBERS = 1024
"""Surfaces, shapes and lamps that may be alive at a time before kernels are compiled again."""


@lru_cache(maxsize=4)
def every_kind(variant: str) -> Any:
    """A Mitsuba scene, made after `NUMBERS` of each have been, for the variant that is set."""
    import mitsuba as mi

    held = [mi.load_dict({"type": "rectangle", "own": {"type": "diffuse"}}) for _ in range(NUMBERS)]
    held += [mi.load_dict(unlit()) for _ in range(NUMBERS)]
    image, colors = bitmap(np.full((2, 2, 3), 128, np.uint8)), plain(np.full((2, 2, 3), 0.5, np.float32))
    clear = Finish((1.0, 1.0, 1.0), 0.5, 0.0, transmission=0.5)
    surfaces = [opaque(color, 0.5, 0.0) for color in (image, colors)]
    surfaces += [glass(color, clear) for color in (image, colors)]
    surfaces.append(embossed(surfaces[0], np.zeros((2, 2), np.float32)))
    corner = VertexMesh(
        vertices=np.eye(3, dtype=np.float32),
        normals=np.full((3, 3), np.sqrt(1.0 / 3.0), np.float32),
        uv=np.zeros((3, 2), np.float32),
        colors=np.ones((3, 3), np.float32),
        faces=np.array([[0, 1, 2]], np.int32),
    )
    meshes = {f"mesh{k}": make_mesh(f"mesh{k}", corner, surface) for k, surface in enumerate(surfaces)}
    dark = {"type": "area", "radiance": {"type": "rgb", "value": [0.0, 0.0, 0.0]}}
    scene = mi.load_dict(
        {
            "type": "scene", "ball": {"type": "sphere", "emitter": dark}, "spot": unlit(), **meshes,
            "held": {"type": "shapegroup", "mesh": make_mesh("held", corner, surfaces[0])},
            "instance": {"type": "instance", "held": {"type": "ref", "id": "held"}},
        }
    )  # fmt: skip
    del held
    return scene
