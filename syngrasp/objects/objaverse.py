"""Objaverse from a cache on disk, in the layout of the `objaverse` package; that package only fills the cache."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from syngrasp.errors import MissingExtra, SyngraspError
from syngrasp.objects.sources import UNKNOWN_LICENSE, Job, describe_found, in_turn, match, words

VERSION = "hf-objaverse-v1"


def objaverse_jobs(
    cache: Path | None, categories: Sequence[str] | None, licenses: Sequence[str] | None, count: int | None
) -> list[Job]:
    """Jobs for the LVIS-annotated objects of a cache, or of the downloader's own cache, which it fills as needed."""
    client: Any = None if cache is not None else _client()
    root = _cache_root(cache) if cache is not None else Path(client._VERSIONED_PATH)
    lvis = _read_json(root / "lvis-annotations.json.gz") if client is None else _download(client.load_lvis_annotations)
    chosen = _by_category(lvis, categories)
    uids = [uid for uid, _ in in_turn(sorted(chosen.items()), lambda item: item[1])]
    if client is not None and licenses is None and count is not None:
        uids = uids[:count]
    if client is not None:
        _download(client.load_annotations, uids)
    paths = _read_json(root / "object-paths.json.gz")
    metadata = _metadata(root, uids, paths)
    uids = _licensed(uids, metadata, licenses)[:count]
    if client is not None:
        _download(client.load_objects, uids)
    jobs = [_job(root, uid, chosen[uid], metadata.get(uid, {}), paths.get(uid, f"glbs/{uid}.glb")) for uid in uids]
    return sorted(jobs, key=lambda job: job.about.uid)


def _cache_root(cache: Path) -> Path:
    for root in (cache / VERSION, cache):
        if (root / "lvis-annotations.json.gz").is_file() and (root / "object-paths.json.gz").is_file():
            return root
    raise SyngraspError(
        f"cache {cache}: no Objaverse cache here; expected {VERSION}/ with lvis-annotations.json.gz, "
        "object-paths.json.gz, metadata/ and glbs/"
    )


def _client() -> Any:
    try:
        import objaverse
    except ImportError:
        raise MissingExtra("downloading Objaverse", "objaverse") from None
    return objaverse


def _download(call: Any, *arguments: Any) -> Any:
    try:
        return call(*arguments)
    except (OSError, ValueError, KeyError) as error:
        raise SyngraspError(f"cannot download Objaverse ({error}); give an existing cache with --cache DIR") from error


def _by_category(lvis: dict[str, list[str]], categories: Sequence[str] | None) -> dict[str, str]:
    """uid → category in words, of the wanted categories."""
    wanted = set(lvis) if categories is None else match("category", categories, lvis, words)
    chosen: dict[str, str] = {}
    for name in sorted(wanted):
        for uid in lvis[name]:
            chosen.setdefault(uid, words(name))
    return chosen


def _metadata(root: Path, uids: Sequence[str], paths: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Metadata of objects, from the files of the folders they lie in."""
    groups = sorted({Path(paths[uid]).parts[1] for uid in uids if uid in paths and len(Path(paths[uid]).parts) > 2})
    wanted, found = set(uids), {}
    for group in groups:
        file = root / "metadata" / f"{group}.json.gz"
        if file.is_file():
            found.update({uid: item for uid, item in _read_json(file).items() if uid in wanted})
    return found


def _licensed(uids: list[str], metadata: dict[str, dict[str, Any]], licenses: Sequence[str] | None) -> list[str]:
    if licenses is None:
        return uids
    of = {uid: str(metadata.get(uid, {}).get("license") or UNKNOWN_LICENSE) for uid in uids}
    wanted = match("licence", licenses, set(of.values()), str.lower)
    return [uid for uid in uids if of[uid] in wanted]


def _job(root: Path, uid: str, category: str, item: dict[str, Any], path: str) -> Job:
    name = " ".join(str(item.get("name") or category).split())[:80]
    user = item.get("user") or {}
    author = str(user.get("displayName") or user.get("username") or "")
    parts = [part for part in (author, str(item.get("viewerUrl") or item.get("uri") or "")) if part]
    license = str(item.get("license") or UNKNOWN_LICENSE)
    about = describe_found(uid, name, category, license, "objaverse", ", ".join(parts))
    return Job(about, path=str(root / path))


def _read_json(file: Path) -> Any:
    try:
        with gzip.open(file, "rt", encoding="utf-8") as stream:
            return json.load(stream)
    except (OSError, EOFError, ValueError) as error:
        raise SyngraspError(f"cache file {file} cannot be read: {error}") from error
