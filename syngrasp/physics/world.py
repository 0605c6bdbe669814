"""A MuJoCo model of a table scene: the table, free convex-decomposed objects, and the arm that may act on them.

Names: bodies and free joints "object{i}", their geoms "object{i}/{part}", the table's geoms "table…", the arm's
geoms "robot/…". The world frame is the robot's base frame.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import mujoco
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull

from syngrasp.records import ObjectModel, Scene
from syngrasp.robots.base import Robot, RobotNames

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

_OBJECT, _ROBOT, _PLANE, _SLAB = 1, 2, 4, 8  # collision bits
_SLAB_THICKNESS = 0.04  # [m]
_BAD_STATE = [
    int(mujoco.mjtWarning.mjWARN_BADQPOS),
    int(mujoco.mjtWarning.mjWARN_BADQVEL),
    int(mujoco.mjtWarning.mjWARN_BADQACC),
    int(mujoco.mjtWarning.mjWARN_BADCTRL),
    int(mujoco.mjtWarning.mjWARN_CONTACTFULL),
    int(mujoco.mjtWarning.mjWARN_CNSTRFULL),
]


@dataclass(frozen=True, slots=True)
class ContactOptions:
    """How contacts are solved. The defaults are the ones that hold a grasp: elliptic cones with a high
    friction impedance, stiff contacts, and a step that is half their time constant."""

    timestep: float = 1.0 / 300.0  # [s]
    time_constant: float = 1.0 / 150.0  # of a contact [s], at least two steps
    impratio: float = 10.0
    torsion: float = 0.005  # torsional friction [m]
    rolling: float = 0.0001  # rolling friction [m]
    noslip_iterations: int = 0
    sleep_tolerance: float = 1e-3  # [m/s], radii counted by MuJoCo


@dataclass(frozen=True, slots=True, eq=False)
class Body:
    """An object to be put into a world."""

    model: ObjectModel
    scale: float
    mass: float  # [kg]
    friction: float  # sliding coefficient


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A slab whose top lies at `height`."""

    height: float  # z of the top in base [m]
    center: tuple[float, float]  # x y in base [m]
    size: tuple[float, float]  # along x and y [m]


@dataclass(frozen=True, slots=True, eq=False)
class RobotIndex:
    """Where the arm lives in a model's arrays."""

    q: I32  # (dof,) into qpos
    v: I32  # (dof,) into qvel
    actuators: I32  # (dof,) into ctrl
    finger_q: I32  # (J,) into qpos, in the order of `Robot.finger_positions`
    finger_v: I32  # (J,) into qvel
    gripper: int  # into ctrl


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """A compiled scene. The model may be changed in place by its one user."""

    model: mujoco.MjModel
    data: mujoco.MjData  # of the run that goes on
    robot: RobotIndex | None
    object_q: I32  # (N, 7) into qpos
    object_v: I32  # (N, 6) into qvel

    def fresh_data(self) -> mujoco.MjData:
        """The state in which the world was compiled; the one of the run before is gone. Making another would cost as
        much as a dozen physics steps."""
        mujoco.mj_resetData(self.model, self.data)
        return self.data

    def object_poses(self, qpos: F64) -> F64:
        """Pose7 (…, N, 7) of the objects in base, real quaternion part ≥ 0, from states (…, nq)."""
        poses = qpos[..., self.object_q]
        return np.where((poses[..., 3:4] < 0.0) & (np.arange(7) >= 3), -poses, poses)


@cache
def quiet_warnings() -> None:
    """Sends MuJoCo's warnings to `logging` instead of stderr and MUJOCO_LOG.TXT, once in a process.

    Nothing is lost by it: a run that diverges is found by `diverged`.
    """
    log = logging.getLogger(__name__)
    mujoco.set_mju_user_warning(lambda message: log.debug("%s", message))


def diverged(data: mujoco.MjData) -> bool:
    """Whether a run left the finite numbers or ran out of room for contacts."""
    return bool(data.warning.number[_BAD_STATE].any()) or not np.isfinite(data.qpos).all()


def bodies_of(scene: Scene, models: Sequence[ObjectModel]) -> list[Body]:
    """The scene's objects with their models, `models[i]` being that of `scene.objects[i]`."""
    return [Body(m, o.scale, o.mass, o.friction) for o, m in zip(scene.objects, models, strict=True)]


