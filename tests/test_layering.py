"""Who may import whom (DESIGN §2), read from the imports themselves."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]

BASE = {"records", "errors", "seeding", "se3", "stage", "resources", "warp_device"}
KERNELS = BASE | {"geometry", "robots"}
# Room → the rooms it may import besides itself. `stages` modules never import one another: tested below.
ALLOWED: dict[str, set[str]] = {
    **dict.fromkeys(BASE, BASE),
    "geometry": BASE,
    "robots": BASE,
    "objects": KERNELS,
    "planning": KERNELS,
    "physics": KERNELS,
    "rendering": KERNELS,
    "dataset": {"records", "errors", "se3", "seeding", "resources"},
    "stages": KERNELS | {"objects", "planning", "physics", "rendering"},
    "config": BASE | {"robots", "stages"},
    "generate": KERNELS | {"objects", "stages", "dataset", "config"},
}
# These join everything; only they may reach `workers`, and only inside functions.
TOP = {"cli", "doctor", "__init__", "__main__"}
LAZY_WORKERS = {"generate", "cli"}
HEAVY = (
    *("mujoco", "mujoco_warp", "warp", "numba", "trimesh", "scipy", "zarr", "matplotlib"),
    *("ray", "torch", "mitsuba", "curobo", "isaacsim", "pxr"),
)


def imports(path: Path) -> list[tuple[str, bool]]:
    """Modules a file imports, each with whether it happens at module level outside TYPE_CHECKING."""
    found: list[tuple[str, bool]] = []

    def visit(node: ast.AST, top: bool) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                found.extend((alias.name, top) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path}: relative import"
                module = child.module or ""
                found.append((module, top))
                if module == "syngrasp":
                    found.extend((f"syngrasp.{alias.name}", top) for alias in child.names)
            else:
                guarded = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
                deferred = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)) or guarded
                visit(child, top and not deferred)

    visit(ast.parse(path.read_text()), True)
    return found


def room_of(path: Path) -> str:
    relative = path.relative_to(REPOSITORY / "syngrasp")
    return relative.parts[0].removesuffix(".py")


LIBRARY = sorted((REPOSITORY / "syngrasp").rglob("*.py"))


@pytest.mark.parametrize("path", LIBRARY, ids=lambda p: str(p.relative_to(REPOSITORY)))
def test_imports_point_one_way(path: Path) -> None:
    room = room_of(path)
    for module, top in imports(path):
        name, _, rest = module.partition(".")
        if name == "workers":
            assert room in LAZY_WORKERS, f"{path.name} imports workers"
            assert not top, f"{path.name} imports workers at module level"
        if name != "syngrasp" or not rest or room in TOP:
            continue
        target = rest.partition(".")[0]
        if target == "__version__":
            continue
        assert target == room or target in ALLOWED[room], f"{room} may not import syngrasp.{rest}"


def test_stages_never_import_one_another() -> None:
    for path in (REPOSITORY / "syngrasp" / "stages").glob("*.py"):
        for module, _ in imports(path):
            if module.startswith("syngrasp.stages.") and path.stem not in ("__init__",):
                assert module == "syngrasp.stages.context", f"stages/{path.name} imports {module}"


def test_ray_is_imported_by_workers_alone() -> None:
    for path in LIBRARY:
        names = {module.partition(".")[0] for module, top in imports(path) if top}
        assert "ray" not in names, f"{path} imports ray at module level"


def test_the_command_line_imports_nothing_heavy() -> None:
    code = f"import sys, syngrasp.cli, syngrasp.config\nprint([m for m in {HEAVY!r} if m in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert result.stdout.strip() == "[]"
