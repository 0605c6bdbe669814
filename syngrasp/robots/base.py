"""What the pipeline knows of an arm with a two-finger gripper. A new arm is data plus an inverse kinematics."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

if TYPE_CHECKING:
    import mujoco

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Chain:
    """A serial chain of revolute joints: T_base_link(i) = T_base_link(i−1) · T_joint[i] · Rz(q[i])."""

    T_joint: F64  # (dof, 4, 4), frame of joint i at q = 0 in link i−1 (the base for i = 0)
    T_flange_tcp: F64  # (4, 4), TCP in the last link


@dataclass(frozen=True, slots=True, eq=False)
class Limits:
    """Joint limits, each shape (dof,)."""

    q_lower: F64  # [rad]
    q_upper: F64  # [rad]
    velocity: F64  # [rad/s]
    acceleration: F64  # [rad/s²]
    jerk: F64  # [rad/s³]


@dataclass(frozen=True, slots=True, eq=False)
class Spheres:
    """Collision spheres, ordered by link."""

    link: I32  # (S,), −1 the base, i the link behind joint i
    center: F64  # (S, 3) in the link's frame [m]; finger spheres: with the gripper closed
    radius: F64  # (S,) [m]
    finger: F64  # (S,) 0 rigid; ±1 moves along TCP ±y by half the gripper's width; between, by that share of it

    def __len__(self) -> int:
        return len(self.radius)


@dataclass(frozen=True, slots=True)
class Gripper:
    """A parallel-jaw gripper; widths are distances between the finger pads."""

    max_width: float  # [m]
    speed: float  # of the width [m/s]
    force: float  # default grip force [N]
    pad_depth: float  # how far a closed pad reaches behind (and before) the TCP along its z [m]


@dataclass(frozen=True, slots=True)
class RobotNames:
    """Names of what `Robot.add_to` put into a MuJoCo model."""

    joints: tuple[str, ...]  # dof arm joints
    actuators: tuple[str, ...]  # one position servo per arm joint
    finger_joints: tuple[str, ...]  # of the gripper, in the order of `Robot.finger_positions`
    gripper_actuator: str  # drives a tendon; control: width [m], clipped by the grip force
    tcp_site: str
    finger_bodies: tuple[str, ...]


class Robot(ABC):
    """An arm and its gripper, placed at the origin of the base frame, z up."""

    kind: str
    chain: Chain
    limits: Limits
    spheres: Spheres
    gripper: Gripper
    self_pairs: I32  # (P, 2) links, as in `Spheres.link`, whose spheres must keep apart
    q_home: F64  # (dof,) [rad]: above the table, TCP pointing down
    posture_reach: float = 1.3  # largest joint distance from home that keeps its posture, the elbow up [rad]

    @property
    def dof(self) -> int:
        """Number of arm joints."""
        return len(self.chain.T_joint)

    @abstractmethod
    def ik(self, T_base_tcp: ArrayLike, redundancy: int = 16) -> F64:
        """All configurations (K, dof) [rad] within limits that reach a pose (4, 4); K may be 0.

        A redundant arm sweeps its free joint over `redundancy` values.
        """

    @abstractmethod
    def ik_near(self, T_base_tcp: ArrayLike, q_near: ArrayLike) -> F64 | None:
        """The configuration (dof,) at a pose (4, 4) that continues q_near smoothly, or None."""

    @abstractmethod
    def ik_along(self, T_base_tcp: ArrayLike, q_start: ArrayLike, max_step: float) -> F64:
        """Configurations (K, dof) that continue q_start (dof,) along poses (N, 4, 4), K ≤ N.

        They end before the first pose that has no answer or needs a joint step over max_step [rad].
        """

    def follow(self, T_base_tcp: ArrayLike, q_start: ArrayLike, max_step: float) -> F64:
        """Configurations (K, dof) that follow poses (N, 4, 4) from q_start (dof,) with the least joint motion, K ≤ N.

        Faster and smoother than `ik_along`, but it ends where the least motion leaves the limits, though another way
        may go on.
        """
        from syngrasp.robots import differential_ik

        poses = np.ascontiguousarray(T_base_tcp, dtype=np.float64).reshape(-1, 4, 4)
        start = np.ascontiguousarray(q_start, dtype=np.float64)
        chain, limits, out = self.chain, self.limits, np.empty((len(poses), self.dof))
        bounds = limits.q_lower, limits.q_upper
        return out[: differential_ik.follow(chain.T_joint, chain.T_flange_tcp, *bounds, poses, start, max_step, out)]

    @abstractmethod
    def add_to(self, spec: mujoco.MjSpec, *, visual: bool, collision: bool, servos: bool = True) -> RobotNames:
        """Adds the robot at the origin of a MuJoCo spec: bodies, joints, geoms, position servos, TCP site.

        Visual geoms are coloured meshes in group 2 that touch nothing; collision geoms are in group 3.
        Every geom's name begins with "robot/".
        """

    def finger_positions(self, width: ArrayLike) -> F64:
        """Positions (…, J) of the gripper's joints at widths (…,) [m]. Here: two slides, each half the width [m]."""
        half = 0.5 * np.asarray(width, dtype=np.float64)
        return np.stack([half, half], axis=-1)

    def width_of(self, finger_positions: ArrayLike) -> F64:
        """Widths (…,) [m] of a gripper whose joints stand at positions (…, J)."""
        return np.asarray(finger_positions, dtype=np.float64).sum(axis=-1)

    def pad_reach(self, width: ArrayLike) -> F64:
        """How far the pads reach beyond the TCP along its z at widths (…,) [m]. Here: always as far, `pad_depth`."""
        return np.full(np.shape(width), self.gripper.pad_depth)

    def fk(self, q: ArrayLike) -> F64:
        """TCP poses T_base_tcp (…, 4, 4) of configurations (…, dof) [rad]."""
        from syngrasp.robots import kinematics

        q = np.ascontiguousarray(q, dtype=np.float64)
        flat = q.reshape(-1, self.dof)
        out = np.empty((len(flat), 4, 4))
        kinematics.fk_batch(self.chain.T_joint, self.chain.T_flange_tcp, flat, out)
        return out.reshape(*q.shape[:-1], 4, 4)

    def sphere_centers(self, q: ArrayLike, width: ArrayLike) -> F64:
        """Centres (M, S, 3) of `spheres` in base [m], at configurations (M, dof) [rad] and gripper widths (M,) [m]."""
        from syngrasp.robots import kinematics

        q = np.ascontiguousarray(q, dtype=np.float64)
        width = np.ascontiguousarray(np.broadcast_to(np.asarray(width, dtype=np.float64), len(q)))
        s, out = self.spheres, np.empty((len(q), len(self.spheres), 3))
        chain = self.chain
        kinematics.sphere_centers_batch(chain.T_joint, chain.T_flange_tcp, s.link, s.center, s.finger, q, width, out)
        return out

    def ik_batch(self, T_base_tcp: ArrayLike, redundancy: int = 16) -> tuple[F64, I32]:
        """`ik` of many poses (G, 4, 4): configurations (K, dof), by pose, and which pose (K,) each reaches."""
        found = [self.ik(T, redundancy) for T in np.asarray(T_base_tcp, dtype=np.float64)]
        index = np.repeat(np.arange(len(found), dtype=np.int32), [len(q) for q in found])
        return (np.concatenate(found) if found else np.empty((0, self.dof))), index
