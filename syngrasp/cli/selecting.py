"""Options that select episodes by a split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from syngrasp.dataset import Split

SplitOption = Annotated[
    Literal["train", "validation"] | None,
    typer.Option(help="One side of a split in which nothing of validation is ever seen in training."),
]
SplitByOption = Annotated[Literal["object", "category"], typer.Option(help="What the split holds out.")]
SplitFractionOption = Annotated[float, typer.Option(help="Share of objects or categories that it holds out.")]


def split_of(
    part: Literal["train", "validation"] | None, by: Literal["object", "category"], fraction: float
) -> Split | None:
    """The split that was asked for, if any. Raises SyngraspError for a fraction that is none."""
    if part is None:
        return None
    from syngrasp.dataset import Split

    return Split(part, by, fraction)
