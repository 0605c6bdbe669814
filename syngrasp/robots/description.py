"""Where the robots' URDF and meshes come from: the `example-robot-data` wheel (Apache-2.0)."""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from syngrasp.errors import SyngraspError


class DescriptionMissing(SyngraspError):
    """The package with the robots' meshes is not installed, or is another version than expected."""

    def __init__(self, detail: str) -> None:
        super().__init__(f"robot description not found: {detail}; install it with: pip install example-robot-data")


@lru_cache(maxsize=8)
def robot_folder(name: str) -> Path:
    """The folder of a robot in the `example-robot-data` wheel, such as "panda_description"."""
    try:
        package = distribution("example-robot-data")
    except PackageNotFoundError as missing:
        raise DescriptionMissing("the package example-robot-data is not installed") from missing
    path = Path(str(package.locate_file("cmeel.prefix/share/example-robot-data/robots"))) / name
    if not path.is_dir():
        raise DescriptionMissing(f"no folder {path}")
    return path


def panda_description() -> Path:
    """The folder with the Franka Panda's `meshes` and `urdf`."""
    return robot_folder("panda_description")
