"""A dataset to export, and what runs an export."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from syngrasp import dataset
from syngrasp.dataset.export.job import ExportJob, run_export
from tests.dataset.datasets import make_dataset

OPTIONS: dict[str, dict[str, Any]] = {
    "lerobot": {"video": "h264"},
    "webdataset": {"sample_unit": "frame"},
    "rlds": {},
}


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three shards of three episodes, pictures of 64 × 64. Read only."""
    root = tmp_path_factory.mktemp("export") / "dataset"
    make_dataset(root, shards=3, size=64)
    return root


def export(source: Path, out: Path, form: str, chosen: list[int] | None = None, jobs: int = 1, **options: Any) -> list:
    """Exports and returns the events."""
    events: list[dict[str, Any]] = []
    if chosen is None:
        chosen = list(range(dataset.open(source).num_episodes))
    run_export(form, ExportJob(str(source), out, OPTIONS[form] | options), chosen, jobs, events.append)
    return events


def files_of(out: Path) -> dict[str, bytes]:
    """Every file of an export but the records of its units."""
    return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file() and ".export" not in p.parts}
