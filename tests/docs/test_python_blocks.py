"""The Python of the README and of the guides runs as it stands, block after block in one namespace a page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
BLOCK = re.compile(r"(?:<!-- not run: (?P<why>[^>]*?) -->\s*)?^```python\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
PAGES = [
    ROOT / "README.md",
    ROOT / "docs" / "index.md",
    *sorted((ROOT / "docs" / "tutorial").glob("*.md")),
    *sorted((ROOT / "docs" / "how-to").glob("*.md")),
    *sorted((ROOT / "docs" / "explanation").glob("*.md")),
]


def blocks(page: Path) -> list[tuple[int, str]]:
    """Line and code of each block that is to be run."""
    text = page.read_text()
    return [
        (text.count("\n", 0, match.start("code")), match["code"]) for match in BLOCK.finditer(text) if not match["why"]
    ]


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page)], ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_the_page_runs(page: Path) -> None:
    namespace: dict[str, Any] = {"__name__": "page"}
    for line, code in blocks(page):
        exec(compile("\n" * line + code, str(page), "exec"), namespace)


def test_the_readme_begins_with_ten_lines() -> None:
    """Issue 4, Done-when 7; that they run is the test above."""
    (_, code), *_ = blocks(ROOT / "README.md")
    assert len([line for line in code.splitlines() if line.strip()]) <= 10


def test_blocks_are_found_and_may_be_excused() -> None:
    excused = "<!-- not run: no server -->\n```python\nawait x\n```\n\n```python\nprint(1)\n```\n"
    assert [(bool(match["why"]), match["code"]) for match in BLOCK.finditer(excused)] == [
        (True, "await x\n"),
        (False, "print(1)\n"),
    ]
