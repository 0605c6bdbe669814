"""The part of cuRobo that the adapter calls, written down in typings/curobo, against the adapter and a real cuRobo.

Pyright holds the adapter's calls against the typings; here the typings are held against cuRobo's source where one is
installed. The source is read, not imported: no GPU is needed for it.
"""

from __future__ import annotations

import ast
import importlib.util
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
TYPINGS = REPOSITORY / "typings" / "curobo"
RENAMED = {"Scene": "SceneCfg"}  # public name → the class's own
NOT_THEIRS = {"Tensor"}  # torch's


def _classes(path: Path) -> dict[str, ast.ClassDef]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}


def _stubs() -> dict[str, dict[str, ast.ClassDef]]:
    found = {path.stem: _classes(path) for path in sorted(TYPINGS.glob("*.pyi"))}
    return {module: classes for module, classes in found.items() if classes}


def _parameters(function: ast.FunctionDef) -> list[str]:
    names = [a.arg for a in (*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs)]
    return [name for name in names if name not in ("self", "cls")]


def _imported(path: Path) -> list[tuple[str, str]]:
    nodes = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.ImportFrom)]
    return [(n.module or "", alias.asname or alias.name) for n in nodes for alias in n.names]


@cache
def _source() -> Path:
    """The folder of an installed cuRobo."""
    spec = importlib.util.find_spec("curobo")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("cuRobo is not installed: `syngrasp doctor` says how to get it")
    return Path(next(iter(spec.submodule_search_locations)))


@cache
def _real() -> dict[str, ast.ClassDef]:
    files = [path for path in (_source() / "_src").rglob("*.py") if "tests" not in path.parts]
    return {name: node for path in files for name, node in _classes(path).items()}


def _lineage(name: str) -> list[ast.ClassDef]:
    """A class and its bases, the bases first, as far as they are cuRobo's."""
    node = _real()[name]
    bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id in _real()]
    return [ancestor for base in bases for ancestor in _lineage(base)] + [node]


def _members(name: str) -> tuple[dict[str, list[str]], set[str]]:
    """Parameters of a real class's functions, a dataclass's fields as those of `__init__`, and its attributes."""
    functions: dict[str, list[str]] = {}
    fields: list[str] = []
    attributes: set[str] = set()
    for node in _lineage(name):
        for item in node.body:
            if isinstance(item, ast.FunctionDef):
                functions[item.name] = _parameters(item)
                attributes |= {
                    n.attr for n in ast.walk(item) if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Store)
                }
            elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                fields.append(item.target.id)
    functions.setdefault("__init__", fields)
    return functions, attributes | set(fields) | set(functions)


def test_the_solver_alone_imports_curobo_and_only_what_is_typed():
    typed = {(f"curobo.{module}", name) for module, classes in _stubs().items() for name in classes}
    for path in (REPOSITORY / "syngrasp").rglob("*.py"):
        used = {pair for pair in _imported(path) if pair[0].partition(".")[0] == "curobo"}
        assert not used or path.name == "curobo_solver.py", path
        assert used <= typed


@pytest.mark.parametrize("module", ["batch_motion_planner", "scene", "types"])
def test_typings_are_true_of_an_installed_curobo(module: str):
    _source()
    exported = {name for _, name in _imported(_source() / f"{module}.py")}
    solver = REPOSITORY / "syngrasp" / "planning" / "curobo_solver.py"
    assert {name for source, name in _imported(solver) if source == f"curobo.{module}"} <= exported
    for name, stub in _stubs()[module].items():
        if name in NOT_THEIRS:
            continue
        functions, members = _members(RENAMED.get(name, name))
        for item in stub.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                assert item.target.id in members, f"{name}.{item.target.id}"
            elif isinstance(item, ast.FunctionDef):
                assert item.name in functions, f"{name}.{item.name}"
                wanted, real = _parameters(item), functions[item.name]
                assert [p for p in real if p in wanted] == wanted, f"{name}.{item.name}: {wanted} against {real}"
