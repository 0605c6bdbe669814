"""PyTorch's views of a dataset: the same values, in DataLoader's workers, resumed by torchdata's protocol."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from syngrasp import dataset
from syngrasp.dataset import Loader, Window
from tests.dataset.datasets import make_dataset

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'syngrasp[train]'")
from torch.utils.data import DataLoader  # noqa: E402

from syngrasp.dataset.loading.torch import TorchFrames, TorchStream, tensors  # noqa: E402


def test_items_and_batches_of_a_map_style_dataset(small: Path) -> None:
    ds = dataset.open(small)
    view = TorchFrames(ds, window=Window(4, 2, 3), fields=["instruction"])
    assert len(view) == len(ds)
    for name, value in ds.window(17, Window(4, 2, 3)).items():
        np.testing.assert_array_equal(view[17][name].numpy(), value)
    for batch in DataLoader(view, batch_size=10, shuffle=True, num_workers=2):  # type: ignore[arg-type]
        for k, i in enumerate(batch["frame"].tolist()):
            np.testing.assert_array_equal(batch["images"][k].numpy(), ds[i]["images"])
            assert batch["instruction"][k] == ds.field([i], "instruction")[0]


@pytest.mark.parametrize("workers", [0, 2])
def test_workers_share_an_epoch(small: Path, workers: int) -> None:
    ds = dataset.open(small, ["images", "action"])
    stream = TorchStream(ds, 4, drop_last=False)
    batches = list(DataLoader(stream, batch_size=None, num_workers=workers))
    assert sorted(int(f) for batch in batches for f in batch["frame"]) == list(range(66))
    for batch in batches:
        assert batch["images"].dtype == torch.uint8
        np.testing.assert_array_equal(batch["images"][0].numpy(), ds[int(batch["frame"][0])]["images"])


def test_ranks_and_workers_together(small: Path) -> None:
    ds = dataset.open(small, ["action"])
    seen: list[int] = []
    for rank in range(2):
        stream = TorchStream(ds, 4, drop_last=False, rank=rank, world_size=2)
        seen += [int(f) for batch in DataLoader(stream, batch_size=None, num_workers=2) for f in batch["frame"]]
    assert sorted(seen) == list(range(66))


def test_a_stream_goes_on_where_it_was_saved(small: Path) -> None:
    ds = dataset.open(small, ["action"])
    whole = [batch["frame"].tolist() for batch in TorchStream(ds, 4, seed=2, drop_last=False)]
    stream = TorchStream(ds, 4, seed=2, drop_last=False)
    begun, batches = [], iter(stream)
    for _ in range(5):
        begun.append(next(batches)["frame"].tolist())
    state = stream.state_dict()
    again = TorchStream(ds, 4, seed=2, drop_last=False)
    again.load_state_dict(state)
    assert begun + [batch["frame"].tolist() for batch in again] == whole


def test_tensors_share_the_memory_of_batches(small: Path) -> None:
    loader = Loader(dataset.open(small, ["images"]), 4)
    batch = next(iter(loader))
    (tensor,) = (t["images"] for t in tensors([batch]))
    assert tensor.data_ptr() == batch["images"].ctypes.data


def test_workers_read_from_a_bucket_once_spawned(bucket: str) -> None:
    root = f"{bucket}/spawned"
    make_dataset(root)
    ds = dataset.open(root, ["action"])
    assert len(ds.read([1, 2])["action"]) == 2
    stream = TorchStream(ds, 4, drop_last=False)
    spawned = DataLoader(stream, batch_size=None, num_workers=1, multiprocessing_context="spawn", timeout=120)
    assert sorted(int(f) for batch in spawned for f in batch["frame"]) == list(range(66))
    forked = DataLoader(stream, batch_size=None, num_workers=1, multiprocessing_context="fork", timeout=120)
    with pytest.raises(RuntimeError, match="multiprocessing_context='spawn'"):
        next(iter(forked))


def test_without_torch_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "try:\n    import syngrasp.dataset.loading.torch\n"
        "except Exception as error:\n    print(type(error).__name__, error)\n"
    )
    told: Any = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.strip() == "MissingExtra torch is not installed; install it with: pip install 'syngrasp[train]'"
