"""Arms with grippers, by kind."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from syngrasp.robots.base import Robot
from syngrasp.robots.kinds import KINDS

RobotKind = Literal["panda", "ur5e_2f85"]


class RobotConfig(BaseModel):
    """Which arm, and how its gripper is fitted. An option belongs to some kinds only; others leave it empty."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: RobotKind = Field(default="panda", description="arm and gripper")
    finger_extension: float | None = Field(
        default=None, ge=0.0, le=0.05, description="panda: added to the fingers' length, 0.02 where left out [m]"
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_options(cls, values: Any) -> Any:
        """Writes the kind's own defaults down, so that a recipe says what was used."""
        kind = KINDS.get(str(values.get("kind", "panda"))) if isinstance(values, dict) else None
        if kind is None:
            return values
        return values | {name: value for name, value in kind.options.items() if values.get(name) is None}

    @model_validator(mode="after")
    def _check_options(self) -> Self:
        options = KINDS[self.kind].options
        for name in type(self).model_fields.keys() - {"kind"} - options.keys():
            if getattr(self, name) is not None:
                valid = ", ".join(options) or "none"
                raise ValueError(f"{name} is no option of {self.kind}, leave it out; valid options: {valid}")
        return self

    def options(self) -> dict[str, Any]:
        """The options of its kind."""
        return {name: getattr(self, name) for name in KINDS[self.kind].options}


def robot_kinds() -> list[str]:
    """The kinds there are."""
    return list(KINDS)


def make_robot(config: RobotConfig) -> Robot:
    """The robot of a configuration; made once in a process."""
    return _make(config.kind, tuple(config.options().items()))


@cache
def _make(kind: str, options: tuple[tuple[str, Any], ...]) -> Robot:
    return KINDS[kind].make(dict(options))
