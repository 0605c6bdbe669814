"""The slot logic and the in-process executor: what a slot holds depends on its seed alone."""

from __future__ import annotations

import resource
import signal
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from syngrasp import dataset
from syngrasp.errors import DatasetError, StorageError
from syngrasp.generate import execute
from syngrasp.generate.factory import ask
from syngrasp.generate.jobs import RENDER_STAGE, STAGES, Cost, Job, Outcome, SlotRecord
from syngrasp.generate.slots import Ledger
from syngrasp.generate.tally import Tally
from syngrasp.records import Rollout, Slot
from syngrasp.stage import Rejected
from tests.fake_run import content, make, prepare, recipe, start
from tests.fake_stages import Break, FakeStages

# --- the slot logic ---


class MemoryJournal:
    """A journal of this process."""

    def __init__(self) -> None:
        self.records: dict[tuple[int, int], tuple[SlotRecord, Rollout | None]] = {}

    def load(self, shard: int) -> dict[int, SlotRecord]:
        return {episode: record for (s, episode), (record, _) in self.records.items() if s == shard}

    def save(self, record: SlotRecord, rollout: Rollout | None) -> None:
        self.records[record.slot.shard, record.slot.episode] = (record, rollout)

    def rollout(self, shard: int, episode: int) -> Rollout:
        rollout = self.records[shard, episode][1]
        assert rollout is not None
        return rollout


def ledger(journal: MemoryJournal, window: int = 2, max_attempts: int = 4) -> Ledger:
    return Ledger(range(3), episodes=4, max_attempts=max_attempts, poison_faults=3, journal=journal, window=window)


def play(book: Ledger, schedule: np.random.Generator, trouble: float, stop_after: int = 10**9) -> dict[int, Any]:
    """Runs a ledger with calls given and answered in any order, work lost, and shards rendered again."""
    stages = {name: FakeStages(reject=0.35)(name) for name in STAGES}
    for stage in stages.values():
        stage.setup()
    flying: list[Job] = []
    rendering: set[int] = set()
    results: dict[int, Any] = {}
    for _ in range(stop_after):
        if book.done:
            break
        choice = schedule.random()
        if choice < 0.5:
            stage = STAGES[schedule.integers(0, 4)]
            flying += book.take(stage, int(schedule.integers(1, 5)))
            shard = book.claim_shard()
            rendering |= {shard} if shard is not None else set()
        elif flying:
            job = flying.pop(int(schedule.integers(len(flying))))
            if schedule.random() < trouble:
                book.put_back(job)
            else:
                answer(book, job, stages)
        for shard in list(rendering):
            if schedule.random() < 0.3 * trouble:
                rendering.discard(shard)
                book.rewind(shard)
            elif (job := book.next_render(shard)) is not None:
                answer(book, job, stages)
            elif book.open[shard].settled:
                rendering.discard(shard)
                summary = book.summary(shard)
                results[shard] = (summary.filled, summary.empty, summary.tally.counts(STAGES), summary.tally.rejections)
                book.close(shard)
    return results


def answer(book: Ledger, job: Job, stages: dict[str, Any]) -> None:
    outputs, _ = ask(stages[job.stage], [job.payload])
    if isinstance(outputs[0], Rejected):
        book.rejected(job, outputs[0], Cost())
    else:
        book.passed(job, outputs[0], Cost())


def test_a_slot_comes_out_the_same_in_any_order_of_calls_and_losses() -> None:
    expected = play(ledger(MemoryJournal(), window=1), np.random.default_rng(0), trouble=0.0)
    assert set(expected) == {0, 1, 2}
    assert any(empty for _, empty, _, _ in expected.values()), "the test needs an empty slot"
    for seed in range(25):
        book = ledger(MemoryJournal(), window=1 + seed % 3)
        assert play(book, np.random.default_rng(seed), trouble=0.2) == expected


def test_a_stopped_ledger_goes_on_from_its_journal_with_the_same_counts() -> None:
    expected = play(ledger(MemoryJournal()), np.random.default_rng(0), trouble=0.0)
    for seed in range(15):
        journal, results = MemoryJournal(), {}
        for steps in (30, 60, 120, 10**9):
            left = [shard for shard in range(3) if shard not in results]
            book = Ledger(left, episodes=4, max_attempts=4, poison_faults=3, journal=journal, window=2)
            results |= play(book, np.random.default_rng(seed + steps), trouble=0.1, stop_after=steps)
        assert results == expected


def test_only_faults_in_a_row_at_one_place_quarantine_a_slot() -> None:
    journal = MemoryJournal()
    book = ledger(journal)
    job = book.take("layout", 1)[0]
    assert book.faulted(job, "one")
    assert book.faulted(job, "two")
    book.passed(job, *_layout(job))
    job = book.take("grasp", 1)[0]
    assert book.faulted(job, "one")
    assert book.faulted(job, "two")
    assert not book.faulted(job, "three")
    record, rollout = journal.records[0, 0]
    assert (record.outcome, rollout) == (Outcome.QUARANTINED, None)
    assert record.faults == tuple(f"grasp, attempt 0: {why}" for why in ("one", "two", "three"))


