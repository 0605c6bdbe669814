"""How large an object may be: the paper's rule, from the box around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from syngrasp.records import F64


@dataclass(frozen=True, slots=True)
class ScaleRule:
    """Bounds on an object's box, upright and turned about z to fit. All in metres."""

    shortest_edge: float = 0.03  # the least shortest edge (GraspVLA)
    grasp_edge: float = 0.07  # the most of the shorter horizontal edge: 8 cm (GraspVLA) less what a gripper keeps free
    longest_edge: float = 0.30  # the most of the longest edge
    flat_range: float = 0.7  # where no scale does: from this share of the largest scale up to it


def box_edges(points: F64) -> tuple[float, float, float]:
    """Edges (short horizontal, long horizontal, vertical) of the smallest upright box around points (N, 3)."""
    from scipy.spatial import ConvexHull, QhullError

    vertical = float(np.ptp(points[:, 2]))
    flat = points[:, :2]
    try:
        outline = flat[ConvexHull(flat).vertices]
    except (QhullError, ValueError):
        short, long = sorted(np.ptp(flat, axis=0))
        return float(short), float(long), vertical
    edge = np.roll(outline, -1, axis=0) - outline
    edge /= np.linalg.norm(edge, axis=1, keepdims=True)
    along = np.ptp(outline @ edge.T, axis=0)
    across = np.ptp(outline @ np.stack([-edge[:, 1], edge[:, 0]]), axis=0)
    best = int(np.argmin(along * across))
    short, long = sorted((float(along[best]), float(across[best])))
    return short, long, vertical


def scale_range(points: F64, rule: ScaleRule) -> tuple[float, float]:
    """The least and the largest scale of an object with points (N, 3), z up.

    Smallest: the box's shortest edge is `shortest_edge`. Largest: its shorter horizontal edge is `grasp_edge`, or its
    longest edge `longest_edge`. A flat or thin thing cannot meet both; it stays as large as can be grasped, from
    `flat_range` of the largest scale up to it.
    """
    short, long, vertical = box_edges(points)
    largest = min(rule.grasp_edge / short, rule.longest_edge / max(long, vertical))
    smallest = rule.shortest_edge / min(short, vertical)
    return (rule.flat_range * largest if smallest > largest else smallest), largest


def base_scale(limits: tuple[float, float], metric: bool) -> float:
    """The factor from a source's lengths to scale 1: true size as far as the limits allow, else their middle."""
    low, high = limits
    return float(np.clip(1.0, low, high)) if metric else float(np.sqrt(low * high))
