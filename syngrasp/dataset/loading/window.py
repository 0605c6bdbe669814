"""An item of training around a frame: the pictures now, the proprioception that led here, the actions to come."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from syngrasp import se3

if TYPE_CHECKING:
    from syngrasp.dataset.shard_reader import ShardReader

I64 = NDArray[np.int64]

PAST = ("joint_position", "joint_velocity", "gripper_width", "ee_pose")
"""Arrays of which an item holds the history: (past, …)."""
PADDING = {"action_is_pad": "future", "state_is_pad": "past"}
"""What tells the frames beyond an episode's ends from its own, and over what it runs."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which frames an item holds, around its frame t.

    `PAST` arrays have the frames t − (past − 1)·stride … t in front, `action` the `future` actions from t on, each a
    motion over `stride` frames with the gripper command of its first; everything else is of frame t. Beyond the
    episode's ends the first state is repeated, and actions stand still with the last gripper command;
    `state_is_pad` (past,) and `action_is_pad` (future,) say where.
    """

    future: int = 1
    past: int = 1
    stride: int = 1

    def __post_init__(self) -> None:
        for name in ("future", "past", "stride"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"Window: {name} {value!r} is not a whole number of at least 1")

    def row_shape(self, name: str, stored: Sequence[int]) -> tuple[int, ...]:
        """The shape of an item's array whose stored rows have shape `stored`."""
        if name == "action":
            return (self.future, *stored)
        return (self.past, *stored) if name in PAST else tuple(stored)

    def rows_before(self, frames: I64, starts: I64) -> tuple[I64, NDArray[np.bool_]]:
        """Frames (K, past) of the history of `frames` (K,) in episodes from `starts` on, and which are padding."""
        rows = frames[:, None] - np.arange(self.past - 1, -1, -1) * self.stride
        return np.maximum(rows, starts[:, None]), rows < starts[:, None]

    def rows_after(self, frames: I64, ends: I64) -> tuple[I64, NDArray[np.bool_]]:
        """Frames (K, future + 1) at which the actions of `frames` (K,) begin, and the last one ends, in episodes that
        end before `ends`; and which actions (K, future) are padding."""
        rows = frames[:, None] + np.arange(self.future + 1) * self.stride
        return np.minimum(rows, ends[:, None] - 1), rows[:, :-1] >= ends[:, None]


def gather_actions(shard: ShardReader, rows: I64, stride: int) -> NDArray[np.float32]:
    """Actions (K, future, 7) that begin at rows[:, :-1] of a shard and end at rows[:, 1:], rows (K, future + 1)."""
    stored = shard.arrays["action"]
    actions = stored.pick(rows[:, :-1].ravel()).reshape(len(rows), -1, *stored.shape[1:])
    if stride > 1:
        reached = shard.arrays["ee_pose"].pick(rows.ravel()).reshape(*rows.shape, 7)
        actions[..., :6] = se3.delta_pose7(reached[:, :-1], reached[:, 1:])
    return actions


def _actions(shard: ShardReader, rows: list[int], stride: int) -> NDArray[np.float32]:
    """Actions (future, 7) of one item, from its rows (future + 1)."""
    actions = shard.arrays["action"].pick(rows[:-1])
    if stride > 1:
        reached = shard.arrays["ee_pose"].pick(rows)
        actions[:, :6] = se3.delta_pose7(reached[:-1], reached[1:])
    return actions


class Rows:
    """Some frames (K,) of a shard, or the items of a window around them, ready to be read array by array."""

    def __init__(self, shard: ShardReader, frames: I64, window: Window | None = None) -> None:
        self.shard, self.frames, self.window = shard, frames, window
        self.episodes = shard.episode_ends.searchsorted(frames, "right")

    def take(self, name: str, out: NDArray[Any], at: I64 | slice = slice(None)) -> None:
        """Writes the rows of one array, or of padding, to out[at]."""
        if self.window is not None and name in PADDING:
            out[at] = self._after[1] if PADDING[name] == "future" else self._before[1]
        elif self.window is not None and name == "action":
            out[at] = gather_actions(self.shard, self._after[0], self.window.stride)
        elif self.window is not None and name in PAST:
            rows, array = self._before[0], self.shard.arrays[name]
            out[at] = array.pick(rows.ravel()).reshape(*rows.shape, *array.shape[1:])
        else:
            array = self.shard.arrays[name]
            array.take(self.frames if array.meta.spec.per_frame else self.episodes, out, at)

    @cached_property
    def _before(self) -> tuple[I64, NDArray[np.bool_]]:
        assert self.window is not None
        return self.window.rows_before(self.frames, self.shard.episode_starts[self.episodes])

    @cached_property
    def _after(self) -> tuple[I64, NDArray[np.bool_]]:
        assert self.window is not None
        return self.window.rows_after(self.frames, self.shard.episode_ends[self.episodes])


def item(shard: ShardReader, names: Iterable[str], frame: int, window: Window) -> dict[str, NDArray[Any]]:
    """The item of one frame of a shard: what `Rows` gives, in a third of the time."""
    episode = shard.episode_of(frame)
    start, stop = shard.bounds(episode)
    stride, last = window.stride, stop - 1
    before = [frame - k * stride for k in range(window.past - 1, -1, -1)]
    after = [frame + k * stride for k in range(window.future + 1)]
    found: dict[str, Any] = {}
    for name in names:
        array = shard.arrays[name]
        if name == "action":
            found[name] = _actions(shard, [min(row, last) for row in after], stride)
        elif name in PAST:
            found[name] = array.pick([max(row, start) for row in before])
        else:
            found[name] = array.row(frame if array.meta.spec.per_frame else episode)
    found["action_is_pad"] = np.array([row > last for row in after[:-1]])
    found["state_is_pad"] = np.array([row < start for row in before])
    return found


def row_layout(
    shard: ShardReader, names: Iterable[str], window: Window | None
) -> dict[str, tuple[tuple[int, ...], np.dtype[Any]]]:
    """Shape and dtype of one row of each array that is read."""
    stored = {name: (shard.arrays[name].shape[1:], shard.arrays[name].dtype) for name in names}
    if window is None:
        return stored
    layout = {name: (window.row_shape(name, shape), kind) for name, (shape, kind) in stored.items()}
    return layout | {name: ((getattr(window, over),), np.dtype(bool)) for name, over in PADDING.items()}
