"""The recipe: everything that decides what a dataset holds, and how it is made."""

# pyright: reportCallIssue=false
# (pyright takes a default given to `Field` by position for a missing one)

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from syngrasp.errors import RecipeError, UnknownName
from syngrasp.resources import resource
from syngrasp.robots import RobotConfig
from syngrasp.robots.kinds import KINDS
from syngrasp.stages.grasp import GraspConfig
from syngrasp.stages.layout import LayoutConfig
from syngrasp.stages.lift import LiftConfig
from syngrasp.stages.plan import PlanConfig
from syngrasp.stages.render import RenderConfig

DEFAULT_RECIPE = "tabletop"
# Sections and values of a recipe that change how a dataset is made but not what a shard holds.
NOT_CONTENT = ("name", "shards", "execution")


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PoolConfig(_Section):
    """The actors that run one stage on Ray."""

    actors: int | None = Field(None, ge=1, le=100_000, description="number of actors; none: from the cluster's size")
    num_cpus: float | None = Field(None, ge=0.0, le=1024.0, description="cores of an actor; none: from the pool's load")
    num_gpus: float | None = Field(None, ge=0.0, le=64.0, description="GPUs of an actor; none: one where there are any")
    deadline: float = Field(300.0, gt=0.0, le=86_400.0, description="longest time for an input [s], then it is killed")


class BatchPoolConfig(PoolConfig):
    """The actors of a stage that takes batches."""

    batch: int = Field(4, ge=1, le=4096, description="inputs in a call")
    in_flight: int = Field(2, ge=1, le=64, description="calls given to an actor at a time")


class RenderPoolConfig(PoolConfig):
    """The actors that render and write, one episode at a time."""

    deadline: float = Field(3600.0, gt=0.0, le=86_400.0, description="longest time for an episode [s]")
    recycle: int = Field(500, ge=1, description="an actor is replaced at the end of a shard after so many episodes")


class ExecutionConfig(_Section):
    """How the work is spread. Nothing here changes what a dataset holds."""

    layout: BatchPoolConfig = BatchPoolConfig()
    grasp: BatchPoolConfig = BatchPoolConfig()
    plan: BatchPoolConfig = BatchPoolConfig()
    lift: BatchPoolConfig = BatchPoolConfig()
    render: RenderPoolConfig = RenderPoolConfig()
    setup_deadline: float = Field(900.0, gt=0.0, le=86_400.0, description="longest time for an actor to start [s]")
    queue: int = Field(64, ge=1, le=1_000_000, description="inputs that may wait before a stage")
    shards_ahead: int = Field(1, ge=0, le=10_000, description="shards planned ahead of those being rendered")
    poison_faults: int = Field(3, ge=1, le=100, description="faults of a slot on its own before it is quarantined")
    infrastructure_faults: int = Field(100, ge=0, description="lost nodes, objects and calls before the run gives up")
    object_store_mb: int = Field(200, ge=80, le=1_000_000, description="object store of a local Ray [MB]")


class DatasetConfig(_Section):
    """How episodes are stored."""

    max_objects: int = Field(8, ge=1, le=252, description="places for objects in the arrays (N)")


