"""How motions are to be, and why there may be none: what every planner is told and answers."""

from __future__ import annotations

from dataclasses import dataclass

from syngrasp.planning.retime import Pace
from syngrasp.robots.base import Limits


@dataclass(frozen=True, slots=True)
class MotionOptions:
    """How motions are to be; `stages.plan.PlanConfig` says what each means."""

    control_rate: float
    clearance: float
    grasp_clearance: float
    approach_length: float
    lift_height: float
    close_time: float
    hold_time: float
    velocity: float
    acceleration: float
    jerk: float
    tcp_speed: float
    lift_speed: float
    speed: float
    reach_speed: float
    smoothing_time: float
    rounding: float
    prefer_smooth: bool
    max_detour: float
    max_goals: int
    quality_weight: float
    retry_offset: tuple[float, float]
    retry_distance: tuple[float, float]


@dataclass(frozen=True, slots=True)
class NoPlan:
    """Why there is no motion."""

    reason: str  # start_in_collision, no_approach, no_lift_path, no_path, not_smooth, spline_collides, no_retry
    detail: str


def reach_pace(limits: Limits, options: MotionOptions) -> Pace:
    """The pace of the reach: calm, since that is what a policy sees for most of an episode."""
    return _pace(limits, options, options.tcp_speed, options.speed * options.reach_speed)


def lift_pace(limits: Limits, options: MotionOptions) -> Pace:
    """The pace of the lift."""
    return _pace(limits, options, options.lift_speed, options.speed)


def _pace(limits: Limits, options: MotionOptions, tcp_speed: float, k: float) -> Pace:
    """The options' pace with time stretched by 1 / k: the n-th derivative grows by its n-th power, but never past the
    robot's own limit."""
    return Pace(
        velocity=min(options.velocity * k, 1.0) * limits.velocity,
        acceleration=min(options.acceleration * k**2, 1.0) * limits.acceleration,
        jerk=min(options.jerk * k**3, 1.0) * limits.jerk,
        tcp_speed=tcp_speed * k,
        smoothing_time=options.smoothing_time / k,
        dt=1.0 / options.control_rate,
    )
