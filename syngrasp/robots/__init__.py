"""Arms with grippers, by kind."""

from __future__ import annotations

from functools import cache
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from syngrasp.robots.base import Robot


class RobotConfig(BaseModel):
    """Which arm, and how its gripper is fitted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["panda"] = Field(default="panda", description="arm and gripper")
    finger_extension: float = Field(default=0.02, ge=0.0, le=0.05, description="added to the fingers' length [m]")


def make_robot(config: RobotConfig) -> Robot:
    """The robot of a configuration; made once in a process."""
    return _make_panda(config.finger_extension)


@cache
def _make_panda(finger_extension: float) -> Robot:
    from syngrasp.robots.panda import Panda

    return Panda(finger_extension=finger_extension)
