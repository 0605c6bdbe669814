from __future__ import annotations

import numpy as np
import pytest

from syngrasp.planning import retime, smoothing
from syngrasp.planning.arrays import robot_arrays
from syngrasp.planning.straight import tcp_positions
from tests.planning import clutter


def _spline(seed: int, spacing: float = 0.15) -> smoothing.Spline:
    rng, arm = np.random.default_rng(seed), clutter.robot()
    path = np.cumsum(np.concatenate([arm.q_home[None], rng.normal(0.0, 0.3, (3, arm.dof))]), axis=0)
    path = np.clip(path, arm.limits.q_lower, arm.limits.q_upper)
    return smoothing.smooth(path, smoothing.path_length(path, tcp_positions(robot_arrays(arm), path)), spacing)


def _pace(**changes: float) -> retime.Pace:
    limits = clutter.robot().limits
    pace = retime.Pace(0.45 * limits.velocity, 0.15 * limits.acceleration, 0.01 * limits.jerk, 0.35, 0.25, 0.1)
    return pace._replace(**changes)


def test_a_spline_keeps_its_ends_and_straight_paths():
    line = np.linspace(np.zeros(7), np.arange(7.0), 2)
    spline = smoothing.smooth(line, np.array([0.0, 3.0]), 0.2)
    q, first, second = smoothing.evaluate(spline, np.linspace(0.0, 3.0, 50))
    assert np.allclose(q, np.linspace(line[0], line[1], 50))
    assert np.allclose(first, line[1] / 3.0)
    assert np.abs(second).max() < 1e-9


def test_spline_derivatives_are_differences():
    spline = _spline(0)
    s, h = np.linspace(0.01, spline.knots[-1] - 0.01, 300), 1e-5
    _, first, second = smoothing.evaluate(spline, s)
    ahead, behind = smoothing.evaluate(spline, s + h), smoothing.evaluate(spline, s - h)
    assert np.allclose(first, (ahead[0] - behind[0]) / (2 * h), atol=1e-6)
    assert np.allclose(second, (ahead[1] - behind[1]) / (2 * h), atol=1e-3)
    assert np.allclose(smoothing.evaluate(spline, spline.knots[-1:])[0][0], spline.control[-1])


@pytest.mark.parametrize("seed", range(6))
def test_speed_profile_is_as_fast_as_toppra(seed: int):
    """Against TOPP-RA's own implementation, at the same limits."""
    ta = pytest.importorskip("toppra")
    from scipy.interpolate import BSpline

    spline, pace = _spline(seed), _pace()
    s = np.linspace(0.0, spline.knots[-1], 401)
    derivatives = smoothing.evaluate(spline, s)
    cap = (pace.velocity / np.maximum(np.abs(derivatives[1]), 1e-9)).min(1) ** 2
    x = retime.speed_profile(s, derivatives, pace.acceleration, cap)

    class Path(ta.interpolator.AbstractGeometricPath):
        curve = BSpline(spline.knots, spline.control, 3)
        path_interval = np.array([0.0, spline.knots[-1]])
        dof = 7
        waypoints = None

        def __call__(self, at, order=0):
            return self.curve(at, nu=order)

    bounds = [
        ta.constraint.JointVelocityConstraint(np.stack([-pace.velocity, pace.velocity], -1)),
        ta.constraint.JointAccelerationConstraint(np.stack([-pace.acceleration, pace.acceleration], -1)),
    ]
    oracle = ta.algorithm.TOPPRA(bounds, Path(), gridpoints=s)
    _, speed, _ = oracle.compute_parameterization(0.0, 0.0)
    assert retime.duration(s, x) == pytest.approx(retime.duration(s, speed**2), rel=0.02)
    u = np.diff(x) / (2.0 * np.diff(s))
    q_acceleration = derivatives[1][:-1] * u[:, None] + derivatives[2][:-1] * x[:-1, None]
    assert np.all(np.abs(q_acceleration) <= pace.acceleration * (1.0 + 1e-6))
    assert np.all(np.abs(derivatives[1]) * np.sqrt(x)[:, None] <= pace.velocity * (1.0 + 1e-9))
    assert np.all(x[1:-1] > 0.0)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("speed", [0.5, 1.0, 2.0])
def test_retimed_motion_keeps_every_limit(seed: int, speed: float):
    arm, spline = clutter.robot(), _spline(seed)
    pace = _pace(tcp_speed=0.35 * speed, smoothing_time=0.25 / speed)
    pace = pace._replace(
        velocity=pace.velocity * speed, acceleration=pace.acceleration * speed**2, jerk=pace.jerk * speed**3
    )
    motion = retime.retime(robot_arrays(arm), spline, pace)
    assert np.array_equal(motion.q[0], spline.control[0])
    assert np.array_equal(motion.q[-1], spline.control[-1])
    assert not motion.qd[0].any()
    assert not motion.qd[-1].any()
    fine = 100
    q = retime.interpolate(motion.q, motion.qd, pace.dt, fine)
    h = pace.dt / fine
    velocity = np.diff(q, axis=0) / h
    acceleration = np.diff(velocity, axis=0) / h
    inside = (np.arange(len(acceleration)) + 1) % fine > 0
    assert np.all(np.abs(velocity) <= pace.velocity * (1 + 1e-6))
    assert np.all(np.abs(acceleration) <= pace.acceleration * (1 + 1e-4))
    jerk = np.diff(acceleration, axis=0)[inside[1:] & inside[:-1]] / h
    assert np.all(np.abs(jerk) <= pace.jerk * (1 + 1e-2))
    travel = np.linalg.norm(np.diff(tcp_positions(robot_arrays(arm), q), axis=0), axis=1) / h
    assert travel.max() <= pace.tcp_speed * 1.02


@pytest.mark.parametrize("seed", range(6))
def test_retimed_motion_never_hesitates(seed: int):
    """Joint speed rises above 7 % of its peak once and falls below it once."""
    motion = retime.retime(robot_arrays(clutter.robot()), _spline(seed), _pace())
    q = retime.interpolate(motion.q, motion.qd, 0.1, 20)
    speed = np.linalg.norm(np.diff(q, axis=0), axis=1)
    moving = speed > 0.07 * speed.max()
    assert np.abs(np.diff(moving.astype(int))).sum() <= 2


def test_a_motion_is_not_slower_than_its_limits_ask_for():
    """Rounding the speed profile and whole control periods cost less than half a second and 30 % of TOPP-RA's time."""
    for seed in range(6):
        spline, pace = _spline(seed), _pace(tcp_speed=10.0)
        motion = retime.retime(robot_arrays(clutter.robot()), spline, pace)
        s = np.linspace(0.0, spline.knots[-1], 401)
        derivatives = smoothing.evaluate(spline, s)
        cap = (pace.velocity / np.maximum(np.abs(derivatives[1]), 1e-9)).min(1) ** 2
        fastest = retime.duration(s, retime.speed_profile(s, derivatives, pace.acceleration, cap))
        assert fastest <= (len(motion.q) - 1) * pace.dt <= fastest * 1.3 + 0.5
