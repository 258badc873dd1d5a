"""Each path, module and test that a document names is there."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TOPS = "pystack|sfu|tests|docs|examples|benchmarks|fuzz|\\.ci"
PATH = re.compile(rf"(?<![\w./-])((?:{TOPS})/[\w./*-]*[\w*])(?:::(\w+(?:::\w+)*))?")
MODULE = re.compile(r"`((?:pystack|sfu)(?:\.\w+)+)(?:\(\))?`")


def names_of_functions(path: Path) -> set[str]:
    return {
        node.name
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
    }


def complain(text: str) -> list[str]:
    """All paths, tests and modules in a text that do not exist."""
    wrong = []
    text = re.sub(r"https?://\S+", "", text)
    for match in PATH.finditer(text):
        path, test = match.groups()
        found = list(ROOT.glob(path)) or list(ROOT.glob(path + ".py"))
        if not found and not path.startswith("docs/_build"):
            wrong.append(path)
        elif test and not set(test.split("::")) <= names_of_functions(found[0]) | {"TestCase"}:
            wrong.append(f"{path}::{test}")
    for match in MODULE.finditer(text):
        if not resolves(match[1]):
            wrong.append(match[1])
    return wrong


def resolves(dotted: str) -> bool:
    """Tell whether a dotted name is a module, or reachable as an attribute of one."""
    names = dotted.split(".")
    for count in range(len(names), 0, -1):
        try:
            found: object = importlib.import_module(".".join(names[:count]))
        except ModuleNotFoundError:
            continue
        for name in names[count:]:
            if not hasattr(found, name) and name not in getattr(found, "__annotations__", {}):
                return False
            found = getattr(found, name, None)
        return True
    return False


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_what_a_document_names_exists(document: Path) -> None:
    wrong = complain(document.read_text())
    assert not wrong, f"{document.relative_to(ROOT)} names what is not there: {wrong}"


def test_a_wrong_name_would_be_noticed() -> None:
    assert complain("see `pystack/base/core.py` and `pystack.base.Core.receive`") == []
    assert complain("see `pystack/base/gone.py`") == ["pystack/base/gone.py"]
    assert complain("see `pystack.base.Gone`") == ["pystack.base.Gone"]
    here = "tests/architecture/test_docs_paths.py"
    assert complain(f"`{here}::test_a_wrong_name_would_be_noticed`") == []
    assert complain(f"`{here}::test_gone`") == [f"{here}::test_gone"]
