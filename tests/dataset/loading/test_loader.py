"""Loaders: an epoch is every frame once, resumed exactly, mixed by weight, in bounded memory."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from syngrasp import dataset
from syngrasp.dataset import Loader, Split, Window
from syngrasp.dataset.loading.buffers import BufferPool
from syngrasp.errors import SyngraspError
from tests.dataset.datasets import commit, create, make_dataset, write_shard
from tests.dataset.synthetic import Slot, make_episode


def frames(loader: Loader) -> list[int]:
    return [int(f) for batch in loader for f in batch["frame"]]


def test_batches_are_the_frames_they_name(small: Path) -> None:
    ds = dataset.open(small)
    window = Window(3, 2, 2)
    loader = Loader(ds, 7, window=window, fields=["instruction", "category"], drop_last=False)
    seen = []
    for batch in loader:
        for k, i in enumerate(batch["frame"].tolist()):
            for name, value in ds.window(i, window).items():
                np.testing.assert_array_equal(batch[name][k], value, err_msg=name)
            assert [batch["instruction"][k]] == ds.field([i], "instruction")
        seen += batch["frame"].tolist()
    assert sorted(seen) == list(range(66))
    assert len(loader) == 10
    loader.close()


@pytest.mark.parametrize("world_size", [1, 3])
@pytest.mark.parametrize("drop_last", [False, True])
def test_ranks_share_epochs(small: Path, world_size: int, drop_last: bool) -> None:
    ds = dataset.open(small, ["action"])
    ranks = [Loader(ds, 4, rank=r, world_size=world_size, drop_last=drop_last, seed=3) for r in range(world_size)]
    epochs = []
    for _ in range(2):
        shares = [frames(rank) for rank in ranks]
        if drop_last:
            assert {len(share) for share in shares} == {66 // world_size // 4 * 4}
            assert len({f for share in shares for f in share}) == sum(map(len, shares))
        else:
            assert sorted(f for share in shares for f in share) == list(range(66))
        epochs.append(shares)
    assert epochs[0] != epochs[1]


@pytest.mark.parametrize("endless", [False, True])
@pytest.mark.parametrize("stop", [1, 4, 9])
def test_resuming_repeats_and_skips_nothing(small: Path, stop: int, endless: bool) -> None:
    ds = dataset.open(small, ["action", "images"])

    def make() -> Loader:
        return Loader(ds, 5, endless=endless, seed=1, buffer=20, drop_last=False, prefetch=6, threads=3)

    def take(loader: Loader, count: int) -> list[list[int]]:
        taken: list[list[int]] = []
        while len(taken) < count:
            for batch in loader:
                taken.append(batch["frame"].tolist())
                if len(taken) == count:
                    break
        return taken

    whole = take(make(), 30)
    first = make()
    begun = take(first, stop)
    state = first.state_dict()
    second = make()
    second.load_state_dict(state)
    assert begun + take(second, 30 - stop) == whole
    assert begun + take(first, 30 - stop) == whole  # a loop that was left goes on as well


def test_a_killed_reader_resumes(tmp_path: Path) -> None:
    """A process that is killed between two batches, again and again, reads an epoch's frames once each."""
    root, log, saved = tmp_path / "dataset", tmp_path / "log", tmp_path / "state.json"
    make_dataset(root, shards=8)
    code = (
        "import json, os, sys, time\n"
        "from syngrasp import dataset\n"
        "from syngrasp.dataset import Loader\n"
        "root, log, saved = sys.argv[1:]\n"
        "loader = Loader(dataset.open(root, ['images', 'action']), 4, drop_last=False, seed=2, prefetch=8)\n"
        "if os.path.exists(saved):\n"
        "    loader.load_state_dict(json.load(open(saved)))\n"
        "for batch in loader:\n"
        "    state = {'state': loader.state_dict(), 'frames': batch['frame'].tolist()}\n"
        "    with open(log, 'a') as file:\n"
        "        file.write(' '.join(map(str, batch['frame'])) + '\\n')\n"
        "    with open(saved + '.new', 'w') as file:\n"
        "        json.dump(loader.state_dict(), file)\n"
        "    os.replace(saved + '.new', saved)\n"
        "    time.sleep(0.02)\n"
        "print('end')\n"
    )
    kills, ended = 0, False
    for attempt in range(20):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(root), str(log), str(saved)], stdout=subprocess.PIPE, text=True
        ) as process:
            before = log.read_text().count("\n") if log.exists() else 0
            deadline = time.monotonic() + 60
            while process.poll() is None and time.monotonic() < deadline:
                lines = log.read_text().count("\n") if log.exists() else 0
                # Between the write of the log and of the state a kill would repeat one batch: the trainer's checkpoint
                # holds both, so wait for the state here.
                if attempt < 3 and lines >= before + 9 and _state_is_of(saved, lines):
                    process.send_signal(signal.SIGKILL)
                    kills += 1
                    break
                time.sleep(0.002)
            assert process.stdout is not None
            ended = "end" in process.stdout.read()
        _drop_what_the_state_does_not_cover(log, saved)
        if ended:
            break
    read = [int(f) for f in log.read_text().split()]
    assert ended
    assert kills == 3
    assert sorted(read) == list(range(len(dataset.open(root))))


