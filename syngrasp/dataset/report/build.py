"""Makes the page: figures, an index of all episodes and a gallery in one HTML file that needs nothing else."""

from __future__ import annotations

import base64
import gzip
import json
import os
import secrets
import time
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from syngrasp import __version__
from syngrasp.dataset.attribution import ATTRIBUTION
from syngrasp.dataset.reader import Dataset, open
from syngrasp.dataset.report.gallery import gallery
from syngrasp.dataset.statistics.stats import dataset_stats
from syngrasp.errors import SyngraspError

SHOWN_LICENSES = 400  # rows of the table of authors
INDEXED = 200_000  # episodes: more are thinned


def write_report(
    dataset: str,
    out: Path,
    *,
    episodes: int = 48,
    workers: int | None = None,
    verified: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Writes the page of a dataset, with `episodes` of it to play, and what `verify --json` said if it is given.

    Returns path, bytes and seconds. Raises DatasetError where there is no dataset, StorageError where it cannot be
    written.
    """
    started = time.monotonic()
    opened = open(dataset)
    data = {
        "stats": dataset_stats(dataset, workers=workers),
        "about": _about(opened),
        "gallery": gallery(opened, episodes, workers or os.cpu_count() or 1),
        "index": episode_index(opened),
        "attribution": _attribution(opened),
        "verified": _verified(verified),
    }
    page = render_page(data).encode()
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{secrets.token_hex(6)}.{out.name}")
    try:
        temporary.write_bytes(page)
        temporary.replace(out)
    finally:
        temporary.unlink(missing_ok=True)
    return {"path": str(out), "bytes": len(page), "seconds": round(time.monotonic() - started, 3)}


def render_page(data: Mapping[str, Any]) -> str:
    """The page of some data. Nothing in the data can end the element that holds it."""
    here = files("syngrasp.dataset.report")
    text = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for sign in "<>&\u2028\u2029":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    page = (here / "page.html").read_text(encoding="utf-8")
    for mark, name in (
        ("/*STYLE*/", "page.css"),
        ("/*CHARTS*/", "charts.js"),
        ("/*GALLERY*/", "gallery.js"),
        ("/*SCRIPT*/", "page.js"),
    ):
        page = page.replace(mark, (here / name).read_text(encoding="utf-8"))
    return page.replace("/*DATA*/", text)


def read_verified(path: Path) -> dict[str, Any]:
    """What `syngrasp verify --json` printed. Raises SyngraspError where it is something else."""
    try:
        found = json.loads(path.read_text())
        if not isinstance(found, dict) or not {"ok", "problems", "kinds"} <= found.keys():
            raise ValueError("no report of verify")
    except (OSError, ValueError) as error:
        raise SyngraspError(f"--verify {path}: not what syngrasp verify --json prints ({error})") from error
    return found


def episode_index(dataset: Dataset) -> dict[str, Any]:
    """Columns of every episode, packed: int32 and float32, one column behind the other, gzip, base64."""
    if not dataset.num_episodes:
        return {"rows": 0, "columns": [], "categories": [], "uids": [], "packed": "", "of": 0}
    table = dataset.table
    chosen = np.arange(len(table))
    if len(table) > INDEXED:
        chosen = np.linspace(0, len(table) - 1, INDEXED).astype(int)
    shards = np.array(dataset.shards)[table.position]
    columns = {
        "shard": shards, "slot": table.numbers["slot"], "category": table.category, "uid": table.target_uid,
        "length": table.numbers["length"], "objects": table.numbers["objects"], "attempt": table.numbers["attempt"],
        "quality": table.numbers["grasp_quality"], "lift": table.numbers["lift_height"],
    }  # fmt: skip
    kinds = {name: "f4" if name in ("quality", "lift") else "i4" for name in columns}
    data = b"".join(values[chosen].astype("<" + kinds[name]).tobytes() for name, values in columns.items())
    return {
        "rows": len(chosen),
        "of": len(table),
        "columns": [[name, kinds[name]] for name in columns],
        "categories": table.categories,
        "uids": table.uids,
        "packed": base64.b64encode(gzip.compress(data, 6, mtime=0)).decode(),
    }


def _about(dataset: Dataset) -> dict[str, Any]:
    info = dataset.info
    return {
        "name": Path(dataset.storage.url.rstrip("/")).name,
        "url": dataset.storage.url,
        "recipe": info.recipe.get("name", ""),
        "robot": info.recipe.get("robot", {}).get("kind", ""),
        "versions": info.versions,
        "syngrasp": __version__,
        "made": time.strftime("%Y-%m-%d %H:%M"),
        "cameras": list(dataset.cameras),
        "arrays": list(dataset.names),
        "render": info.recipe.get("render", {}).get("kind", ""),
    }


def _attribution(dataset: Dataset) -> dict[str, Any]:
    """Rows of the table of licences and authors."""
    import csv
    import io

    try:
        text = dataset.storage.read(ATTRIBUTION).decode()
    except OSError:
        return {"rows": [], "of": 0}
    rows = list(csv.reader(io.StringIO(text)))[1:]
    return {"rows": rows[:SHOWN_LICENSES], "of": len(rows)}


def _verified(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if found is None:
        return None
    from syngrasp.dataset.quality.problems import KINDS

    kinds = [[kind, count, KINDS.get(kind, "")] for kind, count in found["kinds"].items()]
    problems = [[p.get("shard"), p.get("episode"), p.get("array"), p.get("what")] for p in found["problems"][:200]]
    return {"ok": found["ok"], "count": found.get("problem_count", 0), "kinds": kinds, "problems": problems}