class Recipe(_Section):
    """A whole run. Every section but `execution` decides what the dataset holds."""

    name: str = Field("tabletop", min_length=1, max_length=100, description="for people")
    robot: RobotConfig = RobotConfig()
    seed: int = Field(0, ge=0, lt=2**63, description="of every random draw")
    shards: int = Field(4, ge=1, le=10_000_000, description="shards in the dataset")
    episodes_per_shard: int = Field(16, ge=1, le=100_000, description="slots in a shard")
    max_attempts: int = Field(50, ge=1, le=10_000, description="scenes tried before a slot stays empty")
    layout: LayoutConfig = LayoutConfig()
    grasp: GraspConfig = GraspConfig()
    plan: PlanConfig = PlanConfig()
    lift: LiftConfig = LiftConfig()
    render: RenderConfig = RenderConfig()
    dataset: DatasetConfig = DatasetConfig()
    execution: ExecutionConfig = ExecutionConfig()

    @model_validator(mode="before")
    @classmethod
    def _suit_the_robot(cls, values: Any) -> Any:
        """What is left out takes the robot's own values, where it has any."""
        robot = values.get("robot") if isinstance(values, dict) else None
        kind = KINDS.get(str(robot.get("kind"))) if isinstance(robot, dict) else None
        return values if kind is None else _beneath(values, kind.recipe, 2)  # sections and their values

    @model_validator(mode="after")
    def _check_places(self) -> Self:
        most = self.layout.objects[1]
        if most > self.dataset.max_objects:
            raise ValueError(f"dataset.max_objects={self.dataset.max_objects} has no place for layout.objects' {most}")
        return self

    @model_validator(mode="after")
    def _check_sections_agree(self) -> Self:
        plan, lift = self.plan, self.lift
        if lift.hold_time > plan.hold_time:
            raise ValueError(
                f"lift.hold_time={lift.hold_time} is longer than what plan.hold_time={plan.hold_time} holds"
            )
        if lift.lift_height >= plan.lift_height:
            raise ValueError(f"lift.lift_height={lift.lift_height} is no less than plan.lift_height={plan.lift_height}")
        if self.layout.episodes_per_scene > self.episodes_per_shard:
            shared, slots = self.layout.episodes_per_scene, self.episodes_per_shard
            raise ValueError(
                f"layout.episodes_per_scene={shared} is more than episodes_per_shard={slots}: scenes stay in a shard"
            )
        return self

    def content(self) -> dict[str, Any]:
        """The part that decides what a shard holds, as JSON values."""
        values = self.model_dump(mode="json")
        return {key: value for key, value in values.items() if key not in NOT_CONTENT}


def recipe_names() -> list[str]:
    """Names of the recipes that come with the project."""
    return sorted(path.stem for path in resource("pipelines").glob("*.yaml"))


def load_recipe(recipe: str | Path = DEFAULT_RECIPE, overrides: Sequence[str] = ()) -> Recipe:
    """Reads a recipe by file or by name, and applies overrides "a.b=c" whose values are YAML.

    Cameras add to the robot's own or change them; one that is null is left out.

    Raises:
        UnknownName: no such recipe, or no such key in it.
        RecipeError: a file that cannot be read or a value out of bounds.
    """
    values = _read(_recipe_path(recipe))
    for override in overrides:
        apply_override(values, override)
    return parse_recipe(_with_cameras(values))


def parse_recipe(values: Mapping[str, Any]) -> Recipe:
    """A recipe from plain values, whose cameras are all that are named; errors name the key, the value and what is
    valid."""
    try:
        return Recipe.model_validate(dict(values))
    except ValidationError as error:
        raise _explain(error) from None


def recipe_hash(recipe: Recipe) -> str:
    """Digest of everything that decides what a shard holds: neither how many there are nor who makes them."""
    text = json.dumps(recipe.content(), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """What differs between the `content()` of two recipes, as "a.b: old → new"."""
    before, after = _flatten(old), _flatten(new)
    return [
        f"{key}: {_show(before.get(key, _ABSENT))} → {_show(after.get(key, _ABSENT))}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key, _ABSENT) != after.get(key, _ABSENT)
    ]


# --- reading -----------------------------------------------------------------------------------


def _recipe_path(recipe: str | Path) -> Path:
    path = Path(recipe)
    if path.suffix in (".yaml", ".yml") or path.parent != Path():
        if not path.is_file():
            raise RecipeError(f"no recipe file {path}; recipes by name: {', '.join(recipe_names())}")
        return path
    if str(recipe) not in recipe_names():
        raise UnknownName("recipe", str(recipe), recipe_names())
    return resource("pipelines") / f"{recipe}.yaml"


def _read(path: Path) -> dict[str, Any]:
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"recipe {path}: cannot be read ({error})") from None
    except yaml.YAMLError as error:
        raise RecipeError(f"recipe {path}: not YAML ({' '.join(str(error).split())})") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise RecipeError(f"recipe {path}: must hold sections such as 'layout:', not a {type(values).__name__}")
    return values


