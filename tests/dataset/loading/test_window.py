"""Windows: histories and futures are the episode's own rows, and end at its ends."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from syngrasp import dataset, se3
from syngrasp.dataset import Window
from syngrasp.dataset.loading.window import PAST
from syngrasp.errors import DatasetError

WINDOWS = [Window(), Window(4, 2, 1), Window(4, 2, 3), Window(1, 3, 2), Window(30, 30, 1)]


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_items_are_rows_of_their_episode(small: Path, window: Window) -> None:
    ds = dataset.open(small)
    for view in ds.episodes():
        whole = dict(view)
        for t in (0, 1, view.length // 2, view.length - 2, view.length - 1):
            item, frame = ds.window(view.frames[t], window), ds[view.frames[t]]
            before = np.array([t - k * window.stride for k in reversed(range(window.past))])
            after = np.array([t + k * window.stride for k in range(window.future)])
            assert item.keys() == frame.keys() | {"action_is_pad", "state_is_pad"}
            np.testing.assert_array_equal(item["state_is_pad"], before < 0)
            np.testing.assert_array_equal(item["action_is_pad"], after >= view.length)
            for name, value in item.items():
                if name in PAST:
                    np.testing.assert_array_equal(value, whole[name][np.maximum(before, 0)], err_msg=name)
                elif name in frame and name != "action":
                    np.testing.assert_array_equal(value, frame[name], err_msg=name)
            np.testing.assert_array_equal(item["action"][:, 6], whole["action"][np.minimum(after, view.length - 1), 6])


@pytest.mark.parametrize("stride", [1, 2, 3, 7])
def test_actions_lead_from_pose_to_pose(small: Path, stride: int) -> None:
    ds = dataset.open(small)
    for view in ds.episodes():
        T = se3.matrix_from_pose7(view["ee_pose"])
        for t in range(view.length):
            reached = T[t]
            for motion in ds.window(view.frames[t], Window(5, 1, stride))["action"]:
                reached = se3.apply_delta(reached, motion[:6])
            last = min(t + 5 * stride, view.length - 1)
            np.testing.assert_allclose(reached, T[last], atol=3e-6)


def test_at_a_stride_of_one_actions_are_the_stored_ones(small: Path) -> None:
    ds = dataset.open(small)
    view = ds.episode(2)
    actions = view["action"]
    for t in range(view.length - 4):
        np.testing.assert_array_equal(ds.window(view.frames[t], Window(4))["action"], actions[t : t + 4])


@pytest.mark.parametrize("window", [None, *WINDOWS], ids=str)
def test_a_batch_is_its_items(small: Path, window: Window | None) -> None:
    ds = dataset.open(small)
    frames = np.random.default_rng(0).integers(-len(ds), len(ds), 20)
    batch = ds.read(frames, window=window)
    for k, i in enumerate(frames.tolist()):
        item = ds[i] if window is None else ds.window(i % len(ds), window)
        assert batch.keys() == item.keys()
        for name, value in item.items():
            np.testing.assert_array_equal(batch[name][k], value, err_msg=name)


def test_a_batch_is_decoded_into_given_arrays(small: Path) -> None:
    ds = dataset.open(small, ["images", "masks", "action"])
    out = {name: np.full((6, *shape), 7, dtype) for name, (shape, dtype) in ds.layout().items()}
    given = {name: values.ctypes.data for name, values in out.items()}
    read = ds.read([3, 60, 3], out=out, at=np.array([5, 0, 2]))
    assert {name: values.ctypes.data for name, values in read.items()} == given
    for name, values in read.items():
        for row, frame in ((5, 3), (0, 60), (2, 3)):
            np.testing.assert_array_equal(values[row], ds[frame][name])
        assert (values[[1, 3, 4]] == 7).all()


def test_what_cannot_be_read_is_said(small: Path, tmp_path: Path) -> None:
    ds = dataset.open(small)
    with pytest.raises(IndexError, match="frame 66 of a dataset of 66"):
        ds.read([0, 66])
    with pytest.raises(IndexError, match="whole numbers"):
        ds.read([0.5])
    with pytest.raises(ValueError, match="stride 0"):
        Window(4, 2, 0)
    from tests.dataset.datasets import create

    create(tmp_path / "empty")
    with pytest.raises(DatasetError, match="no frame"):
        dataset.open(tmp_path / "empty").read([])


def test_fields_of_lines(small: Path) -> None:
    ds = dataset.open(small)
    told = ds.field([0, 65, 9], "instruction")
    assert told == [
        ds.episode(0).line["instruction"],
        ds.episode(5).line["instruction"],
        ds.episode(1).line["instruction"],
    ]
    assert ds.field([4], "nonsense") == [None]
