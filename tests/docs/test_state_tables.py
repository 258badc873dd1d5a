"""Every transition table of the product is drawn, and every drawing has every move."""

from __future__ import annotations

import ast
import re
import sys
from enum import Enum, auto
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))
PAGE = ROOT / "docs" / "explanation" / "states.md"


class Door(Enum):
    OPEN = "open"
    SHUT = "shut & <locked>"
    GONE = "gone"


class Hand(Enum):
    PUSH = auto()
    TEAR_OFF = auto()


TABLE = {Door.OPEN: {Hand.PUSH: Door.SHUT, Hand.TEAR_OFF: Door.GONE}, Door.SHUT: {Hand.TEAR_OFF: Door.GONE}}


def tables() -> set[str]:
    """``module:NAME`` of each module-level name that is annotated as a ``Table``."""
    found = set()
    for top in ("pystack", "sfu"):
        for path in (ROOT / top).rglob("*.py"):
            for node in ast.parse(path.read_text()).body:
                if isinstance(node, ast.AnnAssign) and re.search(r"\bTable\[", ast.unparse(node.annotation)):
                    module = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
                    found.add(f"{module}:{ast.unparse(node.target)}")
    return found


def test_every_table_is_on_the_page() -> None:
    drawn = set(re.findall(r"\{state-table\} (\S+)", PAGE.read_text()))
    assert drawn == tables()


@pytest.mark.parametrize("where", sorted(tables()))
def test_every_state_of_a_table_can_be_reached_and_every_input_is_used(where: str) -> None:
    from state_tables import load

    table = load(where)
    kinds = {type(state) for state in table}
    inputs = {type(given) for row in table.values() for given in row}
    assert len(kinds) == 1
    assert len(inputs) == 1
    assert set(table) <= set(*kinds)
    begun = next(iter(table))
    reached, todo = {begun}, [begun]
    while todo:
        for target in table.get(todo.pop(), {}).values():
            if target not in reached:
                reached.add(target)
                todo.append(target)
    assert reached >= set(table), f"cannot be reached from {begun}: {set(table) - reached}"


def test_a_drawing_has_a_box_for_each_state_and_a_line_for_each_move() -> None:
    from state_tables import draw

    svg = draw(TABLE)
    assert svg.count("<rect") == 3
    assert svg.count("<circle") == 3
    assert svg.count("marker-end") == 2  # two states are led to
    assert "shut &amp; &lt;locked&gt;" in svg
    assert svg.count(">tear off<") == 2
