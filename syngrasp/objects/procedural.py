"""The builtin household: any number of distinct, watertight, textured objects in metric sizes from a seed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from syngrasp.errors import UnknownName
from syngrasp.objects.part import Part
from syngrasp.objects.raw import Description, RawObject
from syngrasp.objects.surface import visual_of
from syngrasp.records import U8
from syngrasp.resources import resource
from syngrasp.seeding import named_rng

LICENSE = "Apache-2.0"


@lru_cache(maxsize=1)
def _data() -> dict[str, Any]:
    import yaml

    with resource("assets/objects/families.yaml").open(encoding="utf-8") as file:
        return yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def families() -> tuple[str, ...]:
    """Names of all families, in the data's order."""
    return tuple(_data()["families"])


def category_of(family: str) -> str:
    """A family's category in words, as an instruction says it."""
    return str(_data()["families"][family]["category"])


def select(names: Sequence[str] | None) -> tuple[str, ...]:
    """Families by their name or category; all without names. UnknownName lists the valid ones."""
    if names is None:
        return families()
    by_name = {category_of(family): family for family in families()} | {family: family for family in families()}
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise UnknownName("category", unknown[0], families())
    wanted = {by_name[name] for name in names}
    return tuple(family for family in families() if family in wanted)


def describe(family: str, seed: int, index: int) -> Description:
    """What is said of instance `index` of a family."""
    spec = _spec(family)
    uid = f"{family}-{seed}-{index:03d}"
    return Description(
        uid=uid,
        name=f"{spec['category']} {index}",
        category=spec["category"],
        license=LICENSE,
        source="builtin",
        attribution="syngrasp procedural household",
        density=float(spec["density"]),
        upright_only=bool(spec.get("upright", False)),
    )


def make_object(family: str, seed: int, index: int) -> RawObject:
    """Instance `index` of a family: shape, colours and prints from the stream named (seed, family, index)."""
    part, pictures, roughness = make_instance(family, seed, index)
    visual = visual_of(part, pictures, roughness, float(_spec(family).get("metallic", 0.0)))
    return RawObject(
        name=describe(family, seed, index).name,
        visual=visual,
        watertight=True,
        metric=True,
        upright=True,
        hulls=part.hulls,
    )


def make_instance(family: str, seed: int, index: int) -> tuple[Part, list[U8], float]:
    """The part, the pictures it refers to, and the roughness of an instance."""
    from syngrasp.objects.families import bottles, boxes, containers, food, kitchen, things, tools, vessels
    from syngrasp.objects.families.draw import Draw

    modules = (vessels, bottles, containers, boxes, food, kitchen, tools, things)
    builders = {name: build for module in modules for name, build in module.FAMILIES.items()}
    spec = _spec(family)
    rng = named_rng(seed, "object", family, index)
    roughness = float(np.round(rng.uniform(*spec["roughness"]), 3))
    draw = Draw(rng, spec["sizes"], _data()["colors"])
    return builders[family](draw), draw.pictures, roughness


def _spec(family: str) -> dict[str, Any]:
    if family not in _data()["families"]:
        raise UnknownName("family", family, families())
    return _data()["families"][family]
