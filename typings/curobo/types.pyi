from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

class Tensor(Protocol):
    """The part of torch.Tensor in use."""

    def __getitem__(self, index: Any) -> Tensor: ...
    @property
    def shape(self) -> tuple[int, ...]: ...
    def cpu(self) -> Tensor: ...
    def numpy(self) -> NDArray[Any]: ...

class DeviceCfg:
    def __init__(self) -> None: ...
    def to_device(self, data_tensor: NDArray[np.float64]) -> Tensor: ...

class GoalToolPose:
    """Poses (batch, horizon, links, goals, 3) and quaternions wxyz (batch, horizon, links, goals, 4)."""

    def __init__(self, tool_frames: list[str], position: Tensor, quaternion: Tensor) -> None: ...

class JointState:
    position: Tensor
    @staticmethod
    def from_position(position: Tensor, joint_names: list[str] | None = None) -> JointState: ...
