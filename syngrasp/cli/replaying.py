"""Replaying stored episodes, by their actions or from their seeds: joins the dataset's reader, physics and stages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.errors import DatasetError

if TYPE_CHECKING:
    from syngrasp.cli.filming import Camera
    from syngrasp.dataset import Dataset
    from syngrasp.objects.catalog import Catalog
    from syngrasp.physics.execution import Recording
    from syngrasp.records import Scene

COLUMNS = 10  # states in the picture of a replay


class Replayer:
    """Replays episodes of a dataset with the objects of its catalog.

    Raises DatasetError when the catalog is not the one that the dataset was made from.
    """

    def __init__(self, dataset: str, catalog: str | Path) -> None:
        from syngrasp.robots import RobotConfig, make_robot
        from syngrasp.stages.lift import LiftConfig

        self._dataset, self._catalog = open_with_catalog(dataset, catalog)
        info = self._dataset.info
        self._name = dataset
        self._robot = make_robot(RobotConfig.model_validate(info.recipe["robot"]))
        self._lift = LiftConfig.model_validate(info.recipe["lift"])
        self._camera: Camera | None = None
        self.episodes = self._dataset.num_episodes

    def replay(self, episode: int, pictures: Path | None = None) -> dict[str, Any]:
        """What came of an episode's actions, with its number and instruction; seen from the side if there is a folder
        for pictures."""
        from syngrasp import dataset as datasets
        from syngrasp.cli.look import check_episode
        from syngrasp.physics.replay import replay

        check_episode(self._name, episode, self.episodes)
        view = self._dataset.episode(episode)
        scene = datasets.scene_from_line(view.line)
        found = replay(
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
        told = {item.name: getattr(found, item.name) for item in fields(found) if item.name != "recording"}
        result = {**slot, "instruction": scene.instruction, **told}
        if pictures is not None and found.recording is not None:
            result["picture"] = str(self._film(episode, scene, found.recording, view.line["dt"], pictures))
        return result

    def _film(self, episode: int, scene: Scene, recording: Recording, dt: float, folder: Path) -> Path:
        from syngrasp.cli.filming import Camera
        from syngrasp.dataset.storage import writing

        path = folder / f"episode-{episode:06d}.png"
        with writing(str(path)):
            folder.mkdir(parents=True, exist_ok=True)
            self._camera = self._camera or Camera(self._catalog, self._robot)
            self._camera.strip(scene, recording, dt, COLUMNS).save(path)
        return path


class Remaker:
    """Makes episodes again from nothing but the recipe, the seed and the catalog: layout to lift, no pictures.

    Raises DatasetError when the catalog is not the one that the dataset was made from, or the recipe is one of another
    version, with values that this one does not know or that were not there then.
    """

    def __init__(self, dataset: str, catalog: str | Path) -> None:
        from syngrasp.config import difference, parse_recipe
        from syngrasp.generate.factory import RecipeStages
        from syngrasp.generate.jobs import ROLLOUT_STAGE, STAGES

        self._dataset, _ = open_with_catalog(dataset, catalog)
        info = self._dataset.info
        self._name = dataset
        recipe = parse_recipe({**info.recipe, "seed": info.seed})
        asked = {key: value for key, value in recipe.content().items() if key in info.recipe}
        if changed := difference(info.recipe, asked):
            raise DatasetError(dataset, f"was made by another version, whose recipe differs: {'; '.join(changed)}")
        stages = RecipeStages(recipe, str(Path(catalog).absolute()))
        self._stages = [stages(name) for name in STAGES[: STAGES.index(ROLLOUT_STAGE) + 1]]
        for stage in self._stages:
            stage.setup()
        self.episodes = self._dataset.num_episodes

    def remake(self, episode: int) -> dict[str, Any]:
        """Whether an episode, made again, has the stored states bit for bit, and the first array that has not."""
        from syngrasp import dataset as datasets
        from syngrasp.cli.look import check_episode
        from syngrasp.stage import Rejected

        check_episode(self._name, episode, self.episodes)
        view = self._dataset.episode(episode)
        scene = datasets.scene_from_line(view.line)
        item: Any = scene.slot
        for stage in self._stages:
            (item,) = stage.process([item])
            if isinstance(item, Rejected):
                difference = f"rejected by {stage.name}: {item.reason}"
                break
        else:
            difference = _difference({name: view[name] for name in datasets.STATES}, item)
        slot = {"episode": episode, "shard": scene.slot.shard, "slot": scene.slot.episode}
        return {**slot, "instruction": scene.instruction, "equal": not difference, "difference": difference}


def _difference(stored: Mapping[str, NDArray[Any]], rollout: Any) -> str:
    """The first array that differs and by how much, empty when none does. Stored objects are padded with NaN."""
    for name, before in stored.items():
        after = getattr(rollout, name)
        if name == "object_pose":
            before = before[:, : after.shape[1]]
        if before.shape != after.shape:
            return f"{name}: shape {before.shape}, made again {after.shape}"
        if not np.array_equal(before, after):
            off = np.abs(before.astype(np.float64) - after.astype(np.float64)).max()
            return f"{name}: up to {off:.3g} off"
    return ""


def open_with_catalog(dataset: str, catalog: str | Path) -> tuple[Dataset, Catalog]:
    """A dataset and the catalog it was made from."""
    from syngrasp import dataset as datasets
    from syngrasp.objects.catalog import Catalog

    found, objects = datasets.open(dataset), Catalog.open(catalog)
    if objects.hash != found.info.catalog_hash:
        problem = f"was made from another catalog than {catalog}; name the right one with --catalog"
        raise DatasetError(dataset, problem)
    return found, objects
