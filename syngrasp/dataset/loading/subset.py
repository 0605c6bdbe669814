"""Some of a dataset's episodes: by category, object, quality, or as one side of a split that never leaks."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from syngrasp.dataset.episode_view import EpisodeView
from syngrasp.dataset.loading.episode_table import NUMBERS, EpisodeTable
from syngrasp.dataset.loading.window import Window
from syngrasp.errors import DatasetError, SyngraspError, UnknownName

if TYPE_CHECKING:
    from syngrasp.dataset.reader import Dataset, Frame

I64 = NDArray[np.int64]
Part = Literal["train", "validation"]
By = Literal["object", "category"]
Range = tuple[float | None, float | None]


@dataclass(frozen=True, slots=True)
class Split:
    """One side of a split of the objects, or of the categories, in two.

    A name is held out when its hash says so, whatever else there is: the same in every dataset of the same seed. An
    episode belongs to `validation` when its target is held out, and to `train` when nothing in its scene is, so that
    no picture of training ever shows what validation asks for. The rest belongs to neither.
    """

    part: Part
    by: By = "object"
    fraction: float = 0.1  # of the names, on average
    seed: int = 0

    def __post_init__(self) -> None:
        for name, valid in (("part", ("train", "validation")), ("by", ("object", "category"))):
            if getattr(self, name) not in valid:
                raise SyngraspError(f"split: {name} {getattr(self, name)!r} is unknown; valid: {', '.join(valid)}")
        if not 0.0 < self.fraction < 1.0:
            raise SyngraspError(f"split: fraction {self.fraction} is not between 0 and 1")

    def holds_out(self, name: str) -> bool:
        """Whether an object or a category is held out for validation."""
        digest = hashlib.sha256(f"{self.seed}:{name}".encode()).digest()
        return int.from_bytes(digest[:8], "big") < self.fraction * 2.0**64

    def episodes(self, table: EpisodeTable) -> NDArray[np.bool_]:
        """Which episodes belong to this side, (E,)."""
        names = table.uids if self.by == "object" else table.categories
        held_out = np.array([self.holds_out(name) for name in names], bool)
        if self.part == "validation":
            return held_out[table.target_uid if self.by == "object" else table.category]
        placed = table.object_uid if self.by == "object" else table.object_category
        owner = np.repeat(np.arange(len(table)), np.diff(table.object_ends, prepend=0))
        return np.bincount(owner, weights=held_out[placed], minlength=len(table)) == 0


def select(
    dataset: Dataset,
    *,
    categories: str | Iterable[str] | None = None,
    objects: str | Iterable[str] | None = None,
    split: Split | None = None,
    ranges: Mapping[str, Range] | None = None,
) -> Subset:
    """The episodes whose target is of one of `categories` and one of `objects` (uids), that belong to a side of a
    `split`, and whose numbers (`episode_table.NUMBERS`) lie within `ranges`: name → (least, greatest), None for open.

    All conditions hold together. Lines of all episodes are read once and remembered on disk. Raises UnknownName for
    what the dataset does not have, DatasetError where no episode is left.
    """
    table = dataset.table
    keep = np.ones(len(table), bool)
    for kind, asked, names, column in (
        ("category", categories, table.categories, table.category),
        ("object", objects, table.uids, table.target_uid),
    ):
        if asked is None:
            continue
        wanted = [asked] if isinstance(asked, str) else list(asked)
        for name in wanted:
            if name not in names:
                raise UnknownName(kind, name, names)
        keep &= np.isin(column, [names.index(name) for name in wanted])
    if split is not None:
        keep &= split.episodes(table)
    for name, (least, greatest) in (ranges or {}).items():
        if name not in NUMBERS:
            raise UnknownName("number of an episode", name, NUMBERS)
        values = table.numbers[name]
        keep &= ~np.isnan(values)
        if least is not None:
            keep &= values >= least
        if greatest is not None:
            keep &= values <= greatest
    if not keep.any():
        asked = {"categories": categories, "objects": objects, "split": split, "ranges": ranges}
        told = ", ".join(f"{name} {value}" for name, value in asked.items() if value is not None)
        raise DatasetError(dataset.storage.url, f"none of its {len(table)} episodes matches {told or 'anything'}")
    return Subset(dataset, np.flatnonzero(keep))


class Subset(Sequence["Frame"]):
    """Some episodes of a dataset, in its order. Frames and episodes are counted through them."""

    def __init__(self, dataset: Dataset, episodes: I64) -> None:
        self.dataset, self.episode_numbers = dataset, episodes
        table = dataset.table
        lengths = table.length[episodes]
        self._starts = table.start[episodes]
        self._before = np.cumsum(lengths) - lengths
        self._frames = int(lengths.sum())
        self._by_shard = np.bincount(table.position[episodes], weights=lengths, minlength=len(dataset.commits))

    def __len__(self) -> int:
        return self._frames

    @property
    def num_episodes(self) -> int:
        """Number of episodes."""
        return len(self.episode_numbers)

    def locate(self, frames: I64) -> I64:
        """The dataset's numbers of frames (B,) of the subset."""
        if len(frames) and not 0 <= frames.min() <= frames.max() < len(self):
            raise IndexError(f"frames {frames.min()} … {frames.max()} of a subset of {len(self)}")
        which = self._before.searchsorted(frames, "right") - 1
        return self._starts[which] + frames - self._before[which]

    @property
    def fingerprint(self) -> str:
        """A name for what is committed and selected."""
        digest = hashlib.sha256(self.dataset.fingerprint.encode())
        digest.update(self.episode_numbers.tobytes())
        return digest.hexdigest()

    @property
    def shards(self) -> list[int]:
        """Numbers of the dataset's shards."""
        return self.dataset.shards

    def layout(self, window: Window | None = None) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
        """Shape and dtype of every array of one frame, or of one item of `window`."""
        return self.dataset.layout(window)

    def frames_by_shard(self) -> I64:
        """Frames of each of the dataset's shards, (S,)."""
        return self._by_shard.astype(np.int64)

    def _one(self, i: int) -> int:
        if not -len(self) <= i < len(self):
            raise IndexError(f"frame {i} of a subset of {len(self)}")
        return int(self.locate(np.array([i % len(self)]))[0])

    def __getitem__(self, i: int) -> Frame:  # type: ignore[override]
        """Frame i, as `Dataset` gives it."""
        return self.dataset[self._one(i)]

    def window(self, i: int, window: Window) -> dict[str, NDArray[Any]]:
        """The item around frame i, as `Dataset` gives it."""
        return self.dataset.window(self._one(i), window)

    def read(self, frames: ArrayLike, **how: Any) -> dict[str, NDArray[Any]]:
        """Frames (B,), as `Dataset.read` gives them."""
        return self.dataset.read(self.locate(np.asarray(frames, np.int64)), **how)

    def field(self, frames: ArrayLike, name: str) -> list[Any]:
        """A field of the lines of the episodes of frames (B,)."""
        return self.dataset.field(self.locate(np.asarray(frames, np.int64)), name)

    def episode(self, i: int) -> EpisodeView:
        """Episode i of the subset."""
        if not -self.num_episodes <= i < self.num_episodes:
            raise IndexError(f"episode {i} of a subset of {self.num_episodes}")
        return self.dataset.episode(int(self.episode_numbers[i]))

    def episodes(self) -> Iterator[EpisodeView]:
        """All its episodes, in order."""
        return (self.episode(i) for i in range(self.num_episodes))
