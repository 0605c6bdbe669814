"""Antipodal grasps of an object for a parallel-jaw gripper, found on the convex parts that physics collides with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.spatial import KDTree

from syngrasp import se3
from syngrasp.geometry.casting import antipodal_pairs, pad_support, points_on_mesh
from syngrasp.geometry.force_closure import soft_finger_epsilon
from syngrasp.geometry.hulls import F64, ConvexParts, pack_hulls
from syngrasp.geometry.sdf import sdf_value
from syngrasp.records import GraspSet, SdfGrid

BATCH = 4096  # surface points drawn at a time
PAD_DISC = np.array(
    [
        (r * np.cos(a), r * np.sin(a))
        for r, n in ((0.0035, 6), (0.007, 12))
        for a in (np.arange(n) + 0.5) * (2.0 * np.pi / n)
    ]
)  # [m]


@dataclass(frozen=True, slots=True)
class AntipodalOptions:
    """What counts as a grasp."""

    friction: float = 0.15  # force closure must hold at this coefficient (GraspVLA)
    torsion: float = 0.003  # soft finger: largest moment about the normal per unit normal force [m]
    rolls: int = 16  # approach directions about each closing line
    min_width: float = 0.002  # [m]
    width_margin: float = 0.008  # kept free of the gripper's largest width, both sides together [m]
    pad_tolerance: float = 0.002  # a pad rests on what is within this of its plane [m]
    min_support: float = 0.3  # least share of the pad's disc that rests on the body
    collision_tolerance: float = 0.002  # of gripper spheres in the object itself [m]
    visual_tolerance: float = 0.004  # a contact is at most this far from the visible surface [m]
    min_relative_quality: float = 0.2  # of the object's best grasp
    max_batches: int = 12


class GripperShape(NamedTuple):
    """Collision spheres of a gripper in the TCP frame with the gripper closed, and its opening."""

    center: F64  # (S, 3) [m]
    radius: F64  # (S,) [m]
    finger: F64  # (S,) 0 rigid; ±1 moves along ±y by half the width
    max_width: float  # [m]


class Hand(Protocol):
    """What is asked of a robot here; see `syngrasp.robots.base.Robot`."""

    chain: Any
    spheres: Any
    gripper: Any

    @property
    def dof(self) -> int: ...


def gripper_shape(robot: Hand) -> GripperShape:
    """The part of a robot that moves with its TCP: the fingers and what is fixed to the last link."""
    spheres = robot.spheres
    carried = (spheres.link == robot.dof - 1) | (spheres.finger != 0.0)
    center = se3.transform(se3.invert(robot.chain.T_flange_tcp), spheres.center[carried])
    return GripperShape(
        np.ascontiguousarray(center),
        np.ascontiguousarray(spheres.radius[carried], dtype=np.float64),
        np.ascontiguousarray(spheres.finger[carried], dtype=np.float64),
        float(robot.gripper.max_width),
    )


def sample_grasps(
    vertices: F64,
    faces: NDArray[np.integer],
    hulls: Sequence[F64],
    sdf: SdfGrid,
    gripper: GripperShape,
    rng: np.random.Generator,
    count: int = 512,
    *,
    scale_range: tuple[float, float] = (1.0, 1.0),
    options: AntipodalOptions | None = None,
) -> GraspSet:
    """Up to `count` force-closure grasps in the object frame at scale 1, best first and spread over the object.

    vertices (V, 3) [m], faces (T, 3): the visible surface, which contacts must be near to. hulls: convex parts
    (Hᵢ, 3) [m], whose union's surface the contacts lie on; sdf: their distance grid. The object frame's origin is
    the centre of mass. A grasp's width fits the gripper at the smallest scale of `scale_range`; the open gripper,
    and the gripper as it closes, are free of the object at the largest scale ≤ 1 at which the width fits.
    Each pair of contacts is listed with one order of fingers (`swap_fingers` gives the other). May be empty.
    """
    options = options or AntipodalOptions()
    parts = pack_hulls(hulls)
    surface = KDTree(points_on_mesh(np.asarray(vertices, dtype=np.float64), np.asarray(faces), rng))
    length = characteristic_length(parts)
    widest = gripper.max_width - options.width_margin
    found: list[GraspSet] = []
    for _ in range(options.max_batches):
        contacts, normals = sample_pairs(parts, rng, BATCH, options, widest / min(scale_range[0], 1.0))
        near = surface.query(contacts.reshape(-1, 3))[0].reshape(-1, 2).max(axis=1) < options.visual_tolerance
        # Each pair gives many grasps, the best spread of which is picked: more pairs add little.
        contacts, normals = contacts[near][: max(count // 2, 64)], normals[near][: max(count // 2, 64)]
        support, bulge = pad_support(parts, contacts, PAD_DISC, options.pad_tolerance, 0.015)
        rests = (support >= options.min_support) & (bulge <= options.pad_tolerance)
        contacts, normals, support = contacts[rests], normals[rests], support[rests]
        if not len(contacts):
            continue
        grasps = _with_rolls(contacts, normals, rng, options.rolls)
        free = _free_of_object(grasps, gripper, sdf, widest, options.collision_tolerance)
        pair = np.repeat(np.arange(len(contacts)), options.rolls)[free]
        useful = np.unique(pair)
        quality = np.zeros(len(contacts))
        quality[useful] = support[useful] * grasp_quality(
            contacts[useful], normals[useful], np.zeros(3), length, options
        )
        found.append(replace(take(grasps, np.flatnonzero(free)), quality=quality[pair]))
        if sum(len(grasps.width) for grasps in found) >= 4 * count:
            break
    if not found:
        return _with_rolls(np.empty((0, 2, 3)), np.empty((0, 2, 3)), rng, 1)
    pool = _concatenate(found)
    if len(pool.quality):
        pool = take(pool, np.flatnonzero(pool.quality >= options.min_relative_quality * pool.quality.max()))
    return take(pool, spread(pool, count, length))


def sample_pairs(
    parts: ConvexParts, rng: np.random.Generator, count: int, options: AntipodalOptions, max_width: float
) -> tuple[F64, F64]:
    """Force-closure pairs of contacts from `count` surface points: contacts and outward normals (N, 2, 3).

    Half of the lines follow the normal, half are uniform in the friction cone about it.
    """
    # Strictly inside the cone, so that the test on the finished grasp agrees.
    cosine = (1.0 + 1e-9) / np.sqrt(1.0 + options.friction**2)
    return antipodal_pairs(parts, rng.random((count, 5)), cosine, options.min_width, max_width)


def characteristic_length(parts: ConvexParts) -> float:
    """Largest distance of the surface from the centre of mass (the origin) [m]: no moment arm is longer."""
    return float(np.sqrt((parts.triangles**2).sum(axis=2).max()))


def grasp_quality(contacts: F64, normals: F64, com: F64, length: float, options: AntipodalOptions) -> F64:
    """Quality (N,) in [0, 1] of grasps with contacts and outward normals (N, 2, 3).

    The soft-finger ε over the best that aligned contacts about the centre of mass can have, times 1 / (1 + ρ / L)
    for the distance ρ of the closing line from the centre of mass: the moment of the weight that the grip must hold.
    """
    epsilon = soft_finger_epsilon(contacts, normals, com, options.friction, options.torsion, length)
    line = contacts[:, 1] - contacts[:, 0]
    line = line / np.linalg.norm(line, axis=1, keepdims=True)
    arm = contacts[:, 0] - com
    lever = np.linalg.norm(np.cross(arm, line), axis=1)
    return epsilon / min(options.friction, options.torsion / length) / (1.0 + lever / length)


def swap_fingers(grasps: GraspSet) -> GraspSet:
    """The same grasps with the fingers exchanged: turned by π about the approach."""
    T = grasps.T_object_tcp.copy()
    T[:, :3, :2] *= -1.0
    return GraspSet(T, grasps.width, grasps.quality, grasps.contact_normals[:, ::-1].copy())


def take(grasps: GraspSet, index: NDArray[np.integer]) -> GraspSet:
    """The grasps at an index (K,), in its order."""
    return GraspSet(
        grasps.T_object_tcp[index], grasps.width[index], grasps.quality[index], grasps.contact_normals[index]
    )


def spread(grasps: GraspSet, count: int, length: float) -> NDArray[np.int64]:
    """Indices of up to `count` grasps, best first, that cover places and approaches.

    The best grasp that is at least δ from all taken ones is taken until none is left; then δ halves. The distance
    joins position over `length`, approach, and closing direction regardless of its sign.
    """
    T = grasps.T_object_tcp
    key = np.concatenate([T[:, :3, 3] / length, 0.5 * T[:, :3, 2], 0.5 * T[:, :3, 1]], axis=1)
    order = np.argsort(-grasps.quality, kind="stable")
    taken = order[_thin(np.ascontiguousarray(key[order]), count)]
    return taken[np.argsort(-grasps.quality[taken], kind="stable")]


@njit(cache=True, nogil=True)
def _thin(key, count):
    out = np.empty(min(count, len(key)), dtype=np.int64)
    nearest_sq = np.full(len(key), np.inf)
    taken = 0
    delta = 1.0
    while taken < len(out):
        for n in range(len(key)):
            if nearest_sq[n] < delta * delta:
                continue
            out[taken] = n
            taken += 1
            if taken == len(out):
                break
            for m in range(len(key)):
                place, same, opposed = 0.0, 0.0, 0.0
                for axis in range(6):
                    place += (key[m, axis] - key[n, axis]) ** 2
                for axis in range(6, 9):
                    same += (key[m, axis] - key[n, axis]) ** 2
                    opposed += (key[m, axis] + key[n, axis]) ** 2
                nearest_sq[m] = min(nearest_sq[m], place + min(same, opposed))
            nearest_sq[n] = -1.0
        delta = delta * 0.5 if delta > 1e-3 else 0.0
    return out


def _with_rolls(contacts: F64, normals: F64, rng: np.random.Generator, rolls: int) -> GraspSet:
    """Grasps of each pair of contacts from `rolls` approaches about its line, the first random; quality 0."""
    line = contacts[:, 1] - contacts[:, 0]
    width = np.linalg.norm(line, axis=1)
    y = line / width[:, None]
    e1 = np.cross(y, np.eye(3)[np.argmin(np.abs(y), axis=1)])
    e1 /= np.linalg.norm(e1, axis=1, keepdims=True)
    e2 = np.cross(y, e1)
    angle = (rng.random(len(y))[:, None] + np.arange(rolls)) * (2.0 * np.pi / rolls)
    z = np.cos(angle)[..., None] * e1[:, None] + np.sin(angle)[..., None] * e2[:, None]
    y = np.broadcast_to(y[:, None], z.shape)
    R = np.stack([np.cross(y, z), y, z], axis=-1).reshape(-1, 3, 3)
    T = se3.make(R, np.repeat(contacts.mean(axis=1), rolls, axis=0))
    return GraspSet(T, np.repeat(width, rolls), np.zeros(len(T)), np.repeat(normals, rolls, axis=0))


def _concatenate(sets: list[GraspSet]) -> GraspSet:
    return GraspSet(
        np.concatenate([s.T_object_tcp for s in sets]),
        np.concatenate([s.width for s in sets]),
        np.concatenate([s.quality for s in sets]),
        np.concatenate([s.contact_normals for s in sets]),
    )


def _free_of_object(
    grasps: GraspSet, gripper: GripperShape, sdf: SdfGrid, widest: float, tolerance: float
) -> NDArray[np.bool_]:
    """Whether the gripper misses the object, at the largest scale ≤ 1 at which the width fits, shape (G,)."""
    return _gripper_is_free(
        grasps.T_object_tcp,
        grasps.width,
        np.minimum(1.0, widest / grasps.width),
        gripper.center,
        gripper.radius - tolerance,
        gripper.finger,
        gripper.max_width,
        sdf.values,
        sdf.origin,
        sdf.spacing,
    )


@njit(cache=True, nogil=True)
def _gripper_is_free(T, width, scale, center, radius, finger, max_width, values, origin, spacing):
    """Whether the gripper misses the object, scaled by scale (G,), fully open and until 3 mm before it closes.

    T (G, 4, 4) and width (G,) [m] are at scale 1; spheres as in GripperShape; radii are less the tolerance.
    """
    free = np.ones(len(T), dtype=np.bool_)
    for n in range(len(T)):
        s = scale[n]
        closed = min(s * width[n] + 0.006, max_width)
        for k in range(len(radius)):
            stations = 1 if finger[k] == 0.0 else 3
            for station in range(stations):
                opening = max_width + 0.5 * station * (closed - max_width)
                x, y, z = center[k, 0], center[k, 1] + 0.5 * finger[k] * opening, center[k, 2]
                px = T[n, 0, 3] + (T[n, 0, 0] * x + T[n, 0, 1] * y + T[n, 0, 2] * z) / s
                py = T[n, 1, 3] + (T[n, 1, 0] * x + T[n, 1, 1] * y + T[n, 1, 2] * z) / s
                pz = T[n, 2, 3] + (T[n, 2, 0] * x + T[n, 2, 1] * y + T[n, 2, 2] * z) / s
                if s * sdf_value(values, origin, spacing, px, py, pz) < radius[k]:
                    free[n] = False
                    break
            if not free[n]:
                break
    return free
