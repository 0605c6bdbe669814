"""What RTX and Kit are in the stand-in: an open stage, a clock, and Embree's pictures of the stage at a time code.

Everything is read from the stage through pxr, as Isaac Sim would: cameras, transforms over time, meshes, labels.
`STANDIN_FAULT` makes it misbehave: hang or die at the frame and in the starts that it names, or lag behind.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import numpy as np

started = False  # SimulationApp came first
path: str | None = None
seconds, committed, playing = 0.0, 0.0, False
captured: float | None = None  # time [s] of the last orchestrator step
settings: dict[str, object] = {}


def require_started() -> None:
    if not started:
        raise ImportError("SimulationApp must be made before anything of omni is imported")


def misbehave(frame: int) -> None:
    """Does what STANDIN_FAULT="<what>,<frame>,<starts>" says, in the first so many starts of the process."""
    what, _, rest = os.environ.get("STANDIN_FAULT", "").partition(",")
    if not rest or int(rest.split(",")[0]) != frame or starts() > int(rest.split(",")[1]):
        return
    print(f"standin: {what} at frame {frame}", file=sys.stderr, flush=True)
    if what == "hang":
        time.sleep(3600)
    if what == "die":
        os._exit(7)


def lagging() -> bool:
    """Whether the clock does not follow."""
    return os.environ.get("STANDIN_FAULT") == "lag"


def starts() -> int:
    return len(Path(os.environ["STANDIN_STARTS"]).read_text().splitlines())


def stage():
    from pxr import Usd

    assert path is not None
    return Usd.Stage.Open(path)


class Picture:
    """What a camera sees of the open stage at a time code."""

    def __init__(self, camera: str, size: tuple[int, int], code: float) -> None:
        import trimesh
        from pxr import Usd, UsdGeom

        opened, (width, height) = stage(), size
        cache = UsdGeom.XformCache(Usd.TimeCode(code))
        eye = UsdGeom.Camera(opened.GetPrimAtPath(camera))
        if not eye:
            raise RuntimeError(f"{camera} is no camera")
        vertices, faces, self.paths, owner, count = [], [], [], [], 0
        for prim in opened.Traverse():
            if not prim.IsA(UsdGeom.Mesh):
                continue
            mesh, to_world = UsdGeom.Mesh(prim), np.array(cache.GetLocalToWorldTransform(prim))
            points = np.array(mesh.GetPointsAttr().Get())
            triangles = np.array(mesh.GetFaceVertexIndicesAttr().Get()).reshape(-1, 3)
            vertices.append(points @ to_world[:3, :3] + to_world[3, :3])
            faces.append(triangles + count)
            owner.append(np.full(len(triangles), len(self.paths)))
            self.paths.append(labelled(prim))
            count += len(points)
        world = trimesh.Trimesh(np.concatenate(vertices), np.concatenate(faces), process=False)
        T = np.array(cache.GetLocalToWorldTransform(eye.GetPrim()))
        focal, wide = eye.GetFocalLengthAttr().Get(), eye.GetHorizontalApertureAttr().Get()
        high = eye.GetVerticalApertureAttr().Get()
        x = ((np.arange(width) + 0.5) / width - 0.5) * wide / focal
        y = (0.5 - (np.arange(height) + 0.5) / height) * high / focal
        rays = np.stack([*np.meshgrid(x, y), np.full((height, width), -1.0)], -1).reshape(-1, 3)
        hit, ray, triangle = world.ray.intersects_location(
            np.broadcast_to(T[3, :3], rays.shape), rays @ T[:3, :3], multiple_hits=False
        )
        self.depth = np.full(width * height, np.inf, np.float32)
        self.depth[ray] = (hit - T[3, :3]) @ -T[2, :3]
        self.which = np.full(width * height, -1)
        self.which[ray] = np.concatenate(owner)[triangle]
        self.facing = np.zeros(width * height)
        self.facing[ray] = np.abs(world.face_normals[triangle] @ np.array([0.36, 0.48, 0.8]))
        self.shape = (height, width)


def labelled(prim) -> str:
    """The path of the nearest prim, upwards, with semantic labels; empty without."""
    from pxr import UsdSemantics

    while prim and not prim.IsPseudoRoot():
        if UsdSemantics.LabelsAPI.GetAll(prim):
            return str(prim.GetPath())
        prim = prim.GetParent()
    return ""
