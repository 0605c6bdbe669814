"""The Franka Emika Panda with its hand.

Geometry and inertias: Franka's URDF (franka_description). Limits: "Robot and interface specifications", Franka Control
Interface documentation.
"""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import yaml
from numpy.typing import ArrayLike, NDArray

from syngrasp import se3
from syngrasp.resources import resource
from syngrasp.robots import panda_ik
from syngrasp.robots.base import Chain, Gripper, Limits, Robot, RobotNames, Spheres

if TYPE_CHECKING:
    import mujoco

F64 = NDArray[np.float64]
I32 = NDArray[np.int32]

DOF = 7
FLANGE_Z = 0.107  # of the flange in link 7 [m]
FINGER_Z = 0.0584  # of the finger's frame in the hand [m]
FINGER_TIP_Z = 0.0538  # of the finger's tip in the finger's frame [m]
PAD_START_Z = 0.036  # where the finger's flat pad begins in the finger's frame [m]
TCP_Z = 0.1034  # of Franka's TCP in the hand [m]

# Links (−1 the base) between which the arm can collide with itself; all other pairs are adjacent, or their meshes
# never touch within the joint limits (the SRDF's lists).
_SELF_LINKS = ((-1, 4), (-1, 5), (-1, 6), (0, 4), (0, 5), (0, 6), (1, 4), (1, 5), (1, 6), (4, 6))


def _frame(roll: float, x: float, y: float, z: float) -> F64:
    """A joint's frame in the link before it: translation [m], then a turn about x [quarter turns]."""
    c, s = ((1.0, 0.0), (0.0, 1.0), (-1.0, 0.0), (0.0, -1.0))[int(roll) % 4]
    return np.array([[1.0, 0.0, 0.0, x], [0.0, c, -s, y], [0.0, s, c, z], [0.0, 0.0, 0.0, 1.0]])


def hand_frame() -> F64:
    """T_link7_hand (4, 4): the hand stands on the flange, turned by −45°."""
    c = math.sqrt(0.5)
    return np.array([[c, c, 0.0, 0.0], [-c, c, 0.0, 0.0], [0.0, 0.0, 1.0, FLANGE_Z], [0.0, 0.0, 0.0, 1.0]])


def _chain(finger_extension: float) -> Chain:
    joints = [
        _frame(0, 0.0, 0.0, panda_ik.SHOULDER_Z),
        _frame(-1, 0.0, 0.0, 0.0),
        _frame(1, 0.0, -panda_ik.UPPER_ARM, 0.0),
        _frame(1, panda_ik.ELBOW, 0.0, 0.0),
        _frame(-1, -panda_ik.ELBOW, panda_ik.FOREARM, 0.0),
        _frame(1, 0.0, 0.0, 0.0),
        _frame(1, panda_ik.WRIST, 0.0, 0.0),
    ]
    return Chain(T_joint=np.stack(joints), T_flange_tcp=hand_frame() @ _frame(0, 0.0, 0.0, TCP_Z + finger_extension))


def _limits() -> Limits:
    return Limits(
        q_lower=np.array([-2.8973, -1.7628, -2.8973, -3.0718, -2.8973, -0.0175, -2.8973]),
        q_upper=np.array([2.8973, 1.7628, 2.8973, -0.0698, 2.8973, 3.7525, 2.8973]),
        velocity=np.array([2.175, 2.175, 2.175, 2.175, 2.61, 2.61, 2.61]),
        acceleration=np.array([15.0, 7.5, 10.0, 12.5, 15.0, 20.0, 20.0]),
        jerk=np.array([7500.0, 3750.0, 5000.0, 6250.0, 7500.0, 10000.0, 10000.0]),
    )


@cache
def _joint7_values(count: int) -> F64:
    """The middles (count,) [rad] of equal parts of joint 7's range; made once, as it takes as long as ten solutions."""
    limits = _limits()
    lower, upper = limits.q_lower[6], limits.q_upper[6]
    return lower + (np.arange(count) + 0.5) / count * (upper - lower)


def _finger_spheres(extension: float) -> list[tuple[float, float, float]]:
    """Spheres y z radius [m] of the +y finger in its own frame, closed: along the pad, then up to the carriage."""
    radius = 0.0095
    top, bottom = PAD_START_Z + 0.007, FINGER_TIP_Z + extension - radius + 0.0005
    count = 1 + max(1, math.ceil((bottom - top) / 0.0115))
    pad = [(radius - 0.0005, float(z), radius) for z in np.linspace(bottom, top, count)]
    return [*pad, (0.0145, 0.031, 0.010), (0.0185, 0.019, 0.010), (0.0150, 0.007, 0.011)]