def _layout(job: Job) -> tuple[Any, Cost]:
    stage = FakeStages(reject=0.0)("layout")
    stage.setup()
    outputs, cost = ask(stage, [job.payload])
    return outputs[0], cost


def test_an_answer_to_an_input_that_is_no_longer_waited_for_is_a_fault_of_the_program() -> None:
    book = ledger(MemoryJournal())
    job = book.take("layout", 1)[0]
    book.rejected(job, Rejected("layout", "unsettled"), Cost())
    with pytest.raises(RuntimeError, match="an answer of layout"):
        book.rejected(job, Rejected("layout", "unsettled"), Cost())


def test_a_tally_survives_json() -> None:
    tally = Tally()
    tally.add_pass("layout")
    tally.add_rejection(Slot(1, 2, 3), Rejected("grasp", "none_free", "detail"))
    tally.add_cost("layout", 0.5, 0.75)
    assert Tally.from_json(tally.to_json()) == tally
    merged = tally.copy()
    merged.merge(tally)
    assert merged.counts(STAGES)["grasp"] == {"passed": 0, "rejected": {"none_free": 2}}


# --- the in-process executor ---


@pytest.fixture(scope="module")
def never_killed(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Any]:
    return make(recipe(), tmp_path_factory.mktemp("whole"), FakeStages())[0]


def test_the_commits_count_every_attempt(never_killed: dict[int, Any]) -> None:
    for _, stages, empty, _, rejections in never_killed.values():
        rejected = {stage: sum(stages[stage]["rejected"].values()) for stage in STAGES}
        for before, after in pairwise(STAGES):
            assert stages[before]["passed"] == stages[after]["passed"] + rejected[after]
        assert stages[RENDER_STAGE]["passed"] == 5 - len(empty)
        assert len(rejections) == sum(rejected.values())


@pytest.mark.parametrize("batch", [1, 3, 100])
def test_batches_change_nothing(tmp_path: Path, never_killed: dict[int, Any], batch: int) -> None:
    pools = {stage: {"batch": batch} for stage in STAGES[:-1]}
    assert make(recipe(execution=pools), tmp_path, FakeStages())[0] == never_killed


def test_any_shard_can_be_made_alone(tmp_path: Path, never_killed: dict[int, Any]) -> None:
    asked = recipe()
    run = prepare(asked, tmp_path, FakeStages())
    execute(replace(run, missing=(1,)), lambda event: None)
    assert content(tmp_path) == {1: never_killed[1]}


def test_more_shards_extend_a_dataset(tmp_path: Path, never_killed: dict[int, Any]) -> None:
    make(recipe(shards=1), tmp_path, FakeStages())
    made, events = make(recipe(), tmp_path, FakeStages())
    assert made == never_killed
    assert [event["shard"] for event in events if event["event"] == "shard"] == [1]


def test_a_complete_dataset_is_left_as_it_is(tmp_path: Path) -> None:
    make(recipe(), tmp_path, FakeStages())
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    _, events = make(recipe(), tmp_path, FakeStages())
    assert [event["event"] for event in events] == ["start", "done"]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")} == before


def test_another_recipe_or_catalog_is_refused_with_what_differs(tmp_path: Path) -> None:
    make(recipe(shards=1), tmp_path, FakeStages())
    with pytest.raises(DatasetError, match=r"layout.gap: 0.02 → 0.05"):
        prepare(recipe(layout={"gap": 0.05}), tmp_path, FakeStages())
    with pytest.raises(DatasetError, match=r"seed: 0 → 4"):
        prepare(recipe(seed=4), tmp_path, FakeStages())
    prepare(recipe(name="other", execution={"queue": 5}), tmp_path, FakeStages())


def test_slots_without_an_accepted_attempt_stay_empty_and_say_why(tmp_path: Path) -> None:
    made, _ = make(recipe(max_attempts=2), tmp_path, FakeStages(reject=0.4))
    empty = [(shard, episode) for shard, values in made.items() for episode in values[2]]
    assert empty
    rejections = [Slot(r["shard"], r["episode"], r["attempt"]) for values in made.values() for r in values[4]]
    assert all({Slot(*slot, 0), Slot(*slot, 1)} <= set(rejections) for slot in empty)
    assert dataset.verify_dataset(tmp_path).ok


def test_a_shard_may_end_up_with_no_episode(tmp_path: Path) -> None:
    made, events = make(recipe(shards=1, max_attempts=1), tmp_path, FakeStages(reject=1.0))
    assert made[0][2] == (0, 1, 2, 3, 4)
    assert events[-1]["episodes"] == 0


