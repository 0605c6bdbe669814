"""Commits: created once, whole or not at all, and only for the dataset that was asked for."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from syngrasp import dataset
from syngrasp.dataset.documents import seal, unseal
from syngrasp.dataset.local_storage import LocalStorage
from syngrasp.errors import DatasetError
from syngrasp.records import Slot
from tests.dataset.datasets import RECIPE, commit, create, make_dataset, write_shard
from tests.dataset.synthetic import make_rollout

REPOSITORY = Path(__file__).resolve().parents[2]


def test_the_same_command_opens_the_same_dataset(tmp_path: Path) -> None:
    assert create(tmp_path) == create(tmp_path) == dataset.open_info(tmp_path)


def test_more_shards_extend_and_fewer_change_nothing(tmp_path: Path) -> None:
    create(tmp_path, shards=2)
    assert create(tmp_path, shards=5).shards == 5
    assert create(tmp_path, shards=1).shards == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"recipe": RECIPE | {"render": {"kind": "none", "size": 32}}}, r"render\.kind: mjwarp → none"),
        ({"recipe": RECIPE | {"layout": {}}}, r"layout\.objects: \[1, 8\] → \(none\)"),
        ({"recipe": RECIPE | {"lift": {"mass": 1}}}, r'lift: \(none\) → \{"mass": 1\}'),
        ({"catalog_hash": "beef"}, "catalog_hash: c0ffee → beef"),
        ({"seed": 8}, "seed: 7 → 8"),
        ({"episodes_per_shard": 5}, "episodes_per_shard: 4 → 5"),
    ],
)
def test_another_recipe_is_refused_with_the_difference(tmp_path: Path, changes: dict, message: str) -> None:
    create(tmp_path)
    with pytest.raises(DatasetError, match=message) as error:
        create(tmp_path, **changes)
    assert "\n" not in str(error.value)


def test_a_missing_dataset_is_one_line(tmp_path: Path) -> None:
    for there in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(DatasetError, match=r"there is no dataset here \(no dataset.json\)"):
            dataset.open(there)


def test_another_schema_version_is_one_line(tmp_path: Path) -> None:
    create(tmp_path)
    path = tmp_path / "dataset.json"
    path.write_bytes(seal(unseal(path.read_bytes()) | {"schema_version": 99, "something": "new"}))
    for use in (dataset.open, create, dataset.verify_dataset, dataset.dataset_stats, dataset.collect_garbage):
        with pytest.raises(DatasetError, match="it has schema version 99, but this syngrasp reads versions 1 to 2"):
            use(tmp_path)


def test_a_damaged_dataset_json_is_one_line(tmp_path: Path) -> None:
    create(tmp_path)
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(DatasetError, match=r"dataset.json cannot be read: its checksum does not match"):
        create(tmp_path)


def test_a_seal_shows_every_changed_byte() -> None:
    data = seal({"a": [1, 2.5, "ü"], "b": {"c": None}})
    assert unseal(data) == {"a": [1, 2.5, "ü"], "b": {"c": None}}
    assert json.loads(data)["checksum"].startswith("sha256:")
    for place in range(len(data)):
        for flip in (1, 0x20, 0xFF):
            with pytest.raises(ValueError, match="checksum"):
                unseal(data[:place] + bytes([data[place] ^ flip]) + data[place + 1 :])
    for length in range(len(data)):
        with pytest.raises(ValueError, match="checksum"):
            unseal(data[:length])


def test_a_commit_comes_back(tmp_path: Path) -> None:
    create(tmp_path)
    summary = write_shard(tmp_path, 1)
    assert dataset.committed_shards(tmp_path) == []
    assert commit(tmp_path, summary)
    record = dataset.read_commit(tmp_path, 1)
    assert record is not None
    assert (record.attempt_id, record.frames, record.episodes) == (summary.attempt_id, summary.frames, 3)
    assert record.files == summary.files
    assert record.empty_slots == (3,)
    assert record.stages["plan"]["rejected"] == {"no_path": 2}
    assert record.renderer == {"kind": "synthetic"}
    assert dataset.committed_shards(tmp_path) == [1]
    assert dataset.is_committed(tmp_path, 1)
    assert not dataset.is_committed(tmp_path, 0)
    assert dataset.read_commit(tmp_path, 0) is None


def test_a_slot_is_not_filled_and_empty(tmp_path: Path) -> None:
    create(tmp_path)
    with pytest.raises(ValueError, match="both filled and empty"):
        dataset.commit_shard(tmp_path, write_shard(tmp_path, 0), stages={}, empty_slots=[2])


def test_of_many_creators_exactly_one_wins(tmp_path: Path) -> None:
    storage = LocalStorage(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        for k in range(40):
            wins = list(pool.map(lambda who, k=k: storage.create(f"commits/{k}", b"%d" % who), range(8)))
            assert sum(wins) == 1
            assert storage.read(f"commits/{k}") == b"%d" % wins.index(True)
    assert len(list((tmp_path / "commits").iterdir())) == 40  # no temporary files


def test_without_hard_links_there_is_still_one_winner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    storage = LocalStorage(tmp_path)
    with ThreadPoolExecutor(8) as pool:
        wins = list(pool.map(lambda who: storage.create("commits/0", b"%d" % who), range(8)))
    assert sum(wins) == 1
    assert storage.read("commits/0") == b"%d" % wins.index(True)


RACE = """
import sys, time
from tests.dataset.datasets import commit, write_shard
root, start = sys.argv[1], float(sys.argv[2])
summary = write_shard(root, 0)
print(summary.attempt_id, flush=True)
sys.stdin.readline()
print(commit(root, summary), flush=True)
"""


def test_of_two_processes_exactly_one_commits(tmp_path: Path) -> None:
    create(tmp_path)
    writers = [_start(RACE, tmp_path, subprocess.PIPE) for _ in range(2)]
    attempts = [w.stdout.readline().strip() for w in writers]
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.flush()
    won = [w.communicate(timeout=60)[0].strip() == "True" for w in writers]
    assert sorted(won) == [False, True]
    record = dataset.read_commit(tmp_path, 0)
    assert record is not None
    assert record.attempt_id == attempts[won.index(True)]
    assert dataset.verify_dataset(tmp_path).ok
    assert dataset.collect_garbage(tmp_path, everything=True).removed == (f"shards/00000/{attempts[won.index(False)]}",)


KILLED = """
import sys
from syngrasp import dataset
from tests.dataset.datasets import commit, create, write_shard
root = sys.argv[1]
create(root, shards=1000)
write_shard(root, 999, episodes=1, size=16)  # never committed; now everything is imported
print("ready", flush=True)
for shard in range(1000):
    if not dataset.is_committed(root, shard):
        dataset.save_slot(root, shard, 0, dataset.StagedSlot(None))
        commit(root, write_shard(root, shard, episodes=1, size=16))
        dataset.update_catalog(root)
        dataset.clear_staging(root, shard)
        print(shard, flush=True)
