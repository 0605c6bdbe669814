"""The only module that talks to cuRobo (0.8, the V2 interface): ways for a batch of scenes in one call on a GPU.

Read from cuRobo's source at the commit that `CUROBO_INSTALL` names:
- Every problem of a batch has a collision environment of its own (`multi_env`), and a batch is always full, because a
  CUDA graph has one size: what is missing is filled with the first problem's start and goals in an empty world.
- The environments exist only if the planner is made with a list of that many scenes; a cache size alone makes one.
- In this mode cuRobo seeds its optimiser without its graph search: inverse kinematics, then trajectory optimisation.
- Meshes are kept by name for ever; they are dropped here before each batch.

Seeds are fixed and set back before each batch, so that a batch asked again starts from the same samples. What a scene
is answered still depends on its place in the batch, and, in the last bits, on the order of atomic sums on the GPU.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from syngrasp import se3
from syngrasp.errors import CuroboMissing, SyngraspError
from syngrasp.planning.curobo import CuroboOptions, Way, WayProblem
from syngrasp.planning.curobo_robot import TCP, joint_names, robot_config, urdf
from syngrasp.planning.curobo_scene import Block, GoalSet, World
from syngrasp.robots.base import Robot

if TYPE_CHECKING:
    from curobo.scene import Scene

F64 = NDArray[np.float64]


class CuroboSolver:
    """Finds ways with cuRobo's `BatchMotionPlanner`.

    Args:
        robot: any kind.
        options: sizes and seeds.
        padding: distance that ways keep from everything [m].
        seed: of cuRobo's samples.

    Raises:
        CuroboMissing: cuRobo is not installed.
        SyngraspError: there is no GPU for it.
    """

    def __init__(self, robot: Robot, options: CuroboOptions, padding: float, seed: int) -> None:
        try:
            from curobo.batch_motion_planner import BatchMotionPlanner, MotionPlannerCfg
            from curobo.types import DeviceCfg

            torch = importlib.import_module("torch")
        except ImportError as error:
            raise CuroboMissing(str(error)) from None
        if not torch.cuda.is_available():
            raise SyngraspError("plan.kind curobo: torch finds no CUDA device; valid here: plan.kind=rrt")
        self._options, self._device = options, DeviceCfg()
        with tempfile.TemporaryDirectory(prefix="syngrasp-") as folder:
            path = Path(folder) / "robot.urdf"
            path.write_text(urdf(robot), encoding="utf-8")
            config = MotionPlannerCfg.create(
                robot=robot_config(robot, path, padding),
                scene_model=[{} for _ in range(options.batch)],
                collision_cache={"cuboid": 1, "mesh": options.parts},
                device_cfg=self._device,
                num_ik_seeds=options.ik_seeds,
                num_trajopt_seeds=options.trajectory_seeds,
                use_cuda_graph=options.cuda_graph,
                random_seed=seed,
                max_batch_size=options.batch,
                multi_env=True,
                max_goalset=options.goals,
            )
            self._planner = BatchMotionPlanner(config)
        names = joint_names(robot)
        self._order = [names.index(name) for name in self._planner.joint_names]  # ours at each place of cuRobo's
        self._warm_up(robot)

    def solve(self, problems: Sequence[WayProblem]) -> list[Way | None]:
        """One way or None for each of at most `options.batch` problems, in order."""
        self._load([problem.world for problem in problems])
        rows = [i if i < len(problems) else 0 for i in range(self._options.batch)]
        q_start = np.stack([problems[row].q_start for row in rows])
        goals = [problems[row].goals for row in rows]
        found = self._plan(q_start, np.stack([g.position for g in goals]), np.stack([g.quaternion for g in goals]))
        return found[: len(problems)]

    def close(self) -> None:
        """Gives back cuRobo's CUDA graphs."""
        self._planner.destroy()

    def _load(self, worlds: Sequence[World]) -> None:
        checker = self._planner.scene_collision_checker
        checker.clear_cache()
        checker.data.meshes.clear(clear_warp_cache=True)
        for i, world in enumerate(worlds):
            checker.load_collision_model(scene_of(world), env_idx=i)

    def _plan(self, q_start: F64, position: F64, quaternion: F64) -> list[Way | None]:
        """Ways from (B, dof) to any of the poses (B, G, 3) and (B, G, 4) of each problem."""
        from curobo.types import GoalToolPose, JointState

        to_device = self._device.to_device
        self._planner.reset_seed()
        result = self._planner.plan_pose(
            GoalToolPose(  # batch, horizon, links, goals, values
                tool_frames=[TCP],
                position=to_device(position[:, None, None]),
                quaternion=to_device(quaternion[:, None, None]),
            ),
            JointState.from_position(to_device(q_start[:, self._order]), joint_names=self._planner.joint_names),
            max_attempts=self._options.attempts,
        )
        if result is None:
            return [None] * len(q_start)
        success = result.success[:, 0].cpu().numpy()
        goal = result.goalset_index[:, 0, 0].cpu().numpy()
        path = np.empty(result.js_solution.position[:, 0].shape)  # (B, N, dof)
        path[..., self._order] = result.js_solution.position[:, 0].cpu().numpy()
        return [Way(int(goal[i]), path[i]) if success[i] else None for i in range(len(q_start))]

    def _warm_up(self, robot: Robot) -> None:
        """Compiles cuRobo's kernels and records its CUDA graphs, with a small motion in the open."""
        T = robot.fk(robot.q_home)
        T[2, 3] += 0.05
        T, count = np.repeat(T[None], self._options.goals, axis=0), self._options.goals
        goals = GoalSet(np.zeros(count, dtype=np.int64), T[:, :3, 3], se3.quat_from_matrix(T[:, :3, :3]))
        away = Block("table", np.array([0.0, 0.0, -10.0, 1.0, 0.0, 0.0, 0.0]), np.full(3, 0.1))
        self.solve([WayProblem(World(away, ()), robot.q_home, goals)])


def scene_of(world: World) -> Scene:
    """cuRobo's form of a world."""
    from curobo.scene import Cuboid, Mesh, Scene

    table = Cuboid(name=world.table.name, pose=world.table.pose.tolist(), dims=world.table.size.tolist())
    parts = [
        Mesh(name=part.name, pose=part.pose.tolist(), vertices=part.vertices.tolist(), faces=part.faces.tolist())
        for part in world.parts
    ]
    return Scene(cuboid=[table], mesh=parts)
