"""Reads frames of any shards at once, shard by shard, into arrays of one row per frame."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from syngrasp.dataset.loading.window import Rows, Window
from syngrasp.dataset.local_storage import LocalStorage
from syngrasp.dataset.shard_array import empty

if TYPE_CHECKING:
    from syngrasp.dataset.reader import Dataset

I64 = NDArray[np.int64]


def read_batch(
    dataset: Dataset, frames: I64, window: Window | None, out: Mapping[str, NDArray[Any]] | None, at: I64 | None
) -> dict[str, NDArray[Any]]:
    """See `Dataset.read`; `frames` (B,) exist."""
    if out is None:
        out = {name: empty((len(frames), *shape), kind) for name, (shape, kind) in dataset.layout(window).items()}
    positions = dataset.frame_ends.searchsorted(frames, "right")
    jobs: list[Callable[[], None]] = []
    for position in dict.fromkeys(positions.tolist()):
        here = np.flatnonzero(positions == position)
        shard = dataset.shard(position)
        dataset.names_in(shard)
        rows = Rows(shard, frames[here] - dataset.first_frame(shard.commit.shard), window)
        places = here if at is None else at[here]
        jobs += [partial(rows.take, name, values, places) for name, values in out.items()]
    if isinstance(dataset.storage, LocalStorage):
        for job in jobs:
            job()
    else:
        list(dataset.threads().map(lambda job: job(), jobs))
    return dict(out)
