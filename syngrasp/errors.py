"""Errors that a user can act on: each names the bad value and the valid ones, in one line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from os import PathLike


class SyngraspError(Exception):
    """Anything the user can mend. The command line prints it as one line and exits with 2."""

    exit_code = 2


class UnknownName(SyngraspError):
    """A name that is none of the valid ones."""

    def __init__(self, kind: str, name: str, valid: Iterable[str]) -> None:
        valid = sorted(valid)
        close = difflib.get_close_matches(name, valid, n=1)
        hint = f" (did you mean {close[0]!r}?)" if close else ""
        super().__init__(f"unknown {kind} {name!r}{hint}; valid: {', '.join(valid) or 'none'}")


class RecipeError(SyngraspError):
    """A recipe that cannot be read or whose values are out of bounds."""


class CatalogError(SyngraspError):
    """A catalog that is missing, empty or of another version."""

    def __init__(self, path: str | PathLike[str], problem: str) -> None:
        super().__init__(f"catalog {path}: {problem}")


class MeshError(SyngraspError):
    """A mesh that cannot be made into an object; `reason` is the short name it is counted under."""

    def __init__(self, reason: str, detail: str = "") -> None:
        self.reason = reason
        super().__init__(f"{reason}: {detail}" if detail else reason)


class DatasetError(SyngraspError):
    """A dataset that is missing, of another schema version, or made by another recipe."""

    def __init__(self, path: str | PathLike[str], problem: str) -> None:
        super().__init__(f"dataset {path}: {problem}")


class LaterVersion(DatasetError):
    """A document of a dataset that a later release wrote."""

    def __init__(self, path: str | PathLike[str], version: int, newest: int) -> None:
        super().__init__(
            path,
            f"it has schema version {version}, but this syngrasp reads versions 1 to {newest}; "
            "install a newer release: pip install --upgrade syngrasp",
        )


class StorageError(SyngraspError):
    """A place that cannot be written: no permission, no space, not reachable."""

    def __init__(self, path: str | PathLike[str], problem: str) -> None:
        super().__init__(f"cannot write {path}: {problem}")


class MissingExtra(SyngraspError):
    """An optional part that is not installed."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} is not installed; install it with: pip install 'syngrasp[{extra}]'")


class IsaacSimMissing(SyngraspError):
    """Isaac Sim's own Python is not where it is said to be."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"Isaac Sim: {problem}; name the python.sh of Isaac Sim 5.1 in render.isaacsim.python or in the "
            "environment variable ISAACSIM_PYTHON"
        )


class IsaacSimFailed(SyngraspError):
    """Isaac Sim's process hung, died or answered with nonsense, and again after restarts."""

    def __init__(self, problem: str, attempts: int, log: str) -> None:
        last = log.strip().replace("\n", " | ") or "nothing"
        super().__init__(f"Isaac Sim failed {attempts} times: {problem}; its last words: {last}")


# A commit after v0.8.0: in that release small meshes are phantom obstacles. PyPI's `nvidia-curobo` is an empty stub,
# and PyPI takes no package with an extra that names a git repository: so there is no extra for it.
CUROBO_INSTALL = (
    "pip install 'nvidia-curobo[cu13-torch] @ git+https://github.com/NVlabs/curobo@"
    "a35a708ecfbb26eb9ab2d7ef22c65919c4fae4a9'"
)


class CuroboMissing(SyngraspError):
    """cuRobo cannot be imported."""

    def __init__(self, problem: str) -> None:
        super().__init__(
            f"cuRobo is not installed ({problem}); install it with: {CUROBO_INSTALL} (CUDA 12: cu12-torch)"
        )
