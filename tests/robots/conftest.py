from __future__ import annotations

import pytest

from syngrasp.robots import RobotConfig, make_robot, robot_kinds
from syngrasp.robots.base import Robot


@pytest.fixture(scope="module", params=robot_kinds())
def robot(request: pytest.FixtureRequest) -> Robot:
    """Every robot there is: what a test says of it is a law for all."""
    return make_robot(RobotConfig(kind=request.param))
