"""Data files that come with syngrasp: `assets/` and `pipelines/`.

In the wheel they lie inside the package; in a checkout beside it.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from syngrasp.errors import SyngraspError

_PACKAGE = Path(__file__).resolve().parent


class ResourceMissing(SyngraspError):
    """A data file that should have come with syngrasp."""

    def __init__(self, name: str) -> None:
        super().__init__(f"data {name!r} not found in {_PACKAGE} or {_PACKAGE.parent}; reinstall syngrasp")


def resource(name: str) -> Path:
    """The path of a data file or folder by its name relative to the repository, such as "assets/robots/x.yaml".

    A new file is placed where its folder is.
    """
    for root in (_PACKAGE, _PACKAGE.parent):
        if (root / name).exists():
            return root / name
    for root in (_PACKAGE, _PACKAGE.parent):
        if (root / name).parent.is_dir():
            return root / name
    raise ResourceMissing(name)


def cache_folder() -> Path:
    """Where what can be made again is kept: $SYNGRASP_CACHE, else the user's cache folder (XDG). It may not exist."""
    own = os.environ.get("SYNGRASP_CACHE")
    if own:
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "syngrasp"


def keep_kernels_apart() -> None:
    """Gives compiled numba kernels a cache folder of their own for each state of the sources.

    numba looks only at a kernel's own file: after a change in a kernel that it calls, the old one would run on.
    """
    digest = hashlib.sha256()
    for room in ("geometry", "planning", "rendering", "robots"):
        for path in sorted((_PACKAGE / room).glob("*.py")):
            digest.update(f"{path.name} {path.stat().st_mtime_ns} {path.stat().st_size}".encode())
    os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_folder() / "kernels" / digest.hexdigest()[:16]))
