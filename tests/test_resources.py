"""Data files are found in a checkout and in an installed package alike."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import syngrasp
from syngrasp.resources import ResourceMissing, cache_folder, resource


def small_package(folder: Path) -> Path:
    """A copy of syngrasp with little more than its resources."""
    package = folder / "syngrasp"
    package.mkdir()
    for name in ("__init__.py", "errors.py", "resources.py"):
        shutil.copy(Path(syngrasp.__file__).parent / name, package / name)
    return package


def test_found_in_the_checkout():
    assert resource("assets/robots/panda_spheres.yaml").is_file()
    assert resource("pipelines").is_dir()


def test_missing_is_named():
    with pytest.raises(ResourceMissing, match="assets/nothing/here"):
        resource("assets/nothing/here")


def test_found_inside_an_installed_package(tmp_path):
    package = small_package(tmp_path)
    (package / "assets").mkdir()
    (package / "assets" / "x.yaml").write_text("a: 1")
    code = "from syngrasp.resources import resource; print(resource('assets/x.yaml'))"
    out = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert Path(out.stdout.strip()).samefile(package / "assets" / "x.yaml")


def test_cache_folder_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SYNGRASP_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("SYNGRASP_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "syngrasp"


def test_changed_kernels_are_compiled_again(tmp_path):
    """numba would run on with a cached kernel whose callee changed; a new folder is what keeps them apart."""
    package = small_package(tmp_path)
    (package / "geometry").mkdir()
    (package / "geometry" / "callee.py").write_text("VALUE = 1\n")
    code = "import os, syngrasp; print(os.environ['NUMBA_CACHE_DIR'])"
    environment = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}

    def folder() -> str:
        return subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        ).stdout

    first = folder()
    assert folder() == first
    (package / "geometry" / "callee.py").write_text("VALUE = 22\n")
    assert folder() != first
