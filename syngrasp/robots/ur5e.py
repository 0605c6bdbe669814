"""The Universal Robots UR5e with a Robotiq 2F-85.

Lengths: Universal Robots, "DH parameters for calculations of kinematics and dynamics". Base frame: as in the URDF of
ROS, x away from the cable, turned by half a turn against the controller's. Velocities and torques: "UR5e technical
details". Universal Robots publishes no acceleration or jerk limits: those are ours, near what arms of its size do.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import yaml
from numpy.typing import ArrayLike, NDArray

from syngrasp import se3
from syngrasp.resources import resource
from syngrasp.robots import robotiq_2f85, ur5e_ik
from syngrasp.robots.base import Chain, Limits, Robot, RobotNames, Spheres
from syngrasp.robots.ur5e_meshes import ELBOW_OFFSET, LINKS, NECK, SHOULDER_OFFSET

if TYPE_CHECKING:
    import mujoco

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

# Links (−1 the base) between which the arm can collide with itself; all other pairs are adjacent or run past each
# other in planes of their own.
_SELF_LINKS = ((-1, 2), (-1, 3), (-1, 4), (-1, 5), (0, 2), (0, 3), (0, 4), (0, 5), (1, 3), (1, 4), (1, 5), (2, 5))

_RX = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])  # −90° about x: z becomes y
_RY = np.array([[0.0, 0.0, 1.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0]])  # 90° about y: z becomes x


def _chain() -> Chain:
    """Every link's frame has the joint's axis as z; at 0 the arm is stretched out along x."""
    joints = [
        se3.make(np.eye(3), [0.0, 0.0, ur5e_ik.SHOULDER_Z]),
        se3.make(_RY @ _RX, [0.0, SHOULDER_OFFSET, 0.0]),
        se3.make(np.eye(3), [0.0, -ur5e_ik.UPPER_ARM, ELBOW_OFFSET]),
        se3.make(_RX.T @ _RY @ _RX, [0.0, -ur5e_ik.FOREARM, 0.0]),
        se3.make(_RX.T, [0.0, 0.0, NECK]),
        se3.make(_RX, [0.0, 0.0, ur5e_ik.WRIST]),
    ]
    return Chain(np.stack(joints), flange_frame() @ se3.make(np.eye(3), [0.0, 0.0, robotiq_2f85.TCP_Z]))


def flange_frame() -> F64:
    """T_link6_flange (4, 4): where the gripper stands."""
    return se3.make(np.eye(3), [0.0, 0.0, ur5e_ik.FLANGE])


def _limits() -> Limits:
    """All joints turn by ±2π in "UR5e technical details"; the elbow by ±π only, as ROS's description has it, since its
    links meet before. Of that, plans use one turn of the base, the shoulder from lying backwards to a little under the
    horizontal, and one turn of wrist 2: no more is needed before a table."""
    full, half = 2.0 * math.pi, math.pi
    return Limits(
        q_lower=np.array([-half, -half, -half, -full, -half, -full]),
        q_upper=np.array([half, 0.4, half, full, half, full]),
        velocity=np.full(6, math.pi),
        acceleration=np.full(6, math.radians(800.0)),
        jerk=np.full(6, 5000.0),
    )


def _spheres() -> Spheres:
    """The spheres of the data file and of the gripper, by link."""
    data = yaml.safe_load(resource("assets/robots/ur5e_spheres.yaml").read_text(encoding="utf-8"))
    rows = [(LINKS.index(name) - 1, *sphere, 0.0) for name in LINKS for sphere in data[name]]
    T = flange_frame()
    for x, y, z, radius, finger in robotiq_2f85.balls():
        p = T @ (x, y, z, 1.0)
        rows.append((len(LINKS) - 2, p[0], p[1], p[2], radius, finger))
    table = np.array(rows)
    return Spheres(
        link=table[:, 0].astype(np.int32),
        center=np.ascontiguousarray(table[:, 1:4]),
        radius=np.ascontiguousarray(table[:, 4]),
        finger=np.ascontiguousarray(table[:, 5]),
    )


class UR5e2F85(Robot):
    """The arm with the gripper's frame in its flange's. The TCP lies between the pads, 9 mm behind the closed tips.

    `q_home` puts the TCP at (0.42, 0, 0.45), pointing down, R_base_tcp = Rx(180°), elbow up, the forearm before the
    shoulder: the fingers close along the base's y axis.
    """

    kind = "ur5e_2f85"

    def __init__(self) -> None:
        self.chain = _chain()
        self.limits = _limits()
        self.spheres = _spheres()
        self.gripper = robotiq_2f85.GRIPPER
        self.self_pairs = np.array(_SELF_LINKS, dtype=np.int32)
        self._T_tcp_flange = se3.invert(self.chain.T_flange_tcp)
        self.q_home = self._home()

    def _home(self) -> F64:
        q = self.ik(se3.make(np.diag([1.0, -1.0, -1.0]), [0.42, 0.0, 0.45]))
        usual = (-0.3, -1.6, 1.8, -1.8, -0.5 * math.pi, -1.8)  # shoulder forward, elbow up, wrist under the forearm
        return q[np.abs(q - usual).max(axis=1).argmin()]

    def ik(self, T_base_tcp: ArrayLike, redundancy: int = 16) -> F64:
        return self.ik_batch(np.asarray(T_base_tcp, dtype=np.float64)[None], redundancy)[0]

    def ik_batch(self, T_base_tcp: ArrayLike, redundancy: int = 16) -> tuple[F64, I32]:
        poses = np.asarray(T_base_tcp, dtype=np.float64).reshape(-1, 4, 4)
        poses = np.ascontiguousarray(poses @ self._T_tcp_flange)
        rows = len(poses) * ur5e_ik.MAX_PER_POSE
        out, index = np.empty((rows, self.dof)), np.empty(rows, dtype=np.int32)
        n = ur5e_ik.ik_batch(poses, self.limits.q_lower, self.limits.q_upper, out, index)
        return out[:n].copy(), index[:n].copy()

    def ik_near(self, T_base_tcp: ArrayLike, q_near: ArrayLike) -> F64 | None:
        path = self.ik_along(np.asarray(T_base_tcp, dtype=np.float64)[None], q_near, ur5e_ik.MAX_STEP)
        return path[0] if len(path) else None

    def ik_along(self, T_base_tcp: ArrayLike, q_start: ArrayLike, max_step: float) -> F64:
        poses = np.ascontiguousarray(np.asarray(T_base_tcp, dtype=np.float64) @ self._T_tcp_flange)
        start = np.ascontiguousarray(q_start, dtype=np.float64)
        out = np.empty((len(poses), self.dof))
        return out[: ur5e_ik.ik_path(poses, start, self.limits.q_lower, self.limits.q_upper, max_step, out)]

    def finger_positions(self, width: ArrayLike) -> F64:
        return robotiq_2f85.finger_positions(width)

    def width_of(self, finger_positions: ArrayLike) -> F64:
        return robotiq_2f85.width_of(finger_positions)

    def pad_reach(self, width: ArrayLike) -> F64:
        return robotiq_2f85.pad_reach(width)

    def add_to(self, spec: mujoco.MjSpec, *, visual: bool, collision: bool, servos: bool = True) -> RobotNames:
        from syngrasp.robots import ur5e_mjcf

        return ur5e_mjcf.add_ur5e(spec, self, visual=visual, collision=collision, servos=servos)
