"""What became of older datasets' documents: a reader of version n reads all earlier ones, and refuses later ones.

    1   the first
    2   arrays that only a simulation knows may be missing, and lines may lack what it says of its scene: datasets that
        were imported

A document passes through one function per version between its own and ours when it is read; files are never written
again. What is added to an older dataset is of our version, and its shards may be of both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

from syngrasp.dataset.schema import SCHEMA_VERSION
from syngrasp.errors import DatasetError, LaterVersion

Kind = Literal["info", "commit"]
Step = Callable[[dict[str, Any]], dict[str, Any]]


def _from_1(document: dict[str, Any]) -> dict[str, Any]:
    return document


STEPS: dict[int, dict[Kind, Step]] = {1: {"info": _from_1, "commit": _from_1}}
"""From each version to the next, by kind of document; `schema_version` is set by `upgrade`."""


def upgrade(document: Mapping[str, Any], kind: Kind, where: str) -> dict[str, Any]:
    """A document as ours. Raises LaterVersion for one of a later version, DatasetError for one of none."""
    found = dict(document)
    version = found.get("schema_version")
    if not isinstance(version, int) or version < 1:
        raise DatasetError(where, f"its schema version is {version!r}, which is none")
    if version > SCHEMA_VERSION:
        raise LaterVersion(where, version, SCHEMA_VERSION)
    for step in range(version, SCHEMA_VERSION):
        found = STEPS[step][kind](found)
    return found | {"schema_version": SCHEMA_VERSION}
