"""What the project wants to reach, and whether it does."""

from __future__ import annotations


def goal(met: bool, text: str) -> None:
    """A line for a goal of the project."""
    print(f"{'PASS' if met else 'MISS'}  {text}", flush=True)