def corners(model: ObjectModel) -> F64:
    """Corners (P, 3) of an object's convex parts in the object frame at scale 1 [m]."""
    return np.concatenate(model.hulls)


def table_of(scene: Scene) -> Table:
    """The scene's table."""
    return Table(scene.table_height, scene.table_center, scene.table_size)


def build_world(
    bodies: Sequence[Body],
    table: Table,
    robot: Robot | None = None,
    options: ContactOptions | None = None,
    *,
    resting: F64 | None = None,
) -> World:
    """Compiles a world.

    Objects meet the table's top as an unbounded plane, which is exact as long as they stay above the table and
    several times cheaper than a box; the arm meets the slab itself. Objects given as `resting` at poses (N, 7) in
    base begin asleep there, and keep their poses until something touches them.

    Objects are compiled at scale 1 from named files and scaled afterwards: so MuJoCo's own cache of meshes, which
    knows a mesh by file and scale, spares most of the compilation, nine tenths of which is convex hulls.
    """
    quiet_warnings()
    options = options or ContactOptions()
    spec = _with_options(_robot_spec(robot).copy() if robot else mujoco.MjSpec(), options)
    _add_table(spec, table)
    assets: dict[str, bytes] = {}
    for i, body in enumerate(bodies):
        _add_object(spec, i, body, options, None if resting is None else resting[i], assets)
    spec.assets = assets
    model = spec.compile()
    _rescale(model, bodies)
    start = [int(model.joint(f"object{i}").qposadr[0]) for i in range(len(bodies))]
    start_v = [int(model.joint(f"object{i}").dofadr[0]) for i in range(len(bodies))]
    return World(
        model,
        mujoco.MjData(model),
        _robot_index(model, _robot_names(robot)) if robot else None,
        np.add.outer(start, np.arange(7)).astype(np.int32).reshape(-1, 7),
        np.add.outer(start_v, np.arange(6)).astype(np.int32).reshape(-1, 6),
    )


def _with_options(spec: mujoco.MjSpec, options: ContactOptions) -> mujoco.MjSpec:
    spec.compiler.degree = False
    spec.compiler.usethread = False  # starting threads takes longer than the meshes, which MuJoCo mostly knows already
    option = spec.option
    option.timestep = options.timestep
    option.cone = mujoco.mjtCone.mjCONE_ELLIPTIC
    option.impratio = options.impratio
    option.noslip_iterations = options.noslip_iterations
    option.integrator = mujoco.mjtIntegrator.mjINT_IMPLICITFAST
    option.jacobian = mujoco.mjtJacobian.mjJAC_DENSE  # sparse ones give wrong accelerations in MuJoCo 4.0.0
    option.enableflags |= int(mujoco.mjtEnableBit.mjENBL_SLEEP)
    option.disableflags |= int(mujoco.mjtDisableBit.mjDSBL_AUTORESET)  # a diverged run must stay visible
    option.sleep_tolerance = options.sleep_tolerance
    return spec


def _add_table(spec: mujoco.MjSpec, table: Table) -> None:
    x, y = table.center
    spec.worldbody.add_geom(
        name="table",
        type=mujoco.mjtGeom.mjGEOM_PLANE,
        pos=[x, y, table.height],
        size=[table.size[0] / 2, table.size[1] / 2, 0.1],
        contype=_PLANE,
        conaffinity=0,
        condim=4,
    )
    spec.worldbody.add_geom(
        name="table/slab",
        type=mujoco.mjtGeom.mjGEOM_BOX,
        pos=[x, y, table.height - _SLAB_THICKNESS / 2],
        size=[table.size[0] / 2, table.size[1] / 2, _SLAB_THICKNESS / 2],
        contype=_SLAB,
        conaffinity=0,
        condim=3,
    )


