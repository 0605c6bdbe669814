"""Reads LeRobot datasets of version 3: episodes with their numbers, and pictures out of the videos."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.dataset.importing.mapping import Reference
from syngrasp.errors import MissingExtra, SyngraspError, UnknownName


@dataclass(frozen=True)
class Source:
    """A LeRobot dataset in a folder. Raises SyngraspError for what it is not or has not."""

    root: Path

    @cached_property
    def info(self) -> dict[str, Any]:
        """meta/info.json."""
        path = self.root / "meta/info.json"
        try:
            info = json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise SyngraspError(f"{self.root} is no LeRobot dataset: {path} cannot be read ({error})") from error
        if not isinstance(info, dict):
            raise SyngraspError(f"{self.root} is no LeRobot dataset: {path} holds no JSON object")
        version = str(info.get("codebase_version", ""))
        if not version.startswith("v3."):
            raise SyngraspError(
                f"{self.root} is of LeRobot version {version or 'none'}, valid: v3.x; lerobot's own converter "
                "(lerobot.datasets.v30.convert_dataset_v21_to_v30) brings older ones there"
            )
        if missing := [key for key in ("features", "fps", "total_episodes", "data_path") if not info.get(key)]:
            raise SyngraspError(f"{path} has no {', '.join(missing)}")
        return info

    @property
    def features(self) -> dict[str, Any]:
        """Features by name."""
        return self.info["features"]

    @property
    def videos(self) -> list[str]:
        """Names of the features that lie in videos."""
        return [name for name, feature in self.features.items() if feature["dtype"] == "video"]

    @cached_property
    def episodes(self) -> list[dict[str, Any]]:
        """Rows of meta/episodes, in order, without their statistics."""
        parquet = _parquet()
        rows: list[dict[str, Any]] = []
        for path in sorted((self.root / "meta/episodes").glob("*/*.parquet")):
            try:
                names = [n for n in parquet.read_schema(path).names if not n.startswith("stats/")]
                rows += parquet.read_table(path, columns=names).to_pylist()
            except (OSError, ValueError) as error:
                raise SyngraspError(f"{path} cannot be read ({error})") from error
        if len(rows) != self.info["total_episodes"]:
            raise SyngraspError(
                f"{self.root}: meta/episodes has {len(rows)} episodes, info.json {self.info['total_episodes']}"
            )
        return sorted(rows, key=lambda row: row["episode_index"])

    def require_columns(self, names: Iterable[str]) -> None:
        """Raises UnknownName for a column that meta/episodes does not have."""
        there = set(self.episodes[0])
        for name in names:
            if name not in there:
                raise UnknownName("column of meta/episodes", name, there)

    def require(self, reference: Reference, size: int | None = None) -> None:
        """Raises UnknownName for a feature that is not there, SyngraspError for one of another size."""
        if reference.feature not in self.features:
            raise UnknownName("feature", reference.feature, self.features)
        shape = self.features[reference.feature]["shape"]
        stop = shape[0] if reference.stop is None else reference.stop
        if stop > shape[0] or (size is not None and stop - reference.start != size):
            asked = f"{reference.feature}[{reference.start}:{stop}]"
            raise SyngraspError(f"{asked} of a feature of shape {shape} is not {size or 'within it'}")

    def table(self, row: Mapping[str, Any]) -> Any:
        """The frames of an episode, as an Arrow table."""
        place = {key: row[f"data/{key}"] for key in ("chunk_index", "file_index")}
        path = self.root / self.info["data_path"].format(**place)
        number = row["episode_index"]
        try:
            table = _parquet().read_table(path, filters=[("episode_index", "==", number)])
        except (OSError, ValueError) as error:
            raise SyngraspError(f"episode {number}: {path} cannot be read ({error})") from error
        if missing := sorted(set(self.features) - set(self.videos) - set(table.column_names)):
            raise SyngraspError(f"episode {number}: {path} has no column {missing[0]!r}, which info.json names")
        if table.num_rows != row["length"]:
            raise SyngraspError(f"episode {number}: {table.num_rows} rows in {path}, not {row['length']}")
        return table

    def pictures(self, row: Mapping[str, Any], feature: str) -> Iterator[NDArray[np.uint8]]:
        """The pictures of an episode (H, W, 3), one after the other."""
        import av
        from av.error import FFmpegError

        place = {key: row[f"videos/{feature}/{key}"] for key in ("chunk_index", "file_index")}
        path = self.root / self.info["video_path"].format(video_key=feature, **place)
        fps = float(self.info["fps"])
        start, found = float(row[f"videos/{feature}/from_timestamp"]), 0
        try:
            with av.open(str(path)) as container:
                stream = container.streams.video[0]
                if start > 0.0 and stream.time_base is not None:
                    container.seek(int((start + 0.25 / fps) / stream.time_base), stream=stream)
                for frame in container.decode(stream):
                    wanted = start + found / fps
                    if frame.time is None or frame.time < wanted - 0.5 / fps:
                        continue
                    if frame.time > wanted + 0.5 / fps:
                        raise SyngraspError(f"episode {row['episode_index']}: {path} has no frame at {wanted:.3f} s")
                    yield np.asarray(frame.to_ndarray(format="rgb24"), np.uint8)
                    found += 1
                    if found == row["length"]:
                        return
        except (OSError, FFmpegError) as error:
            raise SyngraspError(f"episode {row['episode_index']}: {path} cannot be read ({error})") from error
        raise SyngraspError(f"episode {row['episode_index']}: {path} ends after {found} of {row['length']} frames")


def column(table: Any, reference: Reference) -> NDArray[Any]:
    """The values of a feature, or of some of its dimensions, (F, n)."""
    values = table[reference.feature].combine_chunks()
    if hasattr(values, "flatten") and str(values.type).startswith(("fixed_size_list", "list")):
        numbers = values.flatten().to_numpy(zero_copy_only=False).reshape(table.num_rows, -1)
    else:
        numbers = values.to_numpy(zero_copy_only=False).reshape(table.num_rows, 1)
    return numbers[:, reference.start : reference.stop]


def _parquet() -> Any:
    try:
        import av  # noqa: F401
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MissingExtra("LeRobot's format (pyarrow, av)", "export") from error
    return parquet