def apply_override(values: dict[str, Any], override: str) -> None:
    """Puts "a.b=c" into a recipe's values. Raises RecipeError where it cannot be read."""
    key, equals, text = override.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"override {override!r} must read key=value, for example layout.count=[1,8]")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise RecipeError(f"override {override!r}: not YAML ({' '.join(str(error).split())})") from None
    *sections, last = key.strip().split(".")
    for section in sections:
        inner = values.setdefault(section, {})
        if inner is None:
            inner = values[section] = {}
        if not isinstance(inner, dict):
            raise RecipeError(f"override {override!r}: {section!r} is a value, not a section")
        values = inner
    values[last] = value


def _with_cameras(values: dict[str, Any]) -> dict[str, Any]:
    """Recipe values whose cameras stand on the robot's own."""
    robot = values.get("robot", {})
    kind = KINDS.get(str(robot.get("kind", "panda"))) if isinstance(robot, dict) else None
    own = RenderConfig().model_dump()["cameras"]
    if kind is not None:
        own = _beneath(kind.recipe.get("render", {}).get("cameras", {}), own, 2)
    return upon_cameras(values, own)


def upon_cameras(values: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Recipe values whose cameras add to these or change them; those that are null are left out."""
    out = _beneath(values, {"render": {"cameras": own}}, 4)
    render = out["render"]
    if isinstance(render, dict) and isinstance(render["cameras"], dict):
        left_out = {name for name in own if render["cameras"][name] is None}
        render["cameras"] = {name: c for name, c in render["cameras"].items() if name not in left_out}
    return out


def _beneath(values: Any, defaults: Any, levels: int) -> Any:
    """Values with defaults for those that are left out, in mappings down to so many levels."""
    if not levels or not isinstance(values, Mapping) or not isinstance(defaults, Mapping):
        return values
    given = {key: _beneath(value, defaults.get(key), levels - 1) for key, value in values.items()}
    return {**defaults, **given}


# --- explaining --------------------------------------------------------------------------------


def _explain(error: ValidationError) -> RecipeError | UnknownName:
    """The first thing that is wrong, in one line. An unknown key comes first: it is likelier the cause of others."""
    details = error.errors(include_url=False)
    unknown = [item for item in details if item["type"] == "extra_forbidden"]
    if unknown:
        loc = [str(part) for part in unknown[0]["loc"]]
        return UnknownName("recipe key", ".".join(loc), _valid_keys(loc))
    first = details[0]
    key = ".".join(str(part) for part in first["loc"]) or "recipe"
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    return RecipeError(f"recipe value {key}={_show(first['input'])}: {_rule(first)}{more}")


def _rule(detail: ErrorDetails) -> str:
    field = _field(detail["loc"])
    bounds = _bounds(field) if field is not None else ""
    message = detail["msg"][0].lower() + detail["msg"][1:]
    message = message.removeprefix("input ").removeprefix("value error, ")
    return f"{message}{f'; valid: {bounds}' if bounds else ''}"


def _bounds(field: FieldInfo) -> str:
    signs = {"ge": "≥", "gt": ">", "le": "≤", "lt": "<"}
    rules = [f"{sign} {getattr(rule, name)}" for rule in field.metadata for name, sign in signs.items()
             if getattr(rule, name, None) is not None]  # fmt: skip
    return " and ".join(rules)


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The sections an annotation allows: one, or those of a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]


def _field(loc: Sequence[int | str]) -> FieldInfo | None:
    """The innermost field on the way to a location. Parts that name no field (a union's tag, an index) are passed."""
    models: list[type[BaseModel]] = [Recipe]
    field = None
    for part in loc:
        found = next((model.model_fields[part] for model in models if part in model.model_fields), None)
        if found is not None:
            field, models = found, _models(found.annotation)
    return field


def _valid_keys(loc: Sequence[str]) -> list[str]:
    """The keys of the section that an unknown key was found in, each with its section."""
    field = _field(loc[:-1])
    models = [Recipe] if field is None else _models(field.annotation)
    return [".".join([*loc[:-1], name]) for model in models for name in model.model_fields]


_ABSENT = object()


def _flatten(values: Any, prefix: str = "") -> dict[str, Any]:
    if not isinstance(values, Mapping) or not values:
        return {prefix: values}
    out: dict[str, Any] = {}
    for key, value in values.items():
        out.update(_flatten(value, f"{prefix}.{key}" if prefix else str(key)))
    return out


def _show(value: Any) -> str:
    if value is _ABSENT:
        return "absent"
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."