def _add_object(
    spec: mujoco.MjSpec, i: int, body: Body, options: ContactOptions, resting: F64 | None, assets: dict[str, bytes]
) -> None:
    added = spec.worldbody.add_body(name=f"object{i}")
    added.add_freejoint(name=f"object{i}")
    added.explicitinertial = True
    added.mass = body.mass
    added.ipos = [0.0, 0.0, 0.0]  # left unset, MuJoCo takes the body's own position for it
    inertia = body.model.inertia * (body.mass / body.model.volume * body.scale**2)
    added.fullinertia = inertia[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]]
    if resting is not None:
        added.pos, added.quat = resting[:3], resting[3:]
        added.sleep = mujoco.mjtSleepPolicy.mjSLEEP_INIT
    for part, vertices in enumerate(body.model.hulls):
        mesh, geom = spec.add_mesh(), added.add_geom()
        mesh.name = geom.name = geom.meshname = f"object{i}/{part}"
        mesh.file, content = _hull_file(vertices.tobytes())
        mesh.inertia = mujoco.mjtMeshInertia.mjMESH_INERTIA_SHELL  # any will do: the body's is given
        assets[mesh.file] = content
        geom.type = mujoco.mjtGeom.mjGEOM_MESH
        geom.contype, geom.conaffinity = _OBJECT, _OBJECT | _ROBOT | _PLANE
        geom.condim = 4
        geom.priority = 1  # the object's friction rules, whatever it touches
        geom.friction = [body.friction, options.torsion, options.rolling]
        geom.solref = [options.time_constant, 1.0]


@lru_cache(maxsize=4096)
def _hull_file(corners: bytes) -> tuple[str, bytes]:
    """Name and content of an OBJ file of a convex hull, given its corners as the bytes of a float64 array (V, 3)."""
    points = np.frombuffer(corners).reshape(-1, 3)
    hull = ConvexHull(points)
    outward = hull.equations[:, :3]
    faces = hull.simplices.copy()
    a, b, c = (points[faces[:, k]] for k in range(3))
    inside_out = np.einsum("ij,ij->i", np.cross(b - a, c - a), outward) < 0.0
    faces[inside_out] = faces[inside_out][:, ::-1]
    lines = [f"v {x!r} {y!r} {z!r}" for x, y, z in points.tolist()]
    lines += [f"f {i} {j} {k}" for i, j, k in (faces + 1).tolist()]
    return f"{hashlib.sha1(corners).hexdigest()}.obj", "\n".join(lines).encode()


def _rescale(model: mujoco.MjModel, bodies: Sequence[Body]) -> None:
    """Grows each object, compiled at scale 1, to its scale. Everything that MuJoCo derives from a mesh and uses to
    find contacts is a length or does not depend on scale; mass and inertia are those of the scaled object already."""
    for i, body in enumerate(bodies):
        index = model.body(f"object{i}").id
        first, count = model.body_geomadr[index], model.body_geomnum[index]
        geoms = slice(first, first + count)
        for lengths in (model.geom_pos, model.geom_size, model.geom_rbound, model.geom_aabb):
            lengths[geoms] *= body.scale
        for mesh in model.geom_dataid[geoms]:
            start, vertices = model.mesh_vertadr[mesh], model.mesh_vertnum[mesh]
            model.mesh_vert[start : start + vertices] *= body.scale
            model.mesh_pos[mesh] *= body.scale
            start, boxes = model.mesh_bvhadr[mesh], model.mesh_bvhnum[mesh]
            model.bvh_aabb[start : start + boxes] *= body.scale
        start, boxes = model.body_bvhadr[index], model.body_bvhnum[index]
        model.bvh_aabb[start : start + boxes] *= body.scale


@lru_cache(maxsize=4)
def _robot_parts(robot: Robot) -> tuple[mujoco.MjSpec, RobotNames]:
    """The arm alone as a spec; copying it is far cheaper than building it again."""
    spec = mujoco.MjSpec()
    spec.compiler.degree = False
    names = robot.add_to(spec, visual=False, collision=True)
    for geom in spec.geoms:
        if geom.contype or geom.conaffinity:
            geom.contype = _ROBOT
            geom.conaffinity = _OBJECT | _SLAB
    return spec, names


def _robot_spec(robot: Robot) -> mujoco.MjSpec:
    return _robot_parts(robot)[0]


def _robot_names(robot: Robot) -> RobotNames:
    return _robot_parts(robot)[1]


def _robot_index(model: mujoco.MjModel, names: RobotNames) -> RobotIndex:
    def address(joints: Sequence[str], field: str) -> I32:
        return np.array([getattr(model.joint(j), field)[0] for j in joints], dtype=np.int32)

    return RobotIndex(
        address(names.joints, "qposadr"),
        address(names.joints, "dofadr"),
        np.array([model.actuator(a).id for a in names.actuators], dtype=np.int32),
        address(names.finger_joints, "qposadr"),
        address(names.finger_joints, "dofadr"),
        model.actuator(names.gripper_actuator).id,
    )
