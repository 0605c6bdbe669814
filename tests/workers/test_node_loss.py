"""A node of a cluster is lost while it works."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from syngrasp import dataset
from tests.fake_run import content, make, prepare, recipe
from tests.fake_stages import FakeStages

ray = pytest.importorskip("ray", reason="Ray is not installed")

from workers.driver import Driver  # noqa: E402

STORE = 100 << 20


def test_a_lost_node_costs_time_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ray.cluster_utils import Cluster

    repository = Path(__file__).resolve().parents[2]
    monkeypatch.setenv("PYTHONPATH", str(repository))
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    expected, _ = make(recipe(), tmp_path / "whole", FakeStages())
    config = {"health_check_period_ms": 500, "health_check_failure_threshold": 2}
    head = {"num_cpus": 1, "object_store_memory": STORE, "include_dashboard": False, "_system_config": config}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        node = cluster.add_node(num_cpus=2, object_store_memory=STORE, resources={"second": 1})
        ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
        events = _run_and_lose(cluster, node, tmp_path)
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert any(event["event"] == "infrastructure" for event in events)
    assert content(tmp_path / "data") == expected
    assert dataset.list_quarantine(tmp_path / "data") == []


def _run_and_lose(cluster: Any, node: Any, tmp_path: Path) -> list[dict[str, Any]]:
    execution = {"render": {"actors": 2}, "lift": {"actors": 2}}
    stages = FakeStages(seconds=0.02, render_seconds=0.3)
    run = prepare(recipe(execution=execution), tmp_path / "data", stages)
    events: list[dict[str, Any]] = []
    lost: list[float] = []

    def lose(event: dict[str, Any]) -> None:
        events.append(event)
        if event.get("episodes", 0) >= 2 and not lost:
            lost.append(time.monotonic())
            cluster.remove_node(node, allow_graceful=False)

    driver = Driver(run, run.progress(lose))
    try:
        driver.run()
    finally:
        driver.close()
    assert lost
    return events
