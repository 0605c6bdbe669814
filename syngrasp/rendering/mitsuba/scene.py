"""An episode as two Mitsuba scenes: what stands still alone, and everything, whose moving meshes follow the frames."""

# pyright: reportArgumentType=false, reportCallIssue=false, reportIndexIssue=false, reportOperatorIssue=false
# (what Mitsuba's and Dr.Jit's names mean depends on the variant that runs)

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.records import Scene
from syngrasp.rendering.furniture import Block
from syngrasp.rendering.look import Look
from syngrasp.rendering.mitsuba.arrays import make_mesh, owned, shape_number
from syngrasp.rendering.mitsuba.lights import emitters
from syngrasp.rendering.mitsuba.materials import bitmap, block_surface, part_surface, plain
from syngrasp.rendering.mitsuba.meshes import Group, VertexMesh, block_meshes
from syngrasp.rendering.surfaces import color_grid
from syngrasp.rendering.texture.families import TextureFolder

F32 = NDArray[np.float32]


class EpisodeScene:
    """The scenes, and the way to put the moving meshes where a frame has them."""

    def __init__(
        self,
        scene: Scene,
        look: Look,
        groups: Sequence[Group],
        blocks: Sequence[Block],
        environment: F32,
        textures: TextureFolder | None = None,
    ) -> None:
        """`environment` is a map of environment/maps.py; `groups` come from `grouped`."""
        import mitsuba as mi

        lights = emitters(look, scene.table_height, environment)
        self._moving = [group for group in groups if group.parts[0].moves()]
        still: dict[str, Any] = {}
        for k, material in enumerate(dict.fromkeys(block.material for block in blocks)):
            own = look.material(material)
            mesh = block_meshes([block for block in blocks if block.material == material], own)
            still[f"block{k}"] = make_mesh(f"block{k}", mesh, block_surface(own, textures))
        moving: dict[str, Any] = {}
        for k, group in enumerate(groups):
            (moving if group in self._moving else still)[f"group{k}"] = _group_mesh(f"group{k}", group)
        everything = still
        if moving and "scalar" not in mi.variant():
            # apart, so that only the tree of what moves is built again
            held = {"type": "shapegroup", **still}
            everything = {"held": held, "instance": {"type": "instance", "held": {"type": "ref", "id": "held"}}}
        self.still = mi.load_dict({"type": "scene", **still, **lights})
        self.full = mi.load_dict({"type": "scene", **everything, **moving, **lights}) if moving else self.still
        self._parameters = mi.traverse(self.full) if moving else None
        self._names = list(moving)
        numbers = [] if "scalar" in mi.variant() else sorted(shape_number(shape) for shape in moving.values())
        self.moving_labels = np.unique([group.parts[0].label for group in self._moving]).astype(np.uint8)
        """What labels of masks hold something that moves."""
        self.moving_numbers = np.array(numbers, np.uint32)

    def pose(self, frame: int) -> None:
        """Moves what moves to where a frame has it. Only its tree is built again."""
        if self._parameters is None:
            return
        for name, group in zip(self._names, self._moving, strict=True):
            vertices, normals = group.placed(frame)
            self._parameters[f"{name}.vertex_positions"] = owned(vertices)
            self._parameters[f"{name}.vertex_normals"] = owned(normals)
        self._parameters.update()


def _group_mesh(name: str, group: Group) -> Any:
    part = group.parts[0]
    vertices, normals = group.placed(0)
    if part.mesh.texture is None:
        image, uv = color_grid(group.stacked("colors") * np.array(part.finish.tint, np.float32))
        color = plain(image)
    else:
        color, uv = bitmap(part.mesh.texture, part.finish.tint), group.stacked("uv")
    mesh = VertexMesh(vertices, normals, uv.astype(np.float32), group.stacked("colors"), group.faces())
    return make_mesh(name, mesh, part_surface(color, part.finish))
