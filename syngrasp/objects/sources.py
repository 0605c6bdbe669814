"""Where objects come from: the builtin household, a folder of meshes, Objaverse. Each source lists jobs; a job is a
plain description that a worker process turns into a raw object."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, TypeVar

from syngrasp.errors import SyngraspError, UnknownName
from syngrasp.objects import procedural
from syngrasp.objects.raw import Description, RawObject
from syngrasp.resources import resource

SOURCES = ("builtin", "folder", "objaverse")
SUFFIXES = (".glb", ".gltf", ".obj", ".stl", ".ply")
SIDE_SUFFIXES = (".bin", ".mtl", ".png", ".jpg", ".jpeg", ".webp", ".tga", ".bmp")
UNKNOWN_LICENSE = "unknown"
PER_FAMILY = 2  # builtin objects of each family when no count is given
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Job:
    """An object to be made: from a family of the household or from a mesh file."""

    about: Description
    path: str = ""  # of the mesh file; empty: a family's instance
    family: str = ""
    seed: int = 0
    index: int = 0

    def load(self) -> RawObject:
        """The raw object; MeshError where the file holds none."""
        if self.path:
            from syngrasp.objects.mesh import read_object

            return read_object(Path(self.path), self.about.name)
        return procedural.make_object(self.family, self.seed, self.index)

    def raw_digest(self) -> str:
        """Of what the object is made from: the file's bytes (with those it may refer to), or the family's data."""
        if not self.path:
            return hashlib.sha256(f"{self.family} {self.seed} {self.index}".encode()).hexdigest()
        path, digest = Path(self.path), hashlib.sha256()
        files = [path]
        if path.suffix.lower() in (".gltf", ".obj"):
            files += sorted(f for f in path.parent.iterdir() if f.suffix.lower() in SIDE_SUFFIXES and f.is_file())
        for file in files:
            digest.update(file.name.encode())
            try:
                with file.open("rb") as stream:
                    digest.update(hashlib.file_digest(stream, "sha256").digest())
            except OSError:
                digest.update(b"unreadable")
        return digest.hexdigest()


def list_jobs(
    source: str,
    input: Path | None = None,
    cache: Path | None = None,
    categories: Sequence[str] | None = None,
    licenses: Sequence[str] | None = None,
    count: int | None = None,
    seed: int = 0,
) -> list[Job]:
    """The jobs of a source after its filters, sorted by uid. Errors name the wrong value and the valid ones."""
    if source not in SOURCES:
        raise UnknownName("source", source, SOURCES)
    if count is not None and count < 1:
        raise SyngraspError(f"count {count} is not positive")
    if source == "builtin":
        return _builtin(categories, licenses, count, seed)
    if source == "folder":
        if input is None:
            raise SyngraspError("source 'folder' needs an input folder: --input DIR")
        jobs = _folder(input)
        return _chosen(_licensed(_categorised(jobs, categories), licenses), count)
    from syngrasp.objects.objaverse import objaverse_jobs

    return objaverse_jobs(cache, categories, licenses, count)


def _builtin(
    categories: Sequence[str] | None, licenses: Sequence[str] | None, count: int | None, seed: int
) -> list[Job]:
    families = procedural.select(categories)
    total = PER_FAMILY * len(families) if count is None else count
    jobs = []
    for k in range(total):
        index, position = divmod(k, len(families))
        family = families[position]
        jobs.append(Job(procedural.describe(family, seed, index), family=family, seed=seed, index=index))
    return _chosen(_licensed(jobs, licenses), None)


def _folder(folder: Path) -> list[Job]:
    if not folder.is_dir():
        raise SyngraspError(f"input {folder}: there is no such folder")
    files = sorted(f for f in folder.rglob("*") if f.suffix.lower() in SUFFIXES and f.is_file())
    files = [f for f in files if not any(part.startswith(".") for part in f.relative_to(folder).parts)]
    if not files:
        raise SyngraspError(f"input {folder}: no mesh files in it; read are {', '.join(SUFFIXES)}")
    return [_file_job(folder, file) for file in files]


def _file_job(folder: Path, file: Path) -> Job:
    relative = file.relative_to(folder).as_posix()
    tag = hashlib.sha256(relative.encode()).hexdigest()[:8]
    category = words(file.parent.name if file.parent != folder else file.stem)
    slug = re.sub(r"[^A-Za-z0-9_-]+", "_", file.stem)[:48] or "mesh"
    return Job(describe_found(f"{slug}-{tag}", file.stem, category, UNKNOWN_LICENSE, "folder", ""), path=str(file))


def describe_found(uid: str, name: str, category: str, license: str, source: str, attribution: str) -> Description:
    """The description of a found mesh: density and resting from its category."""
    known = _categories()
    density = float(known["density"].get(category, known["default_density"]))
    return Description(uid, name, category, license, source, attribution, density, category in known["upright"])


def words(name: str) -> str:
    """A category in words: "Coffee_Mug-01" → "coffee mug"."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    text = re.sub(r"\(.*?\)", " ", text)
    text = re.sub(r"[^A-Za-z]+", " ", text).strip().lower()
    return text or "object"


def _categorised(jobs: list[Job], categories: Sequence[str] | None) -> list[Job]:
    if categories is None:
        return jobs
    wanted = match("category", categories, {job.about.category for job in jobs}, words)
    return [job for job in jobs if job.about.category in wanted]


def _licensed(jobs: list[Job], licenses: Sequence[str] | None) -> list[Job]:
    if licenses is None:
        return jobs
    wanted = match("licence", licenses, {job.about.license for job in jobs}, str.lower)
    return [job for job in jobs if job.about.license in wanted]


def match(kind: str, names: Sequence[str], valid: Iterable[str], normal: Callable[[str], str]) -> set[str]:
    """The valid names that are meant; UnknownName for the first that is none of them."""
    by_normal = {normal(name): name for name in valid}
    for name in names:
        if normal(name) not in by_normal:
            raise UnknownName(kind, name, by_normal.values())
    return {by_normal[normal(name)] for name in names}


def _chosen(jobs: list[Job], count: int | None) -> list[Job]:
    """At most `count` jobs, taken in turn from the categories so that few objects are still varied; sorted by uid."""
    if count is not None and count < len(jobs):
        jobs = in_turn(sorted(jobs, key=lambda job: job.about.uid), lambda job: job.about.category)[:count]
    return sorted(jobs, key=lambda job: job.about.uid)


def in_turn(items: Iterable[T], group: Callable[[T], str]) -> list[T]:
    """Items reordered: the first of each group, then the second of each, …; groups by name."""
    groups: dict[str, list[T]] = {}
    for item in items:
        groups.setdefault(group(item), []).append(item)
    rounds = zip_longest(*(groups[name] for name in sorted(groups)))
    return [item for item in chain.from_iterable(rounds) if item is not None]


@lru_cache(maxsize=1)
def _categories() -> dict[str, Any]:
    import yaml

    return yaml.safe_load(resource("assets/objects/categories.yaml").read_text(encoding="utf-8"))
