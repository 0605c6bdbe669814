"""Building catalogs: from a folder with good and bad files, from the household, from Objaverse's cache."""

from __future__ import annotations

import gzip
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import trimesh

from syngrasp.errors import CatalogError, StorageError, SyngraspError, UnknownName
from syngrasp.objects.build import build_catalog
from syngrasp.objects.catalog import Catalog, object_path
from syngrasp.objects.sources import in_turn, list_jobs, words
from tests.objects.meshes import BAD, plant_bad_files


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("meshes")
    plant_bad_files(root / "planted")
    (root / "coffee_mugs").mkdir()
    trimesh.creation.box((1.0, 2.0, 3.0)).export(root / "coffee_mugs" / "Mug 1.ply")
    trimesh.creation.icosphere(3).export(root / "Glass-Ball_02.stl")
    return root


@pytest.fixture(scope="module")
def built(folder: Path, tmp_path_factory: pytest.TempPathFactory):
    out = tmp_path_factory.mktemp("built") / "catalog"
    events: list[dict] = []
    return out, build_catalog("folder", out, input=folder, workers=2, on_event=events.append), events


def test_good_meshes_are_accepted_and_bad_ones_listed(built) -> None:
    out, summary, events = built
    assert summary.accepted == 2
    assert {item.name: item.reason for item in summary.rejected} == BAD
    entries = {entry.name: entry for entry in Catalog.open(out).entries}
    assert entries["Mug 1"].category == "coffee mugs"
    assert entries["Glass-Ball_02"].category == "glass ball"
    assert all(entry.source == "folder" and entry.grasps > 20 for entry in entries.values())
    listed = json.loads((out / "rejected.json").read_text())
    assert {item["name"]: item["reason"] for item in listed} == BAD
    told = [event for event in events if event["event"] == "asset"]
    assert sorted(event["done"] for event in told) == list(range(1, 10))
    json.dumps(events)


def test_a_second_build_does_nothing(built, folder: Path) -> None:
    out, summary, _ = built
    before = {path: path.stat().st_mtime_ns for path in (out / "objects").iterdir()}
    events: list[dict] = []
    again = build_catalog("folder", out, input=folder, on_event=events.append)
    assert again.reused == summary.accepted + len(summary.rejected)
    assert (again.hash, again.rejected) == (summary.hash, summary.rejected)
    assert not [event for event in events if event["event"] == "asset"]
    assert events[-1]["unchanged"]
    assert {path: path.stat().st_mtime_ns for path in (out / "objects").iterdir()} == before


def test_a_changed_file_and_a_lost_object_are_made_again(built, folder: Path, tmp_path: Path) -> None:
    out, summary, _ = built
    meshes, catalog = tmp_path / "meshes", tmp_path / "catalog"
    shutil.copytree(folder, meshes)
    shutil.copytree(out, catalog)
    trimesh.creation.box((1.0, 2.0, 2.5)).export(meshes / "coffee_mugs" / "Mug 1.ply")
    ball = next(entry.uid for entry in Catalog.open(catalog).entries if entry.name == "Glass-Ball_02")
    object_path(catalog, ball).unlink()
    again = build_catalog("folder", catalog, input=meshes, workers=1)
    assert again.reused == len(BAD)
    assert again.accepted == 2
    assert again.hash != summary.hash


def test_a_mesh_that_takes_too_long_is_listed(folder: Path, tmp_path: Path) -> None:
    options = {"input": folder, "categories": ["coffee mugs"], "workers": 1}
    summary = build_catalog("folder", tmp_path, time_limit=0.001, **options)
    assert [item.reason for item in summary.rejected] == ["time_out"]
    assert build_catalog("folder", tmp_path, time_limit=0.001, **options).reused == 1
    assert build_catalog("folder", tmp_path, **options).accepted == 1


def test_the_catalog_does_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    options = {"categories": ["mug", "die", "apple"], "count": 4, "seed": 5}
    one = build_catalog("builtin", tmp_path / "one", workers=1, **options)
    two = build_catalog("builtin", tmp_path / "two", workers=2, **options)
    assert one.hash == two.hash
    assert [e.uid for e in Catalog.open(tmp_path / "one").entries] == [
        "apple-5-000",
        "die-5-000",
        "mug-5-000",
        "mug-5-001",
    ]


def test_an_interrupted_build_keeps_what_was_made(tmp_path: Path) -> None:
    def stop(event: dict) -> None:
        if event["event"] == "asset":
            raise KeyboardInterrupt

    options = {"categories": ["die", "toy block"], "count": 3}
    with pytest.raises(KeyboardInterrupt):
        build_catalog("builtin", tmp_path, workers=1, on_event=stop, **options)
    with pytest.raises(CatalogError, match="no catalog"):
        Catalog.open(tmp_path)
    assert build_catalog("builtin", tmp_path, workers=1, **options).reused >= 1


