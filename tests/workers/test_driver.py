"""Ray: the same shards as in one process, whatever dies on the way."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from syngrasp import dataset
from syngrasp.errors import SyngraspError
from tests.fake_run import content, make, prepare, recipe, start
from tests.fake_stages import Break, FakeStages

ray = pytest.importorskip("ray", reason="Ray is not installed")

from workers.cluster import PoolSize, check_room, pool_sizes, ray_session  # noqa: E402
from workers.driver import Driver  # noqa: E402

# One actor a stage: on few cores most of a test's time goes into starting them.
POOLS: dict[str, Any] = {"render": {"actors": 1}}


@pytest.fixture(scope="module")
def ray_of_this_module() -> Iterator[None]:
    with ray_session(None, recipe().execution):
        yield


@pytest.fixture(scope="module")
def never_killed(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Any]:
    return make(recipe(), tmp_path_factory.mktemp("whole"), FakeStages())[0]


@pytest.mark.usefixtures("ray_of_this_module")
def test_ray_and_one_process_make_the_same_arrays_images_included(tmp_path: Path, never_killed: dict[int, Any]) -> None:
    made, events = make(recipe(execution={"render": {"actors": 2}}), tmp_path, FakeStages(), "ray")
    assert made == never_killed
    assert events[-1]["committed"] == 2


@pytest.mark.usefixtures("ray_of_this_module")
def test_deaths_and_exceptions_that_do_not_come_again_change_nothing(
    tmp_path: Path, never_killed: dict[int, Any]
) -> None:
    breaks = (
        Break("plan", 0, 2, "exit", times=2, attempt=0),
        Break("lift", 1, 1, "raise", times=1),
        Break("render", 1, 3, "segv", times=2),
    )
    made, events = make(
        recipe(execution=POOLS), tmp_path / "data", FakeStages(breaks=breaks, notes=str(tmp_path)), "ray"
    )
    assert made == never_killed
    assert events[-1]["quarantined"] == 0
    assert "fault" in [event["event"] for event in events]
    assert dataset.list_quarantine(tmp_path / "data") == []


@pytest.mark.usefixtures("ray_of_this_module")
def test_slots_that_kill_are_quarantined_without_innocents(tmp_path: Path, never_killed: dict[int, Any]) -> None:
    breaks = (Break("grasp", 0, 2, "exit"), Break("render", 1, 3, "exit"))
    made, events = make(recipe(execution=POOLS), tmp_path, FakeStages(breaks=breaks), "ray")
    assert {shard: values[2] for shard, values in made.items()} == {0: (2,), 1: (3,)}
    assert [(item["shard"], item["episode"]) for item in dataset.list_quarantine(tmp_path)] == [(0, 2), (1, 3)]
    assert events[-1]["quarantined"] == 2
    # The others are what they would have been: one line per episode, equal but for where it starts.
    local, _ = make(
        recipe(),
        tmp_path / "local",
        FakeStages(breaks=tuple(Break(b.stage, b.shard, b.episode, "raise") for b in breaks)),
    )
    assert made == local


@pytest.mark.usefixtures("ray_of_this_module")
def test_a_call_that_hangs_is_ended_at_its_deadline(tmp_path: Path, never_killed: dict[int, Any]) -> None:
    execution = POOLS | {"layout": {"deadline": 1.5, "batch": 1}}
    stages = FakeStages(breaks=(Break("layout", 0, 1, "hang", times=1),), notes=str(tmp_path))
    made, events = make(recipe(execution=execution), tmp_path / "data", stages, "ray")
    assert made == never_killed
    assert any("within 1.5 s" in event.get("why", "") for event in events) or events[-1]["quarantined"] == 0


@pytest.mark.usefixtures("ray_of_this_module")
def test_an_actor_killed_from_outside_is_replaced_and_nobody_is_blamed(
    tmp_path: Path, never_killed: dict[int, Any]
) -> None:
    stages = FakeStages(notes=str(tmp_path), seconds=0.05, render_seconds=0.1)
    run = prepare(recipe(execution=POOLS), tmp_path / "data", stages)
    events: list[dict[str, Any]] = []
    victims: list[int] = []

    def kill_once(event: dict[str, Any]) -> None:
        events.append(event)
        calls = (tmp_path / "calls.txt").read_text().splitlines() if (tmp_path / "calls.txt").exists() else []
        lifts = [int(line.split()[-1]) for line in calls if line.startswith("lift")]
        if lifts and not victims:
            victims.append(lifts[-1])
            os.kill(lifts[-1], signal.SIGKILL)

    driver = Driver(run, run.progress(kill_once))
    try:
        driver.run()
    finally:
        driver.close()
    assert victims
    assert content(tmp_path / "data") == never_killed
    assert dataset.list_quarantine(tmp_path / "data") == []


@pytest.mark.usefixtures("ray_of_this_module")
def test_a_stage_that_cannot_be_set_up_ends_the_run_with_its_reason(tmp_path: Path) -> None:
    with pytest.raises(SyngraspError, match="no such catalog"):
        make(recipe(execution=POOLS), tmp_path, BadSetup(), "ray")  # type: ignore[arg-type]


class BadSetup:
    """Stages whose setup finds what a user can mend."""

    def __call__(self, name: str) -> BadSetup:
        self.name = name
        return self

    def setup(self) -> None:
        raise SyngraspError("no such catalog")

    def process(self, batch: list[Any]) -> list[Any]:
        return batch

    def close(self) -> None:
        pass


def test_killed_and_interrupted_and_run_again_it_ends_as_if_nothing_had_been(
    tmp_path: Path, never_killed: dict[int, Any]
) -> None:
    slow = {"seconds": 0.01, "render_seconds": 0.3}
    size = ("--shards", "2", "--episodes-per-shard", "5", "--set", "execution.render.actors=1")
    moments = np.random.default_rng(int(time.time()))
    for number in (signal.SIGKILL, signal.SIGINT):
        process = start(tmp_path, slow, *size, executor="ray")
        for line in process.stdout:
            if '"yield": {"' in line:  # the first answers came in
                break
        if number == signal.SIGKILL:
            time.sleep(float(moments.uniform(0.0, 1.0)))
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
        if number == signal.SIGINT:
            assert process.returncode == 130
            assert told.strip() == "stopped; what is committed stays; run the same command again to go on"
    process = start(tmp_path, slow, *size, executor="ray")
    _, told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    assert content(tmp_path) == never_killed
    assert dataset.verify_dataset(tmp_path).ok


# --- how a cluster is divided ---


@pytest.mark.parametrize("kind", ["mjwarp", "none"])
@pytest.mark.parametrize("cpus", [1, 2, 4, 16, 300])
def test_pools_fit_a_cluster_and_grow_with_it(kind: str, cpus: int) -> None:
    sizes = pool_sizes(recipe(render={"kind": kind}), cpus, 0)
    assert set(sizes) == {"layout", "grasp", "plan", "lift", "render"}
    assert sum(size.actors * size.num_cpus for size in sizes.values()) <= cpus
    check_room(sizes, [{"Alive": True, "Resources": {"CPU": float(cpus)}}])
    if kind == "mjwarp":
        assert sizes["render"].actors == cpus


@pytest.mark.parametrize(
    "render",
    [{"device": "cuda"}, {"kind": "mitsuba", "mitsuba": {"variant": "cuda"}}, {"kind": "isaacsim"}],
    ids=lambda render: render.get("kind", "mjwarp"),
)
def test_rendering_on_gpus_has_an_actor_a_gpu(render: dict[str, Any]) -> None:
    sizes = pool_sizes(recipe(render=render), 64, 8)
    assert (sizes["render"].actors, sizes["render"].num_gpus) == (8, 1.0)


def test_what_the_recipe_asks_for_comes_first() -> None:
    pools = {"plan": {"actors": 7, "num_cpus": 0.5}, "render": {"num_gpus": 0.25}}
    sizes = pool_sizes(recipe(execution=pools), 4, 0)
    assert sizes["plan"] == PoolSize(7, 0.5, 0.0)
    assert sizes["render"].num_gpus == 0.25


def test_an_actor_that_fits_nowhere_is_told() -> None:
    sizes = pool_sizes(recipe(execution={"plan": {"num_cpus": 64}}), 4, 0)
    with pytest.raises(SyngraspError, match=r"execution.plan.num_cpus=64, but no node has more than 4 CPU"):
        check_room(sizes, [{"Alive": True, "Resources": {"CPU": 4.0}}])
