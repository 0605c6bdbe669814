"""Which features of a LeRobot dataset are which of our arrays."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

PoseForm = Literal["xyz_quaternion_wxyz", "xyz_quaternion_xyzw", "xyz_rpy", "matrix"]
SIZES: dict[PoseForm, int] = {"xyz_quaternion_wxyz": 7, "xyz_quaternion_xyzw": 7, "xyz_rpy": 6, "matrix": 16}
_REFERENCE = re.compile(r"([^\[\]]+)(?:\[(\d+)(?::(\d+))?\])?")


@dataclass(frozen=True, slots=True)
class Reference:
    """A feature, or some of its dimensions: `observation.state[0:6]`, `observation.state[6]`."""

    feature: str
    start: int = 0
    stop: int | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Raises ValueError for what is no reference."""
        found = _REFERENCE.fullmatch(text.strip())
        if found is None:
            raise ValueError(f"{text!r} is no feature; valid: such as observation.state[0:6] or action")
        name, start, stop = found.groups()
        if start is None:
            return cls(name)
        return cls(name, int(start), int(stop) if stop else int(start) + 1)


class ImportMapping(BaseModel):
    """Features by the names of our arrays; empty where the source has none, and then the array is absent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    images: dict[str, str] = Field(min_length=1)  # camera → feature, in the order of the stored pictures
    pose: str  # TCP in the robot's base frame
    pose_form: PoseForm = "xyz_rpy"
    gripper_width: str = ""  # [m]
    action: str = "action[0:7]"  # Δxyz [m], Δrpy [rad] in base, gripper
    gripper_open_above: float = 0.0  # the gripper's command is to open above, to close below
    goal: str = ""  # grasp; the next TCP pose while closed. `from_close`: made of the poses and the gripper's commands
    goal_form: PoseForm = "xyz_rpy"
    boxes: dict[str, str] = {}  # camera → the target's visible box x0 y0 x1 y1 [px]; a negative or empty one is unseen
    joint_position: str = ""  # [rad]
    joint_velocity: str = ""  # [rad/s]
    phase: str = ""  # 0 reach … as ours; without it made of the gripper's commands
    category: str = ""  # column of meta/episodes
    target_uid: str = ""  # column of meta/episodes
    robot: str = "panda"

    @field_validator("pose", "gripper_width", "action", "goal", "joint_position", "joint_velocity", "phase")
    @classmethod
    def _check(cls, text: str) -> str:
        if text and text != "from_close":
            Reference.parse(text)
        return text


CAMERAS = ("front", "side")

PRESETS: dict[str, ImportMapping] = {
    # What `syngrasp export --format lerobot` writes.
    "syngrasp": ImportMapping(
        images={camera: f"observation.images.{camera}" for camera in CAMERAS},
        pose="observation.ee_pose",
        pose_form="xyz_quaternion_wxyz",
        gripper_width="observation.gripper_width",
        action="action",
        goal="goal_pose",
        goal_form="xyz_quaternion_wxyz",
        boxes={camera: f"observation.bbox.{camera}" for camera in CAMERAS},
        joint_position="observation.joint_position",
        joint_velocity="observation.joint_velocity",
        phase="phase",
        category="syngrasp/category",
        target_uid="syngrasp/target_uid",
    ),
    # The released SynGrasp-1B (LeRobot v3; Hugging Face vegebirrd/SynGrasp-1B, see issue 11 of PKU-EPIC/GraspVLA).
    # Its features are not described where we could read them: these are LeRobot's usual names with the model's own
    # state (xyz, rpy, gripper), and a gripper command that opens above 0. `--set` changes what is otherwise.
    "syngrasp_1b": ImportMapping(
        images={camera: f"observation.images.{camera}" for camera in CAMERAS},
        pose="observation.state[0:6]",
        action="action[0:7]",
        goal="from_close",
    ),
}
