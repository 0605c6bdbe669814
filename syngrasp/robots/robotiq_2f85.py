"""The Robotiq 2F-85: a gripper whose pads stay parallel while they move on arcs.

From Robotiq's "2F-85 & 2F-140 Instruction Manual": stroke 85 mm, grip force 20 to 235 N, speed 20 to 150 mm/s, mass
0.9 kg, body Ø 75 mm, pads 22 mm wide, height over the flange with its coupling 162.8 mm closed and 14 mm less open.
Each finger is the coupler of a parallelogram: an outer crank and an inner bar, both of length CRANK, carry it without
turning it. Its pivots are ours, chosen so that stroke and heights are the manual's.

All coordinates are in the gripper's frame: z out of the flange, y the closing direction, x along the pads' width. They
are those of the +y finger; the other is its image under y → −y.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syngrasp.robots.base import Gripper

F64 = NDArray[np.float64]

MAX_WIDTH = 0.085  # [m]
MASS = 0.9  # in all [kg]
HEIGHT = 0.1628  # of the tips over the flange, closed [m]
TCP_Z = HEIGHT - 0.009  # between the closed pads [m]

CRANK = 0.0571  # between a crank's pivots, and a bar's [m]
OUTER_PIVOT = (0.0306, 0.0690)  # y z of the crank's pivot in the body [m]
INNER_PIVOT = (0.0127, 0.0755)  # y z of the bar's pivot in the body [m]
CLOSED = -0.0863  # angle of crank and bar from z to y, closed [rad]
OPEN = math.asin(math.sin(CLOSED) + 0.5 * MAX_WIDTH / CRANK)  # and open [rad]
FINGER_PIVOT = (OUTER_PIVOT[0] + CRANK * math.sin(CLOSED), OUTER_PIVOT[1] + CRANK * math.cos(CLOSED))  # closed [m]
ARC = CRANK * (math.cos(CLOSED) - math.cos(OPEN))  # by which closing lengthens the fingers [m]
KNUCKLE = (0.0248, 0.0198)  # y z of the crank's bend from its pivot, closed [m]

PAD_HALF_WIDTH = 0.011  # along x [m]
PAD_LENGTH = 0.0375  # along z, up to the tip [m]
FINGER_THICKNESS = 0.012  # behind the pad's face [m]

GRIPPER = Gripper(max_width=MAX_WIDTH, speed=0.15, force=40.0, pad_depth=HEIGHT - TCP_Z)
JOINTS = tuple(f"robot/{link}_{side}" for link in ("crank", "finger", "bar") for side in ("left", "right"))

Ball = tuple[float, float, float, float, float]  # x y z radius [m], and `Spheres.finger` of the +y side


def finger_positions(width: ArrayLike) -> F64:
    """Angles (…, 6) [rad] of JOINTS, 0 closed, at widths (…,) [m]: all alike, since the fingers do not turn."""
    sine = math.sin(CLOSED) + 0.5 * np.asarray(width, dtype=np.float64) / CRANK
    return np.repeat((np.arcsin(sine) - CLOSED)[..., None], len(JOINTS), axis=-1)


def width_of(positions: ArrayLike) -> F64:
    """Width (…,) [m] at angles (…, 6) of JOINTS [rad]."""
    cranks = np.asarray(positions, dtype=np.float64)[..., :2]
    return CRANK * (np.sin(CLOSED + cranks) - math.sin(CLOSED)).sum(axis=-1)


def pad_reach(width: ArrayLike) -> F64:
    """How far the pads reach beyond the TCP at widths (…,) [m]; negative where the arc has taken them behind it."""
    angle = CLOSED + finger_positions(width)[..., 0]
    return HEIGHT - TCP_Z - CRANK * (math.cos(CLOSED) - np.cos(angle))


def balls() -> tuple[Ball, ...]:
    """Spheres that cover the gripper at every width, closed.

    A point at a share s of a crank or a bar moves sideways by s times half the width: its sphere's `finger` is s. The
    spheres do not follow the arc: they cover all of it.
    """
    y0, z0 = FINGER_PIVOT
    out: list[Ball] = [
        (0.0, 0.0, 0.015, 0.040, 0.0),
        (0.0, 0.0, 0.040, 0.040, 0.0),
        (0.0, 0.0, 0.066, 0.024, 0.0),
    ]
    for side in (1.0, -1.0):
        out += [(0.0, side * 0.024, 0.066, 0.022, 0.0), (0.0, side * 0.047, 0.076, 0.0165, 0.0)]
        pad = np.linspace(HEIGHT - 0.007, HEIGHT - PAD_LENGTH - ARC + 0.005, 5)
        out += [(x, side * 0.0075, float(z), 0.008, side) for z in pad for x in (-0.006, 0.006)]
        out += [(x, side * (y0 - 0.003), z0 + z, 0.013, side) for z in (0.003, -0.013) for x in (-0.005, 0.005)]
        out += [(0.0, side * 0.0406, z, 0.0165, side * 0.58) for z in (0.1025, 0.0925)]
        out += [(0.0, side * 0.0554, z, 0.0155, side * 0.16) for z in (0.085, 0.070)]
        for s in (0.33, 0.67):
            y, z = INNER_PIVOT[0] + s * (y0 - OUTER_PIVOT[0]), INNER_PIVOT[1] + s * (z0 - OUTER_PIVOT[1] - 0.5 * ARC)
            out.append((0.0, side * y, z, 0.0155, side * s))
    return tuple(out)
