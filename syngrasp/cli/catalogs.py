"""Which catalog a command uses: the given one, or the built-in household, made once on a machine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from syngrasp import __version__
from syngrasp.errors import CatalogError
from syngrasp.resources import cache_folder, resource

if TYPE_CHECKING:
    from syngrasp.generate.progress import OnEvent

BUILTIN_COUNT = 96
BUILTIN_SEED = 0


def catalog_or_builtin(catalog: Path | None, on_event: OnEvent) -> Path:
    """The given catalog, or the built-in one, which is made if this machine has none yet."""
    if catalog is not None:
        return catalog
    from syngrasp.objects.catalog import Catalog

    path = cache_folder() / "catalogs" / f"builtin-{_content_key()}"
    try:
        Catalog.open(path)
    except CatalogError:
        from syngrasp.objects.build import build_catalog

        on_event({"event": "catalog", "path": str(path), "objects": BUILTIN_COUNT, "source": "builtin"})
        build_catalog(source="builtin", out=path, count=BUILTIN_COUNT, seed=BUILTIN_SEED, on_event=on_event)
    return path


def _content_key() -> str:
    """Digest of what the built-in catalog is made from: the families, and the code that prepares objects."""
    return content_key(f"{BUILTIN_COUNT} {BUILTIN_SEED}", [p for p in resource("assets").rglob("*") if p.is_file()])


def content_key(options: str, sources: Iterable[Path]) -> str:
    """Digest of what a catalog is made from: options of the build, source files, and the code that prepares objects."""
    package = Path(__file__).resolve().parents[1]
    files = [*sources, *(package / "objects").rglob("*.py"), *(package / "geometry").rglob("*.py")]
    digest = hashlib.sha256(f"{__version__} {options}".encode())
    for path in sorted(files):
        digest.update(path.name.encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()[:12]