def _batches(saved: Path) -> int:
    import json

    return json.loads(saved.read_text())["stream"]["place"] // 4 if saved.exists() else 0


def _state_is_of(saved: Path, lines: int) -> bool:
    return _batches(saved) >= lines - 1


def _drop_what_the_state_does_not_cover(log: Path, saved: Path) -> None:
    """What a trainer does: it goes back to its last checkpoint."""
    import json

    state = json.loads(saved.read_text())["stream"]
    if state["place"]:
        log.write_text("".join(log.read_text().splitlines(keepends=True)[: -(-state["place"] // 4)]))


def test_a_thousand_shards_in_bounded_memory(tmp_path: Path) -> None:
    """Each frame once; open files, waiting batches and orders do not grow with the number of shards."""
    root = tmp_path / "dataset"
    create(root, shards=1000, episodes_per_shard=1)
    for shard in range(1000):
        with dataset.ShardWriter(root, shard, max_objects=2) as writer:
            writer.append(make_episode(Slot(shard, 0, 0), frames=4, objects=1, pictures=False))
            summary = writer.finish()
        assert dataset.commit_shard(root, summary, stages={})
    ds = dataset.open(root, ["action", "phase"])
    loader = Loader(ds, 50, drop_last=False, seed=9)
    assert loader.shuffle.buffer == 64
    seen, files, opened = [], 0, 0
    for batch in loader:
        seen += batch["frame"].tolist()
        files = max(files, len(os.listdir("/proc/self/fd")))
        opened = max(opened, len(ds._shards))
    assert sorted(seen) == list(range(4000))
    assert opened <= 32
    assert files < 32 * 3 + 100


def test_memory_is_used_again(small: Path) -> None:
    loader = Loader(dataset.open(small, ["images"]), 4, prefetch=2, threads=1, endless=True)
    places, kept = set(), None
    for k, batch in enumerate(loader):
        if k == 3:
            kept = (batch["images"], batch["images"].copy())
        places.add(batch["images"].ctypes.data)
        if k == 40:
            break
    assert len(places) <= 6
    assert kept is not None
    np.testing.assert_array_equal(*kept)  # what is held is not written over


def test_an_endless_loader_has_a_truth_but_no_length(small: Path) -> None:
    loader = Loader(dataset.open(small, ["action"]), 4, endless=True)
    assert loader
    with pytest.raises(TypeError, match="endless"):
        len(loader)


def test_lent_memory_comes_back_with_the_last_view() -> None:
    pool = BufferPool()
    array = pool.lend((8,), np.dtype(np.float32))
    place, view = array.ctypes.data, array[2:4]
    del array
    gc.collect()
    assert pool.lend((8,), np.dtype(np.float32)).ctypes.data != place
    del view
    gc.collect()
    assert pool.lend((8,), np.dtype(np.float32)).ctypes.data == place


def test_mixtures_draw_by_weight_and_resume(small: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    create(other, seed=8)
    with dataset.ShardWriter(other, 0, max_objects=2) as writer:
        writer.append(make_episode(Slot(0, 0, 0), frames=30, objects=2))
        assert commit(other, writer.finish())
    parts: Any = [(dataset.open(small), 3.0), (dataset.open(other), 1.0)]

    def make() -> Loader:
        return Loader(parts, 16, seed=4, window=Window(2, 2, 1))

    taken: list[tuple[int, int]] = []
    loader, states = make(), []
    for batch in loader:
        for k, (source, frame) in enumerate(zip(batch["source"].tolist(), batch["frame"].tolist(), strict=True)):
            taken.append((source, frame))
            item = parts[source][0].window(frame, Window(2, 2, 1))
            np.testing.assert_array_equal(batch["images"][k], item["images"])
            objects = item["bbox"].shape[1]
            np.testing.assert_array_equal(batch["bbox"][k, :, :objects], item["bbox"])
            assert np.isnan(batch["bbox"][k, :, objects:]).all()
        states.append(loader.state_dict())
        if len(states) == 40:
            break
    share = np.mean([source == 0 for source, _ in taken])
    assert abs(share - 0.75) < 0.07
    ours = [frame for source, frame in taken if source == 0]
    assert sorted(ours[:66]) == list(range(66))  # each source goes through its epochs
    again = make()
    again.load_state_dict(states[12])
    batch = next(iter(again))
    assert list(zip(batch["source"].tolist(), batch["frame"].tolist(), strict=True)) == taken[13 * 16 : 14 * 16]


def test_selections_are_loaded(small: Path) -> None:
    ds = dataset.open(small, ["action"])
    chosen = ds.select(ranges={"length": (11, None)})
    assert sorted(frames(Loader(chosen, 4, drop_last=False))) == chosen.locate(np.arange(len(chosen))).tolist()


def test_what_does_not_fit_is_said(small: Path, tmp_path: Path) -> None:
    ds = dataset.open(small, ["action", "images"])
    state = Loader(ds, 4).state_dict()
    with pytest.raises(SyngraspError, match="seed 0, now 1"):
        Loader(ds, 4, seed=1).load_state_dict(state)
    with pytest.raises(SyngraspError, match="another, has other episodes selected, or has changed"):
        Loader(ds.select(ranges={"length": (9, None)}), 4).load_state_dict(state)
    with pytest.raises(SyngraspError, match="batch_size 0"):
        Loader(ds, 0)
    with pytest.raises(SyngraspError, match="rank or worker 2 of 2"):
        Loader(ds, 4, rank=2, world_size=2)
    other = tmp_path / "other"
    create(other)
    with dataset.ShardWriter(other, 0, max_objects=2) as writer:
        writer.append(make_episode(Slot(0, 0, 0), objects=2, size=48))
        assert commit(other, writer.finish())
    with pytest.raises(SyngraspError, match=r"images is .2, 32, 32, 3. in dataset 0 and .2, 48, 48, 3. in dataset 1"):
        Loader([(ds, 1.0), (dataset.open(other), 1.0)], 4)
    with pytest.raises(SyngraspError, match="each needs one above 0"):
        Loader([(ds, 1.0), (ds, 0.0)], 4)


def test_a_dataset_that_has_grown_is_read_as_it_was(tmp_path: Path) -> None:
    root = tmp_path / "dataset"
    make_dataset(root, shards=3)
    state = Loader(dataset.open(root, ["action"]), 4).state_dict()
    create(root, shards=4)
    assert commit(root, write_shard(root, 3))
    with pytest.raises(SyngraspError, match="shards=state"):
        Loader(dataset.open(root, ["action"]), 4).load_state_dict(state)
    as_it_was = dataset.open(root, ["action"], shards=state["sources"][0]["shards"])
    Loader(as_it_was, 4).load_state_dict(state)


def test_a_damaged_shard_is_named(tmp_path: Path) -> None:
    root = tmp_path / "dataset"
    make_dataset(root, shards=1)
    path = next(f for f in root.rglob("images/c/**/*") if f.is_file())
    data = bytearray(path.read_bytes())
    data[: len(data) // 4] = bytes(len(data) // 4)
    path.write_bytes(data)
    with pytest.raises(SyngraspError, match=r"shards/00000/.*/images/.*chunk \d+: broken.*run syngrasp verify"):
        frames(Loader(dataset.open(root), 4))


def test_from_a_bucket(bucket: str, small: Path) -> None:
    root = f"{bucket}/loaded"
    make_dataset(root)
    here, there = dataset.open(small), dataset.open(root)
    window = Window(4, 2, 3)
    ours, theirs = (Loader(ds, 8, seed=5, window=window, drop_last=False) for ds in (here, there))
    for a, b in zip(ours, theirs, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    split = there.select(split=Split("train", fraction=0.2))
    assert len(split) == len(here.select(split=Split("train", fraction=0.2)))
    for name, value in there.window(40, window).items():
        np.testing.assert_array_equal(value, here.window(40, window)[name])
