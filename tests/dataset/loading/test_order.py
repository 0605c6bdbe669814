"""Orders and streams: every frame once, equal shares, pure functions of their place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syngrasp.dataset.loading.order import EpochOrder

COUNTS = st.lists(st.integers(0, 40), min_size=1, max_size=30).map(lambda c: np.array(c, np.int64))


def frames(order: EpochOrder) -> np.ndarray:
    blocks = -(-len(order) // order.buffer)
    return np.concatenate([order.block(k) for k in range(blocks)] or [np.empty(0, np.int64)])


@given(COUNTS, st.integers(1, 7), st.integers(1, 60), st.booleans(), st.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_consumers_share_every_frame_once(
    counts: np.ndarray, consumers: int, buffer: int, shuffle: bool, epoch: int
) -> None:
    orders = [EpochOrder(counts, 5, epoch, c, consumers, shuffle, buffer) for c in range(consumers)]
    shares = [frames(order) for order in orders]
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert [len(order) for order in orders] == [len(share) for share in shares]
    np.testing.assert_array_equal(np.sort(np.concatenate(shares)), np.arange(counts.sum()))


def test_in_order_without_shuffling() -> None:
    order = EpochOrder(np.array([3, 0, 4]), 0, 2, shuffle=False, buffer=2)
    np.testing.assert_array_equal(frames(order), np.arange(7))


def test_epochs_and_seeds_differ_and_repeat() -> None:
    counts = np.full(20, 50)
    first = frames(EpochOrder(counts, 1, 0, buffer=200))
    np.testing.assert_array_equal(first, frames(EpochOrder(counts, 1, 0, buffer=200)))
    for other in (EpochOrder(counts, 1, 1, buffer=200), EpochOrder(counts, 2, 0, buffer=200)):
        assert (frames(other) != first).mean() > 0.9


def test_a_block_mixes_the_frames_of_its_shards_evenly() -> None:
    """Among the frames of a block, places and frame numbers have no correlation, and neighbours are of other shards."""
    order = EpochOrder(np.full(100, 100), 3, 0, buffer=1000)
    block = order.block(4)
    shards = block // 100
    assert len(np.unique(shards)) == 10
    assert (shards[1:] == shards[:-1]).mean() < 0.2
    assert abs(np.corrcoef(np.arange(1000), block)[0, 1]) < 0.15


def test_a_consumer_opens_few_shards() -> None:
    counts = np.full(1000, 60)
    for consumer in (0, 3, 7):
        opened = np.unique(frames(EpochOrder(counts, 0, 0, consumer, 8, buffer=960)) // 60)
        assert len(opened) <= 126


@pytest.mark.parametrize("buffer", [1, 7, 10**9])
def test_any_buffer(buffer: int) -> None:
    assert len(np.unique(frames(EpochOrder(np.array([5, 6, 7]), 0, 0, buffer=buffer)))) == 18