def test_wrong_arguments_are_answered_with_the_valid_ones(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="builtin, folder, objaverse"):
        build_catalog("thingi10k", tmp_path)
    with pytest.raises(UnknownName, match=r"unknown category 'mugg'.*did you mean 'mug'"):
        build_catalog("builtin", tmp_path, categories=["mugg"])
    with pytest.raises(UnknownName, match=r"unknown licence 'gpl'.*valid: Apache-2\.0"):
        build_catalog("builtin", tmp_path, licenses=["gpl"])
    with pytest.raises(UnknownName, match="coffee mugs"):
        build_catalog("folder", tmp_path, input=folder, categories=["cow"])
    with pytest.raises(SyngraspError, match="--input"):
        build_catalog("folder", tmp_path)
    with pytest.raises(SyngraspError, match="no such folder"):
        build_catalog("folder", tmp_path, input=tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(SyngraspError, match=r"no mesh files.*\.glb"):
        build_catalog("folder", tmp_path, input=tmp_path / "empty")
    with pytest.raises(SyngraspError, match="no Objaverse cache here"):
        build_catalog("objaverse", tmp_path, cache=tmp_path / "empty")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        build_catalog("builtin", tmp_path / "file", count=1)


def test_few_builtin_objects_are_of_many_families() -> None:
    jobs = list_jobs("builtin", count=30)
    assert len({job.family for job in jobs}) == 30
    assert in_turn("aabbbc", str) == ["a", "b", "c", "a", "b", "b"]
    assert words("Coffee_Mug-01") == "coffee mug"


def test_objaverse_is_read_from_its_cache_with_filters(objaverse_cache: Path) -> None:
    everything = list_jobs("objaverse", cache=objaverse_cache)
    assert len(everything) == 23
    mugs = list_jobs("objaverse", cache=objaverse_cache, categories=["mug", "wine bottle"])
    assert sorted(job.about.category for job in mugs) == ["mug", "mug", "wine bottle"]
    free = list_jobs("objaverse", cache=objaverse_cache, licenses=["apache-2.0"])
    assert 0 < len(free) < 23
    assert {job.about.license for job in free} == {"apache-2.0"}
    assert len(list_jobs("objaverse", cache=objaverse_cache, count=5)) == 5
    with pytest.raises(UnknownName, match=r"valid:.*apache-2\.0"):
        list_jobs("objaverse", cache=objaverse_cache, licenses=["mit"])
    with pytest.raises(UnknownName, match="wine_bottle"):
        list_jobs("objaverse", cache=objaverse_cache, categories=["bottles of wine"])


def test_scanned_objects_are_accepted(objaverse_cache: Path, tmp_path: Path) -> None:
    categories = ["carton", "apple", "toothpaste"]
    summary = build_catalog("objaverse", tmp_path, cache=objaverse_cache, categories=categories, workers=2)
    assert (summary.accepted, summary.rejected) == (3, ())
    catalog = Catalog.open(tmp_path)
    for entry in catalog.entries:
        model = catalog.load(entry.uid)
        assert entry.scale_range[0] <= 1.0 <= entry.scale_range[1]
        assert entry.license in ("apache-2.0", "by-nc-sa")
        assert entry.attribution
        assert len(model.grasps.width) > 100
        assert np.ptp(model.visual.vertices, axis=0).max() <= 0.30
    assert any(catalog.load(entry.uid).visual.texture is not None for entry in catalog.entries)


def test_a_missing_mesh_of_a_cache_is_listed(tmp_path: Path) -> None:
    root = tmp_path / "cache" / "hf-objaverse-v1"
    (root / "metadata").mkdir(parents=True)

    def write(name: str, value: object) -> None:
        with gzip.open(root / name, "wt") as file:
            json.dump(value, file)

    write("lvis-annotations.json.gz", {"mug": ["aa"]})
    write("object-paths.json.gz", {"aa": "glbs/000-000/aa.glb"})
    write("metadata/000-000.json.gz", {"aa": {"name": "a mug", "license": "by", "user": {"username": "potter"}}})
    summary = build_catalog("objaverse", tmp_path / "out", cache=tmp_path / "cache", workers=1)
    assert [item.reason for item in summary.rejected] == ["unreadable"]
    with pytest.raises(CatalogError, match="no objects"):
        Catalog.open(tmp_path / "out")
