"""The one abstraction: a stage turns inputs into outputs or into reasons why not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

In = TypeVar("In", contravariant=True)
Out = TypeVar("Out")


@dataclass(frozen=True, slots=True)
class Rejected:
    """An expected failure: counted under (stage, reason); `detail` is for a person to read."""

    stage: str
    reason: str
    detail: str = ""


class Stage(Protocol[In, Out]):
    """A step of the pipeline. It keeps no state between inputs that could change an answer."""

    name: str

    def setup(self) -> None:
        """Imports and loads what `process` needs: once, in the process that will run it."""
        ...

    def process(self, batch: Sequence[In]) -> list[Out | Rejected]:
        """One answer per input, in order. Raises only on a fault of the program or the machine."""
        ...

    def close(self) -> None:
        """Gives back what `setup` took."""
        ...
