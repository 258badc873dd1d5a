"""Every public name exists, is documented, and is listed; every file is one idea of bearable length."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = sorted(path.parent for path in (ROOT / "pystack").glob("*/__init__.py"))
FILES = sorted([*(ROOT / "pystack").rglob("*.py"), *(ROOT / "sfu").rglob("*.py")])
CEILING = 1000
"""Lines. Where a file wants to be longer it usually holds two ideas."""


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def listed(tree: ast.Module) -> list[str] | None:
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(
            isinstance(one, ast.Name) and one.id == "__all__" for one in node.targets
        ):
            return list(ast.literal_eval(node.value))
    return None


def described(tree: ast.Module) -> dict[str, bool]:
    """What a module defines at its top, and whether each has a docstring (a value: a string right below it)."""
    found: dict[str, bool] = {}
    for node, following in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            found[node.name] = ast.get_docstring(node) is not None or found.get(node.name, False)
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            told = (
                isinstance(following, ast.Expr)
                and isinstance(following.value, ast.Constant)
                and isinstance(following.value.value, str)
            )
            for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                if isinstance(target, ast.Name):
                    found[target.id] = told
    return found


def imported(tree: ast.Module) -> dict[str, tuple[str, str]]:
    return {
        alias.asname or alias.name: (node.module or "", alias.name)
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def module_tree(dotted: str) -> ast.Module | None:
    path = ROOT / dotted.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(path.read_text()) if path.is_file() else None


def is_described(dotted: str, name: str) -> bool | None:
    """Follow re-exports to where a name is made; ``None`` when it is nowhere."""
    tree = module_tree(dotted)
    if tree is None:
        return None
    here = described(tree)
    if name in here:
        return here[name]
    if name in (elsewhere := imported(tree)):
        module, original = elsewhere[name]
        if module.partition(".")[0] not in {"pystack", "sfu"}:
            return True
        if module_tree(f"{module}.{original}") is not None:
            return True
        return is_described(module, original)
    return None


@pytest.mark.parametrize("package", [ROOT / "pystack", *PACKAGES], ids=name_of)
def test_public_names_exist_and_are_documented(package: Path) -> None:
    dotted = name_of(package).replace("/", ".")
    tree = module_tree(dotted)
    assert tree is not None
    names = listed(tree)
    assert names is not None, f"{dotted} has no __all__"
    assert names == sorted(set(names), key=names.index), f"{dotted}.__all__ names something twice"
    missing = [name for name in names if is_described(dotted, name) is None and name != "__version__"]
    assert not missing, f"{dotted}.__all__ names what is not there: {missing}"
    silent = [name for name in names if is_described(dotted, name) is False]
    assert not silent, f"{dotted} exports without a docstring: {silent}"


def test_every_module_says_which_idea_lives_in_it() -> None:
    silent = [name_of(path) for path in FILES if not ast.get_docstring(ast.parse(path.read_text()))]
    assert not silent


def test_no_file_has_grown_into_two_ideas() -> None:
    long = {name_of(path): count for path in FILES if (count := len(path.read_text().splitlines())) > CEILING}
    assert not long


def test_no_name_for_things_without_one() -> None:
    vague = {"utils", "util", "helpers", "helper", "manager", "common", "misc"}
    assert not [name_of(path) for path in FILES if vague & {*path.parts[len(ROOT.parts) :], path.stem}]


def test_a_silent_name_would_be_noticed() -> None:
    tree = ast.parse('A = 1\n"""Told."""\nB = 2\nclass C: ...\ndef d():\n    """Told."""\n')
    assert described(tree) == {"A": True, "B": False, "C": False, "d": True}