@pytest.mark.parametrize("stage", ["plan", "render"])
def test_an_exception_that_does_not_come_again_changes_nothing(
    tmp_path: Path, never_killed: dict[int, Any], stage: str
) -> None:
    breaks = (Break(stage, 1, 2, "raise", times=2),)
    made, events = make(recipe(), tmp_path / "data", FakeStages(breaks=breaks, notes=str(tmp_path)))
    assert made == never_killed
    assert [event["event"] for event in events].count("fault") in (1, 2), "a batch that raises is not blamed on anyone"


@pytest.mark.parametrize("stage", ["layout", "lift", "render"])
def test_a_slot_that_always_breaks_is_quarantined_without_innocents(
    tmp_path: Path, never_killed: dict[int, Any], stage: str
) -> None:
    made, events = make(recipe(), tmp_path, FakeStages(breaks=(Break(stage, 0, 3, "raise"),)))
    assert made[0][2] == (3,)
    assert made[1] == never_killed[1]
    details = dataset.list_quarantine(tmp_path)
    assert [(item["shard"], item["episode"]) for item in details] == [(0, 3)]
    assert all("broken on purpose" in fault for fault in details[0]["faults"])
    assert events[-1]["quarantined"] == 1


# --- interrupted ---

SLOW = {"seconds": 0.004, "render_seconds": 0.03}
SIZE = ("--shards", "2", "--episodes-per-shard", "5")


def test_killed_at_any_moment_and_run_again_it_ends_as_if_never_killed(
    tmp_path: Path, never_killed: dict[int, Any]
) -> None:
    moments = np.random.default_rng(int(time.time()))
    for _ in range(4):
        process = start(tmp_path, SLOW, *SIZE)
        process.stdout.readline()  # the run has begun
        time.sleep(float(moments.uniform(0.0, 0.5)))
        process.kill()
        process.communicate()
    process = start(tmp_path, SLOW, *SIZE)
    assert process.wait(120) == 0, process.communicate()
    process.communicate()
    assert content(tmp_path) == never_killed
    assert dataset.verify_dataset(tmp_path).ok


def test_what_is_planned_is_not_planned_again_after_a_crash_in_rendering(
    tmp_path: Path, never_killed: dict[int, Any]
) -> None:
    stages = FakeStages(breaks=(Break("render", 0, 3, "exit", times=1),), notes=str(tmp_path))
    values = {"breaks": [vars(item) for item in stages.breaks], "notes": str(tmp_path)}
    process = start(tmp_path / "data", values, *SIZE)
    process.communicate(timeout=120)
    assert process.returncode == 1
    calls = tmp_path / "calls.txt"
    staged = set(dataset.staged_episodes(tmp_path / "data", 0))
    assert staged >= {0, 1, 2, 3}
    calls.unlink()
    assert make(recipe(), tmp_path / "data", stages)[0] == never_killed
    again = [line.split() for line in calls.read_text().splitlines()]
    first = {int(episode): stage for stage, shard, episode, _, _ in reversed(again) if shard == "0"}
    assert {episode: stage for episode, stage in first.items() if episode in staged} == dict.fromkeys(staged, "render")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_cleanly_and_says_how_to_go_on(
    tmp_path: Path, never_killed: dict[int, Any], number: signal.Signals, code: int
) -> None:
    process = start(tmp_path, {"render_seconds": 0.2}, *SIZE)
    process.stdout.readline()
    time.sleep(0.3)
    process.send_signal(number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == code
    assert told.strip() == "stopped; what is committed stays; run the same command again to go on"
    assert list((tmp_path / "shards").rglob("*.jsonl")) == [], "the attempt that was being written is gone"
    assert make(recipe(), tmp_path, FakeStages())[0] == never_killed


# --- storage that refuses ---


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="a part of the path is a file"):
        prepare(recipe(), tmp_path / "file" / "data", FakeStages())


def test_a_full_disk_ends_the_run_with_one_line_and_loses_nothing(tmp_path: Path, never_killed: dict[int, Any]) -> None:
    make(recipe(shards=1), tmp_path, FakeStages())

    def limit() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))

    process = start(tmp_path, {}, *SIZE, preexec_fn=limit)
    _, told = process.communicate(timeout=120)
    assert process.returncode == 2
    assert told.count("\n") == 1
    assert "cannot write" in told
    assert "size limit" in told
    assert content(tmp_path) == {0: never_killed[0]}
    assert make(recipe(), tmp_path, FakeStages())[0] == never_killed


def test_a_dataset_of_another_schema_version_is_refused(tmp_path: Path) -> None:
    from syngrasp.dataset.documents import seal, unseal

    make(recipe(shards=1), tmp_path, FakeStages())
    path = tmp_path / "dataset.json"
    path.write_bytes(seal(unseal(path.read_bytes()) | {"schema_version": 99}))
    with pytest.raises(DatasetError, match="schema version 99"):
        prepare(recipe(), tmp_path, FakeStages())
