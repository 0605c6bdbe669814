from typing import Any

from curobo.scene import Scene
from curobo.types import DeviceCfg, GoalToolPose, JointState, Tensor

class MotionPlannerCfg:
    @staticmethod
    def create(
        robot: dict[str, Any],
        scene_model: list[dict[str, Any]],
        collision_cache: dict[str, int],
        device_cfg: DeviceCfg,
        num_ik_seeds: int,
        num_trajopt_seeds: int,
        use_cuda_graph: bool,
        random_seed: int,
        max_batch_size: int,
        multi_env: bool,
        max_goalset: int,
    ) -> MotionPlannerCfg: ...

class TrajOptSolverResult:
    success: Tensor  # (batch, seeds) bool
    goalset_index: Tensor  # (batch, seeds, links)
    js_solution: JointState  # position (batch, seeds, points, dof) [rad]

class MeshData:
    def clear(self, env_idx: int | None = None, clear_warp_cache: bool = False) -> None: ...

class SceneData:
    meshes: MeshData

class SceneCollision:
    data: SceneData
    def load_collision_model(self, scene_model: Scene, env_idx: int = 0) -> None: ...
    def clear_cache(self, env_idx: int | None = None) -> None: ...

class BatchMotionPlanner:
    scene_collision_checker: SceneCollision
    def __init__(self, config: MotionPlannerCfg) -> None: ...
    @property
    def joint_names(self) -> list[str]: ...
    def plan_pose(
        self, goal_tool_poses: GoalToolPose, current_state: JointState, *, max_attempts: int = 1
    ) -> TrajOptSolverResult | None: ...
    def reset_seed(self) -> None: ...
    def destroy(self) -> None: ...