def _spheres(finger_extension: float) -> Spheres:
    """The spheres of the data file and of the fingers, by link."""
    data = yaml.safe_load(resource("assets/robots/panda_spheres.yaml").read_text(encoding="utf-8"))
    link: list[int] = []
    rows: list[tuple[float, float, float, float]] = []
    finger: list[float] = []
    T_hand = hand_frame()
    for name, spheres in data.items():
        for x, y, z, r in spheres:
            p = T_hand @ (x, y, z, 1.0) if name == "hand" else (x, y, z)
            link.append(6 if name == "hand" else int(name.removeprefix("link")) - 1)
            rows.append((p[0], p[1], p[2], r))
            finger.append(0.0)
    for side in (1.0, -1.0):
        for y, z, r in _finger_spheres(finger_extension):
            p = T_hand @ (0.0, side * y, FINGER_Z + z, 1.0)
            link.append(6)
            rows.append((p[0], p[1], p[2], r))
            finger.append(side)
    table = np.array(rows)
    return Spheres(
        link=np.array(link, dtype=np.int32),
        center=np.ascontiguousarray(table[:, :3]),
        radius=np.ascontiguousarray(table[:, 3]),
        finger=np.array(finger),
    )


class Panda(Robot):
    """Franka Emika Panda. The TCP lies 8.8 mm before the fingers' tips, as Franka's `panda_hand_tcp` does, moved out by
    `finger_extension` [m]; its axes are the hand's: y from the right finger to the left one, z out of the hand.

    `q_home` puts the TCP at (0.363, 0, 0.489), pointing down with yaw 45°, R_base_tcp = Rz(45°) Rx(180°): the fingers
    close along the base's (1, −1, 0) diagonal. It is the reset pose of GraspVLA's real robot, in the frame that its
    public controller uses, panda_hand_tcp; with joints 1, 3, 5 and 7 at 0 it lies at the centre of their ranges.
    """

    kind = "panda"

    def __init__(self, finger_extension: float = 0.02) -> None:
        self.finger_extension = finger_extension
        self.chain = _chain(finger_extension)
        self.limits = _limits()
        self.spheres = _spheres(finger_extension)
        self.gripper = Gripper(max_width=0.08, speed=0.2, force=40.0, pad_depth=FINGER_Z + FINGER_TIP_Z - TCP_Z)
        self._T_tcp_flange = se3.invert(self.chain.T_flange_tcp)
        self.self_pairs = np.array(_SELF_LINKS, dtype=np.int32)
        self.q_home = self._home()

    def _home(self) -> F64:
        c = math.sqrt(0.5)
        T = np.array([[c, c, 0.0, 0.363], [c, -c, 0.0, 0.0], [0.0, 0.0, -1.0, 0.489], [0.0, 0.0, 0.0, 1.0]])
        q, _ = self._solve(T[None], np.zeros(1))
        q = q[np.all(np.abs(q[:, [0, 2, 4]]) < 1e-9, axis=1)]
        return q[0]

    def _solve(self, T_base_tcp: F64, q7: F64) -> tuple[F64, I32]:
        """IK of poses (G, 4, 4) at given q7 (R,): configurations (K, 7) and the pose (K,) of each."""
        poses = np.ascontiguousarray(T_base_tcp @ self._T_tcp_flange)
        rows = len(poses) * len(q7) * panda_ik.MAX_PER_Q7
        out, index = np.empty((rows, DOF)), np.empty(rows, dtype=np.int32)
        n = panda_ik.ik_sweep_batch(poses, q7, self.limits.q_lower, self.limits.q_upper, out, index)
        return out[:n].copy(), index[:n].copy()

    def ik(self, T_base_tcp: ArrayLike, redundancy: int = 16) -> F64:
        return self.ik_batch(np.asarray(T_base_tcp, dtype=np.float64)[None], redundancy)[0]

    def ik_batch(self, T_base_tcp: ArrayLike, redundancy: int = 16) -> tuple[F64, I32]:
        q7 = _joint7_values(redundancy)
        return self._solve(np.asarray(T_base_tcp, dtype=np.float64).reshape(-1, 4, 4), q7)

    def ik_near(self, T_base_tcp: ArrayLike, q_near: ArrayLike) -> F64 | None:
        path = self.ik_along(np.asarray(T_base_tcp, dtype=np.float64)[None], q_near, panda_ik.MAX_STEP)
        return path[0] if len(path) else None

    def ik_along(self, T_base_tcp: ArrayLike, q_start: ArrayLike, max_step: float) -> F64:
        poses = np.ascontiguousarray(np.asarray(T_base_tcp, dtype=np.float64) @ self._T_tcp_flange)
        start = np.ascontiguousarray(q_start, dtype=np.float64)
        out = np.empty((len(poses), DOF))
        return out[: panda_ik.ik_path(poses, start, self.limits.q_lower, self.limits.q_upper, max_step, out)]

    def add_to(self, spec: mujoco.MjSpec, *, visual: bool, collision: bool, servos: bool = True) -> RobotNames:
        from syngrasp.robots import panda_mjcf

        return panda_mjcf.add_panda(
            spec, self, extension=self.finger_extension, visual=visual, collision=collision, servos=servos
        )