"""


def test_kills_leave_a_whole_dataset(tmp_path: Path) -> None:
    random_moment, whole = random.Random(3), 0
    for kill in range(12):
        writer = _start(KILLED, tmp_path)
        assert writer.stdout.readline() == "ready\n"
        for _ in range(kill % 3):  # shards that are whole before the kill, however slow the machine is
            assert writer.stdout.readline().strip().isdigit()
            whole += 1
        time.sleep(random_moment.uniform(0.0, 0.1))
        writer.send_signal(signal.SIGKILL)
        writer.communicate(timeout=60)
        report = dataset.verify_dataset(tmp_path)
        assert report.ok, report.problems
        assert len(dataset.open(tmp_path)) == report.frames == 8 * report.shards
    assert report.shards >= whole == 12
    dataset.collect_garbage(tmp_path, everything=True)
    assert dataset.verify_dataset(tmp_path) == report
    attempts = list(tmp_path.glob("shards/*/*"))
    assert len(attempts) == report.shards
    assert not list(tmp_path.rglob("*.tmp"))


def _start(code: str, root: Path, stdin: int | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, str(root), "0"], stdin=stdin, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY
    )


def test_garbage_is_what_no_commit_names(tmp_path: Path) -> None:
    make_dataset(tmp_path, shards=1)
    report = dataset.verify_dataset(tmp_path)
    kept = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    loser = write_shard(tmp_path, 0)
    unfinished = write_shard(tmp_path, 1)
    dataset.save_slot(tmp_path, 0, 0, dataset.StagedSlot(None))
    dataset.save_slot(tmp_path, 1, 0, dataset.StagedSlot(make_rollout(Slot(1, 0))))
    (tmp_path / "commits" / ".00001.json.abc.tmp").write_bytes(b"torn")
    (tmp_path / ".dataset.json.abc.tmp").write_bytes(b"torn")
    garbage = {
        ".dataset.json.abc.tmp",
        "commits/.00001.json.abc.tmp",
        f"shards/00000/{loser.attempt_id}",
        f"shards/00001/{unfinished.attempt_id}",
        "staging/00000",
    }
    assert dataset.collect_garbage(tmp_path).removed == ()
    dry = dataset.collect_garbage(tmp_path, everything=True, dry_run=True)
    assert set(dry.removed) == garbage
    assert dry.bytes > 10_000
    old = time.time() - 7200
    for path in (tmp_path / "staging/00000").iterdir():
        os.utime(path, (old, old))
    assert dataset.collect_garbage(tmp_path).removed == ("staging/00000",)
    assert set(dataset.collect_garbage(tmp_path, everything=True).removed) == garbage - {"staging/00000"}
    assert dataset.collect_garbage(tmp_path, everything=True).removed == ()
    assert dataset.verify_dataset(tmp_path) == report
    assert all(path.read_bytes() == data for path, data in kept.items())
    assert dataset.load_slot(tmp_path, 1, 0) is not None


def test_what_a_kill_leaves_of_an_attempt_goes_as_one(tmp_path: Path) -> None:
    make_dataset(tmp_path, shards=1)
    (kept,) = (tmp_path / "shards/00000").iterdir()
    (kept / ".shard.json.abc.tmp").write_bytes(b"torn")
    (tmp_path / "shards/00001/born/images").mkdir(parents=True)
    started = write_shard(tmp_path, 2)
    (tmp_path / f"shards/00002/{started.attempt_id}/.shard.json.abc.tmp").write_bytes(b"torn")
    dataset.save_slot(tmp_path, 3, 0, dataset.StagedSlot(None))
    (tmp_path / "staging/00003/.00.abc.tmp").write_bytes(b"torn")
    assert dataset.collect_garbage(tmp_path).removed == ()
    assert set(dataset.collect_garbage(tmp_path, everything=True).removed) == {
        f"shards/00000/{kept.name}/.shard.json.abc.tmp",
        "shards/00001/born",
        f"shards/00002/{started.attempt_id}",
        "staging/00003/.00.abc.tmp",
    }
    assert list(tmp_path.glob("shards/*/*")) == [kept]
    assert dataset.load_slot(tmp_path, 3, 0) is not None
    assert dataset.verify_dataset(tmp_path).ok


def test_a_commit_of_another_shard_is_damage(tmp_path: Path) -> None:
    make_dataset(tmp_path, shards=1)
    os.rename(tmp_path / "commits/00000.json", tmp_path / "commits/00001.json")
    with pytest.raises(DatasetError, match="is of shard 0, not 1"):
        dataset.open(tmp_path)
    report = dataset.verify_dataset(tmp_path)
    assert report.problem_count == 1


def test_a_summary_may_travel(tmp_path: Path) -> None:
    create(tmp_path)
    summary = write_shard(tmp_path, 0)
    assert replace(summary) == summary
