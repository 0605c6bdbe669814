"""LeRobot's own reader with the decoder that needs nothing but its wheels."""

from __future__ import annotations

from tests.benchmarks.loader.readers import le_robot
from tests.benchmarks.loader.readers.le_robot import REQUIREMENTS, export

__all__ = ["NAME", "REQUIREMENTS", "Reader", "export"]

NAME = "lerobot (AV1 video, pyav)"


class Reader(le_robot.Reader):
    """`LeRobotDataset` with PyAV."""

    DECODER = "pyav"
