"""Replaying stored episodes: joins the dataset's reader and physics."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from syngrasp.errors import DatasetError


class Replayer:
    """Replays episodes of a dataset with the objects of its catalog.

    Raises DatasetError when the catalog is not the one that the dataset was made from.
    """

    def __init__(self, dataset: str, catalog: str | Path) -> None:
        from syngrasp import dataset as datasets
        from syngrasp.objects.catalog import Catalog
        from syngrasp.robots import RobotConfig, make_robot
        from syngrasp.stages.lift import LiftConfig

        self._dataset = datasets.open(dataset)
        info = self._dataset.info
        self._catalog = Catalog.open(catalog)
        if self._catalog.hash != info.catalog_hash:
            problem = f"was made from another catalog than {catalog}; name the right one with --catalog"
            raise DatasetError(dataset, problem)
        self._name = dataset
        self._robot = make_robot(RobotConfig.model_validate(info.recipe["robot"]))  # pyright: ignore[reportArgumentType]
        self._lift = LiftConfig.model_validate(info.recipe["lift"])
        self.episodes = self._dataset.num_episodes

    def replay(self, episode: int) -> dict[str, Any]:
        """What came of an episode's actions, with its number and instruction."""
        from syngrasp import dataset as datasets
        from syngrasp.cli.look import check_episode
        from syngrasp.physics.replay import replay

        check_episode(self._name, episode, self.episodes)
        view = self._dataset.episode(episode)
        scene = datasets.scene_from_line(view.line)
        result = replay(
            scene,
            [self._catalog.load(item.uid) for item in scene.objects],
            self._robot,
            view["joint_position"][0],
            view["ee_pose"],
            view["action"],
            view.line["dt"],
            self._lift.limits(),
            view.line["physics"],
        )
        slot = {"episode": episode, "shard": scene.slot.shard, "slot": scene.slot.episode}
        return {**slot, "instruction": scene.instruction, **asdict(result)}
