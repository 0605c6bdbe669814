"""Catalogs: written and read the same, opened with clear errors, hashed by content."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from syngrasp.errors import CatalogError, StorageError
from syngrasp.objects import procedural
from syngrasp.objects.catalog import Catalog, object_path, read_stored, write_catalog, write_object
from syngrasp.objects.prepare import PrepareOptions, prepare
from syngrasp.records import ObjectModel


@pytest.fixture(scope="module")
def models() -> list[ObjectModel]:
    options = PrepareOptions(grasps=64)
    return [
        prepare(procedural.make_object(f, 0, 0), procedural.describe(f, 0, 0), "x", options)
        for f in ("can", "ball", "mug")
    ]


def arrays_of(value: object) -> dict[str, object]:
    fields = {}
    for name in value.__dataclass_fields__:  # type: ignore[attr-defined]
        item = getattr(value, name)
        if hasattr(item, "__dataclass_fields__"):
            fields |= {f"{name}.{key}": inner for key, inner in arrays_of(item).items()}
        else:
            fields[name] = item
    return fields


def test_what_is_read_is_what_was_written(models: list[ObjectModel], tmp_path: Path) -> None:
    write_catalog(tmp_path, [write_object(tmp_path, model) for model in models])
    catalog = Catalog.open(tmp_path)
    assert [e.uid for e in catalog.entries] == sorted(m.entry.uid for m in models)
    for model in models:
        read = catalog.load(model.entry.uid)
        assert read.entry == model.entry
        for name, value in arrays_of(model).items():
            other = arrays_of(read)[name]
            if isinstance(value, np.ndarray):
                assert value.dtype == other.dtype, name
                assert np.array_equal(value, other), name
            elif isinstance(value, tuple) and name == "hulls":
                assert all(np.array_equal(a, b) for a, b in zip(value, other, strict=True))
            else:
                assert value == other, name


def test_loading_keeps_few_objects(models: list[ObjectModel], tmp_path: Path) -> None:
    write_catalog(tmp_path, [write_object(tmp_path, model) for model in models])
    catalog = Catalog.open(tmp_path, cached=2)
    first = catalog.load(models[0].entry.uid)
    assert catalog.load(models[0].entry.uid) is first
    for model in models[1:]:
        catalog.load(model.entry.uid)
    assert catalog.load(models[0].entry.uid) is not first


def test_the_hash_is_of_the_content_not_of_the_order(models: list[ObjectModel], tmp_path: Path) -> None:
    stored = [write_object(tmp_path, model) for model in models]
    first, second = write_catalog(tmp_path, stored), write_catalog(tmp_path, stored[::-1])
    assert first == second == Catalog.open(tmp_path).hash
    moved = replace(models[0], volume=models[0].volume * 1.001)
    assert write_catalog(tmp_path, [write_object(tmp_path, moved), *stored[1:]]) != first
    relicensed = replace(models[0], entry=replace(models[0].entry, license="by"))
    assert write_catalog(tmp_path, [write_object(tmp_path, relicensed), *stored[1:]]) != first


def test_a_catalog_that_cannot_be_used_says_why(models: list[ObjectModel], tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match="syngrasp assets build"):
        Catalog.open(tmp_path / "missing")
    write_catalog(tmp_path / "empty", [])
    with pytest.raises(CatalogError, match="no objects"):
        Catalog.open(tmp_path / "empty")
    stored = write_object(tmp_path / "old", models[0])
    write_catalog(tmp_path / "old", [stored])
    listing = tmp_path / "old" / "catalog.json"
    listing.write_text(json.dumps({**json.loads(listing.read_text()), "schema_version": 99}))
    with pytest.raises(CatalogError, match="version 99"):
        Catalog.open(tmp_path / "old")
    listing.write_text("{")
    with pytest.raises(CatalogError, match="not JSON"):
        Catalog.open(tmp_path / "old")


def test_a_lost_or_damaged_object_is_told(models: list[ObjectModel], tmp_path: Path) -> None:
    write_catalog(tmp_path, [write_object(tmp_path, model) for model in models])
    lost, damaged = object_path(tmp_path, models[0].entry.uid), object_path(tmp_path, models[1].entry.uid)
    lost.unlink()
    damaged.write_bytes(damaged.read_bytes()[: damaged.stat().st_size // 2])
    catalog = Catalog.open(tmp_path)
    with pytest.raises(CatalogError, match="missing"):
        catalog.load(models[0].entry.uid)
    with pytest.raises(CatalogError, match="damaged"):
        catalog.load(models[1].entry.uid)
    assert read_stored(damaged) is None
    with pytest.raises(CatalogError, match="has no object 'cow'"):
        catalog.load("cow")


def test_an_unwritable_place_is_told(models: list[ObjectModel], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        write_object(tmp_path / "file", models[0])


def test_entries_are_plain_json(models: list[ObjectModel]) -> None:
    for model in models:
        assert json.loads(json.dumps(asdict(model.entry)))["uid"] == model.entry.uid
