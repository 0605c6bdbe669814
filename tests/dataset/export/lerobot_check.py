"""A check of LeRobot's format v3.0 that knows nothing of our exporter.

It follows info.json to every file, decodes every frame of every video at its time, and computes counts, indices and
statistics again.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as parquet
from numpy.typing import NDArray

REQUIRED = {
    "codebase_version", "robot_type", "total_episodes", "total_frames", "total_tasks", "chunks_size", "fps", "splits",
    "data_path", "video_path", "features",
}  # fmt: skip


class LeRobot:
    """A dataset of LeRobot's, read by its own description."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.info: dict[str, Any] = json.loads((root / "meta/info.json").read_text())
        assert set(self.info) >= REQUIRED
        assert self.info["codebase_version"] == "v3.0"
        self.features: dict[str, Any] = self.info["features"]
        self.videos = [name for name, feature in self.features.items() if feature["dtype"] == "video"]
        tasks = parquet.read_table(root / "meta/tasks.parquet")
        pandas = json.loads(tasks.schema.metadata[b"pandas"])
        assert pandas["index_columns"] == ["task"]
        self.tasks = dict(zip(tasks["task_index"].to_pylist(), tasks["task"].to_pylist(), strict=True))
        self.episodes: list[dict[str, Any]] = []
        for path in sorted((root / "meta/episodes").glob("*/*.parquet")):
            self.episodes += parquet.read_table(path).to_pylist()
        self.stats: dict[str, Any] = json.loads((root / "meta/stats.json").read_text())

    def columns(self, episode: dict[str, Any]) -> dict[str, NDArray[Any]]:
        """The rows of an episode."""
        place = {key: episode[f"data/{key}"] for key in ("chunk_index", "file_index")}
        table = parquet.read_table(self.root / self.info["data_path"].format(**place))
        mine = table.filter(np.equal(table["episode_index"].to_numpy(), episode["episode_index"]))
        found = {}
        for name in table.schema.names:
            column = mine[name].combine_chunks()
            size = self.features[name]["shape"][0]
            found[name] = column.to_numpy() if size == 1 else column.flatten().to_numpy().reshape(-1, size)
        return found

    def pictures(self, episode: dict[str, Any], video: str) -> NDArray[np.uint8]:
        """The pictures of an episode, each the frame of the video whose time it is, (F, H, W, 3)."""
        import av

        place = {key: episode[f"videos/{video}/{key}"] for key in ("chunk_index", "file_index")}
        path = self.root / self.info["video_path"].format(video_key=video, **place)
        start = episode[f"videos/{video}/from_timestamp"]
        wanted = start + np.arange(episode["length"]) / self.info["fps"]
        times, frames = [], []
        with av.open(str(path)) as container:
            for frame in container.decode(video=0):
                assert frame.time is not None
                if start - 1e-6 <= frame.time < episode[f"videos/{video}/to_timestamp"] - 1e-6:
                    times.append(frame.time)
                    frames.append(frame.to_ndarray(format="rgb24"))
        np.testing.assert_allclose(times, wanted, atol=1e-4)
        return np.array(frames)

    def check(self) -> None:
        """Raises AssertionError where anything does not hold together."""
        assert [e["episode_index"] for e in self.episodes] == list(range(self.info["total_episodes"]))
        assert self.info["splits"] == {"train": f"0:{self.info['total_episodes']}"}
        assert sorted(self.tasks) == list(range(self.info["total_tasks"]))
        whole: dict[str, list[NDArray[Any]]] = {}
        index = 0
        for episode in self.episodes:
            columns = self.columns(episode)
            length = episode["length"]
            assert (episode["dataset_from_index"], episode["dataset_to_index"]) == (index, index + length)
            np.testing.assert_array_equal(columns["index"], np.arange(index, index + length))
            np.testing.assert_array_equal(columns["frame_index"], np.arange(length))
            np.testing.assert_allclose(columns["timestamp"], np.arange(length) / self.info["fps"], atol=1e-6)
            assert {self.tasks[k] for k in columns["task_index"].tolist()} == set(episode["tasks"])
            assert set(columns) == set(self.features) - set(self.videos)
            for name, values in columns.items():
                feature = self.features[name]
                assert str(values.dtype) == feature["dtype"], name
                assert values.shape == ((length,) if feature["shape"] == [1] else (length, *feature["shape"]))
                if feature["names"] is not None:
                    assert len(feature["names"]) == feature["shape"][0]
                numbers = values.reshape(length, -1).astype(np.float64)
                np.testing.assert_allclose(episode[f"stats/{name}/mean"], numbers.mean(0), atol=1e-6)
                np.testing.assert_allclose(episode[f"stats/{name}/max"], numbers.max(0), atol=1e-6)
                assert episode[f"stats/{name}/count"] == [length]
                whole.setdefault(name, []).append(numbers)
            for video in self.videos:
                pictures = self.pictures(episode, video)
                assert pictures.shape == (length, *self.features[video]["shape"])
                mean = pictures.mean((0, 1, 2)) / 255.0
                np.testing.assert_allclose(np.ravel(episode[f"stats/{video}/mean"]), mean, atol=0.08)
                assert np.shape(episode[f"stats/{video}/std"]) == (3, 1, 1)
            index += length
        assert index == self.info["total_frames"]
        for name, parts in whole.items():
            numbers = np.concatenate(parts)
            stats = self.stats[name]
            for key, expected in (("min", numbers.min(0)), ("max", numbers.max(0)), ("mean", numbers.mean(0)),
                                  ("std", numbers.std(0)), ("count", [len(numbers)])):  # fmt: skip
                np.testing.assert_allclose(stats[key], expected, rtol=1e-5, atol=1e-6, err_msg=f"{name} {key}")
